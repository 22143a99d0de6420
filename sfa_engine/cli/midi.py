"""`sfa midi`: MIDI controllers."""

from __future__ import annotations

import click

from sfa_engine.cli import midi_live, midi_network, midi_profile


@click.group()
def midi() -> None:
    """MIDI controllers: plug one in, and play. Learn its controls, and print its map."""


for _command in (*midi_live.COMMANDS, *midi_network.COMMANDS, *midi_profile.COMMANDS):
    midi.add_command(_command)
