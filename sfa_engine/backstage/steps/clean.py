"""The nightly step: backup, pruning, trash, repairs."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from sfa_engine.backstage.context import PrepContext
from sfa_engine.backstage.dispatcher import Outcome, Progress
from sfa_engine.backstage.job import Job, Kind
from sfa_engine.backstage.mixes.auditions import Auditions
from sfa_engine.backstage.webhooks import store
from sfa_engine.errors import SfaError
from sfa_engine.library import audit, check, tracks, trash
from sfa_engine.library.content import content_hash, sound_identity
from sfa_engine.library.database import set_setting, setting
from sfa_engine.system.aio import within_time

DAY_S = 86_400.0
IDENTIFY_LIMIT_S = 600.0  # a night: some 50 GB of files
FILE_TIMEOUT_S = 60.0
MISSED = "not-identified:"  # settings: files that were replaced, with size and time


@dataclass
class Clean:
    """Cleans up.

    Parameters
    ----------
    context : PrepContext
    passed_s : float
        Wall-clock time since the last clean-up; 0 for the first one.
    """

    context: PrepContext
    passed_s: float = 0.0

    async def __call__(self, _job: Job, progress: Progress) -> Outcome:
        """Back up the library, prune old jobs, delete old trash, repair.

        A part that fails does not stop the others: on a full disk no backup can be written before
        the trash is empty.
        """
        parts: Mapping[str, Callable[[], Awaitable[object]]] = {
            "backup": self._back_up,
            "jobs_forgotten": self._prune,
            "deliveries_forgotten": self._prune_deliveries,
            "audit_forgotten": self._prune_audit,
            "removed_for_good": self._empty,
            "repaired": self._repair,
            "identified": self._identify,
            "auditions_deleted": self._prune_auditions,
        }
        last_s = await self.context.queue.last_done_s(Kind.CLEAN)
        self.passed_s = 0.0 if last_s is None else self.context.queue.now() - last_s
        done: dict[str, object] = {}
        problems: list[SfaError] = []
        for number, (name, part) in enumerate(parts.items()):
            progress(number / len(parts), name.replace("_", " "))
            try:
                done[name] = await part()
            except SfaError as problem:
                problems.append(problem)
        if problems:
            raise problems[0]
        return Outcome(done)

    async def _back_up(self) -> str:
        return (await self.context.database.back_up(self.context.places.backups)).name

    @property
    def _is_clock_right(self) -> bool:
        """Whether the clock was not set since the last clean-up."""
        return 0.0 <= self.passed_s <= trash.MAX_GAP_S

    async def _prune(self) -> int:
        if not self._is_clock_right:
            return 0
        return await self.context.queue.prune()

    async def _prune_deliveries(self) -> int:
        now_s, by_age = self.context.queue.now(), self._is_clock_right
        async with self.context.database.transaction(durable=False) as connection:
            return await store.prune(connection, now_s, by_age=by_age)

    async def _prune_audit(self) -> int:
        days = self.context.settings.audit.keep_days if self._is_clock_right else 0
        kept_since_s = self.context.queue.now() - days * DAY_S if days else 0.0
        async with self.context.database.transaction(durable=False) as connection:
            return await audit.prune(connection, kept_since_s)

    async def _prune_auditions(self) -> int:
        context = self.context
        auditions = Auditions(context.settings.data, context.places.bundles)
        return await asyncio.to_thread(auditions.prune)

    async def _empty(self) -> int:
        await trash.age(self.context.database, self.context.queue.now())
        return len(await trash.clean_up(self.context.database, self.context.places))

    async def _repair(self) -> int:
        findings = await check.check(self.context.database, self.context.places, repair=True)
        return sum(finding.repaired for finding in findings)

    async def _identify(self) -> int:
        """Replace file hashes of older libraries by sound hashes, before the files are retagged.

        It stops when the time is up or a deck plays, and goes on the next night; a file that was
        replaced meanwhile is read once.
        """
        found = await self.context.database.fetch(
            "SELECT tracks.id, content_hash, location FROM tracks"
            " JOIN sources ON sources.track_id = tracks.id"
            " WHERE content_hash NOT LIKE '%:%' AND deleted_at IS NULL AND location LIKE '/%'"
            " ORDER BY random()"
        )
        done = 0
        until = time.monotonic() + IDENTIFY_LIMIT_S
        for track, before, location in found:
            if time.monotonic() > until or self.context.niceness.playing:
                break
            with suppress(TimeoutError):
                done += await self._identify_one(track, before, location)
        return done

    async def _identify_one(self, track: int, before: str, location: str) -> bool:
        """Replace a track's file hash by the hash of its sound; return whether that succeeded."""
        async with self.context.database.reading() as connection:
            missed = await setting(connection, f"{MISSED}{location}")
        stamp, identity = await within_time(FILE_TIMEOUT_S, _identity, location, before, missed)
        if stamp is None or stamp == missed:
            return False
        async with self.context.database.transaction(durable=False) as connection:
            now = await tracks.get(connection, track)
            if now.content_hash != before or now.deleted_at is not None:  # changed meanwhile
                return False
            if identity is None or await tracks.with_content(connection, identity) is not None:
                await set_setting(connection, f"{MISSED}{location}", stamp)
                return False
            await tracks.set_content(connection, track, identity)
        with suppress(SfaError):  # the bundle is missing: a check will find it
            await self.context.update_manifest(track)
        return True


def _identity(location: str, before: str, missed: str | None) -> tuple[str | None, str | None]:
    """Return the size and time of a file, and its sound hash if it is still the imported file.

    None and None if it cannot be read; a file whose size and time are `missed` is not hashed.
    """
    try:
        about = Path(location).stat()
        stamp = f"{before} {about.st_size} {about.st_mtime_ns}"
        if stamp == missed:
            return stamp, None
        return stamp, sound_identity(location) if content_hash(location) == before else None
    except (OSError, SfaError):
        return None, None
