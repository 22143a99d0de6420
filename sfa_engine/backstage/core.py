"""Backstage without its socket: library, queue, dispatcher and watchers, run together."""

from __future__ import annotations

import asyncio
import hashlib
import logging
import os
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from functools import partial
from pathlib import Path

from sfa_engine.backstage.context import PrepContext
from sfa_engine.backstage.dispatcher import Dispatcher, Outcome, Progress, Step
from sfa_engine.backstage.executor import Executor, Local, Remote
from sfa_engine.backstage.housekeeping import clean_nightly
from sfa_engine.backstage.job import Job, Kind, Plan
from sfa_engine.backstage.niceness import Niceness
from sfa_engine.backstage.queue import Queue
from sfa_engine.backstage.settings import Settings
from sfa_engine.backstage.spotify_accounts import SpotifyAccounts
from sfa_engine.backstage.spotify_session import SpotifySession
from sfa_engine.backstage.stage_listener import listen
from sfa_engine.backstage.steps.analyse import Analyse, SetCues
from sfa_engine.backstage.steps.clean import Clean
from sfa_engine.backstage.steps.download import Download, Resolve
from sfa_engine.backstage.steps.import_file import ImportFile
from sfa_engine.backstage.steps.separate import Separate
from sfa_engine.backstage.verbs.account import AccountVerbs
from sfa_engine.backstage.verbs.chains import ChainVerbs
from sfa_engine.backstage.verbs.jobs import JobVerbs
from sfa_engine.backstage.verbs.kits import KitVerbs
from sfa_engine.backstage.verbs.library import LibraryVerbs
from sfa_engine.backstage.verbs.moderation import ModerationVerbs
from sfa_engine.backstage.verbs.prep import PrepVerbs
from sfa_engine.backstage.verbs.presets import PresetVerbs
from sfa_engine.backstage.verbs.profiles import ProfileVerbs
from sfa_engine.backstage.verbs.reanalyse import ReanalyseVerbs
from sfa_engine.backstage.watch_folders import FolderWatcher
from sfa_engine.errors import SfaError
from sfa_engine.library.database import Database
from sfa_engine.library.places import Places
from sfa_engine.library.secret import Secrets
from sfa_engine.system.atomic import clean_leftovers
from sfa_engine.wire.verbs import Bound, exported

logger = logging.getLogger(__name__)
CLEAN = Plan(Kind.CLEAN, title="library", unique="clean", priority=-100, time_limit_s=3600.0)


class Core:
    """Everything that backstage runs; made by `open`.

    Parameters
    ----------
    context : PrepContext
    runtime : pathlib.Path
        Where the stage's socket is.
    catalogue : SpotifySession
    spotify : SpotifyAccounts
        The sessions of accounts.
    niceness : Niceness
    """

    def __init__(
        self,
        context: PrepContext,
        runtime: Path,
        catalogue: SpotifySession,
        spotify: SpotifyAccounts,
        niceness: Niceness,
    ) -> None:
        self._context = context
        self._runtime = runtime
        self._niceness = niceness
        self.queue = context.queue
        self.track_listeners = context.track_listeners
        steps = _steps(context, catalogue, spotify)
        self.dispatcher = Dispatcher(context.queue, steps, context.settings.limits)
        self.watching = FolderWatcher(context, self.dispatcher)
        self.verbs: Mapping[str, Bound] = {
            **exported(JobVerbs(context.queue, self.dispatcher)),
            **exported(PrepVerbs(context, self.dispatcher, self.watching)),
            **exported(LibraryVerbs(context, self.dispatcher)),
            **exported(ReanalyseVerbs(context, self.dispatcher)),
            **exported(AccountVerbs(context, spotify)),
            **exported(ModerationVerbs(context, self.dispatcher)),
            **exported(ProfileVerbs(context.settings.data)),
            **exported(KitVerbs(context.settings.data, context.queue.owner)),
            **exported(ChainVerbs(context.settings.data)),
            **exported(PresetVerbs(context.settings.data)),
        }

    @classmethod
    @asynccontextmanager
    async def open(cls, settings: Settings, runtime: Path) -> AsyncIterator[Core]:
        """Open the library; kill what an earlier process left running and requeue its jobs."""
        places = Places(settings.data, settings.bundles)
        async with (
            await Database.open(places.database) as database,
            SpotifySession(settings, Secrets(settings.data)) as found,
            SpotifyAccounts(
                found,
                Secrets(settings.data),
                partial(SpotifySession, settings),
                settings.spotify.client_id,
                settings.spotify.port,
            ) as spotify,
        ):
            niceness = Niceness()
            local = Local(niceness)
            executor: Executor = local
            if settings.backstage.executor == "dask":
                from sfa_engine.backstage.cluster import Cluster

                insecure = settings.backstage.dask_security == "none"
                executor = Remote(
                    partial(
                        Cluster.connect,
                        settings.backstage.dask,
                        settings.backstage.shared,
                        insecure=insecure,
                    )
                )
            tags = tag_prefix(settings.data)
            queue = Queue(database, f"{tags}-{os.getpid()}-{time.time_ns()}")
            for each in {local, executor}:
                await each.kill(tags)
            with suppress(OSError):  # a bundle that they had moved aside goes back
                await asyncio.to_thread(clean_leftovers, places.bundles)
            await queue.rescue()
            context = PrepContext(settings, places, database, queue, executor, local, niceness)
            try:
                yield cls(context, runtime, found, spotify, niceness)
            finally:
                await executor.close()

    async def run(self) -> None:
        """Run until cancelled."""
        last_s = await self.queue.last_done_s(Kind.CLEAN)
        async with asyncio.TaskGroup() as group:
            group.create_task(self.dispatcher.run())
            group.create_task(listen(self._runtime, self._niceness, self._context.session))
            group.create_task(clean_nightly(last_s or 0.0, self._clean))
            group.create_task(self.watching.run())

    async def _clean(self) -> None:
        await self._context.session.wait_unlocked()
        try:
            async with self._context.database.transaction(durable=False) as connection:
                await self.queue.add_chain(connection, [CLEAN])
        except SfaError as error:  # the disk is full, the file locked: retried tomorrow
            logger.warning("clean-up not queued: %s", error)
        self.dispatcher.wake()


def tag_prefix(data: Path) -> str:
    """Return the prefix that the tags of all workers of a library have, across restarts."""
    return f"sfa-{hashlib.sha256(os.fsencode(data.absolute())).hexdigest()[:16]}"


def _steps(
    context: PrepContext, catalogue: SpotifySession, spotify: SpotifyAccounts
) -> dict[Kind, Step]:
    """Return the step of each kind of job."""
    import_file = ImportFile(context, catalogue.cover)
    resolve = Resolve(context, catalogue.listing, lambda account: spotify.session(account).listing)

    async def import_step(job: Job, progress: Progress) -> Outcome:
        return await (resolve if "link" in job.args else import_file)(job, progress)

    return {
        Kind.IMPORT: import_step,
        Kind.DOWNLOAD: Download(context),
        Kind.SEPARATE: Separate(context),
        Kind.ANALYSE: Analyse(context),
        Kind.CUE: SetCues(context),
        Kind.CLEAN: Clean(context),
    }
