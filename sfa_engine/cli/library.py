"""`sfa library`: search, grids and cues by hand, playlists, maintenance."""

from __future__ import annotations

from collections import Counter
from contextlib import nullcontext
from datetime import datetime
from typing import Any

import click

from sfa_engine.cli.backup import restore_backup
from sfa_engine.cli.confirm import confirm, yes_option
from sfa_engine.cli.connect import backstage
from sfa_engine.cli.exchange import export, import_, prepare
from sfa_engine.cli.grid_details import BEATS, grid_lines, grid_part
from sfa_engine.cli.library_jobs import reanalyse, separate
from sfa_engine.cli.library_words import compatible, search, similar, tags
from sfa_engine.cli.plural import counted
from sfa_engine.cli.terminal import one_line
from sfa_engine.cli.terminal import print_json as _print_json
from sfa_engine.cli.time_param import TIME
from sfa_engine.cli.track_details import details
from sfa_engine.errors import Refused
from sfa_engine.system.timecode import clock
from sfa_engine.system.user_path import user_path
from sfa_engine.wire.blocking import SocketClient

GIGABYTE = 1e9
PAGE = 500  # tracks in one answer
LONG_TIMEOUT_S = 3600.0  # for an answer that reads the whole library
MAX_SHOWN = 20  # findings of one kind


@click.group()
def library() -> None:
    """The tracks: search, grids, cues, playlists, maintenance."""


library.add_command(import_)
library.add_command(export)
library.add_command(prepare)
library.add_command(reanalyse)
library.add_command(separate)
library.add_command(search)
library.add_command(similar)
library.add_command(compatible)
library.add_command(tags)


def _json_option(command: Any) -> Any:
    return click.option("--json", "as_json", is_flag=True, help="For programs.")(command)


def _force_option(command: Any) -> Any:
    return click.option("--force", is_flag=True, help="Although session.lock refuses it.")(command)


def _none(what: str) -> None:
    """Print on standard error that a list is empty; standard output stays for programs."""
    click.echo(f"no {what}", err=True)


def _ask(method: str, **params: Any) -> Any:
    with backstage() as client:
        return client.call(method, **params)


def _whole(method: str, kind: str, count: str, most: int | None = None, **params: Any) -> Any:
    """Call a method for page after page, up to the whole list or ``most`` entries."""
    with backstage() as client:
        said = client.call(method, **params)
        wanted = said[count] if most is None else min(said[count], most)
        while len(said[kind]) < wanted:
            more = client.call(method, **params, offset=len(said[kind]))[kind]
            if not more:  # the rest was removed meanwhile
                break
            said[kind] += more
        del said[kind][wanted:]
        return said


# ---------------------------------------------------------------------- looking


@library.command()
@click.argument("track")
@_json_option
def show(track: str, as_json: bool) -> None:
    """Show everything about a track, by words or by number as `#12`."""
    said = _ask("library.show", track=track)
    if as_json:
        _print_json(said)
        return
    for line in details(said):
        click.echo(one_line(line))


@library.command()
@click.argument("track", default="")
@click.option("--since", metavar="AGE", default="", help="As 12h, 7d, 4w, 6m or 1y.")
@click.option("--limit", default=50, show_default=True)
@_json_option
def history(track: str, since: str, limit: int, as_json: bool) -> None:
    """List plays, the latest first; of one track, if one is named."""
    said = _whole(
        *("library.history", "plays", "count", limit),
        track=track,
        since=since,
        limit=min(limit, PAGE),
    )
    if as_json:
        _print_json(said)
        return
    for play in said["plays"]:
        when = datetime.fromtimestamp(play["played_at"]).astimezone()
        click.echo(f"{when:%Y-%m-%d %H:%M}  deck {play['deck']}  {play['name']}")
    if not said["plays"]:
        _none("plays yet")


