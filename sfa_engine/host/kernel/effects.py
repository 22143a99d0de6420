"""Two effect units: what is assigned to them, their chains of slots, and what is heard of them.

The sound that is assigned never leaves its path. A unit takes a copy of it, behind its faders,
and hands back only what the effects made of it; in mode ``insert`` as much is taken from the sound
in its place as the effects replace. So whatever is neutral changes no bit.

::

    stem ─ volume, pan ─┬──────────── x dry ─ deck ─ fader, crossfader ─┬─ x dry ─┬─ + ──►
                        │ trim, fader                                   │         │  ▲
                        └──────────► unit ◄─────────────────────────────┘         │  │
                                      └─ slot 1 ─ slot 2 ─ slot 3 ─ mix ──────────│──┘
                                    unit of the master ◄──────────────────────────┘

Within a slot: ``out = in (1 - gate mix) + effect(in) mix``. ``gate`` is how far the slot and its
unit are on. What rings on is fed by the gate; what does not is cut by it.
"""

from __future__ import annotations

import math

import numpy as np

from sfa_engine.desk.effects import KIND_NAMES
from sfa_engine.engine.layout import DECKS, FADE, FX_SLOTS, FX_UNITS, STRIPS, TICK, VALUE_INDEX
from sfa_engine.host.kernel import (
    fx_echo,
    fx_levels,
    fx_reverb,
    fx_sweeps,
    fx_time,
    fx_user,
    lead,
    sync,
    transport,
)
from sfa_engine.host.kernel.elementary import exp2, log2
from sfa_engine.host.kernel.glide import legal, ramp
from sfa_engine.host.kernel.intrinsics import kernel, part
from sfa_engine.host.kernel.lead import CLOCK, session_beat
from sfa_engine.host.kernel.reports import change
from sfa_engine.host.kernel.side import step_to

F = np.float32
NONE = KIND_NAMES.index("none")
ECHO = KIND_NAMES.index("echo")
PINGPONG = KIND_NAMES.index("pingpong")
REVERB = KIND_NAMES.index("reverb")
FLANGER = KIND_NAMES.index("flanger")
PHASER = KIND_NAMES.index("phaser")
CRUSH = KIND_NAMES.index("crush")
REPEAT = KIND_NAMES.index("repeat")
GATE = KIND_NAMES.index("gate")
SWEEP = KIND_NAMES.index("sweep")
COMPRESS = KIND_NAMES.index("compress")
TAPESTOP = KIND_NAMES.index("tapestop")
USER = KIND_NAMES.index("user")
LOUDEST = F(1e6)  # no sound; NaN and infinity are not below it
SILENT = F(1e-6)  # -120 dB
TOO_LOUD = F(64)  # +36 dB: no effect gives that; one that does begins anew
HOLD_S = 0.1  # of silence, after which an effect has rung out
HOLD_USER_S = 4.0
LADDER_EFFECTS = 2  # step of the overload ladder that leaves the units out
AT_KIND = VALUE_INDEX["fx1.slot1.kind"]
KNOB_OFFSET = VALUE_INDEX["fx1.slot1.param_a"] - AT_KIND


@kernel
def settle(slot):
    """Empty a slot: what it remembers of the sound does not count any more."""
    slot.at = 0
    slot.ringing = 0
    slot.quiet = 0
    slot.fresh = 1
    slot.fade = 0
    slot.level = 0.0
    slot.gain = 1.0
    slot.phase = 0.0
    slot.half = 0
    slot.running = 0
    slot.slice = 0
    slot.repeats = 0
    slot.lag = 0.0
    slot.speed = 1.0
    slot.wet_gain = 0.0
    for c in range(2):
        slot.hold[c] = F(0)
        for k in range(slot.state.shape[1]):
            slot.state[c, k] = 0.0
        for k in range(slot.stage.shape[1]):
            slot.stage[c, k] = 0.0
        for k in range(2):
            slot.filter.state[c, k] = 0.0
    for k in range(slot.damp.shape[1]):
        slot.damp[0, k] = F(0)
    slot.filter.wet = 0.0


