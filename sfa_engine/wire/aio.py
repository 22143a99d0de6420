"""Server and client on asyncio, for backstage."""

from __future__ import annotations

import asyncio
import math
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from inspect import isawaitable
from pathlib import Path
from typing import Any

from sfa_engine.errors import BusyError, EngineError
from sfa_engine.system.unix_socket import has_hung_up, is_own_peer, listen_unix
from sfa_engine.wire import connection, protocol
from sfa_engine.wire.caller import Caller
from sfa_engine.wire.session import Call, Session
from sfa_engine.wire.stream import Answer, Notification

Handler = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


class Server:
    """Accepts clients, up to `protocol.MAX_CLIENTS`.

    Parameters
    ----------
    path : pathlib.Path
        Of the socket.
    handler : callable
        Serves one client until it disconnects.
    """

    def __init__(self, path: Path, handler: Handler) -> None:
        self.path = path
        self.clients: set[asyncio.Task[None]] = set()
        self.moved = asyncio.Event()  # a client connected or disconnected
        self.is_ending = False
        self._handler = handler

    async def run(self, ready: Callable[[], None] = lambda: None) -> None:
        """Serve until cancelled."""
        raw = listen_unix(self.path, backlog=256)
        server = await asyncio.start_unix_server(
            self._accept, sock=raw, backlog=256, limit=protocol.CHUNK
        )
        try:
            async with server:
                ready()
                await server.serve_forever()
        finally:
            for task in self.clients:
                task.cancel()
            await asyncio.gather(*self.clients, return_exceptions=True)
            with suppress(FileNotFoundError):
                self.path.unlink()

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self.is_ending:  # an answer could be cut off
            writer.close()
            return
        task = asyncio.current_task()
        assert task is not None
        self.clients.add(task)
        self.moved.set()
        try:
            if len(self.clients) > protocol.MAX_CLIENTS:
                many = f"{protocol.MAX_CLIENTS} clients are connected already"
                writer.write(connection.failure(None, BusyError(many, "close some")))
                return
            await self._handler(reader, writer)
        except (ConnectionError, asyncio.CancelledError):
            pass
        finally:
            self.clients.discard(task)
            self.moved.set()
            writer.close()


class Peer:
    """One client: each request has a task, up to `protocol.MAX_CONCURRENT`.

    Parameters
    ----------
    reader : asyncio.StreamReader
    writer : asyncio.StreamWriter
    session : Session
    """

    def __init__(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, session: Session
    ) -> None:
        self._reader = reader
        self._writer = writer
        self._session = session
        self.requests: set[asyncio.Task[None]] = set()

    async def run(self, *background: Callable[[], Awaitable[None]]) -> None:
        """Serve it until it disconnects; its requests are completed all the same."""
        self._session.is_own_user = is_own_peer(self._writer.get_extra_info("socket"))
        others = [asyncio.ensure_future(each()) for each in background]
        try:
            await self._read()
        except asyncio.CancelledError:
            for task in self.requests:
                task.cancel()
            raise
        finally:
            for other in others:
                other.cancel()
            await asyncio.gather(*others, *self.requests, return_exceptions=True)

    async def send(self, data: bytes) -> None:
        """Send a message; wait while the client reads too slowly."""
        self._writer.write(data)
        await self._writer.drain()

    async def wait_gone(self) -> None:
        """Return when the client has disconnected, and not only stopped sending."""
        line = self._writer.get_extra_info("socket")
        while not self._writer.is_closing() and not has_hung_up(line):  # noqa: ASYNC110 - no event says
            await asyncio.sleep(protocol.FINISH_POLL_S)

    async def _read(self) -> None:
        session = self._session
        clock = asyncio.get_running_loop().time
        while not session.is_closing:
            due = session.due(clock())
            try:
                async with asyncio.timeout_at(None if due == math.inf else due):
                    data = await self._reader.read(protocol.CHUNK)
            except TimeoutError:
                session.expire()
            else:
                if not data:
                    return
                session.receive_data(data)
            while (action := session.next_action()) is not None:
                if isinstance(action, Call):
                    await self._begin(action)
                else:
                    await self._send_safely(action)

    async def _begin(self, call: Call) -> None:
        while len(self.requests) >= protocol.MAX_CONCURRENT:  # it is not read from meanwhile
            await asyncio.wait(self.requests, return_when=asyncio.FIRST_COMPLETED)
        task = asyncio.create_task(self._answer(call))
        self.requests.add(task)
        task.add_done_callback(self.requests.discard)
        if call.is_ordered:
            await asyncio.wait([task])

    async def _answer(self, call: Call) -> None:
        with call.under_way():
            try:
                result = call.invoke()
                answer = call.answer(await result if isawaitable(result) else result)
            except Exception as error:  # noqa: BLE001 - sent to the client, logged by the session
                answer = call.fail(error)
        await self._send_safely(answer)

    async def _send_safely(self, data: bytes) -> None:
        with suppress(ConnectionError):
            await self.send(data)


class Client:
    """A connection for one request after another, and for notifications.

    Parameters
    ----------
    reader : asyncio.StreamReader
    writer : asyncio.StreamWriter
    caller : Caller
    """

    def __init__(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, caller: Caller
    ) -> None:
        self._reader = reader
        self._writer = writer
        self._caller = caller
        self._pushed: list[Notification] = []

    async def call(self, method: str, **params: Any) -> Any:
        """Send a request, and return its result.

        Raises
        ------
        SfaError
            What the server raised.
        EngineError
            The server closed the connection.
        """
        number, data = self._caller.request(method, params)
        self._writer.write(data)
        with suppress(ConnectionError):  # it may have sent the reason before it closed
            await self._writer.drain()
        while True:
            event = await self._next()
            if isinstance(event, Notification):
                self._pushed.append(event)
            elif event.id in {number, None}:
                if event.error is not None:
                    raise event.error
                return event.result

    async def notifications(self) -> AsyncIterator[tuple[str, Any]]:
        """Yield notifications until the connection closes."""
        while True:
            event = self._pushed.pop(0) if self._pushed else await self._next()
            if isinstance(event, Notification):
                yield event.method, event.params

    async def _next(self) -> Answer | Notification:
        while (event := self._caller.next_event()) is None:
            data = b""
            with suppress(ConnectionError):
                data = await self._reader.read(protocol.CHUNK)
            if not data:
                raise EngineError(f"{self._caller.name} closed the connection", "see `sfa health`")
            self._caller.receive_data(data)
        return event


@asynccontextmanager
async def connect(path: Path, caller: Caller) -> AsyncIterator[Client]:
    """Open a connection for a block; its hello is sent with the first request.

    Raises
    ------
    OSError
        No server listens there.
    """
    reader, writer = await asyncio.open_unix_connection(path)
    try:
        yield Client(reader, writer, caller)
    finally:
        writer.close()
