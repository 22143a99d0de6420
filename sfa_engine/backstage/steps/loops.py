"""The step that cuts a set of loops into a kit or a zip."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sfa_engine.backstage.context import PrepContext
from sfa_engine.backstage.dispatcher import Outcome, Progress
from sfa_engine.backstage.job import Job, Kind, Plan
from sfa_engine.backstage.steps.master import make_folder
from sfa_engine.library import tracks
from sfa_engine.library.places import Places

WORKER = "sfa_engine.prep.loops"
LIMIT_S = 1800.0
KITS = "kits"  # folder in the data folder
GONE = ""  # bundle of a track that was removed meanwhile: the worker takes another one's loop


def loops_plan(args: Mapping[str, Any], title: str) -> Plan:
    """Return the plan of the job that cuts loops; the same twice at once is done once.

    Parameters
    ----------
    args : mapping
        ``wanted`` as `sfa_engine.prep.loops.loop_set.Request` has it; ``kit`` or ``zip``, the name
        of it; ``bpm``, ``format``, ``replace``.
    title : str
    """
    return Plan(
        Kind.LOOPS,
        args,
        title=title,
        unique=f"{Kind.LOOPS}:{json.dumps(args, sort_keys=True)}",
        time_limit_s=LIMIT_S,
    )


def zip_name(places: Places, name: str, job: int) -> str:
    """Return the file of the zip of a job in the folder of exports; a retry replaces it."""
    return str(places.exports / f"{name} (loops {job}).zip")


@dataclass(frozen=True)
class Loops:
    """Cuts sets of loops.

    Parameters
    ----------
    context : PrepContext
    """

    context: PrepContext

    async def __call__(self, job: Job, progress: Progress) -> Outcome:
        """Cut the loops of a job. The result is the worker's, without paths of this machine."""
        places, args = self.context.places, job.args
        numbers = list({place["track"] for each in args["wanted"] for place in each["places"]})
        async with self.context.database.reading() as connection:
            found = {track.id: track for track in await tracks.listed(connection, numbers)}
        origins = {}
        for number in numbers:
            track = found.get(number)
            bundle = track.bundle if track and track.deleted_at is None else None
            origins[str(number)] = {
                "path": str(places.bundles / bundle) if bundle else GONE,
                "name": track.name if track else f"track {number}",
            }
        values: dict[str, Any] = {
            "wanted": args["wanted"],
            "tracks": origins,
            "bpm": args["bpm"],
        }
        if args["kit"]:
            values |= {
                "kit": str(self.context.settings.data / KITS / args["kit"]),
                # The name was free: a second attempt finds what the first one has written.
                "replace": args["replace"] or job.attempts > 1,
            }
        else:
            await asyncio.to_thread(make_folder, places.exports)
            values |= {"zip": zip_name(places, args["zip"], job.id), "format": args["format"]}
        return Outcome(await self.context.run_local(job, WORKER, values, progress))
