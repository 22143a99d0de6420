"""`sfa preset`: parts of the desk, saved and recalled under a name."""

from __future__ import annotations

import click

from sfa_engine.cli.connect import backstage, connect
from sfa_engine.cli.controls import moment_text, when_option
from sfa_engine.cli.main import Group
from sfa_engine.cli.options import json_option
from sfa_engine.cli.plural import counted
from sfa_engine.cli.terminal import one_line, print_json


@click.group(cls=Group)
def preset() -> None:
    """Save what parts of the desk are set to, and recall it."""


@preset.command()
@click.argument("name")
@click.argument("patterns", metavar="[PATTERN]...", nargs=-1)
@click.option("--program", type=click.IntRange(0, 127), help="Program change that recalls it.")
@json_option
def save(name: str, patterns: tuple[str, ...], program: int | None, as_json: bool) -> None:
    """Save controls as a preset: `sfa preset save verse deck1.eq 'deck*.stem.*.mute'`.

    A PATTERN is a control, a section of the desk (deck1.eq; deck.eq of every deck) or a page
    (effects); without one it is mixer, EQ, stems and effects.
    """
    with connect() as client:
        said = client.call("preset.save", name=name, patterns=list(patterns), program=program)
    if as_json:
        print_json(said)
        return
    number = "" if said["program"] is None else f", program {said['program']}"
    click.echo(one_line(f"{name}: {counted(said['controls'], 'control')}{number}, {said['path']}"))


@preset.command()
@click.argument("name")
@when_option
@json_option
def recall(name: str, when: str | int | None, as_json: bool) -> None:
    """Recall a preset, all of it in one tick."""
    with connect() as client:
        said = client.call("preset.recall", name=name, when=when)
    if as_json:
        print_json(said)
    else:
        click.echo(one_line(f"{name}: {counted(said['controls'], 'control')}{moment_text(when)}"))
    for each in said["left_out"]:
        click.echo(one_line(f"without {each['path']}: {each['why']}"), err=True)


@preset.command("list")
@json_option
def list_(as_json: bool) -> None:
    """List the presets."""
    with backstage() as client:
        said = client.call("presets.list")
    if as_json:
        print_json(said)
        return
    for each in said["presets"]:
        number = "" if each["program"] is None else f", program {each['program']}"
        words = each.get("error") or counted(each["controls"], "control") + number
        click.echo(one_line(f"{each['name']}: {words}"))
    if not said["presets"]:
        click.echo("no preset is saved; save the desk: sfa preset save NAME", err=True)


@preset.command()
@click.argument("name")
@json_option
def show(name: str, as_json: bool) -> None:
    """Show what is in a preset."""
    from sfa_engine.desk import CONTROLS

    with backstage() as client:
        said = client.call("presets.get", name=name)
    if as_json:
        print_json(said)
        return
    why = {each["path"]: each["why"] for each in said["left_out"]}
    for path, given in said["preset"]["values"].items():
        if path in why:
            click.echo(one_line(f"{path}  {given}  (not recalled: {why[path]})"))
        else:
            control = CONTROLS[path]
            click.echo(one_line(f"{path}  {control.text(control.check(given))}"))


@preset.command()
@click.argument("name")
def remove(name: str) -> None:
    """Remove a preset."""
    with backstage() as client:
        client.call("presets.remove", name=name)
    click.echo(one_line(f"{name}: removed"))
