"""Backstage's socket: the verbs of library and queue, and those that push: ``jobs.watch`` ….

Clients of the stage come here through it; the command line comes straight. A client that does not
read gets the newest state of each job and track when it does, and delays no other.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from typing import Any

from sfa_engine import __version__
from sfa_engine.backstage.access import By, JobOwners, sees
from sfa_engine.backstage.core import Core
from sfa_engine.backstage.job import State
from sfa_engine.backstage.queue import Event
from sfa_engine.backstage.verbs.notifications import seen_by, shown
from sfa_engine.errors import SfaError
from sfa_engine.library import ownership
from sfa_engine.library.notifications import Notification
from sfa_engine.library.ownership import OTHER
from sfa_engine.wire import aio, connection
from sfa_engine.wire.rights import SYSTEM, Actor
from sfa_engine.wire.session import Session
from sfa_engine.wire.verbs import Text, Verb, exported, verb

logger = logging.getLogger(__name__)
NEWS_PERIOD_S = 0.05


class Server(aio.Server):
    """Serves the core's verbs, and ``jobs.watch``, ``library.watch``, ``notifications.watch``.

    Parameters
    ----------
    core : Core
    path : pathlib.Path
        Of the socket.
    """

    def __init__(self, core: Core, path: Path) -> None:
        super().__init__(path, self._attend)
        self.core = core
        self.watchers: set[asyncio.Task[None]] = set()  # clients that only wait for news

    async def wait_lonely(self, period_s: float) -> None:
        """Return when no client has been there for a while, and no work was left to us.

        The stage, which watches the library as long as there is one, does not count. A client that
        comes then is not served.
        """
        while True:
            self.moved.clear()
            try:
                is_alone = not self.clients - self.watchers
                async with asyncio.timeout(period_s if is_alone else None):
                    await self.moved.wait()
            except TimeoutError:
                is_needed = await self.core.has_work_left()
                if not is_needed and not self.clients - self.watchers:
                    self.is_ending = True
                    return

    async def _attend(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None

        def become_watcher() -> None:
            self.watchers.add(task)
            self.moved.set()

        try:
            await Client(self.core, reader, writer, become_watcher).run()
        finally:
            self.watchers.discard(task)


class Client:
    """One connection."""

    def __init__(
        self,
        core: Core,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        become_watcher: Callable[[], None],
    ) -> None:
        self._core = core
        self._become_watcher = become_watcher
        self.session = Session(
            "backstage",
            __version__,
            {**core.verbs, **exported(self)},
            given={"line": self},
            on_fault=_log_fault,
            around=self._audited,
        )
        self.peer = aio.Peer(reader, writer, self.session)
        self._news: dict[tuple[str, int], dict[str, Any]] = {}  # by method, and number
        self._wake = asyncio.Event()
        self._batch = ""
        self._watcher = SYSTEM
        self._end_watch: Callable[[], None] = lambda: None
        self._end_library_watch: Callable[[], None] = lambda: None
        self._end_notifications: Callable[[], None] = lambda: None

    def _audited(
        self, one: Verb, actor: Actor, params: Mapping[str, Any], invoke: Callable[[], Any]
    ) -> Any:
        surface = str(self.session.client.get("kind", ""))
        return self._core.auditor.around(one, actor, params, invoke, surface)

    async def run(self) -> None:
        """Serve it until it leaves; what it asked for until then is done all the same."""
        try:
            await self.peer.run(self._notify)
        finally:
            self._end_watch()
            self._end_library_watch()
            self._end_notifications()

    async def push(self, method: str, params: dict[str, Any]) -> None:
        """Send a notification; see `line.Line`."""
        await self.peer.send(connection.notification(method, params))

    async def wait_gone(self) -> None:
        """Return when it has disconnected."""
        await self.peer.wait_gone()

    @verb(scope="read", owned=True)
    def jobs_watch(self, batch: Text = "", actor: By = SYSTEM) -> dict[str, Any]:
        """Push what happens to jobs, of one batch or of all, as ``job`` notifications."""
        self._end_watch()
        self._batch = batch
        self._watcher = actor
        self._end_watch = self._core.queue.listen(self._on_event)
        return {"batch": batch}

    @verb(scope="read")
    def jobs_unwatch(self) -> dict[str, Any]:
        """Push no more of jobs."""
        self._end_watch()
        self._end_watch = lambda: None
        self._drop("job")
        return {}

    @verb(scope="read", owned=True)
    def library_watch(self, actor: By = SYSTEM) -> dict[str, Any]:
        """Push ``track`` notifications of tracks that were changed, removed or restored."""
        self._end_library_watch()
        self._watcher = actor
        listeners = self._core.track_listeners
        listeners.append(self._hear_track)
        self._end_library_watch = lambda: listeners.remove(self._hear_track)
        if self.session.client.get("kind") == "stage":
            self._become_watcher()
        return {}

    @verb(scope="read")
    def library_unwatch(self) -> dict[str, Any]:
        """Push no more of tracks."""
        self._end_library_watch()
        self._end_library_watch = lambda: None
        self._drop("track")
        return {}

    @verb(scope="read", owned=True)
    def notifications_watch(self, actor: By = SYSTEM) -> dict[str, Any]:
        """Push ``notification`` notifications: each new one, and each that was read."""
        self._end_notifications()
        self._watcher = actor
        self._end_notifications = self._core.notifier.listen(self._on_notification)
        return {}

    @verb(scope="read")
    def notifications_unwatch(self) -> dict[str, Any]:
        """Push no more of notifications."""
        self._end_notifications()
        self._end_notifications = lambda: None
        self._drop("notification")
        return {}

    def _on_notification(self, each: Notification) -> None:
        if seen_by(each, self._watcher):
            owners = sorted({each.account, *each.accounts})
            self._tell("notification", each.id, {**shown(each), "owners": owners})

    def _on_event(self, event: Event) -> None:
        is_wanted = not self._batch or self._batch in event.batches
        if is_wanted and JobOwners(event.account, event.accounts).seen_by(self._watcher):
            self._tell("job", event.job, asdict(event))

    def _hear_track(self, track: int, bundle: str) -> None:
        self._tell("track", track, {"track": track, "bundle": bundle})

    def _tell(self, method: str, number: int, params: dict[str, Any]) -> None:
        self._news[method, number] = params
        self._wake.set()

    def _drop(self, method: str) -> None:
        self._news = {key: told for key, told in self._news.items() if key[0] != method}

    async def _notify(self) -> None:
        with suppress(ConnectionError):
            while True:
                await self._wake.wait()
                self._wake.clear()
                news, self._news = self._news, {}
                for (method, _), params in news.items():
                    if not await self._add_owners(method, params):
                        continue
                    # Waits while the client does not read; newer news take the place of older.
                    await self.peer.send(connection.notification(method, params))
                await asyncio.sleep(NEWS_PERIOD_S)

    async def _add_owners(self, method: str, params: dict[str, Any]) -> bool:
        """Add the owners of a track that is new or changed; return whether it is sent.

        Who sees a job need not see its track, and the reverse.
        """
        track = params["track"]
        is_done = method == "job" and track is not None and params["state"] == State.DONE
        if method != "track" and not is_done:
            return True
        owners = []
        with suppress(SfaError):  # the library is locked: it is for those who see everything
            async with self._core.queue.database.reading() as connection:
                owners = await ownership.owners(connection, track)
        params["owners"] = owners or [OTHER]
        return is_done or any(sees(self._watcher, each) for each in params["owners"])


def _log_fault(method: str, error: Exception) -> None:
    logger.error("%s", method, exc_info=error)
