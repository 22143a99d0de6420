"""`sketch`: four stems by signal processing alone, where there is no torch.

Vocals are what is neither a steady tone in long windows (0.19 s: a voice glides and trembles)
nor a beat in short ones, lies in the middle and between 120 Hz and 8 kHz. The backing is parted by
`bands`. A sketch: good enough to find a place in a song, not to perform with. Imports no torch.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import median_filter

from sfa_engine.prep.separate.bands import beats, from_spectrum, spectrum, split_backing
from sfa_engine.prep.separate.chunks import Chunking, Progress, Sound, in_chunks

LONG_WINDOW_FRAMES = 8192
LONG_TONE_WINDOWS = 15  # 0.7 s
LONG_BEAT_BINS = 17
VOICE_HZ = (120.0, 8000.0)
MIDDLE_POWER = 4.0  # of the likeness of left and right


class Sketch:
    """The engine without a model.

    Parameters
    ----------
    rate : int
        Hz.
    """

    name = "sketch"
    model = "sketch"
    version = "1"
    sketch = True
    stems = ("vocals", "drums", "bass", "other")

    def __init__(self, rate: int = 44_100) -> None:
        self.rate = rate

    def separate(self, mix: Sound, stems: Mapping[str, Sound], progress: Progress) -> None:
        """Separate a mix; see `sfa_engine.prep.separate.engine.Engine`."""
        chunking = Chunking(chunk_frames=20 * self.rate, fade_frames=self.rate // 2)
        in_chunks(mix, stems, chunking, self._separate_chunk, progress)

    def _separate_chunk(self, mix: Sound, _: Progress) -> dict[str, Sound]:
        """Separate some seconds."""
        voice = vocals(mix, self.rate)
        return {"vocals": voice} | split_backing(mix - voice, self.rate)


def vocals(mix: Sound, rate: int) -> Sound:
    """Return an estimate, float32[frames, 2], of the voice in a mix of the same shape."""
    bins = spectrum(mix, LONG_WINDOW_FRAMES)
    magnitude = np.abs(bins).mean(axis=1)
    steady = median_filter(magnitude, (LONG_TONE_WINDOWS, 1), mode="nearest") ** 2
    moving = median_filter(magnitude, (1, LONG_BEAT_BINS), mode="nearest") ** 2
    mask = moving / (steady + moving + np.float32(1e-12))
    lively = from_spectrum(bins * mask[:, None], len(mix), LONG_WINDOW_FRAMES)
    bins = spectrum(lively)
    mask = 1.0 - beats(np.abs(bins).mean(axis=1), rate)
    mask *= _middle(bins[:, 0], bins[:, 1]) * _voice_band(bins.shape[2], rate)
    return from_spectrum(bins * mask[:, None], len(mix))


def _middle(left: NDArray[np.complex64], right: NDArray[np.complex64]) -> NDArray[np.float32]:
    """Return how alike two channels are in each bin, 0..1."""
    both = np.abs(left) ** 2 + np.abs(right) ** 2 + np.float32(1e-12)
    likeness = 2.0 * (left * right.conj()).real / both
    alike: NDArray[np.float32] = np.maximum(likeness, 0.0) ** np.float32(MIDDLE_POWER)
    return alike


def _voice_band(bins: int, rate: int) -> NDArray[np.float32]:
    """Return ``float32[bins]``, 1 where voices sound."""
    frequencies = np.linspace(0.0, rate / 2, bins)
    low, high = VOICE_HZ
    band: NDArray[np.float64] = 1.0 / (1.0 + (low / (frequencies + 1e-9)) ** 8)
    band /= 1.0 + (frequencies / high) ** 8
    return band.astype(np.float32)
