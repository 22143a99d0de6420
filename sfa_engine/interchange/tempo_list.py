"""Grids as lists of tempos, each from a beat on: how rekordbox, Traktor and VirtualDJ keep them.

::

    grid    anchor ───────────── anchor ──seam── anchor ─────► bpm
    list    tempo      tempo     tempo           tempo         the last one holds
            └ a whole beat        └ every beat between two is counted from the first

A list's numbers are rounded: tempos are repeated so often that no beat is off by more than
`TOLERANCE_S`. Reading, tempos that one line fits within the rounding become one. Pure.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

from sfa_engine.desk.deck import MAX_LENGTH_S
from sfa_engine.errors import MediaError
from sfa_engine.interchange.fields import Fields
from sfa_engine.interchange.record import GRID_RATE
from sfa_engine.track.grid import DRIFTS, SEAM_S, TEMPOS, Anchor, Grid, is_seam

TOLERANCE_S = 0.001  # of a beat, beside the rounding of the tempo's position
BARS = 16  # after which a rounded tempo is repeated at the latest
UNKNOWN_S = 900.0  # of a track whose length is unknown: what tempos are repeated for
WHOLE = 0.125  # beats by which two tempos are off whole ones: more is a cut, less is a drift
LOOSE_S = 0.005  # by which the beats of a steady part are off
_NEAR = 1e-6  # beats

_ODD = "some of its tempos are invalid"
_BARS_LOST = "where bars begin after a cut has no place in the format"
_ONE = "the format has one tempo: it is that of the steadiest part"


@dataclass(frozen=True, slots=True)
class Tempo:
    """A tempo from a beat on.

    Parameters
    ----------
    at_s : float
        Position of a whole beat, in seconds.
    bpm : float
        Until the next one.
    beat : int, optional
        Which beat of the bar it is, from 0; None: the format does not say.
    """

    at_s: float
    bpm: float
    beat: int | None = None


Point = tuple[float, float]  # seconds, beats


def grid_of(
    tempos: Sequence[Tempo],
    fields: Fields,
    *,
    beats_per_bar: int = 4,
    rounding_s: float = 1e-5,
    rounding_bpm: float = 1e-6,
) -> Grid | None:
    """Return the grid of a list of tempos; None if none of them is valid.

    Parameters
    ----------
    tempos : sequence of Tempo
        In any order.
    fields : Fields
        Of the track: invalid tempos are a loss.
    beats_per_bar : int
    rounding_s, rounding_bpm : float
        By how much a position and a tempo of the format may be off.

    Returns
    -------
    Grid, optional
        In frames at `GRID_RATE`.
    """
    kept: list[Tempo] = []
    for tempo in sorted(tempos, key=lambda tempo: tempo.at_s):
        if not DRIFTS[0] <= tempo.bpm <= DRIFTS[1]:
            continue
        if kept and (tempo.at_s - kept[-1].at_s) * kept[-1].bpm / 60 < WHOLE:
            continue
        kept.append(tempo)
    while kept and not TEMPOS[0] <= kept[-1].bpm <= TEMPOS[1]:
        kept.pop()
    if len(kept) < len(tempos):
        fields.lose("grid", _ODD)
    if not kept:
        return None
    runs = [_thinned(run, rounding_s) for run in _runs(kept, beats_per_bar)]
    bpm, run = kept[-1].bpm, runs[-1]
    if len(run) > 1:
        (from_s, from_beat), (to_s, to_beat) = run[-2:]
        exact = 60 * (to_beat - from_beat) / (to_s - from_s)
        off = bpm * rounding_s / (to_s - from_s)
        if abs(exact - bpm) <= rounding_bpm + off:  # the same tempo, but for rounding
            fits = abs((to_beat - from_beat) * 60 / bpm - (to_s - from_s)) <= rounding_s
            if not fits and off < rounding_bpm:
                bpm, fits = min(max(exact, TEMPOS[0]), TEMPOS[1]), True
            if fits:
                runs[-1] = run[:-1]
    points = [point for run in runs for point in run]
    try:
        return Grid(
            tuple(Anchor(at_s * GRID_RATE, beat) for at_s, beat in points), bpm, beats_per_bar
        )
    except MediaError:
        fields.lose("grid", _ODD)
        return None


def _runs(kept: Sequence[Tempo], bar: int) -> list[list[Point]]:
    """Count the beats of tempos; a new run begins where a part of a beat or bar is cut out."""
    beat = float((kept[0].beat or 0) % bar)
    runs: list[list[Point]] = [[(kept[0].at_s, beat)]]
    for before, after in pairwise(kept):
        beats = (after.at_s - before.at_s) * before.bpm / 60
        whole = round(beats)
        is_whole = whole >= 1 and abs(beats - whole) <= WHOLE
        there = beat + (whole if is_whole else beats)
        if is_whole and (after.beat is None or (there - after.beat) % bar == 0):
            runs[-1].append((after.at_s, there))
        else:
            share = SEAM_S / (after.at_s - before.at_s)
            runs[-1].append((after.at_s - SEAM_S, there - share * (there - beat)))
            there = math.ceil(there - _NEAR)
            there += ((after.beat or 0) - there) % bar
            runs.append([(after.at_s, there)])
        beat = there
    return runs


def _thinned(run: Sequence[Point], tolerance_s: float) -> list[Point]:
    """Leave out points that are on a line between others, within a tolerance.

    From a point on, each further one narrows the range of slopes that hit all of them; the last
    one that is in the range of those before it is kept.
    """
    kept = [run[0]]
    least, most = -math.inf, math.inf  # seconds per beat
    for before, after in pairwise(run):
        start_s, start = kept[-1]
        beats = after[1] - start
        if not least <= (after[0] - start_s) / beats <= most:
            kept.append(before)
            start_s, start = before
            beats = after[1] - start
            least, most = -math.inf, math.inf
        least = max(least, (after[0] - tolerance_s - start_s) / beats)
        most = min(most, (after[0] + tolerance_s - start_s) / beats)
    if len(run) > 1:
        kept.append(run[-1])
    return kept


@dataclass(frozen=True, slots=True)
class _Line:
    """Whole beats of one tempo: from `first` until before `end`."""

    first: int
    end: int
    at_s: float  # of the first
    period_s: float
    leads_on: bool  # no seam is between it and the next

    def position_s(self, beat: int) -> float:
        return self.at_s + (beat - self.first) * self.period_s


def _lines(grid: Grid, first: int, end: int) -> list[_Line]:
    """Return the whole beats of a grid from one until before another, by tempo."""
    frames = [anchor.frame / GRID_RATE for anchor in grid.anchors]
    beats = [anchor.beat for anchor in grid.anchors]
    lines: list[_Line] = []
    for index, (at_s, beat) in enumerate(zip(frames, beats, strict=True)):
        if index + 1 < len(frames):
            after_s, after = frames[index + 1], beats[index + 1]
            period_s = (after_s - at_s) / (after - beat)
            leads_on = not is_seam(grid.anchors[index], grid.anchors[index + 1], GRID_RATE)
            if not leads_on:
                if lines:
                    lines[-1] = replace(lines[-1], leads_on=False)
                continue
        else:
            after, period_s, leads_on = math.inf, 60 / grid.bpm, False
        # Before the first anchor its tempo holds, too.
        low = first if index == 0 else max(first, math.ceil(beat - _NEAR))
        high = end if after == math.inf else min(end, math.ceil(after - _NEAR))
        if low < high:
            lines.append(_Line(low, high, at_s + (low - beat) * period_s, period_s, leads_on))
    return lines


def tempos_of(
    grid: Grid, duration_s: float | None, *, places: int, digits: int, from_bar: bool = False
) -> list[Tempo]:
    """Return a grid as a list of tempos.

    Parameters
    ----------
    grid : Grid
        In frames at `GRID_RATE`.
    duration_s : float, optional
        Length of the track.
    places : int
        Decimal places of a position in seconds.
    digits : int
        Those of a tempo in BPM.
    from_bar : bool
        Whether the first tempo is on a downbeat: where a format takes it for one. Else it is on
        the first beat of the track.

    Returns
    -------
    list of Tempo
        Rounded; at least one, by position. The first one is at 0 or later.
    """
    last_s = grid.anchors[-1].frame / GRID_RATE
    end_s = min(last_s + UNKNOWN_S if duration_s is None else duration_s, MAX_LENGTH_S)
    start, stop = grid.beat_of([-0.5 * 10.0**-places * GRID_RATE, end_s * GRID_RATE], GRID_RATE)
    first = math.ceil(start - _NEAR)
    if from_bar:
        first += -first % grid.beats_per_bar
    lines = _lines(grid, first, max(first, math.floor(stop)) + 1)
    lines = lines or _lines(grid, first, first + 64)  # the first beat is cut out
    tempos: list[Tempo] = []
    bar = grid.beats_per_bar

    def add(at_s: float, period_s: float, beat: int) -> None:
        tempos.append(Tempo(abs(round(at_s, places)), round(60 / period_s, digits), beat % bar))

    for index, line in enumerate(lines):
        off_s = abs(60 / round(60 / line.period_s, digits) - line.period_s)  # with each beat
        for beat in _repeats(line, off_s, bar):
            add(line.position_s(beat), line.period_s, beat)
        if not line.leads_on or index + 1 == len(lines):
            continue
        # Between two whole beats the tempo changes.
        gap_s = lines[index + 1].at_s - line.position_s(line.end - 1)
        if abs(gap_s - line.period_s) > TOLERANCE_S / 2:
            at_s = line.position_s(line.end - 1)
            if tempos[-1].at_s == abs(round(at_s, places)):
                tempos.pop()
            add(at_s, gap_s, line.end - 1)
    return tempos


def _repeats(line: _Line, off_s: float, bar: int) -> Iterator[int]:
    """Repeat a rounded tempo before it is off by more than `TOLERANCE_S`.

    Yields
    ------
    int
        Beats on which it stands: bars after the first one, if they are often enough.
    """
    beat, steps = line.first, line.end - line.first
    yield beat
    if off_s * steps <= TOLERANCE_S:
        return
    steps = min(max(1, int(TOLERANCE_S / off_s)), BARS * bar)
    on_bars = steps >= bar
    steps -= steps % bar if on_bars else 0
    while (beat := beat + steps - (beat % bar if on_bars else 0)) < line.end:
        yield beat


def unbarred(tempos: Sequence[Tempo], grid: Grid, fields: Fields) -> list[Tempo]:
    """Return tempos for a format whose bars have 4 beats, counted from the first tempo or a cut.

    What it cannot say of bars is a loss.
    """
    if grid.beats_per_bar != 4:
        fields.lose("grid", "the format counts bars of 4 beats")
    plain = [replace(tempo, beat=None) for tempo in tempos]
    bar = grid.beats_per_bar
    beats = {at_s: beat for run in _runs(plain, bar) for at_s, beat in run}
    if any((beats[tempo.at_s] - (tempo.beat or 0)) % bar for tempo in tempos):
        fields.lose("grid", _BARS_LOST)
    return plain


def steadiest(
    grid: Grid, duration_s: float | None, fields: Fields, *, places: int, digits: int
) -> Tempo:
    """Return the one tempo of a grid, at a downbeat of its longest steady part.

    Parameters
    ----------
    grid : Grid
    duration_s : float, optional
    fields : Fields
        Of the track: that the grid has other tempos is a loss.
    places, digits : int
        As of `tempos_of`.
    """
    tempos = tempos_of(grid, duration_s, places=9, digits=9, from_bar=True)
    bar = grid.beats_per_bar
    if len(tempos) > 1:
        fields.lose("grid", _ONE)
    end_s = tempos[-1].at_s + UNKNOWN_S if duration_s is None else duration_s
    best, longest_s = (tempos[0].at_s, tempos[0].bpm), 0.0
    runs = _runs(tempos, bar)
    last_s, last = runs[-1][-1]
    if end_s > last_s:
        runs[-1].append((end_s, last + (end_s - last_s) * tempos[-1].bpm / 60))
    for run in runs:
        for (from_s, from_beat), (to_s, to_beat) in pairwise(_thinned(run, LOOSE_S)):
            if to_s - from_s <= longest_s:
                continue
            longest_s = to_s - from_s
            period_s = longest_s / (to_beat - from_beat)
            bars = math.ceil(from_beat / bar - _NEAR) * bar
            best = (from_s + (bars - from_beat) * period_s, 60 / period_s)
    return Tempo(abs(round(best[0], places)), round(best[1], digits))