@library.command()
@_json_option
def stats(as_json: bool) -> None:
    """Show the numbers of tracks and cues, and the disk space used."""
    said = _ask("library.statistics")
    if as_json:
        _print_json(said)
        return
    states = ", ".join(f"{count} {state}" for state, count in said["states"].items() if count)
    length = f"{said['duration_s'] / 3600:.1f} hours" + (f" ({states})" if states else "")
    click.echo(f"{counted(said['tracks'], 'track')}, {length}")
    made = f"{said['separated']} with stems, {said['analysed']} analysed"
    click.echo(f"{made}, {counted(said['cues'], 'cue')}")
    for name in ("bundles", "trash", "backups", "covers", "database", "free"):
        click.echo(f"{name:9} {said[f'{name}_bytes'] / GIGABYTE:8.2f} GB")


@library.command()
@click.option("--remove", metavar="FOLDER", help="Stop watching this folder.")
@_json_option
def folders(remove: str | None, as_json: bool) -> None:
    """List the folders that `sfa prep --watch` watches, or stop watching one."""
    if remove is not None:
        _ask("prep.unwatch", folder=str(user_path(remove).absolute()))
    said = _ask("prep.watched")
    if as_json:
        _print_json(said)
        return
    for folder in said["folders"]:
        click.echo(folder)
    if not said["folders"]:
        _none("folders are watched; `sfa prep --watch FOLDER` watches one")


# ---------------------------------------------------------------------- by hand


@library.command()
@click.argument("track")
@click.option("--take", type=click.IntRange(1), help="An alternative, by its number.")
@click.option("--shift", type=BEATS, help="Beats, usually ±1/2 or ±1.")
@click.option("--downbeat", "downbeat_s", type=TIME, help="Where a bar begins, as 0:00.25.")
@click.option("--bpm", type=float, help="One tempo for the whole track.")
@click.option("--halve", "--half", "halve", is_flag=True, help="Half the tempo.")
@click.option("--double", is_flag=True, help="Twice the tempo.")
@click.option("--automatic", is_flag=True, help="Restore the analysed grid.")
@yes_option
@_json_option
@click.pass_context
def grid(context: click.Context, /, track: str, yes: bool, as_json: bool, **given: Any) -> None:
    """Show a track's beat grid and its alternatives, or correct it by hand.

    A new analysis leaves a grid by hand as it is.
    """
    # A shift by 0 is a correction, though 0 == False.
    asked = {k: value for k, value in given.items() if value is not None and value is not False}
    if not asked:
        shown = grid_part(_ask("library.show", track=track))
        if as_json:
            _print_json(shown)
        else:
            for line in grid_lines(shown):
                click.echo(one_line(line))
        return
    if len(asked) != 1:
        params = [each for each in context.command.params[1:] if each.name in given]
        options = {each.name: each.opts[0] for each in params}
        named = " and ".join(options[name] for name in asked)
        wrong = f"{named} do not go together"
        raise Refused(wrong, f"give one of {', '.join(options.values())}")
    if "automatic" in asked and not yes:
        there = _ask("library.show", track=track)
        if there["grid"] and there["grid"]["by_hand"]:
            confirm(f'Delete the grid by hand of "{there["name"]}" for good?', yes=yes)
    for tempo in {"halve", "double"} & asked.keys():
        asked = {"tempo": tempo}
    said = _ask("library.grid", track=track, **asked)
    if as_json:
        _print_json(said)
        return
    first = clock(said["first_downbeat_s"], 3)
    click.echo(f"{said['bpm']:.3f} BPM, first downbeat at {first}")


@library.command()
@click.argument("track")
@click.argument("position_s", metavar="TIME", type=TIME)
@click.option(
    "--hot-cue", type=int, help="Its number as a hot cue: 1 to 8 in the first bank, to 32 in all."
)
@click.option("--label", default="")
@click.option("--end", "end_s", type=TIME, help="Makes it a loop.")
@click.option("--stem", help="Of a loop of one stem.")
@click.option("--color", default="", help="As #ff8800.")
@click.option("--fade-in", is_flag=True, help="With --end: a press fades in until there.")
@click.option("--on-load", is_flag=True, help="The deck stands on it when it is loaded.")
def cue(
    track: str,
    position_s: float,
    hot_cue: int | None,
    label: str,
    end_s: float | None,
    stem: str | None,
    color: str,
    fade_in: bool,
    on_load: bool,
) -> None:
    """Set a cue or a loop by hand, at a time in seconds or as 1:01.5."""
    if fade_in and end_s is None:
        raise Refused("a fade-in needs an end", "give --end")
    said = _ask(
        "library.cue",
        track=track,
        position_s=position_s,
        hot_cue=hot_cue,
        kind="cue" if end_s is None else "fade_in" if fade_in else "loop",
        label=label,
        end_s=end_s,
        stem=stem,
        color=color,
        on_load=on_load,
    )
    until = "" if end_s is None else f" to {clock(said['end_s'])}"
    click.echo(f"cue {said['id']} at {clock(said['position_s'])}{until}")


