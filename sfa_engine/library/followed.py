"""Playlists that follow those of a service: its order, and its tracks as soon as they are here.

::

    followed_entries   0  …/track/A ─► entry 7
                       1  …/track/B ─► none yet
                       2  …/track/C ─► entry 8
    the playlist       A (7), C (8), a track that the user added (9)

What the service lists comes first, in its order; entries that the user added come after it. An
entry that the user removed stays away until the playlist is imported again. All functions take a
connection of `Database`, within a transaction.
"""

from __future__ import annotations

import itertools
from collections import defaultdict, deque
from collections.abc import Sequence

from sfa_engine.library import playlists
from sfa_engine.library.database import Connection, change, insert, row, rows
from sfa_engine.library.tracks import with_source

SERVICE = "Spotify"  # in the name, where another playlist has the name


async def follow(
    connection: Connection, source: str, name: str, locations: Sequence[str]
) -> playlists.Playlist:
    """Make a playlist equal to a service's, and create it if it is not there.

    Parameters
    ----------
    connection : Connection
    source : str
        Address of the service's playlist; the one that follows it keeps its name.
    name : str
        Of a new playlist.
    locations : sequence of str
        Addresses of its tracks, in order; an address may stand there twice.

    Returns
    -------
    Playlist
        With the tracks that are here already.
    """
    number = await _following(connection, source)
    if number is None:
        number = await playlists.create(connection, await _free_name(connection, name))
        await change(connection, "UPDATE playlists SET source = ? WHERE id = ?", (source, number))
    there: defaultdict[str, deque[int]] = defaultdict(deque)
    for each in await rows(
        connection,
        "SELECT location, entry_id FROM followed_entries"
        " WHERE playlist_id = ? AND entry_id IS NOT NULL ORDER BY place",
        (number,),
    ):
        there[each["location"]].append(each["entry_id"])
    followed = {entry for entries in there.values() for entry in entries}
    by_hand = [n for n in await playlists.order_of(connection, number) if n not in followed]
    entries: list[int | None] = []
    for location in locations:
        if there[location]:
            entries.append(there[location].popleft())
        else:
            track = await with_source(connection, location)
            entries.append(None if track is None else await _insert(connection, number, track.id))
    await change(connection, "DELETE FROM followed_entries WHERE playlist_id = ?", (number,))
    await connection.executemany(
        "DELETE FROM playlist_entries WHERE id = ?",
        [(entry,) for entry in itertools.chain.from_iterable(there.values())],
    )
    await connection.executemany(
        "INSERT INTO followed_entries (playlist_id, place, location, entry_id) VALUES (?, ?, ?, ?)",
        [
            (number, place, location, entry)
            for place, (location, entry) in enumerate(zip(locations, entries, strict=True))
        ],
    )
    order = [entry for entry in entries if entry is not None] + by_hand
    await playlists.arrange(connection, number, order)
    known = {each.id: each for each in await playlists.playlists(connection)}
    return known[number]


async def place(connection: Connection, location: str, track_id: int) -> None:
    """Put a track that has arrived where the playlists that follow have its address."""
    waiting = await rows(
        connection,
        "SELECT playlist_id, place FROM followed_entries WHERE location = ? AND entry_id IS NULL",
        (location,),
    )
    for each in waiting:
        number, index = each["playlist_id"], each["place"]
        before = await row(
            connection,
            "SELECT entry_id FROM followed_entries WHERE playlist_id = ? AND place < ?"
            " AND entry_id IS NOT NULL ORDER BY place DESC LIMIT 1",
            (number, index),
        )
        order = await playlists.order_of(connection, number)
        at = 0 if before is None else order.index(before["entry_id"]) + 1
        entry = await _insert(connection, number, track_id)
        await change(
            connection,
            "UPDATE followed_entries SET entry_id = ? WHERE playlist_id = ? AND place = ?",
            (entry, number, index),
        )
        await playlists.arrange(connection, number, [*order[:at], entry, *order[at:]])


async def _following(connection: Connection, source: str) -> int | None:
    found = await row(connection, "SELECT id FROM playlists WHERE source = ?", (source,))
    return None if found is None else int(found["id"])


async def _insert(connection: Connection, playlist_id: int, track_id: int) -> int:
    """Insert an entry, to be arranged; return its number."""
    return await insert(
        connection,
        "INSERT INTO playlist_entries (playlist_id, place, track_id) VALUES (?, 0, ?)",
        (playlist_id, track_id),
    )


async def _free_name(connection: Connection, name: str) -> str:
    """Return a name that no playlist has: the given one, or with the service's behind it."""
    taken = {each.name.casefold() for each in await playlists.playlists(connection)}
    base = name.strip()[: playlists.MAX_NAME - 20].strip() or "Playlist"
    endings = ("", f" ({SERVICE})", *(f" ({SERVICE} {number})" for number in range(2, 1000)))
    return next(base + end for end in endings if (base + end).casefold() not in taken)
