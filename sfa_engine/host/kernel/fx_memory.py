"""Rings of samples in an effect's memory: what was written is read again, later."""

from __future__ import annotations

import numpy as np
from numba import carray

from sfa_engine.host.kernel.intrinsics import float32_at, kernel

F = np.float32
MOST = F(8)  # of what goes round in a loop: +18 dB; it gets no louder
TINY = F(1e-18)  # -360 dB: flushed, before it becomes a slow denormal


@kernel
def bounded(x):
    """Return a sample that may go round in a loop: neither too loud, nor too quiet, nor NaN."""
    if not (abs(x) < MOST):
        return MOST if x > F(0) else (-MOST if x < F(0) else F(0))
    return x if abs(x) > TINY else F(0)


@kernel
def write(address, size, at, row, frames):
    """Write frames to a ring.

    Parameters
    ----------
    address : int64
        Of float32[size].
    size : int64
        A power of two.
    at : int64
        Count of the frames that were written before.
    row : float32[>= frames]
    """
    first = at & (size - 1)
    count = min(frames, size - first)
    ring = carray(float32_at(address + 4 * first), (count,))
    for i in range(count):
        ring[i] = row[i]
    ring = carray(float32_at(address), (frames,))
    for i in range(frames - count):
        ring[i] = row[count + i]


@kernel
def read(address, size, at, row, frames):
    """Read frames of a ring from the count `at` on; what is before the first is silence."""
    first = at & (size - 1)
    count = min(frames, size - first)
    ring = carray(float32_at(address + 4 * first), (count,))
    for i in range(count):
        row[i] = ring[i]
    ring = carray(float32_at(address), (frames,))
    for i in range(frames - count):
        row[count + i] = ring[i]
    for i in range(min(frames, -at)):
        row[i] = F(0)
