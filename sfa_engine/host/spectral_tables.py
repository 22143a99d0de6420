"""What the spectral stretch takes from memory: roots of one, and windows."""

from __future__ import annotations

import functools

import numpy as np
import numpy.typing as npt

from sfa_engine.host.elementary import Floats, cos_pi, sin_pi


@functools.cache
def transform_table(rows: int, columns: int) -> npt.NDArray[np.float32]:
    """Return what `kernel.fft` turns by.

    Returns
    -------
    float32[4, rows * columns]
        Real and imaginary parts of ``exp(-2 pi i k / n)``, and of the turns between the halves,
        ``exp(-2 pi i r c / n)``.
    """
    n = rows * columns
    cosine, sine = _circle(n)
    k = np.outer(np.arange(rows), np.arange(columns)).ravel() % n
    return np.stack([cosine, -sine, cosine[k], -sine[k]]).astype(np.float32)


@functools.cache
def hann(n: int) -> npt.NDArray[np.float32]:
    """Return a window of n points that adds up to a constant at every hop of n / 4, twice over."""
    cosine, _ = _circle(n)
    shape: npt.NDArray[np.float32] = (0.5 - 0.5 * cosine).astype(np.float32)
    return shape


def _circle(n: int) -> tuple[Floats, Floats]:
    """Return cosine and sine of n turns round the circle."""
    x = 2.0 * np.arange(n) / n  # of pi
    x = np.where(x > 1.0, x - 2.0, x)
    far = np.abs(x) > 0.5
    near = np.where(far, np.copysign(1.0, x) - x, x)
    cosine = np.where(far, -1.0, 1.0) * cos_pi(near)
    sine = sin_pi(near)
    return cosine, sine
