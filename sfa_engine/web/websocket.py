"""uvicorn's WebSocket protocol, with limits on what a peer can make it keep in memory."""

from __future__ import annotations

import asyncio
import socket
from typing import Any

from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from websockets.frames import Frame

MAX_BYTES = 65_536  # of a message
MAX_FRAGMENTS = 256
SEND_BUFFER = 65_536  # more would be old readings on their way through a slow network
CLOSE_TIMEOUT_S = 5.0  # for the peer to read what is left, and the reason


class WebSocket(WebSocketsSansIOProtocol):
    """A connection of the channel."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        raw: socket.socket = transport.get_extra_info("socket")
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BUFFER)

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
        self.loop.call_later(CLOSE_TIMEOUT_S, self.transport.abort)

    def _fail(self, code: int, reason: str) -> None:
        if not self.close_sent:
            self.conn.fail(code, reason)
            self.handle_parser_exception()
