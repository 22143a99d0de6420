"""Bells and shelves as second-order sections, and what they do at some frequencies.

References
----------
.. [1] R. Bristow-Johnson, "Cookbook formulae for audio EQ biquad filter coefficients", 2005.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import msgspec
import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]
Shape = Literal["bell", "low_shelf", "high_shelf"]
HIGHEST_SHARE = 0.45  # of the rate: where a band is held, in sound of a low rate


class Band(msgspec.Struct, frozen=True, kw_only=True):
    """A band of an equaliser.

    Parameters
    ----------
    shape : str
    hz : float
        The middle of a bell, the corner of a shelf.
    gain_db : float
    q : float
        Of a bell; 0.7 is two octaves wide. A shelf has it too: 0.5 is a gentle one.
    """

    shape: Shape
    hz: float
    gain_db: float
    q: float = 0.7


def section(band: Band, rate: float) -> Floats:
    """Return a band as ``b0 b1 b2 a0 a1 a2``, a0 = 1: float64[6]."""
    w = 2 * np.pi * min(band.hz, HIGHEST_SHARE * rate) / rate
    gain = 10 ** (band.gain_db / 40)
    alpha = np.sin(w) / (2 * band.q)
    cos = np.cos(w)
    if band.shape == "bell":
        b = (1 + alpha * gain, -2 * cos, 1 - alpha * gain)
        a = (1 + alpha / gain, -2 * cos, 1 - alpha / gain)
    else:
        s = 1.0 if band.shape == "low_shelf" else -1.0  # a high shelf is its mirror
        root = 2 * np.sqrt(gain) * alpha
        b = (
            gain * ((gain + 1) - s * (gain - 1) * cos + root),
            s * 2 * gain * ((gain - 1) - s * (gain + 1) * cos),
            gain * ((gain + 1) - s * (gain - 1) * cos - root),
        )
        a = (
            (gain + 1) + s * (gain - 1) * cos + root,
            -s * 2 * ((gain - 1) + s * (gain + 1) * cos),
            (gain + 1) + s * (gain - 1) * cos - root,
        )
    row: Floats = np.array([*b, *a]) / a[0]
    return row


def sections(bands: Sequence[Band], rate: float) -> Floats:
    """Return bands as second-order sections: float64[n, 6]."""
    return np.array([section(band, rate) for band in bands]).reshape(-1, 6)


def response_db(bands: Sequence[Band], hz: ArrayLike, rate: float) -> Floats:
    """Return the gain of bands together at some frequencies."""
    z = np.exp(-2j * np.pi * np.asarray(hz, float) / rate)
    powers = np.stack([z**0, z, z**2])
    total = np.zeros(powers.shape[1])
    for row in sections(bands, rate):
        total += 20 * np.log10(np.abs(row[:3] @ powers) / np.abs(row[3:] @ powers))
    return total
