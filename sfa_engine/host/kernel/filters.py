"""The bipolar filter of decks and stems: one knob, low-pass to the left, high-pass to the right.

A state-variable filter in its topology-preserving form stays stable however fast the knob is
turned; its coefficients go in straight lines from segment to segment.

References
----------
.. [1] A. Simper, "Linear trapezoidal optimised SVF", Cytomic, 2013.
"""

from __future__ import annotations

import numpy as np

from sfa_engine.host.kernel.elementary import cos_pi, exp2, sin_pi
from sfa_engine.host.kernel.intrinsics import kernel, part
from sfa_engine.host.kernel.simd import (
    add,
    halves_added,
    load,
    multiply,
    multiply_add,
    pairs,
    store,
    swapped,
    twice,
)

F = np.float32
EDGE = 5.0  # %; up to here the knob only blends the filter in, from there on it is all filter
BLEND = 256.0  # frames, 5 ms, that the filter takes to come or to go
OPEN_HZ = 20_000.0
CLOSED_HZ = 60.0
HIGH_FIRST_HZ = 20.0
HIGH_LAST_HZ = 9_000.0
CLOSING_OCTAVES = -8.380821783940931  # log2(CLOSED_HZ / OPEN_HZ)
HIGH_OCTAVES = 8.813781191217037  # log2(HIGH_LAST_HZ / HIGH_FIRST_HZ)
TINY = 1e-20  # -400 dB: a state below it is flushed, before it becomes a slow denormal


@kernel
def tune(state, place, resonance, rate):
    """Set the coefficients that the next segment goes to; `place` has no sign."""
    turn = min(1.0, place / 100.0)
    if state.high != 0:
        cutoff = HIGH_FIRST_HZ * exp2(HIGH_OCTAVES * turn)
    else:
        cutoff = OPEN_HZ * exp2(CLOSING_OCTAVES * turn)
    half_w = min(cutoff / rate, 0.45)  # of pi
    g = sin_pi(half_w) / cos_pi(half_w)
    # Resonance 0 % is Q 0.5, 25 % is 0.84, 100 % is 4: musical, and never a whistle.
    damping = 2.0 * exp2(-3.0 * (resonance / 100.0))
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
def is_same(first, to):
    """Return whether coefficients stay as they are."""
    return first[0] == to[0] and first[1] == to[1] and first[2] == to[2] and first[3] == to[3]


@kernel
def hold(state, bus, start, frames, mirror, wet):
    """Run both channels through the filter as `shape` does, while nothing moves."""
    to = state["to"]
    keep = pairs(2.0 * to[0] - 1.0, 1.0 - 2.0 * to[2])
    cross = pairs(-2.0 * to[1], 2.0 * to[1])
    feed = pairs(2.0 * to[1], 2.0 * to[2])
    take = pairs(-0.5 * mirror * to[3] * wet, (0.5 - mirror) * wet)
    dry = pairs((mirror - 1.0) * wet + 1.0, 0.0)
    left = part(bus, 0, start)
    right = part(bus, 1, start)
    place = np.int64(state.state.ctypes.data)
    s = load(place)
    for i in range(frames):
        x = twice(np.float64(left[i]), np.float64(right[i]))
        after = multiply_add(cross, swapped(s), multiply_add(keep, s, multiply(feed, x)))
        a, b = halves_added(multiply_add(take, add(s, after), multiply(dry, x)))
        left[i] = F(a)
        right[i] = F(b)
        s = after
    store(place, s)


@kernel
def shape(state, bus, start, frames, mirror, wet_start, wet_end):
    """Run both channels through the filter, coefficients and blend in straight lines.

    The lanes are the first state of left and right, then the second. With the outputs left out
    of their way, each waits for two multiplications only; twice the band and twice the low
    output are the sums of a state before and after.

    Parameters
    ----------
    mirror : float64
        1 takes the high output, 0 the low one.
    """
    first = state["from"]
    to = state["to"]
    share = 1.0 / frames
    if wet_start == wet_end and is_same(first, to):
        hold(state, bus, start, frames, mirror, wet_end)
        return
    d1 = (to[0] - first[0]) * share
    d2 = (to[1] - first[1]) * share
    d3 = (to[2] - first[2]) * share
    dk = (to[3] - first[3]) * share
    dw = (wet_end - wet_start) * share
    keep = pairs(2.0 * first[0] - 1.0, 1.0 - 2.0 * first[2])
    keep_step = pairs(2.0 * d1, -2.0 * d3)
    cross = pairs(-2.0 * first[1], 2.0 * first[1])
    cross_step = pairs(-2.0 * d2, 2.0 * d2)
    feed = pairs(2.0 * first[1], 2.0 * first[2])
    feed_step = pairs(2.0 * d2, 2.0 * d3)
    # What is heard of band and low; the high output is the input without the other two.
    take = pairs(-0.5 * mirror * first[3], 0.5 - mirror)
    take_step = pairs(-0.5 * mirror * dk, 0.0)
    wet = pairs(wet_start, wet_start)
    wet_step = pairs(dw, dw)
    dry = pairs(mirror - 1.0, 0.0)
    whole = pairs(1.0, 0.0)
    left = part(bus, 0, start)
    right = part(bus, 1, start)
    place = np.int64(state.state.ctypes.data)
    s = load(place)
    for i in range(frames):
        keep = add(keep, keep_step)
        cross = add(cross, cross_step)
        feed = add(feed, feed_step)
        take = add(take, take_step)
        wet = add(wet, wet_step)
        x = twice(np.float64(left[i]), np.float64(right[i]))
        after = multiply_add(cross, swapped(s), multiply_add(keep, s, multiply(feed, x)))
        passed = multiply(multiply_add(wet, dry, whole), x)
        heard = multiply_add(multiply(wet, take), add(s, after), passed)
        a, b = halves_added(heard)
        left[i] = F(a)
        right[i] = F(b)
        s = after
    store(place, s)


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
    mirror = 1.0 if state.high != 0 else 0.0
    shape(state, bus, start, frames, mirror, wet_start, wet_end)
    for c in range(2):
        for k in range(2):
            if abs(states[k, c]) < TINY:
                states[k, c] = 0.0