@library.command(name="delete-cue")
@click.argument("cue_id", metavar="CUE", type=int)
@yes_option
def delete_cue(cue_id: int, yes: bool) -> None:
    """Delete a cue for good, by its number in `sfa library show`."""
    confirm(f"Delete cue {cue_id} for good?", yes=yes)
    _ask("library.delete_cue", cue=cue_id)


@library.command()
@click.argument("track")
@click.option("--title")
@click.option("--artist")
@click.option("--album")
@click.option("--genre")
@click.option("--year", type=int)
@click.option("--key", help="As `A minor`, `Am` or `8A`; empty: as analysed.")
@click.option("--rating", type=click.IntRange(0, 5), help="Stars; 0: not rated.")
@click.option("--comment")
@click.option("--color", "--colour", help="As red or #ff8800; empty: none.")
def edit(track: str, **values: Any) -> None:
    """Edit a track's title, artist, key, rating and other fields."""
    edits = {name: value for name, value in values.items() if value is not None}
    if not edits:
        raise Refused("no field is given", "give --title, --artist, --key, --rating …")
    click.echo(_ask("library.edit", track=track, values=edits)["name"])


# ---------------------------------------------------------------------- playlists


@library.group()
def playlist() -> None:
    """Playlists: list, show, add, move, take, drop."""


@playlist.command(name="list")
@_json_option
def playlist_list(as_json: bool) -> None:
    """List the playlists."""
    said = _ask("library.playlists")
    if as_json:
        _print_json(said)
        return
    for each in said["playlists"]:
        name = " / ".join([*each["folders"], each["name"]])
        click.echo(one_line(f"{name}  ({counted(each['tracks'], 'track')})"))
    if not said["playlists"]:
        _none("playlists; `sfa library playlist add NAME` makes one")


@playlist.command(name="show")
@click.argument("name")
@_json_option
def playlist_show(name: str, as_json: bool) -> None:
    """Show a playlist's tracks."""
    said = _whole("library.playlist", "entries", "tracks", name=name)
    if as_json:
        _print_json(said)
        return
    for position, entry in enumerate(said["entries"], 1):
        click.echo(f"{position:4}  {entry['name']}  (entry {entry['entry']})")
    if not said["entries"]:
        _none(f"tracks in {said['name']}")


@playlist.command(name="add")
@click.argument("name")
@click.argument("track", nargs=-1)
def playlist_add(name: str, track: tuple[str, ...]) -> None:
    """Add tracks to the end of a playlist; a missing playlist is created."""
    said = _ask("library.playlist_add", name=name, tracks=list(track))
    click.echo(f"{counted(len(said['entries']), 'track')} added to {name}")


@playlist.command(name="move")
@click.argument("entry", type=int)
@click.argument("position", type=click.IntRange(1))
def playlist_move(entry: int, position: int) -> None:
    """Move an entry to a position, counted from 1."""
    _ask("library.playlist_move", entry=entry, to=position - 1)


@playlist.command(name="take")
@click.argument("entry", type=int)
def playlist_take(entry: int) -> None:
    """Remove an entry from its playlist."""
    _ask("library.playlist_take", entry=entry)


@playlist.command(name="drop")
@click.argument("name")
@yes_option
def playlist_drop(name: str, yes: bool) -> None:
    """Delete a playlist for good; its tracks stay."""
    if not yes:
        said = _ask("library.playlist", name=name)
        has = counted(said["tracks"], "track")
        confirm(f'Delete the playlist "{said["name"]}" ({has}) for good?', yes=yes)
    _ask("library.playlist_drop", name=name)


# ---------------------------------------------------------------------- maintenance


