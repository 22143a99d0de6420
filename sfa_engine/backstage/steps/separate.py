"""The step that takes a track apart: its bundle gets stems in the place of the mix."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

from sfa_engine.backstage.foreman import Outcome, Progress
from sfa_engine.backstage.job import Job
from sfa_engine.backstage.steps.chain import NONE, Wish
from sfa_engine.backstage.steps.ground import ground_of
from sfa_engine.backstage.workshop import Workshop
from sfa_engine.library import analysis
from sfa_engine.library.analysis import StemOrigin
from sfa_engine.library.database import Connection
from sfa_engine.library.description import GIVEN

WORKER = "sfa_engine.prep.separate"


@dataclass(frozen=True)
class Separate:
    """Takes tracks apart.

    Parameters
    ----------
    shop : Workshop
    """

    shop: Workshop

    async def __call__(self, job: Job, progress: Progress) -> Outcome:
        """Take the track of a job apart, unless nobody wants that or it has been done."""
        wish = Wish.of(job.args)
        settings = self.shop.settings
        engine = wish.engine or settings.engine
        if engine == NONE:
            return Outcome({"why": "no stems are wanted"}, skipped=True)
        ground = await ground_of(self.shop, job)
        made = {stem.engine for stem in ground.stems}
        if made and (made == {GIVEN} or not wish.again):  # those that came apart are not replaced
            return Outcome({"why": f"it has stems ({', '.join(sorted(made))})"}, skipped=True)
        request = {
            "path": str(ground.bundle),
            "bundle": str(ground.bundle),
            "engine": engine,
            "model": wish.model or settings.model,
            "models_folder": str(settings.models),
            "device": settings.device,
            "url": settings.lalalai_url,
            "rate": settings.rate,
        }
        said = await self.shop.anywhere(job, WORKER, request, progress, output="bundle")
        origins = [
            StemOrigin(name, said["engine"], said["model"], said["version"], sketch=said["sketch"])
            for name in said["stems"]
        ]

        async def effect(connection: Connection) -> None:
            await analysis.set_stems(connection, ground.track.id, origins)

        result = {name: said[name] for name in ("engine", "model", "version", "sketch")}
        follow = partial(self.shop.follow, ground.track.id)
        return Outcome({**result, "stems": list(said["stems"])}, effect, follow)
