"""From bytes to messages: running status, real-time bytes inside others, sysex in pieces, NRPN."""

from __future__ import annotations

import numpy as np
from numba import carray

from sfa_engine.engine.midi import MAX_SYSEX, EventKind, Kind
from sfa_engine.host.kernel.intrinsics import kernel, uint8_at
from sfa_engine.host.kernel.midi_clock import clock_message, is_flood
from sfa_engine.host.kernel.midi_commands import drop
from sfa_engine.host.kernel.midi_output import tell
from sfa_engine.host.kernel.midi_resolve import (
    LSB,
    MSB,
    STEP,
    has_nrpn,
    is_bound,
    key_of,
    resolve,
    take_entry,
)

SYSEX, POSITION, END = 0xF0, 0xF2, 0xF7
CLOCK, START, CONTINUE, STOP, RESET = 0xF8, 0xFA, 0xFB, 0xFC, 0xFF
INCREMENT, DECREMENT = 96, 97  # control changes
NO_NUMBER = 16383  # an NRPN number that means none


@kernel
def receive(engine, state, slot, address, length, frame):
    """Take bytes of a slot's device, whole messages or pieces of them.

    Parameters
    ----------
    address, length : int64
        Of the bytes.
    frame : int64
        Engine frame at which they arrived.
    """
    data = carray(uint8_at(address), (length,))
    parser = state.parser[slot]
    for k in range(length):
        byte = np.int64(data[k])
        if byte >= CLOCK:
            if byte == CLOCK or byte == START or byte == CONTINUE or byte == STOP:
                if is_flood(state, slot, frame, engine.sample_rate):
                    drop(engine, slot)
                else:
                    clock_message(engine, state, slot, byte, np.int64(0), frame)
            elif byte == RESET:
                parser.status = 0
            continue
        if parser.sysex_length >= 0:
            if byte < 0x80:
                sysex_byte(state, slot, byte)
                continue
            if byte == END:
                sysex_byte(state, slot, byte)
                end_sysex(engine, state, slot, frame)
                continue
            parser.sysex_length = -1  # broken off by another message
            drop(engine, slot)
        if byte >= 0x80:
            parser.count = 0
            parser.status = byte
            parser.data[0] = byte
            if byte == SYSEX:
                parser.status = 0
                parser.sysex_length = 0
                parser.sysex_over = 0
                sysex_byte(state, slot, byte)
            elif needed(byte) == 0:
                parser.status = 0
            continue
        if parser.status == 0:
            continue  # data of a message that was not understood
        parser.count += 1
        parser.data[parser.count] = byte
        if parser.count == needed(np.int64(parser.status)):
            parser.count = 0
            take(engine, state, slot, frame)
            if parser.status >= SYSEX:
                parser.status = 0


@kernel
def needed(status):
    """Return how many data bytes a message has; 0 for one that is not taken."""
    kind = status >> 4
    if kind == 0xC or kind == 0xD or status == 0xF1 or status == 0xF3:
        return 1
    if kind < 0xF or status == POSITION:
        return 2
    return 0


@kernel
def sysex_byte(state, slot, byte):
    """Add a byte to a system exclusive message, if it is not too long already."""
    parser = state.parser[slot]
    if parser.sysex_length >= MAX_SYSEX:
        parser.sysex_over = 1
        return
    state.sysex[slot][parser.sysex_length] = byte
    parser.sysex_length += 1


@kernel
def end_sysex(engine, state, slot, frame):
    """Tell the stage of a system exclusive message that is whole."""
    parser = state.parser[slot]
    engine.midi.slots[slot].received += 1
    if parser.sysex_over != 0:
        drop(engine, slot)
    else:
        address, length = np.int64(state.sysex[slot].ctypes.data), parser.sysex_length
        tell(engine, state, EventKind.MESSAGE, slot, np.int32(0), frame, 0.0, address, length)
    parser.sysex_length = -1


@kernel
def take(engine, state, slot, frame):
    """Do what a message is bound to, and tell the stage what is not bound, or is monitored."""
    parser = state.parser[slot]
    status = np.int64(parser.status)
    one, two = np.int64(parser.data[1]), np.int64(parser.data[2])
    record = engine.midi.slots[slot]
    record.received += 1
    kind, channel = status >> 4, status & 15
    bound = False
    if status >= SYSEX:
        if status == POSITION:
            clock_message(engine, state, slot, status, two << 7 | one, frame)
            bound = True
    elif kind == 0xB:
        bound = control_change(engine, state, slot, channel, one, two, frame)
    else:
        sort, number, value, top = meaning(kind, one, two)
        bound = resolve(engine, state, slot, sort, channel, number, value, top, frame)
    if not bound or record.monitored != 0:
        address, length = np.int64(parser.data.ctypes.data), 1 + needed(status)
        tell(engine, state, EventKind.MESSAGE, slot, np.int32(0), frame, 0.0, address, length)


@kernel
def meaning(kind, one, two):
    """Return `Kind`, number, value and largest value of a message of a channel."""
    if kind == 0x8:
        return np.int64(Kind.NOTE), one, np.int64(0), np.int64(127)
    if kind == 0x9:
        return np.int64(Kind.NOTE), one, two, np.int64(127)
    if kind == 0xA:
        return np.int64(Kind.POLY_PRESSURE), one, two, np.int64(127)
    if kind == 0xC:
        return np.int64(Kind.PROGRAM), one, np.int64(127), np.int64(127)
    if kind == 0xD:
        return np.int64(Kind.CHANNEL_PRESSURE), np.int64(0), one, np.int64(127)
    return np.int64(Kind.PITCH_BEND), np.int64(0), two << 7 | one, np.int64(16383)


@kernel
def control_change(engine, state, slot, channel, number, value, frame):
    """Resolve a control change: by itself, or as part of an NRPN that is bound."""
    parser = state.parser[slot]
    if number == 99:
        parser.nrpn_msb[channel] = value
    elif number == 98:
        parser.nrpn_lsb[channel] = value
    elif number == 100 or number == 101:  # RPN: what follows is not for an NRPN
        parser.nrpn_msb[channel] = -1
        parser.nrpn_lsb[channel] = -1
    high, low = np.int64(parser.nrpn_msb[channel]), np.int64(parser.nrpn_lsb[channel])
    if high >= 0 and low >= 0 and (high << 7 | low) != NO_NUMBER:
        named = high << 7 | low
        if is_bound(engine, key_of(slot, Kind.NRPN, channel, named)):
            if number == 6 or number == 38:
                half = np.int64(MSB if number == 6 else LSB)
                take_entry(engine, state, slot, channel, named, half, value, frame)
                return True
            if number == INCREMENT or number == DECREMENT:
                step = np.int64(1 if number == INCREMENT else -1)
                take_entry(engine, state, slot, channel, named, np.int64(STEP), step, frame)
                return True
    sort, top = np.int64(Kind.CONTROL), np.int64(127)
    bound = resolve(engine, state, slot, sort, channel, number, value, top, frame)
    return bound or ((number == 98 or number == 99) and has_nrpn(engine, slot))
