"""The control socket's server: the core's verbs, ``watch``, and what is backstage's business.

How clients are read and answered is `sfa_engine.wire`'s. Requests are begun in the order they
came; what waits for the kernel, a disk, backstage or a moment is answered when it is done, and
faders move on meanwhile.
"""

from __future__ import annotations

import fnmatch
import logging
from collections.abc import Collection
from contextlib import suppress
from pathlib import Path
from typing import Annotated, Any

import msgspec
import trio
from msgspec import Meta

from sfa_engine import __version__
from sfa_engine.desk import CONTROLS, Meter, Value
from sfa_engine.engine.command import Source
from sfa_engine.engine.intents import MOVING, family
from sfa_engine.errors import Refused, SfaError, did_you_mean
from sfa_engine.stage.core import Core
from sfa_engine.surfaces.socket.relay import PREFIXES, Relay
from sfa_engine.wire import connection, protocol, trio_io
from sfa_engine.wire.push import Push
from sfa_engine.wire.rights import SYSTEM, Actor
from sfa_engine.wire.session import Session
from sfa_engine.wire.verbs import SCOPES, Scope, exported, verb

logger = logging.getLogger(__name__)
DESCRIBE_TIMEOUT_S = 2.0  # for backstage to say what it can do

Pattern = Annotated[str, Meta(max_length=100)]
Patterns = Annotated[list[Pattern], Meta(max_length=1000)] | Pattern
Rate = Annotated[float, Meta(ge=0.1, le=100.0)]


class Server(trio_io.Server):
    """Serves the core's verbs, and ``watch``.

    Parameters
    ----------
    core : Core
    path : pathlib.Path
        Of the socket.
    granted : frozenset
        Scopes of its clients.
    """

    def __init__(self, core: Core, path: Path, granted: frozenset[Scope] = SCOPES) -> None:
        super().__init__(path, self._attend)
        self.core = core
        self.granted = granted
        self.verbs = {**exported(core), **core.surface_verbs}
        self._next_source = int(Source.SOCKET)

    async def _attend(self, stream: trio.SocketStream) -> None:
        self._next_source += 1
        await Client(self, stream, self._next_source).run()


