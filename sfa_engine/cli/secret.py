"""`sfa secret`: keys of services, kept encrypted; asked for, never given as an argument."""

from __future__ import annotations

import sys

import click

from sfa_engine.errors import Refused


@click.group()
def secret() -> None:
    """Keep keys of services, encrypted at rest: lalalai."""


@secret.command(name="set")
@click.argument("name")
def set_(name: str) -> None:
    """Keep a secret; it is asked for, or read from standard input."""
    from sfa_engine.library.secret import Secrets

    asked = sys.stdin.isatty()
    Secrets().set(name, click.prompt(name, hide_input=True) if asked else sys.stdin.readline())


@secret.command()
@click.argument("name")
def remove(name: str) -> None:
    """Forget a secret."""
    from sfa_engine.library.secret import Secrets

    if not Secrets().remove(name):
        raise Refused(f'no secret "{name}"', "see `sfa secret list`")


@secret.command(name="list")
def list_() -> None:
    """List the names of what is kept."""
    from sfa_engine.library.secret import Secrets

    for name in Secrets().names():
        click.echo(name)
