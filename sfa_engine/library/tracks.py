"""Tracks: one row for each content, however many copies it has.

All functions take a connection of `Database`. Removal is `sfa_engine.library.trash`, search is
`sfa_engine.library.search`. Knows no file.
"""

from __future__ import annotations

import re
import time
import unicodedata
import uuid
from collections.abc import Collection, Sequence
from typing import Any

from sfa_engine.errors import Absent, Refused, did_you_mean
from sfa_engine.library.bundle import MAX_NAME_BYTES, SUFFIX
from sfa_engine.library.color import color_of
from sfa_engine.library.database import Connection, change, insert, row, rows
from sfa_engine.library.merging import move_into
from sfa_engine.library.ownership import EVERYTHING
from sfa_engine.library.tags import MAX_TEXT, Tags, in_one_line
from sfa_engine.library.track import SELECT, STATES, State, Track, track_of
from sfa_engine.track.key import camelot, parse_key
from sfa_engine.track.media import MAX_STARS

EDITABLE = ("title", "artist", "album", "genre", "year", "key", "rating", "comment", "color")

_UNFIT = re.compile(r'[\s\x00-\x1f\x7f\ud800-\udfff/\\:*?"<>|]+')


async def add(
    connection: Connection,
    source: str,
    *,
    content_hash: str | None = None,
    tags: Tags | None = None,
    identity: str | None = None,
) -> tuple[Track, bool]:
    """Add the track of a path or an address, unless it exists.

    Parameters
    ----------
    connection : Connection
        Of a transaction.
    source : str
        Path or address; empty if unknown.
    content_hash : str, optional
        Identity of its sound, see `content`; None before the download.
    tags : Tags, optional
        Of the file.
    identity : str, optional
        Its uuid, if it has one.

    Returns
    -------
    track : Track
        The new track, or the existing one.
    is_new : bool
        False: the library has this content, and now also `source` as a location of it.
    """
    existing = None
    if content_hash is not None:
        existing = await with_content(connection, content_hash)
    elif source:
        existing = await with_source(connection, source)
    if existing is not None:
        await add_source(connection, existing.id, source)
        return await get(connection, existing.id), False
    now = time.time()
    tags = tags or Tags()
    number = await insert(
        connection,
        "INSERT INTO tracks (uuid, content_hash, title, artist, album, genre, year, duration_s,"
        " tag_bpm, tag_key, added_at, changed_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (
            identity or str(uuid.uuid4()), content_hash, tags.title, tags.artist, tags.album,
            tags.genre, tags.year, tags.duration_s, tags.bpm, tags.key, now, now,
        ),
    )  # fmt: skip
    await add_source(connection, number, source)
    await settle(connection, number)
    return await get(connection, number), True


async def get(connection: Connection, track_id: int, within: str = EVERYTHING) -> Track:
    """Return a track, removed or not; raise Absent if it does not exist."""
    found = await row(connection, f"{SELECT} WHERE tracks.id = ? AND {within}", (track_id,))
    if found is None:
        raise Absent(f"no track {track_id}", "search for its title")
    return track_of(found)


async def by_uuid(connection: Connection, identity: str, within: str = EVERYTHING) -> Track | None:
    """Return the track of a uuid, removed or not."""
    found = await row(connection, f"{SELECT} WHERE tracks.uuid = ? AND {within}", (identity,))
    return None if found is None else track_of(found)


async def by_bundle(connection: Connection, bundle: str) -> Track | None:
    """Return the track of a bundle name, removed or not."""
    found = await row(connection, f"{SELECT} WHERE tracks.bundle = ?", (bundle,))
    return None if found is None else track_of(found)


async def with_content(connection: Connection, content_hash: str) -> Track | None:
    """Return the track of a content, unless it was removed."""
    found = await row(
        connection, f"{SELECT} WHERE content_hash = ? AND deleted_at IS NULL", (content_hash,)
    )
    return None if found is None else track_of(found)


async def with_source(connection: Connection, source: str) -> Track | None:
    """Return the newest track of a path or an address."""
    return next(iter(await at_source(connection, source)), None)


async def add_source(connection: Connection, track_id: int, source: str) -> None:
    """Store a location of a track's content, seen now."""
    if not source:
        return
    await change(
        connection,
        "INSERT INTO sources (track_id, location, added_at) VALUES (?, ?, ?)"
        " ON CONFLICT (track_id, location) DO UPDATE SET added_at = excluded.added_at",
        (track_id, source, time.time()),
    )
    if source.startswith("/"):
        await change(
            connection, "UPDATE tracks SET source_path = ? WHERE id = ?", (source, track_id)
        )


async def at_source(connection: Connection, source: str) -> list[Track]:
    """Return the tracks of a path or an address, newest first."""
    found = await rows(
        connection,
        f"{SELECT} WHERE tracks.id IN "  # noqa: S608 - a constant
        "(SELECT track_id FROM sources WHERE location = ?)"
        " AND deleted_at IS NULL ORDER BY tracks.id DESC",
        (source,),
    )
    return [track_of(track) for track in found]


