"""The picture of sound that the nets see: 96 mel bands, 62.5 times a second. Pure.

Slaney's mel scale with bands of equal area, as librosa has them: linear below 1 kHz, logarithmic
above.
"""

from __future__ import annotations

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

RATE = 16_000  # Hz
WINDOW, HOP = 512, 256  # samples
BANDS = 96
_GAIN = 10_000.0  # of log10(1 + gain * power), as trained

Curve = NDArray[np.float32]


def _hz(mel: NDArray[np.float64]) -> NDArray[np.float64]:
    linear = mel * 200 / 3
    above: NDArray[np.float64] = np.where(
        mel < 15, linear, 1000 * np.exp(np.log(6.4) / 27 * (mel - 15))
    )
    return above


def _bands() -> Curve:
    """Return the weight of each bin in each band: float32[bins, BANDS]."""
    bins = np.linspace(0, RATE / 2, WINDOW // 2 + 1)
    highest = 15 + np.log(RATE / 2 / 1000) / (np.log(6.4) / 27)  # in mel
    edges = _hz(np.linspace(0.0, highest, BANDS + 2))
    rise = (bins - edges[:-2, None]) / np.diff(edges)[:-1, None]
    fall = (edges[2:, None] - bins) / np.diff(edges)[1:, None]
    weights = np.maximum(0.0, np.minimum(rise, fall)) * (2 / (edges[2:] - edges[:-2]))[:, None]
    turned: Curve = weights.T.astype(np.float32)
    return turned


_BANDS = _bands()
_HANN = (0.5 - 0.5 * np.cos(2 * np.pi * np.arange(WINDOW) / WINDOW)).astype(np.float32)


def mel_frames(sound: Curve) -> Curve:
    """Return the bands of each window that lies within some sound.

    Parameters
    ----------
    sound : float32[samples]
        At `RATE`, full scale +-1; of `WINDOW` samples at least.

    Returns
    -------
    float32[windows, BANDS]
        One window every `HOP` samples from the first sample on.
    """
    windows = sliding_window_view(sound, WINDOW)[::HOP] * _HANN
    power = np.abs(np.fft.rfft(windows, axis=1)).astype(np.float32) ** 2
    bands: Curve = np.log10(_GAIN * (power @ _BANDS) + 1).astype(np.float32)
    return bands
