"""TCP sockets, limits on connections, and uvicorn on them.

uvicorn has no limit on the headers of a request, nor on the time that they take: a few thousand
connections that send a byte a minute would use up the descriptors. The limits are here.
"""

from __future__ import annotations

import asyncio
import errno
import socket
from collections.abc import Awaitable, Callable, Iterable, Iterator
from contextlib import contextmanager
from functools import partial
from http import HTTPStatus
from typing import Any, cast

import uvicorn
from starlette.responses import Response
from uvicorn.protocols.http.httptools_impl import (
    STATUS_LINE,
    HttpToolsProtocol,
    RequestResponseCycle,
)

from sfa_engine.errors import EngineError
from sfa_engine.web.app import App, send_response
from sfa_engine.web.exchange import JsonAnswer
from sfa_engine.web.guard import HEADERS
from sfa_engine.web.problem import Problem
from sfa_engine.web.sending import IS_FILE
from sfa_engine.web.websocket import MAX_BYTES, StallTimer, WebSocket, reset

MAX_CONNECTIONS = 512
MAX_OF_ONE = 128  # address
HEADER_TIMEOUT_S = 10.0  # for the headers of a request, from its first byte or the connection's
MAX_HEADER_BYTES = 32_768
MAX_PIPELINED = 16  # requests of a connection that wait for the answer to one before
KEEP_ALIVE_S = 5
# In which a client has to take what was written; of a file, a browser that pauses asks for the rest
# again. Without them one that reads nothing, or a byte now and then, would stay for ever.
WRITE_TIMEOUT_S = 30.0
FILE_TIMEOUT_S = 300.0
LINGER_S = 30.0  # for the rest of an answer after which the connection is closed
STALL_MS = 300_000  # in which the network confirms nothing
END_TIMEOUT_S = 2  # for requests in progress
BACKLOG = 256  # asyncio accepts so many before it closes those that are too many
MAX_JOINED = 65_536  # a longer body is not copied
_SECURITY = b"".join(f"{name}: {value}\r\n".encode() for name, value in HEADERS.items())
_PLAIN = b"".join(b"%b: %b\r\n" % pair for pair in JsonAnswer.FIELDS) + _SECURITY


class JoinedWrites:
    """A transport that sends the head of an answer with the beginning of its body.

    uvicorn writes them one after another: two system calls, and two packets.

    Parameters
    ----------
    transport : asyncio.Transport
    loop : asyncio.AbstractEventLoop
    """

    def __init__(self, transport: asyncio.Transport, loop: asyncio.AbstractEventLoop) -> None:
        self._transport = transport
        self._loop = loop
        self._head = b""
        self.is_closing = transport.is_closing  # of each request: found without `__getattr__`
        self.get_protocol = transport.get_protocol

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)

    def write(self, data: bytes | bytearray | memoryview) -> None:
        """Write data; a head waits for what is written in the same turn of the event loop."""
        if self._head:
            head, self._head = self._head, b""
            if len(data) <= MAX_JOINED:
                self._transport.write(head + data)
                return
            self._transport.write(head)
        elif data[:9] == b"HTTP/1.1 ":
            self._head = bytes(data)
            self._loop.call_soon(self._flush)
            return
        self._transport.write(data)

    def write_whole(self, data: bytes) -> None:
        """Write head and body that are in one piece already."""
        self._flush()
        self._transport.write(data)

    def writelines(self, pieces: Iterable[bytes]) -> None:
        """Write several pieces."""
        self.write(b"".join(pieces))

    def close(self) -> None:
        """Close it when all is sent."""
        self._flush()
        if not self._transport.is_closing() and self._transport.get_write_buffer_size():
            self._loop.call_later(LINGER_S, reset, self._transport)
        self._transport.close()

    def _flush(self) -> None:
        if self._head:
            head, self._head = self._head, b""
            self._transport.write(head)


class Sender:
    """What sends the answer of a request: by ASGI's messages, or a short one in one call.

    Two messages through uvicorn check and write each header again: a tenth of a request's cost.

    Parameters
    ----------
    cycle : RequestResponseCycle
    """

    __slots__ = ("_cycle",)

    def __init__(self, cycle: Any) -> None:
        self._cycle = cycle

    def __call__(self, message: Any) -> Awaitable[None]:
        """Send a message."""
        sent: Awaitable[None] = self._cycle.send(message)
        return sent

    def send_whole(self, response: Response) -> bool:
        """Send an answer whose headers are ours and need no check; return whether it was sent."""
        cycle = self._cycle
        is_plain = isinstance(response, JsonAnswer) and response.is_plain
        is_plain = is_plain and cycle.keep_alive and cycle.scope["method"] != "HEAD"
        if not is_plain or cycle.response_started or cycle.disconnected or cycle.flow.write_paused:
            return False
        cycle.response_started = cycle.response_complete = True
        cycle.waiting_for_100_continue = False
        body = response.body
        length = b"content-length: %d\r\n\r\n" % len(body)
        parts = (STATUS_LINE[response.status_code], _PLAIN, length, body)
        cycle.transport.write_whole(b"".join(parts))
        cycle.message_event.set()
        cycle.on_response()
        return True