async def forget_source(connection: Connection, track_id: int, source: str) -> None:
    """Delete a location where another file is now."""
    await change(
        connection,
        "DELETE FROM sources WHERE track_id = ? AND location = ?",
        (track_id, source),
    )
    await change(
        connection,
        "UPDATE tracks SET source_path = (SELECT location FROM sources"
        " WHERE track_id = tracks.id AND location LIKE '/%' ORDER BY added_at DESC, id DESC"
        " LIMIT 1) WHERE id = ? AND source_path = ?",
        (track_id, source),
    )


async def seen_at(connection: Connection, track_id: int, source: str) -> float:
    """Return when a track's content was last seen at a location, in seconds since 1970."""
    found = await row(
        connection,
        "SELECT added_at FROM sources WHERE track_id = ? AND location = ?",
        (track_id, source),
    )
    return 0.0 if found is None else float(found["added_at"])


async def rename(connection: Connection, track_id: int, tags: Tags) -> None:
    """Set title and artist from tags, where they came from the file name."""
    await _set(connection, track_id, title=tags.title, artist=tags.artist)


async def sources(connection: Connection, track_id: int) -> list[str]:
    """Return all locations of a track's content, in order of discovery."""
    found = await rows(
        connection, "SELECT location FROM sources WHERE track_id = ? ORDER BY id", (track_id,)
    )
    return [each["location"] for each in found]


async def locations_of(connection: Connection, source: str) -> list[str]:
    """Return all locations of the content of a path or an address; none if unknown."""
    track = await with_source(connection, source)
    return [] if track is None else await sources(connection, track.id)


async def delete_unprepared(connection: Connection, track_id: int) -> None:
    """Delete a track that was added for a file without sound.

    A track that ever had sound stays, and one with playlist entries, cues or edits of the user.
    """
    await change(
        connection,
        "DELETE FROM tracks WHERE id = ? AND duration_s IS NULL"
        " AND id NOT IN (SELECT track_id FROM playlist_entries)"
        " AND id NOT IN (SELECT track_id FROM cues WHERE origin = 'hand')"
        " AND id NOT IN (SELECT track_id FROM grids WHERE origin = 'hand')"
        " AND hand_key IS NULL AND rating = 0 AND comment = '' AND color = ''",
        (track_id,),
    )


async def set_content(connection: Connection, track_id: int, content_hash: str) -> Track:
    """Set the content of a track; return the track that has it.

    If another track has that content, this one is merged into it: its locations, playlist entries,
    members, and what was made by hand, become the other's, see `merging`.
    """
    other = await with_content(connection, content_hash)
    if other is not None and other.id != track_id:
        for source in await sources(connection, track_id):
            await add_source(connection, other.id, source)
        await move_into(connection, track_id, other.id)
        await change(connection, "DELETE FROM tracks WHERE id = ?", (track_id,))
        await settle(connection, other.id)
        return await get(connection, other.id)
    await _set(connection, track_id, content_hash=content_hash)
    return await get(connection, track_id)


async def fill(connection: Connection, track_id: int, tags: Tags) -> Track:
    """Fill the empty fields of a track from tags; return the track."""
    await get(connection, track_id)
    await change(
        connection,
        "UPDATE tracks SET title = CASE title WHEN '' THEN ? ELSE title END,"
        " artist = CASE artist WHEN '' THEN ? ELSE artist END,"
        " album = CASE album WHEN '' THEN ? ELSE album END,"
        " genre = CASE genre WHEN '' THEN ? ELSE genre END,"
        " year = coalesce(year, ?), duration_s = coalesce(duration_s, ?),"
        " tag_bpm = coalesce(tag_bpm, ?), tag_key = coalesce(tag_key, ?) WHERE id = ?",
        (
            tags.title, tags.artist, tags.album, tags.genre, tags.year, tags.duration_s,
            tags.bpm, tags.key, track_id,
        ),
    )  # fmt: skip
    await settle(connection, track_id)
    return await get(connection, track_id)


