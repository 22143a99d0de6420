"""Backstage without its socket: library, queue, dispatcher and watchers, run together."""

from __future__ import annotations

import asyncio
import hashlib
import logging
import os
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from sfa_engine.backstage.audit import Auditor
from sfa_engine.backstage.context import PrepContext
from sfa_engine.backstage.describer import Describer
from sfa_engine.backstage.dispatcher import Dispatcher, Outcome, Progress, Step
from sfa_engine.backstage.executor import Executor, Local, Remote
from sfa_engine.backstage.health_watcher import watch_health
from sfa_engine.backstage.housekeeping import clean_nightly
from sfa_engine.backstage.job import ENDED, Job, Kind, Plan
from sfa_engine.backstage.kept_shelf import KeptShelf
from sfa_engine.backstage.mixes.auditions import Auditions
from sfa_engine.backstage.mixes.facts import FactsReader
from sfa_engine.backstage.mixes.live_mix import LiveMix
from sfa_engine.backstage.mixes.store import PlanStore
from sfa_engine.backstage.niceness import Niceness
from sfa_engine.backstage.notifier import Notifier
from sfa_engine.backstage.queue import Event, Queue
from sfa_engine.backstage.settings import Settings
from sfa_engine.backstage.spotify_accounts import SpotifyAccounts
from sfa_engine.backstage.spotify_session import SpotifySession
from sfa_engine.backstage.stage_listener import listen
from sfa_engine.backstage.steps.analyse import Analyse, SetCues
from sfa_engine.backstage.steps.audition import Audition
from sfa_engine.backstage.steps.clean import Clean
from sfa_engine.backstage.steps.download import Download, Resolve
from sfa_engine.backstage.steps.import_file import ImportFile
from sfa_engine.backstage.steps.library_export import LibraryExport
from sfa_engine.backstage.steps.library_import import LibraryImport
from sfa_engine.backstage.steps.loops import Loops
from sfa_engine.backstage.steps.master import Master
from sfa_engine.backstage.steps.separate import Separate
from sfa_engine.backstage.steps.tag import Tag
from sfa_engine.backstage.verb_caller import VerbCaller
from sfa_engine.backstage.verbs.account import AccountVerbs
from sfa_engine.backstage.verbs.agents import AgentVerbs
from sfa_engine.backstage.verbs.audit import AuditVerbs
from sfa_engine.backstage.verbs.chains import ChainVerbs
from sfa_engine.backstage.verbs.chef import ChefVerbs
from sfa_engine.backstage.verbs.exchange import ExchangeVerbs
from sfa_engine.backstage.verbs.files import FileVerbs
from sfa_engine.backstage.verbs.jobs import JobVerbs
from sfa_engine.backstage.verbs.kits import KitVerbs
from sfa_engine.backstage.verbs.library import LibraryVerbs
from sfa_engine.backstage.verbs.listing import ListingVerbs
from sfa_engine.backstage.verbs.live_mix import LiveMixVerbs
from sfa_engine.backstage.verbs.llm import LlmVerbs
from sfa_engine.backstage.verbs.loops import LoopVerbs
from sfa_engine.backstage.verbs.masters import MasterVerbs
from sfa_engine.backstage.verbs.mixes import MixVerbs
from sfa_engine.backstage.verbs.moderation import ModerationVerbs
from sfa_engine.backstage.verbs.notifications import NotificationVerbs
from sfa_engine.backstage.verbs.prep import PrepVerbs
from sfa_engine.backstage.verbs.presets import PresetVerbs
from sfa_engine.backstage.verbs.profiles import ProfileVerbs
from sfa_engine.backstage.verbs.proposals import ProposalVerbs
from sfa_engine.backstage.verbs.reanalyse import ReanalyseVerbs
from sfa_engine.backstage.verbs.separations import SeparationVerbs
from sfa_engine.backstage.verbs.spotify import SpotifyVerbs
from sfa_engine.backstage.verbs.stems import StemVerbs
from sfa_engine.backstage.verbs.tags import TagVerbs
from sfa_engine.backstage.verbs.usage import UsageVerbs
from sfa_engine.backstage.verbs.webhooks import WebhookVerbs
from sfa_engine.backstage.verbs.words import WordVerbs
from sfa_engine.backstage.watch_folders import FolderWatcher
from sfa_engine.backstage.webhooks.address import networks_of
from sfa_engine.backstage.webhooks.post import Poster
from sfa_engine.backstage.webhooks.sender import Sender
from sfa_engine.errors import SfaError
from sfa_engine.library.database import Database
from sfa_engine.library.places import Places
from sfa_engine.library.secret import Secrets
from sfa_engine.system.atomic import clean_leftovers
from sfa_engine.wire.verbs import Bound, exported

