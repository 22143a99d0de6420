"""What a track sounds like, as numbers: a vector to compare, and measures to rank by.

::

    curves.sfc ─┬─► vector   float32[VECTOR]   timbre │ harmony │ level │ rhythm   what is alike
                └─► measures float32[MEASURES] brightness, evenness, novelty …     what words mean

Both are computed once for each analysis and kept. A vector is compared by `Space`: each number by
its rank in the library, each group at length one, the groups added with a weight, so that 90
numbers of rhythm do not outvote 13 of level. Pure: tables in, numbers out.

The other half of a track is found first for 97 % of 36 halves of tracks (90 % with 26 halves of
loops of one to four seconds), where timbre alone finds 75 %: `_rhythm` makes the difference.

``VERSION`` changes with the definition of any number; what has another one is computed again.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Vectors = NDArray[np.float32]
Indices = NDArray[np.int64]

VERSION = 1
MEASURES = (
    "brightness", "evenness", "sections", "novelty", "lufs", "crest", "vocals", "bass", "attacks",
    "tonality",
)  # fmt: skip
CURVE_HZ, PEAK_HZ = 2.0, 150.0  # rows a second, as `track.curves` has them
_MFCC, _BANDS = 20, 3
# Modulation of the bands' peaks, in Hz: bars to semiquavers of 60 to 180 BPM.
_RHYTHM_HZ = np.geomspace(0.5, 24.0, 31)
GROUPS: Mapping[str, slice] = {
    "timbre": slice(0, 65),
    "harmony": slice(65, 90),
    "level": slice(90, 103),
    "rhythm": slice(103, 193),
}
VECTOR = 193
WEIGHTS = {"timbre": 1.0, "harmony": 0.5, "level": 0.3, "rhythm": 1.5}
_QUIET = 0.4  # of the rows: intros and breaks, in which halves of a track differ most
_LEAST_ROWS = 4


@dataclass(frozen=True)
class Analysed:
    """What is known of a track besides its curves.

    Parameters
    ----------
    bpm : float, optional
    lufs, peak_dbtp : float, optional
    duration_s : float, optional
    sections : int
    beats_per_bar : int
    vocals_s : sequence of (float, float), optional
        Where there is singing, in seconds; None: there was no stem to look in.
    """

    bpm: float | None = None
    lufs: float | None = None
    peak_dbtp: float | None = None
    duration_s: float | None = None
    sections: int = 0
    beats_per_bar: int = 4
    vocals_s: Sequence[Sequence[float]] | None = None


def vector(tables: Mapping[str, Floats]) -> Vectors:
    """Return the vector of a track.

    Parameters
    ----------
    tables : mapping of str to float64[rows, columns]
        ``mfcc``, ``chroma``, ``centroid``, ``rolloff``, ``energy``, ``loudness`` twice a second,
        ``peaks`` 150 times: all, low, mid, high.

    Returns
    -------
    float32[VECTOR]
        Zero where a track is too short to say.
    """
    mfcc, chroma = tables["mfcc"], tables["chroma"]
    if not len(mfcc):
        return np.zeros(VECTOR, np.float32)
    loudest = _loudest(tables["loudness"][:, 0])
    found = [
        # The first coefficient is the level, which is another group's.
        *(mfcc[loudest, 1:].mean(0), mfcc[loudest, 1:].std(0), _steps(mfcc)[1:]),
        *(_octaves(tables[name][loudest, 0]) for name in ("centroid", "rolloff")),
        np.sort(chroma[loudest].mean(0))[::-1],
        *(chroma[loudest].mean(0), [_steps(chroma).mean()]),
        *(_spread(tables[name][loudest, 0]) for name in ("energy", "loudness")),
        _balance(tables["peaks"]),
        _rhythm(tables["peaks"]),
    ]
    together = np.concatenate([np.atleast_1d(np.asarray(each, np.float64)) for each in found])
    kept: Vectors = np.nan_to_num(together, posinf=0.0, neginf=0.0).astype(np.float32)
    return kept


def measures(
    tables: Mapping[str, Floats], onsets_s: Floats, known: Analysed
) -> NDArray[np.float32]:
    """Return what words are ranked by: float32[MEASURES]; NaN is not known.

    Parameters
    ----------
    tables : mapping
        As for `vector`.
    onsets_s : float64[n]
        Attacks of the mix, in seconds.
    known : Analysed
    """
    length_s = known.duration_s or len(tables["loudness"]) / CURVE_HZ
    loudest = _loudest(tables["loudness"][:, 0])
    centroid = tables["centroid"][loudest, 0]
    vocals = known.vocals_s
    found = {
        "brightness": float(np.log2(np.maximum(centroid, 50.0)).mean())
        if len(centroid)
        else math.nan,
        "evenness": _evenness(onsets_s, known),
        "sections": 60.0 * max(0, known.sections - 1) / length_s if known.sections else math.nan,
        "novelty": _novelty(tables["mfcc"][loudest, 1:]),
        "lufs": _or_nan(known.lufs),
        "crest": _or_nan(known.peak_dbtp) - _or_nan(known.lufs),
        "vocals": math.nan if vocals is None else sum(b - a for a, b in vocals) / length_s,
        "bass": float(_balance(tables["peaks"])[0]),
        "attacks": len(onsets_s) / length_s if length_s else math.nan,
        "tonality": float(tables["chroma"][loudest].std(1).mean()) if loudest.any() else math.nan,
    }
    return np.array([found[name] for name in MEASURES], np.float32)


def _loudest(loudness: Floats) -> NDArray[np.bool_]:
    """Return the rows that a track is known by: the loudest."""
    if not len(loudness):
        return np.zeros(0, bool)
    loudest: NDArray[np.bool_] = loudness >= np.quantile(loudness, _QUIET)
    return loudest


def _steps(curve: Floats) -> Floats:
    """Return the mean change from row to row of each column."""
    if len(curve) < 2:
        return np.zeros(curve.shape[1])
    steps: Floats = np.abs(np.diff(curve, axis=0)).mean(0)
    return steps


def _octaves(hz: Floats) -> Floats:
    """Return where a frequency lies, in octaves: mean, deviation, first and last tenth."""
    octaves = np.log2(np.maximum(hz, 50.0))
    if not len(octaves):
        return np.zeros(4)
    return np.array([octaves.mean(), octaves.std(), *np.quantile(octaves, (0.1, 0.9))])


def _spread(curve: Floats) -> Floats:
    if not len(curve):
        return np.zeros(5)
    return np.array([curve.mean(), curve.std(), *np.quantile(curve, (0.1, 0.5, 0.9))])


def _balance(peaks: Floats) -> Floats:
    """Return the shares of low, mid and high in the bands' mean peaks."""
    means = peaks[:, 1:].mean(0) if len(peaks) else np.zeros(_BANDS)
    shares: Floats = means / max(float(means.sum()), 1e-9)
    return shares