class Protocol(HttpToolsProtocol):
    """uvicorn's HTTP/1.1 with limits on connections and headers."""

    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self._due: asyncio.TimerHandle | None = None
        self._header_bytes = 0  # of one request, and of the trailers of its body
        self._is_in_headers = False  # of a request that has begun
        self._idle_since_s = 0.0
        self._stall = StallTimer(self.loop)
        self._stray = 0  # bytes since headers were complete, or a part of a body came
        self._has_part = False  # one of these was in the last read

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self.transport = cast("asyncio.Transport", JoinedWrites(transport, self.loop))
        of_one = sum(_host(each) == _host(self) for each in self.connections)
        if len(self.connections) > MAX_CONNECTIONS or of_one > MAX_OF_ONE:
            self.connections.discard(self)  # it counts no more against those that come with it
            transport.abort()
            return
        _end_stalled(transport)
        self._expect_headers()

    def connection_lost(self, exc: Exception | None) -> None:
        self._expect_nothing()
        self._end_idle()
        self._stall.resume()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        self._has_part = False
        super().data_received(data)
        if self.transport.get_protocol() is not self:  # it is a WebSocket now
            return
        self._stray = 0 if self._has_part else self._stray + len(data)
        if self._stray > MAX_HEADER_BYTES:
            self._refuse(_too_long())
        # uvicorn waits for ever after an empty line, or the rest of a body that was not read.
        if self._due is None and (
            self._is_in_headers or self.cycle is None or self.cycle.response_complete
        ):
            self._expect_headers()

    def pause_writing(self) -> None:
        super().pause_writing()
        is_file = self.cycle is not None and self.cycle.scope["state"].get(IS_FILE)
        self._stall.pause(self.transport, FILE_TIMEOUT_S if is_file else WRITE_TIMEOUT_S)

    def resume_writing(self) -> None:
        self._stall.resume()
        super().resume_writing()

    def on_message_begin(self) -> None:
        self._header_bytes = 0
        self._expect_nothing()
        self._is_in_headers = True  # the time begins after what came with this
        super().on_message_begin()

    def on_url(self, url: bytes) -> None:
        self._count(url)
        super().on_url(url)

    def on_header(self, name: bytes, value: bytes) -> None:
        self._count(name + value)
        super().on_header(name, value)

    def on_headers_complete(self) -> None:
        self._has_part = True
        self._is_in_headers = False
        self._expect_nothing()
        if len(self.pipeline) >= MAX_PIPELINED:  # uvicorn reads on, and keeps them all
            self.transport.abort()
            raise ValueError("too many requests without waiting for an answer")
        super().on_headers_complete()

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: Any) -> None:
        sender = Sender(cycle)
        start_task = super()._start_asgi_task

        def run(scope: Any, receive: Any, _send: Any) -> Awaitable[None]:
            running: Awaitable[None] = app(scope, receive, sender)
            return running

        def finish(response: Response) -> None:
            if not sender.send_whole(response):
                start_task(cycle, partial(send_response, response))

        if not app.start(cycle.scope, cycle.receive, finish):
            start_task(cycle, run)

    def on_response_complete(self) -> None:
        self.server_state.total_requests += 1
        if self.transport.is_closing():
            return
        self.flow.resume_reading()
        if self.pipeline:
            self._start_asgi_task(*self.pipeline.pop())
            return
        self._idle_since_s = self.loop.time()
        if self.timeout_keep_alive_task is None:  # one timer for many requests
            self._expect_request(self.timeout_keep_alive)

    def _unset_keepalive_if_required(self) -> None:
        """Leave the timer: it looks whether a request came since."""

    def timeout_keep_alive_handler(self) -> None:
        self.timeout_keep_alive_task = None
        if self.transport.get_protocol() is not self or not self._is_idle():
            return  # the end of the answer sets it again
        left_s = self._idle_since_s + self.timeout_keep_alive - self.loop.time()
        if left_s > 0.0:
            self._expect_request(left_s)
        else:
            super().timeout_keep_alive_handler()

    def _is_idle(self) -> bool:
        """Return whether the last request was answered, and no other has begun."""
        return self._due is None and self.cycle is not None and self.cycle.response_complete

    def _expect_request(self, timeout_s: float) -> None:
        self.timeout_keep_alive_task = self.loop.call_later(
            timeout_s, self.timeout_keep_alive_handler
        )

    def _end_idle(self) -> None:
        if self.timeout_keep_alive_task is not None:
            self.timeout_keep_alive_task.cancel()
            self.timeout_keep_alive_task = None

    def on_body(self, body: bytes) -> None:
        self._has_part = True
        super().on_body(body)

    def _count(self, part: bytes) -> None:
        """Count a part of the headers; end the parser when they are too long."""
        self._header_bytes += len(part)
        if self._header_bytes > MAX_HEADER_BYTES:
            self._refuse(_too_long())
            raise ValueError("the headers are too long")

    def send_400_response(self, msg: str) -> None:
        self._refuse(Problem(400, msg.rstrip(".").lower(), "send HTTP/1.1"))

    def _expect_headers(self) -> None:
        self._expect_nothing()
        self._due = self.loop.call_later(HEADER_TIMEOUT_S, self._give_up)

    def _expect_nothing(self) -> None:
        if self._due is not None:
            self._due.cancel()
            self._due = None

    def _give_up(self) -> None:
        self._refuse(Problem(408, "the headers did not arrive in time"))

    def _refuse(self, problem: Problem) -> None:
        """Answer a connection that cannot be understood, and close it."""
        if self.transport.is_closing():
            return
        response = problem.response()
        fields = {**HEADERS, "connection": "close"}
        lines = [f"HTTP/1.1 {problem.status} {HTTPStatus(problem.status).phrase}"]
        lines += [f"{name.decode()}: {value.decode()}" for name, value in response.raw_headers]
        lines += [f"{name}: {value}" for name, value in fields.items()]
        head = "\r\n".join(lines).encode()
        self.transport.write(head + b"\r\n\r\n" + bytes(response.body))
        self.transport.close()


