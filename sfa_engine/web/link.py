"""Requests to the stage and to backstage: one connection for each, shared by all requests."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Collection
from contextlib import suppress
from pathlib import Path
from typing import Any

import msgspec

from sfa_engine.errors import EngineError, SfaError
from sfa_engine.web.rights import MACHINE, SYSTEM, Actor
from sfa_engine.wire import connection
from sfa_engine.wire.caller import Caller
from sfa_engine.wire.stream import Notification
from sfa_engine.wire.verbs import Scope

logger = logging.getLogger(__name__)
ANSWER_TIMEOUT_S = 60.0
CONNECT_TIMEOUT_S = 5.0
Done = Callable[[SfaError | None, Any], None]  # takes an error, or a result that is not decoded


class Link:
    """A connection that is opened when it is first needed, and again when it was lost.

    Requests are answered in any order; a slow one delays no other.

    Parameters
    ----------
    path : pathlib.Path
        Of the socket.
    name : str
        Of the server, for errors.
    scopes : collection, optional
        Of the connection; all that the server grants by default.
    on_push : callable, optional
        Called with what the server pushes: a method, and its parameters.
    """

    def __init__(
        self,
        path: Path,
        name: str,
        scopes: Collection[Scope] | None = None,
        on_push: Callable[[str, Any], None] | None = None,
    ) -> None:
        self.path = path
        self.name = name
        self.opened = 0  # times
        self._scopes = scopes
        self._on_push = on_push
        self._opening = asyncio.Lock()
        self._queued = 0  # requests that wait for it; later ones do not overtake them
        self._late: set[asyncio.Task[None]] = set()  # of `start`
        self._line: _Line | None = None

    async def call(
        self,
        method: str,
        params: Any,
        timeout_s: float = ANSWER_TIMEOUT_S,
        decode: Callable[[Any], Any] = msgspec.msgpack.decode,
        actor: Actor = SYSTEM,
    ) -> Any:
        """Send a request for an actor, and return its result, decoded by a function.

        Raises
        ------
        SfaError
            What the server raised; `EngineError` if it does not run or does not answer.
        """
        line = self._line
        if line is None or line.is_closed or self._queued:
            line = await self._in_turn()
        return decode(await line.call(method, params, actor, timeout_s))

    def start(self, method: str, params: Any, timeout_s: float, actor: Actor, done: Done) -> None:
        """Send a request without a task of its own, if nothing has to be waited for before.

        A task and its turns of the event loop are a fifth of what a read costs.

        Parameters
        ----------
        method : str
        params : mapping
        timeout_s : float
        actor : Actor
        done : callable
            Called once, with an error or with the result as it came; it raises nothing.

        Raises
        ------
        Refused
            It cannot be sent; `done` is not called.
        """
        line = self._line
        if line is not None and line.is_ready and not self._queued:
            line.start(method, params, actor, timeout_s, done)
            return

        async def later() -> None:
            try:
                result = await self.call(method, params, timeout_s, bytes, actor)
            except SfaError as error:
                done(error, None)
            else:
                done(None, result)

        task = asyncio.ensure_future(later())
        self._late.add(task)
        task.add_done_callback(self._late.discard)

    async def wait_closed(self) -> None:
        """Return when the connection is lost; at once without one."""
        if self._line is not None:
            await self._line.wait_closed()

    async def close(self) -> None:
        """Close the connection; requests in progress fail."""
        if self._line is not None:
            await self._line.close()
            self._line = None

    async def _in_turn(self) -> _Line:
        self._queued += 1
        try:
            return await self._open()
        finally:
            self._queued -= 1

    async def _open(self) -> _Line:
        async with self._opening:
            if self._line is None or self._line.is_closed:
                await self.close()
                caller = Caller(self.name, "web", self._scopes, connection)
                loop = asyncio.get_running_loop()
                try:
                    async with asyncio.timeout(CONNECT_TIMEOUT_S):
                        _, self._line = await loop.create_unix_connection(
                            lambda: _Line(caller, self._on_push), str(self.path)
                        )
                except (OSError, TimeoutError):
                    hint = "start it with `sfa start`"
                    raise EngineError(f"{self.name} is not running", hint) from None
                self.opened += 1
            return self._line


class _Line(asyncio.Protocol):
    """An open connection.

    A protocol, not a pair of streams: an answer is parsed where it arrives, which saves a turn of
    the event loop for each request.
    """

    def __init__(self, caller: Caller, on_push: Callable[[str, Any], None] | None) -> None:
        self._caller = caller
        self._on_push = on_push
        self._waiting: dict[int, tuple[Done, float, float]] = {}  # due, timeout
        self._loop = asyncio.get_running_loop()  # each look for it asks the kernel for our number
        self._timer: asyncio.TimerHandle | None = None  # at the earliest due time, or before it
        self._failure: SfaError = self._lost()
        self._writable = asyncio.Event()
        self._writable.set()
        self._ended = asyncio.Event()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def connection_lost(self, _error: Exception | None) -> None:
        self._ended.set()
        self._writable.set()
        if self._timer is not None:
            self._timer.cancel()
        for number in list(self._waiting):
            self._deliver(number, self._failure, None)

    def pause_writing(self) -> None:
        self._writable.clear()

    def resume_writing(self) -> None:
        self._writable.set()

    def data_received(self, data: bytes) -> None:
        try:
            self._caller.receive_data(data)
            while (event := self._caller.next_event()) is not None:
                if isinstance(event, Notification):
                    self._push(event)
                    continue
                if event.id is None:  # of the connection: hello was refused, say
                    self._end(event.error or self._failure)
                    return
                self._deliver(event.id, event.error, event.result)
        except SfaError as error:
            self._end(error)

    @property
    def is_closed(self) -> bool:
        return self._ended.is_set() or self._transport.is_closing()

    @property
    def is_ready(self) -> bool:
        """Whether a request is sent at once."""
        return self._writable.is_set() and not self.is_closed

    def start(self, method: str, params: Any, actor: Actor, timeout_s: float, done: Done) -> None:
        _, data = self._request(method, params, actor, timeout_s, done)
        self._transport.write(data)

    async def call(self, method: str, params: Any, actor: Actor, timeout_s: float) -> Any:
        answered = self._loop.create_future()

        def done(error: SfaError | None, result: Any) -> None:
            if answered.done():  # given up
                return
            if error is not None:
                answered.set_exception(error)
            else:
                answered.set_result(result)

        number, data = self._request(method, params, actor, timeout_s, done)
        try:
            if not self._writable.is_set():
                await self._wait_writable(timeout_s)
            self._transport.write(data)
            if self._ended.is_set():
                raise self._failure
            return await answered
        finally:
            self._waiting.pop(number, None)

    def _request(
        self, method: str, params: Any, actor: Actor, timeout_s: float, done: Done
    ) -> tuple[int, bytes]:
        """Return a request's number, and the bytes to send; its answer is waited for."""
        named = None if actor.account == MACHINE else actor.to_wire()
        number, data = self._caller.request(method, params, named)
        due_s = self._loop.time() + timeout_s
        self._waiting[number] = done, due_s, timeout_s
        # One timer for all requests: one of each would be a tenth of what a request costs.
        if self._timer is None or due_s < self._timer.when():
            self._set_timer(due_s)
        return number, data

    async def wait_closed(self) -> None:
        await self._ended.wait()

    async def _wait_writable(self, timeout_s: float) -> None:
        with suppress(TimeoutError):  # the answer is late, too
            async with asyncio.timeout(timeout_s):
                await self._writable.wait()

    async def close(self) -> None:
        self._transport.close()
        await self._ended.wait()

    def _end(self, failure: SfaError) -> None:
        self._failure = failure
        self._transport.abort()

    def _push(self, pushed: Notification) -> None:
        if self._on_push is None:
            return
        try:
            self._on_push(pushed.method, msgspec.msgpack.decode(pushed.params))
        except Exception:
            logger.exception("%s of %s", pushed.method, self._caller.name)

    def _deliver(self, number: int, error: SfaError | None, result: Any) -> None:
        waiting = self._waiting.pop(number, None)
        if waiting is not None:  # else it was given up
            waiting[0](error, result)

    def _set_timer(self, due_s: float) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer = self._loop.call_at(due_s, self._expire)

    def _expire(self) -> None:
        """Give up what was not answered in time."""
        self._timer = None
        now_s = self._loop.time()
        for number, (_, due_s, timeout_s) in list(self._waiting.items()):
            if due_s <= now_s:
                detail = f"{self._caller.name} did not answer within {timeout_s:g} s"
                self._deliver(number, EngineError(detail, "see `sfa health`"), None)
        later = [due_s for _, due_s, _ in self._waiting.values() if due_s > now_s]
        if later and not self._ended.is_set():
            self._set_timer(min(later))

    def _lost(self) -> EngineError:
        return EngineError(f"{self._caller.name} closed the connection", "see `sfa health`")


class Links:
    """Connections to one server by their scopes: it checks each sender's rights too.

    Parameters
    ----------
    path : pathlib.Path
        Of the socket.
    name : str
        Of the server, for errors.
    on_push : callable, optional
        As of `Link`.
    """

    def __init__(
        self, path: Path, name: str, on_push: Callable[[str, Any], None] | None = None
    ) -> None:
        self.path = path
        self._name = name
        self._on_push = on_push
        self._links: dict[frozenset[Scope], Link] = {}  # at most one of each set of six scopes

    def of(self, scopes: frozenset[Scope]) -> Link:
        """Return the connection that has some scopes."""
        if scopes not in self._links:
            self._links[scopes] = Link(self.path, self._name, scopes, self._on_push)
        return self._links[scopes]

    async def close(self) -> None:
        """Close all."""
        for link in self._links.values():
            await link.close()
