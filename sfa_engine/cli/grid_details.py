"""A track's grid on the terminal: its tempo, how sure the analysis is, and what else it may be."""

from __future__ import annotations

import re
from collections.abc import Iterator
from fractions import Fraction
from typing import Any

import click

from sfa_engine.errors import Refused
from sfa_engine.system.timecode import clock

PART = ("name", "grid", "check_grid", "confidence", "confidences", "alternatives", "variable")
_BEATS = re.compile(r"[+-]?(?:[0-9]{1,3}(?:\.[0-9]{1,6})?|\.[0-9]{1,6}|[0-9]{1,3}/[1-9][0-9]{0,2})")


class Beats(click.ParamType[float]):
    """A number of beats, as `0.5`, `-1` or `1/2`."""

    name = "beats"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> float:
        """Return the value as a number."""
        del param, ctx
        if isinstance(value, float | int):
            return float(value)
        text = str(value).strip().replace("±", "")
        if not _BEATS.fullmatch(text):
            raise Refused(f'invalid number of beats "{value:.40}"', "give 0.5, -1 or 1/2")
        return float(Fraction(text))


BEATS = Beats()


def grid_part(track: dict[str, Any]) -> dict[str, Any]:
    """Return what ``library.show`` says of a track's grid."""
    return {name: track[name] for name in PART if name in track}


def tempo_words(track: dict[str, Any]) -> str:
    """Return tempo, origin and bar of a track's grid: ``120.000 BPM (analysed), 4 a bar``."""
    grid = track["grid"]
    how = "by hand" if grid["by_hand"] else "analysed"
    doubt = "; check the grid" if track.get("check_grid") else ""
    varies = ", varies" if track.get("variable") else ""
    return f"{grid['bpm']:.3f} BPM{varies} ({how}{doubt}), {grid['beats_per_bar']} a bar"


def grid_lines(track: dict[str, Any]) -> Iterator[str]:
    """Describe a grid, its confidences and alternatives, as `grid_part` has them.

    Yields
    ------
    str
        A line.
    """
    yield track["name"]
    if not track["grid"]:
        yield "  no grid; `--bpm` and `--downbeat` set one"
        return
    first = clock(track["grid"]["first_downbeat_s"], 3)
    yield f"  {tempo_words(track)}, first downbeat at {first}"
    if track.get("confidence") is not None:
        parts = ", ".join(f"{name} {value:.2f}" for name, value in track["confidences"].items())
        yield f"  confidence {track['confidence']:.2f}" + (f" ({parts})" if parts else "")
    for number, each in enumerate(track.get("alternatives", ()), 1):
        words = each["change"].replace("_", " ")
        yield f"  {number}  {words}: {each['bpm']:.3f} BPM, score {each['score']:.2f}"
    if track.get("alternatives"):
        yield "  take one with `--take NUMBER`"
