"""What a person does to a grid that an analysis got wrong: pure arithmetic on grids.

::

    beats of the analysis      |   |   |   |   |   |   |      1   2   3   4 ← named by numbers
    shifted by half a beat       |   |   |   |   |   |   |
    shifted by a beat          |   |   |   |   |   |   |      4   1   2   3 ← the downbeat moves
    doubled                    | | | | | | | | | | | | |

Each returns a new `Grid`; one that cannot be is a MediaError. Knows no track and no database.
"""

from __future__ import annotations

from dataclasses import replace

from sfa_engine.audio.grid import Anchor, Grid


def shifted(grid: Grid, beats: float) -> Grid:
    """Return a grid whose every beat comes so many beats later: +-0.5 or +-1, as a rule."""
    return _renumbered(grid, 1.0, -beats)


def with_downbeat(grid: Grid, time_s: float, rate: int) -> Grid:
    """Return a grid that has a downbeat at a time; each beat moves by half a bar at most."""
    beat = float(grid.beat_of(time_s * rate, rate))
    bar = grid.beats_per_bar
    return _renumbered(grid, 1.0, round(beat / bar) * bar - beat)


def halved(grid: Grid) -> Grid:
    """Return a grid of every second beat; its beat 0 stays where it is."""
    return _renumbered(grid, 0.5, 0.0)


def doubled(grid: Grid) -> Grid:
    """Return a grid with a beat more between any two; its beat 0 stays where it is."""
    return _renumbered(grid, 2.0, 0.0)


def at_tempo(grid: Grid | None, bpm: float) -> Grid:
    """Return a grid of one tempo that keeps the first anchor; without a grid, 0 s is a downbeat."""
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


def _renumbered(grid: Grid, factor: float, beats: float) -> Grid:
    """Return a grid whose anchors have other numbers, in the same places."""
    return replace(
        grid,
        anchors=tuple(Anchor(a.frame, a.beat * factor + beats) for a in grid.anchors),
        bpm=grid.bpm * factor,
    )
