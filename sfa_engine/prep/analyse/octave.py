"""Which of a tempo's octaves is the beat: the half, the tempo itself or the double.

What comes back says how long a beat is only up to a factor of two. How it comes back says more:
where little happens between its quarters, and the snare comes every fourth rather than every
second beat, people count so. Each octave is judged by the correlation of the attacks with
themselves after parts and multiples of its beat, by how much is struck in it, and by how usual it
is (`WEIGHTS`). Correlations say little of dense music, whose sixteenths are all alike; but nine
strong attacks a second of kick, snare and hats each are sixteenths of a fast beat, hardly
thirty-seconds of a slow one.

The weights are a conditional logit. That of the attacks is fitted by
`sfa_engine.bench.fit_confidence` on its pieces; the others are of an earlier fit on 202 pieces of
these and of other renderers, for those of the test pieces alone halve the plainest of patterns, a
kick on one and three at 98 BPM.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from sfa_engine.prep.analyse import heap
from sfa_engine.prep.analyse.onset import FRAME_HZ, Onsets
from sfa_engine.prep.analyse.smooth import (
    Floats,
    autocorrelation,
    decimate,
    gaussian_in_parts,
    peaks,
)
from sfa_engine.prep.analyse.tempo import COARSE_HZ, COARSE_MS, Tempo

SLOWEST, FASTEST = 44.0, 222.0  # BPM
FACTORS = (0.5, 1.0, 2.0)
WEIGHTS = {
    "octaves from 120": 0.06,
    "their square": -1.47,
    "all after 1/2": 1.89,
    "all after 1/4": -3.09,
    "all after 1": 6.02,
    "all after 2": -0.57,
    "threes rather than twos": -1.23,
    "snare after 4 - 2": 1.17,
    "snare after 2 - 1": 0.72,
    "snare after 1 - 1/2": -0.55,
    "kick after 1 - 1/2": 3.22,
    "hats after 1 - 1/2": -0.34,
    "kick after 2 - 1": 4.35,
    "kick after 4 - 2": 3.99,
    "middle after 1 - 1/2": 2.76,
    "all after 1/3": 3.10,
    "hats after 1/2 - 1/4": -0.45,
    "more attacks than usual": -2.38,
}
_USUAL = 120.0  # BPM
_REACH = 5  # points of 4 ms beside a lag that count as it
_MAX_BEATS = 4
_LEAST_BEATS = 8.5  # of a short sound: fewer say nothing
_STRUCK_BANDS = ("low", "snare", "high")
_STRONG = 0.35  # of the energy-weighted mean attack of a band
_APART_MS = 61  # within which the strongest counts
_PAUSE_S = 2.0  # without an attack: nothing is played
_USUAL_HITS = 1.2  # log2 of the attacks of a beat in each of the bands: 2.3 of them


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
    shares = weigh_octaves(onsets, tempo.bpm)
    best = max(shares, key=lambda octave: shares[octave])
    return replace(tempo, bpm=tempo.bpm * best)


def weigh_octaves(onsets: Onsets, bpm: float) -> dict[float, float]:
    """Return how likely people count a tempo, its half or its double.

    Parameters
    ----------
    onsets : Onsets
    bpm : float

    Returns
    -------
    dict of float to float
        Of 0.5, 1 and 2, as far as they are tempos: shares whose sum is 1.
    """
    slowest = max(SLOWEST, 60 * _LEAST_BEATS / max(onsets.seconds, 1.0))
    octaves = [o for o in FACTORS if o == 1.0 or slowest <= bpm * o <= FASTEST]
    worth = features(onsets, [bpm * o for o in octaves]) @ np.array(list(WEIGHTS.values()))
    shares = np.exp(worth - worth.max())
    shares /= shares.sum()
    return {octave: float(share) for octave, share in zip(octaves, shares, strict=True)}


def features(onsets: Onsets, bpms: Sequence[float]) -> Floats:
    """Return what speaks for some tempos.

    Parameters
    ----------
    onsets : Onsets
    bpms : sequence of float

    Returns
    -------
    float64[bpms, features]
        In the order of `WEIGHTS`.
    """
    bands, hits = onsets.once("octave", _returns)
    return np.array([_features(bands, hits, bpm) for bpm in bpms])


def _returns(onsets: Onsets) -> tuple[dict[str, Floats], float]:
    """Return the correlation of each band's attacks with themselves, and `hits_a_second`."""
    heap.trim()
    hits = hits_a_second(onsets)  # before the curves below, for memory
    lags = int(COARSE_HZ * 60 / SLOWEST * _MAX_BEATS) + _REACH + 1
    points = {name: gaussian_in_parts(onsets.rises[name], 6.0, COARSE_MS) for name in onsets.rises}
    points["all"] = decimate(onsets.strength, COARSE_MS)
    bands = {
        name: autocorrelation(curve, min(lags, max(1, len(curve) - 2)))
        for name, curve in points.items()
    }
    return bands, hits


def hits_a_second(onsets: Onsets) -> float:
    """Return how many strong attacks kick, snare and hats each have a second, where they play.

    Parameters
    ----------
    onsets : Onsets

    Returns
    -------
    float
        The geometric mean of the three bands.
    """
    rates = []
    for name in _STRUCK_BANDS:
        curve = gaussian_in_parts(onsets.rises[name], 4.0)
        tops = peaks(curve, _APART_MS, 0.0)
        heights = curve[tops].astype(np.float64)
        strong = float((heights**2).sum() / (heights.sum() + 1e-9))
        gaps = np.diff(tops[heights > _STRONG * strong]) / FRAME_HZ
        gaps = gaps[gaps < _PAUSE_S]
        rates.append(len(gaps) / gaps.sum() if len(gaps) else 1 / _PAUSE_S)
    return float(np.exp(np.mean(np.log(rates))))


def _features(bands: dict[str, Floats], hits: float, bpm: float) -> list[float]:
    """Return what speaks for a tempo, in the order of `WEIGHTS`."""

    def after(band: str, beats: float) -> float:
        returns = bands[band]
        lag = round(beats * 60 / bpm * COARSE_HZ)
        if lag + _REACH >= len(returns):
            return 0.0
        return float(returns[max(0, lag - _REACH) : lag + _REACH + 1].max())

    def more(band: str, beats: float, than: float) -> float:
        return after(band, beats) - after(band, than)

    octave = float(np.log2(bpm / _USUAL))
    dense = float(np.log2(hits * 60 / bpm)) - _USUAL_HITS
    half, third = after("all", 1 / 2), max(after("all", 1 / 3), after("all", 2 / 3))
    return [
        octave,
        octave**2,
        half,
        after("all", 1 / 4),
        after("all", 1),
        after("all", 2),
        third - half,
        more("snare", 4, 2),
        more("snare", 2, 1),
        more("snare", 1, 1 / 2),
        more("low", 1, 1 / 2),
        more("high", 1, 1 / 2),
        more("low", 2, 1),
        more("low", 4, 2),
        more("mid", 1, 1 / 2),
        after("all", 1 / 3),
        more("high", 1 / 2, 1 / 4),
        max(dense, 0.0),
    ]
