"""Sines and powers made of IEEE arithmetic alone: the same bits on every processor.

Sums, products and quotients are rounded alike everywhere. The sines and powers of libm and NumPy
are not: their last bit depends on the version, and on which code they choose for the CPU (glibc
2.36 with and without FMA differs in exp, sin, cos and pow). Whatever reaches the sound is made of
these instead, tables and coefficients too.

The kernel compiles the polynomials as they stand, and the tables call them with arrays: they hold
nothing but arithmetic. Their error is below 3e-16.

References
----------
.. [1] IEEE 754-2019, section 4.3: which operations are rounded correctly, and which are not.
"""

from __future__ import annotations

import math
from typing import TypeVar

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Number = TypeVar("Number", float, Floats)

PI = 3.141592653589793
LN_2 = 0.6931471805599453
LOG2_OF_DECIBEL = 0.16609640474436813  # log2(10) / 20
BESSEL_TERMS = 32  # of I0: what follows is below 1e-26 at 9, the largest argument here


def sin_pi(x: Number) -> Number:
    """Return the sine of pi times x, for x from -0.5 to 0.5: its Taylor polynomial."""
    y = PI * x
    z = y * y
    s = 1.9572941063391263e-20 * z - 8.22063524662433e-18
    s = s * z + 2.8114572543455206e-15
    s = s * z - 7.647163731819816e-13
    s = s * z + 1.6059043836821613e-10
    s = s * z - 2.505210838544172e-08
    s = s * z + 2.7557319223985893e-06
    s = s * z - 0.0001984126984126984
    s = s * z + 0.008333333333333333
    s = s * z - 0.16666666666666666
    return y + y * z * s


def cos_pi(x: Number) -> Number:
    """Return the cosine of pi times x, for x from -0.5 to 0.5: its Taylor polynomial."""
    y = PI * x
    z = y * y
    c = -8.896791392450574e-22 * z + 4.110317623312165e-19
    c = c * z - 1.5619206968586225e-16
    c = c * z + 4.779477332387385e-14
    c = c * z - 1.1470745597729725e-11
    c = c * z + 2.08767569878681e-09
    c = c * z - 2.755731922398589e-07
    c = c * z + 2.48015873015873e-05
    c = c * z - 0.001388888888888889
    c = c * z + 0.041666666666666664
    c = c * z - 0.5
    return c * z + 1.0


def exp2_part(x: Number) -> Number:
    """Return 2 to the power of x, for x from -0.5 to 0.5: its Taylor polynomial."""
    y = LN_2 * x
    z = y * y
    # Even and odd powers, side by side: one row of steps would wait for each of its results.
    even = 1.1470745597729725e-11 * z + 2.08767569878681e-09
    odd = 1.6059043836821613e-10 * z + 2.505210838544172e-08
    even = even * z + 2.755731922398589e-07
    odd = odd * z + 2.7557319223985893e-06
    even = even * z + 2.48015873015873e-05
    odd = odd * z + 0.0001984126984126984
    even = even * z + 0.001388888888888889
    odd = odd * z + 0.008333333333333333
    even = even * z + 0.041666666666666664
    odd = odd * z + 0.16666666666666666
    even = even * z + 0.5
    odd = odd * z + 1.0
    return (even * z + odd * y) + 1.0


def exp2(x: float) -> float:
    """Return 2 to the power of x."""
    whole = math.floor(x + 0.5)
    return math.ldexp(exp2_part(x - whole), whole)


def factor_of(decibels: float) -> float:
    """Return the factor that a gain in decibels is."""
    return exp2(decibels * LOG2_OF_DECIBEL)


def sinc(x: Floats) -> Floats:
    """Return sin(pi x) / (pi x), exactly zero at whole numbers but 0."""
    turn = x - 2.0 * np.floor(0.5 * x + 0.5)
    turn = np.where(np.abs(turn) > 0.5, np.copysign(1.0, turn) - turn, turn)
    below = np.where(x == 0.0, 1.0, PI * x)
    whole: Floats = np.where(x == 0.0, 1.0, sin_pi(turn) / below)
    return whole


def kaiser(place: Floats, beta: float) -> Floats:
    """Return the Kaiser window at places from -1 to 1.

    It is I0(beta sqrt(1 - place^2)) / I0(beta), and I0 a sum of powers of its argument's square.
    """
    quarter = 0.25 * beta * beta
    inside = quarter * np.maximum(0.0, 1.0 - place * place)
    above, below = np.ones_like(place), 1.0
    term_above, term_below = np.ones_like(place), 1.0
    for k in range(1, BESSEL_TERMS):
        term_above = term_above * inside / (k * k)
        term_below = term_below * quarter / (k * k)
        above = above + term_above
        below += term_below
    window: Floats = above / below
    return window
