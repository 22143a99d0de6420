"""From a message to what it does: by the bindings of the table in force.

::

    key ─► bindings in force ─┬─ button ───► press, release: toggle, cycle, press, hold, state
                              ├─ relative ─► steps: set, cycle, bend
                              ├─ absolute ─► place 0..1: set, tempo fader; with soft take-over
                              └─ pair ─────► both halves, or one that stayed alone ─► absolute
"""

from __future__ import annotations

import math

import numpy as np

from sfa_engine.desk.deck import RATE_RANGES_PCT
from sfa_engine.engine.layout import VALUES
from sfa_engine.engine.midi import (
    BINDINGS,
    INPUTS,
    Action,
    Encoding,
    EventKind,
    Kind,
    StateRule,
    Takeover,
)
from sfa_engine.host.kernel.intrinsics import kernel
from sfa_engine.host.kernel.midi_commands import ask, drop, value_now
from sfa_engine.host.kernel.midi_output import tell
from sfa_engine.host.kernel.midi_taper import travel_at, value_at
from sfa_engine.host.midi_state import LONG_AGO, MAX_BENT, MAX_HELD, MAX_PAIRS

RANGES = RATE_RANGES_PCT
TOLERANCE = 1.0 / 64.0  # of the travel: a control is where the value is; two steps of 128
PAIR_S = 0.003  # a half that stayed alone for so long is all there is: at 31,250 bit/s the other
# half takes 1 ms
STILL_S = 0.06  # a jog wheel that gave nothing for so long stands still
ON = 64  # a control change from here on is a button that is down
MSB, LSB = int(Encoding.MSB), int(Encoding.LSB)  # halves of a pair
STEP = -1  # a data entry that is neither half
EVERY = np.int64(-1)  # key of every button
ENTRY_STEP = 1.0 / 128.0  # of the travel: what a data increment moves; MIDI leaves it open


@kernel
def key_of(slot, kind, channel, number):
    """Return what a message is looked up by; see `engine.midi.key`."""
    return (((slot * 8 + kind) * 16 + channel) << 14) | number


@kernel
def first_binding(table, key):
    """Return the place of the first binding of a key or beyond, and how many bindings there are."""
    count = min(max(table.bindings, 0), BINDINGS)
    low, high = np.int64(0), np.int64(count)
    while low < high:
        middle = (low + high) // 2
        if table.binding[middle].key < key:
            low = middle + 1
        else:
            high = middle
    return low, count


@kernel
def is_bound(engine, key):
    """Return whether the table knows a message, whatever the slot's state."""
    table = engine.midi.tables[engine.midi.used & 1]
    place, count = first_binding(table, key)
    return place < count and table.binding[place].key == key


@kernel
def has_nrpn(engine, slot):
    """Return whether the table knows any NRPN of a slot."""
    table = engine.midi.tables[engine.midi.used & 1]
    place, count = first_binding(table, key_of(slot, Kind.NRPN, 0, 0))
    return place < count and table.binding[place].key < key_of(slot, Kind.NRPN + 1, 0, 0)


