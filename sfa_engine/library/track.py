"""A track as the library knows it: the row, in the words of those who ask for it.

What lies on the disk for it is `sfa_engine.audio.media`. Knows no query.
"""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass, fields
from typing import Literal

from sfa_engine.clock import clock
from sfa_engine.errors import Refused

State = Literal["added", "preparing", "ready", "failed"]
STATES: tuple[State, ...] = ("added", "preparing", "ready", "failed")
_ROUNDED_S = 0.0005  # by which the length that is told may be too long

# Everything that a `Track` has; followed by its conditions.
SELECT = """
SELECT tracks.*,
    coalesce((SELECT location FROM sources WHERE track_id = tracks.id ORDER BY id LIMIT 1), '')
        AS source,
    coalesce((SELECT group_concat(name, ' ') FROM stems WHERE track_id = tracks.id), '') AS stems,
    (SELECT lufs FROM analyses WHERE track_id = tracks.id) AS lufs,
    EXISTS (SELECT 1 FROM grids WHERE track_id = tracks.id AND origin = 'hand') AS grid_by_hand
FROM tracks
"""


@dataclass(frozen=True, slots=True)
class Track:
    """A track of the library.

    Parameters
    ----------
    id : int
        Its number; never given to another.
    uuid : str
        Its name among libraries.
    content_hash : str, optional
        What identifies the sound of the file it came from; None until that is here.
    source : str
        The path or address that it came from first.
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
        In force: by hand, else analysed, else from the tags. Beats a minute, ``A minor``, ``8A``,
        0..1, LUFS.
    stems : tuple of str
        Names of the stems that were made.
    grid_by_hand : bool
        Whether a person set the grid that is in force.
    rating : int
        Stars from 1 to 5; 0 is not rated.
    comment : str
    color : str
        As ``#rrggbb``; empty if it has none.
    play_count : int
    played_at : float, optional
        When it was played last.
    source_path : str, optional
        Where its file was seen last.
    account : str, optional
        The owner's; None: everybody's.
    added_at, changed_at : float
        Seconds since 1970, UTC.
    deleted_at : float, optional
        When it was removed; it can be restored until clean-up.
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


def check_places(track: Track, **places_s: float | None) -> None:
    """Refuse places, in seconds by their names, that lie behind the end of a track."""
    length_s = track.duration_s
    if length_s is None:
        return
    for place_s in places_s.values():
        if place_s is not None and place_s > length_s + _ROUNDED_S:
            raise Refused(
                f'{clock(place_s, 3)} is behind the end of "{track.name}", {clock(length_s, 3)}',
                "give a place before its end",
            )


_FIELDS = tuple(field.name for field in fields(Track))


def track_of(row: sqlite3.Row) -> Track:
    """Return the track of a row that `SELECT` gave."""
    values = {name: row[name] for name in _FIELDS}
    values["stems"] = tuple(values["stems"].split())
    values["grid_by_hand"] = bool(values["grid_by_hand"])
    return Track(**values)
