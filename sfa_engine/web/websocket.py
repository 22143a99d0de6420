"""uvicorn's WebSocket protocol, with limits on what a peer can make it keep in memory."""

from __future__ import annotations

import asyncio
import socket
import struct
from typing import Any

from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from websockets.frames import Frame

MAX_BYTES = 65_536  # of a message
MAX_FRAGMENTS = 256
SEND_BUFFER = 65_536  # more would be old readings on their way through a slow network
CLOSE_TIMEOUT_S = 5.0  # for the peer to read what is left, and the reason
WRITE_TIMEOUT_S = 20.0  # for the peer to take what was written
_NO_LINGER = struct.pack("ii", 1, 0)


def reset(transport: asyncio.Transport) -> None:
    """End a connection at once; the kernel does not keep what the peer has not taken."""
    raw: socket.socket | None = transport.get_extra_info("socket")
    if raw is not None and raw.fileno() >= 0:
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _NO_LINGER)
    transport.abort()


class StallTimer:
    """Ends a connection whose peer does not take what was written in time.

    Parameters
    ----------
    loop : asyncio.AbstractEventLoop
    """

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._due: asyncio.TimerHandle | None = None

    def pause(self, transport: asyncio.Transport, timeout_s: float) -> None:
        """Begin: the transport keeps more than it should."""
        self.resume()
        self._due = self._loop.call_later(timeout_s, reset, transport)

    def resume(self) -> None:
        """End: the peer has taken enough of it, or is gone."""
        if self._due is not None:
            self._due.cancel()
            self._due = None


class WebSocket(WebSocketsSansIOProtocol):
    """A connection of the channel."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        self._stall = StallTimer(self.loop)
        raw: socket.socket = transport.get_extra_info("socket")
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BUFFER)

    def connection_lost(self, exc: Exception | None) -> None:
        self._stall.resume()
        super().connection_lost(exc)

    def pause_writing(self) -> None:
        super().pause_writing()
        self._stall.pause(self.transport, WRITE_TIMEOUT_S)

    def resume_writing(self) -> None:
        self._stall.resume()
        super().resume_writing()

    def handle_ping(self) -> None:
        """Answer a ping; a peer that sends many and reads no answer is cut off."""
        if self.writable.is_set():
            super().handle_ping()
        else:
            self.transport.abort()

    def handle_cont(self, event: Frame) -> None:
        """Take a fragment; empty ones do not count against the size of a message."""
        if len(self.frames) >= MAX_FRAGMENTS:
            self.frames = []
            self._fail(1009, "too many fragments")
        else:
            super().handle_cont(event)

    def send_receive_event_to_app(self) -> None:
        """Pass a message on, unless it is not UTF-8: uvicorn would log a traceback of each."""
        try:
            if self.curr_msg_data_type == "text":
                b"".join(self.frames).decode()
        except UnicodeDecodeError:
            self.frames = []
            self._fail(1007, "not UTF-8")
        else:
            super().send_receive_event_to_app()

    async def send(self, message: Any) -> None:
        """Send a message of the application; the reason of a close does not wait for the peer."""
        if message["type"] == "websocket.close":
            self.writable.set()
        await super().send(message)

    def on_task_complete(self, task: asyncio.Task[None]) -> None:
        super().on_task_complete(task)
        self.loop.call_later(CLOSE_TIMEOUT_S, reset, self.transport)

    def _fail(self, code: int, reason: str) -> None:
        if not self.close_sent:
            self.conn.fail(code, reason)
            self.handle_parser_exception()
