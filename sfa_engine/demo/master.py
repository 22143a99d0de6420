r"""The last fader: one gain for all stems, so that their sum stays below full scale.

Loud moments are where four stems happen to agree. Turning all of them down together for a
twentieth of a second keeps the mix in bounds, and the stems still simply add up::

    mix      _/\__/\____/\_         gain of every stem  --. .--------
    ceiling  ------------------                          `'
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from sfa_engine.demo.oscillator import TICK
from sfa_engine.demo.score import Curve, Signal

CEILING = 0.86  # -1.3 dBFS: 0.3 dB of room for what lies between two frames
REACH_S = 0.03  # on both sides of a loud moment
CHUNK = 1024  # ticks looked at in one go


def loudest(stems: Mapping[str, Signal]) -> Curve:
    """Return the peak of the sum of stems in every tick: float64[ticks]."""
    frames = len(next(iter(stems.values())))
    out = np.zeros(-(-frames // TICK))
    for first in range(0, len(out), CHUNK):
        place = slice(first * TICK, (first + CHUNK) * TICK)
        mix = np.abs(sum(stem[place] for stem in stems.values()))
        mix = np.pad(mix, ((0, -len(mix) % TICK), (0, 0)))
        out[first : first + CHUNK] = mix.reshape(-1, 2 * TICK).max(axis=1)
    return out


def ride(stems: Mapping[str, Signal], rate: int, ceiling: float = CEILING) -> None:
    """Turn all stems down together, in place, where their sum would pass a ceiling.

    Parameters
    ----------
    stems : mapping of str to float32[frames, 2]
        All of the same length.
    rate : int
        Frames in a second.
    ceiling : float
        Highest absolute value of the sum.
    """
    need = np.minimum(1.0, ceiling / np.maximum(loudest(stems), 1e-9))
    reach = round(REACH_S * rate / TICK)
    wide = np.pad(need, reach + 1, constant_values=1.0)
    held = np.lib.stride_tricks.sliding_window_view(wide, 2 * reach + 1).min(axis=1)
    window = np.hanning(2 * reach + 1)
    window /= window.sum()
    # a mean over the reach of minima over the reach: never above what is needed at its middle
    gain = np.convolve(np.pad(held, reach - 1, mode="edge"), window, mode="valid")
    line = np.arange(TICK) / TICK
    for first in np.flatnonzero(np.minimum(gain[:-1], gain[1:]) < 1.0 - 1e-6):
        here = (gain[first] + (gain[first + 1] - gain[first]) * line).astype(np.float32)
        for stem in stems.values():
            part = stem[first * TICK : (first + 1) * TICK]
            part *= here[: len(part), None]
