"""One side of a connection, without I/O: bytes in, events out. Pure.

::

    stream.receive_data(data)
    while (event := stream.next_event()) is not None:
        ...
    # Read more, by `stream.due(now)` where that is finite.

=================================== =================
``[0, id, method, params]``         request
``[0, id, method, params, actor]``  request of the web process, for an account
``[1, id, error, result]``          answer
``[2, method, params]``             notification
=================================== =================

A codec turns a frame's body into an event: `connection` for servers, `light` for clients.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Callable
from typing import Any, NamedTuple

from sfa_engine.errors import ProtocolError, Refused, SfaError
from sfa_engine.wire import protocol

REQUEST, ANSWER, NOTIFICATION = 0, 1, 2
HEADER = struct.Struct(">I")


def sayable(text: str) -> str:
    """Return a text that can be sent: a path's bytes may not be UTF-8."""
    return text.encode("utf-8", "backslashreplace").decode()


def framed(encode: Callable[[Any], bytes], message: Any) -> bytes:
    """Return a message as a frame.

    Raises
    ------
    Refused
        It is too long, or a part of it cannot be sent: a file name that is not UTF-8, a whole
        number of more than 64 bits.
    """
    try:
        body = encode(message)
    except UnicodeEncodeError as error:
        raise Refused(f'"{sayable(error.object)}" is not a UTF-8 name', "rename it") from None
    except OverflowError:
        raise Refused(
            "a whole number in the message has more than 64 bits", "give a smaller one"
        ) from None
    if len(body) > protocol.MAX_BYTES:
        raise Refused(f"the message has {len(body)} bytes", f"the limit is {protocol.MAX_BYTES}")
    return HEADER.pack(len(body)) + body


class Request(NamedTuple):
    """A request; without an actor, of the machine's own user."""

    id: int
    method: str
    params: Any
    actor: Any = None


class Answer(NamedTuple):
    """The result of a request; without an id, an error of the connection."""

    id: int | None
    error: SfaError | None
    result: Any


class Notification(NamedTuple):
    """A message without a request."""

    method: str
    params: Any


class Invalid(NamedTuple):
    """A frame without a valid message; the next one can be read."""

    id: int | None
    error: Refused


class Broken(NamedTuple):
    """The stream is unreadable from here on: send the error, and close."""

    error: ProtocolError


Message = Request | Answer | Notification | Invalid
Event = Message | Broken
Parse = Callable[[bytes], Message]


class Stream:
    """Splits bytes into events; see the module.

    Parameters
    ----------
    parse : callable
        Returns the event of a frame's body.
    """

    def __init__(self, parse: Parse) -> None:
        self._parse = parse
        self._buffer = bytearray()
        self._due: float | None = None
        self._has_ended = False
        self._expired: Broken | None = None

    def receive_data(self, data: bytes) -> None:
        """Add received bytes, in any pieces."""
        if not self._has_ended:
            self._buffer += data

    def due(self, now: float) -> float:
        """Return the deadline for the rest of a frame; infinity between frames.

        The time counts from the first call after the last complete frame, so that a server's work
        between two reads does not count against the client.
        """
        if not self._buffer:
            return math.inf
        if self._due is None:
            self._due = now + protocol.FRAME_TIMEOUT_S
        return self._due

    def expire(self) -> None:
        """Give up an incomplete frame: the next event is `Broken`."""
        self._expired = self._break("the rest of a frame did not arrive")

    def next_event(self) -> Event | None:
        """Return the next message or its error; None if more bytes are needed.

        `Broken` is the last event.
        """
        if self._expired is not None:
            expired, self._expired = self._expired, None
            return expired
        if len(self._buffer) < HEADER.size:
            return None
        (length,) = HEADER.unpack_from(self._buffer)
        if length > protocol.MAX_BYTES:
            return self._break(
                f"a frame of {length} bytes is announced", f"the limit is {protocol.MAX_BYTES}"
            )
        end = HEADER.size + length
        if len(self._buffer) < end:
            return None
        body = bytes(self._buffer[HEADER.size : end])
        del self._buffer[:end]
        self._due = None
        return self._parse(body)

    def _break(self, message: str, hint: str = "") -> Broken:
        self._has_ended = True
        self._buffer.clear()
        return Broken(ProtocolError(message, hint))
