"""`sfa library reanalyse` and `separate`: what backstage does again for tracks of the library."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import nullcontext
from typing import Any

import click

from sfa_engine.cli.confirm import confirm, yes_option
from sfa_engine.cli.connect import backstage
from sfa_engine.cli.plural import counted
from sfa_engine.cli.terminal import one_line, print_json_line
from sfa_engine.errors import Refused
from sfa_engine.prep.options import ENGINES
from sfa_engine.system.timecode import clock
from sfa_engine.wire.blocking import SocketClient

PREVIEW_S = 60.0
MAX_UNASKED = 20  # tracks: a minute of one core
QUEUE_TIMEOUT_S = 600.0  # for a library of 100,000 tracks on a slow disk
WORDS = {"ignore_unknown_options": True}  # `-word` excludes a word from a search


@click.command(context_settings=WORDS)
@click.argument("words", nargs=-1, metavar="[QUERY]...")
@click.option("--outdated", is_flag=True, help="Only what an older version analysed.")
@click.option("--all", "everything", is_flag=True, help="The whole library.")
@click.option("--background", "-b", is_flag=True, help="Do not wait for the end.")
@click.option("--json", "as_json", is_flag=True, help="Events and the result as JSON lines.")
@click.option("--quiet", is_flag=True, help="Errors only.")
@yes_option
@click.pass_context
def reanalyse(
    context: click.Context,
    words: tuple[str, ...],
    outdated: bool,
    everything: bool,
    background: bool,
    as_json: bool,
    quiet: bool,
    yes: bool,
) -> None:
    """Analyse tracks again, and say what has changed.

    Grids, cues and keys by hand stay. After Ctrl-C the rest continues in the background.
    """
    for word in words:
        if word.startswith("--"):
            raise click.NoSuchOption(word, ctx=context)
    if words and everything:
        raise Refused("a query and --all do not go together", "leave one out")
    if not (words or everything or outdated):
        raise Refused("no track is named", "give words as for a search, --outdated or --all")
    query: dict[str, Any] = {"words": " ".join(words), "outdated": outdated}
    with backstage(timeout_s=QUEUE_TIMEOUT_S) as client:
        count = client.call("library.reanalyse", **query, dry_run=True)["tracks"]
        if not count:
            click.echo("no track to analyse", err=True)
            if as_json:
                print_json_line({"counts": {}, "tracks": []})
            return
        if count > MAX_UNASKED:
            confirm(f"Analyse {count} tracks again?", yes=yes)
        said = client.call("library.reanalyse", **query)
        counts = followed(client, said, background=background, as_json=as_json, quiet=quiet)
        if counts is None:
            return
        tracks = list(_pages(client, said["batch"]))
    if as_json:
        print_json_line({"counts": counts, "tracks": tracks})
    elif not quiet:
        for track in tracks:
            click.echo(one_line(report_line(track)))
    if counts["failed"] or counts["cancelled"]:
        raise click.exceptions.Exit(1)


@click.command()
@click.argument("track")
@click.option("--preview", is_flag=True, help="Only a minute, to audition the stems.")
@click.option("--seconds", type=click.FloatRange(1.0, 600.0), help="Length of the preview.")
@click.option("--engine", type=click.Choice(ENGINES), help="Else as configured.")
@click.option("--model", "-m", help="Of the engine, as htdemucs_ft.")
@click.option("--background", "-b", is_flag=True, help="Do not wait for the end.")
@click.option("--json", "as_json", is_flag=True, help="Events and the result as JSON lines.")
@click.option("--quiet", is_flag=True, help="Errors only.")
def separate(
    track: str,
    preview: bool,
    seconds: float | None,
    engine: str | None,
    model: str | None,
    background: bool,
    as_json: bool,
    quiet: bool,
) -> None:
    """Separate a track again: all of it, or a preview that the next separation replaces.

    The track can be played as before: where a preview is not separated, the stem other is the mix.
    """
    if seconds is not None and not preview:
        raise Refused("--seconds is the length of a preview", "add --preview")
    length_s = (seconds or PREVIEW_S) if preview else 0.0
    asked = {"track": track, "engine": engine, "model": model, "preview_s": length_s}
    with backstage() as client:
        said = client.call("prep.separate", **asked)
        counts = followed(client, said, background=background, as_json=as_json, quiet=quiet)
        if counts is None:
            return
        job = client.call("jobs.show", job=said["jobs"][0])
    if as_json:
        print_json_line({"counts": counts, "track": said["track"], "result": job["result"]})
    elif not quiet and job["state"] in {"done", "skipped"}:
        click.echo(one_line(_separated(said["track"], job["result"], preview=preview)))
    if counts["failed"] or counts["cancelled"]:
        raise click.exceptions.Exit(1)


def _separated(track: int, result: dict[str, Any], *, preview: bool) -> str:
    """Return the result of a separation as one line of text."""
    if "why" in result:
        return f"not separated: {result['why']}"
    made = " ".join(dict.fromkeys([result["engine"], result["model"]]))
    stems = f"{', '.join(result['stems'])} by {made}"
    if not preview:
        return stems
    start, end = clock(result["start_s"]), clock(result["end_s"])
    return (
        f"{stems}, {start} to {end}; audition them with `sfa load 1 '#{track}' --position {start}`"
    )


def followed(
    client: SocketClient, said: dict[str, Any], *, background: bool, as_json: bool, quiet: bool
) -> dict[str, int] | None:
    """Show a batch until it has ended; return its jobs by state, None if it is not waited for."""
    from sfa_engine.cli.job_progress import JobLines, JobProgress, follow

    if background:
        client.call("jobs.finish")
        words = f"{counted(said['count'], 'job')} queued; see `sfa jobs list`"
        print_json_line(said) if as_json else click.echo(words)
        return None
    client.call("jobs.watch", batch=said["batch"])
    try:
        with nullcontext(JobLines()) if as_json else JobProgress(quiet=quiet) as progress:
            return follow(client, said["batch"], progress)
    except KeyboardInterrupt:
        click.echo("the rest waits in the queue; see `sfa jobs list`", err=True)
        raise click.exceptions.Exit(130) from None


def _pages(client: SocketClient, batch: str) -> Iterator[dict[str, Any]]:
    """Yield what has changed in each track of a batch."""
    after = 0
    while found := client.call("library.reanalysed", batch=batch, after=after)["tracks"]:
        yield from found
        after = found[-1]["id"]


def report_line(track: dict[str, Any]) -> str:
    """Return what has changed in a track as one line of text."""
    if track["error"]:
        said = f"{track['state']}: {track['error']['message']}"
    else:
        said = "; ".join(_changes(track["changes"])) or "unchanged"
        if track["check_grid"]:
            said += "; check the grid"
    kept = [name for name in ("grid", "key") if track["by_hand"][name]]
    if number := track["by_hand"]["cues"]:
        kept.append(counted(number, "cue"))
    by_hand = f"; kept by hand: {', '.join(kept)}" if kept else ""
    return f"{track['id']:5}  {track['name']}  ({said}{by_hand})"


def _changes(changes: dict[str, Any]) -> Iterator[str]:
    """Yield the changes of a track in words."""
    if "bpm" in changes:
        before, now = ("no beat" if bpm is None else f"{bpm:.3f}" for bpm in changes["bpm"])
        yield f"{before} → {now} BPM"
    if "grid_moved_ms" in changes:
        yield f"beats moved by up to {changes['grid_moved_ms']:.1f} ms"
    if "bar_later_beats" in changes:
        yield f"bars begin {counted(changes['bar_later_beats'], 'beat')} later"
    if "key" in changes:
        before, now = (key or "no key" for key in changes["key"])
        yield f"{before} → {now}"
    if "confidence" in changes:
        before, now = (f"{value or 0.0:.2f}" for value in changes["confidence"])
        yield f"confidence {before} → {now}"
    if "drops" in changes:
        old, new = (len(starts) for starts in changes["drops"])
        yield f"drops {old} → {new}" if old != new else f"{counted(new, 'drop')} moved"
    for name, word in (("cues_new", "new"), ("cues_gone", "gone")):
        if name in changes:
            yield f"{counted(changes[name], 'cue')} {word}"
