"""The step that takes a file in: known by its content, named by its tags, playable at once."""

from __future__ import annotations

import asyncio
import hashlib
import logging
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from sfa_engine.audio.media import WHOLE, read_bundle
from sfa_engine.backstage.foreman import Outcome, Progress
from sfa_engine.backstage.job import Job
from sfa_engine.backstage.steps.chain import NONE, Wish, prepare
from sfa_engine.backstage.workshop import Workshop
from sfa_engine.errors import MediaError, Refused, SfaError, WorkerError
from sfa_engine.library import analysis, tracks
from sfa_engine.library.analysis import StemOrigin
from sfa_engine.library.content import content_hash, keep_cover
from sfa_engine.library.database import Connection
from sfa_engine.library.description import GIVEN
from sfa_engine.library.draft import clear_away, step_aside
from sfa_engine.library.places import entries
from sfa_engine.library.tags import Tags, read_tags
from sfa_engine.wire.frames import sayable

logger = logging.getLogger(__name__)
WORKER = "sfa_engine.prep.intake"


@dataclass(frozen=True)
class Take:
    """Takes files in.

    Parameters
    ----------
    shop : Workshop
    """

    shop: Workshop

    async def __call__(self, job: Job, progress: Progress) -> Outcome:
        """Take the file of a job in."""
        path = await self._path(job)
        sources: dict[str, str] = job.args.get("sources") or {WHOLE: path}
        for each in (path, *sources.values()):
            if each != sayable(each):
                raise Refused(f'"{sayable(each)}" is no name in UTF-8', "rename it")
        progress(0.0, "reading")
        digest = await asyncio.to_thread(_digest, list(sources.values()))
        tags = _believed(await asyncio.to_thread(read_tags, next(iter(sources.values()))), job.args)
        tags = replace(tags, duration_s=None)  # its sound says that, if it has any
        if not tags.title:
            place = Path(path)
            tags = replace(tags, title=place.stem if path in sources.values() else place.name)
        bundles = self.shop.places.bundles
        taken = {path.name for path in await asyncio.to_thread(entries, bundles)}
        async with self.shop.database.transaction() as connection:
            track, is_new = await tracks.add(connection, path, content_hash=digest, tags=tags)
            await tracks.add_source(connection, track.id, str(job.args.get("url", "")))
            if track.cover is None and tags.cover is not None:
                cover = await asyncio.to_thread(keep_cover, self.shop.places.covers, tags.cover)
                await tracks.set_cover(connection, track.id, cover)
            # Said before it is made: a bundle that a killed import left is then the track's.
            name = await tracks.bundle_name(connection, track.id, taken)
            await tracks.set_bundle(connection, track.id, name)
            await self.shop.queue.set_track(connection, job, track.id)
        wish = Wish.of(job.args)
        told: dict[str, Any] = {}
        bundle = bundles / name
        anew = wish.again and (wish.engine == NONE or list(sources) != [WHOLE])
        # Otherwise what is to be prepared again keeps its stems until the new ones are there. A
        # bundle without a duration is of an import that was killed: nobody knows what is in it.
        if anew or track.duration_s is None or not await asyncio.to_thread(_is_whole, bundle):
            request = {
                "sources": sources,
                "bundle": str(bundle),
                "title": track.title,
                "artist": track.artist,
                "rate": self.shop.settings.rate,
                "pcm": self.shop.settings.pcm,
            }
            try:
                await self.shop.queue.wait_alone(job, track.id)
                told = await self.shop.here(job, WORKER, request, progress)
            except BaseException:
                await self._take_back(job, track.id, bundle)
                raise

        async def effect(connection: Connection) -> None:
            if told:
                await tracks.set_bundle(connection, track.id, name, told["duration_s"])
                given = [StemOrigin(stem, GIVEN) for stem in sources if stem != WHOLE]
                await analysis.set_stems(connection, track.id, given)
            if track.state != "ready" or wish.again:
                await tracks.set_state(connection, track.id, "preparing")
            plans = prepare(track.id, track.name, wish)
            await self.shop.queue.add_chain(connection, plans, after=job.id)

        async def follow() -> None:
            if told:  # it may have cues and a grid by hand from before
                await self.shop.follow(track.id)

        return Outcome({"track": track.id, "is_new": is_new, **told}, effect, follow)

    async def _take_back(self, job: Job, track: int, bundle: Path) -> None:
        """Forget a track that did not come to be, unless another file of its content is at work.

        Why it did not come to be is what is to be told, not what is wrong here besides.
        """
        aside: Path | None = None
        try:
            async with self.shop.database.transaction(durable=False) as connection:
                if await self.shop.queue.is_only(connection, job, track):
                    await tracks.take_back(connection, track)
                if await tracks.by_bundle(connection, bundle.name) is None:
                    # Its worker may have been killed when it was in its place already.
                    aside = await asyncio.to_thread(step_aside, bundle)
        except SfaError as problem:
            logger.warning("import %d: %s", job.id, problem)
        finally:
            if aside is not None:
                await asyncio.to_thread(clear_away, aside)

    async def _path(self, job: Job) -> str:
        """Return where the file is: as given, or where the job before put it."""
        if not job.args.get("downloaded"):
            return str(job.args["path"])
        if job.after is None:
            raise WorkerError("the download is forgotten", "prepare it again with `sfa prep`")
        return str((await self.shop.queue.get(job.after)).result["path"])


def _is_whole(bundle: Path) -> bool:
    """Return whether a bundle is there and can be played."""
    try:
        read_bundle(bundle)
    except MediaError:
        return False
    return True


def _digest(paths: list[str]) -> str:
    """Return what a track is known by: its file's hash, or the hash of its stems' hashes."""
    hashes = [content_hash(path) for path in paths]
    return hashes[0] if len(hashes) == 1 else hashlib.sha256("".join(hashes).encode()).hexdigest()


def _believed(tags: Tags, args: Mapping[str, Any]) -> Tags:
    """Return a file's tags, with what a service says of it in their place."""
    told = args.get("told", {})
    known = {name: told[name] for name in ("title", "artist", "album", "year") if told.get(name)}
    return replace(tags, **known)
