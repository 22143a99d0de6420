"""The step of the night: what is old goes, what is dear is backed up, what drifted is mended."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass

from sfa_engine.backstage.foreman import Outcome, Progress
from sfa_engine.backstage.job import Job, Kind
from sfa_engine.backstage.workshop import Workshop
from sfa_engine.errors import SfaError
from sfa_engine.library import check, trash

# The most that may have passed since the last clean-up, for its age to be believed: a clock that
# was set forward by years deletes nothing, a machine that plays at weekends ages as it should.
LONGEST_GAP_S = 7 * 86_400.0


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
        if not 0.0 <= self.passed_s <= LONGEST_GAP_S:  # the next clean-up knows more
            return 0
        return await self.shop.queue.prune()

    async def _empty(self) -> int:
        passed_s = min(max(0.0, self.passed_s), LONGEST_GAP_S)
        await trash.age(self.shop.database, passed_s)
        return len(await trash.clean_up(self.shop.database, self.shop.places))

    async def _mend(self) -> int:
        findings = await check.check(self.shop.database, self.shop.places, mend=True)
        return sum(finding.mended for finding in findings)
