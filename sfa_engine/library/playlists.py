"""Playlists: tracks in an order, the same one twice if you like.

Tracks that were removed keep their places, unseen, so that a restored one is where it was. All
functions take a connection that `Database` lent; changes want a durable transaction.
"""

from __future__ import annotations

import re
import time
from collections.abc import Sequence
from dataclasses import dataclass

from sfa_engine.errors import Refused, did_you_mean
from sfa_engine.library.database import Connection, change, insert, row, rows
from sfa_engine.library.track import SELECT, Track, track_of
from sfa_engine.library.tracks import get

MOST_NAME = 200  # characters

_UNFIT = re.compile("[\x00-\x1f\x7f\ud800-\udfff]")
_SEEN = "FROM playlist_entries AS e JOIN tracks AS t ON t.id = e.track_id AND t.deleted_at IS NULL"


@dataclass(frozen=True, slots=True)
class Playlist:
    """A playlist: number, name, how many tracks it has, and how long they last in seconds."""

    id: int
    name: str
    tracks: int
    duration_s: float
    changed_at: float


@dataclass(frozen=True, slots=True)
class Entry:
    """A track's place in a playlist; `id` names the place itself, whatever moves."""

    id: int
    track: Track


async def playlists(connection: Connection) -> list[Playlist]:
    """Return all playlists by name."""
    found = await rows(
        connection,
        "SELECT p.id, p.name, p.changed_at,"  # noqa: S608 - a constant
        f" (SELECT count(*) {_SEEN} WHERE e.playlist_id = p.id) AS tracks,"
        f" (SELECT total(t.duration_s) {_SEEN} WHERE e.playlist_id = p.id) AS duration_s"
        " FROM playlists AS p ORDER BY p.name",
    )
    return [Playlist(**dict(playlist)) for playlist in found]


async def find(connection: Connection, name: str) -> Playlist:
    """Return the playlist of a name, in capitals or not; Refused if there is none."""
    known = {playlist.name.casefold(): playlist for playlist in await playlists(connection)}
    if name.casefold() not in known:
        names = [playlist.name for playlist in known.values()]
        raise Refused(
            f'no playlist "{name:.80}"', did_you_mean(name, names) or "list them, or make it"
        )
    return known[name.casefold()]


async def create(connection: Connection, name: str) -> int:
    """Make an empty playlist; return its number."""
    name = await _free_name(connection, name)
    return await insert(
        connection, "INSERT INTO playlists (name, changed_at) VALUES (?, ?)", (name, time.time())
    )


async def rename(connection: Connection, playlist_id: int, name: str) -> None:
    """Give a playlist another name."""
    await _get(connection, playlist_id)
    name = await _free_name(connection, name, but=playlist_id)
    await change(connection, "UPDATE playlists SET name = ? WHERE id = ?", (name, playlist_id))
    await _touch(connection, playlist_id)


async def drop(connection: Connection, playlist_id: int) -> None:
    """Forget a playlist; its tracks stay in the library."""
    await _get(connection, playlist_id)
    await change(connection, "DELETE FROM playlists WHERE id = ?", (playlist_id,))


async def entries(
    connection: Connection, playlist_id: int, limit: int = -1, offset: int = 0
) -> list[Entry]:
    """Return what is in a playlist, in its order; a part of it, if a limit is given."""
    await _get(connection, playlist_id)
    found = await rows(
        connection,
        SELECT.replace("SELECT tracks.*", "SELECT e.id AS entry_id, tracks.*")
        + " JOIN playlist_entries AS e ON e.track_id = tracks.id"
        " WHERE e.playlist_id = ? AND deleted_at IS NULL ORDER BY e.place LIMIT ? OFFSET ?",
        (playlist_id, limit, offset),
    )
    return [Entry(entry["entry_id"], track_of(entry)) for entry in found]


