"""A cycle of the resolver: what came in, what it does, what goes out.

::

    table swapped? ─► slots opened, closed ─► feed ─► inputs ─► what waited long enough
                                                        ─► lights ─► clock ─► wake the stage

JACK calls it in its own thread, or a thread of the host's without JACK; never both.
"""

from __future__ import annotations

import numpy as np

from sfa_engine.engine.midi import FEED_BYTES, FEEDS, INPUTS, MAX_SYSEX, SLOTS, FeedKind
from sfa_engine.host.kernel.intrinsics import (
    jack_midi_clear_buffer,
    jack_midi_event_get,
    jack_midi_get_event_count,
    jack_port_get_buffer,
    kernel,
    load_acquire,
    store_release,
    wake,
)
from sfa_engine.host.kernel.midi_clock import clock_out, part
from sfa_engine.host.kernel.midi_commands import drop
from sfa_engine.host.kernel.midi_frames import begin_by_clock, begin_in_graph
from sfa_engine.host.kernel.midi_input import receive
from sfa_engine.host.kernel.midi_lights import forget, forget_all, show
from sfa_engine.host.kernel.midi_output import send
from sfa_engine.host.kernel.midi_resolve import (
    finish_pairs,
    put_state,
    release_slot,
    rest_bent,
)
from sfa_engine.host.midi_state import INBOX, INBOX_BYTES, LONG_AGO, MAX_TICKS, PORT, Mode

PORT_BYTES = PORT.itemsize


@kernel
def cycle(engine, dsp, state, frames):
    """Do all of a cycle; `frames` is 0 without JACK."""
    if frames > 0 and state.client != 0:
        begin_in_graph(engine, state, frames, dsp.sample_rate, dsp.in_graph)
    else:
        begin_by_clock(engine, state, dsp.sample_rate)
    state.latest = min(state.latest, state.first + state.frames + state.delay)
    adopt_table(engine, state)
    adopt_ports(engine, state)
    read_feed(engine, state)
    read_ports(engine, state)
    read_inbox(engine, state)
    finish_pairs(engine, state, state.heard)
    rest_bent(engine, state, state.heard)
    show(engine, state)
    send_clock(engine, state)
    if state.events != 0 and dsp.wake_fd >= 0:
        wake(dsp.wake_fd, dsp.wake_word)
    state.events = 0
    state.cycles += 1


@kernel
def adopt_table(engine, state):
    """Work with the table that the stage has put in force."""
    midi = engine.midi
    serial = load_acquire(midi.serial_address)
    if serial != midi.used:
        store_release(midi.used_address, serial)
        forget_all(state)


@kernel
def adopt_ports(engine, state):
    """Open and close slots as the host's thread asks; find the outputs' buffers of this cycle."""
    for slot in range(SLOTS):
        port = state.port[slot]
        wanted = load_acquire(state.wanted_address + slot * PORT_BYTES)
        if wanted != port.mode:
            if wanted == Mode.CLOSED:
                release_slot(engine, state, np.int64(slot), state.first)
                part(engine, np.int64(slot))
            reset(state, slot)
            port.mode = wanted
            forget(engine, state, slot)
        port.buffer = 0
        if port.mode == Mode.JACK and port.output != 0 and state.frames > 0 and state.client != 0:
            port.buffer = jack_port_get_buffer(state.port_get_buffer, port.output, state.frames)
            if port.buffer != 0:
                jack_midi_clear_buffer(state.clear_buffer, port.buffer)


@kernel
def reset(state, slot):
    """Forget where a slot's controls stand and what its parser has begun: it is another device."""
    parser = state.parser[slot]
    parser.status = 0
    parser.count = 0
    parser.sysex_length = -1
    for channel in range(16):
        parser.nrpn_msb[channel] = -1
        parser.nrpn_lsb[channel] = -1
    for k in range(INPUTS):
        control = state.input[slot][k]
        control.place = -1.0
        control.frame = LONG_AGO
        control.owned = 0
        control.pending = 0
        control.first = 0
        control.order = 0
        control.msb = -1
        control.lsb = -1


@kernel
def read_feed(engine, state):
    """Do what the stage asks for."""
    midi = engine.midi
    tail = midi.feed_tail
    head = min(load_acquire(midi.feed_head_address), tail + FEEDS)
    while tail < head:
        first = midi.feed[tail % FEEDS]
        kind, slot, frame = np.int64(first.kind), np.int64(first.slot), first.frame
        length = np.int64(0)
        more = True
        while more and tail < head:
            part = midi.feed[tail % FEEDS]
            count = min(max(np.int64(part.length), 0), FEED_BYTES)
            for k in range(count):
                if length + k < MAX_SYSEX:
                    state.feed_data[length + k] = part.data[k]
            length += count
            more = part.more != 0
            tail += 1
        if slot < 0 or slot >= SLOTS:
            continue
        if length > MAX_SYSEX:
            drop(engine, slot)
            continue
        do_feed(engine, state, kind, slot, frame, length)
    store_release(midi.feed_tail_address, tail)


@kernel
def do_feed(engine, state, kind, slot, frame, length):
    """Do one message of the feed, whose bytes are in `state.feed_data`."""
    address = np.int64(state.feed_data.ctypes.data)
    if kind == FeedKind.IN:
        # What comes behind the close of its slot would be held for ever.
        if state.port[slot].mode != Mode.CLOSED:
            at = frame if frame > 0 else state.first
            receive(engine, state, slot, address, length, at)
    elif kind == FeedKind.OUT:
        send(engine, state, slot, np.int64(0), address, length)
    elif kind == FeedKind.STATE:
        value = np.int64(0)
        for k in range(min(length, 8)):
            value |= np.int64(state.feed_data[k]) << (8 * k)
        put_state(engine, state, slot, frame, value, state.first)
    elif kind == FeedKind.RESYNC:
        forget(engine, state, slot)


@kernel
def read_ports(engine, state):
    """Take what JACK has for the inputs, each at its own frame."""
    for slot in range(SLOTS):
        port = state.port[slot]
        if port.mode != Mode.JACK or port.input == 0 or state.client == 0:
            continue
        buffer = jack_port_get_buffer(state.port_get_buffer, port.input, state.frames)
        if buffer == 0:
            continue
        event = state.jack_event
        for k in range(jack_midi_get_event_count(state.event_count, buffer)):
            if jack_midi_event_get(state.event_get, event.ctypes.data, buffer, k) == 0:
                frame = state.first + (event[0] & 0xFFFFFFFF)
                receive(engine, state, np.int64(slot), event[2], event[1], frame)


@kernel
def read_inbox(engine, state):
    """Take what a thread has put there."""
    for k in range(min(max(state.inbox_count, 0), INBOX)):
        message = state.inbox[k]
        slot = np.int64(message.slot)
        if slot >= 0 and slot < SLOTS and state.port[slot].mode == Mode.QUEUE:
            length = min(max(np.int64(message.length), 0), INBOX_BYTES)
            address = np.int64(message.data.ctypes.data)
            receive(engine, state, slot, address, length, state.first)
    state.inbox_count = 0


@kernel
def send_clock(engine, state):
    """Send each slot its MIDI clock of this cycle."""
    for slot in range(SLOTS):
        if state.port[slot].mode == Mode.CLOSED:
            continue
        count = clock_out(engine, state, np.int64(slot), state.first, state.frames)
        for k in range(min(count, MAX_TICKS)):
            tick = state.tick[k]
            address, length = np.int64(tick.data.ctypes.data), np.int64(tick.length)
            send(engine, state, np.int64(slot), np.int64(tick.offset), address, length)