@kernel
def resolve(engine, state, slot, kind, channel, number, value, top, frame):
    """Do what a message is bound to; return whether it is bound to anything.

    Parameters
    ----------
    value, top : int64
        Number of the message, and the largest one it may have: 127 or 16383.
    frame : int64
        Engine frame at which it arrived.
    """
    key = key_of(slot, kind, channel, number)
    table = engine.midi.tables[engine.midi.used & 1]
    place, count = first_binding(table, key)
    bound = False
    held = pressed(state, key)
    down = value >= ON if kind == Kind.CONTROL else value > 0
    down = down or kind == Kind.PROGRAM
    repeated = False
    used = False
    if held >= 0 and down:
        # A control change that stays on is no other press, unless it says just the same.
        repeated = kind == Kind.CONTROL and state.held_velocity[held] != value
    if held >= 0 and not repeated:
        release(engine, state, slot, key, frame)
        bound = True
    # A press may change the state: what is in force was so before.
    slot_state = engine.midi.slots[slot].state
    unused = np.int64(-1)  # input that moved while no binding of it was in force
    while place < count and table.binding[place].key == key:
        b = table.binding[place]
        place += 1
        bound = True
        if b.input < 0 or b.input >= INPUTS or b.index >= VALUES:
            continue
        encoding = np.int64(b.encoding)
        if slot_state & b.mask != b.want:
            if encoding == Encoding.ABSOLUTE or encoding == Encoding.MSB:
                unused = np.int64(b.input)
            continue
        used = True
        if encoding == Encoding.BUTTON:
            if b.action == Action.SET:
                absolute(engine, state, slot, b, 1.0 if down else 0.0, top, frame)
            elif down and not repeated:
                press(engine, state, slot, b, value / top, frame)
                if kind != Kind.PROGRAM:
                    hold(engine, state, slot, b, value)
            elif value == 0 and held < 0:
                release_unknown(engine, state, slot, b, frame)
        elif encoding == Encoding.ABSOLUTE:
            absolute(engine, state, slot, b, value / top, top, frame)
        elif encoding == Encoding.MSB or encoding == Encoding.LSB:
            pair(engine, state, slot, b, encoding, value, frame)
        else:
            relative(engine, state, slot, b, steps_of(encoding, value), frame)
    if unused >= 0 and not used:
        # Else the next move would seem to pass all that lies between.
        state.input[slot][unused].place = value / top
    return bound


# ---------------------------------------------------------------------- buttons


@kernel
def pressed(state, key):
    """Return the place of a button among those that are down, or -1."""
    for k in range(state.held_count):
        if state.held[k].key == key:
            return k
    return -1


@kernel
def hold(engine, state, slot, b, velocity):
    """Note that a button is down, and how it is released."""
    if state.held_count >= MAX_HELD:
        drop(engine, slot)
        return
    state.held[state.held_count] = b
    state.held[state.held_count].slot = slot  # whatever the table says
    state.held_velocity[state.held_count] = velocity
    state.held_count += 1


@kernel
def release(engine, state, slot, key, frame):
    """Release a slot's buttons of a key, or of `EVERY` one, as they were bound when pressed."""
    kept = np.int64(0)
    for k in range(state.held_count):
        held = state.held[k]
        if held.slot == slot and (held.key == key or key == EVERY):
            let_go(engine, state, held, frame)
        else:
            if kept != k:
                state.held[kept] = held
                state.held_velocity[kept] = state.held_velocity[k]
            kept += 1
    state.held_count = kept


@kernel
def release_slot(engine, state, slot, frame):
    """Release every button of a slot, and let its jog wheels rest: its device is gone."""
    release(engine, state, slot, EVERY, frame)
    for k in range(state.bent_count):
        if state.bent[k].slot == slot:
            state.bent[k].frame = LONG_AGO
    rest_bent(engine, state, frame)
    kept = np.int64(0)
    for k in range(state.pair_count):
        if state.pair[k].slot != slot:
            if kept != k:
                state.pair[kept] = state.pair[k]
            kept += 1
    state.pair_count = kept


@kernel
def let_go(engine, state, held, frame):
    """Do what the release of a button does."""
    slot = np.int64(held.slot)
    if held.action == Action.HOLD:
        op, deck, target, index = held.op, held.deck, held.target, held.index
        ask(engine, state, slot, op, deck, target, index, held.rest, frame)
    elif held.action == Action.STATE and held.state_rule == StateRule.HOLD:
        put_state(engine, state, slot, held.state_mask, np.int64(0), frame)
    elif held.action == Action.STAGE:
        tell(engine, state, EventKind.STAGE, slot, held.number, frame, 0.0, 0, 0)


@kernel
def release_unknown(engine, state, slot, b, frame):
    """Do what a release does whose press is not known: the host before this one has seen it."""
    if b.action == Action.HOLD:
        ask(engine, state, slot, b.op, b.deck, b.target, b.index, b.rest, frame)
    elif b.action == Action.STATE and b.state_rule == StateRule.HOLD:
        put_state(engine, state, slot, b.state_mask, np.int64(0), frame)


