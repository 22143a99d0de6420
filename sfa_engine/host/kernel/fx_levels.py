"""What acts on samples and levels: bit-crusher, gate and compressor."""

from __future__ import annotations

import math

import numpy as np

from sfa_engine.engine.layout import FADE
from sfa_engine.host.kernel.elementary import exp2, factor_of, log2
from sfa_engine.host.kernel.fx_echo import beats_of
from sfa_engine.host.kernel.intrinsics import kernel, part

F = np.float32
LOG2_E = 1.4426950408889634
DECIBEL = 6.020599913279624  # of a factor of two
ATTACK_S = 0.004


@kernel
def crush(dsp, unit, slot, bus, frames):
    """Round the samples of a bus to fewer bits, and hold each for a while."""
    drive = F(factor_of(slot.knob[2]))
    levels = F(exp2(slot.knob[0] - 1.0))
    one = F(1.0 / np.float64(levels))
    pace = min(1.0, slot.knob[1] / dsp.sample_rate)
    left = part(bus, 0, 0)
    right = part(bus, 1, 0)
    a, b = slot.hold[0], slot.hold[1]
    phase = slot.phase if slot.fresh == 0 else 1.0
    for i in range(frames):
        phase += pace
        if phase >= 1.0:
            phase -= math.floor(phase)
            x = min(F(1), max(F(-1), drive * left[i]))
            y = min(F(1), max(F(-1), drive * right[i]))
            a = F(math.floor(x * levels + F(0.5))) * one
            b = F(math.floor(y * levels + F(0.5))) * one
        left[i] = a
        right[i] = b
    slot.hold[0], slot.hold[1] = a, b
    slot.phase = phase


@kernel
def gate(dsp, unit, slot, bus, frames):
    """Open and close in time, each within 2 ms."""
    length = beats_of(slot.knob[0])
    width = slot.knob[1] / 100.0
    closed = 1.0 - slot.knob[2] / 100.0
    turns = unit.beat / length
    step = unit.pace / length
    left = part(bus, 0, 0)
    right = part(bus, 1, 0)
    gain = slot.gain
    if slot.fresh != 0:
        gain = 1.0 if turns - math.floor(turns) < width else closed
    most = 1.0 / FADE
    for i in range(frames):
        goal = 1.0 if turns - math.floor(turns) < width else closed
        gain += min(most, max(-most, goal - gain))
        turns += step
        left[i] *= F(gain)
        right[i] *= F(gain)
    slot.gain = gain


@kernel
def compress(dsp, unit, slot, bus, frames):
    """Turn down what is above a level; the gain goes in straight lines from segment to segment."""
    attack = 1.0 - exp2(-LOG2_E / (ATTACK_S * dsp.sample_rate))
    release = 1.0 - exp2(-LOG2_E * 1000.0 / (slot.knob[2] * dsp.sample_rate))
    left = part(bus, 0, 0)
    right = part(bus, 1, 0)
    level = slot.level
    for i in range(frames):
        x = np.float64(max(abs(left[i]), abs(right[i])))
        level += (x - level) * (attack if x > level else release)
    slot.level = level if level > 1e-15 else 0.0
    slope = 1.0 - 1.0 / slot.knob[1]
    above = DECIBEL * log2(max(1e-6, level)) - slot.knob[0]
    made_up = -0.5 * slope * slot.knob[0]
    to = factor_of(made_up - slope * max(0.0, above))
    gain = slot.gain if slot.fresh == 0 else to
    step = (to - gain) / frames
    for i in range(frames):
        gain += step
        left[i] *= F(gain)
        right[i] *= F(gain)
    slot.gain = to
