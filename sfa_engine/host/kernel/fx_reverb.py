"""Reverb: a feedback delay network of eight lines, behind four diffusers a side.

::

    in ─ pre-delay ─ high-pass ─ 4 all-passes ─ + ─ 8 delay lines ─┬─ out, half of them inverted
                                                ▲                  │
                                 gains ─ Hadamard matrix ─ low-passes

All lines are longer than a tick, so that everything but the low-passes is done a row at a time.
Every other line is longer and shorter by turns by a third of a millisecond, which keeps its modes
from standing out.

References
----------
.. [1] J.-M. Jot, A. Chaigne, "Digital delay networks for designing artificial reverberators", AES
   90th Convention, 1991.
.. [2] J. Dattorro, "Effect design, part 1", J. AES 45(9), 1997: diffusers and modulation.
"""

from __future__ import annotations

import math

import numpy as np
from numba import carray

from sfa_engine.engine.layout import FX_LINES
from sfa_engine.host.kernel import fx_memory
from sfa_engine.host.kernel.elementary import exp2, sin_pi
from sfa_engine.host.kernel.fx_memory import bounded
from sfa_engine.host.kernel.intrinsics import float32_at, kernel, part

F = np.float32
DECAY = -9.965784284662087  # log2 of -60 dB
DIFFUSION = F(0.6)
SCALE = F(0.35355339059327373)  # of a Hadamard matrix of 8: 1 / sqrt(8)
LEVEL = F(0.6)  # of what comes out, so that music is about as loud as before
DARKEST = 0.85  # of the low-passes' feedback
SWAY_S = 0.00017  # of a line's length, up and down
SWAY_HZ = 0.7
LOW_HZ = 70.0
SIDES = 2
DIFFUSERS = 4


@kernel
def sine(turns):
    """Return the sine of so many turns."""
    x = 2.0 * (turns - math.floor(turns + 0.5))
    if x > 0.5:
        x = 1.0 - x
    elif x < -0.5:
        x = -1.0 - x
    return sin_pi(x)


@kernel
def read_swaying(address, size, at, row, frames, late, late_step):
    """Read frames of a ring by straight lines between samples; `late` frames are added to `at`."""
    ring = carray(float32_at(address), (size,))
    mask = size - 1
    for i in range(frames):
        late += late_step
        whole = np.int64(late)
        share = F(late - whole)
        k = at + i - whole
        here = ring[k & mask] if k >= 0 else F(0)
        before = ring[(k - 1) & mask] if k >= 1 else F(0)
        row[i] = here + (before - here) * share


