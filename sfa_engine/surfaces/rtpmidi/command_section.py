"""Parse the MIDI command section of RTP packets: delta times, running status, sysex. Pure.

Messages are returned with their status byte, and realtime bytes inside one before it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple

MAX_COMMANDS = 1024  # of a packet: a full Ethernet frame has 700 of two bytes
MAX_LIST = 1024  # bytes of commands in a packet sent: it fits the frame of any network

# Data bytes by status; -1: sysex, or one that RFC 6295 gives no length.
_CHANNEL = {8: 2, 9: 2, 10: 2, 11: 2, 12: 1, 13: 1, 14: 2}
_COMMON = {0xF1: 1, 0xF2: 2, 0xF3: 1, 0xF6: 0}


class DamagedError(ValueError):
    """The datagram is of another protocol, or truncated."""


class Command(NamedTuple):
    """A MIDI message, or a segment of sysex as received, after `delta` units of 100 us."""

    delta: int
    data: bytes


def parse_list(data: bytes, *, has_delta: bool) -> tuple[list[Command], bool]:
    """Return the commands of a list up to the first damage, and whether it is undamaged."""
    commands: list[Command] = []
    at, running = 0, 0
    try:
        while at < len(data):
            delta = 0
            if has_delta or at:
                delta, at = _delta_time(data, at)
                if at == len(data):  # a list may end with a delta time
                    break
            realtime, message, at, running = _next_message(data, at, running)
            for each in (*(bytes((status,)) for status in realtime), message):
                if each:
                    commands.append(Command(delta, each))
                    delta = 0
            if len(commands) > MAX_COMMANDS:
                return commands[:MAX_COMMANDS], False
    except DamagedError:
        return commands, False
    return commands, True


def _delta_time(data: bytes, at: int) -> tuple[int, int]:
    """Return a delta time, and where it ends."""
    value = 0
    for place in range(at, min(at + 4, len(data))):
        value = value << 7 | data[place] & 0x7F
        if data[place] < 0x80:
            return value, place + 1
    raise DamagedError("a delta time without an end")


def _next_message(data: bytes, at: int, running: int) -> tuple[bytes, bytes, int, int]:
    """Read one message or segment of sysex.

    Returns
    -------
    realtime : bytes
        Realtime bytes that were inside it.
    message : bytes
        With its status; empty for one that MIDI does not define.
    at : int
        Where it ends.
    running : int
        Running status for the next message; 0 for none.
    """
    status = data[at]
    if status >= 0xF8:
        return b"", data[at : at + 1], at + 1, running
    if status < 0x80:
        if not running:
            raise DamagedError("a data byte without a status")
        status = running
    else:
        at += 1
    length = _CHANNEL.get(status >> 4, _COMMON.get(status, -1))
    if length < 0:
        return _read_segment(data, at, status)
    found, realtime = bytearray((status,)), bytearray()
    while len(found) <= length:
        if at == len(data):
            raise DamagedError("a message without an end")
        if data[at] < 0x80:
            found.append(data[at])
        elif data[at] >= 0xF8:
            realtime.append(data[at])
        else:
            raise DamagedError("a status inside a message")
        at += 1
    return bytes(realtime), bytes(found), at, status if status < 0xF0 else 0


def _read_segment(data: bytes, at: int, status: int) -> tuple[bytes, bytes, int, int]:
    """Read up to the next status: sysex, or an undefined message; as `_next_message`."""
    realtime, first = bytearray(), at
    while data[at : at + 1] and (data[at] < 0x80 or data[at] >= 0xF8):
        if data[at] >= 0xF8:
            realtime.append(data[at])
        at += 1
    if at == len(data):
        raise DamagedError("sysex without an end")
    body = bytes(byte for byte in data[first:at] if byte < 0x80) if realtime else data[first:at]
    if status not in {0xF0, 0xF7}:  # F4, F5: ended by F7
        return bytes(realtime), b"", at + (data[at] == 0xF7), 0
    if data[at] not in {0xF0, 0xF4, 0xF5, 0xF7}:
        raise DamagedError("a status inside sysex")
    return bytes(realtime), bytes((status, *body, data[at])), at + 1, 0


class Sysex:
    """Reassembles segments of sysex.

    Attributes
    ----------
    dropped : int
        Messages that were too long, or had a segment missing.
    """

    def __init__(self, limit: int) -> None:
        self.dropped = 0
        self._limit = limit
        self._body: bytearray | None = None

    def forget(self) -> None:
        """Drop an incomplete message: a packet is missing."""
        if self._body is not None:
            self._body, self.dropped = None, self.dropped + 1

    def take(self, message: bytes) -> bytes:
        """Return a complete message: this one, or the sysex that it ends; else empty."""
        if message[0] == 0xF0:
            self.forget()
            self._body = bytearray()
        elif message[0] != 0xF7:
            return message
        if self._body is None:  # its start was lost, or it was too long
            return b""
        self._body += message[1:-1]
        if len(self._body) + 2 > self._limit:
            self.forget()
            return b""
        if message[-1] == 0xF0:
            return b""
        body, self._body = self._body, None
        return b"" if message[-1] == 0xF4 else bytes((0xF0, *body, 0xF7))


def split(data: bytes) -> list[bytes]:
    """Return the messages of a byte stream without times, up to the first damage."""
    messages: list[bytes] = []
    at, running = 0, 0
    try:
        while at < len(data):
            realtime, message, at, running = _next_message(data, at, running)
            messages += [bytes((status,)) for status in realtime]
            messages += [message] if message else []
    except DamagedError:
        pass
    return messages


def parts(messages: Iterable[bytes]) -> Iterator[bytes]:
    """Yield messages, long sysex as segments: F0..F0, F7..F0, F7..F7."""
    most = MAX_LIST - 3
    for message in messages:
        if message[0] != 0xF0 or len(message) <= MAX_LIST:
            yield message
            continue
        body = message[1:-1]
        for place in range(0, len(body), most):
            is_last = place + most >= len(body)
            first, last = (0xF7 if place else 0xF0), (0xF7 if is_last else 0xF0)
            yield bytes((first, *body[place : place + most], last))
