"""The best minute of a track: where to listen before the whole is separated."""

from __future__ import annotations

import numpy as np

from sfa_engine.prep.separate.chunks import Sound

RASTER_S = 1.0
QUIETEST = 1e-6  # -60 dB of power: below that all silence is alike


def best_place(mix: Sound, rate: int, seconds: float) -> tuple[int, int]:
    """Return begin and end, in frames, of the stretch in which most goes on.

    Parameters
    ----------
    mix : float32[frames, 2]
        The track.
    rate : int
        Hz.
    seconds : float
        Length of the stretch; a shorter track is taken whole.

    Returns
    -------
    tuple of int
        On whole seconds. The mean level in dB counts, so that a long stretch that is full wins
        over one with a single loud place; of equals the first.
    """
    step = round(RASTER_S * rate)
    length = round(seconds * rate)
    if len(mix) <= length:
        return 0, len(mix)
    powers = [
        float(np.mean(np.square(mix[begin : begin + step], dtype=np.float64)))
        for begin in range(0, len(mix) - step + 1, step)
    ]
    levels = 10.0 * np.log10(np.maximum(powers, QUIETEST))
    wide = max(1, length // step)
    sums = np.convolve(levels, np.ones(wide), "valid")
    last = (len(mix) - length) // step
    begin = int(np.argmax(np.round(sums[: last + 1], 6))) * step
    return begin, begin + length
