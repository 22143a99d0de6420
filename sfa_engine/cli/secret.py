"""`sfa secret`: keys of services, encrypted; read from a prompt, never from an argument."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import click

from sfa_engine.cli.terminal import print_json_line
from sfa_engine.errors import Refused, did_you_mean

if TYPE_CHECKING:
    from sfa_engine.library.secret import Secrets

SERVICES = ("lalalai", "spotify")  # spotify: the application's secret; a login keeps its own


@click.group()
def secret() -> None:
    """Store keys of services, encrypted at rest: lalalai, spotify."""


def _secrets() -> Secrets:
    """Return the user's secrets, in a folder that is closed to others."""
    from sfa_engine.library.secret import Secrets
    from sfa_engine.run.config import private_data_path

    return Secrets(private_data_path())


@secret.command(name="set")
@click.argument("name")
def set_(name: str) -> None:
    """Store a secret, read from a prompt or from standard input."""
    if name not in SERVICES:
        hint = did_you_mean(name, SERVICES) or f"there are keys of {', '.join(SERVICES)}"
        raise Refused(f'no service "{name:.40}"', hint)
    asked = sys.stdin.isatty()
    _secrets().set(name, click.prompt(name, hide_input=True) if asked else sys.stdin.readline())


@secret.command()
@click.argument("name")
def remove(name: str) -> None:
    """Delete a secret."""
    if not _secrets().remove(name):
        raise Refused(f'no secret "{name}"', "see `sfa secret list`")


@secret.command(name="list")
@click.option("--json", "as_json", is_flag=True, help="For programs.")
def list_(as_json: bool) -> None:
    """List the names of the stored secrets."""
    names = _secrets().names()
    if as_json:
        print_json_line(names)
        return
    for name in names:
        click.echo(name)
    if not names:
        click.echo("no secrets", err=True)
