"""`sfa notifications`: failed jobs, finished batches, full disks."""

from __future__ import annotations

import time
from typing import Any

import click

from sfa_engine.cli.connect import backstage
from sfa_engine.cli.options import json_option
from sfa_engine.cli.plural import counted
from sfa_engine.cli.terminal import print_json
from sfa_engine.errors import Refused

MARKS = {"info": " ", "warning": "!", "error": "✗"}
STYLES = {"info": "", "warning": "yellow", "error": "red"}


@click.group(invoke_without_command=True)
@click.pass_context
def notifications(context: click.Context) -> None:
    """Notifications: list (the default), read."""
    if context.invoked_subcommand is None:
        context.invoke(list_)


@notifications.command(name="list")
@click.option("--unread", is_flag=True, help="Only those that were not read.")
@click.option("--limit", type=click.IntRange(1, 1000), default=50, show_default=True)
@json_option
def list_(unread: bool, limit: int, as_json: bool) -> None:
    """List notifications, newest first; unread ones are bold."""
    with backstage() as client:
        said = client.call("notifications.list", unread=unread, limit=limit)
    if as_json:
        print_json(said)
        return
    if said["notifications"]:
        from sfa_engine.cli import screen

        screen.console.print(_table(said["notifications"], time.time()))
    else:
        click.echo("nothing new" if unread else "no notifications", err=True)


@notifications.command()
@click.argument("notification", type=int, nargs=-1)
@click.option("--all", "everything", is_flag=True, help="All of them.")
def read(notification: tuple[int, ...], everything: bool) -> None:
    """Mark notifications as read."""
    if not notification and not everything:
        raise Refused("no notification is named", "give numbers, or --all for every one")
    with backstage() as client:
        said = client.call(
            "notifications.read", notifications=list(notification), everything=everything
        )
    click.echo(f"read: {counted(said['count'], 'notification')}")


def _table(listed: list[dict[str, Any]], now_s: float) -> Any:
    from rich.table import Table
    from rich.text import Text

    from sfa_engine.system.timecode import ago

    table = Table(box=None, pad_edge=False)
    for name in ("number", "", "kind"):
        table.add_column(name, no_wrap=True)
    table.add_column("what", ratio=1, overflow="fold")
    table.add_column("since", no_wrap=True, justify="right")
    for each in listed:
        about = Text(each["sentence"], style="" if each["read"] else "bold")
        if each["hint"]:
            about.append(f"\n{each['hint']}", style="dim not bold")
        table.add_row(
            str(each["id"]),
            Text(MARKS[each["level"]], style=STYLES[each["level"]]),
            each["kind"],
            about,
            ago(now_s - each["time_s"]),
        )
    return table
