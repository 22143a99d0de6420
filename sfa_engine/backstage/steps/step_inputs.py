"""The inputs of a step: the track of its job, its bundle and its stems."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from sfa_engine.backstage.context import PrepContext
from sfa_engine.backstage.job import Job
from sfa_engine.errors import Refused
from sfa_engine.library import analysis, tracks
from sfa_engine.library.analysis import StemOrigin
from sfa_engine.library.track import Track
from sfa_engine.system.atomic import clean_leftovers


@dataclass(frozen=True)
class StepInputs:
    """The inputs of a step.

    Parameters
    ----------
    track : Track
    bundle : pathlib.Path
        The folder, which exists.
    stems : tuple of StemOrigin
        Empty for a track that is not separated.
    """

    track: Track
    bundle: Path
    stems: tuple[StemOrigin, ...]


async def load_inputs(context: PrepContext, job: Job) -> StepInputs:
    """Return the inputs of a job's step.

    Raises
    ------
    Refused
        The track was removed, or has no bundle.
    """
    if job.track is None:
        raise Refused("the track is no longer in the library", "prepare its file again")
    async with context.database.reading() as connection:
        track = await tracks.get(connection, job.track)
        stems = tuple(await analysis.stems_of(connection, job.track))
    if track.deleted_at is not None:
        raise Refused(f'"{track.name}" was removed', "restore it first")
    bundle = context.places.bundles / (track.bundle or "")
    if track.bundle is not None and not bundle.exists():
        # A worker was killed while it replaced the bundle: the old one is put back.
        with suppress(OSError):
            await asyncio.to_thread(clean_leftovers, context.places.bundles)
    if track.bundle is None or not bundle.is_dir():
        raise Refused(f'"{track.name}" has no bundle', "prepare its file again with `sfa prep`")
    return StepInputs(track, bundle, stems)
