"""Drums, bass and the rest told apart by the shapes that they draw in a spectrogram.

::

    frequency │    │      ─────────      a beat is a line across frequencies, a tone one along
              │  ──│──────│────────      time: the median along time keeps tones, the median
              │    │      │              across frequencies keeps beats [1]_
              └────┴──────┴──── time

Below 200 Hz that fails, for a bass drum is a tone too, if a short one. There a beat is what rises
above the median of 0.34 s: on nearly-all-drums music this turned a loss of 2.6 dB for the drums
into a gain of 0.6. Knows arrays only: no files, no models.

References
----------
.. [1] D. FitzGerald, "Harmonic/Percussive Separation Using Median Filtering", DAFx-10, 2010.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.fft import irfft, rfft
from scipy.ndimage import median_filter

Sound = NDArray[np.float32]
Spectrum = NDArray[np.complex64]
Mask = NDArray[np.float32]

WINDOW_FRAMES = 2048
OVERLAP = 4  # windows that lie over each frame
TONE_WINDOWS = 17  # 0.2 s at 44.1 kHz: longer is a tone
BEAT_BINS = 17  # 370 Hz: wider is a beat
LOW_TONE_WINDOWS = 29  # 0.34 s: a bass drum is over by then
LOW_HZ = 200.0
LOWEST_SHARE = 0.05  # of the low mask that is still worth its medians
BASS_HZ = 180.0
_TINY = np.float32(1e-12)


def spectrum(sound: Sound, window_frames: int = WINDOW_FRAMES) -> Spectrum:
    """Return the short-time spectrum of a sound, with silence assumed before and after it.

    Parameters
    ----------
    sound : float32[frames, channels]
        Full scale +-1.
    window_frames : int
        Length of a window, the root of Hann's; a multiple of `OVERLAP`.

    Returns
    -------
    complex64[windows, channels, bins]
        `from_spectrum` is the way back.
    """
    hop = window_frames // OVERLAP
    windows = -(-len(sound) // hop) + OVERLAP - 1
    padded = np.zeros(((windows - 1) * hop + window_frames, sound.shape[1]), np.float32)
    padded[window_frames - hop : window_frames - hop + len(sound)] = sound
    views = np.lib.stride_tricks.sliding_window_view(padded, window_frames, axis=0)[::hop]
    bins: Spectrum = rfft(views * _window(window_frames), axis=2)
    return bins


def from_spectrum(bins: Spectrum, frames: int, window_frames: int = WINDOW_FRAMES) -> Sound:
    """Return ``float32[frames, channels]``, the sound of a short-time spectrum."""
    hop = window_frames // OVERLAP
    pieces = irfft(bins, window_frames, axis=2) * (_window(window_frames) * np.float32(2 / OVERLAP))
    blocks = pieces.reshape(*bins.shape[:2], OVERLAP, hop)
    sound = np.zeros((len(bins) + OVERLAP - 1, bins.shape[1], hop), np.float32)
    for part in range(OVERLAP):
        sound[part : part + len(bins)] += blocks[:, :, part]
    flat = sound.transpose(0, 2, 1).reshape(-1, bins.shape[1])
    begin = window_frames - hop
    return np.ascontiguousarray(flat[begin : begin + frames])


def beats(magnitude: Mask, rate: int, window_frames: int = WINDOW_FRAMES) -> Mask:
    """Return how much of each bin belongs to the drums.

    Parameters
    ----------
    magnitude : float32[windows, bins]
        Of all channels together.
    rate : int
        Hz.
    window_frames : int
        As in `spectrum`.

    Returns
    -------
    float32[windows, bins]
        0..1.
    """
    tones = _median(magnitude, (TONE_WINDOWS, 1)) ** 2
    lines = _median(magnitude, (1, BEAT_BINS)) ** 2
    mask: Mask = lines / (tones + lines + _TINY)
    share = 1.0 / (1.0 + (_frequencies(rate, window_frames) / LOW_HZ) ** 4)
    low = int(np.count_nonzero(share > LOWEST_SHARE))
    share = share[:low].astype(np.float32)
    lasting = _median(magnitude[:, :low], (LOW_TONE_WINDOWS, 1))
    above = 1.0 - (lasting / (magnitude[:, :low] + _TINY)) ** 2
    mask[:, :low] += (np.maximum(above, 0.0) - mask[:, :low]) * share
    return mask


def bass(rate: int, window_frames: int = WINDOW_FRAMES) -> Mask:
    """Return ``float32[bins]``: how much of a tone of each frequency belongs to the bass."""
    slope = 1.0 / (1.0 + (_frequencies(rate, window_frames) / BASS_HZ) ** 8)
    return slope.astype(np.float32)


def split_backing(backing: Sound, rate: int) -> dict[str, Sound]:
    """Part music without vocals into drums, bass and the rest.

    Parameters
    ----------
    backing : float32[frames, 2]
        Full scale +-1.
    rate : int
        Hz; the constants are meant for 44100 and 48000.

    Returns
    -------
    dict of str to float32[frames, 2]
        ``drums``, ``bass`` and ``other``; their sum is `backing`, to the rounding.
    """
    bins = spectrum(backing)
    drums = beats(np.abs(bins).mean(axis=1), rate)
    tones = (1.0 - drums) * bass(rate)
    parts = {
        "drums": from_spectrum(bins * drums[:, None], len(backing)),
        "bass": from_spectrum(bins * tones[:, None], len(backing)),
    }
    parts["other"] = backing - parts["drums"] - parts["bass"]
    return parts


def _frequencies(rate: int, window_frames: int) -> NDArray[np.floating[Any]]:
    """Return the frequency of each bin, in Hz."""
    return np.fft.rfftfreq(window_frames, 1.0 / rate)


def _window(frames: int) -> Mask:
    """Return the root of Hann's window: used twice, four of them sum to 2."""
    return np.sin(np.pi * np.arange(frames) / frames).astype(np.float32)


def _median(magnitude: Mask, size: tuple[int, int]) -> Any:
    """Return the median in a rectangle around each bin."""
    return median_filter(magnitude, size, mode="nearest")
