"""VU meters: the mean level as a moving-coil instrument shows it.

The rectified sound drives a system of second order that reaches 99 % of a tone's level after 300 ms
and overshoots by 1.25 %. It reads 0 VU at a sine of -18 dBFS, and the louder of both channels.

References
----------
.. [1] IEC 60268-17:1990, "Sound system equipment: Standard volume indicators": 300 ms, 1 to 1.5 %.
.. [2] EBU R 68-2000: alignment level, -18 dBFS.
"""

from __future__ import annotations

import math

import numpy as np

from sfa_engine.host.kernel.intrinsics import kernel, part

F = np.float32
DAMPING = 0.81272  # overshoots by 1.25 %
OMEGA = 13.512  # rad/s: 99 % after 300 ms
ZERO_VU = 10.0 ** (-18.0 / 20.0) * 2.0 / math.pi  # mean of a rectified sine of -18 dBFS
LEAST = 1e-9
HIGHEST = 1e3


@kernel
def swing(state, c, level, seconds):
    """Take the needle of a channel on: `state` has its place and its speed."""
    level = level if level < HIGHEST else 0.0  # what is no number is not below it
    force = OMEGA * OMEGA * (level - state[c, 0]) - 2.0 * DAMPING * OMEGA * state[c, 1]
    state[c, 1] += force * seconds
    state[c, 0] += state[c, 1] * seconds
    if level == 0.0 and abs(state[c, 0]) < LEAST and abs(state[c, 1]) < LEAST:
        state[c, 0] = 0.0
        state[c, 1] = 0.0


@kernel
def follow(state, bus, start, frames, rate):
    """Feed part of a bus to a meter: float64[2, 2], channel and place or speed."""
    whole = frames // 4 * 4
    for c in range(2):
        row = part(bus, c, start)
        s0 = s1 = s2 = s3 = F(0)
        for i in range(0, whole, 4):
            s0 += abs(row[i])
            s1 += abs(row[i + 1])
            s2 += abs(row[i + 2])
            s3 += abs(row[i + 3])
        for i in range(whole, frames):
            s0 += abs(row[i])
        level = np.float64((s0 + s1) + (s2 + s3)) / (frames * ZERO_VU)
        swing(state, c, level, frames / rate)


@kernel
def rest(state, frames, rate):
    """Let a meter fall while nothing is fed to it."""
    for c in range(2):
        swing(state, c, 0.0, frames / rate)


@kernel
def reading(state):
    """Return what a meter reads, as a factor of 0 VU."""
    return max(0.0, state[0, 0], state[1, 0])
