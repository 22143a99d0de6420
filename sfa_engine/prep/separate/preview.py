"""The best minute of a track: where to listen before the whole is separated.

::

    in the bundle        |- preview -|
    vocals      silent   | separated |  silent
    other       the mix  | separated |  the mix
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from sfa_engine.prep.separate import raw
from sfa_engine.prep.separate.chunks import Sound, forget

RASTER_S = 1.0
FADE_S = 0.01  # into and out of the stems: shorter ones click in loud bass
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


def within_whole(
    whole: Sound, stems: Mapping[str, Sound], begin: int, rate: int, folder: Path
) -> dict[str, Sound]:
    """Return the stems of a part of a track at the length of all of it; they sum to the mix.

    Parameters
    ----------
    whole : float32[frames, 2]
        The track.
    stems : mapping of str to float32[n, 2]
        Of a part of it.
    begin : int
        Where that part begins, in frames.
    rate : int
        Hz.
    folder : Path
        For mapped files.

    Returns
    -------
    dict of str to float32[frames, 2]
        Outside the part ``other``, or the last stem, is the mix, and the rest are silent.
    """
    names = list(stems)
    rest = "other" if "other" in stems else names[-1]
    count = len(stems[rest])
    gain = np.ones((count, 1), np.float32)
    fade = np.linspace(0.0, 1.0, min(round(FADE_S * rate), count // 2), dtype=np.float32)[:, None]
    if begin:
        gain[: len(fade)] = fade
    if begin + count < len(whole):
        gain[count - len(fade) :] = fade[::-1]
    found = {name: raw.empty_sound(folder / f"{name}.whole", len(whole)) for name in names}
    for at in range(0, len(whole), raw.BLOCK_FRAMES):
        block = slice(at, at + raw.BLOCK_FRAMES)
        found[rest][block] = whole[block]
    for at in range(0, count, raw.BLOCK_FRAMES):
        block = slice(at, min(at + raw.BLOCK_FRAMES, count))
        there = slice(begin + block.start, begin + block.stop)
        for name in names:
            if name != rest:
                found[name][there] = stems[name][block] * gain[block]
                found[rest][there] -= found[name][there]
        forget([whole, *stems.values(), *found.values()])
    return found
