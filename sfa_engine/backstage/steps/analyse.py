"""The steps that analyse a track, and that set its automatic cues."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from sfa_engine.backstage.context import PrepContext
from sfa_engine.backstage.describer import describe
from sfa_engine.backstage.dispatcher import Outcome, Progress
from sfa_engine.backstage.job import Job
from sfa_engine.backstage.steps.plans import PrepOptions
from sfa_engine.backstage.steps.step_inputs import load_inputs
from sfa_engine.errors import MediaError, WorkerError
from sfa_engine.library import analysis, cues, grids, tracks
from sfa_engine.library.analysis import Analysis, Section
from sfa_engine.library.changes import analysis_changes, cue_changes
from sfa_engine.library.cues import Cue
from sfa_engine.library.database import Connection
from sfa_engine.library.grids import TrackGrid
from sfa_engine.prep.hot_cue import Cue as Suggestion
from sfa_engine.prep.hot_cue import choose_values
from sfa_engine.system.atomic import write_durably
from sfa_engine.track.curves import FILE, is_current, unpacked
from sfa_engine.track.grid import Anchor, Grid
from sfa_engine.track.media import RATE, read_bundle

WORKER = "sfa_engine.prep.analyse"
CUES = "cues"  # among the features, for the next step
DOUBTS = ("confidences", "alternatives")  # among the features, for `sfa library grid`


@dataclass(frozen=True)
class Analyse:
    """Analyses tracks, and writes their curves into the bundle.

    Parameters
    ----------
    context : PrepContext
    """

    context: PrepContext

    async def __call__(self, job: Job, progress: Progress) -> Outcome:
        """Analyse a job's track, unless that was done with the same stems and the curves exist."""
        inputs = await load_inputs(self.context, job)
        options = PrepOptions.of(job.args)
        async with self.context.database.reading() as connection:
            before = await analysis.analysis_of(connection, inputs.track.id)
            grid_before = await grids.grid_of(connection, inputs.track.id, "automatic")
        # Of a preview the mix is analysed: its stems say nothing of the rest of the track.
        names = sorted(stem.name for stem in inputs.stems if not stem.preview)
        media = (await asyncio.to_thread(read_bundle, inputs.bundle)).track
        is_done = before is not None and before.features.get("stems") == names
        is_done &= await asyncio.to_thread(is_current, inputs.bundle, media.digest, names)
        if is_done and not options.again:
            return Outcome({"why": "it was analysed before"}, skipped=True)
        request = {
            "path": str(inputs.bundle),
            "features": self.context.settings.analysis.features,
            "digest": media.digest,
        }
        answer = await self.context.run(job, WORKER, request, progress)
        found, grid, rate = await asyncio.to_thread(read_answer, answer, names)
        await asyncio.to_thread(write_curves, inputs.bundle, answer)
        sound = await asyncio.to_thread(describe, inputs.bundle, found)

        async def effect(connection: Connection) -> None:
            old = await cues.automatic(connection, inputs.track.id)
            await analysis.store(
                connection,
                inputs.track.id,
                found,
                grid=grid,
                rate=rate,
                cues=old,  # until the next step
            )
            await sound.store(connection, inputs.track.id)

        shown = ("bpm", "confidence", "variable", "key", "camelot", "lufs", "energy")
        result: dict[str, Any] = {name: answer[name] for name in shown}
        if before is not None:
            grid_now = None if grid is None else TrackGrid(grid, rate, by_hand=False)
            length_s = inputs.track.duration_s or 0.0
            result["changes"] = analysis_changes(before, found, grid_before, grid_now, length_s)
        update = partial(self.context.update_manifest, inputs.track.id)
        return Outcome(result, effect, update)


@dataclass(frozen=True)
class SetCues:
    """Sets the cues that the analysis suggests.

    Parameters
    ----------
    context : PrepContext
    """

    context: PrepContext

    async def __call__(self, job: Job, _progress: Progress) -> Outcome:
        """Set the automatic cues of a job's track, by ``[cues]``; the user's own stay."""
        inputs = await load_inputs(self.context, job)
        async with self.context.database.reading() as connection:
            found = await analysis.analysis_of(connection, inputs.track.id)
            stored = await grids.grid_of(connection, inputs.track.id)
        if found is None:
            raise WorkerError("the track has not been analysed", "prepare it again")
        grid, rate = (stored.grid, stored.rate) if stored else (None, RATE)
        suggested = found.features.get(CUES, [])
        chosen = choose_values(suggested, self.context.settings.cues, grid, rate)
        found_cues = [_cue(each) for each in chosen]
        result: dict[str, Any] = {"cues": len(found_cues)}

        async def effect(connection: Connection) -> None:
            before = await cues.automatic(connection, inputs.track.id)
            await cues.replace_automatic(connection, inputs.track.id, found_cues)
            now = await cues.automatic(connection, inputs.track.id)
            result["changes"] = cue_changes(before, now)
            await tracks.set_state(connection, inputs.track.id, "ready")

        update = partial(self.context.update_manifest, inputs.track.id)
        return Outcome(result, effect, update)


def write_curves(bundle: Path, answer: Mapping[str, Any]) -> None:
    """Write the curves of an answer into a bundle."""
    try:
        write_durably(bundle / FILE, unpacked(answer["curves"]))
    except OSError as problem:
        raise MediaError(
            f'cannot write "{bundle / FILE}": {problem.strerror or problem}',
            "check the free space and the permissions there",
        ) from problem


def read_answer(answer: Mapping[str, Any], stems: list[str]) -> tuple[Analysis, Grid | None, int]:
    """Return a worker's answer as an analysis, its grid, and the grid's rate in Hz."""
    found = Analysis(
        version=str(answer["features"]["version"]),
        bpm=answer["bpm"],
        confidence=answer["confidence"],
        variable=answer["variable"],
        key=answer["key"],
        lufs=answer["lufs"],
        peak_dbtp=answer["peak_dbtp"],
        energy=answer["energy"],
        sections=tuple(Section(p["start_s"], p["end_s"], p["label"]) for p in answer["sections"]),
        features={
            **answer["features"],
            **{name: answer[name] for name in DOUBTS if name in answer},
            CUES: answer["cues"],
            "stems": stems,
        },
    )
    grid = answer["grid"]
    if grid is None:
        return found, None, RATE
    anchors = tuple(Anchor(a["frame"], a["beat"]) for a in grid["anchors"])
    return found, Grid(anchors, grid["bpm"], grid["beats_per_bar"]), grid["rate"]


def _cue(answer: Mapping[str, Any]) -> Cue:
    """Return a suggestion of the analysis as a cue."""
    return Cue(
        answer["time_s"],
        answer["kind"],
        answer.get("end_s"),
        answer.get("hot_cue"),
        answer.get("label", ""),
        Suggestion.of(answer).color,
        answer.get("stem"),
        by_hand=False,
    )
