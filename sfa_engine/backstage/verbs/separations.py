"""``prep.models`` and ``prep.cancel``: engines of separation, and all separations by one."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any, Literal

from sfa_engine.backstage.access import By, changeable_jobs
from sfa_engine.backstage.audit import note_jobs
from sfa_engine.backstage.context import PrepContext
from sfa_engine.backstage.dispatcher import Dispatcher
from sfa_engine.backstage.job import LIVE, Kind
from sfa_engine.backstage.steps.plans import PrepOptions
from sfa_engine.backstage.verbs.paging import job_numbers
from sfa_engine.prep.download.tool import INSTALL, is_installed
from sfa_engine.prep.separate.survey import engines
from sfa_engine.wire.rights import SYSTEM
from sfa_engine.wire.verbs import verb


class SeparationVerbs:
    """The verbs on engines of separation.

    Parameters
    ----------
    context : PrepContext
    dispatcher : Dispatcher
    """

    def __init__(self, context: PrepContext, dispatcher: Dispatcher) -> None:
        self._context = context
        self._dispatcher = dispatcher

    @verb(scope="read")
    async def prep_models(self) -> dict[str, Any]:
        """Return the engines of separation, whether they are ready, and the models of each."""
        settings = self._context.settings
        found = await asyncio.to_thread(engines, settings.models)
        usual = {"engine": settings.separation.engine, "model": settings.separation.model}
        return {"engines": [asdict(each) for each in found], "usual": usual}

    @verb(scope="read")
    async def prep_tools(self) -> dict[str, Any]:
        """Return the programs that downloads need, whether each is installed, and how to get it."""
        found = await asyncio.to_thread(
            lambda: [
                {"name": name, "ready": is_installed(name), "hint": hint}
                for name, hint in INSTALL.items()
            ]
        )
        return {"tools": found}

    @verb(scope="prepare", owned=True)
    async def prep_cancel(
        self,
        engine: Literal["demucs", "embedded", "sketch", "lalalai"],
        actor: By = SYSTEM,
    ) -> dict[str, Any]:
        """Cancel the waiting and running separations that name an engine, or have it by default.

        An account leaves those that others wait for too, and they go on.
        """
        found = await self._context.database.fetch(
            f"SELECT id, args FROM jobs WHERE kind = ? AND {changeable_jobs(actor)}"  # noqa: S608
            " AND state IN (SELECT value FROM json_each(?)) ORDER BY id",
            (Kind.SEPARATE, json.dumps([*LIVE])),
        )
        numbers = [
            int(each["id"]) for each in found if self._engine_of(json.loads(each["args"])) == engine
        ]
        note_jobs(numbers)
        cancelled = await self._context.queue.cancel(numbers, actor.account)
        self._dispatcher.wake()
        return job_numbers(cancelled)

    def _engine_of(self, args: Mapping[str, Any]) -> str:
        """Return the engine that a job asks for: "auto" with a model as "lalalai:vocals" too."""
        options, usual = PrepOptions.of(args), self._context.settings.separation
        engine = options.engine or usual.engine
        model = options.model or usual.model
        return model.partition(":")[0] if engine == "auto" else engine
