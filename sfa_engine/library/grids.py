"""Grids of tracks: an automatic one, and one by hand, which has precedence.

A new analysis replaces the first and never the second. Corrections apply to the grid in force and
make it one by hand. All functions take a connection of `Database`.
"""

from __future__ import annotations

import json
import math
import sqlite3
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from sfa_engine.errors import MediaError, Refused
from sfa_engine.library.database import Connection, change, row
from sfa_engine.library.track import check_within
from sfa_engine.library.tracks import get, settle
from sfa_engine.track import correction
from sfa_engine.track.grid import Anchor, Grid
from sfa_engine.track.media import RATE

Origin = Literal["automatic", "hand"]
_ROUNDING_BARS = 1e-6  # a downbeat so little before the start is at the start


@dataclass(frozen=True, slots=True)
class TrackGrid:
    """A track's grid, the rate in Hz of its frames, and whether it is by hand."""

    grid: Grid
    rate: int
    by_hand: bool

    @property
    def first_downbeat_s(self) -> float:
        """Start of the first bar of the track, in seconds."""
        bar = self.grid.beats_per_bar
        bars = math.ceil(float(self.grid.beat_of(0.0, self.rate)) / bar - _ROUNDING_BARS)
        return max(0.0, float(self.grid.frame_of(bars * bar, self.rate)) / self.rate)


async def grid_of(
    connection: Connection, track_id: int, origin: Origin | None = None
) -> TrackGrid | None:
    """Return the grid in force, or the one of an origin; None if there is none."""
    found = await row(
        connection,
        "SELECT * FROM grids WHERE track_id = ? AND origin = coalesce(?, origin)"
        " ORDER BY origin DESC LIMIT 1",  # hand before automatic
        (track_id, origin),
    )
    return None if found is None else _read(found)


async def set_grid(
    connection: Connection, track_id: int, grid: Grid, rate: int, *, by_hand: bool
) -> None:
    """Store a grid in frames at `rate` Hz; by hand only in a durable transaction."""
    await get(connection, track_id)
    await change(
        connection,
        "INSERT OR REPLACE INTO grids"
        " (track_id, origin, rate, anchors, bpm, beats_per_bar, changed_at)"
        " VALUES (?, ?, ?, ?, ?, ?, ?)",
        (
            track_id, "hand" if by_hand else "automatic", rate,
            json.dumps([[anchor.frame, anchor.beat] for anchor in grid.anchors]),
            grid.bpm, grid.beats_per_bar, time.time(),
        ),
    )  # fmt: skip
    await settle(connection, track_id)


async def drop_hand_grid(connection: Connection, track_id: int) -> TrackGrid | None:
    """Delete the grid by hand; return the one in force then."""
    await change(
        connection, "DELETE FROM grids WHERE track_id = ? AND origin = 'hand'", (track_id,)
    )
    await settle(connection, track_id)
    return await grid_of(connection, track_id)


async def save(
    connection: Connection, track_id: int, grid: Grid | None, rate: int
) -> TrackGrid | None:
    """Store a grid by hand, or delete it (None); return the one in force then."""
    if grid is None:
        return await drop_hand_grid(connection, track_id)
    await set_grid(connection, track_id, grid, rate, by_hand=True)
    return TrackGrid(grid, rate, by_hand=True)


async def shift(connection: Connection, track_id: int, beats: float) -> TrackGrid:
    """Shift all beats later by so many beats; return the grid, now by hand."""
    return await _correct(connection, track_id, lambda grid, _: correction.shifted(grid, beats))


async def set_downbeat(connection: Connection, track_id: int, time_s: float) -> TrackGrid:
    """Put a downbeat at a time within the track; return the grid, now by hand."""
    check_within(await get(connection, track_id), downbeat_s=time_s)
    return await _correct(
        connection, track_id, lambda grid, rate: correction.with_downbeat(grid, time_s, rate)
    )


async def halve(connection: Connection, track_id: int) -> TrackGrid:
    """Halve the tempo; return the grid, now by hand."""
    return await _correct(connection, track_id, lambda grid, _: correction.halved(grid))


async def double(connection: Connection, track_id: int) -> TrackGrid:
    """Double the tempo; return the grid, now by hand."""
    return await _correct(connection, track_id, lambda grid, _: correction.doubled(grid))


async def take(connection: Connection, track_id: int, change: str) -> TrackGrid:
    """Apply a change that the analysis offered to its own grid; return the grid, now by hand."""
    found = await grid_of(connection, track_id, "automatic")
    if found is None:
        track = await get(connection, track_id)
        raise Refused(f'"{track.name}" has no analysed grid', "analyse it first")
    grid = _valid(lambda: correction.changed(found.grid, change))
    await set_grid(connection, track_id, grid, found.rate, by_hand=True)
    return TrackGrid(grid, found.rate, by_hand=True)


async def set_bpm(connection: Connection, track_id: int, bpm: float) -> TrackGrid:
    """Set one tempo from the first anchor, or from 0 s, on; return the grid, now by hand."""
    there = await grid_of(connection, track_id)
    with_tempo = _valid(lambda: correction.at_tempo(there.grid if there else None, bpm))
    rate = there.rate if there else RATE
    await set_grid(connection, track_id, with_tempo, rate, by_hand=True)
    return TrackGrid(with_tempo, rate, by_hand=True)


async def _correct(
    connection: Connection, track_id: int, corrected: Callable[[Grid, int], Grid]
) -> TrackGrid:
    there = await grid_of(connection, track_id)
    if there is None:
        track = await get(connection, track_id)
        raise Refused(f'"{track.name}" has no grid', "analyse it, or set its tempo first")
    grid = _valid(lambda: corrected(there.grid, there.rate))
    await set_grid(connection, track_id, grid, there.rate, by_hand=True)
    return TrackGrid(grid, there.rate, by_hand=True)


def _valid(make: Callable[[], Grid]) -> Grid:
    """Return the grid; an invalid one is an error of the request here."""
    try:
        return make()
    except MediaError as problem:
        raise Refused(problem.message, problem.hint) from problem


def _read(found: sqlite3.Row) -> TrackGrid:
    anchors = tuple(
        Anchor(float(frame), float(beat)) for frame, beat in json.loads(found["anchors"])
    )
    grid = Grid(anchors, found["bpm"], found["beats_per_bar"])
    return TrackGrid(grid, found["rate"], found["origin"] == "hand")
