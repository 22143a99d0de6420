"""The web process without its sockets: accounts, links and endpoints, put together."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any

from sfa_engine.system.runtime_files import BACKSTAGE_SOCKET, ENGINE_SOCKET
from sfa_engine.web import users
from sfa_engine.web.activity import Activity
from sfa_engine.web.agents_topic import Agents
from sfa_engine.web.app import App
from sfa_engine.web.audit_delivery import deliver
from sfa_engine.web.calls import Calls
from sfa_engine.web.catalogue import Catalogue, Described
from sfa_engine.web.channel import Channel
from sfa_engine.web.controls import Controls
from sfa_engine.web.database import FILE, Database
from sfa_engine.web.debug import Debug
from sfa_engine.web.documents import Documents
from sfa_engine.web.endpoint import Table
from sfa_engine.web.engine_history import EngineHistory
from sfa_engine.web.gate import Gate
from sfa_engine.web.health import Health
from sfa_engine.web.link import Link, Links
from sfa_engine.web.made_files import MadeFiles
from sfa_engine.web.many_users import ManyUsers
from sfa_engine.web.metrics import Metrics
from sfa_engine.web.midi_topic import Midi
from sfa_engine.web.named_verbs import NamedVerbs
from sfa_engine.web.page import Page
from sfa_engine.web.password import Passwords
from sfa_engine.web.people import People, SessionLock
from sfa_engine.web.playback import Playback
from sfa_engine.web.preferences import Preferences
from sfa_engine.web.preferences import read as stored
from sfa_engine.web.processes import Processes
from sfa_engine.web.rights import Actor
from sfa_engine.web.settings import WebConfig
from sfa_engine.web.sign_in import SignIn
from sfa_engine.web.spotify_login import SpotifyLogin
from sfa_engine.web.static_files import StaticFiles
from sfa_engine.web.track_files import TrackFiles
from sfa_engine.web.uploads import FOLDER, Uploads
from sfa_engine.web.upstream import Upstream
from sfa_engine.web.verb_endpoints import Verbs


class Service:
    """Everything that the web process serves; made by `open`.

    Parameters
    ----------
    settings : WebConfig
    runtime : pathlib.Path
        Folder of the engine's sockets.
    data : pathlib.Path
        Folder of uploads.
    database : Database
    passwords : Passwords
    logs : pathlib.Path
        Folder of the logs.

    Attributes
    ----------
    whole : asyncio.Event
        Set when the verbs of engine and backstage are known.
    table : Table
        Of all endpoints.
    """

    def __init__(
        self,
        settings: WebConfig,
        runtime: Path,
        data: Path,
        database: Database,
        passwords: Passwords,
        logs: Path,
    ) -> None:
        engine, backstage = runtime / ENGINE_SOCKET, runtime / BACKSTAGE_SOCKET
        self._own = Link(engine, "the engine"), Link(backstage, "backstage")
        self._links = Links(engine, "the engine"), Links(backstage, "backstage")
        self._engine = Catalogue(self._own[0], {"planned": False}, self._rebuild)
        self._backstage = Catalogue(self._own[1], {}, self._rebuild)
        preferences = Preferences(database, self._own[1])

        def fill(verb: str, actor: Actor, params: Mapping[str, Any]) -> Mapping[str, Any]:
            if verb == "library.assign":  # backstage does not know who there is
                users.check_exists(database.reader, params.get("account"))
            return preferences.fill(verb, actor, params)

        self._engine_verbs, self._backstage_verbs = (Verbs(each, fill) for each in self._links)
        lock = SessionLock(self._own[0])
        self.gate = Gate(database)
        self.whole = asyncio.Event()
        named = NamedVerbs(self._backstage_verbs, self._find)
        self._files = TrackFiles(named)
        self._uploads = Uploads(named, data / FOLDER, settings.upload_mb)
        static = StaticFiles()
        page = Page(static)
        metrics = Metrics(self._own[0])
        self._history = EngineHistory(self._own[0])
        calls = Calls(
            lambda: self.table,
            self._verbs_of,
            self.whole.is_set,
            self.gate,
            lambda: Links(engine, "the engine"),
        )
        self._activity = Activity(backstage, partial(calls.call, counted=False))
        self._playback = Playback(engine)
        self._debug = Debug(engine, logs, lambda one: stored(database.reader, one).debug)
        self._midi = Midi(engine)
        feeds = (self._activity, self._playback, self._debug, self._midi)
        agents = Agents(backstage, calls.call)
        channel = Channel(settings.names, self.gate, calls, *feeds, agents)
        self._fixed = (
            *Health(*self._own, page.build).endpoints(),
            *metrics.endpoints(),
            *static.endpoints(),
            *page.endpoints(),
            *Controls(self._own[0]).endpoints(),
            *Documents(lambda: self.table).endpoints(),
            *SignIn(database, passwords).endpoints(),
            *People(database, lock).endpoints(),
            *ManyUsers(database, lock).endpoints(),
            *preferences.endpoints(),
            *Upstream(named).endpoints(),
            *channel.endpoints(),
            *SpotifyLogin(named, static).endpoints(),
            *self._files.endpoints(),
            *self._uploads.endpoints(),
            *MadeFiles().endpoints(),
            *Processes(runtime).endpoints(),
            *self._history.endpoints(),
        )
        self.table = Table(self._fixed)
        self.app = App(
            lambda: self.table,
            settings.names,
            self.gate.admit,
            metrics.count,
            self.whole.is_set,
            self.gate.extend,
            channel,
        )

    def _find(self, name: str) -> Described | None:
        """Return a verb of backstage."""
        return next((each for each in self._backstage.verbs if each.name == name), None)

    def _verbs_of(self, name: str, own: Links | None) -> Verbs:
        """Return what calls a verb: a client's own connections, if they lead to its server."""
        engine, backstage = self._links
        if self._find(name) is None:
            shared, links = self._engine_verbs, engine
        else:
            shared, links = self._backstage_verbs, backstage
        return shared if own is None or own.path != links.path else Verbs(own)

    def _rebuild(self) -> None:
        """Make the table again; backstage's verbs are its own, though the stage relays them."""
        theirs = {each.name for each in self._backstage.verbs}
        ours = tuple(each for each in self._engine.verbs if each.name not in theirs)
        self.table = Table(
            [
                *self._fixed,
                *self._engine_verbs.endpoints(ours),
                *self._backstage_verbs.endpoints(self._backstage.verbs),
            ]
        )
        if self._engine.verbs and self._backstage.verbs:
            self.whole.set()

    @classmethod
    @asynccontextmanager
    async def open(
        cls, settings: WebConfig, runtime: Path, data: Path, logs: Path
    ) -> AsyncIterator[Service]:
        """Lend a service; close its connections and its accounts at the end.

        Parameters
        ----------
        settings : WebConfig
        runtime : pathlib.Path
            Folder of the engine's sockets.
        data : pathlib.Path
            Folder of the accounts and of uploads.
        logs : pathlib.Path
            Folder of the logs.
        """
        database, passwords = Database(data / FILE), Passwords()
        service = cls(settings, runtime, data, database, passwords, logs)
        await asyncio.to_thread(service._uploads.clean)
        feeds = (service._activity, service._playback, service._debug, service._midi)
        parts = (service._engine, service._backstage, service._history, *feeds)
        running = [asyncio.create_task(part.run()) for part in parts]
        running.append(asyncio.create_task(deliver(database, service._own[1])))
        try:
            yield service
        finally:
            for task in running:
                task.cancel()
            await asyncio.gather(*running, return_exceptions=True)
            for link in (*service._own, *service._links):
                await link.close()
            service._files.close()
            service._uploads.close()
            passwords.close()
            database.close()
