"""Jobs on the terminal: a list, progress bars, and following a batch to its end."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Self

from rich.progress import BarColumn, Progress, TaskID, TextColumn
from rich.table import Table
from rich.text import Text

from sfa_engine.cli import screen
from sfa_engine.cli.terminal import one_line, print_json_line
from sfa_engine.errors import MediaError
from sfa_engine.system.timecode import ago
from sfa_engine.wire.blocking import SocketClient

MARKS = {
    "waiting": "·",
    "running": "▶",
    "done": "✓",
    "skipped": "-",
    "failed": "✗",
    "cancelled": "✗",
}
LIVE = {"waiting", "running"}
MAX_WAITS = 20  # postponed jobs that are shown one by one


def job_table(jobs: list[dict[str, Any]], now_s: float) -> Table:
    """Return jobs as a table; a job's error, or what it does, is below its title.

    Parameters
    ----------
    jobs : list of dict
        As ``jobs.list`` returns them.
    now_s : float
        Seconds since 1970.
    """
    table = Table(box=None, pad_edge=False)
    for name in ("job", "", "what"):
        table.add_column(name, no_wrap=True)
    table.add_column("of", ratio=1, overflow="fold")
    for name in ("tries", "since"):
        table.add_column(name, no_wrap=True, justify="right")
    for job in jobs:
        why = _why(job["error"]) or job["doing"]
        about = Text(job["title"])
        if why:
            about.append(f"\n{why}", style="red" if job["error"] else "dim")
        since_s = job["ended_s"] or job["started_s"] or job["created_s"]
        table.add_row(
            str(job["id"]),
            MARKS[job["state"]],
            job["kind"],
            about,
            str(job["attempts"]),
            ago(now_s - since_s),
        )
    return table


def _why(error: dict[str, Any] | None) -> str:
    """Return an error as one line, empty without one."""
    if not error:
        return ""
    return f"{error['message']}; {error['hint']}" if error["hint"] else str(error["message"])


class JobProgress:
    """Progress bars: one for each running job; ended jobs are lines above them."""

    def __init__(self, *, quiet: bool = False) -> None:
        self._progress = Progress(
            TextColumn("{task.fields[kind]:9}"),
            TextColumn("{task.description}", markup=False),
            BarColumn(bar_width=30),
            TextColumn("{task.percentage:>3.0f} % {task.fields[doing]}", markup=False),
            console=screen.errors,
            transient=True,
            disable=quiet,
        )
        self._quiet = quiet
        self._bars: dict[int, TaskID] = {}
        self._whole: TaskID | None = None

    def __enter__(self) -> Self:
        self._progress.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._progress.stop()

    def count(self, left: int, all_: int) -> None:
        """Show how many of the batch's steps are done."""
        if self._whole is None:
            self._whole = self._progress.add_task("", kind="all", doing="")
        said = f"{all_ - left} of {all_} steps"
        self._progress.update(self._whole, completed=all_ - left, total=all_, doing=said)

    def wait(self, jobs: list[dict[str, Any]]) -> None:
        """Show what a batch waits for while none of its jobs runs."""
        for job in jobs:
            because = f" after: {_why(job['error'])}" if job["error"] else ""
            said = f"next attempt in {job['wait_s']:.0f} s" if job["wait_s"] else "waits"
            line = f"{MARKS['waiting']} {job['kind']:9} {job['title']}: {said}{because}"
            self._progress.console.print(Text(line), soft_wrap=True)

    def show(self, event: dict[str, Any]) -> None:
        """Show a job's event."""
        number = event["job"]
        if event["state"] == "running":
            if number not in self._bars:
                self._bars[number] = self._progress.add_task(
                    event["title"], total=1.0, kind=event["kind"], doing=""
                )
            self._progress.update(
                self._bars[number], completed=event["progress"], doing=event["doing"]
            )
            return
        bar = self._bars.pop(number, None)
        if bar is not None:
            self._progress.remove_task(bar)
        if event["state"] != "waiting" or event["error"]:
            self._print(event)

    def _print(self, event: dict[str, Any]) -> None:
        if self._quiet and not event["error"]:
            return
        why = _why(event["error"]) or event.get("why", "")
        because = f": {why}" if why else ""
        again = " (will be retried)" if event["state"] == "waiting" else ""
        line = f"{MARKS[event['state']]} {event['kind']:9} {event['title']}{because}{again}"
        self._progress.console.print(Text(one_line(line)), soft_wrap=True)


class JobLines:
    """`JobProgress` for programs: one event a line, as JSON."""

    def count(self, left: int, all_: int) -> None:
        """Print nothing: the events say it."""

    def wait(self, jobs: list[dict[str, Any]]) -> None:
        """Print the jobs that wait for their next attempt."""
        for job in jobs:
            print_json_line(job)

    def show(self, event: dict[str, Any]) -> None:
        """Print a job's event."""
        print_json_line(event)


def tracks_of(client: SocketClient, batch: str) -> Iterator[dict[str, Any]]:
    """Yield the tracks of a batch."""
    after = 0
    while found := client.call("prep.tracks", batch=batch, after=after)["tracks"]:
        yield from found
        after = found[-1]["id"]


def follow(client: SocketClient, batch: str, board: JobProgress | JobLines) -> dict[str, int]:
    """Show a batch until it has ended; return the number of jobs by state."""
    notifications = client.notifications()
    waited: set[int] = set()
    while True:
        counts: dict[str, int] = client.call("prep.batch", batch=batch)["counts"]
        left = sum(counts[state] for state in LIVE)
        if not left:
            return counts
        board.count(left, sum(counts.values()))
        if not counts["running"]:
            listed = client.call("jobs.list", states=["waiting"], batch=batch, limit=MAX_WAITS)
            postponed = [job for job in listed["jobs"] if job["wait_s"] and job["id"] not in waited]
            waited |= {job["id"] for job in postponed}
            board.wait(postponed)
        for _, event in notifications:
            board.show(event)
            if event["state"] != "running":
                break


def wait_for(client: SocketClient, batch: str, *, quiet: bool) -> None:
    """Show the jobs of a batch until they have ended; they go on when this is interrupted."""
    client.call("jobs.watch", batch=batch)
    with JobProgress(quiet=quiet) as board:
        follow(client, batch, board)


def wait_done(client: SocketClient, batch: str, job: int, *, quiet: bool) -> None:
    """Show a batch of one job until it is done; cancel the job when this is interrupted.

    Raises
    ------
    MediaError
        It has failed, or was cancelled.
    """
    try:
        wait_for(client, batch, quiet=quiet)
    except KeyboardInterrupt:
        client.call("jobs.cancel", jobs=[job])
        raise
    shown = client.call("jobs.show", job=job)
    if shown["state"] not in {"done", "skipped"}:
        error = shown["error"] or {"message": f"the job was {shown['state']}", "hint": "try again"}
        raise MediaError(error["message"], error["hint"])
