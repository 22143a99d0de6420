"""The control socket's server: one task reads a client, one writes to it, none waits for it.

Requests are answered in the order of their coming, but for those that wait for a disk, for
backstage or for a moment: these are answered when they are done, and faders move on meanwhile.
"""

from __future__ import annotations

import fnmatch
import logging
import math
from collections import Counter
from collections.abc import Awaitable, Callable, Collection
from contextlib import suppress
from pathlib import Path
from typing import Any

import trio

from sfa_engine.audio.command import Source
from sfa_engine.audio.translate import family
from sfa_engine.desk import CONTROLS, Meter
from sfa_engine.door import open_door
from sfa_engine.errors import Refused, SfaError, did_you_mean
from sfa_engine.stage.conductor import readings_of
from sfa_engine.stage.core import Core
from sfa_engine.surfaces.socket.relay import PREFIXES, Relay
from sfa_engine.wire import frames, messages
from sfa_engine.wire.verbs import FaultError, bind, exported

logger = logging.getLogger(__name__)
MOST_CLIENTS = 200
MOST_ANSWERS = 64  # waiting for one client; then it is not read from until it reads
MOST_ASIDE = 64  # requests of a kind and client that are under way while others are answered
HALF_FRAME_S = 10.0  # for the rest of a frame to come
DISMISS_S = 1.0  # for a client to read why it is let go
WATCH_HZ = (0.1, 100.0)
MOST_PATTERNS = 1000  # in one request
LONGEST_PATTERN = 100
CHUNK = 65_536
HIDDEN = frozenset({"run"})
SLOW = frozenset({"deck.load", "deck.eject"})


