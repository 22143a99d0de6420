"""Lights: each message is sent when what it shows has changed, and again after a resync."""

from __future__ import annotations

import numpy as np

from sfa_engine.desk.scale import NOT_SET
from sfa_engine.engine.layout import READINGS, VALUES
from sfa_engine.engine.midi import LIGHTS, SHORT, SLOTS, LightKind, LightSource
from sfa_engine.host.kernel.intrinsics import kernel, load_acquire
from sfa_engine.host.kernel.midi_output import send
from sfa_engine.host.kernel.midi_taper import travel_at
from sfa_engine.host.midi_state import Mode

LIGHT_S = 0.005  # between two looks; no eye sees it, and most cycles need not look
METER_S = 1.0 / 30.0
MAX_MESSAGES = 32  # to a slot in one look: 128 bytes, what USB carries in the time
OFF, ON, LEVEL = 0, 1, 2


@kernel
def show(engine, state):
    """Send the messages of the lights that show something else than they should."""
    if state.first - state.lights_frame < LIGHT_S * engine.sample_rate:
        if state.first >= state.lights_frame:
            return
    state.lights_frame = state.first
    table = engine.midi.tables[engine.midi.used & 1]
    count = min(max(table.lights, 0), LIGHTS)
    if count == 0:
        return
    readings = engine.snapshots[load_acquire(engine.serial_address) & 1]
    for slot in range(SLOTS):
        state.sent_now[slot] = 0
    start = state.lights_from % count
    for k in range(count):
        number = (start + k) % count
        light = table.light[number]
        slot = light.slot
        if slot < 0 or slot >= SLOTS or state.port[slot].mode == Mode.CLOSED:
            continue
        if light.length <= 0 or light.length > SHORT:
            continue
        wanted = look(engine, readings, light)
        if wanted < 0:
            state.shown[number] = -1  # another light may have the lamp now
            continue
        if wanted == state.shown[number]:
            continue
        since = state.first - state.shown_frame[number]
        if light.kind == LightKind.METER and state.shown[number] >= 0:
            if since >= 0 and since < METER_S * engine.sample_rate:
                continue
        if state.sent_now[slot] >= MAX_MESSAGES:
            continue
        state.sent_now[slot] += 1
        if send_light(engine, state, light, np.int64(slot), wanted):
            state.shown[number] = wanted
            state.shown_frame[number] = state.first
    state.lights_from = start + 1


@kernel
def look(engine, readings, light):
    """Return what a light should show: `OFF`, `ON`, `LEVEL` + 0..127, or -1 if not in force."""
    in_force = engine.midi.slots[light.slot].state & light.mask == light.want
    if light.kind == LightKind.STATE:
        return ON if in_force else OFF
    if not in_force:
        return -1
    index = light.index
    if light.source == LightSource.VALUE:
        if index < 0 or index >= VALUES:
            return -1
        value = engine.flat[index]
    else:
        if index < 0 or index >= READINGS:
            return -1
        value = readings.flat[index]
    if light.kind == LightKind.IS_SET:
        return ON if value != NOT_SET else OFF
    if light.kind == LightKind.METER:
        travel = travel_at(light.taper, light.low, light.high, value)
        if not (travel >= 0.0 and travel <= 1.0):
            return LEVEL
        return LEVEL + np.int64(travel * 127.0 + 0.5)
    return ON if value >= light.low and value <= light.high else OFF


@kernel
def send_light(engine, state, light, slot, wanted):
    """Send the message of a light."""
    message = state.message
    for k in range(light.length):
        message[k] = light.off[k] if wanted == OFF else light.on[k]
    if wanted >= LEVEL and light.level_at >= 0 and light.level_at < light.length:
        message[light.level_at] = wanted - LEVEL
    address = np.int64(message.ctypes.data)
    return send(engine, state, slot, np.int64(0), address, np.int64(light.length))


@kernel
def forget(engine, state, slot):
    """Send every light of a slot again: nobody knows what it shows."""
    table = engine.midi.tables[engine.midi.used & 1]
    for k in range(min(max(table.lights, 0), LIGHTS)):
        if table.light[k].slot == slot:
            state.shown[k] = -1


@kernel
def forget_all(state):
    """Send every light again: the table is another one."""
    for k in range(LIGHTS):
        state.shown[k] = -1
