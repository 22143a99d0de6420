"""`sfa midi connect`, `disconnect` and `network`: the sessions of network MIDI."""

from __future__ import annotations

from functools import partial

import click

from sfa_engine.cli.connect import ask_surface
from sfa_engine.cli.options import json_option
from sfa_engine.cli.terminal import print_json

_ask = partial(
    ask_surface,
    "network MIDI",
    hint="write `enabled = true` below [rtpmidi], and restart the engine",
)


@click.command()
@click.argument("host", metavar="HOST[:PORT]")
def connect(host: str) -> None:
    """Invite a peer of network MIDI, and again whenever it is gone."""
    said = _ask("midi.connect", host=host)
    click.echo(f"{said['host']}:{said['port']} is invited; `sfa midi network` shows the session")


@click.command()
@click.argument("host", metavar="NAME|HOST[:PORT]")
def disconnect(host: str) -> None:
    """End a session of network MIDI, and invite that peer no more."""
    ended = _ask("midi.disconnect", host=host)["ended"]
    click.echo("the session is ended" if ended else "it is not invited any more")


@click.command()
@json_option
def network(as_json: bool) -> None:
    """Show the sessions of network MIDI, the peers that are invited, and those found."""
    said = _ask("midi.network")
    if as_json:
        print_json(said)
        return
    click.echo(f"{said['name']}, port {said['port']}")
    for each in said["sessions"]:
        click.echo(
            f"  {each['name']} at {each['host']}:{each['port']}: {each['state']}, "
            f"{each['received']} received, {each['sent']} sent, {each['lost']} packets lost"
        )
    for each in said["invited"]:
        click.echo(f"  invited: {each}")
    for each in said["found"]:
        click.echo(f"  found: {each['name']}, `sfa midi connect {each['host']}:{each['port']}`")


COMMANDS = (connect, disconnect, network)  # of the group `midi`
