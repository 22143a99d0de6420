"""Parse and build the datagrams of AppleMIDI and RTP-MIDI. Pure.

::

    FF FF  command            IN OK NO BY  version, token, SSRC, name of the session
                              CK  SSRC, count, three times     RS  SSRC, sequence number
    80 61  sequence number    RTP header, 12 bytes
           timestamp, SSRC
           B J Z P length     command section: delta times and commands, with running status
           S Y A H …          recovery journal: skipped by its lengths

A damaged datagram raises `DamagedError`; of a damaged list the commands before the damage are kept.

References
----------
.. [1] RFC 6295, "RTP Payload Format for MIDI", sections 2, 3 and 5.
.. [2] Apple, "MIDI Network Driver Protocol", 2012.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Sequence
from contextlib import suppress
from typing import NamedTuple

from sfa_engine.surfaces.rtpmidi.command_section import (
    MAX_LIST,
    Command,
    DamagedError,
    parse_list,
    parts,
)

MAX_DATAGRAM = 8192  # bytes; a command section has 4095 at most
MAX_NAME = 63  # bytes of a session's name that are sent and shown
PAYLOAD = 0x61
VERSION = 2

_SIGNATURE = b"\xff\xff"
_INVITATION = struct.Struct(">2s2sIII")
_SYNC = struct.Struct(">2s2sIB3xQQQ")
_FEEDBACK = struct.Struct(">2s2sIH2x")
_LIMIT = struct.Struct(">2s2sII")
_RTP = struct.Struct(">BBHII")
_INVITATIONS = (b"IN", b"OK", b"NO", b"BY")


class Invitation(NamedTuple):
    """``IN``, ``OK``, ``NO`` or ``BY``."""

    command: str
    token: int
    ssrc: int
    name: str


class Sync(NamedTuple):
    """``CK``: three times in units of 100 us, of which `step` + 1 are written."""

    ssrc: int
    step: int
    times: tuple[int, int, int]


class Feedback(NamedTuple):
    """``RS``: the last sequence number received."""

    ssrc: int
    sequence: int


class Limit(NamedTuple):
    """``RL``: bits a second that the peer accepts; 0 for no limit."""

    ssrc: int
    bits: int


class Packet(NamedTuple):
    """An RTP packet.

    Attributes
    ----------
    commands : sequence of Command
        Without running status; sysex in segments, see `Sysex`.
    is_whole : bool
        Whether the list is undamaged.
    journal : bytes
        As received; empty without one.
    """

    sequence: int
    timestamp: int
    ssrc: int
    commands: Sequence[Command]
    is_whole: bool = True
    journal: bytes = b""


Datagram = Invitation | Sync | Feedback | Limit | Packet


def parse(data: bytes) -> Datagram:
    """Parse a datagram.

    Raises
    ------
    DamagedError
        The datagram is of another protocol, or truncated.
    """
    try:
        return _parse_command(data) if data[:2] == _SIGNATURE else _parse_rtp(data)
    except (struct.error, IndexError):
        raise DamagedError(f"{len(data)} bytes are too few") from None


def _parse_command(data: bytes) -> Datagram:
    command = data[2:4]
    if command in _INVITATIONS:
        _, _, version, token, ssrc = _INVITATION.unpack_from(data)
        if version != VERSION:
            raise DamagedError(f"version {version}, not {VERSION}")
        name = data[_INVITATION.size :].split(b"\0", 1)[0][:MAX_NAME]
        return Invitation(command.decode(), token, ssrc, _printable(name))
    if command == b"CK":
        _, _, ssrc, count, *times = _SYNC.unpack_from(data)
        if count > 2:
            raise DamagedError(f"CK{count}")
        return Sync(ssrc, count, (times[0], times[1], times[2]))
    if command == b"RS":
        _, _, ssrc, sequence = _FEEDBACK.unpack_from(data)
        return Feedback(ssrc, sequence)
    if command == b"RL":
        _, _, ssrc, bits = _LIMIT.unpack_from(data)
        return Limit(ssrc, bits)
    raise DamagedError(f"command {command!r}")


def _printable(name: bytes) -> str:
    """Return a name that is safe to show in a terminal."""
    text = name.decode("utf-8", "replace")
    return "".join(char if char.isprintable() else " " for char in text).strip()


def _parse_rtp(data: bytes) -> Packet:
    flags, payload, sequence, timestamp, ssrc = _RTP.unpack_from(data)
    if flags >> 6 != 2 or payload & 0x7F != PAYLOAD:
        raise DamagedError(f"RTP version {flags >> 6}, payload {payload & 0x7F}")
    at, end = _RTP.size + 4 * (flags & 15), len(data)
    if flags & 0x10:  # an extension
        at += 4 + 4 * int.from_bytes(data[at + 2 : at + 4], "big")
    if flags & 0x20:  # padding, and how much of it
        end -= data[-1]
    head = data[at]
    at += 1
    length = head & 15
    if head & 0x80:
        length = length << 8 | data[at]
        at += 1
    if at + length > end:
        raise DamagedError(f"a command section of {length} bytes in {end - at}")
    commands, is_whole = parse_list(data[at : at + length], has_delta=bool(head & 0x20))
    at += length
    journal = b""
    if head & 0x40:
        with suppress(DamagedError, IndexError):  # the commands are valid all the same
            journal = data[at : at + _journal_length(data[at:end])]
    return Packet(sequence, timestamp, ssrc, commands, is_whole, journal)


def _journal_length(data: bytes) -> int:
    """Return the bytes of a recovery journal, by the lengths of its chapters."""
    head, at = data[0], 3  # S Y A H, channels - 1; sequence number of the checkpoint
    if head & 0x40:
        at += _chapters_length(data, at, 2)
    if head & 0x20:
        for _ in range((head & 15) + 1):
            at += _chapters_length(data, at, 3)
    if at > len(data):
        raise DamagedError("a journal longer than its packet")
    return at


def _chapters_length(data: bytes, at: int, header: int) -> int:
    """Return the bytes of a system or channel journal, its header included."""
    length = int.from_bytes(data[at : at + 2], "big") & 0x3FF
    if length < header or at + length > len(data):
        raise DamagedError(f"{length} bytes of a journal in {len(data) - at}")
    return length


def build_invitation(message: Invitation) -> bytes:
    """Return ``IN``, ``OK``, ``NO`` or ``BY``; only the first two carry the name."""
    head = _INVITATION.pack(
        _SIGNATURE, message.command.encode(), VERSION, message.token, message.ssrc
    )
    if message.command in {"NO", "BY"}:
        return head
    name = message.name.encode()[:MAX_NAME].decode(errors="ignore")
    return head + name.encode() + b"\0"


def build_sync(message: Sync) -> bytes:
    """Return ``CK``."""
    return _SYNC.pack(_SIGNATURE, b"CK", message.ssrc, message.step, *message.times)


def build_feedback(message: Feedback) -> bytes:
    """Return ``RS``."""
    return _FEEDBACK.pack(_SIGNATURE, b"RS", message.ssrc, message.sequence)


def build_packets(
    messages: Iterable[bytes], sequence: int, timestamp: int, ssrc: int
) -> list[bytes]:
    """Return packets for complete messages, all of one time.

    Parameters
    ----------
    messages : iterable of bytes
        Each with its status byte.
    sequence : int
        Number of the first packet.
    timestamp : int
        Units of 100 us.
    ssrc : int
    """
    packets: list[bytes] = []
    section = bytearray()
    for part in parts(messages):
        if section and len(section) + 1 + len(part) > MAX_LIST:
            packets.append(_packet(section, sequence + len(packets), timestamp, ssrc))
            section = bytearray()
        if section:
            section.append(0)  # delta time
        section += part
    if section:
        packets.append(_packet(section, sequence + len(packets), timestamp, ssrc))
    return packets


def _packet(section: bytearray, sequence: int, timestamp: int, ssrc: int) -> bytes:
    head = _RTP.pack(0x80, PAYLOAD, sequence & 0xFFFF, timestamp & 0xFFFFFFFF, ssrc)
    length = len(section)
    return (
        head + (bytes((length,)) if length < 16 else struct.pack(">H", 0x8000 | length)) + section
    )