if TYPE_CHECKING:
    from sfa_engine.backstage.verbs.agents import Ask, Word

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
    ask, word : callable, optional
        See `verbs.agents.AgentVerbs`.
    """

    def __init__(
        self,
        context: PrepContext,
        runtime: Path,
        catalogue: SpotifySession,
        spotify: SpotifyAccounts,
        niceness: Niceness,
        ask: Ask | None = None,
        word: Word | None = None,
    ) -> None:
        self._context = context
        self._runtime = runtime
        self._niceness = niceness
        self.queue = context.queue
        self.track_listeners = context.track_listeners
        auditions = Auditions(context.settings.data, context.places.bundles)
        steps = _steps(context, catalogue, spotify, auditions)
        self.dispatcher = Dispatcher(context.queue, steps, context.settings.limits)
        self.watching = FolderWatcher(context, self.dispatcher)
        self.describer = Describer(context)
        self.notifier = Notifier(context.queue)
        self.auditor = Auditor(context.database)
        networks = networks_of(context.settings.webhooks.allow)
        self._sender = Sender(
            context.database,
            Secrets(context.settings.data),
            Poster(networks),
            on_failed=self.notifier.webhook_failed,
        )
        context.queue.on_end.append(self._sender.on_end)
        context.queue.listen(self._on_event)
        shelf = KeptShelf()
        self.facts = FactsReader(context, shelf)
        self.live = LiveMix(
            context,
            self.facts,
            PlanStore(context.settings.data),
            runtime,
            self.notifier.add,
        )
        self.llm = LlmVerbs(context)
        words = WordVerbs(context, self.describer, shelf=shelf)
        mixes = MixVerbs(context, self.facts, words, auditions, self.dispatcher, self.live)
        self.verbs: dict[str, Bound] = {
            **exported(JobVerbs(context.queue, self.dispatcher)),
            **exported(PrepVerbs(context, self.dispatcher, self.watching)),
            **exported(LibraryVerbs(context, self.dispatcher)),
            **exported(ListingVerbs(context)),
            **exported(ExchangeVerbs(context, self.dispatcher)),
            **exported(words),
            **exported(TagVerbs(context, shelf)),
            **exported(LiveMixVerbs(context, self.live)),
            **exported(mixes),
            **exported(ChefVerbs(context, self.facts, words, mixes, self.dispatcher)),
            **exported(LoopVerbs(context, self.facts, words, self.dispatcher)),
            **exported(FileVerbs(context)),
            **exported(StemVerbs(context, self.facts)),
            **exported(SeparationVerbs(context, self.dispatcher)),
            **exported(MasterVerbs(context, self.dispatcher)),
            **exported(SpotifyVerbs(catalogue, spotify)),
            **exported(ReanalyseVerbs(context, self.dispatcher)),
            **exported(AccountVerbs(context, spotify)),
            **exported(ModerationVerbs(context, self.dispatcher)),
            **exported(ProfileVerbs(context.settings.data)),
            **exported(KitVerbs(context.settings.data, context.queue.owner)),
            **exported(ChainVerbs(context.settings.data)),
            **exported(PresetVerbs(context.settings.data)),
            **exported(NotificationVerbs(context.database, self.notifier)),
            **exported(WebhookVerbs(self._sender, networks)),
            **exported(AuditVerbs(context.database)),
            **exported(UsageVerbs(context)),
            **exported(self.llm),
        }
        caller = VerbCaller(self.verbs, self.auditor)
        self.proposals = ProposalVerbs(context, caller, mixes)
        agents = AgentVerbs(context, caller, self.llm, self.proposals, ask, word)
        self.verbs |= {**exported(self.proposals), **exported(agents)}

    @classmethod
    @asynccontextmanager
    async def open(
        cls, settings: Settings, runtime: Path, ask: Ask | None = None, word: Word | None = None
    ) -> AsyncIterator[Core]:
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
            core = cls(context, runtime, found, spotify, niceness, ask, word)
            await core.proposals.recover()
            try:
                yield core
            finally:
                await core.llm.close()
                await executor.close()

    async def run(self) -> None:
        """Run until cancelled."""
        last_s = await self.queue.last_done_s(Kind.CLEAN)
        async with asyncio.TaskGroup() as group:
            group.create_task(self.dispatcher.run())
            group.create_task(listen(self._runtime, self._niceness, self._context.session))
            group.create_task(clean_nightly(last_s or 0.0, self._clean))
            group.create_task(self.watching.run())
            group.create_task(self.notifier.run())
            group.create_task(self.describer.run())
            group.create_task(self.live.run())
            places = self._context.places
            group.create_task(watch_health(places.bundles, self._runtime, self.notifier.add))
            group.create_task(self._sender.run())

    async def has_work_left(self) -> bool:
        """Return whether something has to be ended before the process does."""
        return self._sender.is_sending or await self.dispatcher.has_work_left()

    def _on_event(self, event: Event) -> None:
        """Deliver what the end of a job has queued, now that it is committed."""
        if event.state in ENDED:
            self._sender.wake()

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
    context: PrepContext,
    catalogue: SpotifySession,
    spotify: SpotifyAccounts,
    auditions: Auditions,
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
        Kind.AUDITION: Audition(context, auditions),
        Kind.TAG: Tag(context),
        Kind.CLEAN: Clean(context),
        Kind.MASTER: Master(context),
        Kind.LOOPS: Loops(context),
        Kind.LIBRARY_IMPORT: LibraryImport(context),
        Kind.LIBRARY_EXPORT: LibraryExport(context),
    }
