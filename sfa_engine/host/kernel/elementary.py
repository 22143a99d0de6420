"""Sines and powers for the kernel: no call of libm, whose last bit differs between machines."""

from __future__ import annotations

import math

import numpy as np

from sfa_engine.host import elementary
from sfa_engine.host.kernel.intrinsics import bits_of, kernel, power_of_two

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
def log2(x):
    """Return the logarithm of a number above 1e-300 to the base of 2; its error is below 1e-14."""
    bits = bits_of(x)
    exponent = (bits >> 52) - 1023
    mantissa = x * power_of_two(-exponent)
    if mantissa > 1.4142135623730951:
        mantissa *= 0.5
        exponent += 1
    s = (mantissa - 1.0) / (mantissa + 1.0)
    z = s * s
    sum_ = z * (1.0 / 15.0) + 1.0 / 13.0
    sum_ = sum_ * z + 1.0 / 11.0
    sum_ = sum_ * z + 1.0 / 9.0
    sum_ = sum_ * z + 1.0 / 7.0
    sum_ = sum_ * z + 1.0 / 5.0
    sum_ = sum_ * z + 1.0 / 3.0
    sum_ = sum_ * z + 1.0
    return exponent + 2.8853900817779268 * s * sum_  # 2 / ln 2


@kernel
def factor_of(decibels):
    """Return the factor that a gain in decibels is."""
    return exp2(decibels * LOG2_OF_DECIBEL)
