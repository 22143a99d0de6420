"""`sfa doctor`."""

from __future__ import annotations

import click

from sfa_engine.cli.options import json_option
from sfa_engine.cli.terminal import print_json


@click.command()
@json_option
def doctor(as_json: bool) -> None:
    """Check what the machine does for or against real-time sound; changes nothing."""
    from sfa_engine.cli.machine_checks import examine

    findings = examine()
    if as_json:
        print_json([vars(finding) for finding in findings])
    else:
        for f in findings:
            click.echo(f"{f.verdict:5} {f.what}: {f.found}" + (f"; {f.cure}" if f.cure else ""))
    if any(f.verdict == "bad" for f in findings):
        raise click.exceptions.Exit(1)
