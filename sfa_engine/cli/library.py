"""`sfa library`: what there is to play; grids and cues by hand; playlists; upkeep."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click

from sfa_engine.cli.clock import clock
from sfa_engine.cli.tracks import backstage
from sfa_engine.errors import Refused

GIGABYTE = 1e9


@click.group()
def library() -> None:
    """What there is to play: search, grids, cues, playlists, upkeep."""


def _json_option(command: Any) -> Any:
    return click.option("--json", "as_json", is_flag=True, help="For programs.")(command)


def _print_json(value: Any) -> None:
    click.echo(json.dumps(value, indent=2, ensure_ascii=False))


def _ask(method: str, **params: Any) -> Any:
    with backstage() as client:
        return client.call(method, **params)


# ---------------------------------------------------------------------- looking


@library.command(name="search")
@click.argument("words", nargs=-1)
@click.option("--limit", default=50, show_default=True)
@_json_option
def search(words: tuple[str, ...], limit: int, as_json: bool) -> None:
    """List tracks: `sfa library search bpm:120-128 key:~8A energy:>0.6 wren`."""
    said = _ask("library.search", words=" ".join(words), limit=limit)
    if as_json:
        _print_json(said)
        return
    from sfa_engine.cli import screen

    screen.console.print(screen.track_table(said["tracks"]))
    shown = len(said["tracks"])
    click.echo(f"{said['count']} tracks" + (f", {shown} shown" if shown < said["count"] else ""))


@library.command()
@click.argument("track")
@_json_option
def show(track: str, as_json: bool) -> None:
    """Show all that is known of a track, by words or by number as `#12`."""
    said = _ask("library.show", track=track)
    if as_json:
        _print_json(said)
        return
    click.echo(said["name"])
    grid = said["grid"]
    if grid:
        sure = said.get("confidence")
        how = "by hand" if grid["by_hand"] else "analysed"
        doubt = "; check the grid" if sure is not None and sure < 0.5 and how != "by hand" else ""
        varies = ", varies" if said.get("variable") else ""
        click.echo(f"  {grid['bpm']:.3f} BPM{varies} ({how}{doubt}), {grid['beats_per_bar']} a bar")
    if said["key"]:
        click.echo(f"  {said['key']} ({said['camelot']})")
    if said["lufs"] is not None:
        click.echo(f"  {said['lufs']:.1f} LUFS, energy {said['energy']:.2f}")
    for stem in said["origins"]:
        sketch = ", a sketch" if stem["sketch"] else ""
        click.echo(f"  stem {stem['name']}: {stem['engine']} {stem['model']}{sketch}")
    for section in said.get("sections", []):
        click.echo(f"  {clock(section['start_s']):>8}  {section['label']}")
    for cue in said["cues"]:
        button = f" [{cue['slot']}]" if cue["slot"] else ""
        hand = ", by hand" if cue["by_hand"] else ""
        stem = f" of {cue['stem']}" if cue["stem"] else ""
        until = f" to {clock(cue['end_s'])}" if cue["end_s"] else ""
        click.echo(
            f"  {clock(cue['position_s']):>8}{until}  cue {cue['id']}{button}: "
            f"{cue['kind']}{stem} {cue['label']}{hand}"
        )
    for source in said["sources"]:
        click.echo(f"  from {source}")
    if said["problem"]:
        click.echo(f"  {said['problem']}")


@library.command()
@_json_option
def stats(as_json: bool) -> None:
    """Show how much there is, and how much room it takes."""
    said = _ask("library.statistics")
    if as_json:
        _print_json(said)
        return
    states = ", ".join(f"{count} {state}" for state, count in said["states"].items() if count)
    click.echo(f"{said['tracks']} tracks, {said['duration_s'] / 3600:.1f} hours ({states})")
    click.echo(f"{said['separated']} with stems, {said['analysed']} analysed, {said['cues']} cues")
    for name in ("bundles", "trash", "backups", "covers", "database", "free"):
        click.echo(f"{name:9} {said[f'{name}_bytes'] / GIGABYTE:8.2f} GB")


@library.command()
@click.option("--remove", metavar="FOLDER", help="Watch this one no more.")
def folders(remove: str | None) -> None:
    """List the folders that `sfa prep --watch` watches, or watch one no more."""
    if remove is not None:
        _ask("prep.unwatch", folder=str(Path(remove).expanduser().absolute()))
    for folder in _ask("prep.watched")["folders"]:
        click.echo(folder)


# ---------------------------------------------------------------------- by hand


@library.command()
@click.argument("track")
@click.option("--shift", type=float, help="Beats: +-0.5 or +-1, as a rule.")
@click.option("--downbeat", "downbeat_s", type=float, help="Seconds at which a bar begins.")
@click.option("--bpm", type=float, help="One tempo for the whole track.")
@click.option("--halve", "tempo", flag_value="halve", help="Half the tempo.")
@click.option("--double", "tempo", flag_value="double", help="Twice the tempo.")
@click.option("--automatic", is_flag=True, help="Back to what the analysis found.")
def grid(track: str, **asked: Any) -> None:
    """Correct a track's beat grid by hand; a new analysis leaves it as it is."""
    said = _ask("library.grid", track=track, **asked)
    rate = said["rate"]
    frame, beat = said["anchors"][0]
    click.echo(f"{said['bpm']:.3f} BPM, beat {beat:g} at {frame / rate:.3f} s")


