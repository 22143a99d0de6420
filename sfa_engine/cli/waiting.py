"""`sfa waiting` and `sfa cancel`: the commands that wait for their beat, bar or frame."""

from __future__ import annotations

from typing import Any

import click

from sfa_engine.cli.connect import connect
from sfa_engine.cli.options import json_option
from sfa_engine.cli.terminal import print_json
from sfa_engine.errors import Refused


@click.command()
@json_option
def waiting(as_json: bool) -> None:
    """List the commands that wait for their time, as `sfa set … --at bar` sends them."""
    with connect() as client:
        found = client.call("commands.waiting")
    if as_json:
        print_json(found)
        return
    rows = [(str(one["id"]), one["path"] or "a load", _value(one), _when(one)) for one in found]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        cells = (f"{cell:{width}}" for cell, width in zip(row, widths, strict=True))
        click.echo("  ".join(cells).rstrip())


def _value(command: dict[str, Any]) -> str:
    """Return what a control is to be set to, or a button to be pressed with."""
    from sfa_engine.desk import CONTROLS, Button
    from sfa_engine.desk.scale import NOT_SET

    control = CONTROLS.get(command["path"])
    if control is None or (isinstance(control, Button) and not control.range_text()):
        return ""
    return control.text(NOT_SET if command["value"] is None else command["value"])


def _when(command: dict[str, Any]) -> str:
    when = command["when"]
    return f"frame {when}" if isinstance(when, int) else str(when)


@click.command()
@click.argument("number", type=int, required=False)
@click.option("--deck", type=int, help="All of a deck.")
@click.option("--all", "everything", is_flag=True, help="All.")
def cancel(number: int | None, deck: int | None, everything: bool) -> None:
    """Cancel a waiting command by the number that `sfa waiting` shows, or several."""
    if (number is not None) + (deck is not None) + everything != 1:
        raise Refused("say which to cancel", "give a number of `sfa waiting`, --deck or --all")
    with connect() as client:
        count = client.call("commands.cancel", id=number, deck=deck)["cancelled"]
    click.echo(f"{count} cancelled")
