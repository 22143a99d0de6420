"""`sfa prep`: music in, tracks out that the decks can play in time."""

from __future__ import annotations

from contextlib import nullcontext
from typing import Any

import click

from sfa_engine.cli.count import counted
from sfa_engine.cli.folders import runtime_path
from sfa_engine.cli.terminal import one_line, print_json_line
from sfa_engine.cli.tracks import backstage
from sfa_engine.errors import Refused

LONG_S = 600.0  # to look through all folders of a slow disk
ENGINES = ("auto", "demucs", "embedded", "sketch", "lalalai", "none")


@click.command()
@click.argument("source", nargs=-1, required=True, type=click.Path(readable=False))
@click.option("--engine", type=click.Choice(ENGINES), help="That separates; none leaves one stem.")
@click.option("--model", "-m", help="Of the engine, as htdemucs_ft.")
@click.option("--no-stems", is_flag=True, help="The same as --engine none.")
@click.option("--again", is_flag=True, help="Also what has been done already.")
@click.option("--priority", default=0, help="Higher is earlier.")
@click.option("--background", "-b", is_flag=True, help="Do not wait for it.")
@click.option("--watch", "-w", is_flag=True, help="Go on watching folders for new files.")
@click.option("--json", "as_json", is_flag=True, help="Events and the end as JSON lines.")
@click.option("--quiet", is_flag=True, help="Only what went wrong.")
def prep(
    source: tuple[str, ...],
    engine: str | None,
    model: str | None,
    no_stems: bool,
    again: bool,
    priority: int,
    background: bool,
    watch: bool,
    as_json: bool,
    quiet: bool,
) -> None:
    """Prepare files, folders and links: import, stems, analysis, cues.

    When interrupted, what is left goes on if the engine runs, and else with the next `sfa prep`
    or `sfa start`; see `sfa jobs list`.
    """
    from sfa_engine.audio.lock import lock_holder
    from sfa_engine.cli import screen
    from sfa_engine.cli.board import Board, Lines, follow, tracks_of
    from sfa_engine.cli.supervise import LOCK

    if no_stems and engine not in (None, "none"):
        raise Refused(f"--no-stems and --engine {engine} do not go together", "leave one out")
    sources = [_absolute(word) for word in source]
    with backstage(timeout_s=LONG_S) as client:
        with nullcontext() if as_json or quiet else screen.errors.status("looking for music"):
            said = client.call(
                "prep.add",
                sources=sources,
                engine="none" if no_stems else engine,
                model=model,
                again=again,
                priority=priority,
                watch=watch,
            )
        for folder in said["unread"]:
            click.echo(f'cannot read "{folder}"; mind its rights', err=True)
        if background:
            client.call("jobs.finish")
            if not as_json and not quiet and not lock_holder(runtime_path() / LOCK):
                said_so = "no engine runs: backstage goes on by itself until all is prepared"
                click.echo(f"{said_so}; `sfa stop` ends it", err=True)
            words = f"{said['count']} to prepare; see `sfa jobs list`"
            print_json_line(said) if as_json else click.echo(words)
            return
        client.call("jobs.watch", batch=said["batch"])
        try:
            with nullcontext(Lines()) if as_json else Board(quiet=quiet) as board:
                counts = follow(client, said["batch"], board)
        except KeyboardInterrupt:
            click.echo("what is left waits in the queue; see `sfa jobs list`", err=True)
            raise click.exceptions.Exit(130) from None
        tracks = list(tracks_of(client, said["batch"]))
    if watch and not quiet:
        click.echo("watched while `sfa start` runs; see `sfa library folders`", err=True)
    if as_json:
        told = {"counts": counts, "tracks": tracks, "unread": said["unread"]}
        print_json_line(told)
    elif not quiet:
        for track in tracks:
            click.echo(one_line(_in_words(track)))
    if counts["failed"] or counts["cancelled"]:
        raise click.exceptions.Exit(1)


def _absolute(word: str) -> str:
    """Return a source as backstage, which stands elsewhere, understands it."""
    from sfa_engine.backstage.services.links import LocalFile, LocalFolder, meaning

    meant = meaning(word)
    return str(meant.path) if isinstance(meant, LocalFile | LocalFolder) else word


def _in_words(track: dict[str, Any]) -> str:
    """Return a prepared track as a line for a person."""
    name = f"{track['artist']} - {track['title']}" if track["artist"] else str(track["title"])
    bpm = f"{track['bpm']:.2f} BPM" if track["bpm"] else "no beat"
    stems = counted(len(track["stems"]), "stem") if track["stems"] else "in one piece"
    stems += ", a sketch" if track["sketch"] else ""
    parts = [bpm, str(track["key"] or "no key"), counted(track["cues"], "cue"), stems]
    parts += track["notes"]
    return f"{track['id']:5}  {name}  ({', '.join(parts)})"