class Client:
    """One connection."""

    def __init__(self, server: Server, stream: trio.SocketStream, source: int) -> None:
        self._server = server
        self.source = source
        self._wake = trio.Event()
        self._push = Push(self._be_awake)
        self._session = Session(
            "the engine",
            __version__,
            {**server.verbs, **exported(self)},
            given={"source": source, "push": self._push},
            granted=server.granted,
            prefixes=PREFIXES,
            forward=self._forward,
            on_fault=_log_fault,
        )
        self._peer = trio_io.Peer(stream, self._session)
        self._relay: Relay | None = None
        self._watched: dict[str, None] = {}
        self._readings: tuple[str, ...] = ()
        self._period_s = 1 / 30
        self._news: dict[str, Value] = {}
        self._told: dict[str, Value] = {}

    async def run(self) -> None:
        """Serve it until it leaves, and release what it holds.

        A load that is under way then goes on to its end.
        """
        conductor = self._server.core.conductor
        end = conductor.listen(self._hear)
        try:
            await self._peer.run(self._notify)
        finally:
            end()
            self._push.close()
            conductor.release(self.source)

    async def _forward(self, method: str, params: Any, actor: Actor = SYSTEM) -> msgspec.Raw:
        if self._relay is None:
            runtime = self._server.path.parent
            session = self._session
            self._relay = Relay(
                runtime,
                self._peer.nursery,
                self._peer.send,
                lambda: session.granted,
                lambda: str(session.client.get("kind", "")),
            )
        return await self._relay.call(method, params, actor)

    @verb(scope="read")
    async def describe(self, planned: bool = True) -> dict[str, Any]:
        """Return every control, and every verb: backstage's too, if it runs."""
        verbs = self._session.described()
        with trio.move_on_after(DESCRIBE_TIMEOUT_S), suppress(SfaError):
            theirs = msgspec.msgpack.decode(await self._forward("describe", {}))["verbs"]
            verbs += [each for each in theirs if each["name"] not in self._session.verbs]
        controls = self._server.core.describe(planned)
        return {**controls, "protocol": protocol.VERSION, "verbs": verbs}

    # ------------------------------------------------------------------ watching

    @verb(scope="read", ordered=True)
    async def watch(self, paths: Patterns, rate_hz: Rate = 30.0) -> dict[str, Any]:
        """Push what changes of some controls and readings, as often as is asked for.

        `paths` are names or patterns (``deck1.*``). What a client changed itself is not
        pushed to it. A slow client gets the newest values and delays no other.
        """
        live = {p: c for p, c in CONTROLS.items() if not c.planned and (c.settable or _is_meter(p))}
        found: dict[str, None] = {}
        for pattern in _listed(paths):
            fits = _fitting(pattern, live)
            if not fits:
                raise Refused(f'nothing is called "{pattern:.80}"', did_you_mean(pattern, live))
            found.update(dict.fromkeys(fits))
            await trio.lowlevel.checkpoint()  # a thousand patterns take a second or two
        self._watched.update(found)
        self._readings = tuple(p for p in self._watched if _moves(p))
        self._period_s = 1 / rate_hz
        conductor = self._server.core.conductor
        now = {path: conductor.get(path) for path in found}
        self._told.update(now)
        self._wake.set()
        return {"values": _to_wire(now)}

    @verb(scope="read", ordered=True)
    async def unwatch(self, paths: Patterns | None = None) -> dict[str, Any]:
        """Push no more of some controls, or of none at all."""
        for pattern in _listed(paths):
            for path in _fitting(pattern, self._watched):
                del self._watched[path]
            await trio.lowlevel.checkpoint()
        self._news = {path: value for path, value in self._news.items() if path in self._watched}
        self._readings = tuple(p for p in self._watched if _moves(p))
        return {"watched": len(self._watched)}

    def _hear(self, path: str, value: Value, source: int) -> None:
        if source == self.source:
            self._news.pop(path, None)  # older than what the client knows
        elif path in self._watched:
            self._news[path] = value
            self._wake.set()

    def _be_awake(self) -> None:
        self._wake.set()

    async def _notify(self) -> None:
        while True:
            if not self._readings:
                await self._wake.wait()
            self._wake = trio.Event()
            if self._readings:
                readings = self._server.core.conductor.readings()
                for path in self._readings:
                    value: Value | None = readings.get(path)
                    if value is None:
                        value = self._server.core.conductor.get(path)
                    if self._told.get(path) != value:
                        self._news[path] = value
            news, self._news = self._news, {}
            if news:
                self._told.update(news)
                # Waits while the client does not read; meanwhile newer values take the place
                # of older ones in `_news`.
                values = {"values": _to_wire(news)}
                await self._peer.send(connection.notification("changed", values))
            for method, items in self._push.take():
                await self._peer.send(connection.notification(method, items))
            await trio.sleep(self._period_s)


def _to_wire(values: dict[str, Value]) -> dict[str, Any]:
    """Return values and texts as clients get them: None where a position is not set."""
    return {path: CONTROLS[path].wire(value) for path, value in values.items()}


def _log_fault(method: str, error: Exception) -> None:
    logger.error("%s", method, exc_info=error)


def _listed(paths: Patterns | None) -> list[str]:
    paths = "*" if paths is None else paths
    return [paths] if isinstance(paths, str) else paths


def _fitting(pattern: str, paths: Collection[str]) -> list[str]:
    """Return those of some paths that a name or pattern means."""
    return [pattern] if pattern in paths else fnmatch.filter(paths, pattern)


def _is_meter(path: str) -> bool:
    return isinstance(CONTROLS[path], Meter)


def _moves(path: str) -> bool:
    """Return whether a value changes without a notification, and has to be looked at."""
    is_reading = _is_meter(path) and CONTROLS[path].owner == "engine"
    return is_reading or family(path) in MOVING
