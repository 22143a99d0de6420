"""The step of the night: what is old goes, what is dear is backed up, what drifted is mended."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from sfa_engine.backstage.foreman import Outcome, Progress
from sfa_engine.backstage.job import Job, Kind
from sfa_engine.backstage.workshop import Workshop
from sfa_engine.errors import SfaError
from sfa_engine.finished import within_time
from sfa_engine.library import check, tracks, trash
from sfa_engine.library.content import content_hash, sound_identity
from sfa_engine.library.database import set_setting, setting

IDENTIFY_S = 600.0  # of a night: some 50 GB of files
FILE_S = 60.0  # for one of them
MISSED = "not-identified:"  # settings: files that are others by now, with size and time


@dataclass
class Clean:
    """Cleans up.

    Parameters
    ----------
    shop : Workshop
    passed_s : float
        By the clock, since the last clean-up; 0 for the first one.
    """

    shop: Workshop
    passed_s: float = 0.0

    async def __call__(self, _job: Job, progress: Progress) -> Outcome:
        """Back the library up, forget old jobs, empty the trash of what is old, mend.

        One that cannot be done holds up none of the others: on a full disk no backup can be
        written before the trash is empty.
        """
        parts: Mapping[str, Callable[[], Awaitable[object]]] = {
            "backup": self._back_up,
            "jobs_forgotten": self._prune,
            "removed_for_good": self._empty,
            "mended": self._mend,
            "identified": self._identify,
        }
        last_s = await self.shop.queue.last_done_s(Kind.CLEAN)
        self.passed_s = 0.0 if last_s is None else self.shop.queue.now() - last_s
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
        return (await self.shop.database.back_up(self.shop.places.backups)).name

    async def _prune(self) -> int:
        if not 0.0 <= self.passed_s <= trash.LONGEST_GAP_S:  # the next clean-up knows more
            return 0
        return await self.shop.queue.prune()

    async def _empty(self) -> int:
        await trash.age(self.shop.database, self.shop.queue.now())
        return len(await trash.clean_up(self.shop.database, self.shop.places))

    async def _mend(self) -> int:
        findings = await check.check(self.shop.database, self.shop.places, mend=True)
        return sum(finding.mended for finding in findings)

    async def _identify(self) -> int:
        """Give tracks of an older library the identity of their sound, before a tagger comes.

        They have that of the file's bytes. What is left when the time is up, or a deck plays, is
        for another night; a file that is another by now is read once.
        """
        found = await self.shop.database.fetch(
            "SELECT tracks.id, content_hash, location FROM tracks"
            " JOIN sources ON sources.track_id = tracks.id"
            " WHERE content_hash NOT LIKE '%:%' AND deleted_at IS NULL AND location LIKE '/%'"
            " ORDER BY random()"
        )
        done = 0
        until = time.monotonic() + IDENTIFY_S
        for track, before, place in found:
            if time.monotonic() > until or self.shop.courtesy.playing:
                break
            with suppress(TimeoutError):
                done += await self._identify_one(track, before, place)
        return done

    async def _identify_one(self, track: int, before: str, place: str) -> bool:
        """Give a track the identity of its sound; return whether that could be done."""
        async with self.shop.database.reading() as connection:
            missed = await setting(connection, f"{MISSED}{place}")
        stamp, identity = await within_time(FILE_S, _identity, place, before, missed)
        if stamp is None or stamp == missed:
            return False
        async with self.shop.database.transaction(durable=False) as connection:
            now = await tracks.get(connection, track)
            if now.content_hash != before or now.deleted_at is not None:  # changed meanwhile
                return False
            if identity is None or await tracks.with_content(connection, identity) is not None:
                await set_setting(connection, f"{MISSED}{place}", stamp)
                return False
            await tracks.set_content(connection, track, identity)
        with suppress(SfaError):  # the bundle is not there: a check will find it
            await self.shop.follow(track)
        return True


def _identity(place: str, before: str, missed: str | None) -> tuple[str | None, str | None]:
    """Return the size and time of a file, and the identity of its sound if it was imported so.

    None and None if it is not there, or cannot be read; the sound of one whose size and time were
    `missed` is not looked at.
    """
    try:
        about = Path(place).stat()
        stamp = f"{before} {about.st_size} {about.st_mtime_ns}"
        if stamp == missed:
            return stamp, None
        return stamp, sound_identity(place) if content_hash(place) == before else None
    except (OSError, SfaError):
        return None, None
