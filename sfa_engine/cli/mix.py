"""`sfa mix`: plans of mixes, made, shown, edited, rendered."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import click

from sfa_engine.cli import mix_live
from sfa_engine.cli.confirm import confirm, yes_option
from sfa_engine.cli.connect import backstage
from sfa_engine.cli.main import Group
from sfa_engine.cli.options import json_option
from sfa_engine.cli.plural import counted
from sfa_engine.cli.terminal import one_line, print_json, print_rows
from sfa_engine.errors import MediaError, Refused
from sfa_engine.system.timecode import clock
from sfa_engine.wire.blocking import SocketClient

ARCS = ("steady", "rising", "falling", "wave", "peak")  # as `mix.arc` has them, which takes NumPy
PLAN_TIMEOUT_S = 600.0  # for 300 tracks on a slow machine


@click.group(cls=Group)
def mix() -> None:
    """Mixes: planned, looked at, edited, rendered; see docs/mixing.md."""


@mix.command()
@click.argument("name")
@click.argument("track", nargs=-1)
@click.option("--playlist", help="Of the tracks of a playlist.")
@click.option("--words", help='Of what a search finds: "techno around 126".')
@click.option("--limit", type=int, default=40, show_default=True, help="Tracks of --words.")
@click.option("--arc", type=click.Choice(ARCS), default="steady", show_default=True)
@click.option("--rate", "rate_pct", type=float, default=4.0, show_default=True,
              help="How far a tempo may be changed, in percent, up to 8.")  # fmt: skip
@click.option("--no-key-shift", is_flag=True, help="Shift no track by a semitone.")
@click.option("--lufs", type=float, default=-14.0, show_default=True, help="Loudness of all.")
@click.option("--first", metavar="TRACK", help="Track to begin with.")
@click.option("--last", metavar="TRACK", help="Track to end with.")
@click.option("--after", nargs=2, multiple=True, metavar="TRACK TRACK",
              help="The second directly after the first; may be repeated.")  # fmt: skip
@click.option("--ordered", is_flag=True, help="In the order that they are given in.")
@click.option("--replace", is_flag=True, help="In place of an earlier plan of the name.")
@json_option
def plan(
    name: str,
    track: tuple[str, ...],
    playlist: str | None,
    words: str | None,
    as_json: bool,
    no_key_shift: bool,
    after: tuple[tuple[str, str], ...],
    **choices: Any,
) -> None:
    r"""Plan a mix of a playlist, of what a search finds, or of tracks.

    \b
    sfa mix plan friday --playlist "Friday Night" --arc peak
    sfa mix plan dark --words "dark rolling techno around 126" --limit 20
    sfa mix plan short 12 17 "Long Way Down" --ordered
    """
    with backstage(PLAN_TIMEOUT_S) as client, busy("planning", quiet=as_json):
        said = client.call(
            "mix.plan",
            name=name,
            tracks=list(track) or None,
            playlist=playlist,
            words=words,
            shift_key=not no_key_shift,
            after=[list(pair) for pair in after],
            **choices,
        )
    print_plan(said, as_json=as_json)


@mix.command("list")
@json_option
def list_(as_json: bool) -> None:
    """List the plans."""
    with backstage() as client:
        said = client.call("mix.list")
    if as_json:
        print_json(said)
        return
    for each in said["mixes"]:
        click.echo(one_line(f"{each['name']}: {counted(each['tracks'], 'track')}"))
    if not said["mixes"]:
        click.echo("no mix is planned; plan one: sfa mix plan NAME --playlist …", err=True)


@mix.command()
@click.argument("name")
@click.option("--why", is_flag=True, help="With the reasons of each place and transition.")
@click.option("--text", "as_text", is_flag=True, help="The plan itself, as TOML.")
@json_option
def show(name: str, why: bool, as_text: bool, as_json: bool) -> None:
    """Show a plan: tracks, transitions and their times."""
    with backstage() as client:
        said = client.call("mix.text" if as_text else "mix.show", name=name)
    if as_text and not as_json:
        click.echo(said["text"], nl=False)
    else:
        print_plan(said, as_json=as_json, why=why)


@mix.command()
@click.argument("name")
@json_option
def edit(name: str, as_json: bool) -> None:
    """Edit a plan in $VISUAL or $EDITOR; it is checked before it is stored.

    After a mistake it can be edited again; what was typed is lost only if that is refused.
    """
    with backstage(PLAN_TIMEOUT_S) as client:
        there = client.call("mix.text", name=name)
        text = there["text"]
        while True:
            edited = click.edit(text, extension=".toml", require_save=False)
            if edited is None or edited == there["text"]:
                click.echo("nothing was changed", err=True)
                return
            try:
                said = client.call("mix.save", name=name, text=edited, was=there["digest"])
                break
            except Refused as error:
                click.echo(one_line(f"{error.message}; {error.hint}"), err=True)
                confirm("Edit it again?", yes=False)
                text = edited
    print_plan(said, as_json=as_json)


@mix.command()
@click.argument("name")
@click.option("--from", "place", type=click.IntRange(1), default=1, show_default=True,
              help="Place of the track from which on it is planned anew.")  # fmt: skip
@click.option("--without", type=click.IntRange(1), multiple=True, metavar="NUMBER",
              help="Take a track out; may be repeated.")  # fmt: skip
@click.option("--reorder", is_flag=True, help="In a new order; what is locked stays.")
@json_option
def replan(name: str, place: int, without: tuple[int, ...], reorder: bool, as_json: bool) -> None:
    """Plan a mix, or the rest of one, anew; what is locked stays."""
    with backstage(PLAN_TIMEOUT_S) as client, busy("planning", quiet=as_json):
        said = client.call(
            "mix.replan", name=name, place=place, without=list(without), reorder=reorder
        )
    print_plan(said, as_json=as_json)


@mix.command()
@click.argument("name")
@yes_option
def remove(name: str, yes: bool) -> None:
    """Remove a plan; its tracks stay."""
    confirm(f'Remove the mix "{name}"?', yes=yes)
    with backstage() as client:
        client.call("mix.remove", name=name)


@mix.command()
@click.argument("name")
@click.argument("to")
def rename(name: str, to: str) -> None:
    """Rename a plan."""
    with backstage() as client:
        client.call("mix.rename", name=name, to=to)


@mix.command()
@click.argument("name")
@click.option("-o", "--output", type=click.Path(path_type=Path), help="File, instead of here.")
def script(name: str, output: Path | None) -> None:
    """Print a plan as a script for `sfa render`."""
    with backstage(PLAN_TIMEOUT_S) as client:
        text = client.call("mix.script", name=name)["script"]
    if output is None:
        click.echo(text, nl=False)
        return
    try:
        output.write_text(text, encoding="utf-8")
    except OSError as error:
        raise MediaError(f"{output}: {error.strerror}", "choose another path") from None
    click.echo(f"{output}: sfa render {output} -o {name}.wav")


@mix.command()
@click.argument("name")
@click.argument("transition", type=click.IntRange(1), required=False)
@click.option("-o", "--output", type=click.Path(path_type=Path),
              help="Copy the sound there, and the picture beside it.")  # fmt: skip
@click.option("--quiet", is_flag=True, help="No progress bar.")
@json_option
def audition(
    name: str, transition: int | None, output: Path | None, quiet: bool, as_json: bool
) -> None:
    """Render a transition by its number, or the whole mix, and measure it."""
    with backstage(PLAN_TIMEOUT_S) as client:
        said = _rendered(client, name, transition, quiet=quiet or as_json)
    if output is not None:
        said = _copied(said, output)
    if as_json:
        print_json(said)
        return
    for line in _figures(said):
        click.echo(one_line(line))


def _rendered(
    client: SocketClient, name: str, transition: int | None, *, quiet: bool
) -> dict[str, Any]:
    """Return what was rendered, after the job that does it."""
    from sfa_engine.cli.job_progress import wait_done

    asked = {"name": name, "transition": transition}
    said: dict[str, Any] = client.call("mix.audition", **asked)
    if said["done"]:
        return said
    wait_done(client, said["batch"], said["job"], quiet=quiet)
    done: dict[str, Any] = client.call("mix.audition", **asked)
    if not done["done"]:
        raise Refused(f'"{name}" was changed meanwhile', "try again")
    return done


def _copied(said: dict[str, Any], output: Path) -> dict[str, Any]:
    """Copy sound and picture to a path; return the answer with the new ones."""
    sound = output if output.suffix else output.with_suffix(".flac")
    if sound.suffix.lower() != ".flac":
        raise Refused(f'"{output}": the sound is FLAC', "end it with .flac")
    picture = sound.with_suffix(".svg")
    try:
        shutil.copyfile(said["sound"], sound)
        shutil.copyfile(said["picture"], picture)
    except OSError as error:
        raise MediaError(
            f"{error.filename2 or error.filename}: {error.strerror}", "choose another path"
        ) from None
    return {**said, "sound": str(sound), "picture": str(picture)}


for _command in mix_live.COMMANDS:
    mix.add_command(_command)


def _figures(said: dict[str, Any]) -> Iterator[str]:
    for goal in said["goals"]:
        if goal["is_met"] is None:
            continue
        mark = "\N{CHECK MARK}" if goal["is_met"] else "\N{BALLOT X}"
        yield f"{mark} {goal['name']:18} {goal['value']:>8g}   goal {goal['goal']}"
    if "longest_silence_s" in said:
        yield f"longest silence: {said['longest_silence_s']:g} s"
    yield f"sound: {said['sound']} ({clock(said['length_s'])})"
    yield f"picture: {said['picture']}"


def busy(words: str, *, quiet: bool) -> Any:
    """Return a context in which the terminal shows what is waited for."""
    from sfa_engine.cli import screen

    return nullcontext() if quiet else screen.errors.status(words)


def print_plan(said: dict[str, Any], *, as_json: bool, why: bool = False) -> None:
    """Print a plan: a row for each track, and below it how it gives way to the next."""
    if as_json:
        print_json(said)
        return
    rows: list[tuple[str, ...]] = []
    transitions = [*said["transitions"], None]
    for track, each in zip(said["tracks"], transitions, strict=True):
        about = " ".join(
            filter(None, (f"{track['bpm']:.1f}" if track["bpm"] else "", track["camelot"] or ""))
        )
        name = track["name"] + (" (missing)" if track["missing"] else "")
        name += f" (without {', '.join(track['mute'])})" if track["mute"] else ""
        rows.append((_time(track["start_s"]), str(track["place"]), one_line(name), about))
        if why and track.get("why"):
            rows.append(("", "", one_line(f"  {track['why']}"), ""))
        if each is None:
            continue
        rows.append((_time(each["start_s"]), "", f"  {one_line(_how(each))}", ""))
        reasons = each.get("why", ()) if why else ()
        rows += [("", "", one_line(f"    {reason}"), "") for reason in reasons]
    print_rows(rows)
    if said["problem"]:
        click.echo(one_line(f"cannot be performed: {said['problem']}"), err=True)
    for note in said["notes"]:
        click.echo(one_line(f"note: {note}"), err=True)
    length = f", {clock(said['length_s']).split('.')[0]}" if said["length_s"] else ""
    click.echo(one_line(f"{said['name']}: {counted(len(said['tracks']), 'track')}{length}"))


def _how(each: dict[str, Any]) -> str:
    if each["kind"] == "blend":
        return f"{counted(each['bars'], 'bar')}: {'; '.join(each.get('why', ())[1:3]) or 'blend'}"
    words = "follows" if each["kind"] == "follow" else f"fade, {each.get('seconds', 0.0):.1f} s"
    return f"{words}: {each['fallback']}" if each.get("fallback") else words


def _time(seconds: float | None) -> str:
    return "" if seconds is None else clock(seconds).split(".")[0]
