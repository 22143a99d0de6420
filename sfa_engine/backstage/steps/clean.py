"""The step of the night: what is old goes, what is dear is backed up, what drifted is mended."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass

from sfa_engine.backstage.foreman import Outcome, Progress
from sfa_engine.backstage.job import Job, Kind
from sfa_engine.backstage.workshop import Workshop
from sfa_engine.errors import SfaError
from sfa_engine.library import check, tracks, trash
from sfa_engine.library.content import content_hash, sound_identity

IDENTIFY_S = 600.0  # of a night: some 50 GB of files


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

        They have that of the file's bytes. What is left when the time is up is for another night.
        """
        found = await self.shop.database.fetch(
            "SELECT tracks.id, content_hash, location FROM tracks"
            " JOIN sources ON sources.track_id = tracks.id"
            " WHERE content_hash NOT LIKE '%:%' AND deleted_at IS NULL ORDER BY random()"
        )
        done = 0
        until = time.monotonic() + IDENTIFY_S
        for track, bytes_hash, place in found:
            if time.monotonic() > until:
                break
            identity = await asyncio.to_thread(_identity, place, bytes_hash)
            if identity is None:
                continue
            async with self.shop.database.transaction(durable=False) as connection:
                if await tracks.with_content(connection, identity) is None:
                    await tracks.set_content(connection, track, identity)
                    done += 1
        return done


def _identity(place: str, bytes_hash: str) -> str | None:
    """Return the identity of a file's sound, if it is the file that was imported."""
    try:
        return sound_identity(place) if content_hash(place) == bytes_hash else None
    except SfaError:
        return None
