"""Grids as other programs store them: positions of whole beats, and how many beats lie between.

Ours may have anchors between two beats, and seams where an edit cut part of a beat; there a marker
on the beat before and one on the beat after keep every other beat in its place. Pure.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from sfa_engine.interchange.record import GRID_RATE
from sfa_engine.track.grid import DRIFTS, Anchor, Grid, is_seam, within

SAME_BEAT = 1e-6  # beats by which an anchor is on a whole one: at 20 BPM 3 microseconds


@dataclass(frozen=True, slots=True)
class Marker:
    """A beat at a position.

    Parameters
    ----------
    position_s : float
        Seconds; may be negative.
    beat : int
        Its number; downbeats are multiples of the grid's beats per bar.
    beats : int
        To the next marker; 0 of the last.
    """

    position_s: float
    beat: int
    beats: int = 0


def markers_of(grid: Grid, first_s: float = 0.0) -> tuple[list[Marker], bool]:
    """Return a grid as markers on whole beats, from its first downbeat at `first_s` on.

    Parameters
    ----------
    grid : Grid
        In frames at `GRID_RATE`.
    first_s : float
        Seconds; the first marker is the first downbeat from there on, so that the grid covers the
        track from its start.

    Returns
    -------
    tuple of list of Marker and bool
        At least one marker; whether the grid is the same in every beat.
    """
    seams = [pair for pair in pairwise(grid.anchors) if is_seam(*pair, GRID_RATE)]
    begin = _first_downbeat(grid, first_s * GRID_RATE)
    later = [] if len(grid.anchors) == 1 else _whole_beats(grid, seams)
    beats = [begin, *(beat for beat in later if beat > begin)]
    frames = [float(frame) for frame in grid.frame_of(beats, GRID_RATE)]
    places = list(zip(frames, beats, strict=True))
    markers = [
        Marker(at / GRID_RATE, beat, _between(seams, at, beat, after, following))
        for (at, beat), (after, following) in pairwise(places)
    ]
    at, beat = places[-1]
    whole = all(_is_whole(anchor) for anchor in grid.anchors)
    return [*markers, Marker(at / GRID_RATE, beat)], whole and not seams


def grid_of(
    positions_s: Sequence[float], beats: Sequence[float], bpm: float, beats_per_bar: int = 4
) -> Grid:
    """Return the grid of positions of beats, constant between them.

    Parameters
    ----------
    positions_s : sequence of float
        Seconds, rising.
    beats : sequence of float
        Their numbers, rising.
    bpm : float
        After the last.
    beats_per_bar : int

    Raises
    ------
    MediaError
        It is no valid grid: not rising, a tempo out of range, not finite.
    """
    places = zip(positions_s, beats, strict=True)
    anchors = tuple(Anchor(at * GRID_RATE, beat) for at, beat in places)
    grid = Grid(anchors, bpm, beats_per_bar)
    for one, other in pairwise(anchors):
        tempo = 60 * GRID_RATE * (other.beat - one.beat) / (other.frame - one.frame)
        within("tempo of the grid", tempo, DRIFTS)
    return grid


def thinned(positions_s: Sequence[float], tolerance_s: float) -> list[int]:
    """Return the indices of the beats that are needed to draw all others within a tolerance.

    Each stretch is as long as a line from its first beat stays within the tolerance of all beats
    on the way: a list of 1000 beats of one tempo becomes two.
    """
    count = len(positions_s)
    if count <= 2:
        return list(range(count))
    kept = [0]
    begin, low, high = 0, -math.inf, math.inf  # bounds of the slope
    for index in range(1, count):
        rise, run = positions_s[index] - positions_s[begin], index - begin
        slope = rise / run
        if not low <= slope <= high:
            begin = index - 1
            kept.append(begin)
            low, high = -math.inf, math.inf
            rise, run = positions_s[index] - positions_s[begin], 1
        low = max(low, (rise - tolerance_s) / run)
        high = min(high, (rise + tolerance_s) / run)
    return [*kept, count - 1]


def _is_whole(anchor: Anchor) -> bool:
    return abs(anchor.beat - round(anchor.beat)) <= SAME_BEAT


def _whole_beats(grid: Grid, seams: list[tuple[Anchor, Anchor]]) -> list[int]:
    """Return the beats at or around each anchor; not those that a seam jumps over."""
    beats: set[int] = set()
    for anchor in grid.anchors:
        if _is_whole(anchor):
            beats.add(round(anchor.beat))
        else:
            beats.update((math.floor(anchor.beat), math.ceil(anchor.beat)))
    for one, other in seams:
        beats -= set(range(math.ceil(one.beat), math.ceil(other.beat)))
    return sorted(beats)


def _first_downbeat(grid: Grid, frame: float) -> int:
    """Return the number of the first downbeat at or after a frame, by a hundredth of a beat."""
    bar = grid.beats_per_bar
    return bar * math.ceil((float(grid.beat_of(frame, GRID_RATE)) - 0.01) / bar)


def _between(
    seams: list[tuple[Anchor, Anchor]], at: float, beat: int, after: float, following: int
) -> int:
    """Return how many beats to count between two markers: not those that a seam jumps over."""
    jumped = sum(
        other.beat - one.beat
        for one, other in seams
        if at <= one.frame + 0.01 and other.frame <= after + 0.01
    )
    return max(1, round(following - beat - jumped)) if jumped else following - beat