@kernel
def choose(engine, dsp, index, kind, frame):
    """Put a slot's knobs to where an effect begins that is chosen for it."""
    number = min(len(KIND_NAMES) - 1, max(0, int(kind)))
    for k in range(3):
        at = index + KNOB_OFFSET + k
        change(engine, dsp, at, legal(dsp, at, dsp.fx_rest[number, k]), frame)


@kernel
def assigned(values, deck, unit):
    """Return how far a deck is put through a unit, 0 to 1."""
    return values.deck[deck].fx1 if unit == 0 else values.deck[deck].fx2


@kernel
def stem_assigned(values, deck, stem, unit):
    """Return how far a stem is put through a unit, beside its deck, 0 to 1."""
    strip = values.deck[deck].stem[stem]
    return (strip.fx1 if unit == 0 else strip.fx2) * (1.0 - assigned(values, deck, unit))


@kernel
def master_assigned(values, unit):
    """Return how far the master is put through a unit, 0 to 1: decks and stems are not, then."""
    return values.master.fx1 if unit == 0 else values.master.fx2


@kernel
def switch_off(unit):
    """Leave a unit out, and what rings in it."""
    unit.active = 0
    unit.listens = 0
    for s in range(FX_SLOTS):
        slot = unit.slot[s]
        if slot.ringing != 0 or slot.at != 0:
            settle(slot)


@kernel
def prepare(engine, dsp, frames, frame):
    """Take the units across the gates and blends of a segment, before anything is rendered."""
    for u in range(FX_UNITS):
        unit = dsp.unit[u]
        unit.allow_from = unit.allow
        unit.allow = step_to(unit.allow, 1.0 if engine.ladder < LADDER_EFFECTS else 0.0, frames)
        if unit.allow_from == 0.0 and unit.allow == 0.0:
            switch_off(unit)
            continue
        first = dsp.start.fx[u]
        to = dsp.to.fx[u]
        values = engine.values.fx[u]
        active = np.int64(0)
        listens = np.int64(0)
        dry0 = dry1 = 1.0
        for s in range(FX_SLOTS):
            slot = unit.slot[s]
            wanted = np.int64(values.slot[s].kind)
            slot.blend_from = slot.blend
            if slot.kind != wanted:
                sounds = slot.gate_to != 0.0 or slot.ringing != 0
                slot.blend = max(0.0, slot.blend - frames / FADE) if sounds else 0.0
                if slot.blend_from == 0.0 or not sounds:
                    slot.kind = wanted
                    settle(slot)
                    slot.blend_from = slot.blend = 0.0
                    slot.gate_to = 0.0
            elif slot.blend < 1.0:
                slot.blend = min(1.0, slot.blend + frames / FADE)
            if slot.kind == NONE:
                slot.gate_from = slot.gate_to = 0.0
                slot.blend = 1.0
                continue
            gate0 = first.on * first.slot[s].on * slot.blend_from
            gate1 = to.on * to.slot[s].on * slot.blend
            if slot.kind == TAPESTOP:
                # A tape that is let go comes to speed first.
                gate0 = slot.gate_to
                goal = 1.0 if gate1 > 0.5 or slot.running == fx_time.STARTS else 0.0
                gate1 = min(slot.blend, step_to(gate0, goal, frames))
            slot.gate_from, slot.gate_to = gate0, gate1
            slot.mix_from = first.slot[s].mix / 100.0
            slot.mix_to = to.slot[s].mix / 100.0
            dry0 *= 1.0 - gate0 * slot.mix_from
            dry1 *= 1.0 - gate1 * slot.mix_to
            if gate0 != 0.0 or gate1 != 0.0 or slot.ringing != 0:
                active = 1
            if slot.kind in (REPEAT, TAPESTOP):
                listens = 1
        unit.insert_from = unit.insert
        goal = 1.0 if values.mode == 0.0 else 0.0
        unit.insert = step_to(unit.insert, goal, frames) if unit.active != 0 else goal
        unit.dry_from = 1.0 - first.mix / 100.0 * unit.allow_from * (1.0 - dry0) * unit.insert_from
        unit.dry_to = 1.0 - to.mix / 100.0 * unit.allow * (1.0 - dry1) * unit.insert
        unit.active = active
        unit.listens = 1 if active != 0 or listens != 0 else 0
        if unit.listens != 0:
            follow_beat(engine, dsp, unit, np.int64(u), frame)
            for c in range(2):
                row = part(unit.bus, c, 0)
                for i in range(frames):
                    row[i] = F(0)


