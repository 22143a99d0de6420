"""Candidates: where a blend may begin in both tracks, and how long it may be.

::

    outgoing  ……│ drop      │ outro             │
                            o ──────── length ──►
    incoming                │ intro     │ drop ……
                            i

`o` and `i` are borders of sections or of eight bars. Everything is counted in whole bars.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from sfa_engine.mix.settings import LENGTHS
from sfa_engine.mix.timeline import INTRO, PHRASE, SECTION, Timeline

LATEST = 0.55  # share of the outgoing track that is played at least
EARLIEST = 0.4  # share of the incoming track by which it begins
MAX_ANCHORS, MAX_ENTRIES = 12, 8


class Candidate(NamedTuple):
    """A blend that is possible: indices of bars in both timelines.

    Parameters
    ----------
    out_bar, in_bar : int
        Where it begins.
    bars : int
        Length in bars of the outgoing track.
    in_bars : int
        The same in bars of the incoming one.
    """

    out_bar: int
    in_bar: int
    bars: int
    in_bars: int


def candidates(out: Timeline, into: Timeline, ratio: float, from_bar: int = 0) -> list[Candidate]:
    """Return all blends of two tracks that lie on borders of phrases, the usual ones first.

    Parameters
    ----------
    out, into : Timeline
        Both with bars, of the same meter.
    ratio : float
        Beats of the incoming track for each of the outgoing one.
    from_bar : int
        Index of the outgoing bar before which none begins.
    """
    found = []
    for bars in LENGTHS:
        in_bars = bars * ratio
        if in_bars != int(in_bars):
            continue
        entries = list(_entries(into, int(in_bars)))
        for out_bar in _anchors(out, bars, from_bar):
            found += [Candidate(out_bar, entry, bars, int(in_bars)) for entry in entries]
    return found


def _anchors(out: Timeline, bars: int, from_bar: int) -> Iterator[int]:
    """Yield bars of the outgoing track at which a blend may begin, the last first."""
    last = out.index_at(out.sound_s[1])
    if last > 0 and out.edges_s[last] > out.sound_s[1] + 0.5:  # the sound ends before that bar
        last -= 1
    least = max(from_bar, int(LATEST * out.bars))
    outro = out.index_at(out.outro_s)
    count = 0
    for index in range(min(last, out.bars) - bars, least - 1, -1):
        if out.border[index] >= PHRASE or out.border[index + bars] == SECTION or index == outro:
            yield index
            count += 1
            if count == MAX_ANCHORS:
                return


def _entries(into: Timeline, bars: int) -> Iterator[int]:
    """Yield bars at which the incoming track may begin, in order."""
    start = into.index_at(into.sound_s[0])
    if start < into.bars and into.edges_s[start] < into.sound_s[0] - 0.5:
        start += 1
    end = min(int(EARLIEST * into.bars), into.bars - bars - 4)
    intro_ends = {
        into.index_at(s.end_s) for s in into.facts.sections[:2] if s.label in {INTRO, "build"}
    }
    count = 0
    for index in range(start, end + 1):
        # A border, or so that the blend ends where the intro does.
        if index == start or into.border[index] >= PHRASE or index + bars in intro_ends:
            yield index
            count += 1
            if count == MAX_ENTRIES:
                return
