"""The step that tags a track by its sound. Nothing waits for it."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from sfa_engine.backstage.context import PrepContext
from sfa_engine.backstage.dispatcher import Outcome, Progress
from sfa_engine.backstage.job import Job
from sfa_engine.backstage.steps.step_inputs import load_inputs
from sfa_engine.library import sound_tags
from sfa_engine.library.database import Connection
from sfa_engine.track.media import read_bundle
from sfa_engine.track.sound_tags import top

WORKER = "sfa_engine.prep.tag"


@dataclass(frozen=True)
class Tag:
    """Tags tracks.

    Parameters
    ----------
    context : PrepContext
    """

    context: PrepContext

    async def __call__(self, job: Job, progress: Progress) -> Outcome:
        """Tag a job's track, unless tags are off or it has those of this sound."""
        if not self.context.settings.analysis.tags:
            return Outcome({"why": "tags are off: [analysis] tags"}, skipped=True)
        inputs = await load_inputs(self.context, job)
        digest = (await asyncio.to_thread(read_bundle, inputs.bundle)).track.digest
        async with self.context.database.reading() as connection:
            if await sound_tags.is_current(connection, inputs.track.id, digest):
                return Outcome({"why": "it was tagged before"}, skipped=True)
        answer = await self.context.run(job, WORKER, {"path": str(inputs.bundle)}, progress)

        async def effect(connection: Connection) -> None:
            await sound_tags.store(
                connection, inputs.track.id, digest, answer["vector"], answer["labels"]
            )

        return Outcome({"tags": dict(top(answer["labels"]))}, effect)
