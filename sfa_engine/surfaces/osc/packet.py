"""Split datagrams into messages, and pack messages into bundles. Pure.

Bundles are split here: python-osc copies the rest of one for each message in it, and 8 kB of 1,000
messages held the interpreter for 15 ms. It parses the messages, one at a time, within the limits
that it lacks. It raises `UnicodeDecodeError` and `RecursionError` beside its own, accepts NaN, and
logs each fault on the root logger without a limit: all measured.
"""

from __future__ import annotations

import struct
import time
from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

from pythonosc import osc_message
from pythonosc.parsing import ntp

from sfa_engine.errors import Refused

MAX_PACKET = 8192  # bytes
MAX_BUNDLES = 16  # in a packet, nested or side by side
MAX_ARGUMENTS = 64  # of a message, more than any control takes; 8 kB of them take 13 ms
MAX_DATAGRAM = 1400  # bytes sent: no network fragments it
BUNDLE = b"#bundle\0"
IMMEDIATELY = BUNDLE + struct.pack(">Q", 1)
_HEAD = len(IMMEDIATELY)
_FLOAT = struct.Struct(">f")


class Message(NamedTuple):
    """One message of a packet.

    Attributes
    ----------
    at_s : float
        When it is due, by the wall clock; 0 is now.
    """

    address: str
    arguments: tuple[Any, ...]
    at_s: float = 0.0


def split(packet: bytes) -> list[tuple[float, bytes]]:
    """Return a packet's messages, unparsed, each with the time it is due as in `Message`.

    Raises
    ------
    Refused
        The bundle is damaged, or a limit is exceeded.
    """
    if len(packet) > MAX_PACKET:
        raise Refused(f"a packet of {len(packet)} bytes", f"send at most {MAX_PACKET}")
    if not packet.startswith(BUNDLE):
        return [(0.0, packet)]
    if packet.count(BUNDLE[:-1]) > MAX_BUNDLES:
        raise Refused("a packet of too many bundles", f"send at most {MAX_BUNDLES}")
    found: list[tuple[float, bytes]] = []
    _take_apart(packet, time.time(), found)
    found.sort(key=lambda each: each[0])  # those that are due at once have 0
    return found


def _take_apart(bundle: bytes, now_s: float, found: list[tuple[float, bytes]]) -> None:
    at, end = _HEAD, len(bundle)
    if end < at:
        raise Refused("not OSC: a bundle without a time tag")
    due_s = float(ntp.ntp_to_system_time(bundle[8:16]))
    due_s = due_s if due_s > now_s else 0.0
    while at < end:
        first = at + 4
        at = first + int.from_bytes(bundle[at:first], "big")
        if not first < at <= end:
            raise Refused("not OSC: a bundle whose sizes are wrong")
        if bundle.startswith(BUNDLE, first):
            _take_apart(bundle[first:at], now_s, found)
        else:
            found.append((due_s, bundle[first:at]))


def parse(message: bytes, at_s: float = 0.0) -> Message:
    """Parse a message.

    Raises
    ------
    Refused
        The message is not OSC, or has too many arguments.
    """
    tags = (message.find(b"\0") | 3) + 1
    if message.find(b"\0", tags) - tags > MAX_ARGUMENTS + 1:
        raise Refused("a message of too many arguments", f"send at most {MAX_ARGUMENTS}")
    try:
        made = osc_message.OscMessage(message)
        address, arguments = made.address, tuple(made.params)
    except Exception:  # noqa: BLE001 - of any kind: see above
        raise Refused(
            "not OSC: a message that is cut, or whose address, types or arguments are wrong"
        ) from None
    if not address.startswith("/"):
        raise Refused("not OSC: an address begins with /")
    return Message(address, arguments, at_s)


def parse_all(packet: bytes) -> list[Message]:
    """Parse all messages of a packet.

    Raises
    ------
    Refused
        A message is not OSC, or a limit is exceeded.
    """
    return [parse(each, at_s) for at_s, each in split(packet)]


def address_in(packet: bytes) -> bytes:
    """Return the address of a packet that is one message with an argument; else empty."""
    end = packet.find(b"\0")
    tags = packet[(end | 3) + 1 :][:2]
    return packet[:end] if tags.startswith(b",") and tags.strip(b",\0") else b""


def float_in(packet: bytes, address: bytes) -> float | None:
    """Return the argument of a message with one float; None for any other."""
    if packet[-8:-4] != b",f\0\0" or len(packet) != (len(address) | 3) + 9:
        return None
    number: float = _FLOAT.unpack_from(packet, len(packet) - 4)[0]
    return number


def bundles(messages: Iterable[bytes]) -> Iterator[bytes]:
    """Yield messages in bundles that are due at once, each small enough for a datagram."""
    parts, size = [IMMEDIATELY], len(IMMEDIATELY)
    for each in messages:
        if size + 4 + len(each) > MAX_DATAGRAM and len(parts) > 1:
            yield b"".join(parts)
            parts, size = [IMMEDIATELY], len(IMMEDIATELY)
        parts += (len(each).to_bytes(4, "big"), each)
        size += 4 + len(each)
    if len(parts) > 1:
        yield b"".join(parts)


class _Silence:
    """Replaces the module ``logging`` in python-osc."""

    @staticmethod
    def warning(*_: object) -> None:
        """Do nothing: the sender of a bad packet is answered, and its errors are counted."""


# It logs each tag that it does not know, on the root logger: 8 kB of them took 84 ms, filtered too.
setattr(osc_message, "logging", _Silence)  # noqa: B010 - no name of it is ours to declare
