"""`sfa chef`: a mix from words."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import click

from sfa_engine.cli.connect import backstage
from sfa_engine.cli.mix import PLAN_TIMEOUT_S, busy, print_plan
from sfa_engine.cli.plural import counted
from sfa_engine.cli.terminal import one_line, print_json


@click.command()
@click.argument("words", nargs=-1, required=True)
@click.option("--name", help="Of the plan; by default made from the words.")
@click.option("--rate", "rate_pct", type=float, default=4.0, show_default=True,
              help="How far a tempo may be changed, in percent, up to 8.")  # fmt: skip
@click.option("--lufs", type=float, default=-14.0, show_default=True, help="Loudness of all.")
@click.option("--ready", is_flag=True, help="Only of tracks that need no preparation.")
@click.option("--dry-run", is_flag=True, help="Prepare and store nothing.")
@click.option("--no-wait", is_flag=True, help="Leave when tracks are being prepared.")
@click.option("--replace", is_flag=True, help="In place of an earlier plan of the name.")
@click.option("--quiet", is_flag=True, help="No progress bar.")
@click.option("--json", "as_json", is_flag=True, help="For programs.")
def chef(
    words: tuple[str, ...], as_json: bool, dry_run: bool, no_wait: bool, quiet: bool, **asked: Any
) -> None:
    r"""Make a mix plan from words: what to find, how many, which arc, which stems.

    \b
    sfa chef "warm up, dark techno 120 to 126, rising, eight tracks, no vocals"
    sfa chef "an hour of deep house in A minor, in waves, starting with 12" --name sunday
    sfa chef "drums only, techno around 130" --dry-run

    Tracks that lack an analysis, or stems that the words need, are prepared first; one that fails
    is replaced by the next best.
    """
    from sfa_engine.cli.job_progress import wait_for

    quiet = quiet or as_json
    asked = {"words": " ".join(words), "dry_run": dry_run, **asked}
    with backstage(PLAN_TIMEOUT_S) as client:
        while True:
            with busy("planning", quiet=quiet):
                said = client.call("mix.chef", **asked)
            if not said["preparing"] or dry_run or no_wait:
                break
            if not quiet:
                print_lines(preparing(said))
            wait_for(client, said["batch"], quiet=quiet)
            asked["batch"] = said["batch"]
    if as_json:
        print_json(said)
        return
    print_lines(_about(said))
    if said["preparing"]:
        print_lines(preparing(said))
    if said["mix"]:
        print_plan(said["mix"], as_json=False)
    if not said["stored"]:
        click.echo("nothing is stored", err=True)


def print_lines(lines: Iterable[str]) -> None:
    """Print lines beside the output."""
    for line in lines:
        click.echo(one_line(line), err=True)


def preparing(said: dict[str, Any]) -> list[str]:
    """Return the tracks that are prepared first, as lines."""
    tracks = said["preparing"]
    lines = [f"  {track['name']}: no {track['lacks']} yet" for track in tracks]
    return [f"{counted(len(tracks), 'track')} to prepare:", *lines]


def _about(said: dict[str, Any]) -> Iterator[str]:
    recipe = said["recipe"]
    stems = [f"no {stem}" for stem in recipe["mute"]]
    stems += [f"{' and '.join(recipe['only'])} only"] if recipe["only"] else []
    yield ", ".join([f"recipe: {counted(recipe['count'], 'track')}", recipe["arc"], *stems])
    yield from remarks(said)


def remarks(said: dict[str, Any]) -> Iterator[str]:
    """Yield notes, and the tracks that were passed over."""
    yield from (f"note: {note}" for note in said["notes"])
    yield from (f"passed over: {each['name']} {each['why']}" for each in said["passed_over"])
