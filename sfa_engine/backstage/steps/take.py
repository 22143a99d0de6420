"""The step that takes a file in: known by its content, named by its tags, playable at once."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from sfa_engine.backstage.foreman import Outcome, Progress
from sfa_engine.backstage.job import Job
from sfa_engine.backstage.steps.chain import Wish, prepare
from sfa_engine.backstage.workshop import Workshop
from sfa_engine.errors import WorkerError
from sfa_engine.library import covers, tracks
from sfa_engine.library.content import content_hash
from sfa_engine.library.database import Connection
from sfa_engine.library.tags import Tags, read_tags

HASHING = 0.2  # of the time


class Take:
    """Takes files in.

    Parameters
    ----------
    shop : Workshop
    """

    def __init__(self, shop: Workshop) -> None:
        self._shop = shop

    async def __call__(self, job: Job, progress: Progress) -> Outcome:
        """Take the file of a job in."""
        path = await self._path(job)
        sources: dict[str, str] = job.args.get("sources") or {"mix": path}
        progress(0.0, "reading")
        digest = await asyncio.to_thread(content_hash, [Path(file) for file in sources.values()])
        tags = _believed(await asyncio.to_thread(read_tags, next(iter(sources.values()))), job.args)
        if not tags.title:
            tags = replace(tags, title=Path(path).stem)
        async with self._shop.database.transaction(durable=True) as connection:
            track, is_new = await tracks.add(connection, path, content_hash=digest, tags=tags)
            name = await tracks.bundle_name(connection, track.id)
        bundle = self._shop.places.bundles / name
        wish = Wish.of(job.args)
        told: dict[str, Any] = {}
        if is_new or wish.again or not bundle.exists():
            told = await self._shop.here(
                job,
                "sfa_engine.prep.intake",
                {
                    "sources": sources,
                    "bundle": str(bundle),
                    "title": track.title,
                    "artist": track.artist,
                    "rate": self._shop.settings.rate,
                    "pcm": self._shop.settings.pcm,
                },
                lambda share, doing: progress(HASHING + (1 - HASHING) * share, doing),
            )
        if tags.cover is not None:
            await asyncio.to_thread(covers.keep, self._shop.places, track.id, tags.cover)

        async def effect(connection: Connection) -> None:
            await tracks.set_bundle(connection, track.id, name, told.get("duration_s"))
            if track.state != "ready" or wish.again:
                await tracks.set_state(connection, track.id, "preparing")
            await self._shop.queue.link(connection, job, track.id)
            await self._shop.queue.add_chain(
                connection, prepare(track.id, track.name, wish), job.batch, after=job.id
            )

        return Outcome({"track": track.id, "is_new": is_new, **told}, effect)

    async def _path(self, job: Job) -> str:
        """Return where the file is: as given, or where the job before put it."""
        if not job.args.get("downloaded"):
            return str(job.args["path"])
        if job.after is None:
            raise WorkerError("the download is forgotten", "prepare it again with `sfa prep`")
        return str((await self._shop.queue.get(job.after)).result["path"])


def _believed(tags: Tags, args: Mapping[str, Any]) -> Tags:
    """Return a file's tags, with what a service says of it in their place."""
    told = args.get("told", {})
    known = {name: told[name] for name in ("title", "artist", "album", "year") if told.get(name)}
    return replace(tags, **known)
