"""Manual corrections of a grid: pure arithmetic.

::

    beats of the analysis      |   |   |   |   |   |   |      1   2   3   4 ← named by numbers
    shifted by half a beat       |   |   |   |   |   |   |
    shifted by a beat          |   |   |   |   |   |   |      4   1   2   3 ← the downbeat moves
    doubled                    | | | | | | | | | | | | |

Each returns a new `Grid`, or raises MediaError if that is invalid. Knows no track and no database.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np
from msgspec.structs import replace

from sfa_engine.errors import Refused
from sfa_engine.track.grid import Anchor, Grid


def shifted(grid: Grid, beats: float) -> Grid:
    """Return a grid shifted later by so many beats, usually +-0.5 or +-1."""
    return _renumbered(grid, 1.0, -beats)


def with_downbeat(grid: Grid, time_s: float, rate: int) -> Grid:
    """Return a grid with a downbeat at a time; beats move by half a bar at most."""
    beat = float(grid.beat_of(time_s * rate, rate))
    bar = grid.beats_per_bar
    return _renumbered(grid, 1.0, round(beat / bar) * bar - beat)


def moved(grid: Grid, frames: float) -> Grid:
    """Return a grid moved later by so many frames."""
    return replace(grid, anchors=tuple(Anchor(a.frame + frames, a.beat) for a in grid.anchors))


def with_tempo_from(grid: Grid, time_s: float, bpm: float | None, rate: int) -> Grid:
    """Return a grid with another tempo from the beat nearest to a time on.

    Parameters
    ----------
    grid : Grid
    time_s : float
    bpm : float, optional
        None: the tempo that it has there, so that a later change of it leaves what is before.
    rate : int
        Hz, of the grid's frames.
    """
    beat = float(np.round(grid.beat_of(time_s * rate, rate)))
    place, before = (float(frame) for frame in grid.frame_of([beat, beat - 1.0], rate))
    kept = [each for each in grid.anchors if each.beat <= beat - 1.0 and each.frame < place]
    # The tempo before it is that between two anchors.
    kept = kept or [Anchor(before, beat - 1.0)]
    if bpm is None:
        bpm = 60.0 * rate / float(grid.frame_of(beat + 1.0, rate) - place)
    return replace(grid, anchors=(*kept, Anchor(place, beat)), bpm=bpm)


def tapped(grid: Grid | None, frames: Sequence[float], rate: int) -> Grid:
    """Return a grid of one tempo through beats that were tapped.

    A line is fitted to the taps by least squares, so that the jitter of a hand averages out: with
    n taps the tempo's error goes with n ** -1.5. A tap that was left out is no fault.

    Parameters
    ----------
    grid : Grid, optional
        The grid until now, whose bars are kept: None: the first tap is a downbeat.
    frames : sequence of float
        Positions of two taps or more, rising.
    rate : int
        Hz.
    """
    places = np.asarray(frames, np.float64)
    interval = float(np.median(np.diff(places)))
    numbers = np.concatenate(
        [[0.0], np.cumsum(np.maximum(1.0, np.round(np.diff(places) / interval)))]
    )
    slope, start = np.polyfit(numbers, places, 1)
    if grid is None:
        return Grid((Anchor(float(start), 0.0),), 60.0 * rate / float(slope))
    last = float(start + slope * numbers[-1])
    beat = float(np.round(grid.beat_of(last, rate)))
    return replace(grid, anchors=(Anchor(last, beat),), bpm=60.0 * rate / float(slope))


def halved(grid: Grid) -> Grid:
    """Return a grid of every second beat; beat 0 stays."""
    return _renumbered(grid, 0.5, 0.0)


def doubled(grid: Grid) -> Grid:
    """Return a grid with a beat inserted between any two; beat 0 stays."""
    return _renumbered(grid, 2.0, 0.0)


def at_tempo(grid: Grid | None, bpm: float) -> Grid:
    """Return a grid of one tempo from the first anchor; without a grid, from a downbeat at 0 s."""
    if grid is None:
        return Grid((Anchor(0.0, 0.0),), bpm)
    return replace(grid, anchors=grid.anchors[:1], bpm=bpm)


def at_rate(grid: Grid, rate: int, new_rate: int) -> Grid:
    """Return the same beats in frames of another rate."""
    if rate == new_rate:
        return grid
    return replace(
        grid,
        anchors=tuple(Anchor(a.frame * new_rate / rate, a.beat) for a in grid.anchors),
    )


# The changes that an analysis offers as alternatives to its grid, by their names.
CHANGES: Mapping[str, Callable[[Grid], Grid]] = {
    "double": doubled,
    "half": halved,
    "quarter_beat_later": lambda grid: shifted(grid, 0.25),
    "quarter_beat_earlier": lambda grid: shifted(grid, -0.25),
    "half_beat_later": lambda grid: shifted(grid, 0.5),
    "half_beat_earlier": lambda grid: shifted(grid, -0.5),
    "beat_later": lambda grid: shifted(grid, 1.0),
    "beat_earlier": lambda grid: shifted(grid, -1.0),
    "two_beats_later": lambda grid: shifted(grid, 2.0),
    "two_beats_earlier": lambda grid: shifted(grid, -2.0),
    "three_beats_later": lambda grid: shifted(grid, 3.0),
}


def changed(grid: Grid, change: str) -> Grid:
    """Return a grid with one of `CHANGES`.

    Raises
    ------
    Refused
        There is no such change.
    """
    if change not in CHANGES:
        raise Refused(f'unknown change of a grid: "{change:.40}"', "correct the grid by hand")
    return CHANGES[change](grid)


def _renumbered(grid: Grid, factor: float, beats: float) -> Grid:
    """Return a grid whose anchors have other numbers at the same positions."""
    return replace(
        grid,
        anchors=tuple(Anchor(a.frame, a.beat * factor + beats) for a in grid.anchors),
        bpm=grid.bpm * factor,
    )
