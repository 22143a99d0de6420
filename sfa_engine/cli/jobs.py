"""`sfa jobs`: what backstage is doing, did, and could not do."""

from __future__ import annotations

import json
import time

import click

from sfa_engine.cli.clock import ago
from sfa_engine.cli.tracks import backstage


@click.group()
def jobs() -> None:
    """What is being prepared: list, show, retry, cancel, watch."""


@jobs.command(name="list")
@click.option("--all", "everything", is_flag=True, help="Those that ended, too.")
@click.option("--failed", is_flag=True, help="Only those that failed.")
@click.option("--json", "as_json", is_flag=True, help="For programs.")
def list_(everything: bool, failed: bool, as_json: bool) -> None:
    """List the jobs that wait and run."""
    from rich.table import Table

    from sfa_engine.cli import screen
    from sfa_engine.cli.board import LIVE, MARKS

    states = ["failed"] if failed else [] if everything else sorted(LIVE)
    with backstage() as client:
        said = client.call("jobs.list", states=states)
    if as_json:
        click.echo(json.dumps(said, indent=2, ensure_ascii=False))
        return
    table = Table(box=None, pad_edge=False)
    for name in ("job", "", "what", "of", "tries", "since", ""):
        table.add_column(name, no_wrap=name != "")
    for job in said["jobs"]:
        since = job["ended_s"] or job["started_s"] or job["created_s"]
        why = (job["error"] or {}).get("message", job["doing"])
        table.add_row(
            str(job["id"]),
            MARKS[job["state"]],
            job["kind"],
            job["title"],
            str(job["attempts"]),
            ago(time.time() - since),
            why,
        )
    if said["jobs"]:
        screen.console.print(table)
    click.echo(", ".join(f"{count} {state}" for state, count in said["counts"].items() if count))


@jobs.command()
@click.argument("job", type=int)
def show(job: int) -> None:
    """Show all that is known of a job."""
    with backstage() as client:
        click.echo(json.dumps(client.call("jobs.show", job=job), indent=2, ensure_ascii=False))


@jobs.command()
@click.argument("job", type=int, nargs=-1)
@click.option("--failed", is_flag=True, help="All that failed.")
def retry(job: tuple[int, ...], failed: bool) -> None:
    """Try failed or cancelled jobs again."""
    with backstage() as client:
        again = client.call("jobs.retry", jobs=list(job), failed=failed)["jobs"]
    click.echo(f"waiting again: {', '.join(map(str, again)) or 'none'}")


@jobs.command()
@click.argument("job", type=int, nargs=-1)
@click.option("--all", "everything", is_flag=True, help="Every job that waits or runs.")
def cancel(job: tuple[int, ...], everything: bool) -> None:
    """Cancel jobs that wait or run."""
    with backstage() as client:
        ended = client.call("jobs.cancel", jobs=list(job), everything=everything)["jobs"]
    click.echo(f"cancelled: {', '.join(map(str, ended)) or 'none'}")


@jobs.command()
@click.option("--json", "as_json", is_flag=True, help="An event a line.")
def watch(as_json: bool) -> None:
    """Show live what is being done, until Ctrl-C."""
    from sfa_engine.cli.board import Board

    with backstage() as client:
        client.call("jobs.watch")
        try:
            if as_json:
                for _, event in client.notices():
                    click.echo(json.dumps(event))
            else:
                with Board() as board:
                    for _, event in client.notices():
                        board.show(event)
        except KeyboardInterrupt:
            pass
