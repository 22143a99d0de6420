"""The stage's side of the MIDI part of the engine's memory, for the surfaces that use it.

Tables, feed and events have one writer or reader in the stage: this one. A host may make a new
memory; these always belong to the present one.
"""

from __future__ import annotations

import logging
import struct
from collections.abc import Callable
from typing import Any

import trio

from sfa_engine.engine.memory import Memory
from sfa_engine.engine.midi import FEED_BYTES, FEEDS, MAX_SYSEX, EventKind, FeedKind
from sfa_engine.engine.midi_rings import Event, EventReader, FeedWriter, TableWriter
from sfa_engine.stage.conductor import Conductor

logger = logging.getLogger(__name__)
BATCH = 64  # events between two checkpoints: they take 0.3 ms
MAX_MESSAGE = FEEDS * FEED_BYTES // 2  # bytes sent at once
SEND_RETRY_S = 0.002  # while the feed is full
SEND_TIMEOUT_S = 1.0

Listener = Callable[[Event], None]


class MidiLink:
    """Tables, feed and events of the present engine.

    Parameters
    ----------
    conductor : Conductor
    """

    def __init__(self, conductor: Conductor) -> None:
        self._conductor = conductor
        self._listeners: list[Listener] = []
        self._wake = trio.Event()
        self._lost = 0
        self._begun: dict[tuple[EventKind, int], bytes] = {}  # incomplete messages
        self._attach()
        self._events.skip()

    def _attach(self) -> None:
        self._memory = self._conductor.memory
        self._tables = TableWriter(self._memory)
        self._feed = FeedWriter(self._memory)
        self._events = EventReader(self._memory)
        self._begun.clear()

    @property
    def memory(self) -> Memory:
        """Of the present engine."""
        if self._conductor.memory is not self._memory:
            self._attach()
        return self._memory

    @property
    def tables(self) -> TableWriter:
        """Writer of bindings and lights."""
        _ = self.memory
        return self._tables

    def slot(self, slot: int) -> Any:
        """Return the resolver's state of a slot.

        Returns
        -------
        numpy.void of `SLOT`
            A view.
        """
        return self.memory.engine["midi"]["slots"][slot]

    # ------------------------------------------------------------------ sending

    def feed(self, kind: FeedKind, slot: int, data: bytes = b"", frame: int = 0) -> bool:
        """Send a request to the resolver; return whether the feed had room."""
        _ = self.memory
        return self._feed.write(kind, slot, data, frame)

    def set_state(self, slot: int, mask: int, value: int) -> bool:
        """Set bits of a slot's state; return whether the feed had room."""
        return self.feed(FeedKind.STATE, slot, struct.pack("<q", value), mask)

    async def send(self, slot: int, data: bytes) -> bool:
        """Send a message to a device; wait for room in the feed, and return whether it was sent."""
        if len(data) > MAX_MESSAGE:
            return False
        with trio.move_on_after(SEND_TIMEOUT_S):
            while not self.feed(FeedKind.OUT, slot, data):  # noqa: ASYNC110 - of another process
                await trio.sleep(SEND_RETRY_S)
            return True
        return False

    # ------------------------------------------------------------------ events

    def listen(self, listener: Listener) -> Callable[[], None]:
        """Call a listener with every event; return a function that removes it."""
        self._listeners.append(listener)
        return lambda: self._listeners.remove(listener)

    def wake(self) -> None:
        """Request a read of the events."""
        self._wake.set()

    async def run(self) -> None:
        """Pass events to the listeners until cancelled."""
        while True:
            await self._wake.wait()
            self._wake = trio.Event()
            while self._events.is_waiting or self._conductor.memory is not self._memory:
                for event in self._fetch():
                    for listener in list(self._listeners):
                        try:
                            listener(event)
                        except Exception:  # one message must not end the stage
                            logger.exception("a MIDI event")
                await trio.lowlevel.checkpoint()
            lost = int(self.memory.engine["midi"]["events_lost"])
            if lost > self._lost:
                logger.warning("%d MIDI events were lost: the stage did not run", lost - self._lost)
            self._lost = lost

    def _fetch(self) -> list[Event]:
        _ = self.memory
        return [whole for event in self._events.fetch(BATCH) if (whole := self._join(event))]

    def _join(self, event: Event) -> Event | None:
        """Return the complete message with its last record; None before.

        A message longer than `MAX_SYSEX` loses its start: readers skip the rest, as they do bytes
        without a status.
        """
        key = event.kind, event.slot
        begun = self._begun.pop(key, b"")
        if event.more:
            self._begun[key] = (begun + event.data)[-MAX_SYSEX:]
            return None
        return event._replace(data=begun + event.data) if begun else event
