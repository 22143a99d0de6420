"""Tracks taken away, and brought back: nothing is lost until clean-up.

::

    remove     row: deleted_at  ─►  bundle: bundles/NAME.sfa  ─►  bundles/.trash/UUID.sfa
    restore    bundle back      ─►  row: deleted_at off
    age        row: trashed_s, the time that clean-ups have seen it here; when they last looked
    clean_up   bundle away for good, cover too  ─►  row away

Age is counted and not read off the clock: one that was set forward by years deletes nothing.

A crash between two steps leaves a removed row whose bundle is in the wrong place, or is gone:
`sfa_engine.library.check` moves it on, the next clean-up goes on where this one ended.
"""

from __future__ import annotations

import asyncio
import shutil
import time
from pathlib import Path

from sfa_engine.durable import sync
from sfa_engine.errors import LibraryError, Refused
from sfa_engine.library.bundle import SUFFIX
from sfa_engine.library.database import (
    Connection,
    Database,
    change,
    row,
    rows,
    set_setting,
    setting,
)
from sfa_engine.library.description import follow
from sfa_engine.library.fault import blamed_files
from sfa_engine.library.places import Places
from sfa_engine.library.track import SELECT, Track, track_of
from sfa_engine.library.tracks import get, with_content

KEPT_DAYS = 30.0
DAY_S = 86_400.0
# The most that is believed to have passed between two looks: a clock that was set forward by years
# deletes nothing, a machine that plays at weekends ages as it should.
LONGEST_GAP_S = 7 * DAY_S
_SEEN = "trash_seen_at"  # seconds since 1970


async def remove(database: Database, places: Places, track_id: int) -> Track:
    """Take a track out of the library; it can be restored until clean-up.

    Parameters
    ----------
    database : Database
    places : Places
    track_id : int

    Returns
    -------
    Track
        As it is now.

    Raises
    ------
    Refused
        There is no such track, or it was removed already.
    LibraryError
        The row or the bundle cannot be changed.
    """
    async with database.transaction() as connection:
        track = await get(connection, track_id)
        if track.deleted_at is not None:
            raise Refused(f'"{track.name}" was removed already', "restore it, or leave it")
        await _mark(connection, track_id, time.time())
    if track.bundle is not None:
        await asyncio.to_thread(_move, places.bundles / track.bundle, place_in_trash(places, track))
    async with database.reading() as connection:
        return await get(connection, track_id)


async def restore(database: Database, places: Places, track_id: int) -> Track:
    """Bring a removed track back, with its cues, its grid and its places in playlists.

    Parameters
    ----------
    database : Database
    places : Places
    track_id : int

    Returns
    -------
    Track
        As it is now.

    Raises
    ------
    Refused
        There is no such track, it was not removed, or its content has been added again since.
    LibraryError
        The row or the bundle cannot be changed.
    """
    async with database.reading() as connection:
        track = await get(connection, track_id)
        if track.deleted_at is None:
            raise Refused(f'"{track.name}" was not removed', "there is nothing to restore")
        if track.content_hash is not None:
            other = await with_content(connection, track.content_hash)
            if other is not None:
                raise Refused(
                    f'"{track.name}" has been added again since, as #{other.id}',
                    "remove that one first, or use it",
                )
    if track.bundle is not None:
        await asyncio.to_thread(_move, place_in_trash(places, track), places.bundles / track.bundle)
    async with database.transaction() as connection:
        await _mark(connection, track_id, None)
    if track.bundle is not None and (places.bundles / track.bundle).exists():
        await follow(database, places, track_id)
    async with database.reading() as connection:
        return await get(connection, track_id)


async def removed(connection: Connection, limit: int = -1, offset: int = 0) -> list[Track]:
    """Return what is in the trash, the latest first; a part of it, if a limit is given."""
    found = await rows(
        connection,
        f"{SELECT} WHERE deleted_at IS NOT NULL"
        " ORDER BY deleted_at DESC, tracks.id DESC LIMIT ? OFFSET ?",
        (limit, offset),
    )
    return [track_of(track) for track in found]


async def count(connection: Connection) -> int:
    """Return how many tracks are in the trash."""
    found = await row(connection, "SELECT count(*) AS n FROM tracks WHERE deleted_at IS NOT NULL")
    assert found is not None
    return int(found["n"])


async def age(database: Database, now_s: float) -> None:
    """Let what is in the trash be older by the time since the last call, or since it came there.

    Parameters
    ----------
    database : Database
    now_s : float
        Seconds since 1970. The time of the call is kept with its effect, so that one that is
        repeated, whatever became of the clean-up around it, counts no time twice.
    """
    async with database.transaction(durable=False) as connection:
        seen_s = await setting(connection, _SEEN)
        await set_setting(connection, _SEEN, now_s)
        passed_s = 0.0 if seen_s is None else min(max(0.0, now_s - seen_s), LONGEST_GAP_S)
        await change(
            connection,
            "UPDATE tracks SET trashed_s = trashed_s + max(0.0, min(?, ? - deleted_at))"
            " WHERE deleted_at IS NOT NULL",
            (passed_s, now_s),
        )


async def clean_up(
    database: Database, places: Places, *, kept_days: float = KEPT_DAYS
) -> list[Track]:
    """Delete the tracks for good that have been in the trash for so many days; return them.

    Parameters
    ----------
    database : Database
    places : Places
    kept_days : float
        0: all of them, now.

    Raises
    ------
    LibraryError
        Some cannot be done away with; all the others have been.
    """
    async with database.reading() as connection:
        found = await rows(
            connection,
            f"{SELECT} WHERE deleted_at IS NOT NULL AND trashed_s >= ?"
            " ORDER BY deleted_at DESC, tracks.id DESC",
            (kept_days * DAY_S,),
        )
    old = [track_of(each) for each in found]
    gone: list[Track] = []
    problem: LibraryError | None = None
    for track in old:
        try:
            await asyncio.to_thread(_destroy, place_in_trash(places, track))
        except LibraryError as found:
            problem = found
            continue
        async with database.transaction() as connection:
            await change(
                connection,
                "DELETE FROM tracks WHERE id = ? AND deleted_at IS NOT NULL",
                (track.id,),
            )
            shared = track.cover and await row(
                connection, "SELECT 1 FROM tracks WHERE cover = ?", (track.cover,)
            )
        if track.cover and not shared:
            (places.covers / track.cover).unlink(missing_ok=True)
        gone.append(track)
    if problem is not None:
        raise problem
    return gone


def place_in_trash(places: Places, track: Track) -> Path:
    """Return where a removed track's bundle is: by uuid, since names may be used again."""
    return places.trash / f"{track.uuid}{SUFFIX}"


async def _mark(connection: Connection, track_id: int, deleted_at: float | None) -> None:
    await change(
        connection,
        "UPDATE tracks SET deleted_at = ?, trashed_s = 0, changed_at = ? WHERE id = ?",
        (deleted_at, time.time(), track_id),
    )


def _move(old: Path, new: Path) -> None:
    """Move a bundle, if it is not where it goes already."""
    if not old.exists():
        return
    with blamed_files(f'cannot move bundle "{old}" to "{new}"'):
        new.parent.mkdir(parents=True, exist_ok=True)
        old.rename(new)
        sync(old.parent)
        sync(new.parent)


def _destroy(bundle: Path) -> None:
    if bundle.exists():
        with blamed_files(f'cannot delete bundle "{bundle}"'):
            shutil.rmtree(bundle)
