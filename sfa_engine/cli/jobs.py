"""`sfa jobs`: the jobs of backstage, and how they ended."""

from __future__ import annotations

import time
from contextlib import nullcontext
from typing import Any

import click

from sfa_engine.cli.connect import backstage
from sfa_engine.cli.plural import counted
from sfa_engine.cli.terminal import print_json
from sfa_engine.errors import Refused

MAX_LISTED = 50  # in a line
MAX_SHOWN = 500  # in a table
EVENT = ("kind", "state", "title", "progress", "doing", "error")  # the keys of a job's event


@click.group(invoke_without_command=True)
@click.pass_context
def jobs(context: click.Context) -> None:
    """Jobs of the preparation: list (the default), show, retry, cancel, watch."""
    if context.invoked_subcommand is None:
        context.invoke(list_)


@jobs.command(name="list")
@click.option("--all", "everything", is_flag=True, help="Ended jobs too.")
@click.option("--failed", is_flag=True, help="Only failed jobs.")
@click.option("--json", "as_json", is_flag=True, help="For programs.")
def list_(everything: bool, failed: bool, as_json: bool) -> None:
    """List the waiting and running jobs."""
    from sfa_engine.cli import screen
    from sfa_engine.cli.job_progress import LIVE, job_table

    states = ["failed"] if failed else [] if everything else sorted(LIVE)
    with backstage() as client:
        said = client.call("jobs.list", states=states)
        more = said["jobs"]
        while more and len(said["jobs"]) < MAX_SHOWN:
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
    """Show everything about a job."""
    with backstage() as client:
        print_json(client.call("jobs.show", job=job))


@jobs.command()
@click.argument("job", type=int, nargs=-1)
@click.option("--failed", is_flag=True, help="All failed jobs.")
def retry(job: tuple[int, ...], failed: bool) -> None:
    """Retry failed or cancelled jobs."""
    if not job and not failed:
        raise Refused("no job is named", "give numbers, or --failed for all failed jobs")
    with backstage() as client:
        said = client.call("jobs.retry", jobs=list(job), failed=failed)
    click.echo(f"waiting again: {_listed(said) or 'none'}")


@jobs.command()
@click.argument("job", type=int, nargs=-1)
@click.option("--all", "everything", is_flag=True, help="All waiting and running jobs.")
def cancel(job: tuple[int, ...], everything: bool) -> None:
    """Cancel waiting or running jobs."""
    if not job and not everything:
        raise Refused("no job is named", "give numbers, or --all for every one")
    with backstage() as client:
        said = client.call("jobs.cancel", jobs=list(job), everything=everything)
        ended = {*said["jobs"]}
        late = [client.call("jobs.show", job=number) for number in job if number not in ended]
        late = [each for each in late if not everything or each["state"] != "cancelled"]
    if ended or everything:
        click.echo(f"cancelled: {_listed(said) or 'none, nothing waits or runs'}")
    for ended_job in late:
        why = f"job {ended_job['id']} is {ended_job['state']}; only waiting and running ones can be"
        click.echo(f"sfa: {why} cancelled", err=True)
    if late:
        raise click.exceptions.Exit(1)


def _listed(said: dict[str, Any]) -> str:
    """Return the numbers of jobs, or their count if they are many."""
    if said["count"] > MAX_LISTED:
        return f"{said['count']} jobs"
    return ", ".join(map(str, said["jobs"]))


@jobs.command()
@click.option("--json", "as_json", is_flag=True, help="One event a line.")
def watch(as_json: bool) -> None:
    """Show jobs live, until Ctrl-C."""
    from sfa_engine.cli.job_progress import JobLines, JobProgress

    with backstage() as client:
        client.call("jobs.watch")
        said = client.call("jobs.list", states=["running"])
        waiting = said["counts"].get("waiting", 0)
        if not as_json and not said["jobs"]:
            now = f"{counted(waiting, 'job')} waiting" if waiting else "nothing to do"
            click.echo(f"{now}; new jobs are shown, until Ctrl-C", err=True)
        with nullcontext(JobLines()) if as_json else JobProgress() as board:
            # A job may be silent for minutes: those that run are shown at once.
            for job in reversed(said["jobs"]):
                board.show({key: job[key] for key in EVENT} | {"job": job["id"]})
            for _, event in client.notifications():
                board.show(event)
