"""The step that separates a track: its bundle gets stems in place of the mix."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from functools import partial

from sfa_engine.backstage.context import PrepContext
from sfa_engine.backstage.dispatcher import Outcome, Progress
from sfa_engine.backstage.job import Job
from sfa_engine.backstage.steps.plans import PrepOptions
from sfa_engine.backstage.steps.step_inputs import load_inputs
from sfa_engine.library import analysis
from sfa_engine.library.account_secrets import AccountSecrets, name_of
from sfa_engine.library.analysis import StemOrigin
from sfa_engine.library.database import Connection
from sfa_engine.library.manifest import GIVEN
from sfa_engine.library.ownership import MACHINE
from sfa_engine.library.secret import Secrets
from sfa_engine.prep.options import NO_ENGINE
from sfa_engine.prep.separate.licence import SECRET

WORKER = "sfa_engine.prep.separate"


@dataclass(frozen=True)
class Separate:
    """Separates tracks.

    Parameters
    ----------
    context : PrepContext
    """

    context: PrepContext

    async def __call__(self, job: Job, progress: Progress) -> Outcome:
        """Separate a job's track, unless it is to have no stems or has them."""
        options = PrepOptions.of(job.args)
        settings = self.context.settings
        engine = options.engine or settings.separation.engine
        if engine == NO_ENGINE:
            return Outcome({"why": "no stems were requested"}, skipped=True)
        inputs = await load_inputs(self.context, job)
        made = {stem.engine for stem in inputs.stems}
        # Imported stems are never replaced, those of a preview by all others.
        has_all = bool(made) and not any(stem.preview for stem in inputs.stems)
        if made == {GIVEN} or (has_all and (options.preview_s or not options.again)):
            again = "" if made == {GIVEN} or options.preview_s else ", replaced with --again"
            why = f"it has stems ({', '.join(sorted(made))}{again})"
            return Outcome({"why": why}, skipped=True)
        request = {
            "path": str(inputs.bundle),
            "bundle": str(inputs.bundle),
            "engine": engine,
            "model": options.model or settings.separation.model,
            "models_folder": str(settings.models),
            "device": settings.separation.device,
            "url": settings.separation.lalalai_url,
            "rate": settings.library.rate,
            "preview_s": options.preview_s,
        }
        stored = AccountSecrets(Secrets(settings.data), job.account)
        if job.account != MACHINE and await asyncio.to_thread(stored.has, SECRET):
            # Its name: a key is in no request, and so in no log.
            request |= {
                "licence": name_of(SECRET, job.account),
                "licence_folder": str(settings.data),
            }
        answer = await self.context.run(job, WORKER, request, progress, output="bundle")
        origins = [
            StemOrigin(
                *(name, answer["engine"], answer["model"], answer["version"]),
                sketch=answer["sketch"],
                preview=options.preview_s > 0.0,
            )
            for name in answer["stems"]
        ]

        async def effect(connection: Connection) -> None:
            await analysis.set_stems(connection, inputs.track.id, origins)

        shown = ("engine", "model", "version", "sketch", "start_s", "end_s")
        result = {name: answer[name] for name in shown} | {"null_db": answer.get("null_db")}
        update = partial(self.context.update_manifest, inputs.track.id)
        return Outcome({**result, "stems": list(answer["stems"])}, effect, update)
