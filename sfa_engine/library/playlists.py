"""Playlists: ordered lists of tracks; duplicates are allowed.

Removed tracks keep their hidden entries, so that a restored one is where it was. All functions
take a connection of `Database`; changes need a durable transaction.
"""

from __future__ import annotations

import json
import re
import time
from collections.abc import Sequence
from dataclasses import dataclass

from sfa_engine.errors import Refused, did_you_mean
from sfa_engine.library.database import Connection, change, insert, row, rows
from sfa_engine.library.ownership import EVERYTHING
from sfa_engine.library.track import SELECT, Track, track_of
from sfa_engine.library.tracks import get

MAX_NAME = 200  # characters

_UNFIT = re.compile("[\x00-\x1f\x7f\ud800-\udfff]")
_SEEN = (
    "FROM playlist_entries AS e JOIN tracks ON tracks.id = e.track_id AND tracks.deleted_at IS NULL"
)


@dataclass(frozen=True, slots=True)
class Playlist:
    """A playlist: number, name, how many tracks it has, and how long they last in seconds.

    `folders` are those that it is in, the outermost first. `source` is the address of the service's
    playlist that it follows, None for others.
    """

    id: int
    name: str
    folders: tuple[str, ...]
    source: str | None
    tracks: int
    duration_s: float
    changed_at: float


@dataclass(frozen=True, slots=True)
class Entry:
    """An entry of a playlist; `id` is that of the entry, wherever it moves."""

    id: int
    track: Track


async def playlists(connection: Connection, within: str = EVERYTHING) -> list[Playlist]:
    """Return all playlists by name; the tracks of a condition are counted."""
    found = await rows(
        connection,
        "SELECT p.id, p.name, p.folders, p.source, p.changed_at,"  # noqa: S608 - a constant
        f" (SELECT count(*) {_SEEN} WHERE e.playlist_id = p.id AND {within}) AS tracks,"
        f" (SELECT total(tracks.duration_s) {_SEEN} WHERE e.playlist_id = p.id AND {within})"
        " AS duration_s"
        " FROM playlists AS p ORDER BY p.name",
    )
    return [
        Playlist(**{**dict(each), "folders": tuple(json.loads(each["folders"]))}) for each in found
    ]


async def find(connection: Connection, name: str, within: str = EVERYTHING) -> Playlist:
    """Return the playlist of a name, ignoring case; Refused if there is none."""
    found = await playlists(connection, within)
    known = {playlist.name.casefold(): playlist for playlist in found}
    if name.casefold() not in known:
        names = [playlist.name for playlist in known.values()]
        raise Refused(
            f'no playlist "{name:.80}"', did_you_mean(name, names) or "list them, or create it"
        )
    return known[name.casefold()]


async def create(connection: Connection, name: str) -> int:
    """Create an empty playlist; return its number."""
    name = await _free_name(connection, name)
    return await insert(
        connection, "INSERT INTO playlists (name, changed_at) VALUES (?, ?)", (name, time.time())
    )


async def rename(connection: Connection, playlist_id: int, name: str) -> None:
    """Rename a playlist."""
    await _get(connection, playlist_id)
    name = await _free_name(connection, name, but=playlist_id)
    await change(connection, "UPDATE playlists SET name = ? WHERE id = ?", (name, playlist_id))
    await _touch(connection, playlist_id)


async def drop(connection: Connection, playlist_id: int) -> None:
    """Delete a playlist; its tracks stay in the library."""
    await _get(connection, playlist_id)
    await change(connection, "DELETE FROM playlists WHERE id = ?", (playlist_id,))


async def entries(
    connection: Connection,
    playlist_id: int,
    limit: int = -1,
    offset: int = 0,
    within: str = EVERYTHING,
) -> list[Entry]:
    """Return a page of a playlist, in order."""
    await _get(connection, playlist_id)
    found = await rows(
        connection,
        SELECT.replace("SELECT tracks.*", "SELECT e.id AS entry_id, tracks.*")
        + " JOIN playlist_entries AS e ON e.track_id = tracks.id"
        f" WHERE e.playlist_id = ? AND deleted_at IS NULL AND {within}"
        " ORDER BY e.place LIMIT ? OFFSET ?",
        (playlist_id, limit, offset),
    )
    return [Entry(entry["entry_id"], track_of(entry)) for entry in found]