@library.command()
@click.argument("track")
@_force_option
def remove(track: str, force: bool) -> None:
    """Remove a track; `sfa library restore` brings it back until the clean-up."""
    said = _ask("library.remove", track=track, force=force)
    click.echo(f"removed {said['name']}; `sfa library restore {said['id']}` brings it back")


@library.command()
@click.argument("what", metavar="[NUMBER|FILE]", default="")
@yes_option
@_force_option
def restore(what: str, yes: bool, force: bool) -> None:
    """Bring a removed track back by its NUMBER, or the whole library from a backup.

    Without an argument the newest backup is restored. The present library is backed up first.
    """
    if what.removeprefix("#").isdecimal():
        number = int(what.removeprefix("#"))
        click.echo(f"restored {_ask('library.restore', track=number)['name']}")
        return
    restore_backup(what, yes=yes, force=force)


@library.command()
@click.option("--empty", is_flag=True, help="Delete all removed tracks for good.")
@yes_option
@_force_option
@_json_option
def trash(empty: bool, yes: bool, force: bool, as_json: bool) -> None:
    """Show the removed tracks, or delete them for good."""
    from sfa_engine.cli import screen

    said = _whole("library.trash", "tracks", "count")
    if empty and said["count"]:
        confirm(f"Delete {counted(said['count'], 'track')} for good?", yes=yes)
    if empty:
        doing = screen.errors.status(f"deleting {counted(said['count'], 'track')}")
        with backstage(timeout_s=LONG_TIMEOUT_S) as client, nullcontext() if as_json else doing:
            said["count"] = client.call("library.empty_trash", force=force)["count"]
    if as_json:
        _print_json(said)
        return
    for track in said["tracks"]:
        click.echo(f"{track['id']:5}  {track['name']}")
    if empty:
        gone = "is" if said["count"] == 1 else "are"
        click.echo(f"{counted(said['count'], 'track')} {gone} gone for good")
    elif not said["tracks"]:
        _none("removed tracks")


@library.command()
@click.option("--repair", is_flag=True, help="Repair what can be repaired.")
@click.option("--deep", is_flag=True, help="Read and compare all sound too.")
@_json_option
def check(repair: bool, deep: bool, as_json: bool) -> None:
    """Compare the library with the disk; exit 1 if something is wrong."""
    with backstage(timeout_s=LONG_TIMEOUT_S) as client:
        findings = _findings(client, repair=repair, deep=deep, quiet=as_json)
    if as_json:
        _print_json(findings)
    kinds = Counter[str]()
    for finding in () if as_json else findings:
        kind = finding["drift"]
        kinds[kind] += 1
        if kinds[kind] <= MAX_SHOWN or repair:  # what is repaired is not found again
            note = " (repaired)" * finding["repaired"]
            if finding["hint"]:
                note = f"; {finding['hint']}"
            click.echo(f"{kind}: {finding['message']}{note}")
    for kind, count in kinds.items():
        if count > MAX_SHOWN and not repair:
            click.echo(f"{kind}: {count - MAX_SHOWN} more; --json lists them all")
    wrong = sum(not finding["repaired"] for finding in findings)
    if not as_json:
        cure = "; repair with `sfa library check --repair`" if wrong and not repair else ""
        click.echo("all is well" if not findings else f"{len(findings)} found, {wrong} left{cure}")
    if wrong:
        raise click.exceptions.Exit(1)


def _findings(
    client: SocketClient, *, repair: bool, deep: bool, quiet: bool
) -> list[dict[str, Any]]:
    """Run a check part by part, with a progress bar if there are many; return the findings."""
    from sfa_engine.cli import screen

    part = client.call("library.check", repair=repair, deep=deep)
    found: list[dict[str, Any]] = part["findings"]
    if not part["after"]:
        return found
    with screen.progress_bar("checking the library", quiet=quiet) as bar:
        while part["after"]:
            bar(part["share"])
            part = client.call("library.check", repair=repair, deep=deep, after=part["after"])
            found += part["findings"]
        bar(1.0)
    return found


@library.command()
def backup() -> None:
    """Write a backup of the database now, and verify it."""
    with backstage(timeout_s=600.0) as client:
        click.echo(client.call("library.backup")["path"])
