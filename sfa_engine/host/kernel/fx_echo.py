"""Echo: repeats in time, whose highs or lows fade faster; straight, or from side to side."""

from __future__ import annotations

import math

import numpy as np

from sfa_engine.desk.effects import LENGTHS
from sfa_engine.engine.layout import TICK
from sfa_engine.host.kernel import fx_memory
from sfa_engine.host.kernel.elementary import exp2
from sfa_engine.host.kernel.fx_memory import bounded
from sfa_engine.host.kernel.glide import ramp
from sfa_engine.host.kernel.intrinsics import kernel, part

F = np.float32
TURN = 1024  # frames, 21 ms, in which another delay fades in: no pitch slides, nothing crackles
BEATS = tuple(float(length) for length in LENGTHS)
TWO_PI = 6.283185307179586
OPEN_HZ, DARK_HZ, DARK_OCTAVES = 18_000.0, 400.0, -5.491853096329675  # log2(400 / 18000)
LOW_HZ, LOW_OCTAVES = 20.0, 6.643856189774724  # from 20 to 2000 Hz


@kernel
def beats_of(step):
    """Return the length in beats of a knob that steps through `LENGTHS`."""
    return BEATS[min(len(BEATS) - 1, max(0, int(step)))]


@kernel
def frames_of(dsp, unit, beats, most):
    """Return how many frames a length in beats has; halved until it fits."""
    frames = beats / unit.tempo
    while frames > most:
        frames *= 0.5
    return max(np.int64(2 * TICK), np.int64(math.floor(frames + 0.5)))


@kernel
def echo(dsp, unit, slot, bus, frames, crosses):
    """Replace a bus by its repeats.

    Parameters
    ----------
    bus : float32[2, TICK]
    crosses : bool
        Whether repeats go from side to side.
    """
    size = dsp.fx_frames
    wanted = frames_of(dsp, unit, beats_of(slot.knob[0]), size - 2 * TICK)
    if slot.fresh != 0:
        slot.delay = wanted
        slot.fade = 0
    elif slot.fade == 0 and wanted != slot.delay:
        slot.delay_to = wanted
        slot.fade = TURN
    rows = dsp.fx_scratch
    for c in range(2):
        address = slot.memory_address + 4 * size * c
        late = part(rows, c, 0)
        fx_memory.read(address, size, slot.at - slot.delay, late, frames)
        if slot.fade > 0:
            other = part(rows, 2 + c, 0)
            fx_memory.read(address, size, slot.at - slot.delay_to, other, frames)
            left = max(np.int64(0), slot.fade - frames)
            ramp(dsp, 1.0 - slot.fade / TURN, 1.0 - left / TURN, frames)
            for i in range(frames):
                late[i] += (other[i] - late[i]) * dsp.ramp[i]
    if slot.fade > 0:
        slot.fade = max(np.int64(0), slot.fade - frames)
        if slot.fade == 0:
            slot.delay = slot.delay_to
    tone = slot.knob[2] / 100.0
    dark, thin = 1.0, 0.0
    if tone < 0.0:
        w = TWO_PI * OPEN_HZ * exp2(-DARK_OCTAVES * tone) / dsp.sample_rate
        dark = w / (1.0 + w)
    elif tone > 0.0:
        w = TWO_PI * LOW_HZ * exp2(LOW_OCTAVES * tone) / dsp.sample_rate
        thin = w / (1.0 + w)
    if slot.fresh != 0:
        slot.level = dark
        slot.gain = thin
    dark_step = (dark - slot.level) / frames
    thin_step = (thin - slot.gain) / frames
    feedback = slot.knob_from[1] / 100.0
    step = (slot.knob[1] / 100.0 - feedback) / frames
    state = slot.state
    left = part(rows, 0, 0)
    right = part(rows, 1, 0)
    out_left = part(bus, 0, 0)
    out_right = part(bus, 1, 0)
    a, b, d, e = state[0, 0], state[0, 1], state[1, 0], state[1, 1]
    k, m, fb = slot.level, slot.gain, feedback
    for i in range(frames):
        k += dark_step
        m += thin_step
        fb += step
        a += k * (left[i] - a)
        b += m * (a - b)
        d += k * (right[i] - d)
        e += m * (d - e)
        x = F(a - b)
        y = F(d - e)
        if crosses:
            left[i] = bounded(F(0.5) * (out_left[i] + out_right[i]) + F(fb) * y)
            right[i] = bounded(F(fb) * x)
        else:
            left[i] = bounded(out_left[i] + F(fb) * x)
            right[i] = bounded(out_right[i] + F(fb) * y)
        out_left[i] = x
        out_right[i] = y
    state[0, 0], state[0, 1], state[1, 0], state[1, 1] = a, b, d, e
    slot.level = dark
    slot.gain = thin
    for ch in range(2):
        for n in range(2):
            if abs(state[ch, n]) < 1e-20:
                state[ch, n] = 0.0
        row = part(rows, ch, 0)
        fx_memory.write(slot.memory_address + 4 * size * ch, size, slot.at, row, frames)
