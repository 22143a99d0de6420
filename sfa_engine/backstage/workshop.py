"""What every step of the chain needs: library, queue, executors, and where things are."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from sfa_engine.backstage.courtesy import Courtesy
from sfa_engine.backstage.executor import Executor
from sfa_engine.backstage.foreman import Progress
from sfa_engine.backstage.job import Job
from sfa_engine.backstage.queue import Queue
from sfa_engine.backstage.runner import Order
from sfa_engine.backstage.settings import Settings
from sfa_engine.library import description
from sfa_engine.library.database import Database
from sfa_engine.library.places import Places


@dataclass(frozen=True)
class Workshop:
    """What every step needs.

    Parameters
    ----------
    settings : Settings
    places : Places
    database : Database
    queue : Queue
    executor : Executor
        Of separation and analysis.
    local : Executor
        Of what has to be done on this machine.
    courtesy : Courtesy
        Knows whether a deck plays.
    """

    settings: Settings
    places: Places
    database: Database
    queue: Queue
    executor: Executor
    local: Executor
    courtesy: Courtesy = field(default_factory=Courtesy)

    async def here(
        self, job: Job, module: str, request: Mapping[str, Any], progress: Progress
    ) -> dict[str, Any]:
        """Run a worker program on this machine."""
        return await self.local.run(self._order(job, module, request), progress)

    async def anywhere(
        self,
        job: Job,
        module: str,
        request: Mapping[str, Any],
        progress: Progress,
        output: str = "",
    ) -> dict[str, Any]:
        """Run a worker program that reads the file or folder ``path``, wherever there is room."""
        order = self._order(job, module, request, ("path",), output)
        return await self.executor.run(order, progress)

    def _order(
        self,
        job: Job,
        module: str,
        request: Mapping[str, Any],
        inputs: tuple[str, ...] = (),
        output: str = "",
    ) -> Order:
        mark = f"{self.queue.owner}-{job.id}-{job.attempts}"
        return Order(("-m", module), request, mark, job.time_limit_s, inputs, output)

    async def follow(self, track: int) -> None:
        """Write a track's rows into the description of its bundle."""
        await description.follow(self.database, self.places, track)