@kernel
def press(engine, state, slot, b, velocity, frame):
    """Do what a press does; `velocity` is above 0, up to 1."""
    x = b.low + velocity * (b.high - b.low) if b.by_velocity != 0 else b.x
    action = b.action
    if action == Action.TOGGLE:
        if b.index >= 0:
            x = b.rest if value_now(engine, state, b.index) == b.x else b.x
            ask(engine, state, slot, b.op, b.deck, b.target, b.index, x, frame)
    elif action == Action.CYCLE:
        cycle(engine, state, slot, b, np.int64(1), frame)
    elif action == Action.PRESS or action == Action.HOLD:
        ask(engine, state, slot, b.op, b.deck, b.target, b.index, x, frame)
    elif action == Action.STATE:
        change_state(engine, state, slot, b, frame)
    elif action == Action.STAGE:
        tell(engine, state, EventKind.STAGE, slot, b.number, frame, velocity, 0, 0)


@kernel
def cycle(engine, state, slot, b, steps, frame):
    """Take a choice some options on, round and round."""
    if b.index < 0 or b.options <= 0:
        return
    place = value_now(engine, state, b.index) - b.low
    place = place + steps
    place -= b.options * math.floor(place / b.options)
    ask(engine, state, slot, b.op, b.deck, b.target, b.index, b.low + place, frame)


@kernel
def change_state(engine, state, slot, b, frame):
    """Change the bits of a slot's state as a binding says."""
    value = b.state_value & b.state_mask
    if b.state_rule == StateRule.TOGGLE:
        if engine.midi.slots[slot].state & b.state_mask == value:
            value = 0
    put_state(engine, state, slot, b.state_mask, value, frame)


@kernel
def put_state(engine, state, slot, mask, value, frame):
    """Set bits of a slot's state, and tell the stage if that changed anything."""
    record = engine.midi.slots[slot]
    changed = (record.state & ~mask) | (value & mask)
    if changed != record.state:
        record.state = changed
        number, none = np.int32(0), np.int64(0)
        tell(engine, state, EventKind.STATE, slot, number, frame, 0.0, none, none)


# ---------------------------------------------------------------------- faders and knobs


@kernel
def absolute(engine, state, slot, b, place, top, frame):
    """Do what an absolute control does at a place of its way, 0..1."""
    travel = b.start + (b.end - b.start) * place
    action = b.action
    control = state.input[slot][b.input]
    before, control.place = control.place, place
    if action == Action.STAGE:
        tell(engine, state, EventKind.STAGE, slot, b.number, frame, travel, 0, 0)
        return
    if (action != Action.SET and action != Action.TEMPO_FADER) or b.index < 0:
        return
    now = value_now(engine, state, b.index)
    if action == Action.TEMPO_FADER:
        reach = rate_range(engine, state, b.range_index)
        value = 1.0 + (2.0 * travel - 1.0) * reach
    else:
        value = value_at(b.taper, b.whole, b.low, b.high, travel)
    current = travel_of(engine, state, b, now)
    if b.takeover == Takeover.PICKUP:
        owned = control.owned == b.index + 1 and control.sent == now
        if not owned and not reaches(b, before, travel, current, top):
            return
    control.owned = b.index + 1
    control.sent = value
    ask(engine, state, slot, b.op, b.deck, b.target, b.index, value, frame)


@kernel
def travel_of(engine, state, b, value):
    """Return the travel at which an absolute control has a value."""
    if b.action == Action.TEMPO_FADER:
        return 0.5 + 0.5 * (value - 1.0) / rate_range(engine, state, b.range_index)
    return travel_at(b.taper, b.low, b.high, value)


@kernel
def reaches(b, before, travel, current, top):
    """Return whether a control stands where its value is, or has just passed it."""
    tolerance = TOLERANCE if top < 128 else 0.5 * TOLERANCE
    if abs(travel - current) <= tolerance:
        return True
    if before < 0.0:
        return False
    was = b.start + (b.end - b.start) * before
    return (was - current) * (travel - current) <= 0.0


