"""``prep.master`` and ``prep.mastered``: masters of tracks, in the background."""

from __future__ import annotations

import asyncio
import uuid
from typing import Annotated, Any, Literal

from msgspec import Meta

from sfa_engine.backstage.access import PREPARE, By, check_track, find, visible_jobs
from sfa_engine.backstage.context import PrepContext
from sfa_engine.backstage.dispatcher import Dispatcher
from sfa_engine.backstage.job import Kind, State
from sfa_engine.backstage.steps import plans
from sfa_engine.backstage.steps.master import PARTS
from sfa_engine.backstage.verbs.library import TrackWord
from sfa_engine.backstage.verbs.paging import job_numbers
from sfa_engine.errors import Refused
from sfa_engine.library.track import Track
from sfa_engine.mix.mastering.chain import CEILING_RANGE, LIMIT_RANGE, LUFS_RANGE
from sfa_engine.wire.rights import SYSTEM, Actor
from sfa_engine.wire.verbs import Count, verb

Lufs = Annotated[float, Meta(ge=LUFS_RANGE[0], le=LUFS_RANGE[1])]
Ceiling = Annotated[float, Meta(ge=CEILING_RANGE[0], le=CEILING_RANGE[1])]
Limit = Annotated[float, Meta(ge=LIMIT_RANGE[0], le=LIMIT_RANGE[1])]
Preset = Literal["streaming", "apple", "club", "dj", "broadcast"]


class MasterVerbs:
    """The verbs on masters.

    Parameters
    ----------
    context : PrepContext
    dispatcher : Dispatcher
    """

    def __init__(self, context: PrepContext, dispatcher: Dispatcher) -> None:
        self._context = context
        self._dispatcher = dispatcher

    @verb(scope="prepare", owned=True)
    async def prep_master(
        self,
        track: TrackWord,
        preset: Preset = "streaming",
        target_lufs: Lufs | None = None,
        ceiling_dbtp: Ceiling | None = None,
        limit_db: Limit | None = None,
        reference: TrackWord | None = None,
        codec: Literal["aac-256", "aac-128", "mp3-320", "mp3-128", "opus-128", "none"] = "aac-256",
        format: Literal["flac", "wav", "none"] = "flac",  # noqa: A002 - a name of the protocol
        bits: Literal[16, 24] = 24,
        compare: bool = False,
        actor: By = SYSTEM,
    ) -> dict[str, Any]:
        """Queue the mastering of a track; return the batch and its job, whose result is the report.

        With the format "none" it is measured, and the chain is planned alone. The master goes into
        the library's folder of exports; with `compare`, so do the loudest 30 s before and after,
        equally loud.
        """
        args: dict[str, Any] = {
            "preset": preset,
            "target_lufs": target_lufs,
            "ceiling_dbtp": ceiling_dbtp,
            "limit_db": limit_db,
            "reference": None,
            "codec": codec,
            "format": "" if format == "none" else format,
            "bits": bits,
            "compare": compare,
        }
        if compare and format == "none":
            raise Refused("there is nothing to compare without a master", "give a format")
        async with self._context.database.reading() as connection:
            found = await find(connection, actor, track)
            await check_track(connection, actor, PREPARE, found)
            if reference is not None:
                args["reference"] = (await find(connection, actor, reference)).id
        return {"track": found.id, **await self._queued(found, args, actor)}

    @verb(scope="propose", owned=True)
    async def prep_measure(
        self, track: TrackWord, preset: Preset = "streaming", actor: By = SYSTEM
    ) -> dict[str, Any]:
        """Measure a track, and plan the chain that would master it; nothing is written.

        What was measured since the track was changed is there at once: ``done`` is true, with
        the report of ``prep.mastered``. Else a job is queued, in ``batch``: ask again at its end.
        """
        args: dict[str, Any] = {
            "preset": preset,
            **dict.fromkeys(("target_lufs", "ceiling_dbtp", "limit_db", "reference")),
            "codec": "none",
            "format": "",
            "bits": 24,
            "compare": False,
        }
        async with self._context.database.reading() as connection:
            found = await find(connection, actor, track)
        for job in await self._context.queue.list([State.DONE], track=found.id):
            is_same = job.kind is Kind.MASTER and job.args == args
            if is_same and (job.ended_s or 0.0) >= found.changed_at:
                return {"track": found.id, "done": True, "job": job.id, **job.result}
        return {"track": found.id, "done": False, **await self._queued(found, args, actor)}

    async def _queued(self, track: Track, args: dict[str, Any], actor: Actor) -> dict[str, Any]:
        """Queue a job; return its batch and its number."""
        if track.bundle is None or track.duration_s is None:
            raise Refused(f'"{track.name}" is not imported yet', "see `sfa jobs`")
        batch = uuid.uuid4().hex[:12]
        async with self._context.database.transaction() as connection:
            jobs = await self._context.queue.add_chain(
                connection,
                [plans.master(track.id, track.name, args)],
                batch,
                account=actor.account,
            )
        self._dispatcher.wake()
        return {"batch": batch, **job_numbers(jobs)}

    @verb(scope="read", owned=True)
    async def prep_mastered(self, job: Count, actor: By = SYSTEM) -> dict[str, Any]:
        """Return what a mastering job measured and did, and its files, as `library.files` does.

        They are ``master``, ``before`` and ``after``; those that were deleted are left out.
        """
        found = await self._context.queue.get(job, visible_jobs(actor))
        if found.kind is not Kind.MASTER:
            raise Refused(f"job {job} is no mastering job", "see `sfa jobs`")
        if found.state is not State.DONE:
            raise Refused(f"job {job} is {found.state}", "see `sfa jobs`")
        report = found.result
        names = {"master": (report["result"] or {}).get("file")}
        names |= {name: (report["compare"] or {}).get(name) for name in PARTS}
        folder = self._context.places.exports
        files = await asyncio.to_thread(
            lambda: [
                {"name": name, "folder": str(folder), "path": file}
                for name, file in names.items()
                if file is not None and (folder / file).is_file()
            ]
        )
        return {"job": job, "track": found.track, "title": found.title, "files": files} | report
