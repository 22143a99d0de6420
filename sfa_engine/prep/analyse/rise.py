"""Builds: what rises bar by bar and stops at once, where a drop begins.

Kick and bass may go on through a build, so levels alone do not show it. Four things do:

- noise or a roll that fills the gaps between the drums more and more, and is gone after it;
- treble or middle that swell and fall back;
- a filter that opens, and a step on top of it;
- a bass that is thinned out and returns.

A single step is no rise: of each bar's change at most `_STEP_DB` count, and the largest not at
all. A sweep of a filter or of noise is 3 dB a bar or more, fills and new layers are one step.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from sfa_engine.prep.analyse.onset import FRAME_HZ, Onsets
from sfa_engine.prep.analyse.smooth import Floats, Ints, highest

LENGTHS_BARS = (4, 6, 8, 12, 16)  # of builds
_QUARTERS = 4  # of a bar
_POINTS = 32  # in a quarter, of which a fifth is the floor
_FLOOR_DB = -60.0
_STEP_DB = 5.0  # of a bar's change
_GAP_DB = 8.0  # a bar so much softer is a pause before the drop
_LONG_BARS = 8  # in a longer time more may rise by chance
_AFTER_BARS = 4
_FALLS_DB = 3.0  # what stays so near does not fall
_APART_BARS = 3  # between two ends
_FILLED = ("mid", "snare", "high")  # bands whose gaps a roll or noise fills
_SWELLING = ("mid", "snare", "high")


@dataclass(frozen=True, slots=True)
class Rises:
    """Where something rises, and stops.

    Parameters
    ----------
    ends : float64[bars + 1]
        How surely a build ends where each bar begins, 0..1; less a bar beside a better place, and
        0 near one.
    bars : int64[bars + 1]
        How many bars it rises there.
    """

    ends: Floats
    bars: Ints


def find_rises(onsets: Onsets, bars_s: Floats) -> Rises:
    """Return where builds end.

    Parameters
    ----------
    onsets : Onsets
    bars_s : float64[bars + 1]
        Where each bar begins, and where the last one ends.

    Returns
    -------
    Rises
        Of each bar, and of the track's end.
    """
    floors, means, level = _describe(onsets, bars_s)
    return rises_of(floors, means, level)


def rises_of(floors: dict[str, Floats], means: dict[str, Floats], level_db: Floats) -> Rises:
    """Return where builds end.

    Parameters
    ----------
    floors : dict of str to float64[bars]
        Level in dB between the attacks, of each band.
    means : dict of str to float64[bars]
        Mean level in dB of each band.
    level_db : float64[bars]
        Of all bands.

    Returns
    -------
    Rises
        Of each bar, and of the track's end.
    """
    n = len(level_db)
    best, length = np.zeros(n + 1), np.zeros(n + 1, np.int64)
    place = np.zeros(n + 1)
    if n < LENGTHS_BARS[0] + 2:
        return Rises(best, length)
    pause = np.append(False, level_db[1:] < level_db[:-1] - _GAP_DB)
    floors = {name: _without_pauses(curve, pause) for name, curve in floors.items()}
    swell = {name: _without_pauses(curve, pause) for name, curve in means.items()}
    louder, returns = _step(level_db), _step(means["low"])
    filled = [(floors[name], _fall(floors[name])) for name in _FILLED]
    swelling = [(swell[name], _fall(swell[name]), _step(means[name])) for name in _SWELLING]
    for bars in LENGTHS_BARS:
        more = max(1.0, bars / _LONG_BARS) ** 0.25
        kinds = []
        for floor, fall in filled:
            kinds.append((_ramp(_rise(floor, bars) / more, 4, 10) * _ramp(fall, 2, 6), fall))
        for curve, fall, step in swelling:
            rise = _rise(curve, bars) / more
            kinds.append((_ramp(rise, 4, 9) * _ramp(fall, 1, 4), fall))
            on_top = np.maximum(_ramp(louder, 0.5, 2), _ramp(step, 3, 9))
            kinds.append((_ramp(rise, 4, 10) * on_top * (fall < _FALLS_DB), step))
        thinner = _rise(-swell["low"], bars) / more
        kinds.append((_ramp(thinner, 4, 10) * _ramp(returns, 3, 9), returns))
        for found, size in kinds:
            place = np.maximum(place, found * (size + np.maximum(louder, 0)))
            length = np.where(found > best * 1.1 + 1e-9, bars, length)
            best = np.maximum(best, found)
    top = highest(place, 2 * _APART_BARS + 1)
    beside = highest(np.where((place >= top) & (place > 0), 1.0, 0.0), 3)
    return Rises(best * beside * np.maximum(place, 0) / np.maximum(top, 1e-9), length)


def _describe(
    onsets: Onsets, bars_s: Floats
) -> tuple[dict[str, Floats], dict[str, Floats], Floats]:
    """Return the floor and the mean of each band in each bar, and the level of all, in dB."""
    bars = len(bars_s) - 1
    count = bars * _QUARTERS * _POINTS
    at_s = np.interp((np.arange(count) + 0.5) / (_QUARTERS * _POINTS), np.arange(bars + 1), bars_s)
    rows = np.clip((at_s * FRAME_HZ).astype(int), 0, onsets.ms - 1)
    floors, means, total = {}, {}, np.zeros(bars)
    for name, level in onsets.levels.items():
        quarters = level[rows].astype(np.float64).reshape(bars, _QUARTERS, _POINTS)
        lowest = np.sort(quarters, axis=2)[:, :, _POINTS // 5]
        floor = np.sort(lowest, axis=1)[:, -2]  # one may hold a cymbal, others a pause
        floors[name] = np.maximum(20 * np.log10(floor + 1e-9), _FLOOR_DB)
        power = (quarters**2).mean(axis=(1, 2))
        means[name] = np.maximum(10 * np.log10(power + 1e-9), _FLOOR_DB)
        total += power
    return floors, means, np.maximum(10 * np.log10(total + 1e-9), _FLOOR_DB)


def _without_pauses(curve: Floats, pause: Floats) -> Floats:
    """Return a curve in which a bar of pause is as the one before."""
    held = np.maximum.accumulate(np.where(pause, 0, np.arange(len(curve))))
    kept: Floats = curve[held]
    return kept


def _rise(curve: Floats, bars: int) -> Floats:
    """Return how far a curve has risen gradually in the bars before each: float64[bars + 1]."""
    n = len(curve)
    rise = np.zeros(n + 1)
    if n < bars:
        return rise
    steps = np.clip(np.diff(curve), -_STEP_DB, _STEP_DB)
    each = np.lib.stride_tricks.sliding_window_view(steps, bars - 1)
    rise[bars:] = each.sum(axis=1) - np.maximum(each.max(axis=1), 0)
    highest_before = np.lib.stride_tricks.sliding_window_view(curve, bars).max(axis=1)
    rise[bars:] -= np.maximum(highest_before - curve[bars - 1 :], 0)
    return rise


def _fall(curve: Floats) -> Floats:
    """Return how far a curve falls from the bar before each to those after it."""
    n = len(curve)
    fall = np.zeros(n + 1)
    if n > 3:  # a cymbal may fill the first
        after = np.lib.stride_tricks.sliding_window_view(
            np.append(curve[3:], np.full(_AFTER_BARS - 1, np.nan)), _AFTER_BARS
        )
        fall[2 : n - 1] = curve[1 : n - 2] - np.nanmedian(after, axis=1)
    return fall


def _step(curve: Floats) -> Floats:
    """Return how far a curve steps up from the bar before each to that and the next."""
    step = np.zeros(len(curve) + 1)
    step[1:-2] = (curve[1:-1] + curve[2:]) / 2 - curve[:-2]
    return step


def _ramp(value: Floats, none: float, full: float) -> Floats:
    ramp: Floats = np.clip((value - none) / (full - none), 0, 1)
    return ramp
