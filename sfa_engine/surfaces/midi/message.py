"""MIDI messages: parsed, in words, and put together from their parts. Pure."""

from __future__ import annotations

from typing import NamedTuple

from sfa_engine.engine.midi import MAX_SYSEX, Kind

NOTES = ("C", "C#", "D", "D#", "E", "F", "F#", "G", "G#", "A", "A#", "B")
IDENTITY_REQUEST = bytes.fromhex("f0 7e 7f 06 01 f7")
IDENTITY_REPLY = bytes.fromhex("f0 7e 00 06 02")  # the third byte is the device's channel
SYSEX, SYSEX_END, REALTIME = 0xF0, 0xF7, 0xF8
MAX_HEX = 32  # bytes of a message that are shown

_KINDS = {
    0x8: Kind.NOTE,
    0x9: Kind.NOTE,
    0xA: Kind.POLY_PRESSURE,
    0xB: Kind.CONTROL,
    0xC: Kind.PROGRAM,
    0xD: Kind.CHANNEL_PRESSURE,
    0xE: Kind.PITCH_BEND,
}
_SYSTEM = {
    0xF1: "time code",
    0xF2: "song position",
    0xF3: "song select",
    0xF6: "tune request",
    0xF8: "clock",
    0xFA: "start",
    0xFB: "continue",
    0xFC: "stop",
    0xFE: "active sensing",
    0xFF: "reset",
}


class Message(NamedTuple):
    """A channel message.

    Attributes
    ----------
    channel : int
        From 0.
    number : int
        Of note, controller or program; else 0.
    value : int
        Velocity, 0 of a note that ends; value; of pitch bend 0 to 16383.
    """

    kind: Kind
    channel: int
    number: int
    value: int


def parse(data: bytes) -> Message | None:
    """Return the channel message of some bytes; None if they are another one, or none."""
    if not data or not 0x80 <= data[0] < SYSEX or max(data[1:], default=0) > 127:
        return None
    kind, channel = _KINDS[data[0] >> 4], data[0] & 15
    if len(data) != (2 if kind in {Kind.PROGRAM, Kind.CHANNEL_PRESSURE} else 3):
        return None
    if kind is Kind.PROGRAM:
        return Message(kind, channel, data[1], 127)
    if kind is Kind.CHANNEL_PRESSURE:
        return Message(kind, channel, 0, data[1])
    if kind is Kind.PITCH_BEND:
        return Message(kind, channel, 0, data[1] | data[2] << 7)
    is_off = data[0] >> 4 == 0x8
    return Message(kind, channel, data[1], 0 if is_off else data[2])


def note_name(note: int) -> str:
    """Return a note's name; 60 is C4."""
    return f"{NOTES[note % 12]}{note // 12 - 1}"


def words(data: bytes) -> str:
    """Return a message as a person reads it."""
    message = parse(data)
    if message is not None:
        return _channel_words(message)
    if data[:1] == bytes([SYSEX]):
        return f"sysex, {len(data)} bytes"
    if not data:
        return "nothing"
    return _SYSTEM.get(data[0], "not a message")


def _channel_words(message: Message) -> str:
    kind, channel, number, value = message
    if kind is Kind.NOTE:
        said = f"velocity {value}" if value else "off"
        told = f"note {number} ({note_name(number)}) {said}"
    elif kind is Kind.POLY_PRESSURE:
        told = f"pressure {value} of note {number} ({note_name(number)})"
    elif kind is Kind.PITCH_BEND:
        told = f"pitch bend {value}"
    elif kind is Kind.PROGRAM:
        told = f"program {number}"
    elif kind is Kind.CHANNEL_PRESSURE:
        told = f"pressure {value}"
    else:
        told = f"CC {number} = {value}"
    return f"{told}, channel {channel + 1}"


def hex_text(data: bytes) -> str:
    """Return a message in hex; of a long one the beginning."""
    more = " …" if len(data) > MAX_HEX else ""
    return data[:MAX_HEX].hex(" ").upper() + more


def is_identity_reply(data: bytes) -> bool:
    """Return whether a message answers an identity request."""
    return data[:2] == IDENTITY_REPLY[:2] and data[3:5] == IDENTITY_REPLY[3:]


def model_of(reply: bytes) -> int | None:
    """Return the number of a device's model: the first byte of the family in its identity reply.

    ``F0 7E channel 06 02``, then the maker in one byte, or in three of which the first is 0; then
    family, member and version. None of a message that is no such reply, or that is cut short.
    """
    at = 8 if reply[5:6] == b"\0" else 6
    if not is_identity_reply(reply) or len(reply) < at + 2 or reply[at] > 127:
        return None
    return reply[at]


class SysexJoin:
    """Puts the parts of sysex messages together: some drivers hand out 256 bytes at a time.

    Attributes
    ----------
    dropped : int
        Messages that were longer than `MAX_SYSEX`, or ended without an end.
    """

    def __init__(self) -> None:
        self.dropped = 0
        self._begun = bytearray()

    def take(self, data: bytes) -> bytes | None:
        """Return a whole message, or None while more of it is to come."""
        if not data:
            return None
        status = data[0]
        if status >= REALTIME:  # may come in between
            return data
        if status >= 0x80 and status not in {SYSEX, SYSEX_END}:
            self._drop_begun()
            return data
        if status == SYSEX:
            self._drop_begun()
        elif not self._begun:  # the rest of one that was dropped
            return None
        self._begun += data
        if len(self._begun) > MAX_SYSEX:
            self._drop_begun()
        elif data[-1] == SYSEX_END:
            whole, self._begun = bytes(self._begun), bytearray()
            return whole
        return None

    def _drop_begun(self) -> None:
        self.dropped += bool(self._begun)
        self._begun = bytearray()
