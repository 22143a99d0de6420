"""All of backstage but its socket: opened together, run together, closed together."""

from __future__ import annotations

import asyncio
import hashlib
import logging
import os
import time
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Any

from sfa_engine.backstage.courtesy import Courtesy
from sfa_engine.backstage.executor import Executor, Local, Remote
from sfa_engine.backstage.foreman import Foreman, Outcome, Progress, Stage
from sfa_engine.backstage.housekeeping import keep_house
from sfa_engine.backstage.job import Job, Kind, Plan
from sfa_engine.backstage.listener import listen
from sfa_engine.backstage.queue import Queue
from sfa_engine.backstage.settings import Settings
from sfa_engine.backstage.spotify import Catalogue
from sfa_engine.backstage.steps.analyse import Analyse, Mark
from sfa_engine.backstage.steps.clean import Clean
from sfa_engine.backstage.steps.link import Download, Resolve
from sfa_engine.backstage.steps.separate import Separate
from sfa_engine.backstage.steps.take import Take
from sfa_engine.backstage.verbs.jobs import JobVerbs
from sfa_engine.backstage.verbs.library import LibraryVerbs
from sfa_engine.backstage.verbs.prep import PrepVerbs
from sfa_engine.backstage.watching import Watching
from sfa_engine.backstage.workshop import Workshop
from sfa_engine.errors import SfaError
from sfa_engine.library.database import Database
from sfa_engine.library.draft import clean_leftovers
from sfa_engine.library.places import Places
from sfa_engine.library.secret import Secrets
from sfa_engine.wire.verbs import exported

logger = logging.getLogger(__name__)
CLEAN = Plan(Kind.CLEAN, title="library", unique="clean", priority=-100, time_limit_s=3600.0)


class Core:
    """The parts of backstage; made by `open`.

    Parameters
    ----------
    shop : Workshop
    runtime : pathlib.Path
        Where the stage's socket is.
    catalogue : Catalogue
    courtesy : Courtesy
    """

    def __init__(
        self, shop: Workshop, runtime: Path, catalogue: Catalogue, courtesy: Courtesy
    ) -> None:
        self._shop = shop
        self._runtime = runtime
        self._courtesy = courtesy
        self.queue = shop.queue
        steps = _steps(shop, catalogue)
        self.foreman = Foreman(shop.queue, steps, shop.settings.limits)
        self.watching = Watching(shop, self.foreman)
        self.verbs: Mapping[str, Callable[..., Any]] = {
            **exported(JobVerbs(shop.queue, self.foreman)),
            **exported(PrepVerbs(shop, self.foreman, self.watching)),
            **exported(LibraryVerbs(shop, self.foreman)),
        }

    @classmethod
    @asynccontextmanager
    async def open(cls, settings: Settings, runtime: Path) -> AsyncIterator[Core]:
        """Open the library and all that stands on it; what died at work before is rescued."""
        places = Places(settings.data, settings.bundles)
        async with (
            await Database.open(places.database) as database,
            Catalogue(settings, Secrets(settings.data)) as found,
        ):
            courtesy = Courtesy()
            local = Local(courtesy)
            executor: Executor = local
            if settings.executor == "dask":
                from sfa_engine.backstage.cluster import Cluster

                insecure = settings.dask_security == "none"
                executor = Remote(
                    partial(Cluster.connect, settings.dask, settings.shared, insecure=insecure)
                )
            marks = marks_of(settings.data)
            queue = Queue(database, f"{marks}-{os.getpid()}-{time.time_ns()}")
            for each in {local, executor}:
                await each.end(marks)
            with suppress(OSError):  # what they were about to replace goes back into its place
                await asyncio.to_thread(clean_leftovers, places.bundles)
            await queue.rescue()
            shop = Workshop(settings, places, database, queue, executor, local, courtesy)
            try:
                yield cls(shop, runtime, found, courtesy)
            finally:
                await executor.close()

    async def run(self) -> None:
        """Work until cancelled."""
        last_s = await self.queue.last_done_s(Kind.CLEAN)
        async with asyncio.TaskGroup() as group:
            group.create_task(self.foreman.run())
            group.create_task(listen(self._runtime, self._courtesy))
            group.create_task(keep_house(last_s or 0.0, self._clean))
            group.create_task(self.watching.run())

    async def _clean(self) -> None:
        try:
            async with self._shop.database.transaction(durable=False) as connection:
                await self.queue.add_chain(connection, [CLEAN])
        except SfaError as error:  # the disk is full, the file locked: tomorrow, then
            logger.warning("no clean-up: %s", error)
        self.foreman.wake()


def marks_of(data: Path) -> str:
    """Return how the marks of all workers of a library begin, whichever process started them."""
    return f"sfa-{hashlib.sha256(os.fsencode(data.absolute())).hexdigest()[:16]}"


def _steps(shop: Workshop, catalogue: Catalogue) -> dict[Kind, Stage]:
    """Return how each kind of job is done."""
    take, resolve = Take(shop), Resolve(shop, catalogue.listing)

    async def bring_in(job: Job, progress: Progress) -> Outcome:
        return await (resolve if "link" in job.args else take)(job, progress)

    return {
        Kind.IMPORT: bring_in,
        Kind.DOWNLOAD: Download(shop),
        Kind.SEPARATE: Separate(shop),
        Kind.ANALYSE: Analyse(shop),
        Kind.CUE: Mark(shop),
        Kind.CLEAN: Clean(shop),
    }
