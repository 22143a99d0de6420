"""`sfa jobs`: what backstage is doing, did, and could not do."""

from __future__ import annotations

import time
from contextlib import nullcontext
from typing import Any

import click

from sfa_engine.cli.count import counted
from sfa_engine.cli.terminal import print_json
from sfa_engine.cli.tracks import backstage
from sfa_engine.errors import Refused

MOST_LISTED = 50  # in a line
MOST_SHOWN = 500  # in a table
EVENT = ("kind", "state", "title", "progress", "doing", "error")  # what a job's event says of it


@click.group(invoke_without_command=True)
@click.pass_context
def jobs(context: click.Context) -> None:
    """What is being prepared: list (if nothing else is said), show, retry, cancel, watch."""
    if context.invoked_subcommand is None:
        context.invoke(list_)


@jobs.command(name="list")
@click.option("--all", "everything", is_flag=True, help="Those that ended, too.")
@click.option("--failed", is_flag=True, help="Only those that failed.")
@click.option("--json", "as_json", is_flag=True, help="For programs.")
def list_(everything: bool, failed: bool, as_json: bool) -> None:
    """List the jobs that wait and run."""
    from sfa_engine.cli import screen
    from sfa_engine.cli.board import LIVE, job_table

    states = ["failed"] if failed else [] if everything else sorted(LIVE)
    with backstage() as client:
        said = client.call("jobs.list", states=states)
        more = said["jobs"]
        while more and len(said["jobs"]) < MOST_SHOWN:
            more = client.call("jobs.list", states=states, before=more[-1]["id"])["jobs"]
            said["jobs"] += more
    if as_json:
        print_json(said)
        return
    if said["jobs"]:
        screen.console.print(job_table(said["jobs"], time.time()))
    else:
        none = "no job failed" if failed else "no jobs" if everything else "nothing to do"
        click.echo(none, err=True)
    counts = ", ".join(f"{count} {state}" for state, count in said["counts"].items() if count)
    if counts:
        click.echo(counts)


@jobs.command()
@click.argument("job", type=int)
def show(job: int) -> None:
    """Show all that is known of a job."""
    with backstage() as client:
        print_json(client.call("jobs.show", job=job))


@jobs.command()
@click.argument("job", type=int, nargs=-1)
@click.option("--failed", is_flag=True, help="All that failed.")
def retry(job: tuple[int, ...], failed: bool) -> None:
    """Try failed or cancelled jobs again."""
    if not job and not failed:
        raise Refused("no job is named", "give numbers, or --failed for all that failed")
    with backstage() as client:
        said = client.call("jobs.retry", jobs=list(job), failed=failed)
    click.echo(f"waiting again: {_listed(said) or 'none'}")


@jobs.command()
@click.argument("job", type=int, nargs=-1)
@click.option("--all", "everything", is_flag=True, help="Every job that waits or runs.")
def cancel(job: tuple[int, ...], everything: bool) -> None:
    """Cancel jobs that wait or run."""
    if not job and not everything:
        raise Refused("no job is named", "give numbers, or --all for every one")
    with backstage() as client:
        said = client.call("jobs.cancel", jobs=list(job), everything=everything)
        ended = {*said["jobs"]}
        late = [client.call("jobs.show", job=number) for number in job if number not in ended]
        late = [told for told in late if not everything or told["state"] != "cancelled"]
    if ended or everything:
        click.echo(f"cancelled: {_listed(said) or 'none, nothing waits or runs'}")
    for told in late:
        click.echo(f"job {told['id']} is {told['state']}: it cannot be cancelled", err=True)
    if late:
        raise click.exceptions.Exit(1)


def _listed(said: dict[str, Any]) -> str:
    """Return the numbers of jobs, or how many they are."""
    if said["count"] > MOST_LISTED:
        return f"{said['count']} jobs"
    return ", ".join(map(str, said["jobs"]))


@jobs.command()
@click.option("--json", "as_json", is_flag=True, help="An event a line.")
def watch(as_json: bool) -> None:
    """Show live what is being done, until Ctrl-C."""
    from sfa_engine.cli.board import Board, Lines

    with backstage() as client:
        client.call("jobs.watch")
        said = client.call("jobs.list", states=["running"])
        waiting = said["counts"].get("waiting", 0)
        if not as_json and not said["jobs"]:
            now = f"{counted(waiting, 'job')} waiting" if waiting else "nothing to do"
            click.echo(f"{now}; what comes is shown, until Ctrl-C", err=True)
        with nullcontext(Lines()) if as_json else Board() as board:
            # A job may be silent for minutes: those that run are shown at once.
            for job in reversed(said["jobs"]):
                board.show({key: job[key] for key in EVENT} | {"job": job["id"]})
            for _, event in client.notices():
                board.show(event)