@kernel
def follow_beat(engine, dsp, unit, number, frame):
    """Bring a unit's beat and tempo up to date."""
    if frame % TICK == 0 or unit.tempo == 0.0:
        found = np.int64(CLOCK)
        if engine.values.fx[number].timing == 0.0:
            for d in range(DECKS - 1, -1, -1):
                goes = assigned(dsp.to, d, number) > 0.0
                for s in range(STRIPS):
                    goes = goes or stem_assigned(dsp.to, d, s, number) > 0.0
                if goes:
                    found = np.int64(d)
        if found != CLOCK and not sync.can_lead(engine, dsp, found):
            # A deck that stands still has no beat: the last one goes on, for what still rings.
            found = np.int64(CLOCK) if unit.tempo == 0.0 or unit.lead != found else found
        unit.lead = found
        if found == CLOCK or sync.can_lead(engine, dsp, found):
            unit.tempo = max(1e-9, lead.tempo(engine, dsp, found, frame))
    if unit.lead == CLOCK:
        unit.beat = session_beat(engine, frame)
        unit.pace = engine.clock_speed
    elif sync.can_lead(engine, dsp, unit.lead):
        beat, length = transport.running_beat(engine, dsp, unit.lead, frame)
        unit.beat = beat
        unit.pace = transport.paced_speed(engine, unit.lead) / length
    else:
        unit.beat += (frame - unit.beat_frame) * unit.pace
    unit.beat_frame = frame


@kernel
def take(dsp, unit, bus, start, frames, gain0, gain1):
    """Add part of a bus to what a unit has been given."""
    if gain0 == 0.0 and gain1 == 0.0:
        return
    ramp(dsp, gain0, gain1, frames)
    for c in range(2):
        row = part(bus, c, start)
        sums = part(unit.bus, c, 0)
        for i in range(frames):
            sums[i] += row[i] * dsp.ramp[i]


@kernel
def leave(dsp, bus, start, frames, dry0, dry1):
    """Leave of part of a bus what the effects do not replace."""
    if dry0 == 1.0 and dry1 == 1.0:
        return
    ramp(dsp, dry0, dry1, frames)
    for c in range(2):
        row = part(bus, c, start)
        for i in range(frames):
            row[i] *= dsp.ramp[i]


@kernel
def take_stem(dsp, deck, stem, start, frames):
    """Give a stem that has been rendered to the units that it is assigned to."""
    dry0 = dry1 = 1.0
    for u in range(FX_UNITS):
        unit = dsp.unit[u]
        if unit.listens == 0:
            continue
        share0 = stem_assigned(dsp.start, deck, stem, u) * (1.0 - master_assigned(dsp.start, u))
        share1 = stem_assigned(dsp.to, deck, stem, u) * (1.0 - master_assigned(dsp.to, u))
        gain0, gain1 = share0 * dsp.tap_from, share1 * dsp.tap_to
        take(dsp, unit, dsp.strip_bus, start, frames, gain0, gain1)
        dry0 *= 1.0 - share0 * (1.0 - unit.dry_from)
        dry1 *= 1.0 - share1 * (1.0 - unit.dry_to)
    leave(dsp, dsp.strip_bus, start, frames, dry0, dry1)


