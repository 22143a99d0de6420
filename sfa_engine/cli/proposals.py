"""`sfa proposals`: what agents propose, applied, dropped, undone."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Any

import click

from sfa_engine.cli.confirm import confirm, yes_option
from sfa_engine.cli.connect import backstage
from sfa_engine.cli.main import Group
from sfa_engine.cli.options import json_option
from sfa_engine.cli.plural import counted
from sfa_engine.cli.terminal import fit, one_line, print_error, print_json, print_rows
from sfa_engine.errors import Refused
from sfa_engine.wire.blocking import SocketClient

TIMEOUT_S = 300.0  # for 200 steps on a slow disk
MAX_VALUE = 60  # columns of a step's parameter
_force_option = click.option("--force", is_flag=True, help="Although the session is locked.")


@click.group(cls=Group, invoke_without_command=True)
@click.pass_context
def proposals(context: click.Context) -> None:
    """What agents propose: list (the default), show, apply, drop, undo; see docs/agents.md."""
    if context.invoked_subcommand is None:
        context.invoke(list_)


@proposals.command("list")
@click.option("--all", "everything", is_flag=True, help="Those applied, dropped … too.")
@click.option("--limit", type=click.IntRange(1, 500), default=50, show_default=True)
@json_option
def list_(everything: bool, limit: int, as_json: bool) -> None:
    """List open proposals, newest first."""
    with backstage() as client:
        found = client.call("proposals.list", everything=everything, limit=limit)["proposals"]
    if as_json:
        print_json(found)
        return
    if not found:
        click.echo("nothing is proposed; ask an agent: sfa ask", err=True)
        return
    rows: list[tuple[str, ...]] = [("number", "kind", "state", "at", "what")]
    rows += [
        (
            *(str(each["id"]), each["kind"], each["state"], _time(each["created_s"])),
            one_line(each["title"]),
        )
        for each in found
    ]
    print_rows(rows)


@proposals.command()
@click.argument("proposal", type=click.IntRange(1))
@json_option
def show(proposal: int, as_json: bool) -> None:
    """Show a proposal: why, what it does step by step, and whether it still fits."""
    with backstage() as client:
        said = client.call("proposals.show", proposal=proposal)
    if as_json:
        print_json(said)
        return
    for line in _about(said):
        click.echo(one_line(line))


@proposals.command()
@click.argument("proposal", type=click.IntRange(1), nargs=-1, required=True)
@_force_option
@json_option
def apply(proposal: tuple[int, ...], force: bool, as_json: bool) -> None:
    """Apply proposals; each can be undone."""

    def one(client: SocketClient, number: int) -> dict[str, Any]:
        said: dict[str, Any] = client.call("proposals.apply", proposal=number, force=force)
        return said

    _each(
        proposal,
        one,
        lambda said: (
            f"{said['id']} is applied: {said['title']}; undo it: sfa proposals undo {said['id']}"
        ),
        as_json=as_json,
    )


@proposals.command()
@click.argument("proposal", type=click.IntRange(1), nargs=-1, required=True)
@yes_option
@json_option
def drop(proposal: tuple[int, ...], yes: bool, as_json: bool) -> None:
    """Drop proposals; a dropped one cannot be applied any more."""
    confirm(f"Drop {counted(len(proposal), 'proposal')}?", yes=yes)

    def one(client: SocketClient, number: int) -> dict[str, Any]:
        said: dict[str, Any] = client.call("proposals.drop", proposal=number)
        return said

    _each(proposal, one, lambda said: f"{said['dropped']} is dropped", as_json=as_json)


@proposals.command()
@click.argument("proposal", type=click.IntRange(1))
@_force_option
@json_option
def undo(proposal: int, force: bool, as_json: bool) -> None:
    """Undo a proposal that was applied."""
    with backstage(TIMEOUT_S) as client:
        said = client.call("proposals.undo", proposal=proposal, force=force)
    if as_json:
        print_json(said)
    else:
        click.echo(one_line(f"{said['id']} is undone: {said['title']}"))


def _each(
    numbers: tuple[int, ...],
    act: Callable[[SocketClient, int], dict[str, Any]],
    words: Callable[[dict[str, Any]], str],
    *,
    as_json: bool,
) -> None:
    """Act on one proposal after another, whatever becomes of those before."""
    done = []
    with backstage(TIMEOUT_S) as client:
        for number in dict.fromkeys(numbers):
            try:
                said = act(client, number)
            except Refused as error:
                print_error(error)
                continue
            done.append(said)
            if not as_json:
                click.echo(one_line(words(said)))
    if as_json:
        print_json(done)
    if len(done) < len(set(numbers)):
        raise click.exceptions.Exit(1)


def _about(said: dict[str, Any]) -> Iterator[str]:
    yield f"{said['id']}: {said['title']}"
    yield f"{said['state']}, by agent {said['agent']}, {_time(said['created_s'])}"
    if said["reason"]:
        yield f"why: {said['reason']}"
    if said["note"]:
        yield f"note: {said['note']}"
    if said["stale"]:
        yield f"it does not fit any more: {said['stale']} since"
    if said["audition"]:
        yield f"hear it: sfa mix audition {said['audition']}"
    for step in said["steps"]:
        values = [f"{name}={_value(value)}" for name, value in step["params"].items()]
        yield f"  {step['verb']} {' '.join(values)}"


def _value(value: Any) -> str:
    return fit(str(value), MAX_VALUE).rstrip()


def _time(seconds: float) -> str:
    return time.strftime("%Y-%m-%d %H:%M", time.localtime(seconds))