async def append(
    connection: Connection, playlist_id: int, track_ids: Sequence[int], at: int | None = None
) -> list[int]:
    """Insert tracks into a playlist, at its end or before the entry at an index from 0.

    Returns
    -------
    list of int
        The numbers of the new entries.
    """
    order = await order_of(connection, playlist_id)
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
    place = len(order) if at is None else await _index(connection, playlist_id, order, at)
    await arrange(connection, playlist_id, order[:place] + new + order[place:])
    return new


async def move(connection: Connection, entry_id: int, to: int) -> None:
    """Move an entry to an index from 0."""
    playlist_id = await _playlist_of(connection, entry_id)
    order = await order_of(connection, playlist_id)
    order.remove(entry_id)
    place = await _index(connection, playlist_id, order, to)
    await arrange(connection, playlist_id, [*order[:place], entry_id, *order[place:]])


async def take_out(connection: Connection, entry_id: int) -> None:
    """Remove an entry from its playlist."""
    playlist_id = await _playlist_of(connection, entry_id)
    await change(connection, "DELETE FROM playlist_entries WHERE id = ?", (entry_id,))
    await arrange(connection, playlist_id, await order_of(connection, playlist_id))


async def _get(connection: Connection, playlist_id: int) -> None:
    if await row(connection, "SELECT 1 FROM playlists WHERE id = ?", (playlist_id,)) is None:
        raise Refused(f"no playlist {playlist_id}", "look for it by its name")


async def _playlist_of(connection: Connection, entry_id: int) -> int:
    found = await row(
        connection, "SELECT playlist_id FROM playlist_entries WHERE id = ?", (entry_id,)
    )
    if found is None:
        raise Refused(f"no entry {entry_id} in any playlist", "list the playlist again")
    return int(found["playlist_id"])


async def _free_name(connection: Connection, name: str, but: int | None = None) -> str:
    """Return a valid, free name; Refused otherwise."""
    name = name.strip()
    if not name or len(name) > MAX_NAME or _UNFIT.search(name):
        raise Refused(
            f"{name!r:.80} is not a valid name for a playlist", f"give up to {MAX_NAME} letters"
        )
    known = {p.name.casefold(): p.id for p in await playlists(connection)}
    if known.get(name.casefold(), but) != but:
        raise Refused(f'playlist "{name}" exists', "choose another name")
    return name


async def order_of(connection: Connection, playlist_id: int) -> list[int]:
    """Return the numbers of all entries in order, those of removed tracks included."""
    await _get(connection, playlist_id)
    found = await rows(
        connection,
        "SELECT id FROM playlist_entries WHERE playlist_id = ? ORDER BY place, id",
        (playlist_id,),
    )
    return [entry["id"] for entry in found]


async def _index(connection: Connection, playlist_id: int, order: list[int], seen: int) -> int:
    """Return the index in `order` of the `seen`-th visible entry."""
    shown = {
        entry["id"]
        for entry in await rows(
            connection, f"SELECT e.id {_SEEN} WHERE e.playlist_id = ?", (playlist_id,)
        )
    }
    visible = [place for place, entry in enumerate(order) if entry in shown]
    if not 0 <= seen <= len(visible):
        raise Refused(f"invalid index {seen} in {len(visible)} tracks", f"give 0 to {len(visible)}")
    return visible[seen] if seen < len(visible) else len(order)


async def arrange(connection: Connection, playlist_id: int, order: list[int]) -> None:
    """Put the entries of a playlist into an order of their numbers."""
    await connection.executemany(
        "UPDATE playlist_entries SET place = ? WHERE id = ?",
        [(place, entry) for place, entry in enumerate(order)],
    )
    await _touch(connection, playlist_id)


async def _touch(connection: Connection, playlist_id: int) -> None:
    await change(
        connection, "UPDATE playlists SET changed_at = ? WHERE id = ?", (time.time(), playlist_id)
    )