@kernel
def take_deck(dsp, deck, start, frames):
    """Give a deck, behind its fader, to the units that it is assigned to."""
    dry0 = dry1 = 1.0
    for u in range(FX_UNITS):
        unit = dsp.unit[u]
        if unit.listens == 0:
            continue
        share0 = assigned(dsp.start, deck, u) * (1.0 - master_assigned(dsp.start, u))
        share1 = assigned(dsp.to, deck, u) * (1.0 - master_assigned(dsp.to, u))
        take(dsp, unit, dsp.deck_bus, start, frames, share0, share1)
        dry0 *= 1.0 - share0 * (1.0 - unit.dry_from)
        dry1 *= 1.0 - share1 * (1.0 - unit.dry_to)
    leave(dsp, dsp.deck_bus, start, frames, dry0, dry1)


@kernel
def render(engine, dsp, start, frames, frame):
    """Add what the units make of what they were given to the mix; those of the master come last."""
    for turn in range(2):
        for u in range(FX_UNITS):
            unit = dsp.unit[u]
            share0 = master_assigned(dsp.start, u)
            share1 = master_assigned(dsp.to, u)
            is_last = share0 != 0.0 or share1 != 0.0
            if unit.listens == 0 or is_last != (turn == 1):
                continue
            if is_last:
                take(dsp, unit, dsp.mix_bus, start, frames, share0, share1)
                dry0 = 1.0 - share0 * (1.0 - unit.dry_from)
                dry1 = 1.0 - share1 * (1.0 - unit.dry_to)
                leave(dsp, dsp.mix_bus, start, frames, dry0, dry1)
            run_chain(engine, dsp, np.int64(u), frames)
            if unit.active == 0:
                continue
            mix0 = dsp.start.fx[u].mix / 100.0 * unit.allow_from
            mix1 = dsp.to.fx[u].mix / 100.0 * unit.allow
            if mix0 == 0.0 and mix1 == 0.0:
                continue
            ramp(dsp, mix0, mix1, frames)
            for c in range(2):
                row = part(dsp.fx_wet, c, 0)
                sums = part(dsp.mix_bus, c, start)
                for i in range(frames):
                    sums[i] += row[i] * dsp.ramp[i]


@kernel
def turn_knobs(dsp, unit, number, s, slot):
    """Work out what the knobs of a slot mean, at the end of a segment; the macro moves one."""
    kind = slot.kind
    values = dsp.to.fx[number]
    macro = values.macro / 100.0
    for k in range(3):
        knob = values.slot[s].param_a
        if k == 1:
            knob = values.slot[s].param_b
        elif k == 2:
            knob = values.slot[s].param_c
        travel = knob / 100.0
        if macro > 0.0 and dsp.fx_macro[kind, 0] == k:
            travel += (dsp.fx_macro[kind, 1] - travel) * macro
        low = dsp.fx_scale[kind, k, 0]
        high = dsp.fx_scale[kind, k, 1]
        value = low + (high - low) * travel
        if dsp.fx_scale[kind, k, 2] == 1.0:
            value = low * exp2(log2(high / low) * travel)
        elif dsp.fx_scale[kind, k, 2] == 2.0:
            value = math.floor(value + 0.5)
        slot.knob_from[k] = slot.knob[k] if slot.fresh == 0 else value
        slot.knob[k] = value


