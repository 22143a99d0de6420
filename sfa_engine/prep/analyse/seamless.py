"""Short files that are loops: the tempo is in their length.

Eight beats say how long a beat is to some 0.1 %; that a file is meant to be repeated says it
exactly. It is taken for a loop if it starts with sound and holds 4, 8, 16 … beats of the tempo that
its attacks have, alone and repeated.
"""

from __future__ import annotations

import numpy as np

from sfa_engine.prep.analyse.levels import Levels
from sfa_engine.prep.analyse.onset import Onsets, find_onsets
from sfa_engine.prep.analyse.tempo import find_tempo

MAX_LOOP_S = 20.0  # longer ones have enough beats
_BEATS = (4, 8, 16, 32)
_USUAL = 118.0  # BPM; with steps of an octave, 83 to 167 are distinguished
_TILED_S = 16.0  # so much of repetition shows the tempo of a bar
_NEAR_BEATS = 0.06  # of a whole number
_NEAR_SHARE = 0.015  # of the tempo, where the file is short
_STARTS_MS, _STARTS = 40, 0.05  # sound in the first 40 ms, of the loud level
_LEAST_S = 1.3  # four beats at 180 BPM
LEAST_KNOWN_S = 3.0  # the attacks of what is shorter say no tempo by themselves


def count_beats(onsets: Onsets) -> int | None:
    """Return how many beats a file holds if it is a loop.

    Parameters
    ----------
    onsets : Onsets
        Of the whole file.

    Returns
    -------
    int or None
        4, 8, 16 or 32, of which a bar has four; None if it is no loop.
    """
    seconds = onsets.seconds
    if not _LEAST_S <= seconds <= MAX_LOOP_S or not _starts(onsets):
        return None
    octaves = [abs(np.log2(60 * beats / seconds / _USUAL)) for beats in _BEATS]
    beats = _BEATS[int(np.argmin(octaves))]
    if min(octaves) > 0.5:
        return None
    times = int(np.ceil(_TILED_S / seconds))
    tiled = find_onsets(
        Levels({name: np.tile(level, times) for name, level in onsets.levels.items()})
    )
    if not _agrees(tiled, seconds, beats):
        return None
    return beats if seconds < LEAST_KNOWN_S or _agrees(onsets, seconds, beats) else None


def _starts(onsets: Onsets) -> bool:
    levels = list(onsets.levels.values())
    return any(
        level[:_STARTS_MS].max(initial=0) > _STARTS * np.percentile(level, 95) + 1e-5
        for level in levels
    )


def _agrees(onsets: Onsets, seconds: float, beats: int) -> bool:
    """Tell whether the attacks have the tempo of so many beats, an octave up or down."""
    tempo = find_tempo(onsets.strength)
    if tempo is None:
        return False
    held = seconds / tempo.period_s
    octave = 2.0 ** np.round(np.log2(held / beats))
    off = abs(held / octave - beats)
    return bool(off <= max(_NEAR_BEATS, _NEAR_SHARE * beats if seconds < 6.0 else 0.0))
