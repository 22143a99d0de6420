"""`sfa devices`."""

from __future__ import annotations

import click

from sfa_engine.cli.options import json_option
from sfa_engine.cli.terminal import print_json


@click.command()
@json_option
def devices(as_json: bool) -> None:
    """List the sound devices."""
    from dataclasses import asdict

    from sfa_engine.host.device import devices as list_devices

    found = list_devices()
    if as_json:
        print_json([asdict(device) for device in found])
        return
    for d in found:
        click.echo(f"{d.index:3d}  {d.name}  ({d.system}, {d.channels} out, {d.rate:g} Hz)")
    if not found:
        click.echo("no sound device; `--device none` runs the engine on a timer")