async def edit(connection: Connection, track_id: int, **values: Any) -> Track:
    """Edit a track; return it.

    Parameters
    ----------
    connection : Connection
        Of a durable transaction.
    track_id : int
    **values
        ``title``, ``artist``, ``album``, ``genre``, ``comment`` (texts), ``year`` (a number or
        None), ``key`` (any spelling; None or empty: as analysed), ``rating`` (0 to 5), ``color``
        (a name or ``#rrggbb``; empty: none).
    """
    columns = {}
    for name, value in values.items():
        if name not in EDITABLE:
            raise Refused(
                f'a track has no editable "{name:.40}"',
                did_you_mean(name, EDITABLE) or f"give one of {', '.join(EDITABLE)}",
            )
        if name == "year":
            if value is not None and (type(value) is not int or not 1 <= value <= 9999):
                raise Refused(f"invalid year {value!r:.40}", "give a year of four digits")
        elif name == "rating":
            if type(value) is not int or not 0 <= value <= MAX_STARS:
                raise Refused(f"invalid rating {value!r:.40}", f"give 0 to {MAX_STARS} stars")
        elif name == "key" and value is None:
            pass
        elif not isinstance(value, str) or re.search("[\ud800-\udfff]", value):
            raise Refused(f"invalid {name} {value!r:.80}", "give a text")
        elif len(value) > MAX_TEXT:
            raise Refused(f"{name} has {len(value)} characters", f"give up to {MAX_TEXT}")
        if name == "key":
            columns["hand_key"] = parse_key(value) if value else None
        elif name == "color":
            columns[name] = color_of(value) if value else ""
        else:
            is_name = isinstance(value, str) and name != "comment"  # that may have several lines
            columns[name] = in_one_line(value) if is_name else value
    await _set(connection, track_id, **columns)
    await settle(connection, track_id)
    return await get(connection, track_id)


async def set_state(connection: Connection, track_id: int, state: State, problem: str = "") -> None:
    """Set the state of a track's preparation, and why it failed."""
    if state not in STATES:
        raise Refused(f'no state "{state:.40}"', did_you_mean(state, STATES) or ", ".join(STATES))
    await _set(connection, track_id, state=state, problem=problem)


async def set_bundle(
    connection: Connection, track_id: int, bundle: str, duration_s: float | None = None
) -> None:
    """Set a track's bundle, and the duration of its sound."""
    length = {} if duration_s is None else {"duration_s": duration_s}
    await _set(connection, track_id, bundle=bundle, **length)


async def has_hand_key(connection: Connection, track_id: int) -> bool:
    """Return whether the user set a track's key."""
    found = await row(connection, "SELECT hand_key FROM tracks WHERE id = ?", (track_id,))
    return found is not None and found["hand_key"] is not None


async def set_cover(connection: Connection, track_id: int, cover: str | None) -> None:
    """Set a track's cover, a name in the folder of covers."""
    await _set(connection, track_id, cover=cover)


async def bundle_name(connection: Connection, track_id: int, taken: Collection[str] = ()) -> str:
    """Return the name of a track's bundle, or a free one for it.

    It is ``Artist - Title.sfa``, with a part of the uuid if that is another track's or one of
    the `taken` names of the folder.
    """
    track = await get(connection, track_id)
    if track.bundle is not None:
        return track.bundle
    name = unicodedata.normalize("NFC", _UNFIT.sub(" ", track.name)).strip(". ")
    name = name.encode()[: MAX_NAME_BYTES - 20].decode(errors="ignore").strip(". ")
    for end in ("", f" {track.uuid[:8]}", f" {track.uuid}"):
        candidate = f"{name or 'track'}{end}{SUFFIX}"
        if candidate not in taken and await by_bundle(connection, candidate) is None:
            return candidate
    raise AssertionError(f"two tracks have the uuid {track.uuid}")


async def listed(
    connection: Connection, ids: Sequence[int], within: str = EVERYTHING
) -> list[Track]:
    """Return tracks in the order of their numbers, without those that do not exist."""
    slots = ", ".join("?" * len(ids))
    found = await rows(connection, f"{SELECT} WHERE tracks.id IN ({slots}) AND {within}", ids)
    tracks = {track["id"]: track_of(track) for track in found}
    return [tracks[number] for number in ids if number in tracks]


async def settle(connection: Connection, track_id: int) -> None:
    """Update the tempo, key and energy in force, and the time of change.

    By hand before analysed, analysed before tags.
    """
    found = await row(
        connection,
        "SELECT coalesce("
        " (SELECT bpm FROM grids WHERE track_id = tracks.id AND origin = 'hand'), analyses.bpm,"
        " (SELECT bpm FROM grids WHERE track_id = tracks.id AND origin = 'automatic'), tag_bpm"
        ") AS bpm, coalesce(hand_key, analyses.key, tag_key) AS key, analyses.energy AS energy"
        " FROM tracks LEFT JOIN analyses ON analyses.track_id = tracks.id WHERE tracks.id = ?",
        (track_id,),
    )
    if found is None:
        raise Absent(f"no track {track_id}", "search for its title")
    key = found["key"]
    await _set(
        connection,
        track_id,
        bpm=found["bpm"],
        key=key,
        camelot=camelot(key) if key else None,
        energy=found["energy"],
    )


async def _set(connection: Connection, track_id: int, **values: Any) -> None:
    """Write columns of a track; the names are constants of this module."""
    columns = ", ".join(f"{name} = ?" for name in (*values, "changed_at"))
    changed = await change(
        connection,
        f"UPDATE tracks SET {columns} WHERE id = ?",  # noqa: S608 - names of columns
        (*values.values(), time.time(), track_id),
    )
    if not changed:
        raise Absent(f"no track {track_id}", "search for its title")
