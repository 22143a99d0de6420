"""How loud a blend will be, and the fades and trims that keep it even.

Of each track the power of three seconds is known twice a second. Both are faded with equal power
between places that are searched for; where the sum would still stand out, both are trimmed down.

::

    in   ─╮     ╭────────────        rise: bars the incoming track takes to come in
    out  ─┴──╮──┴────╮               fall: bars the outgoing one takes to go, until the end
             exchange ╰──────
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from sfa_engine.mix.basses import Exchange
from sfa_engine.mix.candidate import Candidate
from sfa_engine.mix.timeline import Timeline

Floats = NDArray[np.float64]

STEP_S = 0.5
PLATEAU_BARS = 8  # before and after, between whose levels the straight line runs
MOST_OVER_LINE_DB, MOST_OVER_LOUDER_DB, LEAST_DB = 2.0, 1.5, -3.0
MARGIN_DB = 0.7  # kept to these: the curves are of whole tracks, and of three seconds
# K-weighted level of a full mix without its lows, by equaliser and by stems: of two tracks.
NO_BASS_DB = {False: -2.0, True: -1.5}
DRUMS_ALONE_DB = -3.0  # of a full mix
SHORTER_PRICE = 0.4  # for each step of a shorter fade
TRIM_BARS = 4  # between two places of the trim
MOST_TRIM_DB = 6.0


class Shape(NamedTuple):
    """The fades and trims of a blend, and what they come to.

    Parameters
    ----------
    rise, fall : int
        Bars that the incoming track takes to come in, from the beginning, and that the outgoing
        one takes to go, until the end.
    trim_db : tuple of float
        Of both, at each `TRIM_BARS` from the beginning to the end; 0 at both ends.
    over_line_db, over_louder_db, under_louder_db : float
        Highest level over the straight line; highest and lowest against the louder track.
    step_db : float
        Level after against before.
    """

    rise: int
    fall: int
    trim_db: tuple[float, ...]
    over_line_db: float
    over_louder_db: float
    under_louder_db: float
    step_db: float

    @property
    def violation_db(self) -> float:
        """By how many decibels the goals are missed, added up."""
        return (
            max(0.0, self.over_line_db - MOST_OVER_LINE_DB)
            + max(0.0, self.over_louder_db - MOST_OVER_LOUDER_DB)
            + max(0.0, LEAST_DB - self.under_louder_db)
        )


class Levels(NamedTuple):
    """Levels around a blend, for all its shapes.

    Parameters
    ----------
    bar : float64[steps]
        Place of each half second, in bars from the beginning.
    out, into : float64[steps]
        Power of each track at the gains that are planned.
    line_db : float64[steps]
        The straight line.
    step_db : float
    """

    bar: Floats
    out: Floats
    into: Floats
    line_db: Floats
    step_db: float


def levels_of(
    out: Timeline,
    into: Timeline,
    each: Candidate,
    rates: tuple[float, float],
    trims_db: tuple[float, float],
) -> Levels:
    """Return the levels of both tracks in a blend.

    Parameters
    ----------
    out, into : Timeline
    each : Candidate
    rates : (float, float)
        Speed of both.
    trims_db : (float, float)
        Trims of both.
    """
    start, end = float(out.edges_s[each.out_bar]), float(out.edges_s[each.out_bar + each.bars])
    begin = float(into.edges_s[each.in_bar])
    finish = float(into.edges_s[each.in_bar + each.in_bars])
    length = (end - start) / rates[0]
    share = (np.arange(0.0, length, STEP_S) + STEP_S / 2) / length
    gains = [10 ** (trim / 10) for trim in trims_db]
    per_bar = (end - start) / each.bars
    before = out.loudness_db(max(0.0, start - PLATEAU_BARS * per_bar), start) + trims_db[0]
    in_bar = (finish - begin) / each.in_bars
    after = into.loudness_db(finish, finish + PLATEAU_BARS * in_bar) + trims_db[1]
    return Levels(
        share * each.bars,
        gains[0] * out.power_at(start + share * (end - start)),
        gains[1] * into.power_at(begin + share * (finish - begin)),
        before + share * (after - before),
        after - before,
    )


def best_shape(
    levels: Levels,
    bars: int,
    exchange: Exchange,
    *,
    cuts_db: tuple[float, float],
    drums_until: float,
    known: bool,
) -> Shape:
    """Return the fades and trims that keep a blend most even.

    Parameters
    ----------
    levels : Levels
    bars : int
        Of the blend.
    exchange : Exchange
    cuts_db : (float, float)
        Level of both tracks without their lows.
    drums_until : float
        Bar up to which only drums of the incoming track sound.
    known : bool
        Whether the loudness of both is known; if not, the longest fades are taken.
    """
    rises = _steps(exchange.bar or bars)
    falls = _steps((bars - exchange.bar) or min(4, bars))
    if exchange.bar == 0:
        rises = _steps(min(4, bars)) if not exchange.needed else [1, 0]
    quiet = _Quieter(exchange, cuts_db, drums_until)
    if not known:
        return _shape(levels, bars, rises[0], falls[0], quiet, trimmed=False)
    best, least = None, np.inf
    for n, rise in enumerate(rises):
        for m, fall in enumerate(falls):
            shape = _shape(levels, bars, rise, fall, quiet, trimmed=True)
            price = shape.violation_db + SHORTER_PRICE * (n + m)
            if price < least - 1e-9:
                best, least = shape, price
    assert best is not None
    return best


class _Quieter(NamedTuple):
    """What both tracks lack in a blend; see `best_shape`."""

    exchange: Exchange
    cuts_db: tuple[float, float]
    drums_until: float


def _steps(longest: int) -> list[int]:
    """Return lengths of a fade to try, the longest first."""
    return sorted({longest, *(n for n in (8, 4, 1, 0) if n < longest)}, reverse=True)


def _shape(
    levels: Levels, bars: int, rise: int, fall: int, quieter: _Quieter, *, trimmed: bool
) -> Shape:
    """Return what fades come to, trimmed where their sum would stand out."""
    bar = levels.bar
    up = np.sin(np.pi / 2 * np.clip(bar / rise, 0, 1)) if rise else np.ones(len(bar))
    late = np.clip((bar - (bars - fall)) / fall, 0, 1) if fall else np.zeros(len(bar))
    down = np.cos(np.pi / 2 * late)
    exchange, cuts = quieter.exchange, quieter.cuts_db
    if exchange.needed:
        up = up * np.where(bar < exchange.bar, 10 ** (cuts[1] / 20), 1.0)
        down = down * np.where(bar >= exchange.bar, 10 ** (cuts[0] / 20), 1.0)
    up = up * np.where(bar < quieter.drums_until, 10 ** (DRUMS_ALONE_DB / 20), 1.0)
    summed = 10 * np.log10(np.maximum(levels.out * down**2 + levels.into * up**2, 1e-10))
    louder = 10 * np.log10(np.maximum(np.maximum(levels.out, levels.into), 1e-10))
    knots = np.linspace(0, bars, max(1, round(bars / TRIM_BARS)) + 1)
    trim = np.zeros(len(knots))
    if trimmed:
        limit = np.maximum(
            np.minimum(levels.line_db + MOST_OVER_LINE_DB, louder + MOST_OVER_LOUDER_DB)
            - MARGIN_DB,
            louder + LEAST_DB + MARGIN_DB,
        )
        over = np.maximum(summed - limit, 0.0)
        width = knots[1] - knots[0]
        for k in range(1, len(knots) - 1):
            near = over[np.abs(bar - knots[k]) <= width]
            trim[k] = -min(MOST_TRIM_DB, float(near.max(initial=0.0)))
        trim = np.floor(2 * trim + 0.4) / 2 + 0.0  # in steps of 0.5 dB; up to 0.2 is inaudible
        summed = summed + np.interp(bar, knots, trim)
    return Shape(
        rise,
        fall,
        tuple(float(t) for t in trim),
        round(float(np.max(summed - levels.line_db)), 2),
        round(float(np.max(summed - louder)), 2),
        round(float(np.min(summed - louder)), 2),
        round(levels.step_db, 2),
    )
