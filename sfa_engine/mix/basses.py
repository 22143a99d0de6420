"""Two basses: at which bar of a blend the outgoing one hands over to the incoming one.

::

    outgoing   ▂ ▂ ▂ ▂ ▂ ▂ ▂ ▂│                  empty: a bass pauses, and the other one is muted
    incoming                  │▂ ▂ ▂ ▂ ▂ ▂ ▂ ▂   weak: one without its lows is all that is loud
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from sfa_engine.mix.band_levels import STEPS
from sfa_engine.mix.candidate import Candidate
from sfa_engine.mix.timeline import SECTION, Timeline

STEP_BARS = 4
SHORT_STEP_BARS = 2  # in a blend of four bars
OF_BORDER = 0.6  # bars without a bass that a border of the incoming track is worth
AT_END = 1.0  # bars without a bass that an exchange within the blend is worth
FREE_EMPTY_BARS = 0.75  # without a bass that cost little: one is the most
EMPTY_PRICE, WEAK_PRICE = 4.0, 2.0  # bars without a bass that one more is worth, and a decibel
LEAST_DB = -2.5  # of a blend against the louder track


class Exchange(NamedTuple):
    """Where the basses are exchanged.

    Parameters
    ----------
    bar : int
        Of the blend: before it the incoming bass is out, from it on the outgoing one.
    needed : bool
        Whether both would have sounded at once.
    empty_bars : float
        Bars in which one of them plays but is muted, and the other does not play.
    weak_db : float
        By how much the sum of both, one without its lows, is too weak at its weakest.
    """

    bar: int
    needed: bool
    empty_bars: float
    weak_db: float = 0.0


def settle_basses(
    out: Timeline,
    into: Timeline,
    each: Candidate,
    trims_db: tuple[float, float] = (0.0, 0.0),
    bar: int | None = None,
) -> Exchange:
    """Return where the basses of a blend are exchanged: where the least of them is missed.

    Parameters
    ----------
    out, into : Timeline
    each : Candidate
    trims_db : (float, float)
        Trims of both tracks.
    bar : int, optional
        The only place that it may have; without it, any half phrase of the blend.
    """
    bars = np.arange(each.bars)
    in_bars = each.in_bar + bars * each.in_bars // each.bars
    needed = bool((out.bass[each.out_bar + bars] & into.bass[in_bars]).any())
    step = STEP_BARS if each.bars > STEP_BARS else SHORT_STEP_BARS
    places = np.arange(0, each.bars + 1, step) if bar is None else np.array([bar])
    empty = _empty_bars(out, into, each)[places * STEPS]
    weak = _weak_db(out, into, each, in_bars, trims_db)[places] if needed else 0.0 * places
    at = each.in_bar + places * each.in_bars // each.bars
    within = (places > 0) & (places < each.bars)
    price = (
        empty
        + EMPTY_PRICE * np.maximum(empty - FREE_EMPTY_BARS, 0.0)
        + WEAK_PRICE * weak
        + np.abs(2 * places / each.bars - 1)
        + AT_END * (~within & needed)
        - OF_BORDER * (within & (into.border[at] == SECTION))
    )
    best = int(np.argmin(np.round(price, 6)))
    return Exchange(int(places[best]), needed, float(empty[best]), float(weak[best]))


def _empty_bars(out: Timeline, into: Timeline, each: Candidate) -> NDArray[np.float64]:
    """Return the bars without a bass, for an exchange at each sixteenth: float64[steps + 1]."""
    steps = np.arange(each.bars * STEPS)
    one = out.bass_steps[each.out_bar * STEPS + steps]
    other = into.bass_steps[each.in_bar * STEPS + steps * each.in_bars // each.bars]
    alone = np.concatenate([[0], np.cumsum(other & ~one)])
    left = np.concatenate([[0], np.cumsum(one & ~other)])
    empty: NDArray[np.float64] = (alone + left[-1] - left) / STEPS
    return empty


def _weak_db(
    out: Timeline,
    into: Timeline,
    each: Candidate,
    in_bars: NDArray[np.int64],
    trims_db: tuple[float, float],
) -> NDArray[np.float64]:
    """Return by how much the sum is too weak, for an exchange at each bar: float64[bars + 1]."""
    span = slice(each.out_bar, each.out_bar + each.bars)
    one = out.bar_power[span] * 10 ** (trims_db[0] / 10)
    other = into.bar_power[in_bars] * 10 ** (trims_db[1] / 10)
    least = np.maximum(np.maximum(one, other), 1e-10) * 10 ** (LEAST_DB / 10)
    before = least / np.maximum(one + other * (1 - into.lows[in_bars]), 1e-10)
    after = least / np.maximum(other + one * (1 - out.lows[span]), 1e-10)
    worst = np.maximum(
        np.concatenate([[1.0], np.maximum.accumulate(before)]),
        np.concatenate([np.maximum.accumulate(after[::-1])[::-1], [1.0]]),
    )
    weak: NDArray[np.float64] = 10 * np.log10(np.maximum(worst, 1.0))
    return weak
