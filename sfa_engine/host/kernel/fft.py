"""Fourier transforms of complex rows, in steps of like cost that can be spread over ticks.

The n1 n2 points are a matrix of n1 rows: radix-4 passes down the columns, a turn and a
transposition, and passes down the columns again. Every butterfly runs over neighbours, in vectors.
Real and imaginary parts are rows of their own. Nothing allocates.

References
----------
.. [1] W. T. Cochran et al., "What is the fast Fourier transform?", Proc. IEEE 55, 1967 (Stockham).
.. [2] D. H. Bailey, "FFTs in external or hierarchical memory", J. Supercomputing 4, 1990.
"""

from __future__ import annotations

import numpy as np
from numba import carray

from sfa_engine.host.kernel.intrinsics import float32_at, kernel
from sfa_engine.host.kernel.simd import radix_2, radix_4


@kernel
def passes(n):
    """Return how many passes n points take: of radix 4, and one of radix 2 where these leave it."""
    count = np.int64(0)
    while n > 1:
        n = n // 4 if n >= 4 else np.int64(1)
        count += 1
    return count


@kernel
def steps(n1, n2):
    """Return how many steps a transform takes. Its result is in the second pair if they are odd."""
    return passes(n1) + 1 + passes(n2)


@kernel
def one_pass(number, n, beside, xr, xi, yr, yi, roots_re, roots_im, total):
    """Do one pass of `beside` transforms of n points, side by side.

    Parameters
    ----------
    number : int64
        Of the pass, from 0.
    xr, xi, yr, yi : int64
        Addresses of float32[total]: from where, to where.
    roots_re, roots_im : float32[total]
        exp(-2 pi i k / total).
    """
    stride = np.int64(1) << (2 * number)
    left = n // stride
    row = stride * beside
    if left < 4:
        for at in range(0, row, 8):
            radix_2(xr + 4 * at, xi + 4 * at, yr + 4 * at, yi + 4 * at, 4 * row)
        return
    quarter = left // 4
    for p in range(quarter):
        k = p * stride * (total // n)
        a = roots_re[k], roots_im[k]
        b = roots_re[2 * k], roots_im[2 * k]
        c = roots_re[3 * k], roots_im[3 * k]
        source = 4 * row * p
        target = 16 * row * p
        for at in range(0, 4 * row, 32):
            radix_4(
                xr + source + at,
                xi + source + at,
                yr + target + at,
                yi + target + at,
                4 * row * quarter,
                4 * row,
                a[0],
                a[1],
                b[0],
                b[1],
                c[0],
                c[1],
            )


@kernel
def turn(xr, xi, yr, yi, n1, n2, turns_re, turns_im):
    """Write the transposed matrix, each element turned, in tiles of 8 by 8."""
    for i0 in range(0, n1, 8):
        for j0 in range(0, n2, 8):
            for i in range(i0, i0 + 8):
                k = i * n2 + j0
                a = carray(float32_at(xr + 4 * k), (8,))
                b = carray(float32_at(xi + 4 * k), (8,))
                c = carray(float32_at(turns_re + 4 * k), (8,))
                d = carray(float32_at(turns_im + 4 * k), (8,))
                at = 4 * (j0 * n1 + i)
                p = carray(float32_at(yr + at), (8 * n1,))
                q = carray(float32_at(yi + at), (8 * n1,))
                for j in range(8):
                    p[j * n1] = a[j] * c[j] - b[j] * d[j]
                    q[j * n1] = a[j] * d[j] + b[j] * c[j]


@kernel
def step(number, n1, n2, ar, ai, br, bi, table):
    """Do one step of a transform, from the first pair of rows, to and fro with the second.

    Point ``n2 i + j`` of the input is element (i, j); output k is in natural order.

    Parameters
    ----------
    number : int64
        Of the step, from 0 to ``steps(n1, n2) - 1``.
    ar, ai, br, bi : int64
        Addresses of float32[n1 n2].
    table : float32[4, n1 n2]
        Roots of one, real and imaginary, and the turns: see `host.spectral_tables`.
    """
    first = passes(n1)
    total = n1 * n2
    xr, xi, yr, yi = ar, ai, br, bi
    if number % 2 == 1:
        xr, xi, yr, yi = br, bi, ar, ai
    base = np.int64(table)
    roots_re = carray(float32_at(base), (total,))
    roots_im = carray(float32_at(base + 4 * total), (total,))
    if number < first:
        one_pass(number, n1, n2, xr, xi, yr, yi, roots_re, roots_im, total)
    elif number == first:
        turn(xr, xi, yr, yi, n1, n2, base + 8 * total, base + 12 * total)
    else:
        one_pass(number - first - 1, n2, n1, xr, xi, yr, yi, roots_re, roots_im, total)


@kernel
def transform(n1, n2, ar, ai, br, bi, table):
    """Do all steps."""
    for number in range(steps(n1, n2)):
        step(number, n1, n2, ar, ai, br, bi, table)