def _end_stalled(transport: asyncio.Transport) -> None:
    """Let the kernel end a connection whose peer reads nothing of what is sent."""
    option = getattr(socket, "TCP_USER_TIMEOUT", None)  # Linux
    if option is not None:
        transport.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, option, STALL_MS)


def _too_long() -> Problem:
    return Problem(431, f"the headers have more than {MAX_HEADER_BYTES} bytes")


def _host(protocol: Any) -> str:
    client = protocol.client
    return client[0] if client else ""


class Listener(uvicorn.Server):
    """uvicorn, which leaves signals to its caller."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


def listen_tcp(host: str, port: int) -> list[socket.socket]:
    """Return sockets that listen on an address; on both protocols for ``::``.

    Raises
    ------
    EngineError
        The address is not this machine's, or the port is taken.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # The protocol is named: asyncio turns Nagle's algorithm off for sockets that know theirs, and
    # with it the body of each answer waits 40 ms for the client to confirm the head.
    raw = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            raw.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, int(host != "::"))
        raw.bind((host, port))
        raw.listen(BACKLOG)
        raw.setblocking(False)
    except (OSError, OverflowError) as error:
        raw.close()
        code = getattr(error, "errno", 0)
        hint = "set another port in [web]" if code == errno.EADDRINUSE else "set host in [web]"
        reason = getattr(error, "strerror", None) or error
        raise EngineError(f"{host} port {port}: {reason}", hint) from None
    return [raw]


def address_of(sockets: list[socket.socket]) -> tuple[str, int]:
    """Return the host and port that sockets listen on."""
    host, port = sockets[0].getsockname()[:2]
    return host, port


async def serve(
    app: App, sockets: list[socket.socket], ready: Callable[[], None] = lambda: None
) -> None:
    """Serve HTTP until cancelled; requests in progress have a moment to end."""
    config = uvicorn.Config(
        app,
        http=Protocol,
        ws=WebSocket,
        ws_max_size=MAX_BYTES,
        ws_per_message_deflate=False,
        loop="asyncio",
        lifespan="off",
        backlog=BACKLOG,
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        timeout_keep_alive=KEEP_ALIVE_S,
        timeout_graceful_shutdown=END_TIMEOUT_S,
    )
    listener = Listener(config)
    running = asyncio.ensure_future(listener.serve(sockets=sockets))
    ready()
    try:
        await asyncio.shield(running)
    finally:
        listener.should_exit = True
        await asyncio.wait([running])
