"""Confirmation of what cannot be undone."""

from __future__ import annotations

import sys

import click

from sfa_engine.errors import Refused


def yes_option(command: click.decorators.FC) -> click.decorators.FC:
    """Give a command ``--yes``."""
    return click.option("--yes", "-y", is_flag=True, help="Do not ask; for scripts.")(command)


def confirm(question: str, *, yes: bool) -> None:
    """Ask for confirmation, unless ``--yes`` was given.

    Raises
    ------
    Refused
        Standard input is not a terminal, or the answer is no.
    """
    if yes:
        return
    if not sys.stdin.isatty():
        raise Refused(f"{question} There is no terminal to ask on", "add --yes")
    if not click.confirm(question, err=True):
        raise Refused("nothing was changed")
