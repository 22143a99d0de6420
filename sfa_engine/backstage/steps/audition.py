"""The step that renders a transition of a mix, or all of it."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from sfa_engine.backstage.context import PrepContext
from sfa_engine.backstage.dispatcher import Outcome, Progress
from sfa_engine.backstage.job import Job, Kind, Plan
from sfa_engine.backstage.mixes.auditions import Auditions

WORKER = "sfa_engine.script.audition"
LIMIT_S = 4 * 3600.0  # ten hours of music on a small machine


def audition_plan(key: str, title: str) -> Plan:
    """Return the plan of the job that renders what is written down under a key."""
    return Plan(
        Kind.AUDITION, {"key": key}, title=title, unique=f"audition:{key}", time_limit_s=LIMIT_S
    )


@dataclass(frozen=True)
class Audition:
    """Renders transitions and mixes.

    Parameters
    ----------
    context : PrepContext
    auditions : Auditions
    """

    context: PrepContext
    auditions: Auditions

    async def __call__(self, job: Job, progress: Progress) -> Outcome:
        """Render what a job's key stands for, unless that was done."""
        key = str(job.args["key"])
        found = await asyncio.to_thread(self.auditions.found, key)
        if found is not None:
            return Outcome({"key": key, "why": "it was rendered before"}, skipped=True)
        values = {
            "request": str(self.auditions.request_file(key)),
            "folder": str(self.auditions.folder(key)),
        }
        figures = await self.context.run_local(job, WORKER, values, progress)
        await asyncio.to_thread(self.auditions.request_file(key).unlink, missing_ok=True)
        await asyncio.to_thread(self.auditions.prune)
        return Outcome({"key": key, "length_s": figures["length_s"], "cpu_s": figures["cpu_s"]})