@kernel
def run_chain(engine, dsp, number, frames):
    """Put what a unit was given through its slots, into the dsp's wet bus."""
    unit = dsp.unit[number]
    wet = dsp.fx_wet
    out = dsp.fx_in
    for c in range(2):
        given = part(unit.bus, c, 0)
        row = part(wet, c, 0)
        for i in range(frames):
            x = given[i]
            given[i] = x if abs(x) < LOUDEST else F(0)
            row[i] = F(0)
    dry0 = dry1 = 1.0
    for s in range(FX_SLOTS):
        slot = unit.slot[s]
        kind = slot.kind
        gate0, gate1 = slot.gate_from, slot.gate_to
        idle = gate0 == 0.0 and gate1 == 0.0 and slot.ringing == 0
        if kind == NONE or (idle and kind != REPEAT and kind != TAPESTOP):
            continue
        ramp(dsp, dry0, dry1, frames)
        for c in range(2):
            given = part(unit.bus, c, 0)
            row = part(wet, c, 0)
            x = part(out, c, 0)
            for i in range(frames):
                x[i] = given[i] * dsp.ramp[i] + row[i]
        if idle:
            if kind == REPEAT:
                fx_time.remember(dsp, slot, out, frames)
            else:
                fx_time.remember_tape(dsp, slot, out, frames)
            continue
        turn_knobs(dsp, unit, number, s, slot)
        tail = dsp.fx_tail[kind] != 0
        if tail:
            leave(dsp, out, 0, frames, gate0, gate1)
        is_heard = peak(out, frames) > SILENT
        wanted = dsp.to.fx[number].on * dsp.to.fx[number].slot[s].on > 0.5
        play(engine, dsp, unit, slot, out, frames, wanted and slot.blend > 0.0)
        slot.fresh = 0
        loud = peak(out, frames)
        if not (loud < TOO_LOUD):
            settle(slot)
            for c in range(2):
                x = part(out, c, 0)
                for i in range(frames):
                    x[i] = F(0)
        slot.quiet = 0 if loud > SILENT or is_heard else slot.quiet + frames
        slot.ringing = 1
        if gate1 == 0.0:
            hold = HOLD_USER_S if kind == USER else HOLD_S
            hold *= dsp.sample_rate
            if kind in (ECHO, PINGPONG):
                hold += max(slot.delay, slot.delay_to)
            elif kind == REVERB:
                hold += 0.001 * slot.knob[2] * dsp.sample_rate
            if not tail or slot.quiet > hold:
                if kind in (REPEAT, TAPESTOP):
                    slot.ringing = 0
                else:
                    settle(slot)
        gain0 = slot.mix_from * (slot.blend_from if tail else gate0)
        gain1 = slot.mix_to * (slot.blend if tail else gate1)
        rest0 = 1.0 - gate0 * slot.mix_from
        rest1 = 1.0 - gate1 * slot.mix_to
        dry0 *= rest0
        dry1 *= rest1
        leave(dsp, wet, 0, frames, rest0, rest1)
        ramp(dsp, gain0, gain1, frames)
        for c in range(2):
            row = part(wet, c, 0)
            x = part(out, c, 0)
            for i in range(frames):
                row[i] += x[i] * dsp.ramp[i]


@kernel
def peak(bus, frames):
    """Return the peak of a bus; NaN if there is one in it, or infinity."""
    most = F(0)
    sums = F(0)
    for c in range(2):
        row = part(bus, c, 0)
        for i in range(frames):
            most = max(most, abs(row[i]))
        for i in range(frames):
            sums += row[i] * F(0)
    return most + sums


@kernel
def play(engine, dsp, unit, slot, bus, frames, wanted):
    """Let a slot's effect replace a bus."""
    kind = slot.kind
    if kind == ECHO:
        fx_echo.echo(dsp, unit, slot, bus, frames, False)
    elif kind == PINGPONG:
        fx_echo.echo(dsp, unit, slot, bus, frames, True)
    elif kind == REVERB:
        fx_reverb.reverb(dsp, unit, slot, bus, frames)
    elif kind == FLANGER:
        fx_sweeps.flanger(dsp, unit, slot, bus, frames)
    elif kind == PHASER:
        fx_sweeps.phaser(dsp, unit, slot, bus, frames)
    elif kind == CRUSH:
        fx_levels.crush(dsp, unit, slot, bus, frames)
    elif kind == REPEAT:
        fx_time.repeat(dsp, unit, slot, bus, frames)
        return
    elif kind == GATE:
        fx_levels.gate(dsp, unit, slot, bus, frames)
    elif kind == SWEEP:
        fx_sweeps.sweep(dsp, unit, slot, bus, frames)
    elif kind == COMPRESS:
        fx_levels.compress(dsp, unit, slot, bus, frames)
    elif kind == TAPESTOP:
        fx_time.tape(dsp, unit, slot, bus, frames, wanted)
        return
    elif kind == USER:
        fx_user.user(engine, dsp, unit, slot, bus, frames)
    slot.at += frames
