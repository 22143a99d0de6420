"""The step that imports a file: identified by its content, named by its tags, playable at once."""

from __future__ import annotations

import asyncio
import logging
import shutil
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, Literal

from sfa_engine.backstage.context import PrepContext
from sfa_engine.backstage.dispatcher import Outcome, Progress
from sfa_engine.backstage.job import Job
from sfa_engine.backstage.steps.plans import PrepOptions, prepare
from sfa_engine.errors import MediaError, Refused, SfaError, WorkerError
from sfa_engine.library import analysis, followed, ownership, tracks
from sfa_engine.library.analysis import StemOrigin
from sfa_engine.library.content import (
    begins_with,
    content_hash,
    keep_cover,
    sound_identity,
    together,
)
from sfa_engine.library.database import Connection
from sfa_engine.library.manifest import GIVEN
from sfa_engine.library.ownership import MACHINE
from sfa_engine.library.places import entries
from sfa_engine.library.tags import Cover, Tags, names_of, read_tags, with_names
from sfa_engine.library.track import Track
from sfa_engine.prep.options import NO_ENGINE
from sfa_engine.system.aio import within_time
from sfa_engine.system.atomic import (
    check_replaceable,
    move_aside,
    replace_directory,
    temporary_directory,
)
from sfa_engine.track.media import MANIFEST, WHOLE, read_bundle
from sfa_engine.wire.frames import sayable

logger = logging.getLogger(__name__)
WORKER = "sfa_engine.prep.import_bundle"
READ_TIMEOUT_S = 600.0  # a large file on a slow disk
SAME_LENGTH_S = 0.2  # an MP3's header counts the encoder's delay too
# Whether a track of an older library, identified by the bytes of its file, has this name or length.
_MAY_HAVE_FILE_HASH = (
    "SELECT 1 FROM tracks WHERE content_hash NOT LIKE '%:%' AND deleted_at IS NULL"
    " AND (abs(duration_s - :length_s) <= :within_s OR EXISTS (SELECT 1 FROM sources"
    " WHERE track_id = tracks.id AND substr(location, -length(:end)) = :end)) LIMIT 1"
)
Relation = Literal["same", "version", "other"]
Stamp = tuple[int, int] | None


