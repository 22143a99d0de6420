"""The isolator: three bands that sum flat, and of which none is left when it is killed.

Linkwitz-Riley crossovers of 48 dB an octave at 250 Hz and 2.5 kHz; the low band goes
through the second crossover's all-pass, so that the three stay in phase. When every band has
been neutral for a while the deck goes around the isolator, untouched.

::

            ┌ low-pass 250 ── all-pass 2500 ───────── low ┐
    in ─────┤                 ┌ low-pass 2500 ─────── mid ┼── sum
            └ high-pass 250 ──┴ high-pass 2500 ───── high ┘

References
----------
.. [1] S. H. Linkwitz, "Active Crossover Networks for Noncoincident Drivers", JAES 24 (1), 1976.
"""

from __future__ import annotations

import numpy as np

from sfa_engine.host.kernel.filters import TINY
from sfa_engine.host.kernel.intrinsics import flat, kernel, part
from sfa_engine.host.kernel.simd import (
    BYTES,
    add,
    load,
    multiply,
    multiply_add,
    store,
    subtract,
    twice,
    upper_twice,
)

F = np.float32
SECTION_BYTES = 4 * BYTES
BLEND = 1.0 / 1024  # per frame: 21 ms between the straight way and the isolator
IDLE_TICKS = 375  # 0.25 s at neutral before the isolator is left


@kernel
def half_band(x, u, v, table, s):
    """Take four lanes through a low-pass or a high-pass section, but for its gain.

    The transposed direct form II of ``1 b 1 a1 a2``, with b +2 or -2: three products.
    """
    k = table + SECTION_BYTES * s
    y = add(x, u)
    u = multiply_add(load(k + BYTES), y, multiply_add(load(k), x, v))
    return y, u, multiply_add(load(k + 2 * BYTES), y, x)


@kernel
def all_pass(x, u, v, table, s):
    """Take four lanes through an all-pass section ``a2 a1 1 a1 a2``: three products too."""
    k = table + SECTION_BYTES * s
    y = multiply_add(load(k), x, u)
    u = multiply_add(load(k + BYTES), subtract(x, y), v)
    return y, u, subtract(x, multiply(load(k), y))


@kernel
def amplified(x, table, s):
    """Return lanes times the gain of the sections up to one."""
    return multiply(load(table + SECTION_BYTES * s + 3 * BYTES), x)


@kernel
def states(delays, s):
    """Return the states of a section as the segment before left them."""
    return load(delays + 2 * BYTES * s), load(delays + 2 * BYTES * s + BYTES)


@kernel
def keep(delays, s, u, v):
    """Leave the states of a section to the next segment."""
    store(delays + 2 * BYTES * s, u)
    store(delays + 2 * BYTES * s + BYTES, v)


@kernel
def split(dsp, eq, left, right, frames):
    """Part left and right into ``low_bus``: low L R, and ``high_bus``: mid L R, high L R.

    All sections are in one loop: each waits for its own states only, not for the one before it,
    so that several frames are on their way at once.
    """
    table = np.int64(dsp.isolator.ctypes.data)
    delays = np.int64(eq.delays.ctypes.data)
    low = np.int64(dsp.low_bus.ctypes.data)
    high = np.int64(dsp.high_bus.ctypes.data)
    u0, v0 = states(delays, 0)
    u1, v1 = states(delays, 1)
    u2, v2 = states(delays, 2)
    u3, v3 = states(delays, 3)
    u4, v4 = states(delays, 4)
    u5, v5 = states(delays, 5)
    u6, v6 = states(delays, 6)
    u7, v7 = states(delays, 7)
    u8, v8 = states(delays, 8)
    u9, v9 = states(delays, 9)
    for n in range(frames):
        x = twice(np.float64(left[n]), np.float64(right[n]))
        x, u0, v0 = half_band(x, u0, v0, table, 0)
        x, u1, v1 = half_band(x, u1, v1, table, 1)
        x, u2, v2 = half_band(x, u2, v2, table, 2)
        x, u3, v3 = half_band(x, u3, v3, table, 3)
        x = amplified(x, table, 3)
        x, u4, v4 = all_pass(x, u4, v4, table, 4)
        x, u5, v5 = all_pass(x, u5, v5, table, 5)
        store(low + BYTES * n, x)
        x = upper_twice(x)
        x, u6, v6 = half_band(x, u6, v6, table, 6)
        x, u7, v7 = half_band(x, u7, v7, table, 7)
        x, u8, v8 = half_band(x, u8, v8, table, 8)
        x, u9, v9 = half_band(x, u9, v9, table, 9)
        store(high + BYTES * n, amplified(x, table, 9))
    keep(delays, 0, u0, v0)
    keep(delays, 1, u1, v1)
    keep(delays, 2, u2, v2)
    keep(delays, 3, u3, v3)
    keep(delays, 4, u4, v4)
    keep(delays, 5, u5, v5)
    keep(delays, 6, u6, v6)
    keep(delays, 7, u7, v7)
    keep(delays, 8, u8, v8)
    keep(delays, 9, u9, v9)


