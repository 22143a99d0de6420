"""Convert MIDI messages of a route's end from and to travel 0..1. Pure."""

from __future__ import annotations

from sfa_engine.surfaces.bridge.endpoint import Midi

_STATUS = {"note": 0x90, "cc": 0xB0, "cc14": 0xB0, "program": 0xC0, "pressure": 0xD0, "bend": 0xE0}
_KIND = {0x8: "note", 0x9: "note", 0xB: "cc", 0xC: "program", 0xD: "pressure", 0xE: "bend"}
LSB = 32  # offset of the less significant half of controllers 0 to 31

Address = tuple[str, int, int]  # kind, channel from 1, number


def address_of(message: bytes) -> Address | None:
    """Return kind, channel and number of a message; None if only `all` carries it."""
    kind = _KIND.get(message[0] >> 4) if message else None
    if kind is None or len(message) != (2 if kind in {"program", "pressure"} else 3):
        return None
    number = message[1] if kind in {"note", "cc"} else 0
    return kind, (message[0] & 15) + 1, number


def travel_of(message: bytes) -> float:
    """Return the travel of a message that has an address; 0 for note-off."""
    kind = message[0] >> 4
    if kind == 0x8:
        return 0.0
    if kind == 0xE:
        return (message[2] << 7 | message[1]) / 16383
    return message[-1] / 127


def messages_for(end: Midi, travel: float) -> list[bytes]:
    """Return the messages that send a travel to a device."""
    status = _STATUS[end.kind] | (max(1, end.channel) - 1)
    seven, fourteen = round(travel * 127), round(travel * 16383)
    if end.kind == "note":
        if travel <= 0.0:
            return [bytes((status - 0x10, end.number, 0))]
        return [bytes((status, end.number, max(1, seven)))]
    if end.kind == "cc":
        return [bytes((status, end.number, seven))]
    if end.kind == "cc14":
        return [
            bytes((status, end.number, fourteen >> 7)),
            bytes((status, end.number + LSB, fourteen & 127)),
        ]
    if end.kind == "bend":
        return [bytes((status, fourteen & 127, fourteen >> 7))]
    return [bytes((status, seven))]


class Pairs:
    """Combines the halves of 14-bit controllers.

    The more significant half counts alone until the other has been received once; from then on the
    other completes a value, so that none is a step off in between.
    """

    def __init__(self) -> None:
        self._high: dict[Address, int] = {}
        self._paired: set[Address] = set()

    def take(self, key: Address, number: int, value: int) -> float | None:
        """Return the travel that a half completes.

        Parameters
        ----------
        key : tuple
            Device, channel and number of the more significant half.
        number, value : int
            Of the message.
        """
        if number == key[2]:
            self._high[key] = value
            return None if key in self._paired else value / 127
        self._paired.add(key)
        high = self._high.get(key)
        return None if high is None else (high << 7 | value) / 16383
