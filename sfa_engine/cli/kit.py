"""`sfa kit`: kits of the sampler's pads, saved and loaded."""

from __future__ import annotations

import click

from sfa_engine.cli.connect import backstage, connect
from sfa_engine.cli.options import json_option
from sfa_engine.cli.plural import counted
from sfa_engine.cli.terminal import one_line, print_json


@click.group()
def kit() -> None:
    """Kits: the sounds and settings of all pads, kept under a name."""


@kit.command()
@click.argument("name")
def new(name: str) -> None:
    """Make an empty kit."""
    with backstage() as client:
        click.echo(one_line(client.call("kits.new", name=name)["folder"]))


@kit.command()
@click.argument("name")
def save(name: str) -> None:
    """Save the pads as a kit, in place of an earlier one of its name."""
    with connect() as client:
        said = client.call("kit.save", name=name)
    click.echo(one_line(f"{said['name']}: {counted(said['pads'], 'pad')}, {said['folder']}"))


@kit.command()
@click.argument("name")
@json_option
def load(name: str, as_json: bool) -> None:
    """Load a kit onto the pads; those that it does not have are cleared."""
    with connect() as client:
        said = client.call("kit.load", name=name)
    if as_json:
        print_json(said)
    else:
        click.echo(one_line(f"{said['name']}: {counted(said['loaded'], 'pad')}"))
    for each in said["missing"]:
        click.echo(one_line(f"pad {each['pad']} is empty: {each['why']}"), err=True)
    for each in said["ignored"]:
        click.echo(one_line(f"pad {each['pad']} without a setting: {each['why']}"), err=True)


@kit.command("list")
@json_option
def list_(as_json: bool) -> None:
    """List the kits."""
    with backstage() as client:
        said = client.call("kits.list")
    if as_json:
        print_json(said)
        return
    for each in said["kits"]:
        click.echo(one_line(f"{each['name']}: {each.get('error') or counted(each['pads'], 'pad')}"))
    if not said["kits"]:
        click.echo("no kit is saved; save the pads: sfa kit save NAME", err=True)


@kit.command()
@click.argument("name")
@json_option
def show(name: str, as_json: bool) -> None:
    """Show what is in a kit."""
    with backstage() as client:
        said = client.call("kits.show", name=name)
    if as_json:
        print_json(said)
        return
    for each in said["pads"]:
        missing = "missing" if each["missing"] else ""
        settings = " ".join(f"{name}={value}" for name, value in each["settings"].items())
        words = filter(None, (each["label"], each["file"], missing, settings))
        click.echo(one_line(f"pad {each['pad']}: {', '.join(words)}"))


@kit.command()
@click.argument("name")
def delete(name: str) -> None:
    """Delete a kit and its sounds."""
    with backstage() as client:
        client.call("kits.delete", name=name)


@kit.command()
@click.argument("name")
@click.argument("to")
def rename(name: str, to: str) -> None:
    """Rename a kit."""
    with backstage() as client:
        client.call("kits.rename", name=name, to=to)
