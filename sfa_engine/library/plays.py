"""The history of plays: one row for each load that was heard.

A play counts when a track was audible on a deck for 30 seconds, or for half of its length where
that is shorter; once a load. The stage observes that (`sfa_engine.stage.plays`), and gives each
play a uuid, so that one that is reported twice counts once. Functions take a connection of
`Database`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sfa_engine.library.database import Connection, change, row, rows
from sfa_engine.library.ownership import EVERYTHING
from sfa_engine.library.track import Track


@dataclass(frozen=True, slots=True)
class Play:
    """A play; `track_id` is None if the track is not in the library any more."""

    id: int
    track_id: int | None
    artist: str
    title: str
    deck: int
    played_at: float

    @property
    def name(self) -> str:
        """``Artist - Title``, as it was then."""
        return " - ".join(filter(None, (self.artist, self.title))) or f"track {self.track_id}"


async def record(
    connection: Connection, track: Track, identity: str, deck: int, played_at: float
) -> bool:
    """Record a play, unless its uuid is known; return whether it was new.

    Parameters
    ----------
    connection : Connection
        Of a durable transaction.
    track : Track
    identity : str
        The uuid of the play.
    deck : int
        From 1.
    played_at : float
        When it became audible, in seconds since 1970.
    """
    changed = await change(
        connection,
        "INSERT OR IGNORE INTO plays (uuid, track_id, artist, title, deck, played_at)"
        " VALUES (?, ?, ?, ?, ?, ?)",
        (identity, track.id, track.artist, track.title, deck, played_at),
    )
    return changed == 1


async def history(
    connection: Connection,
    track_id: int | None = None,
    since: float = 0.0,
    limit: int = 100,
    offset: int = 0,
    within: str = EVERYTHING,
) -> list[Play]:
    """Return plays, latest first, optionally of one track, or of those of a condition."""
    condition, values = _condition(track_id, since, within)
    found = await rows(
        connection,
        "SELECT id, track_id, artist, title, deck, played_at FROM plays"  # noqa: S608 - constants
        f" WHERE {condition} ORDER BY played_at DESC, id DESC LIMIT ? OFFSET ?",
        (*values, limit, offset),
    )
    return [Play(**dict(each)) for each in found]


async def count(
    connection: Connection,
    track_id: int | None = None,
    since: float = 0.0,
    within: str = EVERYTHING,
) -> int:
    """Return the number of plays of `history`."""
    condition, values = _condition(track_id, since, within)
    found = await row(
        connection,
        f"SELECT count(*) AS n FROM plays WHERE {condition}",  # noqa: S608 - constants
        values,
    )
    assert found is not None
    return int(found["n"])


def _condition(track_id: int | None, since: float, within: str) -> tuple[str, list[Any]]:
    seen = ""
    if within != EVERYTHING:
        seen = f" AND track_id IN (SELECT id FROM tracks WHERE {within})"  # noqa: S608 - ours
    if track_id is None:
        return f"played_at >= ?{seen}", [since]
    return f"track_id = ? AND played_at >= ?{seen}", [track_id, since]
