"""`sfa prep`: files, folders and links, prepared for the decks."""

from __future__ import annotations

from contextlib import nullcontext
from typing import Any

import click

from sfa_engine.cli.connect import backstage
from sfa_engine.cli.plural import counted
from sfa_engine.cli.terminal import one_line, print_json_line
from sfa_engine.errors import Refused
from sfa_engine.prep.options import QUALITIES
from sfa_engine.run.folders import runtime_path

SCAN_TIMEOUT_S = 600.0  # for the scan of all folders of a slow disk
ENGINES = ("auto", "demucs", "embedded", "sketch", "lalalai", "none")


@click.command()
@click.argument("source", nargs=-1, required=True, type=click.Path(readable=False))
@click.option(
    "--engine", type=click.Choice(ENGINES), help="Separation engine; none leaves one stem."
)
@click.option("--model", "-m", help="Of the engine, as htdemucs_ft.")
@click.option("--no-stems", is_flag=True, help="The same as --engine none.")
@click.option("--again", is_flag=True, help="Redo finished steps too.")
@click.option("--quality", type=click.Choice(QUALITIES), help="Of downloads; else as configured.")
@click.option("--priority", default=0, help="Higher is earlier.")
@click.option("--background", "-b", is_flag=True, help="Do not wait for the end.")
@click.option("--watch", "-w", is_flag=True, help="Go on watching folders for new files.")
@click.option("--json", "as_json", is_flag=True, help="Events and the result as JSON lines.")
@click.option("--quiet", is_flag=True, help="Errors only.")
def prep(
    source: tuple[str, ...],
    engine: str | None,
    model: str | None,
    no_stems: bool,
    again: bool,
    quality: str | None,
    priority: int,
    background: bool,
    watch: bool,
    as_json: bool,
    quiet: bool,
) -> None:
    """Prepare files, folders and links: import, stems, analysis, cues.

    After Ctrl-C, the rest continues while the engine runs, or with the next `sfa prep` or
    `sfa start`; see `sfa jobs list`.
    """
    from sfa_engine.cli import screen
    from sfa_engine.cli.job_progress import JobLines, JobProgress, follow, tracks_of
    from sfa_engine.system.process_lock import lock_holder
    from sfa_engine.system.runtime_files import SUPERVISOR_LOCK

    if no_stems and engine not in (None, "none"):
        raise Refused(f"--no-stems and --engine {engine} do not go together", "leave one out")
    sources = [_absolute(word) for word in source]
    with backstage(timeout_s=SCAN_TIMEOUT_S) as client:
        with nullcontext() if as_json or quiet else screen.errors.status("looking for music"):
            said = client.call(
                "prep.add",
                sources=sources,
                engine="none" if no_stems else engine,
                model=model,
                again=again,
                quality=quality,
                priority=priority,
                watch=watch,
            )
        for folder in said["unread"]:
            click.echo(f'"{folder}" cannot be read (check its permissions)', err=True)
        if background:
            client.call("jobs.finish")
            if not as_json and not quiet and not lock_holder(runtime_path() / SUPERVISOR_LOCK):
                note = "no engine runs: backstage goes on by itself until all is prepared"
                click.echo(f"{note}; `sfa stop` ends it", err=True)
            words = f"{said['count']} to prepare; see `sfa jobs list`"
            print_json_line(said) if as_json else click.echo(words)
            return
        client.call("jobs.watch", batch=said["batch"])
        try:
            with nullcontext(JobLines()) if as_json else JobProgress(quiet=quiet) as progress:
                counts = follow(client, said["batch"], progress)
        except KeyboardInterrupt:
            click.echo("the rest waits in the queue; see `sfa jobs list`", err=True)
            raise click.exceptions.Exit(130) from None
        tracks = list(tracks_of(client, said["batch"]))
        playlists = client.call("prep.batch", batch=said["batch"])["playlists"]
    if watch and not quiet:
        click.echo("watched while `sfa start` runs; see `sfa library folders`", err=True)
    if as_json:
        answer = {"counts": counts, "tracks": tracks, "unread": said["unread"]}
        print_json_line(answer | {"playlists": playlists})
    elif not quiet:
        for track in tracks:
            click.echo(one_line(_in_words(track)))
        for name in playlists:
            click.echo(one_line(f'the playlist "{name}"; see `sfa library playlist show "{name}"`'))
    if counts["failed"] or counts["cancelled"]:
        raise click.exceptions.Exit(1)


def _absolute(word: str) -> str:
    """Return a path as an absolute one: backstage has another working directory."""
    from sfa_engine.backstage.services.input_sources import LocalFile, LocalFolder, parse_source

    meant = parse_source(word)
    return str(meant.path) if isinstance(meant, LocalFile | LocalFolder) else word


def _in_words(track: dict[str, Any]) -> str:
    """Return a prepared track as one line of text."""
    name = f"{track['artist']} - {track['title']}" if track["artist"] else str(track["title"])
    bpm = f"{track['bpm']:.2f} BPM" if track["bpm"] else "no beat"
    stems = counted(len(track["stems"]), "stem") if track["stems"] else "in one piece"
    stems += ", a preview" if track["preview"] else ""
    stems += ", a sketch" if track["sketch"] else ""
    parts = [bpm, str(track["key"] or "no key"), counted(track["cues"], "cue"), stems]
    parts += track["notes"]
    return f"{track['id']:5}  {name}  ({', '.join(parts)})"