def _rhythm(peaks: Floats) -> Floats:
    """Return how strongly each band moves at each rate, as shares of its movement: float64[90].

    Half of a track has the rhythm of the other half, whatever is played; that is what makes it
    recognise a track where timbre alone changes with the arrangement.
    """
    edges = _RHYTHM_HZ
    bands = peaks[:, 1:]
    if len(bands) < 2 * PEAK_HZ:
        return np.zeros(_BANDS * (len(edges) - 1))
    size = int(PEAK_HZ * 8.0)
    count = max(1, len(bands) // size)
    size = min(size, len(bands))
    window = np.hanning(size)[:, None]
    power = np.zeros((size // 2 + 1, _BANDS))
    for at in range(count):
        part = bands[at * size : (at + 1) * size]
        power += np.abs(np.fft.rfft((part - part.mean(0)) * window, axis=0)) ** 2
    hz = np.fft.rfftfreq(size, 1.0 / PEAK_HZ)
    which = np.searchsorted(hz, edges)
    sums = np.array([power[a : max(b, a + 1)].sum(0) for a, b in pairwise(which)])
    shares: Floats = np.sqrt(sums / np.maximum(sums.sum(0), 1e-12))
    return shares.T.ravel()


def _evenness(onsets_s: Floats, known: Analysed) -> float:
    """Return how even attacks are spread over bars: 0 is even, lower is less so."""
    if not known.bpm or len(onsets_s) < 2 * _LEAST_ROWS:
        return math.nan
    bar_s = 60.0 / known.bpm * known.beats_per_bar
    first, last = float(onsets_s[0]), float(onsets_s[-1])
    bars = int((last - first) / bar_s)
    if bars < _LEAST_ROWS:
        return math.nan
    counts = np.histogram(onsets_s, bars, (first, first + bars * bar_s))[0]
    return -float(counts.std() / max(counts.mean(), 1e-9))


def _novelty(mfcc: Floats) -> float:
    """Return how far four seconds are from the next four, beside how far any two are."""
    rows = int(4 * CURVE_HZ)
    blocks = len(mfcc) // rows
    if blocks < _LEAST_ROWS:
        return math.nan
    means = mfcc[: blocks * rows].reshape(blocks, rows, -1).mean(1)
    return float(np.linalg.norm(np.diff(means, axis=0), axis=1).mean())


def _or_nan(value: float | None) -> float:
    return math.nan if value is None else value