async def append(
    connection: Connection, playlist_id: int, track_ids: Sequence[int], at: int | None = None
) -> list[int]:
    """Put tracks into a playlist, at its end or before the entry at a place counted from 0.

    Returns
    -------
    list of int
        The numbers of the new entries.
    """
    order = await _order(connection, playlist_id)
    new: list[int] = []
    for track_id in track_ids:
        await get(connection, track_id)
        new.append(
            await insert(
                connection,
                "INSERT INTO playlist_entries (playlist_id, place, track_id) VALUES (?, ?, ?)",
                (playlist_id, len(order) + len(new), track_id),
            )
        )
    place = len(order) if at is None else await _place(connection, playlist_id, order, at)
    await _arrange(connection, playlist_id, order[:place] + new + order[place:])
    return new


async def move(connection: Connection, entry_id: int, to: int) -> None:
    """Move an entry so that it is at a place counted from 0."""
    playlist_id = await _playlist_of(connection, entry_id)
    order = await _order(connection, playlist_id)
    order.remove(entry_id)
    place = await _place(connection, playlist_id, order, to)
    await _arrange(connection, playlist_id, [*order[:place], entry_id, *order[place:]])


async def take_out(connection: Connection, entry_id: int) -> None:
    """Take an entry out of its playlist."""
    playlist_id = await _playlist_of(connection, entry_id)
    await change(connection, "DELETE FROM playlist_entries WHERE id = ?", (entry_id,))
    await _arrange(connection, playlist_id, await _order(connection, playlist_id))


async def _get(connection: Connection, playlist_id: int) -> None:
    if await row(connection, "SELECT 1 FROM playlists WHERE id = ?", (playlist_id,)) is None:
        raise Refused(f"no playlist {playlist_id}", "look for it by its name")


async def _playlist_of(connection: Connection, entry_id: int) -> int:
    found = await row(
        connection, "SELECT playlist_id FROM playlist_entries WHERE id = ?", (entry_id,)
    )
    if found is None:
        raise Refused(f"no entry {entry_id} in any playlist", "look at the playlist again")
    return int(found["playlist_id"])


async def _free_name(connection: Connection, name: str, but: int | None = None) -> str:
    """Return a name that a playlist can have; Refused if another has it."""
    name = name.strip()
    if not name or len(name) > MOST_NAME or _UNFIT.search(name):
        raise Refused(f"{name!r:.80} is no name for a playlist", f"give up to {MOST_NAME} letters")
    known = {p.name.casefold(): p.id for p in await playlists(connection)}
    if known.get(name.casefold(), but) != but:
        raise Refused(f'there is a playlist "{name}" already', "choose another name")
    return name


async def _order(connection: Connection, playlist_id: int) -> list[int]:
    """Return the numbers of all entries, those of removed tracks too, in order."""
    await _get(connection, playlist_id)
    found = await rows(
        connection,
        "SELECT id FROM playlist_entries WHERE playlist_id = ? ORDER BY place, id",
        (playlist_id,),
    )
    return [entry["id"] for entry in found]


async def _place(connection: Connection, playlist_id: int, order: list[int], seen: int) -> int:
    """Return where in `order` the entry goes that is to be the `seen`-th of those seen."""
    shown = {
        entry["id"]
        for entry in await rows(
            connection, f"SELECT e.id {_SEEN} WHERE e.playlist_id = ?", (playlist_id,)
        )
    }
    visible = [place for place, entry in enumerate(order) if entry in shown]
    if not 0 <= seen <= len(visible):
        raise Refused(f"place {seen} of {len(visible)} tracks", f"give 0 to {len(visible)}")
    return visible[seen] if seen < len(visible) else len(order)


async def _arrange(connection: Connection, playlist_id: int, order: list[int]) -> None:
    await connection.executemany(
        "UPDATE playlist_entries SET place = ? WHERE id = ?",
        [(place, entry) for place, entry in enumerate(order)],
    )
    await _touch(connection, playlist_id)


async def _touch(connection: Connection, playlist_id: int) -> None:
    await change(
        connection, "UPDATE playlists SET changed_at = ? WHERE id = ?", (time.time(), playlist_id)
    )
