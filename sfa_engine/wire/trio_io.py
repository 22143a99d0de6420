"""Server and client on trio, for the stage and its surfaces."""

from __future__ import annotations

import array
import logging
import socket
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from inspect import isawaitable, iscoroutine
from pathlib import Path
from typing import Any

import trio

from sfa_engine.errors import BusyError, EngineError, SfaError
from sfa_engine.system.unix_socket import has_hung_up, is_own_peer, listen_unix
from sfa_engine.wire import connection, protocol
from sfa_engine.wire.caller import Caller
from sfa_engine.wire.session import Call, Session
from sfa_engine.wire.stream import Answer, Notification

logger = logging.getLogger(__name__)
Handler = Callable[[trio.SocketStream], Awaitable[None]]


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
        self.clients = 0
        self._handler = handler

    async def run(self, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Serve until cancelled."""
        async with trio.open_nursery() as nursery:
            raw = listen_unix(self.path, backlog=1024)
            raw.setblocking(False)
            listener = trio.SocketListener(trio.socket.from_stdlib_socket(raw))
            task_status.started()
            try:
                await trio.serve_listeners(self._accept, [listener], handler_nursery=nursery)
            finally:
                with suppress(FileNotFoundError):
                    self.path.unlink()

    async def _accept(self, stream: trio.SocketStream) -> None:
        if self.clients >= protocol.MAX_CLIENTS:
            full = BusyError(f"{protocol.MAX_CLIENTS} clients are connected already", "close some")
            with suppress(trio.BrokenResourceError, trio.ClosedResourceError):
                with trio.move_on_after(protocol.CLOSE_TIMEOUT_S):
                    await stream.send_all(connection.failure(None, full))
            await stream.aclose()
            return
        self.clients += 1
        try:
            await self._handler(stream)
        except* Exception:
            logger.exception("a client")
        finally:
            self.clients -= 1


class Peer:
    """One client: one task reads from it, another writes to it.

    Parameters
    ----------
    stream : trio.SocketStream
    session : Session
    """

    nursery: trio.Nursery

    def __init__(self, stream: trio.SocketStream, session: Session) -> None:
        self._stream = stream
        self._session = session
        self._send, self._queue = trio.open_memory_channel[bytes](protocol.MAX_ANSWERS)
        self._sent_all = trio.Event()
        self._room = trio.Semaphore(protocol.MAX_CONCURRENT)
        self._owed = 0  # answers that are not sent yet, and what is queued

    async def run(self, *background: Callable[[], Awaitable[None]]) -> None:
        """Serve it until it disconnects, with background tasks."""
        self._session.is_own_user = is_own_peer(self._stream.socket)
        try:
            async with trio.open_nursery() as nursery:
                self.nursery = nursery
                async with self._stream:
                    nursery.start_soon(self._write)
                    for each in background:
                        nursery.start_soon(each)
                    await self._read()
                    if not self._session.is_closing:
                        await self._finish()
                nursery.cancel_scope.cancel()
        except* (trio.BrokenResourceError, trio.ClosedResourceError):
            pass

    async def send(self, data: bytes) -> None:
        """Send a message; wait while the client's queue is full."""
        self._sent_all = trio.Event()
        self._owed += 1
        await self._send.send(data)

    async def _finish(self) -> None:
        """Send the remaining answers to a client that sends no more but still reads."""
        while self._owed and not has_hung_up(self._stream.socket):  # noqa: ASYNC110 - no event says
            await trio.sleep(protocol.FINISH_POLL_S)

    async def _read(self) -> None:
        session = self._session
        while True:
            data = b""
            with trio.move_on_at(session.due(trio.current_time())) as patience:
                data = await self._stream.receive_some(protocol.CHUNK)
            if patience.cancelled_caught:
                session.expire()
            elif not data:
                return
            else:
                session.receive_data(data)
            while (action := session.next_action()) is not None:
                if isinstance(action, Call):
                    await self._begin(action)
                elif not session.is_closing:
                    await self.send(action)
                else:
                    await self._close(action)
                    return
            if session.is_closing:
                await self._close()
                return

    async def _begin(self, call: Call) -> None:
        """Begin a call; answer it here if it is done at once, else later."""
        try:
            result = call.invoke()
        except Exception as error:  # noqa: BLE001 - sent to the client, logged by the session
            await self.send(call.fail(error))
            return
        if not isawaitable(result):
            await self.send(call.answer(result))
        elif call.is_ordered:
            await self.send(await _finished(call, result))
        else:
            if not call.is_slow:  # it waits for the kernel: a block, or a timeout
                await self._take_room(result)
            # The next request is read when this one first waits, not before, so that what both do
            # before that is done in order.
            await self.nursery.start(self._answer_later, call, result)

    async def _take_room(self, result: Awaitable[Any]) -> None:
        try:
            self._room.acquire_nowait()
        except trio.WouldBlock:
            try:
                await self._room.acquire()
            except trio.Cancelled:
                if iscoroutine(result):
                    result.close()
                raise

    async def _answer_later(
        self, call: Call, result: Awaitable[Any], task_status: trio.TaskStatus[None]
    ) -> None:
        self._owed += 1
        task_status.started()
        try:
            with call.under_way():  # until the client has room for the answer
                await self.send(await _finished(call, result))
        finally:
            self._owed -= 1
            if not call.is_slow:
                self._room.release()

    async def _close(self, last: bytes = b"") -> None:
        """Send the reason for closing, if the client reads it in time."""
        with trio.move_on_after(protocol.CLOSE_TIMEOUT_S):
            if last:
                await self.send(last)
            await self._sent_all.wait()

    async def _write(self) -> None:
        async for data in self._queue:
            await self._stream.send_all(data)
            self._owed -= 1
            if not self._queue.statistics().current_buffer_used:
                self._sent_all.set()


async def _finished(call: Call, result: Awaitable[Any]) -> bytes:
    try:
        return call.answer(await result)
    except Exception as error:  # noqa: BLE001 - sent to the client, logged by the session
        return call.fail(error)


async def ask(
    path: Path,
    caller: Caller,
    method: str,
    params: Any,
    *,
    absent: EngineError,
    lost: EngineError,
    handed: Sequence[int] = (),
) -> Any:
    """Send one request on a connection of its own, and return the result.

    `handed` are file descriptors sent with the request.

    Raises
    ------
    SfaError
        What the server raised; `absent` if none listens, `lost` if it closes without an answer.
    """
    number, data = caller.request(method, params)
    async with await _open(path, absent) as stream:
        with suppress(trio.BrokenResourceError):  # it may have sent the reason before it closed
            if handed:
                data = data[await _hand_over(stream, data, handed) :]
            await stream.send_all(data)
        with suppress(trio.BrokenResourceError):
            while data := await stream.receive_some(protocol.CHUNK):
                caller.receive_data(data)
                while (event := caller.next_event()) is not None:
                    if isinstance(event, Answer) and event.id in {number, None}:
                        if event.error is not None:
                            raise event.error
                        return event.result
    raise lost


async def watch(
    path: Path,
    caller: Caller,
    method: str,
    params: Any,
    on_event: Callable[[Answer | Notification], None],
    *,
    absent: EngineError,
) -> None:
    """Subscribe by a request; pass on its answer and every notification until the server closes.

    Raises
    ------
    SfaError
        What the server raised; `absent` if none listens.
    """
    _, data = caller.request(method, params)
    async with await _open(path, absent) as stream:
        with suppress(trio.BrokenResourceError):
            await stream.send_all(data)
            while data := await stream.receive_some(protocol.CHUNK):
                caller.receive_data(data)
                while (event := caller.next_event()) is not None:
                    if isinstance(event, Answer) and event.error is not None:
                        raise event.error
                    on_event(event)


async def _open(path: Path, absent: EngineError) -> trio.SocketStream:
    """Connect to a server, or raise `absent` if none listens."""
    try:
        return await trio.open_unix_socket(str(path))
    except OSError:
        raise absent from None


async def _hand_over(stream: trio.SocketStream, data: bytes, handed: Sequence[int]) -> int:
    """Send the start of a request with file descriptors; return the number of bytes sent."""
    rights = (socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", handed))
    try:
        return await stream.socket.sendmsg([data], [rights])
    except OSError:
        raise trio.BrokenResourceError from None


class Client:
    """A connection for concurrent requests, opened by the first one.

    One that breaks, or becomes unreadable, is dropped: its pending requests fail, and the next
    request opens another.

    Parameters
    ----------
    path : pathlib.Path
    open_caller : callable
        Makes the caller of a new connection.
    nursery : trio.Nursery
        In which answers are awaited.
    on_notification : callable
        Called with each notification.
    absent, hung : callable
        Errors for a server that is not running, and for one that does not read.
    send_timeout_s : float
        For the server to read a request.
    """

    def __init__(
        self,
        path: Path,
        open_caller: Callable[[], Caller],
        nursery: trio.Nursery,
        on_notification: Callable[[Notification], Awaitable[None]],
        *,
        absent: Callable[[], EngineError],
        hung: Callable[[], EngineError],
        send_timeout_s: float,
    ) -> None:
        self._path = path
        self._open_caller = open_caller
        self._nursery = nursery
        self._on_notification = on_notification
        self._absent, self._hung = absent, hung
        self._send_timeout_s = send_timeout_s
        self._sending = trio.Lock()
        self._line: _Line | None = None

    async def call(self, method: str, params: Any, actor: Any = None) -> Any:
        """Send a request, and return its result, without a timeout for the answer."""
        pending: _Pending | None = None
        try:
            with trio.move_on_after(self._send_timeout_s) as patience:
                async with self._sending:
                    line = await self._connect()
                    number, data = line.caller.request(method, params, actor)
                    pending = line.pending[number] = _Pending()
                    await line.send(data)
            if patience.cancelled_caught or pending is None:
                raise self._hung()
            await pending.done.wait()
        finally:
            if pending is not None:
                line.pending.pop(number, None)
        if pending.error is not None:
            raise pending.error
        return pending.result

    async def _connect(self) -> _Line:
        if self._line is None:
            stream = await _open(self._path, self._absent())
            self._line = _Line(stream, self._open_caller(), self._absent())
            self._nursery.start_soon(self._listen, self._line)
        return self._line

    async def _listen(self, line: _Line) -> None:
        lost: SfaError = line.absent
        async with line.stream:
            try:
                while data := await line.stream.receive_some(protocol.CHUNK):
                    line.caller.receive_data(data)
                    while (event := line.caller.next_event()) is not None:
                        if isinstance(event, Notification):
                            await self._on_notification(event)
                        else:
                            line.take(event)
            except trio.BrokenResourceError:
                pass
            except trio.ClosedResourceError:
                lost = self._hung()
            except SfaError as error:
                lost = error
        if self._line is line:
            self._line = None
        line.fail_all(lost)


class _Pending:
    """A request whose answer is awaited."""

    def __init__(self) -> None:
        self.done = trio.Event()
        self.error: SfaError | None = None
        self.result: Any = None

    def give(self, error: SfaError | None, result: Any) -> None:
        if not self.done.is_set():
            self.error, self.result = error, result
            self.done.set()


class _Line:
    """One connection of a `Client`."""

    def __init__(self, stream: trio.SocketStream, caller: Caller, absent: EngineError) -> None:
        self.stream = stream
        self.caller = caller
        self.absent = absent
        self.pending: dict[int, _Pending] = {}

    async def send(self, data: bytes) -> None:
        try:
            await self.stream.send_all(data)
        except (trio.BrokenResourceError, trio.ClosedResourceError):
            raise self.absent from None
        except trio.Cancelled:  # it may be sent in part: nothing can follow
            await trio.aclose_forcefully(self.stream)
            raise

    def take(self, answer: Answer) -> None:
        if answer.id is None:
            self.fail_all(answer.error or self.absent)
        elif answer.id in self.pending:
            self.pending[answer.id].give(answer.error, answer.result)

    def fail_all(self, error: SfaError) -> None:
        for pending in list(self.pending.values()):
            pending.give(error, None)
