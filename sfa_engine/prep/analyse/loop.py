"""Loops of whole bars: where a stem plays, and its end leads back to its beginning.

The bar after a loop is what its end leads to in the track. If that bar is like the loop's first,
in the level of four bands on each sixteenth, the jump back is not heard.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from sfa_engine.prep.analyse.levels import Levels
from sfa_engine.prep.analyse.onset import FRAME_HZ
from sfa_engine.prep.analyse.smooth import Floats, totals
from sfa_engine.prep.analyse.structure import Section

LENGTHS_BARS = (16, 8, 4)
_STEPS = 16  # of a bar
_FLOOR_DB = -40.0  # below a band's loud level, all is silence
_ACTIVE_DB = -20.0  # a bar that plays, against the stem's loud bars
_LEAST = 1e-3  # -60 dB: a stem that never is louder does not play
_ALIKE_DB = 2.5  # mean difference of the steps of two bars that sound alike
_START_BARS = 4  # from a section's start, in steps of that


@dataclass(frozen=True, slots=True)
class Loop:
    """Bars that may go round.

    Parameters
    ----------
    first : int
        Number of its first bar.
    bars : int
        How many, 4, 8 or 16.
    """

    first: int
    bars: int


@dataclass(frozen=True, slots=True)
class Steps:
    """What the bars of a stem are like.

    Parameters
    ----------
    levels_db : float64[bars, 64]
        Level of each of four bands on each sixteenth.
    loudness : float64[bars]
    """

    levels_db: Floats
    loudness: Floats


def find_loops(steps: Steps, sections: list[Section], bars_s: Floats) -> list[Loop]:
    """Return the best loop of each length in a stem, longest first.

    Parameters
    ----------
    steps : Steps
        Of the stem.
    sections : list of Section
    bars_s : float64[bars + 1]

    Returns
    -------
    list of Loop
        At most one of each length; none where nothing goes round cleanly.
    """
    bars = len(bars_s) - 1
    if bars <= LENGTHS_BARS[-1]:
        return []
    loudness = steps.loudness
    if loudness.max() < _LEAST:
        return []
    plays = loudness > np.percentile(loudness, 90) * 10 ** (_ACTIVE_DB / 20)
    alike, places = steps.levels_db, _places(sections, bars_s)
    found = []
    for length in LENGTHS_BARS:
        best = (_ALIKE_DB, 0)
        for first, end in places:
            if first + length > end or first + length >= bars:
                continue
            apart = float(np.abs(alike[first] - alike[first + length]).mean())
            if plays[first : first + length + 1].all() and apart < best[0] - 0.1:
                best = (apart, first)
        if best[0] < _ALIKE_DB:
            found.append(Loop(best[1], length))
    return found


def _places(sections: list[Section], bars_s: Floats) -> list[tuple[int, int]]:
    """Return where a loop may begin, and the bar its section ends with."""
    places = []
    for section in sections:
        first = int(np.argmin(np.abs(bars_s - section.start_s)))
        end = int(np.argmin(np.abs(bars_s - section.end_s)))
        places += [(start, end) for start in range(first, end, _START_BARS)]
    return places


def describe(levels: Levels, bars_s: Floats) -> Steps:
    """Return what the bars of a stem are like; none where there is no bar.

    Parameters
    ----------
    levels : Levels
    bars_s : float64[bars + 1]
    """
    bars = max(0, len(bars_s) - 1)
    if not bars:
        return Steps(np.zeros((0, 4 * _STEPS)), np.zeros(0))
    count = len(levels["low"])
    edges_s = np.interp(np.arange(bars * _STEPS + 1) / _STEPS, np.arange(bars + 1), bars_s)
    edges = np.clip((edges_s * FRAME_HZ).astype(int), 0, count - 1)
    rows = []
    power = np.zeros(bars)
    width = np.maximum(np.diff(edges), 1)
    for level in levels.values():
        first, last = totals(level, np.stack([edges[:-1], edges[:-1] + width]), power=2)
        mean = (last - first) / width
        power += mean.reshape(bars, _STEPS).mean(axis=1)
        decibels = 10 * np.log10(mean / (np.percentile(mean, 95) + 1e-12) + 1e-12)
        rows.append(np.clip(decibels, _FLOOR_DB, 0).reshape(bars, _STEPS))
    return Steps(np.concatenate(rows, axis=1), np.sqrt(power))
