"""The step that takes a file in: known by its content, named by its tags, playable at once."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, Literal

from sfa_engine.audio.media import DESCRIPTION, WHOLE, read_bundle
from sfa_engine.backstage.foreman import Outcome, Progress
from sfa_engine.backstage.job import Job
from sfa_engine.backstage.steps.chain import NONE, Wish, prepare
from sfa_engine.backstage.workshop import Workshop
from sfa_engine.errors import MediaError, Refused, SfaError, WorkerError
from sfa_engine.finished import within_time
from sfa_engine.library import analysis, tracks
from sfa_engine.library.analysis import StemOrigin
from sfa_engine.library.content import (
    begins_with,
    content_hash,
    keep_cover,
    sound_identity,
    together,
)
from sfa_engine.library.database import Connection
from sfa_engine.library.description import GIVEN
from sfa_engine.library.draft import check_place, clear_away, scratch, step_aside, take_place
from sfa_engine.library.places import entries
from sfa_engine.library.tags import Tags, names_of, read_tags, with_names
from sfa_engine.library.track import Track
from sfa_engine.wire.frames import sayable

logger = logging.getLogger(__name__)
WORKER = "sfa_engine.prep.intake"
READ_LIMIT_S = 600.0  # for a large file on a slow disk
SAME_LENGTH_S = 0.2  # an MP3's header counts the encoder's delay too
# Whether a track that is known by the bytes of its file has a file of this name, or this length.
_MAY_BE_OF_BEFORE = (
    "SELECT 1 FROM tracks WHERE content_hash NOT LIKE '%:%' AND deleted_at IS NULL"
    " AND (abs(duration_s - :length_s) <= :within_s OR EXISTS (SELECT 1 FROM sources"
    " WHERE track_id = tracks.id AND substr(location, -length(:end)) = :end)) LIMIT 1"
)
Relation = Literal["same", "version", "other"]
Stamp = tuple[int, int] | None


@dataclass(frozen=True)
class _Found:
    """What is to be imported.

    Parameters
    ----------
    path : str
        Of the file, or of the folder of stems.
    sources : dict of str to str
        Files by stem name.
    name : str
        Of the file, without its ending, or of the folder.
    stamps : list of Stamp
        Of the files, before they were read.
    identity : str
        Of their sound.
    tags : Tags
        What they say, or a service of them.
    """

    path: str
    sources: dict[str, str]
    name: str
    stamps: list[Stamp]
    identity: str
    tags: Tags

    @property
    def files(self) -> list[str]:
        """The files."""
        return list(self.sources.values())


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
        found = await self._found(job, progress)
        path, files, sources, identity = found.path, found.files, found.sources, found.identity
        track, is_new, version, name = await self._enter(job, found)
        wish = Wish.of(job.args)
        told: dict[str, Any] = {}
        bundle = self.shop.places.bundles / name
        anew = version is not None or (
            wish.again and (wish.engine == NONE or list(sources) != [WHOLE])
        )
        # Otherwise what is to be prepared again keeps its stems until the new ones are there. A
        # bundle without a duration is of an import that was killed: nobody knows what is in it.
        if anew or track.duration_s is None or not await asyncio.to_thread(_is_whole, bundle):
            request = {
                "sources": sources,
                "title": track.title,
                "artist": track.artist,
                "rate": self.shop.settings.rate,
                "pcm": self.shop.settings.pcm,
                "longest_s": self.shop.settings.longest_s,
            }
            try:
                await self.shop.queue.wait_alone(job, track.id)
                async with _in_place(bundle, drafted=track.duration_s is not None) as target:
                    request["bundle"] = str(target)
                    told = await self.shop.here(job, WORKER, request, progress)
                    await _check_unchanged(path, files, found.stamps)
            except BaseException:
                await self._take_back(job, track.id, bundle)
                raise

        async def effect(connection: Connection) -> None:
            if told:
                await tracks.set_bundle(connection, track.id, name, told["duration_s"])
                if await tracks.with_content(connection, identity) is None:
                    await tracks.set_content(connection, track.id, identity)
                given = [StemOrigin(stem, GIVEN) for stem in sources if stem != WHOLE]
                await analysis.set_stems(connection, track.id, given)
            if track.state != "ready" or wish.again:
                await tracks.set_state(connection, track.id, "preparing")
            again = wish
            if version is not None:
                again = replace(wish, again=True)
                await self.shop.queue.do_again(connection, track.id)
            plans = prepare(track.id, track.name, again)
            await self.shop.queue.add_chain(connection, plans, after=job.id)

        # It may have cues and a grid by hand from before, or other names now.
        follow = partial(self.shop.follow, track.id)
        return Outcome({"track": track.id, "is_new": is_new, **told}, effect, follow)

    async def _found(self, job: Job, progress: Progress) -> _Found:
        """Return what the files of a job are."""
        path = await self._path(job)
        sources: dict[str, str] = job.args.get("sources") or {WHOLE: path}
        for each in (path, *sources.values()):
            if each != sayable(each):
                raise Refused(f'"{sayable(each)}" is no name in UTF-8', "rename it")
        progress(0.0, "reading")
        files = list(sources.values())
        name = Path(path).stem if path in files else Path(path).name
        try:
            stamps = await within_time(READ_LIMIT_S, _stamps, files)
            identity = await within_time(READ_LIMIT_S, _identity, files)
            tags = await within_time(READ_LIMIT_S, read_tags, files[0])
        except TimeoutError:
            raise WorkerError(
                f'"{path}" was not read in {READ_LIMIT_S:g} s', "look at its disk or its network"
            ) from None
        return _Found(path, sources, name, stamps, identity, _believed(tags, job.args))

    async def _enter(self, job: Job, found: _Found) -> tuple[Track, bool, Track | None, str]:
        """Return the track of what was found, whether it is new, or else had another sound.

        And the name of its bundle.
        """
        older = await self._older(found)
        # the sound says how long it is, if there is any
        tags = replace(with_names(found.tags, found.name), duration_s=None)
        taken = {path.name for path in await asyncio.to_thread(entries, self.shop.places.bundles)}
        async with self.shop.database.transaction() as connection:
            version = await self._take_over(connection, older, found)
            if version is None:
                track, is_new = await tracks.add(
                    connection, found.path, content_hash=found.identity, tags=tags
                )
            else:
                track, is_new = version, False
            if not is_new:  # what it lacks a tagger may have added
                if found.tags.title and _is_named(track, *names_of(found.name)):
                    await tracks.rename(connection, track.id, tags)
                track = await tracks.fill(connection, track.id, tags)
            await tracks.add_source(connection, track.id, str(job.args.get("url", "")))
            if track.cover is None and tags.cover is not None:
                cover = await asyncio.to_thread(keep_cover, self.shop.places.covers, tags.cover)
                await tracks.set_cover(connection, track.id, cover)
            # Said before it is made: a bundle that a killed import left is then the track's.
            name = await tracks.bundle_name(connection, track.id, taken)
            await tracks.set_bundle(connection, track.id, name)
            await self.shop.queue.set_track(connection, job, track.id)
        return track, is_new, version, name

    async def _older(self, found: _Found) -> list[tuple[Track, Relation]]:
        """Return the tracks that came from here with another identity, the newest first.

        With what the files are to each; a track that is known by the bytes of its file comes alone.
        """
        database = self.shop.database
        # files are not read while the library's one reading connection is held
        before = ""
        if await database.fetch(
            _MAY_BE_OF_BEFORE,
            {
                "end": sayable(f"/{Path(found.path).name}"),
                "length_s": found.tags.duration_s,
                "within_s": SAME_LENGTH_S,
            },
        ):
            before = await within_time(READ_LIMIT_S, _identity_of_before, tuple(found.files))
        async with database.reading() as connection:
            there = await tracks.at_source(connection, found.path)
            if await tracks.with_content(connection, found.identity) is None and before:
                track = await tracks.with_content(connection, before)
                if track is not None:
                    return [(track, "same")]
        return [
            (track, await within_time(READ_LIMIT_S, _relation, track, found))
            for track in there
            if track.content_hash != found.identity
        ]

    @staticmethod
    async def _take_over(
        connection: Connection, older: list[tuple[Track, Relation]], found: _Found
    ) -> Track | None:
        """Return the track that this is another version of; its identity follows with its sound.

        One of the same sound has it at once. Those that are another piece are not here any more.
        """
        there = await tracks.with_content(connection, found.identity)
        version = None
        for track, relation in older:
            if there is not None or relation == "other":
                await tracks.forget_source(connection, track.id, found.path)
            elif relation == "same":
                there = await tracks.set_content(connection, track.id, found.identity)
            else:
                there = version = track
        return version

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


@asynccontextmanager
async def _in_place(bundle: Path, *, drafted: bool) -> AsyncIterator[Path]:
    """Lend where a bundle is to be made: its place, or a hidden one from which it goes there.

    What a track has already stays until the new is known to be whole.
    """
    if not drafted:
        yield bundle
        return
    await asyncio.to_thread(check_place, bundle, DESCRIPTION, "bundle")
    with scratch(bundle) as folder:
        draft = folder / bundle.name
        yield draft
        await asyncio.to_thread(take_place, draft, bundle)


def _is_whole(bundle: Path) -> bool:
    """Return whether a bundle is there and can be played."""
    try:
        read_bundle(bundle)
    except MediaError:
        return False
    return True


def _stamps(files: list[str]) -> list[Stamp]:
    """Return size and time of change of files; None of one that is gone."""
    stamps: list[Stamp] = []
    for path in files:
        try:
            about = Path(path).stat()
        except OSError:
            stamps.append(None)
        else:
            stamps.append((about.st_size, about.st_mtime_ns))
    return stamps


async def _check_unchanged(path: str, files: list[str], stamps: list[Stamp]) -> None:
    """Have a file that was written while it was imported, as by a copy, imported once more."""
    now = await within_time(READ_LIMIT_S, _stamps, files)
    if any(after not in {None, before} for before, after in zip(stamps, now, strict=True)):
        raise WorkerError(f'"{path}" was changed while it was imported', "wait until it is copied")


def _identity(files: list[str]) -> str:
    return together([sound_identity(path) for path in files])


def _identity_of_before(files: list[str]) -> str:
    """Return what identified files in the library's first days."""
    return together([content_hash(path) for path in files]).removeprefix("stems:")


def _is_named(track: Track, artist: str, title: str) -> bool:
    """Return whether a track is called so."""
    there = (track.artist.casefold(), track.title.casefold())
    return there == (artist.casefold(), title.casefold())


def _relation(track: Track, found: _Found) -> Relation:
    """Return what files are to the track that was found at their place, and sounds otherwise.

    They are another version of it if it was cut, as while it was copied, or if their tags say its
    artist and title. A file's name and a length are no proof: two songs may have them in common.
    """
    files, tags = found.files, found.tags
    if len(files) == 1 and begins_with(files[0], track.content_hash or ""):
        return "version"
    if tags.title and _is_named(track, tags.artist, tags.title):
        return "version"
    return "other"


def _believed(tags: Tags, args: Mapping[str, Any]) -> Tags:
    """Return a file's tags, with what a service says of it in their place."""
    told = args.get("told", {})
    known = {name: told[name] for name in ("title", "artist", "album", "year") if told.get(name)}
    return replace(tags, **known)
