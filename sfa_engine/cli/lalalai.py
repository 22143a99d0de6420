"""`sfa lalalai`: the licence of LALAL.AI."""

from __future__ import annotations

from dataclasses import asdict

import click

from sfa_engine.cli.terminal import print_json
from sfa_engine.run import config as configuration


@click.group()
def lalalai() -> None:
    """The licence of LALAL.AI, a paid service that separates."""


@lalalai.command()
@click.option("--json", "as_json", is_flag=True, help="For programs.")
def quota(as_json: bool) -> None:
    """Show how many minutes are left on the licence."""
    from sfa_engine.prep.separate import licence

    found = licence.quota(configuration.load_config().separation.lalalai_url)
    if as_json:
        print_json(asdict(found))
        return
    click.echo(f"{found.left_min:g} of {found.limit_min:g} minutes left ({found.plan})")
