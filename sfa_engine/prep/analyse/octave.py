"""Which of a tempo's octaves is the beat: the half, the tempo itself or the double.

What comes back says how long a beat is only up to a factor of two. How it comes back says more:
where little happens between its quarters, and the snare comes every fourth rather than every
second beat, people count so. Each octave is judged by the correlation of the attacks with
themselves after parts and multiples of its beat::

    usual       -0.97 o - 3.09 o²    o: octaves from 120 BPM
    all bands    0.42 after 1/2, -2.60 after 1/4, 3.59 after 1, -1.20 after 2 beats
                -0.11 (after 1/3 or 2/3) - (after 1/2): threes rather than twos
    snare        3.43 (after 4) - (after 2), -1.27 (after 2) - (after 1), 1.65 (after 1) - (1/2)
    kick         0.53 (after 1) - (after 1/2)
    hats        -0.32 (after 1) - (after 1/2)

The weights are a conditional logit on 119 rendered pieces of 40 styles and 29 drum patterns; of
these and 40 patterns more, 177 of 188 come out right. The usual tempo alone is right for 78 of
100 pieces.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from sfa_engine.prep.analyse.onset import Onsets
from sfa_engine.prep.analyse.smooth import Curve, Floats, autocorrelation, decimate, gaussian
from sfa_engine.prep.analyse.tempo import COARSE_HZ, COARSE_MS, Tempo

SLOWEST, FASTEST = 50.0, 186.0  # BPM
_USUAL = 120.0  # BPM
_REACH = 5  # points of 4 ms beside a lag that count as it
_LONGEST_BEATS = 4


def choose_octave(onsets: Onsets, tempo: Tempo) -> Tempo:
    """Return a tempo, its half or its double: what people would count.

    Parameters
    ----------
    onsets : Onsets
    tempo : Tempo

    Returns
    -------
    Tempo
        With the same coherence and strength.
    """
    lags = int(COARSE_HZ * 60 / SLOWEST * _LONGEST_BEATS) + _REACH + 1
    bands = {
        name: _returns(gaussian(onsets.rises[name], 6.0), lags) for name in ("low", "snare", "high")
    }
    bands["all"] = _returns(onsets.strength, lags)
    octaves = [o for o in (0.5, 1.0, 2.0) if SLOWEST <= tempo.bpm * o <= FASTEST]
    best = max(octaves, key=lambda octave: _worth(bands, tempo.bpm * octave))
    return replace(tempo, bpm=tempo.bpm * best)


def _returns(curve: Curve, lags: int) -> Floats:
    points = decimate(curve, COARSE_MS)
    return autocorrelation(points, min(lags, max(1, len(points) - 2)))


def _worth(bands: dict[str, Floats], bpm: float) -> float:
    """Return how much speaks for a tempo."""

    def after(band: str, beats: float) -> float:
        returns = bands[band]
        lag = round(beats * 60 / bpm * COARSE_HZ)
        if lag + _REACH >= len(returns):
            return 0.0
        return float(returns[max(0, lag - _REACH) : lag + _REACH + 1].max())

    octave = np.log2(bpm / _USUAL)
    half, third = after("all", 1 / 2), max(after("all", 1 / 3), after("all", 2 / 3))
    snare = [after("snare", beats) for beats in (1 / 2, 1, 2, 4)]
    return float(
        -0.97 * octave
        - 3.09 * octave**2
        + 0.42 * half
        - 2.60 * after("all", 1 / 4)
        + 3.59 * after("all", 1)
        - 1.20 * after("all", 2)
        - 0.11 * (third - half)
        + 3.43 * (snare[3] - snare[2])
        - 1.27 * (snare[2] - snare[1])
        + 1.65 * (snare[1] - snare[0])
        + 0.53 * (after("low", 1) - after("low", 1 / 2))
        - 0.32 * (after("high", 1) - after("high", 1 / 2))
    )
