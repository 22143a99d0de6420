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

from sfa_engine.audio.kernel.filters import TINY
from sfa_engine.audio.kernel.machine import kernel, lanes, part

F = np.float32
BLEND = 1.0 / 1024  # per frame: 21 ms between the straight way and the isolator
IDLE_TICKS = 375  # 0.25 s at neutral before the isolator is left


@kernel
def step(x, u, v, a, b, c, d, e):
    """Take one sample through a second-order section.

    This is the transposed direct form II in its state space, where the output is not waited
    for: ``y = a x + u``, ``u' = b x + v - d u``, ``v' = c x - e u``.
    """
    return a * x + u, b * x + v - d * u, c * x - e * u


@kernel
def pair(bus, frames, table, delays, s):
    """Run four lanes through two sections in place, so that neither waits for the other.

    Parameters
    ----------
    bus : float64[frames * 4]
        Frames of four lanes: two of one kind, two of the other.
    table : float64[sections, 5, 2]
        ``a b c d e`` of each section and kind.
    delays : float64[sections, 2, 4]
        ``u v`` of each section and lane; carried from segment to segment.
    s : int64
        The first of the two sections.
    """
    a0, b0, c0, d0, e0 = (
        table[s, 0, 0],
        table[s, 1, 0],
        table[s, 2, 0],
        table[s, 3, 0],
        table[s, 4, 0],
    )
    a1, b1, c1, d1, e1 = (
        table[s, 0, 1],
        table[s, 1, 1],
        table[s, 2, 1],
        table[s, 3, 1],
        table[s, 4, 1],
    )
    t = s + 1
    f0, g0, h0, i0, j0 = (
        table[t, 0, 0],
        table[t, 1, 0],
        table[t, 2, 0],
        table[t, 3, 0],
        table[t, 4, 0],
    )
    f1, g1, h1, i1, j1 = (
        table[t, 0, 1],
        table[t, 1, 1],
        table[t, 2, 1],
        table[t, 3, 1],
        table[t, 4, 1],
    )
    u0, u1, u2, u3 = delays[s, 0, 0], delays[s, 0, 1], delays[s, 0, 2], delays[s, 0, 3]
    v0, v1, v2, v3 = delays[s, 1, 0], delays[s, 1, 1], delays[s, 1, 2], delays[s, 1, 3]
    p0, p1, p2, p3 = delays[t, 0, 0], delays[t, 0, 1], delays[t, 0, 2], delays[t, 0, 3]
    q0, q1, q2, q3 = delays[t, 1, 0], delays[t, 1, 1], delays[t, 1, 2], delays[t, 1, 3]
    for n in range(frames):
        x0, x1, x2, x3 = bus[4 * n], bus[4 * n + 1], bus[4 * n + 2], bus[4 * n + 3]
        x0, u0, v0 = step(x0, u0, v0, a0, b0, c0, d0, e0)
        x1, u1, v1 = step(x1, u1, v1, a0, b0, c0, d0, e0)
        x2, u2, v2 = step(x2, u2, v2, a1, b1, c1, d1, e1)
        x3, u3, v3 = step(x3, u3, v3, a1, b1, c1, d1, e1)
        x0, p0, q0 = step(x0, p0, q0, f0, g0, h0, i0, j0)
        x1, p1, q1 = step(x1, p1, q1, f0, g0, h0, i0, j0)
        x2, p2, q2 = step(x2, p2, q2, f1, g1, h1, i1, j1)
        x3, p3, q3 = step(x3, p3, q3, f1, g1, h1, i1, j1)
        bus[4 * n] = x0
        bus[4 * n + 1] = x1
        bus[4 * n + 2] = x2
        bus[4 * n + 3] = x3
    delays[s, 0, 0], delays[s, 0, 1], delays[s, 0, 2], delays[s, 0, 3] = u0, u1, u2, u3
    delays[s, 1, 0], delays[s, 1, 1], delays[s, 1, 2], delays[s, 1, 3] = v0, v1, v2, v3
    delays[t, 0, 0], delays[t, 0, 1], delays[t, 0, 2], delays[t, 0, 3] = p0, p1, p2, p3
    delays[t, 1, 0], delays[t, 1, 1], delays[t, 1, 2], delays[t, 1, 3] = q0, q1, q2, q3


