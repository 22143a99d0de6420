"""The steps that find out what a track is, and that mark its places."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

from sfa_engine.audio.grid import Anchor, Grid
from sfa_engine.backstage.foreman import Outcome, Progress
from sfa_engine.backstage.job import Job
from sfa_engine.backstage.steps.chain import Wish
from sfa_engine.backstage.steps.ground import ground_of
from sfa_engine.backstage.workshop import Workshop
from sfa_engine.errors import WorkerError
from sfa_engine.library import analysis, cues, tracks
from sfa_engine.library.analysis import Analysis, Section
from sfa_engine.library.bundle import RATE
from sfa_engine.library.cues import Cue
from sfa_engine.library.database import Connection

WORKER = "sfa_engine.prep.analyse"
CUES = "cues"  # among the features, until the next step has set them


@dataclass(frozen=True)
class Analyse:
    """Has tracks analysed.

    Parameters
    ----------
    shop : Workshop
    """

    shop: Workshop

    async def __call__(self, job: Job, progress: Progress) -> Outcome:
        """Have the track of a job analysed, unless this analysis has been made."""
        ground = await ground_of(self.shop, job)
        wish = Wish.of(job.args)
        async with self.shop.database.reading() as connection:
            before = await analysis.analysis_of(connection, ground.track.id)
        names = sorted(stem.name for stem in ground.stems)
        if before and before.features.get("stems") == names and not wish.again:
            return Outcome({"why": "it has been analysed"}, skipped=True)
        said = await self.shop.anywhere(job, WORKER, {"path": str(ground.bundle)}, progress)
        found, grid, rate = await asyncio.to_thread(_read, said, names)

        async def effect(connection: Connection) -> None:
            old = await cues.cues_of(connection, ground.track.id)
            await analysis.store(
                connection,
                ground.track.id,
                found,
                grid=grid,
                rate=rate,
                cues=[cue for cue in old if not cue.by_hand],  # until the next step
            )

        told = ("bpm", "confidence", "variable", "key", "camelot", "lufs", "energy")
        follow = partial(self.shop.follow, ground.track.id)
        return Outcome({name: said[name] for name in told}, effect, follow)


@dataclass(frozen=True)
class Mark:
    """Sets the cues that the analysis suggests.

    Parameters
    ----------
    shop : Workshop
    """

    shop: Workshop

    async def __call__(self, job: Job, _progress: Progress) -> Outcome:
        """Set the automatic cues of a job's track; those by hand stay as they are."""
        ground = await ground_of(self.shop, job)
        async with self.shop.database.reading() as connection:
            found = await analysis.analysis_of(connection, ground.track.id)
        if found is None:
            raise WorkerError("the track has not been analysed", "prepare it again")
        marks = [_cue(each) for each in found.features.get(CUES, [])]

        async def effect(connection: Connection) -> None:
            await cues.replace_automatic(connection, ground.track.id, marks)
            await tracks.set_state(connection, ground.track.id, "ready")

        follow = partial(self.shop.follow, ground.track.id)
        return Outcome({"cues": len(marks)}, effect, follow)


def _read(said: Mapping[str, Any], stems: list[str]) -> tuple[Analysis, Grid | None, int]:
    """Return what an analysis said as the library keeps it, the grid with its rate in Hz."""
    found = Analysis(
        version=str(said["features"]["version"]),
        bpm=said["bpm"],
        confidence=said["confidence"],
        variable=said["variable"],
        key=said["key"],
        lufs=said["lufs"],
        peak_dbtp=said["peak_dbtp"],
        energy=said["energy"],
        sections=tuple(Section(p["start_s"], p["end_s"], p["label"]) for p in said["sections"]),
        features={**said["features"], CUES: said["cues"], "stems": stems},
    )
    told = said["grid"]
    if told is None:
        return found, None, RATE
    anchors = tuple(Anchor(a["frame"], a["beat"]) for a in told["anchors"])
    return found, Grid(anchors, told["bpm"], told["beats_per_bar"]), told["rate"]


def _cue(said: Mapping[str, Any]) -> Cue:
    """Return a suggestion of the analysis as a cue."""
    return Cue(
        said["time_s"],
        said["kind"],
        said.get("end_s"),
        said.get("hot_cue"),
        said.get("label", ""),
        said.get("color", ""),
        said.get("stem"),
        by_hand=False,
    )
