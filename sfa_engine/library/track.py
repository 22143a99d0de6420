"""A track of the library: a row with its derived columns.

Its form on the disk is `sfa_engine.track.media`. Knows no query.
"""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass, fields
from typing import Literal

from sfa_engine.errors import Refused
from sfa_engine.system.timecode import clock

State = Literal["added", "preparing", "ready", "failed"]
STATES: tuple[State, ...] = ("added", "preparing", "ready", "failed")
_ROUNDING_S = 0.0005  # of a length that is displayed

SURE = 0.5  # confidence from which on a grid need not be checked

# Conditions on a row of `tracks`.
GRID_BY_HAND = "EXISTS (SELECT 1 FROM grids WHERE track_id = tracks.id AND origin = 'hand')"
CHECK_GRID = f"""(EXISTS (SELECT 1 FROM analyses WHERE track_id = tracks.id AND bpm IS NOT NULL
    AND confidence < {SURE}) AND NOT {GRID_BY_HAND})"""  # noqa: S608 - constants
PREVIEW = "EXISTS (SELECT 1 FROM stems WHERE track_id = tracks.id AND preview)"

# All columns of a `Track`; conditions are appended.
SELECT = f"""
SELECT tracks.*,
    coalesce((SELECT location FROM sources WHERE track_id = tracks.id ORDER BY id LIMIT 1), '')
        AS source,
    coalesce((SELECT group_concat(name, ' ') FROM stems WHERE track_id = tracks.id), '') AS stems,
    (SELECT lufs FROM analyses WHERE track_id = tracks.id) AS lufs,
    {GRID_BY_HAND} AS grid_by_hand, {CHECK_GRID} AS check_grid, {PREVIEW} AS preview
FROM tracks
"""  # noqa: S608 - a constant


@dataclass(frozen=True, slots=True)
class Track:
    """A track of the library.

    Parameters
    ----------
    id : int
        Its number; never reused.
    uuid : str
        Unique among libraries.
    content_hash : str, optional
        Identity of its sound; None until the file is imported.
    source : str
        The path or address of its first import.
    title, artist, album, genre : str
        May be empty.
    year : int, optional
    duration_s : float, optional
    bundle : str, optional
        Name of its bundle's folder; None until there is one.
    cover : str, optional
        Name of its picture in the folder of covers.
    state : str
        ``added``, ``preparing``, ``ready`` or ``failed``.
    problem : str
        Why it failed.
    bpm, key, camelot, energy, lufs : optional
        In force: by hand, else analysed, else from the tags. BPM, ``A minor``, ``8A``, 0..1, LUFS.
    stems : tuple of str
        Names of its separated stems.
    grid_by_hand : bool
        Whether the grid in force is by hand.
    check_grid : bool
        Whether the grid is the analysed one, with a confidence below `SURE`.
    preview : bool
        Whether only a part of it was separated, to audition the stems.
    rating : int
        Stars from 1 to 5; 0 is not rated.
    comment : str
    color : str
        As ``#rrggbb``; empty if it has none.
    play_count : int
    played_at : float, optional
        When it was played last.
    source_path : str, optional
        Where its file was last seen.
    account : str, optional
        Its owner; None: everyone's.
    added_at, changed_at : float
        Seconds since 1970, UTC.
    deleted_at : float, optional
        When it was moved to the trash.
    """

    id: int
    uuid: str
    content_hash: str | None
    source: str
    title: str
    artist: str
    album: str
    genre: str
    year: int | None
    duration_s: float | None
    bundle: str | None
    cover: str | None
    state: State
    problem: str
    bpm: float | None
    key: str | None
    camelot: str | None
    energy: float | None
    lufs: float | None
    stems: tuple[str, ...]
    grid_by_hand: bool
    check_grid: bool
    preview: bool
    rating: int
    comment: str
    color: str
    play_count: int
    played_at: float | None
    source_path: str | None
    account: str | None
    added_at: float
    changed_at: float
    deleted_at: float | None

    @property
    def name(self) -> str:
        """``Artist - Title``, or what there is of it."""
        return " - ".join(filter(None, (self.artist, self.title))) or f"track {self.id}"


def check_within(track: Track, **positions_s: float | None) -> None:
    """Raise Refused for positions, in seconds by name, after the end of a track."""
    length_s = track.duration_s
    if length_s is None:
        return
    for position_s in positions_s.values():
        if position_s is not None and position_s > length_s + _ROUNDING_S:
            raise Refused(
                f'{clock(position_s, 3)} is after the end of "{track.name}", {clock(length_s, 3)}',
                "give a position before its end",
            )


_FIELDS = tuple(field.name for field in fields(Track))


def track_of(row: sqlite3.Row) -> Track:
    """Return the track of a row that `SELECT` gave."""
    values = {name: row[name] for name in _FIELDS}
    values["stems"] = tuple(values["stems"].split())
    for name in ("grid_by_hand", "check_grid", "preview"):
        values[name] = bool(values[name])
    return Track(**values)
