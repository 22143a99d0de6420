"""Describes what tracks sound like: with each analysis, and later for those analysed before.

The curves of a bundle are read once, 10 ms a track; what comes of them is kept in the database.
"""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from sfa_engine.backstage.context import PrepContext
from sfa_engine.errors import MediaError, SfaError
from sfa_engine.library import analysis, sounds
from sfa_engine.library.analysis import Analysis
from sfa_engine.library.database import Connection
from sfa_engine.mix.sound import VERSION, Analysed, Floats, measures, vector
from sfa_engine.track.curves import PEAKS, read_curves
from sfa_engine.track.media import WHOLE

logger = logging.getLogger(__name__)
BATCH = 20  # tracks
PAUSE_S = 0.2  # between batches, which take as long: half of a core is for others
_CURVES = ("mfcc", "chroma", "centroid", "rolloff", "energy", "loudness")


@dataclass(frozen=True)
class Sound:
    """The numbers of a track as they are stored; empty if there are none."""

    vector: bytes = b""
    measures: bytes = b""

    async def store(self, connection: Connection, track_id: int) -> None:
        """Store them."""
        await sounds.store(connection, track_id, VERSION, self.vector, self.measures)


def describe(bundle: Path, known: Analysis) -> Sound:
    """Return what a bundle sounds like, from its curves. Blocks.

    Parameters
    ----------
    bundle : Path
    known : Analysis
        Of the same sound.
    """
    try:
        curves = read_curves(bundle)
        tables = {name: curves.values(name) for name in _CURVES}
        tables["peaks"] = curves.values(f"{PEAKS}{WHOLE}")
    except MediaError as error:
        logger.info("not described: %s", error)
        return Sound()
    onsets: Floats = np.asarray(known.features.get("onsets_s") or [], np.float64)
    analysed = Analysed(
        bpm=known.bpm,
        lufs=known.lufs,
        peak_dbtp=known.peak_dbtp,
        sections=len(known.sections),
        vocals_s=known.features.get("vocals_s"),
    )
    found = vector(tables), measures(tables, onsets, analysed)
    return Sound(*(each.astype("<f4").tobytes() for each in found))


class Describer:
    """Describes the tracks that were analysed before there was a description.

    Parameters
    ----------
    context : PrepContext
    """

    def __init__(self, context: PrepContext) -> None:
        self._context = context
        self._asked = asyncio.Event()

    def wake(self) -> None:
        """Describe what is missing, soon."""
        self._asked.set()

    async def run(self) -> None:
        """Run until cancelled."""
        while True:
            await self._asked.wait()
            self._asked.clear()
            try:
                while await self.batch():  # noqa: ASYNC110 - a pause for others, not for an event
                    await asyncio.sleep(PAUSE_S)
            except SfaError as error:  # a full disk, a locked file: again with the next search
                logger.warning("sounds are not described: %s", error)

    async def batch(self) -> int:
        """Describe some tracks; return how many."""
        async with self._context.database.reading() as connection:
            todo = await sounds.missing(connection, VERSION, BATCH)
        for track_id, bundle in todo:
            await self._one(track_id, bundle)
        return len(todo)

    async def ensure(self, track_id: int) -> None:
        """Describe one track now, if it can be and is not yet."""
        async with self._context.database.reading() as connection:
            bundle = await sounds.missing_bundle(connection, VERSION, track_id)
        if bundle is not None:
            await self._one(track_id, bundle)

    async def _one(self, track_id: int, bundle: str) -> None:
        async with self._context.database.reading() as connection:
            known = await analysis.analysis_of(connection, track_id)
        folder = self._context.places.bundles / bundle
        found = await asyncio.to_thread(describe, folder, known) if known else Sound()
        async with self._context.database.transaction(durable=False) as connection:
            now = await analysis.analysis_of(connection, track_id)
            if known is None or (now is not None and now.made_at == known.made_at):
                await found.store(connection, track_id)  # else a new analysis has stored its own