@kernel
def reverb(dsp, unit, slot, bus, frames):
    """Replace a bus by its reverberation."""
    rate = dsp.sample_rate
    line_size = dsp.fx_frames >> 6
    diffuser_size = dsp.fx_frames >> 8
    early_size = dsp.fx_frames >> 4
    lines_at = slot.memory_address
    diffusers_at = lines_at + 4 * FX_LINES * line_size
    early_at = diffusers_at + 4 * SIDES * DIFFUSERS * diffuser_size
    rows = dsp.fx_scratch
    at = slot.at
    # Pre-delay; another one fades in within the segment, for a knob that is turned goes by many.
    early = np.int64(slot.knob[2] * 0.001 * rate)
    early_from = early if slot.fresh != 0 else np.int64(slot.knob_from[2] * 0.001 * rate)
    w = 6.283185307179586 * LOW_HZ / rate
    low = w / (1.0 + w)
    for c in range(SIDES):
        x = part(bus, c, 0)
        address = early_at + 4 * early_size * c
        fx_memory.write(address, early_size, at, x, frames)
        if early != early_from:
            before = part(rows, 0, 0)
            fx_memory.read(address, early_size, at - early_from, before, frames)
            fx_memory.read(address, early_size, at - early, x, frames)
            share = F(1.0 / frames)
            for i in range(frames):
                x[i] = before[i] + (x[i] - before[i]) * (F(i + 1) * share)
        else:
            fx_memory.read(address, early_size, at - early, x, frames)
        deep = slot.state[c, 0]
        for i in range(frames):
            deep += low * (x[i] - deep)
            x[i] = F(x[i] - deep)
        slot.state[c, 0] = deep if abs(deep) > 1e-20 else 0.0
        for k in range(DIFFUSERS):
            d = DIFFUSERS * c + k
            address = diffusers_at + 4 * diffuser_size * d
            length = dsp.fx_lines[FX_LINES + d]
            late = part(rows, 0, 0)
            kept = part(rows, 1, 0)
            fx_memory.read(address, diffuser_size, at - length, late, frames)
            for i in range(frames):
                v = bounded(x[i] - DIFFUSION * late[i])
                kept[i] = v
                x[i] = late[i] + DIFFUSION * v
            fx_memory.write(address, diffuser_size, at, kept, frames)
    # The lines, damped and mixed.
    phase = slot.phase
    phase_to = phase + SWAY_HZ * frames / rate
    slot.phase = phase_to - math.floor(phase_to)
    for k in range(FX_LINES):
        row = part(rows, k, 0)
        address = lines_at + 4 * line_size * k
        length = dsp.fx_lines[k]
        if k % 2 == 1:
            sway = SWAY_S * rate
            first = sway * (1.0 + sine(phase + k * 0.125))
            last = sway * (1.0 + sine(phase_to + k * 0.125))
            step = (last - first) / frames
            read_swaying(address, line_size, at - length, row, frames, first, step)
        else:
            fx_memory.read(address, line_size, at - length, row, frames)
    for c in range(SIDES):
        x = part(rows, FX_LINES + c, 0)
        y = part(bus, c, 0)
        for i in range(frames):
            x[i] = y[i]
    left = part(bus, 0, 0)
    right = part(bus, 1, 0)
    r0, r1, r2, r3 = part(rows, 0, 0), part(rows, 1, 0), part(rows, 2, 0), part(rows, 3, 0)
    r4, r5, r6, r7 = part(rows, 4, 0), part(rows, 5, 0), part(rows, 6, 0), part(rows, 7, 0)
    for i in range(frames):
        left[i] = LEVEL * ((r0[i] - r2[i]) + (r4[i] - r6[i]))
        right[i] = LEVEL * ((r1[i] - r3[i]) + (r5[i] - r7[i]))
    keep = F(DARKEST * slot.knob[1] / 100.0)
    new = F(1) - keep
    damp = slot.damp
    for k in range(FX_LINES):
        row = part(rows, k, 0)
        y = damp[0, k]
        for i in range(frames):
            y = new * row[i] + keep * y
            row[i] = y
        damp[0, k] = y if abs(y) > F(1e-18) else F(0)
    for i in range(frames):
        a0, a1, a2, a3 = r0[i] + r1[i], r0[i] - r1[i], r2[i] + r3[i], r2[i] - r3[i]
        a4, a5, a6, a7 = r4[i] + r5[i], r4[i] - r5[i], r6[i] + r7[i], r6[i] - r7[i]
        b0, b1, b2, b3 = a0 + a2, a1 + a3, a0 - a2, a1 - a3
        b4, b5, b6, b7 = a4 + a6, a5 + a7, a4 - a6, a5 - a7
        r0[i], r1[i], r2[i], r3[i] = b0 + b4, b1 + b5, b2 + b6, b3 + b7
        r4[i], r5[i], r6[i], r7[i] = b0 - b4, b1 - b5, b2 - b6, b3 - b7
    size_s = slot.knob[0]
    for k in range(FX_LINES):
        row = part(rows, k, 0)
        length = dsp.fx_lines[k]
        gain = F(exp2(DECAY * length / (size_s * rate))) * SCALE
        x = part(rows, FX_LINES + k % 2, 0)
        for i in range(frames):
            row[i] = bounded(row[i] * gain + x[i] * SCALE)
        fx_memory.write(lines_at + 4 * line_size * k, line_size, at, row, frames)
