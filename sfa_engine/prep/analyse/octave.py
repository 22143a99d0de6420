"""Which of a tempo's octaves is the beat: the half, the tempo itself or the double.

What comes back says how long a beat is only up to a factor of two. How it comes back says more:
where little happens between its quarters, where hats alternate with the beat and the snare comes
every fourth rather than every second beat, people count so. Each octave is judged by the
correlation of the attacks with themselves after parts and multiples of its beat::

    usual       -1.16 o - 2.54 o²    o: octaves from 120 BPM
    all bands    1.17 after 1/2, -4.03 after 1/4, -2.32 after 2 beats
                -0.75 (after 1/3 or 2/3) - (after 1/2): threes rather than twos
    snare        2.91 (after 4) - (after 2)
    kick         1.62 (after 1) - (after 1/2)
    hats         2.47 (after 1) - (after 1/2)

The weights are a conditional logit on 102 rendered pieces of 33 styles; with the style that is
asked for left out, 91 of 100 were right, against 79 by the usual tempo alone.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from sfa_engine.prep.analyse.onset import Onsets
from sfa_engine.prep.analyse.smooth import Curve, Floats, autocorrelation, decimate, gaussian
from sfa_engine.prep.analyse.tempo import COARSE_HZ, COARSE_MS, Tempo

SLOWEST, FASTEST = 50.0, 215.0  # BPM
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
    half, snare = after("all", 1 / 2), after("snare", 4) - after("snare", 2)
    third = max(after("all", 1 / 3), after("all", 2 / 3)) - half
    return float(
        -1.16 * octave
        - 2.54 * octave**2
        + 1.17 * half
        - 4.03 * after("all", 1 / 4)
        - 2.32 * after("all", 2)
        - 0.75 * third
        + 2.91 * snare
        + 1.62 * (after("low", 1) - after("low", 1 / 2))
        + 2.47 * (after("high", 1) - after("high", 1 / 2))
    )
