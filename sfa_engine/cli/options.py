"""Options and types of options that several commands share."""

from __future__ import annotations

import click

from sfa_engine.engine import RATES_HZ

RATE = click.IntRange(*RATES_HZ)


def device_option(command: click.decorators.FC) -> click.decorators.FC:
    """Add ``--device``, the sound device."""
    return click.option("--device", metavar="NAME", help="Name or number, or `none` for a timer.")(
        command
    )


def json_option(command: click.decorators.FC) -> click.decorators.FC:
    """Add ``--json``."""
    return click.option("--json", "as_json", is_flag=True, help="For programs.")(command)
