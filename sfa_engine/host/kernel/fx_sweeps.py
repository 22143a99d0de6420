"""Slow movements in time: flanger, phaser, and the filter sweep."""

from __future__ import annotations

import numpy as np
from numba import carray

from sfa_engine.desk.effects import CYCLES
from sfa_engine.engine.layout import FX_STAGES, TICK
from sfa_engine.host.kernel import filters
from sfa_engine.host.kernel.elementary import cos_pi, exp2, sin_pi
from sfa_engine.host.kernel.fx_memory import bounded
from sfa_engine.host.kernel.fx_reverb import sine
from sfa_engine.host.kernel.intrinsics import float32_at, kernel, part

F = np.float32
BEATS = tuple(float(cycle) for cycle in CYCLES)
# A tick moves it no further than the fastest cycle does, a quarter of a beat at 180 BPM: after a
# jump of the deck the movement slides to where it belongs, in 30 ms.
STEEPEST = 0.06
QUARTER = 0.25  # of a turn, that the right side is ahead
NEAREST_S, FURTHEST_S = 0.0004, 0.007  # of the flanger's delay
LOWEST_HZ, OCTAVES = 220.0, 4.6  # of the phaser's notches
RISE = 1.0 / 256.0  # a frame
BESIDE = F(0.6)  # of sound and copy: in phase they are +1.6 dB


@kernel
def cycle_beats(step):
    """Return the length in beats of a knob that steps through `CYCLES`."""
    return BEATS[min(len(BEATS) - 1, max(0, int(step)))]


@kernel
def follow_wave(unit, slot, frames):
    """Move both sides' places to where the beat has them; return them as they were."""
    turns = (unit.beat + unit.pace * frames) / cycle_beats(slot.knob[0])
    wave = -sine(turns + QUARTER)  # at a cycle's start it is at its lowest
    side = -sine(turns + 2.0 * QUARTER)
    if slot.fresh != 0:
        slot.wave = wave
        slot.wave_side = side
    before, side_before = slot.wave, slot.wave_side
    most = STEEPEST * frames / TICK
    slot.wave += min(most, max(-most, wave - before))
    slot.wave_side += min(most, max(-most, side - side_before))
    return before, side_before


@kernel
def flanger(dsp, unit, slot, bus, frames):
    """Put a copy beside the sound of a bus, whose delay sweeps."""
    size = dsp.fx_frames >> 6
    mask = size - 1
    was, side_was = follow_wave(unit, slot, frames)
    rate = dsp.sample_rate
    span = 0.5 * (FURTHEST_S - NEAREST_S) * rate
    least = NEAREST_S * rate
    depth0, depth1 = slot.knob_from[1] / 100.0, slot.knob[1] / 100.0
    share = 1.0 / frames
    for c in range(2):
        ring = carray(float32_at(slot.memory_address + 4 * size * c), (size,))
        row = part(bus, c, 0)
        wave0, wave1 = (was, slot.wave) if c == 0 else (side_was, slot.wave_side)
        late = least + span * depth0 * (1.0 + wave0)
        step = (least + span * depth1 * (1.0 + wave1) - late) * share
        feedback = slot.knob_from[2] / 100.0
        feedback_step = (slot.knob[2] / 100.0 - feedback) * share
        at = slot.at
        for i in range(frames):
            late += step
            feedback += feedback_step
            whole = np.int64(late)
            part_ = F(late - whole)
            k = at + i - whole
            here = ring[k & mask] if k >= 0 else F(0)
            before = ring[(k - 1) & mask] if k >= 1 else F(0)
            y = here + (before - here) * part_
            x = row[i]
            # The louder it rings, the less goes in: its peaks stay below +12 dB. What goes in
            # first fades in, or it would come out as a click.
            taken = F((1.0 - 0.6 * feedback) * min(1.0, (at + i) * RISE))
            ring[(at + i) & mask] = bounded(taken * x + F(feedback) * y)
            row[i] = BESIDE * (x + y)


@kernel
def all_pass(hertz, rate):
    """Return the coefficient of an all-pass that turns by 90 degrees at a frequency."""
    half_w = min(0.45, hertz / rate)
    t = sin_pi(half_w) / cos_pi(half_w)
    return (t - 1.0) / (t + 1.0)


@kernel
def phaser(dsp, unit, slot, bus, frames):
    """Put the sound of a bus beside itself, turned by six all-passes that sweep."""
    was, side_was = follow_wave(unit, slot, frames)
    rate = dsp.sample_rate
    depth0, depth1 = slot.knob_from[1] / 100.0, slot.knob[1] / 100.0
    share = 1.0 / frames
    for c in range(2):
        wave0, wave1 = (was, slot.wave) if c == 0 else (side_was, slot.wave_side)
        a = all_pass(LOWEST_HZ * exp2(OCTAVES * 0.5 * depth0 * (1.0 + wave0)), rate)
        step = (
            all_pass(LOWEST_HZ * exp2(OCTAVES * 0.5 * depth1 * (1.0 + wave1)), rate) - a
        ) * share
        feedback = slot.knob_from[2] / 100.0
        feedback_step = (slot.knob[2] / 100.0 - feedback) * share
        row = part(bus, c, 0)
        stage = slot.stage
        last = np.float64(slot.hold[c])
        for i in range(frames):
            a += step
            feedback += feedback_step
            x = np.float64(row[i])
            v = (1.0 - 0.6 * feedback) * x + feedback * last
            for s in range(FX_STAGES):
                # One state each: y = a v + z, z = v - a y.
                y = a * v + stage[c, s]
                stage[c, s] = v - a * y
                v = y
            last = v
            row[i] = BESIDE * F(x + v)
        slot.hold[c] = bounded(F(last))
        for s in range(FX_STAGES):
            if abs(stage[c, s]) < 1e-20:
                stage[c, s] = 0.0


@kernel
def sweep(dsp, unit, slot, bus, frames):
    """Let a low-pass of the decks' kind close and open in time."""
    follow_wave(unit, slot, frames)
    depth = slot.knob[1]
    # Some of it is always closed, so that the filter never leaves and returns.
    place = -max(filters.EDGE, depth * 0.5 * (1.0 - slot.wave))
    filters.bipolar(slot.filter, bus, 0, frames, place, slot.knob[2], dsp.sample_rate)
