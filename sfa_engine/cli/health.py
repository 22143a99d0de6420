"""`sfa health`: the engine's state in one word, its reasons, and an exit status for scripts."""

from __future__ import annotations

import click

from sfa_engine.cli.connect import connect
from sfa_engine.cli.options import json_option
from sfa_engine.cli.terminal import one_line, print_json
from sfa_engine.errors import EngineError

STATUS = {"ok": 0, "degraded": 0, "failing": 2, "down": 3}


@click.command()
@json_option
def health(as_json: bool) -> None:
    """Print the engine's health and its reasons; exit 0 only while it plays as it should."""
    try:
        with connect() as client:
            found = client.call("health")
    except EngineError as error:
        found = {"health": "down", "reasons": [str(error)]}
    if as_json:
        print_json(found)
    else:
        click.echo(found["health"])
        for reason in found["reasons"]:
            click.echo(f"  {one_line(reason)}")
    raise click.exceptions.Exit(STATUS[found["health"]])
