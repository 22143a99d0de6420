"""Two singers: whose vocals are muted in a blend, and from where to where.

With stems no two voices sound at once: those of the incoming track are muted until the outgoing one
has sung its last line, or those of the outgoing one from the gap before the incoming voice. Where
it is not known who sings, the incoming vocals are muted throughout. Without stems a blend in which
both sing is vetoed, and so is one that cuts a line.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from sfa_engine.mix.band_levels import STEPS
from sfa_engine.mix.candidate import Candidate
from sfa_engine.mix.facts import VOCALS
from sfa_engine.mix.timeline import Timeline

BOTH_S = 0.35  # seconds of two voices that pass unnoticed
CUT_S = 0.25  # of a line, at its beginning or its end
AFTER_BARS = 4  # after the blend, up to which the incoming voice may stay muted
LINE_END_S = 0.2  # after a line, before another voice


class Voices(NamedTuple):
    """What is done with the voices.

    Parameters
    ----------
    in_until : float
        Bar of the blend up to which the incoming vocals are muted; 0: they are not.
    out_from : float, optional
        Bar of the blend from which the outgoing vocals are muted; None: they are not.
    muted_s : float
        How many seconds of a voice are muted.
    both_sing : bool
        Whether both would have sung.
    """

    in_until: float = 0.0
    out_from: float | None = None
    muted_s: float = 0.0
    both_sing: bool = False


def overlap_s(out: Timeline, into: Timeline, each: Candidate) -> float:
    """Return for how many seconds both sing in a blend."""
    steps = np.arange(each.bars * STEPS)
    one = out.sung[each.out_bar * STEPS : (each.out_bar + each.bars) * STEPS]
    other = into.sung[each.in_bar * STEPS + (steps * each.in_bars // each.bars)]
    start, end = out.edges_s[each.out_bar], out.edges_s[each.out_bar + each.bars]
    return float(np.count_nonzero(one & other) * (end - start) / len(steps))


def settle_voices(
    out: Timeline,
    into: Timeline,
    each: Candidate,
    *,
    in_least: float = 0.0,
    out_most: float | None = None,
) -> Voices | str:
    """Return what is done with the voices of a blend, or the name of its veto.

    Parameters
    ----------
    out, into : Timeline
    each : Candidate
    in_least : float
        Bar of the blend before which the incoming vocals are muted anyway.
    out_most : float, optional
        Bar of the blend from which the outgoing vocals are muted anyway.

    Returns
    -------
    Voices or str
        ``two voices``, ``line cut at the end``, ``line cut at the start`` or ``line cut by the
        exchange``.
    """
    start, end = float(out.edges_s[each.out_bar]), float(out.edges_s[each.out_bar + each.bars])
    both = overlap_s(out, into, each) > BOTH_S
    cut_end = out.phrase_left_s(end) > CUT_S
    cut_start = into.phrase_gone_s(float(into.edges_s[each.in_bar])) > CUT_S
    span = _Span(out, into, each, start, end)
    if in_least > 0 or out_most is not None:
        way = _forced(span, in_least, out_most)
        return "line cut by the exchange" if way is None else way._replace(both_sing=both)
    if not cut_end and (way := _unknown(span)) is not None:
        return way
    if not (both or cut_end or cut_start):
        return Voices()
    ways = []
    if cut_end and cut_start and (way := _forced(span, 0.0, None)) is not None:
        ways.append(way)
    if not cut_end and (way := _incoming_muted(span, end)) is not None:
        ways.append(way)
    if not cut_start and (way := _outgoing_muted(span, float(each.bars))) is not None:
        ways.append(way)
    if ways:
        return min(ways, key=lambda way: way.muted_s)._replace(both_sing=both)
    if both:
        return "two voices"
    return "line cut at the end" if cut_end else "line cut at the start"


class _Span(NamedTuple):
    """A blend, and its ends in seconds of the outgoing track."""

    out: Timeline
    into: Timeline
    each: Candidate
    start: float
    end: float

    @property
    def per_bar(self) -> float:
        return (self.end - self.start) / self.each.bars

    def in_s(self, bar: float) -> float | None:
        """Return the time of the incoming track at a bar of the blend; None after its end."""
        index = self.each.in_bar + bar * self.each.in_bars / self.each.bars
        if index > self.into.bars:
            return None
        return float(np.interp(index, np.arange(self.into.bars + 1), self.into.edges_s))


def _unknown(span: _Span) -> Voices | None:
    """Return the way to mute incoming vocals where it is not known who sings, or None."""
    out, into, each = span.out, span.into, span.each
    begin, finish = (float(into.edges_s[each.in_bar + n]) for n in (0, each.in_bars))
    if (out.knows_vocals and into.knows_vocals) or VOCALS not in into.facts.stems:
        return None
    if out.knows_vocals and not out.sung_s(span.start, span.end):
        return None
    if into.knows_vocals:
        if not into.sung_s(begin, finish):
            return None
        return _incoming_muted(span, span.end, float(each.bars))
    return Voices(in_until=float(each.bars), both_sing=True)


def _forced(span: _Span, in_least: float, out_most: float | None) -> Voices | None:
    """Return the way to mute both, one after the other, or None."""
    latest = float(span.each.bars) if out_most is None else out_most
    out_from, silent, muted = None, span.start + latest * span.per_bar, 0.0
    if span.out.sung_s(silent, span.end) > 0 or span.out.phrase_left_s(span.end) > CUT_S:
        way = _outgoing_muted(span, latest)
        if way is None or way.out_from is None:
            return None
        out_from, muted = way.out_from, way.muted_s
        silent = span.start + out_from * span.per_bar
    way = _incoming_muted(span, silent, in_least)
    return None if way is None else way._replace(out_from=out_from, muted_s=way.muted_s + muted)


def _incoming_muted(span: _Span, silent: float, least: float = 0.0) -> Voices | None:
    """Return the way to mute the incoming vocals until the outgoing ones are over, or None.

    Parameters
    ----------
    silent : float
        From when on the outgoing vocals are silent, in seconds of their track.
    least : float
        Bar of the blend before which they are muted in any case.
    """
    out, into, each = span.out, span.into, span.each
    begin, finish = (float(into.edges_s[each.in_bar + n]) for n in (0, each.in_bars))
    if not into.sung_s(begin, finish) and into.phrase_gone_s(begin) <= CUT_S:
        return Voices()
    if VOCALS not in into.facts.stems:
        return None
    last = out.last_sung_s(span.start, silent)
    after = 0.0 if last is None else (last + LINE_END_S - span.start) / span.per_bar
    first = max(1, min(int(np.ceil(max(after, least))), each.bars))
    for bar in range(first, each.bars + AFTER_BARS + 1):
        place = span.in_s(bar)
        if place is None:
            return None
        if into.phrase_gone_s(place) <= CUT_S:
            return Voices(in_until=float(bar), muted_s=into.sung_s(begin, place))
    return None


def _outgoing_muted(span: _Span, latest: float) -> Voices | None:
    """Return the way to mute the outgoing vocals from a gap on, or None."""
    out, into, each = span.out, span.into, span.each
    if VOCALS not in out.facts.stems:
        return None
    begin, finish = (float(into.edges_s[each.in_bar + n]) for n in (0, each.in_bars))
    sings = into.first_sung_s(begin, finish)
    if sings is not None:
        latest = min(latest, each.bars * (sings - begin) / (finish - begin))
    for quarter in range(int(latest * 4), -1, -1):
        place = span.start + quarter / 4 * span.per_bar
        if out.phrase_left_s(place) <= CUT_S or out.phrase_gone_s(place) <= CUT_S / 5:
            return Voices(out_from=quarter / 4, muted_s=out.sung_s(place, span.end))
    return None
