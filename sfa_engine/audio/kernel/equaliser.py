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
from sfa_engine.audio.kernel.machine import kernel

F = np.float32
BLEND = 1.0 / 1024  # per frame: 21 ms between the straight way and the isolator
IDLE_TICKS = 375  # 0.25 s at neutral before the isolator is left


@kernel
def cascade(bus, start, frames, coefficients, delays, sections):
    """Run four lanes through second-order sections in place, one after another.

    Parameters
    ----------
    bus : float64[TICK, 4]
        Frames of four lanes.
    coefficients : float64[sections, 5, 4]
        ``b0 b1 b2 a1 a2`` of each section and lane.
    delays : float64[sections, 2, 4]
        Carried from segment to segment.
    """
    for i in range(start, start + frames):
        for s in range(sections):
            for lane in range(4):
                x = bus[i, lane]
                y = coefficients[s, 0, lane] * x + delays[s, 0, lane]
                delays[s, 0, lane] = (
                    coefficients[s, 1, lane] * x
                    - coefficients[s, 3, lane] * y
                    + delays[s, 1, lane]
                )
                delays[s, 1, lane] = coefficients[s, 2, lane] * x - coefficients[s, 4, lane] * y
                bus[i, lane] = y


@kernel
def turn_phase(bus, start, frames, coefficients, delays):
    """Run the low band through the all-pass, in place."""
    for i in range(start, start + frames):
        for s in range(2):
            for c in range(2):
                x = bus[i, c]
                y = coefficients[s, 0] * x + delays[s, 0, c]
                delays[s, 0, c] = coefficients[s, 1] * x - coefficients[s, 3] * y + delays[s, 1, c]
                delays[s, 1, c] = coefficients[s, 2] * x - coefficients[s, 4] * y
                bus[i, c] = y


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
    neutral = l0 == 1.0 and l1 == 1.0 and m0 == 1.0 and m1 == 1.0 and h0 == 1.0 and h1 == 1.0
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

    band = rack.band_bus
    upper = rack.high_bus
    lower = rack.low_bus
    left = bus[0]
    right = bus[1]
    end = start + frames
    for i in range(start, end):
        band[i, 0] = left[i]
        band[i, 1] = right[i]
        band[i, 2] = left[i]
        band[i, 3] = right[i]
    cascade(band, start, frames, rack.split1, eq.split1, 4)
    for i in range(start, end):
        lower[i, 0] = band[i, 0]
        lower[i, 1] = band[i, 1]
        upper[i, 0] = band[i, 2]
        upper[i, 1] = band[i, 3]
        upper[i, 2] = band[i, 2]
        upper[i, 3] = band[i, 3]
    cascade(upper, start, frames, rack.split2, eq.split2, 4)
    turn_phase(lower, start, frames, rack.phase, eq.phase)
    share = 1.0 / frames
    dl = (l1 - l0) * share
    dm = (m1 - m0) * share
    dh = (h1 - h0) * share
    dw = (wet1 - wet0) * share
    for k in range(frames):
        i = start + k
        t = k + 1
        low = l0 + dl * t
        mid = m0 + dm * t
        high = h0 + dh * t
        wet = wet0 + dw * t
        x = np.float64(left[i])
        y = low * lower[i, 0] + mid * upper[i, 0] + high * upper[i, 2]
        left[i] = F(x + wet * (y - x))
        x = np.float64(right[i])
        y = low * lower[i, 1] + mid * upper[i, 1] + high * upper[i, 3]
        right[i] = F(x + wet * (y - x))
    flush(eq)
