"""`sfa loops`: sets of loops from words, as a kit of the sampler or a zip."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click

from sfa_engine.cli.chef import preparing, print_lines, remarks
from sfa_engine.cli.connect import backstage
from sfa_engine.cli.mix import PLAN_TIMEOUT_S, busy
from sfa_engine.cli.options import json_option
from sfa_engine.cli.plural import counted
from sfa_engine.cli.terminal import one_line, print_json, print_rows
from sfa_engine.errors import MediaError, Refused
from sfa_engine.system.atomic import atomic_file
from sfa_engine.wire.blocking import SocketClient


@click.command()
@click.argument("words", nargs=-1, required=True)
@click.option("--kit", metavar="NAME", help="Kit of the pads; by default named after the words.")
@click.option("--zip", "archive", type=click.Path(path_type=Path), metavar="FILE",
              help="A zip in place of a kit.")  # fmt: skip
@click.option("--bpm", type=float, help="Stretch all to a tempo, in their own key.")
@click.option("--format", "form", type=click.Choice(["flac", "wav"]), default="flac",
              show_default=True, help="Of the files in a zip.")  # fmt: skip
@click.option("--ready", is_flag=True, help="Only of tracks that need no preparation.")
@click.option("--dry-run", is_flag=True, help="Prepare and write nothing.")
@click.option("--no-wait", is_flag=True, help="Leave when jobs are at work.")
@click.option("--replace", is_flag=True, help="In place of an earlier kit of the name.")
@click.option("--quiet", is_flag=True, help="No progress bar.")
@json_option
def loops(
    words: tuple[str, ...],
    kit: str | None,
    archive: Path | None,
    bpm: float | None,
    form: str,
    ready: bool,
    dry_run: bool,
    no_wait: bool,
    replace: bool,
    quiet: bool,
    as_json: bool,
) -> None:
    r"""Cut loops from the library, by words: how many, which stem, how long, of which tracks.

    \b
    sfa loops "4 drum loops of 8 beats and 2 bass loops of 16 around 126 in 8A" --kit friday
    sfa loops "two 4-bar vocal loops, dark techno" --zip vocals.zip --bpm 126
    sfa loops "8 loops of drums" --dry-run

    They are on the grid to the frame, on pad 1 and the following; load the kit with `sfa kit load`.
    Tracks that lack stems are separated first.
    """
    if kit and archive:
        raise Refused("a set of loops is a kit or a zip", "leave out --kit or --zip")
    if archive is not None:
        _check_archive(archive)
    quiet = quiet or as_json
    with backstage(PLAN_TIMEOUT_S) as client:
        asked: dict[str, Any] = {"words": " ".join(words), "bpm": bpm, "ready": ready}
        if dry_run:
            with busy("looking for loops", quiet=quiet):
                plan = client.call("loops.plan", **asked)
            _show(plan, plan, as_json=as_json)
            click.echo("nothing is written", err=True)
            return
        target = {"zip": True, "format": form} if archive else {"kit": kit or ""}
        asked |= {**target, "replace": replace}
        said = _made(client, asked, quiet=quiet, wait=not no_wait)
        done = said
        if said["job"] is not None and not no_wait:
            done = client.call("loops.made", job=said["job"])
            if archive is not None:
                done = _moved(done, archive)
    _show(said, done, as_json=as_json)
    if not as_json:
        click.echo(one_line(_end(said, done, archive)), err=True)


def _made(
    client: SocketClient, asked: dict[str, Any], *, quiet: bool, wait: bool
) -> dict[str, Any]:
    """Have the loops made, after the tracks that lack something; return the last answer."""
    from sfa_engine.cli.job_progress import wait_done, wait_for

    while True:
        with busy("looking for loops", quiet=quiet):
            said: dict[str, Any] = client.call("loops.make", **asked)
        if not wait:
            return said
        if said["job"] is not None:
            wait_done(client, said["batch"], said["job"], quiet=quiet)
            return said
        if not quiet:
            print_lines(preparing(said))
        wait_for(client, said["batch"], quiet=quiet)
        asked = {**asked, "batch": said["batch"]}


def _check_archive(path: Path) -> None:
    if path.suffix.lower() != ".zip":
        raise Refused(f'"{path}" is no zip', "end it with .zip")
    if not path.absolute().parent.is_dir():
        raise MediaError(f'"{path.absolute().parent}" is not a folder', "make it first")


def _moved(done: dict[str, Any], target: Path) -> dict[str, Any]:
    """Move the zip out of the folder of exports; return the answer with its new path."""
    (file,) = done["files"]
    made = Path(file["folder"]) / file["path"]
    try:
        with atomic_file(target) as part:
            shutil.copyfile(made, part)
        made.unlink(missing_ok=True)
    except OSError as error:
        raise MediaError(
            f"{error.filename2 or error.filename or target}: {error.strerror}", "choose another"
        ) from None
    return {**done, "files": [], "zip": str(target)}


def _show(said: dict[str, Any], done: dict[str, Any], *, as_json: bool) -> None:
    if as_json:
        print_json({**said, **done})
        return
    print_lines(remarks(said))
    if said["preparing"]:
        print_lines(preparing(said))
    if done["loops"]:
        print_rows(list(_rows(done)))
    print_lines(_missing(done))


def _rows(done: dict[str, Any]) -> Iterator[tuple[str, ...]]:
    for each in done["loops"]:
        about = each["why"]
        name = each.get("name") or f"track {each['track']}"
        tempo = f"{each['bpm']:.1f} {each['key']}".strip()
        length = counted(each["beats"], "beat")
        yield f"pad {each['pad']}", each["stem"], length, tempo, name, about


def _missing(done: dict[str, Any]) -> Iterator[str]:
    for each in done.get("missing", ()):
        yield f"not found: {counted(each['count'], 'loop')} of {each['stem']}"
    if "missing" in done:
        for each in done["passed_over"]:
            yield f"passed over: {each['name']} {each['why']}"


def _end(said: dict[str, Any], done: dict[str, Any], archive: Path | None) -> str:
    """Return where the loops are, or why they are not there yet."""
    if said["job"] is None:
        return "tracks are being prepared; call it again when `sfa jobs` has ended"
    if "loops" not in done or done is said:
        return f"job {said['job']} cuts them; see `sfa jobs`"
    number = counted(len(done["loops"]), "loop")
    if archive is not None:
        return f"{number} in {archive}"
    return f"{number} in kit {done['kit']}; load it: sfa kit load {done['kit']}"