@kernel
def turn_phase(bus, frames, table, delays):
    """Run the low band, float64[frames * 2], through the all-pass, in place."""
    for s in range(2):
        a, b, c, d, e = table[s, 0], table[s, 1], table[s, 2], table[s, 3], table[s, 4]
        u0, u1 = delays[s, 0, 0], delays[s, 0, 1]
        v0, v1 = delays[s, 1, 0], delays[s, 1, 1]
        for n in range(frames):
            bus[2 * n], u0, v0 = step(bus[2 * n], u0, v0, a, b, c, d, e)
            bus[2 * n + 1], u1, v1 = step(bus[2 * n + 1], u1, v1, a, b, c, d, e)
        delays[s, 0, 0], delays[s, 0, 1] = u0, u1
        delays[s, 1, 0], delays[s, 1, 1] = v0, v1


@kernel
def flush(eq):
    """Set states to zero that have died away."""
    for s in range(4):
        for k in range(2):
            for lane in range(4):
                if abs(eq.split1[s, k, lane]) < TINY:
                    eq.split1[s, k, lane] = 0.0
                if abs(eq.split2[s, k, lane]) < TINY:
                    eq.split2[s, k, lane] = 0.0
    for s in range(2):
        for k in range(2):
            for c in range(2):
                if abs(eq.phase[s, k, c]) < TINY:
                    eq.phase[s, k, c] = 0.0


@kernel
def rings(eq):
    """Return whether something of what went in is still to come out."""
    if eq.wet == 0.0:
        return False
    for s in range(4):
        for k in range(2):
            for lane in range(4):
                if eq.split1[s, k, lane] != 0.0 or eq.split2[s, k, lane] != 0.0:
                    return True
    return False


@kernel
def clear(eq):
    """Forget everything."""
    for s in range(4):
        for k in range(2):
            for lane in range(4):
                eq.split1[s, k, lane] = 0.0
                eq.split2[s, k, lane] = 0.0
    for s in range(2):
        for k in range(2):
            for c in range(2):
                eq.phase[s, k, c] = 0.0


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
def isolate(rack, eq, bus, start, frames, first, to):
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

    band = lanes(rack.band_bus, 0)
    upper = lanes(rack.high_bus, 0)
    lower = lanes(rack.low_bus, 0)
    left = part(bus, 0, start)
    right = part(bus, 1, start)
    for i in range(frames):
        band[4 * i] = left[i]
        band[4 * i + 1] = right[i]
        band[4 * i + 2] = left[i]
        band[4 * i + 3] = right[i]
    pair(band, frames, rack.split1, eq.split1, 0)
    pair(band, frames, rack.split1, eq.split1, 2)
    for i in range(frames):
        lower[2 * i] = band[4 * i]
        lower[2 * i + 1] = band[4 * i + 1]
        upper[4 * i] = band[4 * i + 2]
        upper[4 * i + 1] = band[4 * i + 3]
        upper[4 * i + 2] = band[4 * i + 2]
        upper[4 * i + 3] = band[4 * i + 3]
    pair(upper, frames, rack.split2, eq.split2, 0)
    pair(upper, frames, rack.split2, eq.split2, 2)
    turn_phase(lower, frames, rack.phase, eq.phase)
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
        y = low * lower[2 * i] + mid * upper[4 * i] + high * upper[4 * i + 2]
        left[i] = F(x + wet * (y - x))
        x = np.float64(right[i])
        y = low * lower[2 * i + 1] + mid * upper[4 * i + 1] + high * upper[4 * i + 3]
        right[i] = F(x + wet * (y - x))
    flush(eq)
