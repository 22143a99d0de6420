"""`sfa pad`: the sounds of the sampler's pads."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from sfa_engine.cli.connect import connect
from sfa_engine.cli.options import json_option
from sfa_engine.cli.terminal import one_line, print_json
from sfa_engine.cli.time_param import TIME
from sfa_engine.errors import Refused
from sfa_engine.system.user_path import real_path, user_path

_BANK = click.option("--bank", type=int, help="First of a bank's pads, 1 to 4, instead of --pad.")
_PAD = click.option("--pad", type=int, help="First pad; that of bank 1 if left out.")
_STEM = click.argument("stem", default="all")


@click.group()
def pad() -> None:
    """The sampler's pads: load sounds, slice tracks, list. Play one with `sfa press pad1.hit`."""


@pad.command()
@click.argument("number", metavar="PAD", type=int)
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--label", default="", help="What the pad is called; the file's name if left out.")
@click.option("--color", default="", help="As #rrggbb.")
def load(number: int, file: Path, label: str, color: str) -> None:
    """Put a sound file on a pad: `sfa pad load 1 kick.wav`."""
    path = str(real_path(user_path(file)))
    with connect() as client:
        said = client.call("pad.load", pad=number, path=path, label=label, color=color)
    click.echo(_line(said))


@pad.command("slice")
@click.argument("source", metavar="DECK|TRACK")
@_STEM
@click.option("--by", type=click.Choice(["beat", "onset"]), default="beat", show_default=True)
@click.option("--count", type=int, default=16, show_default=True, help="Slices, one a pad.")
@click.option("--beats", type=float, default=1.0, show_default=True, help="Length, with --by beat.")
@click.option("--from", "start", type=TIME, help="Where the first begins, as 1:01.5.")
@_BANK
@_PAD
@json_option
def slice_(
    source: str,
    stem: str,
    by: str,
    count: int,
    beats: float,
    start: float | None,
    bank: int | None,
    pad: int | None,
    as_json: bool,
) -> None:
    """Put slices of a stem on pads: `sfa pad slice 1 drums --by onset --bank 2`.

    The track is a deck's, or one that words find in the library; the stem is a name, or `all`.
    Without --from a deck is sliced from its loop on, or from where it is.
    """
    if bank is not None and pad is not None:
        raise Refused("--bank and --pad name two places", "give one of them")
    where: dict[str, Any] = {"bank": bank} if bank is not None else {"pad": pad or 1}
    what: dict[str, Any] = {"deck": int(source)} if source.isdecimal() else {"track": source}
    with connect() as client:
        said = client.call(
            "pad.slice", **what, **where, stem=stem, by=by, count=count, beats=beats, start_s=start
        )["pads"]
    if as_json:
        print_json(said)
        return
    for each in said:
        click.echo(_line(each))
    if len(said) < count:
        click.echo(f"{len(said)} of {count}: the track has no more", err=True)


@pad.command()
@click.argument("number", metavar="PAD", type=int)
@click.argument("deck", type=int)
@_STEM
def loop(number: int, deck: int, stem: str) -> None:
    """Put the loop of a deck on a pad: `sfa pad loop 5 1 vocals`."""
    with connect() as client:
        click.echo(_line(client.call("pad.loop", pad=number, deck=deck, stem=stem)))


@pad.command()
@click.argument("number", metavar="PAD", type=int)
@click.option("--from", "source", default="", help="master, deck1, deck1.drums …")
@click.option("--bars", type=float, help="How many; may be less than one.")
@json_option
def capture(number: int, source: str, bars: float | None, as_json: bool) -> None:
    """Put the last bars that were played on a pad: `sfa pad capture 5 --from deck1.drums --bars 2`.

    Without an option they are those of `sampler.capture_from` and `sampler.capture_bars`. The pad
    loops them from the next bar on when it is hit, and keeps to the tempo.
    """
    with connect() as client:
        said = client.call("pad.capture", pad=number, source=source, bars=bars)
    if as_json:
        print_json(said)
        return
    click.echo(_line(said))


@pad.command()
@click.argument("number", metavar="PAD", type=int, required=False)
@click.option("--bank", type=int, help="All pads of a bank.")
@click.option("--all", "every", is_flag=True, help="All pads.")
def clear(number: int | None, bank: int | None, every: bool) -> None:
    """Take the sound off a pad, off a bank's pads, or off all."""
    with connect() as client:
        client.call("pad.clear", pad=number, bank=bank, all=every)


@pad.command("list")
@json_option
def list_(as_json: bool) -> None:
    """List what is on the pads."""
    with connect() as client:
        pads = client.call("pad.list")
    if as_json:
        print_json(pads)
        return
    used = [each for each in pads if each["loaded"] or each["error"]]
    for each in used:
        click.echo(_line(each))
    if not used:
        click.echo("no pad has a sound; load one: sfa pad load PAD FILE", err=True)


def _line(pad: dict[str, Any]) -> str:
    """Return a pad as a line: ``pad 3: kick, 0.412 s, /music/kick.wav``."""
    name = f"pad {pad['pad']}: "
    if pad["error"]:
        return one_line(f"{name}empty, {pad['error']}")
    length = f"{pad['seconds']:.3f} s"
    place = f"{pad['path']} {' '.join(pad['stems'])}".strip()
    return one_line(name + ", ".join(filter(None, (pad["label"], length, place))))
