"""Where the vocals sing, from their stem.

A separated stem is never silent: drums and leads bleed into it, 20 dB and more below what they
are in the mix. Three things together are a voice:

- the level in the middle, held between the attacks of drums, is near the stem's loud level;
- it is a fair part of the mix there;
- it lasts.
"""

from __future__ import annotations

import numpy as np

from sfa_engine.prep.analyse.levels import Levels
from sfa_engine.prep.analyse.onset import FRAME_HZ
from sfa_engine.prep.analyse.smooth import Floats

_STEP_MS = 50
_BELOW_LOUD_DB = -26.0  # softer than the stem's loud level by more: breath, reverb, bleed
_OF_MIX_DB = -15.0  # bleed is 20 dB below the mix and more, a voice behind a full mix 6 to 12
_AUDIBLE_DB = -50.0  # full scale: a stem that never is louder has no voice
_LOUD = 95  # percentile
_HELD_STEPS = 3  # 150 ms: a drum that bleeds has decayed by then
_PAUSE_S = 1.0  # between words and lines, which belong together
_SHORTEST_S = 0.5


def find_vocals(stem: Levels, mix: Levels) -> list[tuple[float, float]]:
    """Return where the vocals sing.

    Parameters
    ----------
    stem : dict of str to float32[ms]
        Levels of the vocals.
    mix : dict of str to float32[ms]
        Of the whole track, as long.

    Returns
    -------
    list of (float, float)
        Start and end in seconds, in order, at least a pause apart.
    """
    voice, whole = _level_db(stem), _level_db(mix)
    if not len(voice):
        return []
    loud = float(np.percentile(voice, _LOUD))
    audible = voice[voice > loud + _BELOW_LOUD_DB]
    loud = float(np.percentile(audible, 80)) if len(audible) else loud  # of what is sung at all
    if loud < _AUDIBLE_DB:
        return []
    sings = (voice > loud + _BELOW_LOUD_DB) & (voice > whole + _OF_MIX_DB)
    spans: list[tuple[float, float]] = []
    edges = np.flatnonzero(np.diff(np.concatenate([[0], sings.view(np.int8), [0]])))
    for first, end in edges.reshape(-1, 2):
        start_s, end_s = float(first) * _STEP_MS / FRAME_HZ, float(end) * _STEP_MS / FRAME_HZ
        if spans and start_s - spans[-1][1] < _PAUSE_S:
            start_s = spans.pop()[0]
        spans.append((start_s, end_s))
    return [span for span in spans if span[1] - span[0] >= _SHORTEST_S]


def _level_db(levels: Levels) -> Floats:
    """Return the held level of the middle in each step: float64[steps].

    The least of some steps before and after, whichever is more: what decays at once is not held.
    """
    count = len(levels["mid"]) // _STEP_MS
    power = np.zeros(count)
    for name in ("mid", "snare"):
        rows = levels[name][: count * _STEP_MS].reshape(count, _STEP_MS)
        power += (rows.astype(np.float64) ** 2).mean(axis=1)
    decibels = 10 * np.log10(power + 1e-10)
    if count < _HELD_STEPS:
        return decibels
    padded = np.pad(decibels, _HELD_STEPS - 1, constant_values=-100.0)
    least = np.lib.stride_tricks.sliding_window_view(padded, _HELD_STEPS).min(axis=1)
    held: Floats = np.lib.stride_tricks.sliding_window_view(least, _HELD_STEPS).max(axis=1)
    return held
