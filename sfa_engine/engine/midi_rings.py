"""The stage's ends of the MIDI part of the engine's memory: tables, feed and events."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from sfa_engine.engine.atomic import load_acquire, store_release
from sfa_engine.engine.layout import MIDI
from sfa_engine.engine.memory import Memory
from sfa_engine.engine.midi import (
    BINDINGS,
    EVENT,
    EVENT_BYTES,
    EVENTS,
    FEED,
    FEED_BYTES,
    FEEDS,
    LIGHTS,
    EventKind,
    FeedKind,
)
from sfa_engine.errors import Refused

_FEED = struct.Struct(f"<4iq{FEED_BYTES}s")
_EVENT = struct.Struct(f"<3i2hqdq{EVENT_BYTES}s")


def _offset(memory: Memory, name: str) -> int:
    fields = MIDI.fields
    assert fields is not None
    return memory.offset("midi") + int(fields[name][1])


class TableWriter:
    """Writes bindings and lights, for the resolver to take over at its next cycle."""

    def __init__(self, memory: Memory) -> None:
        self._midi = memory.engine["midi"]
        self._serial = memory.address + _offset(memory, "serial")
        self._used = memory.address + _offset(memory, "used")

    @property
    def is_free(self) -> bool:
        """Whether the table that would be written is not being read."""
        return load_acquire(self._used) == load_acquire(self._serial)

    def write(self, bindings: np.ndarray, lights: np.ndarray) -> int:
        """Write a table and put it in force; return its serial. See `is_free`.

        Parameters
        ----------
        bindings : ndarray of `BINDING`
        lights : ndarray of `LIGHT`

        Raises
        ------
        Refused
            They are too many.
        """
        if len(bindings) > BINDINGS or len(lights) > LIGHTS:
            raise Refused(
                f"{len(bindings)} MIDI bindings and {len(lights)} lights are too many",
                f"there is room for {BINDINGS} and {LIGHTS}: close a device",
            )
        serial = load_acquire(self._serial) + 1
        table = self._midi["tables"][serial & 1]
        table["binding"][: len(bindings)] = bindings[np.argsort(bindings["key"], kind="stable")]
        table["light"][: len(lights)] = lights
        table["bindings"], table["lights"] = len(bindings), len(lights)
        store_release(self._serial, serial)
        return serial


class FeedWriter:
    """The writing end of the feed."""

    def __init__(self, memory: Memory) -> None:
        self._buffer = memory.buffer
        self._first = _offset(memory, "feed")
        self._head_address = memory.address + _offset(memory, "feed_head")
        self._tail_address = memory.address + _offset(memory, "feed_tail")
        self._head = load_acquire(self._head_address)

    def write(self, kind: FeedKind, slot: int, data: bytes = b"", frame: int = 0) -> bool:
        """Write a message, in as many records as it takes; return whether there was room."""
        parts = [data[k : k + FEED_BYTES] for k in range(0, len(data), FEED_BYTES)] or [b""]
        if self._head + len(parts) - load_acquire(self._tail_address) > FEEDS:
            return False
        for number, part in enumerate(parts, 1):
            place = self._first + self._head % FEEDS * _FEED.size
            more = int(number < len(parts))
            _FEED.pack_into(self._buffer, place, kind, slot, len(part), more, frame, part)
            self._head += 1
        store_release(self._head_address, self._head)
        return True


class Event(NamedTuple):
    """What the resolver tells; `data` of one that goes on in the next has `more` set."""

    kind: EventKind
    slot: int
    number: int
    more: bool
    frame: int
    x: float
    state: int
    data: bytes


class EventReader:
    """The reading end of the events."""

    def __init__(self, memory: Memory) -> None:
        self._buffer = memory.buffer
        self._first = _offset(memory, "events")
        self._head_address = memory.address + _offset(memory, "event_head")
        self._tail_address = memory.address + _offset(memory, "event_tail")
        self._tail = load_acquire(self._tail_address)

    def skip(self) -> None:
        """Leave out what was told to the stage before: a press of minutes ago is none now."""
        self._tail = load_acquire(self._head_address)
        store_release(self._tail_address, self._tail)

    @property
    def is_waiting(self) -> bool:
        """Whether there are events to fetch."""
        return load_acquire(self._head_address) != self._tail

    def fetch(self, most: int = EVENTS) -> Sequence[Event]:
        """Return the events since the last call, so many at most, and make room for others."""
        head = min(load_acquire(self._head_address), self._tail + most)
        found = []
        for place in range(self._tail, head):
            at = self._first + place % EVENTS * _EVENT.size
            kind, slot, number, length, more, frame, x, state, data = _EVENT.unpack_from(
                self._buffer, at
            )
            found.append(
                Event(EventKind(kind), slot, number, bool(more), frame, x, state, data[:length])
            )
        if head != self._tail:
            self._tail = head
            store_release(self._tail_address, head)
        return found


assert (_FEED.size, _EVENT.size) == (FEED.itemsize, EVENT.itemsize)