@kernel
def rate_range(engine, state, index):
    """Return how far a tempo fader goes, as a factor of the rate."""
    number = np.int64(-1)
    if index >= 0 and index < VALUES:
        number = np.int64(value_now(engine, state, index))
    if number < 0 or number >= len(RANGES):
        return 0.08
    return RANGES[number] / 100.0


@kernel
def steps_of(encoding, value):
    """Return the steps that a message of a relative control means."""
    if encoding == Encoding.TWOS_COMPLEMENT:
        return value - 128 if value >= 64 else value
    if encoding == Encoding.OFFSET_64:
        return value - 64
    return -(value & 63) if value >= 64 else value


@kernel
def relative(engine, state, slot, b, steps, frame):
    """Do what a relative control does."""
    action = b.action
    if steps == 0:
        return
    if action == Action.STAGE:
        tell(engine, state, EventKind.STAGE, slot, b.number, frame, np.float64(steps), 0, 0)
    elif action == Action.CYCLE:
        cycle(engine, state, slot, b, steps, frame)
    elif action == Action.PRESS:
        ask(engine, state, slot, b.op, b.deck, b.target, b.index, b.x * steps, frame)
    elif action == Action.BEND:
        bend(engine, state, slot, b, steps, frame)
    elif action == Action.SET and b.index >= 0:
        now = value_now(engine, state, b.index)
        control = state.input[slot][b.input]
        travel = control.travel
        known = control.owned == b.index + 1 and control.sent == now
        if not known:
            travel = travel_at(b.taper, b.low, b.high, now)
        travel = min(1.0, max(0.0, travel + b.step * steps))
        value = value_at(b.taper, b.whole, b.low, b.high, travel)
        control.travel = travel
        control.owned = b.index + 1
        control.sent = value
        if value != now:
            ask(engine, state, slot, b.op, b.deck, b.target, b.index, value, frame)


@kernel
def bend(engine, state, slot, b, steps, frame):
    """Push by a jog wheel: the ticks of the last 60 ms, the older the less, times the step."""
    place = np.int64(-1)
    for k in range(state.bent_count):
        bent = state.bent[k]
        if bent.slot == slot and bent.op == b.op and bent.deck == b.deck:
            if bent.target == b.target:
                place = k
    if place < 0:
        if state.bent_count >= MAX_BENT:
            drop(engine, slot)
            return
        place = state.bent_count
        state.bent_count += 1
        bent = state.bent[place]
        bent.slot = slot
        bent.op = b.op
        bent.deck = b.deck
        bent.target = b.target
        bent.index = b.index
        bent.sum = 0.0
        bent.frame = frame
    bent = state.bent[place]
    still = STILL_S * engine.sample_rate
    fade = max(0.0, 1.0 - (frame - bent.frame) / still)
    bent.sum = bent.sum * fade + steps
    bent.frame = frame
    bent.rest = b.rest
    x = min(b.high, max(b.low, b.rest + b.step * bent.sum))
    ask(engine, state, slot, b.op, b.deck, b.target, b.index, x, frame)


@kernel
def rest_bent(engine, state, frame):
    """Let what jog wheels pushed rest again, once they gave nothing for a while."""
    still = STILL_S * engine.sample_rate
    kept = np.int64(0)
    for k in range(state.bent_count):
        bent = state.bent[k]
        if frame - bent.frame < still:
            if kept != k:
                state.bent[kept] = bent
            kept += 1
            continue
        slot, op, deck, target = np.int64(bent.slot), bent.op, bent.deck, bent.target
        ask(engine, state, slot, op, deck, target, bent.index, bent.rest, frame)
    state.bent_count = kept


# ---------------------------------------------------------------------- pairs


