"""Removed tracks, which can be restored until they are deleted.

::

    remove     row: deleted_at    ─►  bundle: bundles/NAME.sfa  ─►  bundles/.trash/UUID.sfa
    restore    bundle moved back  ─►  row: deleted_at NULL
    age        row: trashed_s, the time that clean-ups have counted
    clean_up   bundle and cover deleted  ─►  row deleted

The age is counted, not computed from the clock: a clock set forward by years deletes nothing.

A crash between two steps leaves a removed row whose bundle is in the wrong folder or deleted:
`sfa_engine.library.check` moves it, and the next clean-up continues.
"""

from __future__ import annotations

import asyncio
import shutil
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path

from sfa_engine.errors import LibraryError, Refused
from sfa_engine.library import manifest
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
from sfa_engine.library.ownership import EVERYTHING
from sfa_engine.library.places import Places
from sfa_engine.library.sqlite_errors import os_errors_as
from sfa_engine.library.track import SELECT, Track, track_of
from sfa_engine.library.tracks import get, with_content
from sfa_engine.system.atomic import sync

KEEP_DAYS = 30.0
DAY_S = 86_400.0
# The longest time that counts between two clean-ups: enough for a machine that is used at weekends.
MAX_GAP_S = 7 * DAY_S
_SEEN = "trash_seen_at"  # seconds since 1970


async def remove(database: Database, places: Places, track_id: int) -> Track:
    """Move a track to the trash.

    Parameters
    ----------
    database : Database
    places : Places
    track_id : int

    Returns
    -------
    Track
        The new row.

    Raises
    ------
    Refused
        There is no such track, or it was removed before.
    LibraryError
        The row or the bundle cannot be changed.
    """
    async with database.transaction() as connection:
        track = await get(connection, track_id)
        if track.deleted_at is not None:
            raise Refused(f'"{track.name}" was removed before', "restore it first")
        await _set_deleted(connection, track_id, time.time())
    if track.bundle is not None:
        await asyncio.to_thread(_move, places.bundles / track.bundle, path_in_trash(places, track))
    async with database.reading() as connection:
        return await get(connection, track_id)


async def restore(database: Database, places: Places, track_id: int) -> Track:
    """Restore a removed track, with its cues, grid and playlist entries.

    Parameters
    ----------
    database : Database
    places : Places
    track_id : int

    Returns
    -------
    Track
        The new row.

    Raises
    ------
    Refused
        There is no such track, it was not removed, or its content was added again since.
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
                    f'"{track.name}" was added again since, as #{other.id}',
                    "remove that one first, or use it",
                )
    if track.bundle is not None:
        await asyncio.to_thread(_move, path_in_trash(places, track), places.bundles / track.bundle)
    async with database.transaction() as connection:
        await _set_deleted(connection, track_id, None)
    if track.bundle is not None and (places.bundles / track.bundle).exists():
        await manifest.update(database, places, track_id)
    async with database.reading() as connection:
        return await get(connection, track_id)


async def removed(
    connection: Connection, limit: int = -1, offset: int = 0, within: str = EVERYTHING
) -> list[Track]:
    """Return a page of the trash, the latest first."""
    found = await rows(
        connection,
        f"{SELECT} WHERE deleted_at IS NOT NULL AND {within}"
        " ORDER BY deleted_at DESC, tracks.id DESC LIMIT ? OFFSET ?",
        (limit, offset),
    )
    return [track_of(track) for track in found]


async def count(connection: Connection, within: str = EVERYTHING) -> int:
    """Return how many tracks are in the trash."""
    found = await row(
        connection,
        f"SELECT count(*) AS n FROM tracks WHERE deleted_at IS NOT NULL AND {within}",  # noqa: S608
    )
    assert found is not None
    return int(found["n"])


async def age(database: Database, now_s: float) -> None:
    """Add the time since the last call to the age of everything in the trash.

    Parameters
    ----------
    database : Database
    now_s : float
        Seconds since 1970; stored in the same transaction, so that no time counts twice.
    """
    async with database.transaction(durable=False) as connection:
        seen_s = await setting(connection, _SEEN)
        await set_setting(connection, _SEEN, now_s)
        passed_s = 0.0 if seen_s is None else min(max(0.0, now_s - seen_s), MAX_GAP_S)
        await change(
            connection,
            "UPDATE tracks SET trashed_s = trashed_s + max(0.0, min(?, ? - deleted_at))"
            " WHERE deleted_at IS NOT NULL",
            (passed_s, now_s),
        )


@asynccontextmanager
async def _alone(_track: int) -> AsyncIterator[None]:
    yield


async def clean_up(
    database: Database,
    places: Places,
    *,
    kept_days: float = KEEP_DAYS,
    around: Callable[[int], AbstractAsyncContextManager[None]] = _alone,
) -> list[Track]:
    """Delete the tracks that have been in the trash for so many days; return them.

    Parameters
    ----------
    database : Database
    places : Places
    kept_days : float
        0: all of them.
    around : callable
        Returns a context in which a track is deleted from the database, by its number.

    Raises
    ------
    LibraryError
        Some cannot be deleted; all others were.
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
            await asyncio.to_thread(_delete, path_in_trash(places, track))
        except LibraryError as found:
            problem = found
            continue
        async with around(track.id), database.transaction() as connection:
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


def path_in_trash(places: Places, track: Track) -> Path:
    """Return the path of a removed track's bundle: by uuid, since names may be reused."""
    return places.trash / f"{track.uuid}{SUFFIX}"


async def _set_deleted(connection: Connection, track_id: int, deleted_at: float | None) -> None:
    await change(
        connection,
        "UPDATE tracks SET deleted_at = ?, trashed_s = 0, changed_at = ? WHERE id = ?",
        (deleted_at, time.time(), track_id),
    )


def _move(old: Path, new: Path) -> None:
    """Move a bundle, if it exists."""
    if not old.exists():
        return
    with os_errors_as(f'cannot move bundle "{old}" to "{new}"'):
        new.parent.mkdir(parents=True, exist_ok=True)
        old.rename(new)
        sync(old.parent)
        sync(new.parent)


def _delete(bundle: Path) -> None:
    if bundle.exists():
        with os_errors_as(f'cannot delete bundle "{bundle}"'):
            shutil.rmtree(bundle)
