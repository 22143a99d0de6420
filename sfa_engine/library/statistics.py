"""Counts: tracks by state, and bytes by kind."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from sfa_engine.library.database import Database, row, rows
from sfa_engine.library.ownership import EVERYTHING
from sfa_engine.library.places import Places
from sfa_engine.library.track import STATES


@dataclass(frozen=True, slots=True)
class Storage:
    """Bytes on the disk by kind, and free space beside the bundles."""

    bundles_bytes: int
    trash_bytes: int
    covers_bytes: int
    backups_bytes: int
    database_bytes: int
    free_bytes: int


@dataclass(frozen=True, slots=True)
class Numbers:
    """Counts; `states` has every state, `duration_s` is the sum of all tracks."""

    tracks: int
    states: Mapping[str, int]
    removed: int
    separated: int
    analysed: int
    cues: int
    playlists: int
    duration_s: float


async def numbers(database: Database, within: str = EVERYTHING) -> Numbers:
    """Count the content of the library, of tracks that fit a condition."""
    of_tracks = f"track_id IN (SELECT id FROM tracks WHERE {within})"  # noqa: S608
    async with database.reading() as connection:
        states = dict.fromkeys(STATES, 0) | {
            found["state"]: found["n"]
            for found in await rows(
                connection,
                "SELECT state, count(*) AS n FROM tracks"  # noqa: S608
                f" WHERE deleted_at IS NULL AND {within} GROUP BY state",
            )
        }
        found = await row(
            connection,
            "SELECT (SELECT count(*) FROM tracks"  # noqa: S608
            f" WHERE deleted_at IS NOT NULL AND {within}) AS removed,"
            " (SELECT count(DISTINCT track_id) FROM stems"
            f" WHERE name <> 'mix' AND {of_tracks}) AS separated,"
            f" (SELECT count(*) FROM analyses WHERE {of_tracks}) AS analysed,"
            f" (SELECT count(*) FROM cues WHERE {of_tracks}) AS cues,"
            " (SELECT count(*) FROM playlists) AS playlists,"
            " (SELECT total(duration_s) FROM tracks"
            f" WHERE deleted_at IS NULL AND {within}) AS duration_s",
        )
    assert found is not None
    return Numbers(tracks=sum(states.values()), states=states, **dict(found))


async def storage(places: Places) -> Storage:
    """Measure the space on the disk."""
    return await asyncio.to_thread(_storage, places)


def _storage(places: Places) -> Storage:
    trash = _size_bytes(places.trash)
    files = [Path(f"{places.database}{end}") for end in ("", "-wal", "-shm")]
    return Storage(
        bundles_bytes=_size_bytes(places.bundles) - trash,
        trash_bytes=trash,
        covers_bytes=_size_bytes(places.covers),
        backups_bytes=_size_bytes(places.backups),
        database_bytes=sum(file.stat().st_size for file in files if file.exists()),
        free_bytes=free_bytes(places),
    )


def free_bytes(places: Places) -> int:
    """Return the free space beside the bundles."""
    existing = next(p for p in (places.bundles, *places.bundles.absolute().parents) if p.exists())
    room = os.statvfs(existing)
    return room.f_bavail * room.f_frsize


def _size_bytes(folder: Path) -> int:
    """Return the size of all files below a folder; 0 if it does not exist."""
    total = 0
    for parent, _, names in os.walk(folder):
        for name in names:
            try:
                total += Path(parent, name).lstat().st_size
            except FileNotFoundError:  # gone meanwhile
                continue
    return total