@kernel
def pair(engine, state, slot, b, half, value, frame):
    """Take one half of a 14-bit number; both make one move, in whichever order they come.

    The order of a device is learned from pairs that come after a rest. Once it is known, a
    half that the device sends last goes without its first: nothing is waited for.
    """
    control = state.input[slot][b.input]
    rested = frame - control.frame > PAIR_S * engine.sample_rate
    if rested:
        control.first = half
    else:
        if control.first != 0 and control.first != half:
            control.order = control.first
        control.first = 0
    control.frame = frame
    if half == MSB:
        control.msb = value
    else:
        control.lsb = value
    last = control.order != 0 and control.order != half
    if last or (control.pending != 0 and control.pending != half):
        control.pending = 0
        whole_pair(engine, state, slot, b, frame)
        return
    if control.pending != 0:
        return  # the same half again: it waits already
    place = np.int64(0)
    while place < state.pair_count:
        if state.pair[place].slot == slot and state.pair[place].input == b.input:
            break  # of the pair before, which is not cleared away yet
        place += 1
    if place >= MAX_PAIRS:
        whole_pair(engine, state, slot, b, frame)
        return
    control.pending = half
    state.pair_count = max(state.pair_count, place + 1)
    waiting = state.pair[place]
    waiting.key = b.key
    waiting.slot = slot
    waiting.input = b.input
    waiting.due = frame + np.int64(PAIR_S * engine.sample_rate)


@kernel
def take_entry(engine, state, slot, channel, number, entry, value, frame):
    """Take a data entry for what is bound to an NRPN: 6 or 38, or a step by 96 or 97.

    Parameters
    ----------
    entry : int64
        `MSB` or `LSB` of a half, whose number is `value`; `STEP` of a step, 1 or -1.
    """
    key = key_of(slot, Kind.NRPN, channel, number)
    table = engine.midi.tables[engine.midi.used & 1]
    place, count = first_binding(table, key)
    slot_state = engine.midi.slots[slot].state
    while place < count and table.binding[place].key == key:
        b = table.binding[place]
        place += 1
        in_force = slot_state & b.mask == b.want
        if not in_force or b.input < 0 or b.input >= INPUTS or b.index >= VALUES:
            continue
        if entry != STEP:
            pair(engine, state, slot, b, entry, value, frame)
        elif b.start != b.end:
            step_entry(engine, state, slot, b, value, frame)


@kernel
def step_entry(engine, state, slot, b, step, frame):
    """Move what is bound to an NRPN by a data increment or decrement."""
    control = state.input[slot][b.input]
    before = max(0.0, control.place)
    if b.index >= 0:
        now = value_now(engine, state, b.index)
        if control.owned != b.index + 1 or control.sent != now:
            before = (travel_of(engine, state, b, now) - b.start) / (b.end - b.start)
    after = min(1.0, max(0.0, before + step * ENTRY_STEP))
    absolute(engine, state, slot, b, after, np.int64(16383), frame)


@kernel
def whole_pair(engine, state, slot, b, frame):
    """Do what both halves of a number say together."""
    control = state.input[slot][b.input]
    if control.msb < 0:
        return
    # A device of 7 bits on a binding of 14: its highest number is the highest.
    lsb = control.lsb if control.lsb >= 0 else control.msb
    absolute(engine, state, slot, b, ((control.msb << 7) | lsb) / 16383.0, np.int64(16383), frame)


@kernel
def finish_pairs(engine, state, frame):
    """Do what halves say that stayed alone until a frame."""
    table = engine.midi.tables[engine.midi.used & 1]
    kept = np.int64(0)
    for k in range(state.pair_count):
        waiting = state.pair[k]
        slot, key, number, due = np.int64(waiting.slot), waiting.key, waiting.input, waiting.due
        control = state.input[slot][number]
        if control.pending == 0:
            continue
        if due > frame:
            if kept != k:
                state.pair[kept] = waiting
            kept += 1
            continue
        control.pending = 0
        place, count = first_binding(table, key)
        while place < count and table.binding[place].key == key:
            b = table.binding[place]
            place += 1
            in_force = engine.midi.slots[slot].state & b.mask == b.want
            if in_force and b.input == number and b.index < VALUES:
                whole_pair(engine, state, slot, b, max(due, state.first))
    state.pair_count = kept
