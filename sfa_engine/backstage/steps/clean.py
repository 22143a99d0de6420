"""The step of the night: what is old goes, what is dear is backed up, what drifted is mended."""

from __future__ import annotations

from dataclasses import dataclass

from sfa_engine.backstage.foreman import Outcome, Progress
from sfa_engine.backstage.job import Job
from sfa_engine.backstage.workshop import Workshop
from sfa_engine.library import check, trash


@dataclass(frozen=True)
class Clean:
    """Cleans up.

    Parameters
    ----------
    shop : Workshop
    """

    shop: Workshop

    async def __call__(self, _job: Job, progress: Progress) -> Outcome:
        """Back the library up, forget old jobs, empty the trash of what is old, mend."""
        shop = self.shop
        progress(0.0, "backing up")
        backup = await shop.database.back_up(shop.places.backups)
        progress(0.3, "forgetting")
        jobs = await shop.queue.prune()
        emptied = await trash.clean_up(shop.database, shop.places)
        progress(0.5, "checking")
        findings = await check.check(shop.database, shop.places, mend=True)
        return Outcome(
            {
                "backup": backup.name,
                "jobs_forgotten": jobs,
                "removed_for_good": len(emptied),
                "mended": sum(finding.mended for finding in findings),
            }
        )
