"""What the resolver sends to devices and tells the stage."""

from __future__ import annotations

import numpy as np
from numba import carray

from sfa_engine.engine.midi import EVENT_BYTES, EVENTS, SLOTS, EventKind
from sfa_engine.host.kernel.intrinsics import (
    jack_midi_event_write,
    kernel,
    load_acquire,
    store_release,
    uint8_at,
)
from sfa_engine.host.kernel.midi_commands import drop
from sfa_engine.host.midi_state import OUTBOX_BYTES, Mode


@kernel
def tell(engine, state, kind, slot, number, frame, x, address, length):
    """Write an event, with as many bytes as there are; one without room is dropped and counted."""
    midi = engine.midi
    head = midi.event_head
    records = max(1, (length + EVENT_BYTES - 1) // EVENT_BYTES)
    if head + records - load_acquire(midi.event_tail_address) > EVENTS:
        midi.events_lost += 1
        return
    data = carray(uint8_at(address), (length,))
    for r in range(records):
        event = midi.events[(head + r) % EVENTS]
        start = r * EVENT_BYTES
        count = min(EVENT_BYTES, length - start)
        event.kind = kind
        event.slot = slot
        event.number = number
        event.length = count
        event.more = 1 if r + 1 < records else 0
        event.frame = frame
        event.x = x
        event.state = midi.slots[slot].state
        for k in range(count):
            event.data[k] = data[start + k]
    store_release(midi.event_head_address, head + records)
    state.events += 1


@kernel
def send(engine, state, slot, offset, address, length):
    """Send a message to a slot's device, `offset` frames into the cycle; return whether it went.

    Offsets may not fall within a cycle.
    """
    if slot < 0 or slot >= SLOTS or length <= 0:
        return False
    port = state.port[slot]
    gone = False
    if port.mode == Mode.JACK and port.buffer != 0:
        at = min(state.frames - 1, max(offset, 0))
        gone = jack_midi_event_write(state.event_write, port.buffer, at, address, length) == 0
    elif port.mode == Mode.QUEUE and state.outbox_length + length + 4 <= OUTBOX_BYTES:
        at = state.outbox_length
        out = state.outbox
        out[at] = slot
        for k in range(3):
            out[at + 1 + k] = (length >> (8 * k)) & 255
        data = carray(uint8_at(address), (length,))
        for k in range(length):
            out[at + 4 + k] = data[k]
        state.outbox_length = at + 4 + length
        gone = True
    elif port.mode == Mode.STAGE:
        lost = engine.midi.events_lost
        frame = state.first + offset
        tell(engine, state, EventKind.OUT, slot, np.int32(0), frame, 0.0, address, length)
        gone = engine.midi.events_lost == lost
    if gone:
        engine.midi.slots[slot].sent += 1
    else:
        drop(engine, slot)
    return gone
