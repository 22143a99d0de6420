"""What a step stands on: the track of its job, its bundle, and the stems that it has."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from sfa_engine.backstage.job import Job
from sfa_engine.backstage.workshop import Workshop
from sfa_engine.errors import Refused
from sfa_engine.library import analysis, tracks
from sfa_engine.library.analysis import StemOrigin
from sfa_engine.library.draft import clean_leftovers
from sfa_engine.library.track import Track


@dataclass(frozen=True)
class Ground:
    """What a step stands on.

    Parameters
    ----------
    track : Track
    bundle : pathlib.Path
        The folder, which is there.
    stems : tuple of StemOrigin
        Empty for a track in one piece.
    """

    track: Track
    bundle: Path
    stems: tuple[StemOrigin, ...]


async def ground_of(shop: Workshop, job: Job) -> Ground:
    """Return what a job's step stands on.

    Raises
    ------
    Refused
        The track is not there any more, or has no bundle.
    """
    if job.track is None:
        raise Refused("the track is not in the library any more", "prepare its file again")
    async with shop.database.reading() as connection:
        track = await tracks.get(connection, job.track)
        stems = tuple(await analysis.stems_of(connection, job.track))
    if track.deleted_at is not None:
        raise Refused(f'"{track.name}" was removed', "restore it first")
    bundle = shop.places.bundles / (track.bundle or "")
    if track.bundle is not None and not bundle.exists():
        # A worker that was killed while it put a new one in its place left the old one aside.
        with suppress(OSError):
            await asyncio.to_thread(clean_leftovers, shop.places.bundles)
    if track.bundle is None or not bundle.is_dir():
        raise Refused(f'"{track.name}" has no bundle', "prepare its file again with `sfa prep`")
    return Ground(track, bundle, stems)
