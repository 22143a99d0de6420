"""Two keys: what is done in a blend so that tonal material of both does not clash."""

from __future__ import annotations

from typing import Literal, NamedTuple

import numpy as np

from sfa_engine.mix import wheel
from sfa_engine.mix.candidate import Candidate
from sfa_engine.mix.facts import DRUMS
from sfa_engine.mix.timeline import Timeline

CLASH_BARS = 4  # of tonal material that two keys may clash for
DRUMS_SHARE = 0.5  # of the bars in which drums alone have to sound
Way = Literal["fits", "apart", "exchange", "drums", "shift", "short"]
PRICES: dict[Way, float] = {
    "fits": 0.0, "apart": 0.0, "exchange": 2.0, "drums": 3.0, "shift": 5.0, "short": 8.0,
}  # fmt: skip


class Harmony(NamedTuple):
    """What is done about the keys.

    Parameters
    ----------
    way : str
        ``fits``: they do. ``apart``: pitched material of both never sounds at once.
        ``exchange``: pitched stems are exchanged with the basses. ``drums``: of the incoming track
        only the drums sound until the end. ``shift``: the incoming track is shifted. ``short``:
        they clash for four bars at most.
    grade : float
        Of the audible keys, 0.1..1.
    shift_st : int
        Semitones that the incoming track is shifted by, beyond nothing.
    """

    way: Way
    grade: float
    shift_st: int = 0


def ways_of_keys(
    out: Timeline,
    into: Timeline,
    each: Candidate,
    *,
    pitch_st: int = 0,
    exchange_bar: int,
    may_shift: bool = True,
) -> list[Harmony]:
    """Return what may be done about the keys of a blend, the best first; nothing is a veto.

    Parameters
    ----------
    out, into : Timeline
    each : Candidate
    pitch_st : int
        By how many semitones the outgoing track is shifted.
    exchange_bar : int
        Where the basses are exchanged.
    may_shift : bool

    Returns
    -------
    list of Harmony
        Each with the grade of the audible keys.
    """
    code = out.facts.camelot
    audible = wheel.shifted(code, pitch_st) if code else None
    other = into.facts.camelot
    grade = wheel.grade(audible, other)
    if grade >= wheel.CLASH or audible is None or other is None:
        return [Harmony("fits", grade)]
    bars = np.arange(each.bars)
    one = out.tonal[each.out_bar + bars]
    second = into.tonal[each.in_bar + bars * each.in_bars // each.bars]
    if not (one & second).any():
        return [Harmony("apart", grade)]
    ways: list[Harmony] = []
    if DRUMS in into.facts.stems:
        drums = into.drums[each.in_bar + bars * each.in_bars // each.bars]
        if DRUMS in out.facts.stems and 0 < exchange_bar < each.bars:
            both = drums[:exchange_bar].mean(), out.drums[each.out_bar + bars][exchange_bar:].mean()
            if min(both) >= DRUMS_SHARE:
                ways.append(Harmony("exchange", grade))
        if drums.mean() >= DRUMS_SHARE:
            ways.append(Harmony("drums", grade))
    if may_shift:
        for shift in (-1, 1):
            better = wheel.grade(audible, wheel.shifted(other, shift))
            if better >= wheel.NEAR:
                ways.append(Harmony("shift", better, shift))
    if int((one & second).sum()) <= CLASH_BARS:
        ways.append(Harmony("short", grade))
    return sorted(ways, key=lambda way: PRICES[way.way])
