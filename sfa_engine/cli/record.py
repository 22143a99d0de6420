"""`sfa record`: the set into sound files; `sfa record capture`: what was just played."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from sfa_engine.cli.connect import connect
from sfa_engine.cli.options import json_option
from sfa_engine.cli.terminal import print_json, printable
from sfa_engine.errors import Refused

FORMATS = ("flac", "wav", "float")


@click.group()
def record() -> None:
    """Record the set."""


@record.command()
@click.option("--stems", is_flag=True, help="Every deck and stem as well, each in its file.")
@click.option("--decks", is_flag=True, help="Every deck as well.")
@click.option("--format", "form", type=click.Choice(FORMATS), help="Default: record.format.")
@click.option("--split", is_flag=True, default=None, help="A file for each track.")
@click.option(
    "--preroll", type=click.FloatRange(0, 30), metavar="S", help="Seconds that it begins ago."
)
@click.option("-o", "--output", type=click.Path(path_type=Path), help="File of the master.")
@json_option
def start(
    stems: bool,
    decks: bool,
    form: str | None,
    split: bool | None,
    preroll: float | None,
    output: Path | None,
    as_json: bool,
) -> None:
    """Start a recording."""
    given: dict[str, Any] = {
        "path": str(output.absolute()) if output else "",
        "form": form or "",
        "decks": decks or None,
        "stems": stems or None,
        "split": split,
        "preroll_s": preroll,
    }
    with connect() as client:
        state = client.call("record.start", **given)
    if as_json:
        print_json(state)
    else:
        click.echo(f"recording to {printable(state['path'])}")


@record.command()
@json_option
def stop(as_json: bool) -> None:
    """Stop the recording."""
    with connect() as client:
        state = client.call("record.stop")
    if as_json:
        print_json(state)
        return
    for line in _lines(state):
        click.echo(line)


@record.command()
@json_option
def status(as_json: bool) -> None:
    """Show the recording, and what is kept to capture."""
    with connect() as client:
        state = client.call("record.status")
    if as_json:
        print_json(state)
        return
    click.echo("recording" if state["on"] else "not recording")
    for line in _lines(state):
        click.echo(line)
    kept = ", ".join(
        f"{name} {length:g} s" for name, length in state["capture"].items() if name != "size_mb"
    )
    click.echo(f"to capture: {kept} ({state['capture']['size_mb']:g} MB)")


def _lines(state: dict[str, Any]) -> list[str]:
    """Return a recording's state in words."""
    lines = []
    if state.get("path"):
        lost = f", {state['lost']} frames lost" if state["lost"] else ""
        size = state["bytes"] / 1e6
        lines.append(f"{printable(state['path'])}: {state['time_s']:.1f} s, {size:.1f} MB{lost}")
    if state.get("error"):
        lines.append(f"it ended: {printable(state['error'])}")
    return lines


@record.command()
@click.argument("source")
@click.option("--bars", type=click.FloatRange(0, 1024, min_open=True))
@click.option("--seconds", type=click.FloatRange(0, 1024, min_open=True))
@click.option("-o", "--output", type=click.Path(path_type=Path), required=True)
@json_option
def capture(
    source: str, bars: float | None, seconds: float | None, output: Path, as_json: bool
) -> None:
    """Save what was just played: the last bars of SOURCE (master, deck1, deck1.vocals …)."""
    if (bars is None) is (seconds is None):
        raise Refused("how much is to be captured?", "give --bars or --seconds")
    with connect() as client:
        saved = client.call(
            "capture", source=source, path=str(output.absolute()), bars=bars, seconds=seconds
        )
    if as_json:
        print_json(saved)
    else:
        length = f"{saved['frames'] / saved['rate']:.2f} s"
        beats = f", {saved['beats']:g} beats" if saved["beats"] else ""
        click.echo(f"{printable(saved['path'])}: {length}{beats}")
