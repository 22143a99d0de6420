"""The bipolar filter of decks and stems: one knob, low-pass to the left, high-pass to the right.

A state-variable filter in its topology-preserving form stays stable however fast the knob is
turned; its coefficients go in straight lines from segment to segment.

References
----------
.. [1] A. Simper, "Linear trapezoidal optimised SVF", Cytomic, 2013.
"""

from __future__ import annotations

import math

import numpy as np

from sfa_engine.audio.kernel.machine import kernel, part

F = np.float32
EDGE = 5.0  # %; up to here the knob only blends the filter in, from there on it is all filter
BLEND = 256.0  # frames, 5 ms, that the filter takes to come or to go
OPEN_HZ = 20_000.0
CLOSED_HZ = 60.0
HIGH_FIRST_HZ = 20.0
HIGH_LAST_HZ = 9_000.0
TINY = 1e-20  # -400 dB: a state below it is flushed, before it becomes a slow denormal


@kernel
def tune(state, place, resonance, rate):
    """Set the coefficients that the next segment goes to; `place` has no sign."""
    turn = min(1.0, place / 100.0)
    if state.high != 0:
        cutoff = HIGH_FIRST_HZ * (HIGH_LAST_HZ / HIGH_FIRST_HZ) ** turn
    else:
        cutoff = OPEN_HZ * (CLOSED_HZ / OPEN_HZ) ** turn
    g = math.tan(math.pi * min(cutoff, 0.45 * rate) / rate)
    # Resonance 0 % is Q 0.5, 25 % is 0.84, 100 % is 4: musical, and never a whistle.
    damping = 1.0 / (0.5 * 8.0 ** (resonance / 100.0))
    a1 = 1.0 / (1.0 + g * (g + damping))
    to = state["to"]
    to[0] = a1
    to[1] = g * a1
    to[2] = g * g * a1
    to[3] = damping
    state.place = place
    state.ring = resonance


@kernel
def rings(state):
    """Return whether something of what went in is still to come out."""
    states = state.state
    heard = states[0, 0] != 0.0 or states[0, 1] != 0.0 or states[1, 0] != 0.0
    return state.wet != 0.0 and (heard or states[1, 1] != 0.0)


@kernel
def settle(state, place, resonance, rate):
    """Stand where the knob stands, with nothing inside: the next sound is filtered at once."""
    for c in range(2):
        state.state[c, 0] = 0.0
        state.state[c, 1] = 0.0
    high = np.int64(1) if place > 0.0 else np.int64(0)
    turn = abs(place)
    state.wet = min(1.0, turn / EDGE)
    if turn != 0.0 and (high != state.high or turn != state.place or resonance != state.ring):
        state.high = high
        tune(state, turn, resonance, rate)


@kernel
def step(x, s1, s2, a1, a2, a3):
    """Take one sample through the filter; return band, low and the two new states."""
    v3 = x - s2
    band = a1 * s1 + a2 * v3
    low = s2 + a2 * s1 + a3 * v3
    return band, low, 2.0 * band - s1, 2.0 * low - s2


@kernel
def bipolar(state, bus, start, frames, place, resonance, rate):
    """Filter part of a bus in place; at rest the samples are not touched at all.

    Parameters
    ----------
    bus : float32[2, TICK]
    place : float64
        The knob at the end of the segment, -100 to +100 %.
    """
    states = state.state
    wanted_high = np.int64(1) if place > 0.0 else np.int64(0)
    wet_start = state.wet
    if wet_start == 0.0:
        if place == 0.0:
            return
        for c in range(2):
            states[c, 0] = 0.0
            states[c, 1] = 0.0
        state.high = wanted_high
    # Turned over to the other side, it opens and leaves before it comes again as the other.
    turn = abs(place) if wanted_high == state.high else 0.0
    wet_end = min(1.0, turn / EDGE)
    step_most = frames / BLEND
    wet_end = min(wet_start + step_most, max(wet_start - step_most, wet_end))
    state.wet = wet_end
    if wet_start == 0.0:
        tune(state, turn, resonance, rate)
        for k in range(4):
            state["from"][k] = state["to"][k]
    else:
        for k in range(4):
            state["from"][k] = state["to"][k]
        if turn != state.place or resonance != state.ring:
            tune(state, turn, resonance, rate)
    first = state["from"]
    to = state["to"]
    share = 1.0 / frames
    d1 = (to[0] - first[0]) * share
    d2 = (to[1] - first[1]) * share
    d3 = (to[2] - first[2]) * share
    dk = (to[3] - first[3]) * share
    dw = (wet_end - wet_start) * share
    a1 = first[0]
    a2 = first[1]
    a3 = first[2]
    damping = first[3]
    wet = wet_start
    mirror = 1.0 if state.high != 0 else 0.0
    left = part(bus, 0, start)
    right = part(bus, 1, start)
    p1 = states[0, 0]
    p2 = states[0, 1]
    q1 = states[1, 0]
    q2 = states[1, 1]
    for i in range(frames):
        a1 += d1
        a2 += d2
        a3 += d3
        damping += dk
        wet += dw
        x = np.float64(left[i])
        band, low, p1, p2 = step(x, p1, p2, a1, a2, a3)
        left[i] = F(x + wet * (mirror * (x - damping * band - 2.0 * low) + low - x))
        x = np.float64(right[i])
        band, low, q1, q2 = step(x, q1, q2, a1, a2, a3)
        right[i] = F(x + wet * (mirror * (x - damping * band - 2.0 * low) + low - x))
    states[0, 0] = p1 if abs(p1) > TINY else 0.0
    states[0, 1] = p2 if abs(p2) > TINY else 0.0
    states[1, 0] = q1 if abs(q1) > TINY else 0.0
    states[1, 1] = q2 if abs(q2) > TINY else 0.0