class Server:
    """Serves the core's verbs, and ``watch``.

    Parameters
    ----------
    core : Core
    path : pathlib.Path
        Of the socket.
    """

    def __init__(self, core: Core, path: Path) -> None:
        self.core = core
        self.path = path
        self.verbs = exported(core, HIDDEN)
        self.clients = 0
        self._next_source = int(Source.SOCKET)

    def _listen(self) -> trio.SocketListener:
        raw = open_door(self.path, backlog=1024)
        raw.setblocking(False)
        return trio.SocketListener(trio.socket.from_stdlib_socket(raw))

    async def run(self, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Serve until cancelled."""
        async with trio.open_nursery() as nursery:
            listener = self._listen()
            task_status.started()
            try:
                await trio.serve_listeners(self._greet, [listener], handler_nursery=nursery)
            finally:
                with suppress(FileNotFoundError):
                    self.path.unlink()

    async def _greet(self, stream: trio.SocketStream) -> None:
        if self.clients >= MOST_CLIENTS:
            full = Refused(f"{MOST_CLIENTS} clients are connected already", "close some")
            with suppress(trio.BrokenResourceError, trio.ClosedResourceError):
                with trio.move_on_after(1.0):
                    await stream.send_all(frames.pack(messages.failure(None, full)))
            await stream.aclose()
            return
        self.clients += 1
        self._next_source += 1
        client = Client(self, stream, self._next_source)
        try:
            await client.run()
        except* Exception:
            logger.exception("client %d", client.source)
        finally:
            self.clients -= 1


class Client:
    """One connection."""

    def __init__(self, server: Server, stream: trio.SocketStream, source: int) -> None:
        self._server = server
        self._stream = stream
        self.source = source
        self._send, self._queue = trio.open_memory_channel[bytes](MOST_ANSWERS)
        self._watched: dict[str, None] = {}
        self._readings: tuple[str, ...] = ()
        self._period_s = 1 / 30
        self._news: dict[str, float] = {}
        self._told: dict[str, float] = {}
        self._wake = trio.Event()
        self._sent_all = trio.Event()
        self._aside: Counter[str] = Counter()

    async def run(self) -> None:
        """Serve it until it leaves; a load that is under way then goes on to its end."""
        end = self._server.core.conductor.listen(self._hear)
        try:
            async with trio.open_nursery() as nursery:
                async with self._stream:
                    nursery.start_soon(self._write)
                    nursery.start_soon(self._notify)
                    await self._read(nursery, Relay(self._server.path.parent, nursery, self._say))
                nursery.cancel_scope.cancel()
        except* (trio.BrokenResourceError, trio.ClosedResourceError):
            pass
        finally:
            end()

    async def _read(self, nursery: trio.Nursery, relay: Relay) -> None:
        reader = frames.FrameReader()
        whole_by = math.inf  # when the frame that has begun must have come
        while True:
            data = b""
            with trio.move_on_at(whole_by) as patience:
                data = await self._stream.receive_some(CHUNK)
            if patience.cancelled_caught:
                await self._dismiss(Refused("the rest of a frame did not come"))
                return
            if not data:
                return
            try:
                while bodies := reader.feed(data):
                    data, whole_by = b"", math.inf
                    for body in bodies:
                        await self._take(body, nursery, relay)
            except frames.BrokenStream as error:
                await self._dismiss(error)
                return
            if reader.is_inside and whole_by == math.inf:
                whole_by = trio.current_time() + HALF_FRAME_S

    async def _take(self, body: bytes, nursery: trio.Nursery, relay: Relay) -> None:
        """Answer a request; begin one that may take long, which is answered when it is done."""
        number = None
        try:
            message = frames.unpack(body)
            if isinstance(message, list) and len(message) > 1 and isinstance(message[1], int):
                number = message[1]
            request = messages.parse_request(message)
            kind = request.method.partition(".")[0]
            is_slow = _is_slow(request)
            if is_slow and self._aside[kind] >= MOST_ASIDE:
                raise Refused(
                    f"{MOST_ASIDE} requests of {kind} are under way already", "wait for an answer"
                )
        except SfaError as error:
            await self._say(messages.failure(number, error))
            return
        if is_slow:
            await nursery.start(self._answer_aside, request, relay, kind)
        else:
            await self._answer(request, relay)

    async def _answer_aside(
        self, request: messages.Request, relay: Relay, kind: str, task_status: trio.TaskStatus[None]
    ) -> None:
        self._aside[kind] += 1
        task_status.started()  # the next is read when this one waits for the first time
        try:
            await self._answer(request, relay)
        finally:
            self._aside[kind] -= 1

    async def _answer(self, request: messages.Request, relay: Relay) -> None:
        try:
            if request.method.startswith(PREFIXES):
                answer = await relay.ask(request)
            else:
                answer = messages.answer(request.id, await self._do(request))
            frame = frames.pack(answer)
        except SfaError as error:
            frame = frames.pack(messages.failure(request.id, error))
        except Exception as error:
            logger.exception("%s", request.method)
            frame = frames.pack(messages.failure(request.id, FaultError(error)))
        await self._send.send(frame)

    async def _do(self, request: messages.Request) -> Any:
        verbs: dict[str, Callable[..., Any]] = {**self._server.verbs}
        verbs |= {"watch": self.watch, "unwatch": self.unwatch}
        result = bind(verbs, request, {"source": self.source})()
        return await result if isinstance(result, Awaitable) else result

    # ------------------------------------------------------------------ writing

    async def _say(self, message: list[Any]) -> None:
        self._sent_all = trio.Event()
        await self._send.send(frames.pack(message))

    async def _dismiss(self, error: SfaError) -> None:
        """Say why the client is let go, if it reads that soon."""
        with trio.move_on_after(DISMISS_S):
            await self._say(messages.failure(None, error))
            await self._sent_all.wait()

    async def _write(self) -> None:
        async for frame in self._queue:
            await self._stream.send_all(frame)
            if not self._queue.statistics().current_buffer_used:
                self._sent_all.set()

    # ------------------------------------------------------------------ watching

    async def watch(self, paths: Any, rate_hz: float = 30.0) -> dict[str, Any]:
        """Push what changes of some controls and readings, as often as is asked for.

        `paths` are names or patterns (``deck1.*``). What a client changed itself is not
        pushed to it. However slow a client reads, it gets the newest values and holds up nobody.
        """
        patterns = _patterns(paths)
        if (
            not isinstance(rate_hz, int | float)
            or isinstance(rate_hz, bool)
            or not WATCH_HZ[0] <= rate_hz <= WATCH_HZ[1]
        ):
            raise Refused(f"{rate_hz!r:.60} times a second cannot be", "give 0.1 to 100")
        live = {p: c for p, c in CONTROLS.items() if not c.planned and (c.settable or _is_meter(p))}
        found: dict[str, None] = {}
        for pattern in patterns:
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

    async def unwatch(self, paths: Any = None) -> dict[str, Any]:
        """Push no more of some controls, or of none at all."""
        for pattern in ["*"] if paths is None else _patterns(paths):
            for path in _fitting(pattern, self._watched):
                del self._watched[path]
            await trio.lowlevel.checkpoint()
        self._news = {path: value for path, value in self._news.items() if path in self._watched}
        self._readings = tuple(p for p in self._watched if _moves(p))
        return {"watched": len(self._watched)}

    def _hear(self, path: str, value: float, source: int) -> None:
        if source == self.source:
            self._news.pop(path, None)  # older than what the client knows
        elif path in self._watched:
            self._news[path] = value
            self._wake.set()

    async def _notify(self) -> None:
        while True:
            if not self._readings:
                await self._wake.wait()
            self._wake = trio.Event()
            if self._readings:
                readings = readings_of(self._server.core.conductor.memory)
                for path in self._readings:
                    value = readings.get(path)
                    if value is None:
                        value = self._server.core.conductor.get(path)
                    if self._told.get(path) != value:
                        self._news[path] = value
            news, self._news = self._news, {}
            if news:
                self._told.update(news)
                # Waits while the client does not read; meanwhile newer values take the place
                # of older ones in `_news`.
                await self._say(messages.notice("changed", {"values": _to_wire(news)}))
            await trio.sleep(self._period_s)


def _to_wire(values: dict[str, float]) -> dict[str, float | None]:
    """Return values as clients get them: None where a position is not set."""
    return {path: CONTROLS[path].wire(value) for path, value in values.items()}


def _is_slow(request: messages.Request) -> bool:
    """Return whether an answer may take long: it waits for a disk, backstage, or its moment."""
    if request.method == "set" and request.params.get("wait"):
        when = request.params.get("when")
        return when is not None and when != "now"
    return request.method in SLOW or request.method.startswith(PREFIXES)


def _patterns(paths: Any) -> list[str]:
    """Return the names and patterns that a message means."""
    patterns = [paths] if isinstance(paths, str) else paths
    if not isinstance(patterns, list) or not all(isinstance(p, str) for p in patterns):
        raise Refused(f"{paths!r:.60} are not names", "give a list of names or patterns")
    if len(patterns) > MOST_PATTERNS:
        raise Refused(f"{len(patterns)} names are too many", f"{MOST_PATTERNS} are the most")
    for pattern in patterns:
        if len(pattern) > LONGEST_PATTERN:
            most = f"{LONGEST_PATTERN} characters are the most"
            raise Refused(f'"{pattern:.60}…" is too long for a name', most)
    return patterns


def _fitting(pattern: str, paths: Collection[str]) -> list[str]:
    """Return those of some paths that a name or pattern means."""
    return [pattern] if pattern in paths else fnmatch.filter(paths, pattern)


def _is_meter(path: str) -> bool:
    return isinstance(CONTROLS[path], Meter)


def _moves(path: str) -> bool:
    """Return whether a value changes without anybody setting it."""
    return _is_meter(path) or family(path) == "deck.position"
