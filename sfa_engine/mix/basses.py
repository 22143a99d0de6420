"""Two basses: at which bar of a blend the outgoing one hands over to the incoming one."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from sfa_engine.mix.candidate import Candidate
from sfa_engine.mix.timeline import SECTION, Timeline

STEP_BARS = 4
SHORT_STEP_BARS = 2  # in a blend of four bars
OF_BORDER = 0.6  # bars without a bass that a border of the incoming track is worth


class Exchange(NamedTuple):
    """Where the basses are exchanged.

    Parameters
    ----------
    bar : int
        Of the blend: before it the incoming bass is out, from it on the outgoing one.
    needed : bool
        Whether both would have sounded at once.
    empty_bars : int
        Bars in which one of them plays but is muted, and the other does not play.
    """

    bar: int
    needed: bool
    empty_bars: int


def settle_basses(out: Timeline, into: Timeline, each: Candidate) -> Exchange:
    """Return where the basses of a blend are exchanged: where the least of them is missed.

    Parameters
    ----------
    out, into : Timeline
    each : Candidate

    Returns
    -------
    Exchange
        On a half phrase of the blend.
    """
    bars = np.arange(each.bars)
    one = out.bass[each.out_bar + bars]
    other = into.bass[each.in_bar + bars * each.in_bars // each.bars]
    step = STEP_BARS if each.bars > STEP_BARS else SHORT_STEP_BARS

    alone = np.concatenate([[0], np.cumsum(other & ~one)])
    left = np.concatenate([[0], np.cumsum(one & ~other)])

    def empty(bar: int) -> int:
        return int(alone[bar] + left[-1] - left[bar])

    def price(bar: int) -> tuple[float, float]:
        at = each.in_bar + bar * each.in_bars // each.bars
        inside = 0 < bar < each.bars and into.border[at] == SECTION
        off_middle = abs(2 * bar / each.bars - 1)
        return empty(bar) + off_middle - (OF_BORDER if inside else 0.0), float(bar)

    bar = min(range(0, each.bars + 1, step), key=price)
    return Exchange(bar, bool((one & other).any()), empty(bar))
