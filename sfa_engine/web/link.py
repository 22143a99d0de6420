"""Requests to the stage and to backstage: one connection for each, shared by all requests."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection
from contextlib import suppress
from pathlib import Path
from typing import Any

import msgspec

from sfa_engine.errors import EngineError, SfaError
from sfa_engine.web.rights import MACHINE, SYSTEM, Actor
from sfa_engine.wire import connection, protocol
from sfa_engine.wire.caller import Caller
from sfa_engine.wire.stream import Notification
from sfa_engine.wire.verbs import Scope

ANSWER_TIMEOUT_S = 60.0
CONNECT_TIMEOUT_S = 5.0


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
    """

    def __init__(self, path: Path, name: str, scopes: Collection[Scope] | None = None) -> None:
        self.path = path
        self.name = name
        self._scopes = scopes
        self._opening = asyncio.Lock()
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
        line = await self._open()
        try:
            async with asyncio.timeout(timeout_s):
                return decode(await line.call(method, params, actor))
        except TimeoutError:
            raise EngineError(
                f"{self.name} did not answer within {timeout_s:g} s", "see `sfa health`"
            ) from None

    async def wait_closed(self) -> None:
        """Return when the connection is lost; at once without one."""
        if self._line is not None:
            await self._line.wait_closed()

    async def close(self) -> None:
        """Close the connection; requests in progress fail."""
        if self._line is not None:
            await self._line.close()
            self._line = None

    async def _open(self) -> _Line:
        async with self._opening:
            if self._line is None or self._line.is_closed:
                await self.close()
                caller = Caller(self.name, "web", self._scopes, connection)
                try:
                    async with asyncio.timeout(CONNECT_TIMEOUT_S):
                        reader, writer = await asyncio.open_unix_connection(self.path)
                except (OSError, TimeoutError):
                    hint = "start it with `sfa start`"
                    raise EngineError(f"{self.name} is not running", hint) from None
                self._line = _Line(reader, writer, caller)
            return self._line


class _Line:
    """An open connection."""

    def __init__(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, caller: Caller
    ) -> None:
        self._reader, self._writer, self._caller = reader, writer, caller
        self._waiting: dict[int, asyncio.Future[Any]] = {}
        self._task = asyncio.create_task(self._read())

    @property
    def is_closed(self) -> bool:
        return self._task.done()

    async def call(self, method: str, params: Any, actor: Actor) -> Any:
        named = None if actor.account == MACHINE else actor.to_wire()
        number, data = self._caller.request(method, params, named)
        answered = self._waiting[number] = asyncio.get_running_loop().create_future()
        try:
            self._writer.write(data)
            with suppress(ConnectionError):  # the reader says why
                await self._writer.drain()
            if self.is_closed:
                raise self._lost()
            return await answered
        finally:
            self._waiting.pop(number, None)

    async def wait_closed(self) -> None:
        await asyncio.wait([self._task])

    async def close(self) -> None:
        self._task.cancel()
        await asyncio.wait([self._task])

    async def _read(self) -> None:
        failure: SfaError = self._lost()
        try:
            while data := await self._reader.read(protocol.CHUNK):
                self._caller.receive_data(data)
                while (event := self._caller.next_event()) is not None:
                    if isinstance(event, Notification):
                        continue
                    if event.id is None:  # of the connection: hello was refused, say
                        failure = event.error or failure
                        return
                    self._deliver(event.id, event.error, event.result)
        except SfaError as error:
            failure = error
        except ConnectionError:
            pass
        finally:
            self._writer.close()
            for waiting in self._waiting.values():
                if not waiting.done():
                    waiting.set_exception(failure)

    def _deliver(self, number: int, error: SfaError | None, result: Any) -> None:
        waiting = self._waiting.get(number)
        if waiting is None or waiting.done():  # given up
            return
        if error is not None:
            waiting.set_exception(error)
        else:
            waiting.set_result(result)

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
    """

    def __init__(self, path: Path, name: str) -> None:
        self._path = path
        self._name = name
        self._links: dict[frozenset[Scope], Link] = {}  # at most one of each set of six scopes

    def of(self, scopes: frozenset[Scope]) -> Link:
        """Return the connection that has some scopes."""
        if scopes not in self._links:
            self._links[scopes] = Link(self._path, self._name, scopes)
        return self._links[scopes]

    async def close(self) -> None:
        """Close all."""
        for link in self._links.values():
            await link.close()