@library.command()
@click.argument("track")
@click.argument("position_s", type=float)
@click.option("--hot-cue", type=click.IntRange(1, 8), help="The button that it is on.")
@click.option("--label", default="")
@click.option("--end", "end_s", type=float, help="Makes it a loop.")
@click.option("--stem", help="Of a loop of one stem.")
@click.option("--color", default="", help="As #ff8800.")
def cue(
    track: str,
    position_s: float,
    hot_cue: int | None,
    label: str,
    end_s: float | None,
    stem: str | None,
    color: str,
) -> None:
    """Set a cue or a loop by hand, in seconds."""
    said = _ask(
        "library.cue",
        track=track,
        position_s=position_s,
        hot_cue=hot_cue,
        kind="cue" if end_s is None else "loop",
        label=label,
        end_s=end_s,
        stem=stem,
        color=color,
    )
    click.echo(f"cue {said['id']} at {clock(said['position_s'])}")


@library.command()
@click.argument("cue_id", metavar="CUE", type=int)
def uncue(cue_id: int) -> None:
    """Forget a cue, by the number that `sfa library show` tells."""
    _ask("library.uncue", cue=cue_id)


@library.command()
@click.argument("track")
@click.option("--title")
@click.option("--artist")
@click.option("--album")
@click.option("--genre")
@click.option("--year", type=int)
@click.option("--key", help="As `A minor`, `Am` or `8A`; empty: as analysed.")
def edit(track: str, **values: Any) -> None:
    """State what a track is called, and its key."""
    stated = {name: value for name, value in values.items() if value is not None}
    if not stated:
        raise Refused("nothing is stated", "give --title, --artist, --key …")
    click.echo(_ask("library.edit", track=track, values=stated)["name"])


# ---------------------------------------------------------------------- playlists


@library.group()
def playlist() -> None:
    """Playlists: list, show, add, take, drop."""


@playlist.command(name="list")
def playlist_list() -> None:
    """List the playlists."""
    for each in _ask("library.playlists")["playlists"]:
        click.echo(f"{each['name']}  ({each['tracks']} tracks)")


@playlist.command(name="show")
@click.argument("name")
@_json_option
def playlist_show(name: str, as_json: bool) -> None:
    """Show what is in a playlist."""
    said = _ask("library.playlist", name=name)
    if as_json:
        _print_json(said)
        return
    for place, entry in enumerate(said["entries"], 1):
        click.echo(f"{place:4}  {entry['name']}  (entry {entry['entry']})")


@playlist.command(name="add")
@click.argument("name")
@click.argument("track", nargs=-1)
def playlist_add(name: str, track: tuple[str, ...]) -> None:
    """Put tracks at the end of a playlist; it is made if it is not there."""
    said = _ask("library.playlist_add", name=name, tracks=list(track))
    click.echo(f"{len(said['entries'])} tracks added to {name}")


@playlist.command(name="move")
@click.argument("entry", type=int)
@click.argument("place", type=click.IntRange(1))
def playlist_move(entry: int, place: int) -> None:
    """Move an entry to a place, counted from 1."""
    _ask("library.playlist_move", entry=entry, to=place - 1)


@playlist.command(name="take")
@click.argument("entry", type=int)
def playlist_take(entry: int) -> None:
    """Take an entry out of its playlist."""
    _ask("library.playlist_take", entry=entry)


@playlist.command(name="drop")
@click.argument("name")
def playlist_drop(name: str) -> None:
    """Forget a playlist; its tracks stay."""
    _ask("library.playlist_drop", name=name)


# ---------------------------------------------------------------------- upkeep


@library.command()
@click.argument("track")
def remove(track: str) -> None:
    """Take a track out; `sfa library restore` brings it back until clean-up."""
    said = _ask("library.remove", track=track)
    click.echo(f"removed {said['name']}; `sfa library restore {said['id']}` brings it back")


@library.command()
@click.argument("number", type=int)
def restore(number: int) -> None:
    """Bring a removed track back, by its number."""
    click.echo(f"restored {_ask('library.restore', track=number)['name']}")


@library.command()
@click.option("--empty", is_flag=True, help="Do away with all of it for good.")
def trash(empty: bool) -> None:
    """Show what was removed, or do away with it for good."""
    said = _ask("library.empty" if empty else "library.trash")
    for track in said["tracks"]:
        click.echo(f"{track['id']:5}  {track['name']}")
    if empty:
        click.echo(f"{len(said['tracks'])} tracks are gone for good")


@library.command()
@click.option("--mend", is_flag=True, help="Put right what can be.")
@click.option("--deep", is_flag=True, help="Read all sound, too, and compare it.")
@_json_option
def check(mend: bool, deep: bool, as_json: bool) -> None:
    """Compare the library with what lies on the disk; exit 1 if something is wrong."""
    with backstage(timeout_s=3600.0) as client:
        findings = client.call("library.check", mend=mend, deep=deep)["findings"]
    if as_json:
        _print_json(findings)
    for finding in () if as_json else findings:
        click.echo(f"{finding['drift']}: {finding['message']}{' (mended)' * finding['mended']}")
    wrong = sum(not finding["mended"] for finding in findings)
    if not as_json:
        click.echo("all is well" if not findings else f"{len(findings)} found, {wrong} left")
    if wrong:
        raise click.exceptions.Exit(1)


@library.command()
def backup() -> None:
    """Write a backup of the database now, and prove it."""
    with backstage(timeout_s=600.0) as client:
        click.echo(client.call("library.backup")["path"])
