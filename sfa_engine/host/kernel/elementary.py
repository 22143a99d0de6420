"""Sines and powers for the kernel: no call of libm, whose last bit differs between machines."""

from __future__ import annotations

import math

import numpy as np

from sfa_engine.host import elementary
from sfa_engine.host.kernel.intrinsics import kernel, power_of_two

LOG2_OF_DECIBEL = elementary.LOG2_OF_DECIBEL

sin_pi = kernel(elementary.sin_pi)
cos_pi = kernel(elementary.cos_pi)
exp2_part = kernel(elementary.exp2_part)


@kernel
def exp2(x):
    """Return 2 to the power of x, from -1022 to 1023."""
    whole = min(1023.0, max(-1022.0, math.floor(x + 0.5)))
    return exp2_part(x - whole) * power_of_two(np.int64(whole))


@kernel
def factor_of(decibels):
    """Return the factor that a gain in decibels is."""
    return exp2(decibels * LOG2_OF_DECIBEL)
