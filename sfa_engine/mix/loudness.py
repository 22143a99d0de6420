"""How loud a blend will be, and the fades and trims that keep it even.

Of each track the power of half seconds is known, and how much of it are lows, drums and the rest.
Both are faded with equal power between places that are searched for; what is measured is the power
of three seconds. Where the sum would still stand out, both are trimmed down; where it would be weak
beside the louder of both, they are raised, slowly enough not to be noticed.

::

    in   ─╮     ╭────────────        rise: bars the incoming track takes to come in
    out  ─┴──╮──┴────╮               fall: bars the outgoing one takes to go, until the end
             exchange ╰──────
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from sfa_engine.mix.basses import Exchange
from sfa_engine.mix.candidate import Candidate
from sfa_engine.mix.timeline import SMOOTH_S, Timeline

Floats = NDArray[np.float64]

STEP_S = 0.5
REACH = round(SMOOTH_S / STEP_S)  # steps of the short-term loudness
PLATEAU_BARS = 8  # before and after, between whose levels the straight line runs
MOST_OVER_LINE_DB, MOST_OVER_LOUDER_DB, LEAST_DB = 2.0, 1.5, -3.0
# Kept to these: each deck is predicted within 1 dB, but kicks at the same time add up by more than
# their powers, by 0.9 dB at most of 36 pairs.
OVER_MARGIN_DB, UNDER_MARGIN_DB = 1.2, 0.9
FREE_DB = 0.2  # of these margins that may be used without a price
SHORTER_PRICE = 0.4  # for each step of a shorter fade
VIOLATION_PRICE = 4.0  # a decibel
TRIM_BARS = 4  # between two places of the trim
MOST_TRIM_DB = 6.0  # down
MOST_RAISE_DB = 3.0
RAISE_DB = 1.0  # from one place of the trim to the next, where nothing else hides it
_LOWS, _KIT, _REST = 0, 1, 2
_LEAST = 1e-10


class Shape(NamedTuple):
    """The fades and trims of a blend, and what they come to.

    Parameters
    ----------
    rise, fall : int
        Bars that the incoming track takes to come in, from the beginning, and that the outgoing
        one takes to go, until the end.
    out_trim_db, in_trim_db : tuple of float
        At each `TRIM_BARS` from the beginning to the end; 0 at the beginning of the outgoing, and
        at the end of the incoming track.
    over_line_db, over_louder_db, under_louder_db : float
        Highest level over the straight line; highest and lowest against the louder track.
    step_db : float
        Level after against before.
    """

    rise: int
    fall: int
    out_trim_db: tuple[float, ...]
    in_trim_db: tuple[float, ...]
    over_line_db: float
    over_louder_db: float
    under_louder_db: float
    step_db: float

    @property
    def violation_db(self) -> float:
        """By how many decibels the goals are missed, with a margin, added up."""
        return (
            max(0.0, self.over_line_db - MOST_OVER_LINE_DB + OVER_MARGIN_DB - FREE_DB)
            + max(0.0, self.over_louder_db - MOST_OVER_LOUDER_DB + OVER_MARGIN_DB - FREE_DB)
            + max(0.0, LEAST_DB - self.under_louder_db + UNDER_MARGIN_DB - FREE_DB)
        )


class Levels(NamedTuple):
    """Levels around a blend, for all its shapes.

    Parameters
    ----------
    bar : float64[steps + REACH]
        Middle of each half second, in bars from the beginning; also of some before and after.
    out, into : float64[steps + REACH, 3]
        Power of lows, drums and the rest of each track at the gains that are planned; 0 where it
        does not play.
    at_bar : float64[steps + 1]
        Middle of each three seconds.
    louder_db : float64[steps + 1]
        Level of the louder track.
    line_db : float64[steps + 1]
        The straight line.
    headroom_db : (float, float)
        By how much each may be raised and be no louder than it is elsewhere.
    step_db : float
    """

    bar: Floats
    out: Floats
    into: Floats
    at_bar: Floats
    louder_db: Floats
    line_db: Floats
    headroom_db: tuple[float, float]
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
    spans = (out, each.out_bar, each.bars), (into, each.in_bar, each.in_bars)
    edges = [
        (float(line.edges_s[bar]), float(line.edges_s[bar + bars])) for line, bar, bars in spans
    ]
    count = max(1, round((edges[0][1] - edges[0][0]) / rates[0] / STEP_S))
    share = (np.arange(-REACH // 2, count + REACH // 2) + 0.5) / count
    plays = share < 1.0, share > 0.0
    powers = [
        _parts(line, bar, bars, share, trim) * is_on[:, None]
        for (line, bar, bars), trim, is_on in zip(spans, trims_db, plays, strict=True)
    ]
    levels = [10 * np.log10(np.maximum(_short(p.sum(axis=1)), _LEAST)) for p in powers]
    per_bar = [
        (end - start) / bars for (start, end), (_, _, bars) in zip(edges, spans, strict=True)
    ]
    start, finish = edges[0][0], edges[1][1]
    before = out.loudness_db(max(0.0, start - PLATEAU_BARS * per_bar[0]), start) + trims_db[0]
    after = into.loudness_db(finish, finish + PLATEAU_BARS * per_bar[1]) + trims_db[1]
    middle = np.arange(count + 1) / count
    return Levels(
        share * each.bars,
        powers[0],
        powers[1],
        middle * each.bars,
        np.maximum(*levels),
        before + middle * (after - before),
        (_headroom_db(out, levels[0] - trims_db[0]), _headroom_db(into, levels[1] - trims_db[1])),
        after - before,
    )


def _parts(line: Timeline, bar: int, bars: int, share: Floats, trim_db: float) -> Floats:
    """Return the power of lows, drums and the rest at shares of a span: float64[n, 3]."""
    start, end = float(line.edges_s[bar]), float(line.edges_s[bar + bars])
    power = line.momentary_at(start + share * (end - start)) * 10 ** (trim_db / 10)
    at = np.clip(bar + np.floor(share * bars).astype(int), 0, line.bars - 1)
    lows, kit = line.lows[at], line.kit[at]
    return np.stack([lows, kit, np.maximum(1.0 - lows - kit, 0.0)], axis=1) * power[:, None]


def _short(power: Floats) -> Floats:
    """Return the mean of each three seconds."""
    total = np.concatenate([[0.0], np.cumsum(power)])
    mean: Floats = (total[REACH:] - total[:-REACH]) / REACH
    return mean


def _headroom_db(line: Timeline, level_db: Floats) -> float:
    return max(0.0, line.loudest_db - float(level_db.max(initial=-100.0)))


class Muted(NamedTuple):
    """What both tracks lack in a blend.

    Parameters
    ----------
    exchange : Exchange
        Of the basses.
    drums_until : callable
        Given the rise, the bar up to which only drums of the incoming track sound.
    rest_fades : bool
        Whether the rest of it fades in from there, in as many bars.
    out_drums_from : float
        Bar from which only drums of the outgoing track sound.
    """

    exchange: Exchange
    drums_until: Callable[[int], float]
    rest_fades: bool = True
    out_drums_from: float = np.inf


def best_shape(levels: Levels, bars: int, muted: Muted, *, known: bool) -> Shape:
    """Return the fades and trims that keep a blend most even.

    Parameters
    ----------
    levels : Levels
    bars : int
        Of the blend.
    muted : Muted
    known : bool
        Whether the loudness of both is known; if not, the longest fades are taken.
    """
    exchange = muted.exchange
    rises = _steps(exchange.bar or bars)
    falls = _steps((bars - exchange.bar) or min(4, bars))
    if exchange.bar == 0:
        rises = _steps(min(4, bars)) if not exchange.needed else [1, 0]
    if not known:
        rises, falls = rises[:1], falls[:1]
    ins = [_short(_incoming(levels, rise, muted)) for rise in rises]
    outs = [_short(_outgoing(levels, bars, fall, muted)) for fall in falls]
    best, least = None, np.inf
    for n, (rise, one) in enumerate(zip(rises, ins, strict=True)):
        for m, (fall, other) in enumerate(zip(falls, outs, strict=True)):
            shape = _shape(levels, bars, (rise, fall), (other, one), trimmed=known)
            price = VIOLATION_PRICE * shape.violation_db + SHORTER_PRICE * (n + m)
            if price < least - 1e-9:
                best, least = shape, price
    assert best is not None
    return best


def _steps(longest: int) -> list[int]:
    """Return lengths of a fade to try, the longest first."""
    return sorted({longest, *(n for n in (8, 4, 1, 0) if n < longest)}, reverse=True)


def _incoming(levels: Levels, rise: int, muted: Muted) -> Floats:
    """Return the power of the incoming track as it comes in: float64[steps + REACH]."""
    bar, parts = levels.bar, levels.into
    up = np.sin(np.pi / 2 * np.clip(bar / rise, 0, 1)) ** 2 if rise else np.ones(len(bar))
    exchange = muted.exchange
    lows = bar >= exchange.bar if exchange.needed else np.ones(len(bar))
    rest = np.ones(len(bar))
    if until := muted.drums_until(rise):
        rest = (bar >= until).astype(float)
        if muted.rest_fades:
            rest = np.sin(np.pi / 2 * np.clip(bar / until - 1, 0, 1)) ** 2
    return up * (parts[:, _LOWS] * lows + parts[:, _KIT] + parts[:, _REST] * rest)


def _outgoing(levels: Levels, bars: int, fall: int, muted: Muted) -> Floats:
    """Return the power of the outgoing track as it goes: float64[steps + REACH]."""
    bar, parts = levels.bar, levels.out
    late = np.clip((bar - (bars - fall)) / fall, 0, 1) if fall else np.zeros(len(bar))
    exchange = muted.exchange
    lows = bar < exchange.bar if exchange.needed else np.ones(len(bar))
    rest = bar < muted.out_drums_from
    down = np.cos(np.pi / 2 * late) ** 2
    return down * (parts[:, _LOWS] * lows + parts[:, _KIT] + parts[:, _REST] * rest)


def _shape(
    levels: Levels,
    bars: int,
    fades: tuple[int, int],
    powers: tuple[Floats, Floats],
    *,
    trimmed: bool,
) -> Shape:
    """Return what fades come to, trimmed where their sum would stand out or be weak.

    Parameters
    ----------
    levels : Levels
    bars : int
    fades : (int, int)
        Rise and fall.
    powers : (float64[steps + 1], float64[steps + 1])
        Short-term power of the outgoing and the incoming track.
    trimmed : bool
    """
    at, louder = levels.at_bar, levels.louder_db
    summed = _db(powers[0] + powers[1])
    knots = np.linspace(0, bars, max(1, round(bars / TRIM_BARS)) + 1)
    trims = np.zeros((2, len(knots)))
    if trimmed:
        limit = np.maximum(
            np.minimum(levels.line_db + MOST_OVER_LINE_DB, louder + MOST_OVER_LOUDER_DB)
            - OVER_MARGIN_DB,
            louder + LEAST_DB + UNDER_MARGIN_DB,
        )
        lack = louder + LEAST_DB + UNDER_MARGIN_DB - summed
        if lack.max() > 0 or (summed > limit).any():
            trims = _trims(at, knots, limit - summed, lack, levels.headroom_db)
            gains = [10 ** (np.interp(at, knots, trim) / 10) for trim in trims]
            summed = _db(powers[0] * gains[0] + powers[1] * gains[1])
    return Shape(
        *fades,
        tuple(trims[0].tolist()),
        tuple(trims[1].tolist()),
        round(float(np.max(summed - levels.line_db)), 2),
        round(float(np.max(summed - louder)), 2),
        round(float(np.min(summed - louder)), 2),
        round(levels.step_db, 2),
    )


def _trims(
    at: Floats, knots: Floats, room: Floats, lack: Floats, headroom_db: tuple[float, float]
) -> Floats:
    """Return the trims of both decks at some places, in steps of half a decibel: float64[2, n].

    Parameters
    ----------
    at : float64[steps]
        Places in bars.
    knots : float64[n]
        Those of the trims.
    room : float64[steps]
        By how much the sum may be raised; below 0, has to be lowered.
    lack : float64[steps]
        By how much it should be raised.
    headroom_db : (float, float)
        By how much each deck may be raised.
    """
    near = np.abs(at[None, :] - knots[:, None]) <= knots[1]
    least_room = np.where(near, room, np.inf).min(axis=1)
    most_lack = np.where(near, lack, -np.inf).max(axis=1)
    down = np.clip(least_room, -MOST_TRIM_DB, 0.0)
    down[[0, -1]] = 0.0
    raised = np.clip(np.minimum(most_lack, least_room), 0.0, MOST_RAISE_DB)
    slope = RAISE_DB * np.arange(len(knots))
    trims = []
    for side, headroom in enumerate(headroom_db):
        up = np.minimum(raised, headroom)
        up[-side] = 0.0  # of the outgoing deck the first, of the incoming one the last
        up = np.minimum.accumulate(up - slope) + slope
        up = np.minimum.accumulate((up + slope)[::-1])[::-1] - slope
        trims.append(np.where(down < 0, np.floor(2 * down + 0.4), np.floor(2 * up + 0.1)) / 2)
    return np.array(trims) + 0.0


def _db(power: Floats) -> Floats:
    level: Floats = 10 * np.log10(np.maximum(power, _LEAST))
    return level