@dataclass(frozen=True)
class _Found:
    """A file, or a folder of stems, to import.

    Parameters
    ----------
    path : str
        Of the file, or of the folder of stems.
    sources : dict of str to str
        Files by stem name.
    name : str
        Of the file, without its ending, or of the folder.
    stamps : list of Stamp
        Size and time of the files, before they were read.
    identity : str
        Hash of their sound.
    tags : Tags
        Of the files, overridden by a service's metadata.
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
class ImportFile:
    """Imports files.

    Parameters
    ----------
    context : PrepContext
    cover : callable, optional
        Fetches the cover at a service's address.
    """

    context: PrepContext
    cover: Callable[[str], Awaitable[Cover]] | None = None

    async def __call__(self, job: Job, progress: Progress) -> Outcome:
        """Import the file of a job."""
        found, without_cover = await self._with_cover(job, await self._read(job, progress))
        path, files, sources, identity = found.path, found.files, found.sources, found.identity
        track, is_new, version, name = await self._insert(job, found)
        options = PrepOptions.of(job.args)
        is_theirs = is_new or await self._is_theirs(job, track)
        if not is_theirs:  # what an account may not change is not prepared again for it
            options = replace(options, again=False)
        answer: dict[str, Any] = {}
        bundle = self.context.places.bundles / name
        rewrite = version is not None or (
            options.again and (options.engine == NO_ENGINE or list(sources) != [WHOLE])
        )
        # Otherwise a track that is prepared again keeps its stems until it has new ones. A track
        # without a duration has the bundle of a killed import, of unknown content.
        if rewrite or track.duration_s is None or not await asyncio.to_thread(_is_readable, bundle):
            request = {
                "sources": sources,
                "title": track.title,
                "artist": track.artist,
                "rate": self.context.settings.library.rate,
                "pcm": self.context.settings.library.pcm,
                "longest_s": 60.0 * self.context.settings.library.max_minutes,
            }
            try:
                await self.context.queue.wait_exclusive(job, track.id)
                async with _in_place(bundle, exists=track.duration_s is not None) as target:
                    request["bundle"] = str(target)
                    answer = await self.context.run_local(job, WORKER, request, progress)
                    await _check_unchanged(path, files, found.stamps)
            except BaseException:
                await self._undo(job, track.id, bundle)
                raise

        async def effect(connection: Connection) -> None:
            if answer:
                await tracks.set_bundle(connection, track.id, name, answer["duration_s"])
                if await tracks.with_content(connection, identity) is None:
                    await tracks.set_content(connection, track.id, identity)
                given = [StemOrigin(stem, GIVEN) for stem in sources if stem != WHOLE]
                await analysis.set_stems(connection, track.id, given)
            if track.state != "ready" or options.again:
                await tracks.set_state(connection, track.id, "preparing")
            prep = options
            if version is not None:
                prep = replace(options, again=True)
                await self.context.queue.force_rerun(connection, track.id)
            await self.context.queue.join_track(connection, job, track.id)
            if is_theirs or answer or track.state != "ready":
                plans = prepare(track.id, track.name, prep)
                await self.context.queue.add_chain(connection, plans, after=job.id)
            if url := str(job.args.get("url", "")):
                await followed.place(connection, url, track.id)

        # The track may have cues and a grid of before, or other names now.
        update = partial(self.context.update_manifest, track.id)
        result = {"track": track.id, "is_new": is_new, **answer}
        if without_cover:
            result["notes"] = [*answer.get("notes", ()), without_cover]
        return Outcome(result, effect, update)

    async def _is_theirs(self, job: Job, track: Track) -> bool:
        """Return whether the account of a job may change a track; the machine may."""
        async with self.context.database.reading() as connection:
            return await _may_change(connection, job, track)

    async def _read(self, job: Job, progress: Progress) -> _Found:
        """Identify the files of a job."""
        path = await self._path(job)
        sources: dict[str, str] = job.args.get("sources") or {WHOLE: path}
        for each in (path, *sources.values()):
            if each != sayable(each):
                raise Refused(f'"{sayable(each)}": the name is not UTF-8', "rename it")
        progress(0.0, "reading")
        files = list(sources.values())
        name = Path(path).stem if path in files else Path(path).name
        try:
            stamps = await within_time(READ_TIMEOUT_S, _stamps, files)
            identity = await within_time(READ_TIMEOUT_S, _identity, files)
            tags = await within_time(READ_TIMEOUT_S, read_tags, files[0])
        except TimeoutError:
            raise WorkerError(
                f'"{path}": not read within {READ_TIMEOUT_S:g} s', "check its disk or network"
            ) from None
        return _Found(path, sources, name, stamps, identity, _with_metadata(tags, job.args))

    async def _with_cover(self, job: Job, found: _Found) -> tuple[_Found, str]:
        """Return what was found with a service's cover, where the file has none; else why not.

        A track is imported without a cover rather than not at all.
        """
        url = job.args.get("metadata", {}).get("cover_url")
        if not url or self.cover is None or found.tags.cover is not None:
            return found, ""
        async with self.context.database.reading() as connection:
            track = await tracks.with_content(connection, found.identity)
        if track is not None and track.cover is not None:
            return found, ""
        try:
            cover = await self.cover(str(url))
        except SfaError as problem:
            return found, f"no cover: {problem.message}"
        return replace(found, tags=replace(found.tags, cover=cover)), ""

    async def _insert(self, job: Job, found: _Found) -> tuple[Track, bool, Track | None, str]:
        """Insert or update the track of a file.

        Return it, whether it is new, the track whose previous sound it replaces if any, and the
        name of its bundle.
        """
        older = await self._previous_tracks(found)
        # the duration is that of the decoded sound
        tags = replace(with_names(found.tags, found.name), duration_s=None)
        taken = {
            path.name for path in await asyncio.to_thread(entries, self.context.places.bundles)
        }
        async with self.context.database.transaction() as connection:
            version = await self._replaced(connection, job, older, found)
            if version is None:
                track, is_new = await tracks.add(
                    connection, found.path, content_hash=found.identity, tags=tags
                )
            else:
                track, is_new = version, False
            if not is_new:  # its tags may have been completed since
                if found.tags.title and _is_named(track, *names_of(found.name)):
                    await tracks.rename(connection, track.id, tags)
                track = await tracks.fill(connection, track.id, tags)
            await tracks.add_source(connection, track.id, str(job.args.get("url", "")))
            if track.cover is None and tags.cover is not None:
                cover = await asyncio.to_thread(keep_cover, self.context.places.covers, tags.cover)
                await tracks.set_cover(connection, track.id, cover)
            # Before the bundle is written, so that one which a killed import left has an owner.
            name = await tracks.bundle_name(connection, track.id, taken)
            await tracks.set_bundle(connection, track.id, name)
            await self.context.queue.set_track(connection, job, track.id)
            await self.context.queue.join_track(connection, job, track.id, is_new=is_new)
        return track, is_new, version, name

    async def _previous_tracks(self, found: _Found) -> list[tuple[Track, Relation]]:
        """Return the tracks of this location with another identity, newest first.

        Each with the relation of the files to it. A track that has the files' byte hash, as in
        older libraries, is returned alone.
        """
        database = self.context.database
        # the reading connection must not wait for files
        file_hash = ""
        if await database.fetch(
            _MAY_HAVE_FILE_HASH,
            {
                "end": sayable(f"/{Path(found.path).name}"),
                "length_s": found.tags.duration_s,
                "within_s": SAME_LENGTH_S,
            },
        ):
            file_hash = await within_time(READ_TIMEOUT_S, _file_hash, tuple(found.files))
        async with database.reading() as connection:
            at_path = await tracks.at_source(connection, found.path)
            if await tracks.with_content(connection, found.identity) is None and file_hash:
                track = await tracks.with_content(connection, file_hash)
                if track is not None:
                    return [(track, "same")]
        return [
            (track, await within_time(READ_TIMEOUT_S, _relation, track, found))
            for track in at_path
            if track.content_hash != found.identity
        ]

    @staticmethod
    async def _replaced(
        connection: Connection, job: Job, older: list[tuple[Track, Relation]], found: _Found
    ) -> Track | None:
        """Return the track of which this is a new version, if any.

        A track of the same sound gets the new identity at once; unrelated tracks, and those of
        others, lose this location as a source.
        """
        known = await tracks.with_content(connection, found.identity)
        version = None
        for track, relation in older:
            is_other = relation == "other" or (
                relation == "version" and not await _may_change(connection, job, track)
            )
            if track.content_hash is None:  # imported from another program, or not here until now
                known = await tracks.set_content(connection, track.id, found.identity)
            elif known is not None or is_other:
                await tracks.forget_source(connection, track.id, found.path)
            elif relation == "same":
                known = await tracks.set_content(connection, track.id, found.identity)
            else:
                known = version = track
        return version

    async def _undo(self, job: Job, track: int, bundle: Path) -> None:
        """Delete the track of a failed import, unless another import of the same content runs.

        Errors here are logged: the import's own error is the one to report.
        """
        aside: Path | None = None
        try:
            async with self.context.database.transaction(durable=False) as connection:
                if await self.context.queue.is_only(connection, job, track):
                    await tracks.delete_unprepared(connection, track)
                if await tracks.by_bundle(connection, bundle.name) is None:
                    # The worker may have been killed after it had written the bundle.
                    aside = await asyncio.to_thread(move_aside, bundle)
        except SfaError as problem:
            logger.warning("import %d: %s", job.id, problem)
        finally:
            if aside is not None:
                await asyncio.to_thread(shutil.rmtree, aside, ignore_errors=True)

    async def _path(self, job: Job) -> str:
        """Return the file: as given, or where the download put it."""
        if not job.args.get("downloaded"):
            return str(job.args["path"])
        if job.after is None:
            raise WorkerError("the download job was pruned", "prepare it again with `sfa prep`")
        return str((await self.context.queue.get(job.after)).result["path"])


async def _may_change(connection: Connection, job: Job, track: Track) -> bool:
    """Return whether the account of a job may change a track; the machine may."""
    if job.account == MACHINE:
        return True
    return await ownership.owner_for(connection, track, job.account) == job.account


@asynccontextmanager
async def _in_place(bundle: Path, *, exists: bool) -> AsyncIterator[Path]:
    """Yield the path to write a bundle to; one that exists is replaced after the block."""
    if not exists:
        yield bundle
        return
    await asyncio.to_thread(check_replaceable, bundle, MANIFEST, "bundle")
    with temporary_directory(bundle) as folder:
        part = folder / bundle.name
        yield part
        await asyncio.to_thread(replace_directory, part, bundle)


def _is_readable(bundle: Path) -> bool:
    """Return whether a bundle exists and can be played."""
    try:
        read_bundle(bundle)
    except MediaError:
        return False
    return True


def _stamps(files: list[str]) -> list[Stamp]:
    """Return size and modification time of files; None for a missing one."""
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
    """Raise WorkerError, so that the job is retried, if a file was written during the import."""
    now = await within_time(READ_TIMEOUT_S, _stamps, files)
    if any(after not in {None, before} for before, after in zip(stamps, now, strict=True)):
        raise WorkerError(f'"{path}" was changed while it was imported', "wait until it is copied")


def _identity(files: list[str]) -> str:
    return together([sound_identity(path) for path in files])


def _file_hash(files: list[str]) -> str:
    """Return the identity of files in older libraries."""
    return together([content_hash(path) for path in files]).removeprefix("stems:")


def _is_named(track: Track, artist: str, title: str) -> bool:
    """Return whether a track has this artist and title, ignoring case."""
    names = (track.artist.casefold(), track.title.casefold())
    return names == (artist.casefold(), title.casefold())


def _relation(track: Track, found: _Found) -> Relation:
    """Return the relation of files to the track that had their path and another sound.

    They are a new version if the old file was truncated, as during a copy, or if their tags have
    the track's artist and title. Name and length are not enough: two songs may share them.
    """
    if track.content_hash is None:
        return "same"
    files, tags = found.files, found.tags
    if len(files) == 1 and begins_with(files[0], track.content_hash or ""):
        return "version"
    if tags.title and _is_named(track, tags.artist, tags.title):
        return "version"
    return "other"


def _with_metadata(tags: Tags, args: Mapping[str, Any]) -> Tags:
    """Return a file's tags, overridden by a service's metadata."""
    metadata = args.get("metadata", {})
    names = ("title", "artist", "album", "year")
    known = {name: metadata[name] for name in names if metadata.get(name)}
    return replace(tags, **known)
