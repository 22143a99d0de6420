"""`sfa midi check` and `map`: profiles of controllers, without an engine."""

from __future__ import annotations

from pathlib import Path

import click

from sfa_engine.cli.options import json_option
from sfa_engine.cli.terminal import print_json
from sfa_engine.errors import Refused, did_you_mean
from sfa_engine.surfaces.midi.profile import Profile


@click.command()
@click.argument("file", type=click.Path(path_type=Path))
def check(file: Path) -> None:
    """Check a profile: say line and remedy of every fault.

    Exits with 1 if there is one.
    """
    from sfa_engine.surfaces.midi.faults import ProfileError
    from sfa_engine.surfaces.midi.profile import read_profile
    from sfa_engine.surfaces.midi.table import compile_profile

    try:
        profile = read_profile(file)
    except ProfileError as error:
        for fault in error.faults:
            click.echo(fault.text(str(file)))
        raise click.exceptions.Exit(1) from None
    made = compile_profile(profile, 0)
    planned = sum(each.is_planned for each in profile.assignments)
    later = f", {planned} for a later release" if planned else ""
    click.echo(
        f"{profile.name}: {profile.title}: {len(made.inputs)} controls, "
        f"{len(made.actions)} bindings{later}, {len(made.lights)} lights; no fault"
    )


@click.command("map")
@click.argument("name", required=False)
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="Write a picture to print: .svg or .png.",
)
@json_option
def map_(name: str | None, output: Path | None, as_json: bool) -> None:
    """Show what the controls of a controller do.

    NAME is a profile or a file; without it all profiles are listed.
    """
    from sfa_engine.surfaces.midi.profile import load_profiles

    if name is None:
        profiles = load_profiles(_folder())
        listed = [{"name": p.name, "title": p.title} for p in profiles.values()]
        if as_json:
            print_json(listed)
            return
        for each in listed:
            click.echo(f"{each['name']:20}  {each['title']}")
        return
    profile = _profile(name)
    if output is not None:
        from sfa_engine.surfaces.midi.picture import save

        save(profile, output)
        click.echo(f"{output}: {profile.title}")
    elif as_json:
        print_json(_rows(profile))
    else:
        _print_table(profile)


def _folder() -> Path:
    """Return the folder of the user's profiles."""
    from sfa_engine.run.config import data_path

    return data_path() / "profiles"


def _profile(name: str) -> Profile:
    """Return a profile by name, or of a file."""
    from sfa_engine.surfaces.midi.profile import load_profiles, read_profile

    if name.endswith(".toml") or "/" in name:
        return read_profile(Path(name))
    profiles = load_profiles(_folder())
    if name not in profiles:
        alike = [known for known in profiles if len(name) > 1 and name.lower() in known]
        hint = ", ".join(alike) or did_you_mean(name, profiles) or "see `sfa midi map` for all"
        raise Refused(f'no profile "{name:.60}"', hint)
    return profiles[name]


def _rows(profile: Profile) -> list[dict[str, object]]:
    from sfa_engine.surfaces.midi.mapping import rows

    return [
        {
            "control": row.name,
            "group": row.group,
            "message": row.message,
            "certain": row.is_certain,
            "source": row.source,
            "does": [
                {"when": line.when, "control": line.path, "planned": line.is_planned}
                for line in row.lines
            ],
        }
        for row in rows(profile)
    ]


def _print_table(profile: Profile) -> None:
    from rich.table import Table

    from sfa_engine.cli.screen import console
    from sfa_engine.surfaces.midi.mapping import rows

    table = Table(box=None, pad_edge=False)
    for head in ("CONTROL", "SENDS", "WHEN", "DOES"):
        table.add_column(head, overflow="fold")
    group = ""
    for row in rows(profile):
        if row.group != group:
            group = row.group
            table.add_row()
            table.add_row(f"[bold]{_plain(group)}[/]")
        message = row.message + ("" if row.is_certain else " ?")
        lines = [
            (line.when, f"[dim]{_plain(line.path)} (later)[/]" if line.is_planned else line.path)
            for line in row.lines
        ] or [("", "")]
        for number, (when, does) in enumerate(lines):
            first = (row.name, message) if number == 0 else ("", "")
            is_marked = does.startswith("[dim]")
            table.add_row(*map(_plain, (*first, when)), does if is_marked else _plain(does))
    console.print(f"[bold]{_plain(profile.title)}[/]")
    console.print(_plain(" ".join(profile.document.notes.split())))
    console.print(table)
    if any(not row.is_certain for row in rows(profile)):
        console.print("\n?: the message is not certain; watch it with `sfa midi monitor`")


def _plain(text: str) -> str:
    """Return a text whose brackets are no markup."""
    return text.replace("[", r"\[")


COMMANDS = (check, map_)