@kernel
def flush(eq):
    """Set states to zero that have died away."""
    for k in range(len(eq.delays)):
        if abs(eq.delays[k]) < TINY:
            eq.delays[k] = 0.0


@kernel
def rings(eq):
    """Return whether something of what went in is still to come out."""
    heard = False
    for k in range(len(eq.delays)):
        heard |= eq.delays[k] != 0.0
    return heard and eq.wet != 0.0


@kernel
def clear(eq):
    """Forget everything."""
    for k in range(len(eq.delays)):
        eq.delays[k] = 0.0


@kernel
def is_neutral(bands):
    """Return whether every band passes as it is."""
    low = bands[0].gain * (1.0 - bands[0].kill)
    mid = bands[1].gain * (1.0 - bands[1].kill)
    high = bands[2].gain * (1.0 - bands[2].kill)
    return low == 1.0 and mid == 1.0 and high == 1.0


@kernel
def settle(eq, to):
    """Stand as the knobs stand, with nothing inside: the next sound is equalised at once."""
    eq.idle = 0
    if is_neutral(to):
        eq.wet = 0.0
        return
    if rings(eq):
        clear(eq)
    eq.wet = 1.0


@kernel
def isolate(dsp, eq, bus, start, frames, first, to):
    """Equalise part of a bus in place.

    Parameters
    ----------
    bus : float32[2, TICK]
    first, to : record[3]
        Gain and kill of each band at both ends of the segment.
    """
    l0 = first[0].gain * (1.0 - first[0].kill)
    l1 = to[0].gain * (1.0 - to[0].kill)
    m0 = first[1].gain * (1.0 - first[1].kill)
    m1 = to[1].gain * (1.0 - to[1].kill)
    h0 = first[2].gain * (1.0 - first[2].kill)
    h1 = to[2].gain * (1.0 - to[2].kill)
    neutral = is_neutral(first) and is_neutral(to)
    if neutral:
        if eq.wet == 0.0:
            return
        eq.idle += 1
    else:
        if eq.wet == 0.0:
            clear(eq)
        eq.idle = 0
    wet0 = eq.wet
    if neutral and eq.idle > IDLE_TICKS:
        wet1 = max(0.0, wet0 - BLEND * frames)
    else:
        wet1 = min(1.0, wet0 + BLEND * frames)
    eq.wet = wet1

    left = part(bus, 0, start)
    right = part(bus, 1, start)
    split(dsp, eq, left, right, frames)
    lower = flat(dsp.low_bus)
    upper = flat(dsp.high_bus)
    share = 1.0 / frames
    dl = (l1 - l0) * share
    dm = (m1 - m0) * share
    dh = (h1 - h0) * share
    dw = (wet1 - wet0) * share
    for i in range(frames):
        t = i + 1
        low = l0 + dl * t
        mid = m0 + dm * t
        high = h0 + dh * t
        wet = wet0 + dw * t
        x = np.float64(left[i])
        y = low * lower[4 * i] + mid * upper[4 * i] + high * upper[4 * i + 2]
        left[i] = F(x + wet * (y - x))
        x = np.float64(right[i])
        y = low * lower[4 * i + 1] + mid * upper[4 * i + 1] + high * upper[4 * i + 3]
        right[i] = F(x + wet * (y - x))
    flush(eq)
