"""`sfa library import`, `export` and `prepare`: libraries of other programs, in and out."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import wraps
from pathlib import Path
from typing import Any

import click

from sfa_engine.cli.connect import backstage
from sfa_engine.cli.library_jobs import QUEUE_TIMEOUT_S, WORDS, followed
from sfa_engine.cli.options import json_option
from sfa_engine.cli.plural import counted
from sfa_engine.cli.terminal import one_line, print_error, print_json
from sfa_engine.errors import Refused, SfaError
from sfa_engine.system.user_path import user_path
from sfa_engine.wire.blocking import SocketClient

NOTHING_DONE = 2  # exit status; 1: something was lost on the way
# What a report counts, in its order: the key of the answer and the word for one.
_COUNTED = (
    ("grids", "grid"), ("cues", "cue"), ("loops", "loop"), ("ratings", "rating"),
    ("comments", "comment"), ("colors", "colour"), ("playlists", "playlist"),
    ("playlists filled", "longer playlist"),
)  # fmt: skip


def _nothing_done(command: Callable[..., None]) -> Callable[..., None]:
    """Exit with 2 where a command ends in an error: it has done nothing then."""

    @wraps(command)
    def run(*args: Any, **given: Any) -> None:
        try:
            command(*args, **given)
        except SfaError as error:
            print_error(error)
            raise click.exceptions.Exit(NOTHING_DONE) from None

    return run


def _shift_option(command: Any) -> Any:
    return click.option(
        "--mp3-shift",
        default="auto",
        show_default=True,
        metavar="auto|none|MS",
        help="By how much another program counts an MP3's positions later.",
    )(command)


@click.command(name="import")
@click.argument("source", metavar="FROM", type=click.Path(readable=False))
@click.option("--format", "read_format", metavar="FORMAT", default="", help="Else recognised.")
@click.option(
    "--map",
    "maps",
    multiple=True,
    metavar="FROM=TO",
    help="Where a folder of another machine is here, as D:/Music=/srv/music.",
)
@click.option("--dry-run", is_flag=True, help="Do everything, and keep nothing.")
@_shift_option
@click.option("--quiet", is_flag=True, help="Errors only.")
@json_option
@_nothing_done
def import_(
    source: str,
    read_format: str,
    maps: tuple[str, ...],
    dry_run: bool,
    mp3_shift: str,
    quiet: bool,
    as_json: bool,
) -> None:
    r"""Import the library of another program: tracks, grids, cues, playlists.

    \b
    sfa library import rekordbox.xml --dry-run
    sfa library import collection.nml --map "D:/Music=/srv/music"
    sfa library import ~/Music/_Serato_

    Tracks are prepared when they are first loaded, or by `sfa library prepare`. What was set by
    hand here stays. Exit status: 0, 1 if something was lost, 2 if nothing was done.
    """
    asked = {
        "source": str(user_path(source).absolute()),
        "format": read_format,
        "maps": [_mapping(each) for each in maps],
        "mp3_shift": mp3_shift,
        "dry_run": dry_run,
    }
    with backstage() as client:
        said = client.call("library.import", **asked)
        done = _done(client, said, quiet=quiet or as_json, as_json=as_json)
    _report(done, _import_lines, quiet=quiet, as_json=as_json)


@click.command(context_settings=WORDS)
@click.argument("words", nargs=-1, metavar="[QUERY]...")
@click.option("--to", "written_format", metavar="FORMAT", required=True, help="See the guide.")
@click.option("--out", "-o", metavar="PATH", type=click.Path(), help="A file or a folder.")
@click.option("--playlist", metavar="NAME", default="", help="A playlist in place of a query.")
@_shift_option
@click.option("--replace", is_flag=True, help="What is there already.")
@click.option("--quiet", is_flag=True, help="Errors only.")
@json_option
@click.pass_context
@_nothing_done
def export(
    context: click.Context,
    words: tuple[str, ...],
    written_format: str,
    out: str | None,
    playlist: str,
    mp3_shift: str,
    replace: bool,
    quiet: bool,
    as_json: bool,
) -> None:
    r"""Export tracks for another program; without a query the whole library.

    \b
    sfa library export --to rekordbox -o rekordbox.xml
    sfa library export "genre:techno" --to m3u -o techno.m3u8
    sfa library export --playlist Friday --to zip -o ~/stems

    Exit status: 0, 1 if something was lost, 2 if nothing was done.
    """
    for word in words:
        if word.startswith("--"):
            raise click.NoSuchOption(word, ctx=context)
    target = user_path(out) if out else Path(_default_name(written_format, playlist))
    asked = {
        "path": str(target.absolute()),
        "format": written_format,
        "words": " ".join(words),
        "playlist": playlist,
        "mp3_shift": mp3_shift,
        "replace": replace,
    }
    with backstage(QUEUE_TIMEOUT_S) as client:
        said = client.call("library.export", **asked)
        done = _done(client, said, quiet=quiet or as_json, as_json=as_json)
    _report(done, _export_lines, quiet=quiet, as_json=as_json)


@click.command(context_settings=WORDS)
@click.argument("words", nargs=-1, metavar="[QUERY]...")
@click.option("--playlist", metavar="NAME", default="", help="A playlist in place of a query.")
@click.option("--all", "everything", is_flag=True, help="The whole library.")
@click.option("--background", "-b", is_flag=True, help="Do not wait for the end.")
@click.option("--dry-run", is_flag=True, help="Only say how many they are.")
@click.option("--json", "as_json", is_flag=True, help="Events and the result as JSON lines.")
@click.option("--quiet", is_flag=True, help="Errors only.")
@click.pass_context
def prepare(
    context: click.Context,
    words: tuple[str, ...],
    playlist: str,
    everything: bool,
    background: bool,
    dry_run: bool,
    as_json: bool,
    quiet: bool,
) -> None:
    """Prepare tracks that came from another program: import their files, stems, analysis."""
    for word in words:
        if word.startswith("--"):
            raise click.NoSuchOption(word, ctx=context)
    if bool(words) + bool(playlist) + everything != 1:
        raise Refused("no track is named", "give a query, --playlist or --all")
    query = {"words": " ".join(words), "playlist": playlist}
    with backstage(QUEUE_TIMEOUT_S) as client:
        said = client.call("library.prepare", **query, dry_run=dry_run)
        if said["missing"] and not quiet:
            click.echo(f"{counted(said['missing'], 'file')} not here: see --map", err=True)
        if dry_run or not said["tracks"]:
            if as_json:
                print_json(said)
            else:
                click.echo(f"{counted(said['tracks'], 'track')} to prepare")
            return
        counts = followed(client, said, background=background, as_json=as_json, quiet=quiet)
    if counts is not None and (counts["failed"] or counts["cancelled"]):
        raise click.exceptions.Exit(1)


def _mapping(text: str) -> str:
    """Return ``FROM=TO`` with an absolute TO: backstage has another working directory."""
    source, equals, target = text.partition("=")
    if not equals or not target:
        raise Refused(f'invalid mapping "{text:.80}"', "give FROM=TO, as D:/Music=/srv/music")
    return f"{source}={user_path(target).absolute()}"


def _default_name(form: str, playlist: str) -> str:
    """Return the file or folder in the working directory that an export makes."""
    from sfa_engine.interchange.registry import named
    from sfa_engine.system.file_names import safe_name

    found = named(form)
    stem = safe_name(playlist or "library")
    if found.is_folder or found.each:
        return f"{stem} ({found.name})"
    return f"{stem}{found.suffix}"


def _report(
    done: dict[str, Any],
    lines_of: Callable[[dict[str, Any]], Iterator[str]],
    *,
    quiet: bool,
    as_json: bool,
) -> None:
    """Print the report of a job that has ended; exit with 1 if something was lost."""
    if as_json:
        print_json(done)
    elif not quiet:
        for line in lines_of(done):
            click.echo(one_line(line))
    if done["lost"]:
        raise click.exceptions.Exit(1)


def _done(
    client: SocketClient, said: dict[str, Any], *, quiet: bool, as_json: bool
) -> dict[str, Any]:
    """Wait for a job; return its report, with all losses if it is for a program."""
    from sfa_engine.cli.job_progress import wait_done

    wait_done(client, said["batch"], said["job"], quiet=quiet)
    done: dict[str, Any] = client.call("library.exchanged", job=said["job"])
    losses = done["losses"]
    while as_json and len(losses) < done["lost"]:
        more = client.call("library.exchanged", job=said["job"], after=len(losses))["losses"]
        if not more:  # the disk was full, or it is long ago
            break
        losses += more
    return done


def _import_lines(done: dict[str, Any]) -> Iterator[str]:
    counts = done["counts"]
    tracks = counts.get("new", 0) + counts.get("updated", 0) + counts.get("unchanged", 0)
    kinds = [
        f"{counts[name]} {name}" for name in ("new", "updated", "unchanged") if counts.get(name)
    ]
    detail = f" ({', '.join(kinds)})" if kinds else ""
    begin = "would import" if done["dry_run"] else "imported"
    yield f"{begin} {counted(tracks, 'track')}{detail} from {done['title']}"
    yield from _rest(done)


def _export_lines(done: dict[str, Any]) -> Iterator[str]:
    yield f"exported {counted(done['counts']['tracks'], 'track')} to {done['path']}"
    yield from _rest(done)


def _rest(done: dict[str, Any]) -> Iterator[str]:
    """Yield what came over besides the tracks, how positions were moved, and what was lost."""
    counts = done["counts"]
    parts = [counted(counts[name], word) for name, word in _COUNTED if counts.get(name)]
    if parts:
        yield f"  with {', '.join(parts)}"
    for case, number in sorted(done["shifts"].items()):
        yield f"  positions moved: {counted(number, 'track')}, {case}"
    if done["lost"]:
        yield "1 loss:" if done["lost"] == 1 else f"{done['lost']} losses:"
    for group in done["groups"]:
        of = ", ".join(group["examples"][:2])
        more = " …" if group["count"] > len(group["examples"][:2]) else ""
        yield f"  {group['count']} x {group['what']}: {group['why']} ({of}{more})"
