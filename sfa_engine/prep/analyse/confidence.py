"""How likely it is that the beats that were found are right, and what else they might be.

Four questions are asked separately, for each is corrected by another command::

    tempo    is it the tempo, or its half or double, to 0.02 BPM?      beats drift apart
    phase    do the beats lie within 25 ms of the true ones?           half a beat off
    bar      does the bar begin there, and has it so many beats?       one is called two
    octave   is it the beat that people count?                         87 or 174

Evidence is gathered from the beats as they were laid out in the end, by any method: how well
attacks follow them from end to end, by how much drums and changes prefer them to their neighbours,
and whether the parts of the track agree on that. Each question has a logistic regression over a
few of these; `sfa_engine.bench.fit_confidence` fits it, and its docstring says on what. A feature
is clipped to where it was observed, so that no single one makes sure.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from sfa_engine.prep.analyse.bar import Layout, lay_out
from sfa_engine.prep.analyse.beat import Beats
from sfa_engine.prep.analyse.features import Spectra
from sfa_engine.prep.analyse.octave import weigh_octaves
from sfa_engine.prep.analyse.onset import Onsets, near, smooth_attacks, struck
from sfa_engine.prep.analyse.smooth import Curve, Floats, autocorrelation, decimate, weighted_median
from sfa_engine.prep.analyse.tempo import COARSE_HZ, COARSE_MS, coherence

Evidence = dict[str, float]

_STRETCH = 8  # beats that are judged together
_SOME = 1 << 16  # points of a curve, at a time
_HELD_S = 0.010
_PART_BARS, _MAX_PARTS = 4, 6
_METRES = (3, 3.5, 5, 7)  # beats after which a bar of another metre returns
_LEAST_SCORE = 0.1  # of an alternative that is worth offering
# A wrong grid on stage costs as much as so many looks at a right one: at 0.5 both cost the same,
# where the grid is right in four of five tracks. A plain 0.5 would let one wrong in two pass.
_LOOKS_PER_WRONG = 4.0
_DISSENT = -0.17  # of the parts on the bar: right in 6 of 17 pieces; of two edits missed, -0.18
_DENIED_BY_DRUMS = 0.65  # right in 7 of 11 pieces where drums alone would choose another beat
_UNCLEAR_SEAM = (
    0.65  # of the phase, where it is not clear where a part is missing, or how a tempo bends
)
_LEAST_HOLDING, _LEFT_BY_ATTACKS = 0.8, 0.4  # 8 of 14 wrong grids held less, none of 72 right
_CLEAR_CHANGES = 0.8  # from which on changes were right against drums
_DOUBTFUL, _UNSURE = 0.7, 0.49  # an octave of less than 0.7 was wrong in one piece of four
_PHASES = {1: "quarter_beat_later", 2: "half_beat_later", 3: "quarter_beat_earlier"}
_SHIFTS = {1: "beat_later", 2: "two_beats_later", 3: "beat_earlier"}
_MARGINS = (
    "phase", "phase of drums", "phase of changes", "bar", "bar of drums", "bar of changes",
)  # fmt: skip
_PARTS = ("phase of worst part", "bar of worst part", "phase denied", "bar denied")
QUESTIONS = ("tempo", "phase", "bar", "octave")
CLIPS = {  # where most pieces lie
    "phase": (-1.0, 2.5),
    "phase of drums": (-0.25, 0.35),  # from 0.35 on it is right, below 0 in two of three pieces
    "phase of changes": (-0.8, 1.0),
    "phase of worst part": (-2.0, 1.5),
    "phase denied": (-1.0, 0.0),
    "bar": (-0.5, 2.5),
    "bar of drums": (-0.5, 1.5),
    "bar of changes": (-0.5, 2.0),
    "bar of worst part": (-2.0, 1.0),
    "bar denied": (-1.0, 0.0),
    "another metre": (-0.4, 0.15),
    "coherence": (0.5, 1.0),
    "strength": (0.0, 0.6),
    "struck": (0.5, 2.5),
    "holds": (0.5, 1.0),
    "near": (0.5, 1.0),
    "variable": (0.0, 1.0),
}
AGAINST = {"another metre", "variable"}  # evidence against an answer; all else is for it
WEIGHTS: dict[str, dict[str, float]] = {
    "tempo": {
        "coherence": 15.83,
        "strength": 9.97,
        "holds": 1.96,
        "near": 2.55,
        "struck": 0.77,
        "variable": -1.56,
        "always": -22.85,
    },
    "phase": {
        "phase": 0.55,
        "phase of drums": 0.00,
        "phase of changes": 0.52,
        "phase of worst part": 0.05,
        "phase denied": 2.28,
        "holds": 5.37,
        "near": 5.83,
        "coherence": 11.39,
        "struck": 3.25,
        "variable": -0.64,
        "always": -25.95,
    },
    "bar": {
        "bar": 0.77,
        "bar of drums": 0.50,
        "bar of changes": 0.99,
        "bar denied": 3.83,
        "another metre": -0.47,
        "phase": 0.29,
        "holds": 4.29,
        "strength": 6.03,
        "always": -8.38,
    },
}


@dataclass(frozen=True, slots=True)
class Alternative:
    """Another way to count.

    Parameters
    ----------
    change : str
        "half", "double", "half_beat_later", "beat_later" …: what to do to the grid.
    bpm : float
    score : float
        0..1, how likely it is.
    """

    change: str
    bpm: float
    score: float


@dataclass(frozen=True, slots=True)
class Confidence:
    """How likely it is that beats are right, 0..1 each; see the module.

    Parameters
    ----------
    tempo, phase, bar, octave : float
    alternatives : tuple of Alternative
        Best first; empty if none is likely.
    """

    tempo: float
    phase: float
    bar: float
    octave: float
    alternatives: tuple[Alternative, ...] = ()

    @property
    def beats(self) -> float:
        """Return how far the played beats may be trusted: from 0.5 on without a look.

        The odds that they lie within 25 ms of the true ones, divided by how many looks at a right
        grid a wrong one costs, as a share of one. It is below 0.5 too where the octave is in doubt.
        """
        likely = min(self.tempo, self.phase)
        played = likely / (likely + _LOOKS_PER_WRONG * (1 - likely))
        return played if self.octave >= _DOUBTFUL else min(played, _UNSURE)


def assess(
    onsets: Onsets, spectra: Spectra, beats: Beats, drums: Onsets | None = None
) -> Confidence:
    """Return how sure beats are.

    Parameters
    ----------
    onsets : Onsets
    spectra : Spectra
    beats : Beats
    drums : Onsets, optional
        Of the drums alone, if the beats were placed by them.

    Returns
    -------
    Confidence
        In each property of the grid, with what else it may be.
    """
    if beats.assured is not None:
        sure_of = beats.assured
        return Confidence(sure_of, sure_of, sure_of, sure_of)
    found, phases, ones = gather(drums or onsets, spectra, beats)
    octaves = weigh_octaves(drums or onsets, beats.bpm)
    sure = {name: _likely(name, found) for name in WEIGHTS}
    if found["phase of drums"] < 0 and found["phase of changes"] < _CLEAR_CHANGES:
        sure["phase"] = min(sure["phase"], _DENIED_BY_DRUMS)
    if beats.holds < _LEAST_HOLDING:
        sure["phase"] = min(sure["phase"], _LEFT_BY_ATTACKS)
    if beats.unclear in ("phase", "course"):
        sure["phase"] = min(sure["phase"], _UNCLEAR_SEAM)
    if found["bar denied"] < _DISSENT or beats.unclear in ("phase", "bar"):
        sure["bar"] = min(sure["bar"], _UNSURE)
    others = [
        Alternative({0.5: "half", 2.0: "double"}[octave], beats.bpm * octave, share)
        for octave, share in octaves.items()
        if octave != 1.0
    ]
    for names, scores, wrong in (
        (_PHASES, phases, 1 - sure["phase"]),
        (_SHIFTS, ones, 1 - sure["bar"]),
    ):
        shares = np.exp(scores[1:] - scores[1:].max())
        shares *= wrong / shares.sum()
        others += [
            Alternative(names[i + 1], beats.bpm, float(share))
            for i, share in enumerate(shares)
            if i + 1 in names
        ]
    likely = sorted((o for o in others if o.score >= _LEAST_SCORE), key=lambda o: -o.score)
    return Confidence(**sure, octave=octaves[1.0], alternatives=tuple(likely))


def gather(onsets: Onsets, spectra: Spectra, beats: Beats) -> tuple[Evidence, Floats, Floats]:
    """Return what speaks for beats.

    Parameters
    ----------
    onsets : Onsets
    spectra : Spectra
    beats : Beats

    Returns
    -------
    evidence : dict of str to float
        By the names of `CLIPS`.
    phases : float64[4]
        How much speaks for beats that are none to three sixteenths later.
    ones : float64[beats_per_bar]
        How much speaks for bars that are none or more beats later.
    """
    places, m = beats.places_s, beats.beats_per_bar
    period = float(np.median(np.diff(places)))
    curve = _straightened(decimate(onsets.strength, COARSE_MS), places, period)
    found = _followed(onsets, places, period) | _returned(curve, period, m)
    found["coherence"] = max(coherence(curve, period).values())
    found["holds"] = min(found["holds"], beats.holds)
    found["variable"] = float(beats.variable)
    found["struck"] = struck(onsets)
    layout = _laid_out(onsets, spectra, beats)
    if layout is None:
        nothing = dict.fromkeys(_MARGINS, 0.0) | dict.fromkeys(_PARTS, -1.0)
        return found | nothing, np.zeros(4), np.zeros(m)
    of_drums, of_changes = layout.scores()
    both = of_drums + of_changes
    for name, scores in (("", both), (" of drums", of_drums), (" of changes", of_changes)):
        found["phase" + name], found["bar" + name] = _margins(scores)
    count = int(np.clip(layout.bars // _PART_BARS, 1, _MAX_PARTS))
    edges = np.linspace(0, layout.bars, count + 1).astype(int)
    parts = np.array(
        [_margins(np.sum(layout.part(a, b).scores(), axis=0)) for a, b in pairwise(edges)]
    )
    found["phase of worst part"], found["bar of worst part"] = parts.min(axis=0)
    found["phase denied"], found["bar denied"] = np.tanh(np.minimum(parts, 0)).mean(axis=0)
    return found, both.reshape(m, 4).max(axis=0), both[::4]


def _straightened(curve: Curve, places_s: Floats, period_s: float) -> Curve:
    """Return a curve in the time of its beats, so that a tempo that was followed is constant."""
    beats_s = period_s * np.arange(len(places_s))
    even = np.empty(max(0, math.ceil(beats_s[-1] * COARSE_HZ)), np.float32)
    for at in range(0, len(even), _SOME):  # for memory
        straight = np.arange(at, min(at + _SOME, len(even))) / COARSE_HZ
        points = np.interp(straight, beats_s, places_s) * COARSE_HZ - 0.5
        first, end = np.clip([int(points[0]) - 1, int(points[-1]) + 3], 0, len(curve))
        first = min(first, len(curve) - 1)
        end = max(end, first + 1)
        even[at : at + _SOME] = np.interp(points, np.arange(first, end), curve[first:end])
    return even


def _margins(scores: Floats) -> tuple[float, float]:
    """Return how far the beats are ahead of other sixteenths, and the one of other beats."""
    sixteenths = scores.reshape(-1, 4).max(axis=0)
    return (
        float(sixteenths[0] - sixteenths[1:].max()),
        float(scores[0] - scores[4::4].max(initial=-np.inf)),
    )


def _laid_out(onsets: Onsets, spectra: Spectra, beats: Beats) -> Layout | None:
    """Return what happens on the sixteenths of whole bars, or None if there are not two."""
    m = beats.beats_per_bar
    numbers = beats.numbers
    starts = np.flatnonzero(numbers % m == 0)
    starts = starts[starts + m < len(numbers)]
    starts = starts[numbers[starts + m] == numbers[starts] + m]
    if len(starts) < 2:
        return None
    at = starts[:, None] + np.arange(4 * m) / 4
    sixteenths = np.interp(at.ravel(), np.arange(len(numbers)), beats.places_s)
    return lay_out(onsets, spectra, sixteenths, m)


def _followed(onsets: Onsets, places_s: Floats, period_s: float) -> Evidence:
    """Return how well attacks lie on the beats, from end to end."""
    places, strength = near(smooth_attacks(onsets.attacks), places_s, min(0.07, 0.2 * period_s))
    count = len(places) // _STRETCH * _STRETCH
    off = np.where(np.isfinite(places), places - places_s, 0.0)[:count].reshape(-1, _STRETCH)
    weights = np.where(np.isfinite(places), strength, 0.0)[:count].reshape(-1, _STRETCH) + 1e-9
    if not count:
        return {"holds": 0.0, "near": 0.0}
    usual = weighted_median(off.ravel(), weights.ravel())
    middles = np.array([weighted_median(o, w) for o, w in zip(off, weights, strict=True)])
    held = np.abs(middles - usual) <= _HELD_S
    return {
        "holds": float(np.average(held, weights=weights.sum(axis=1))),
        "near": float(np.average(np.abs(off - usual) <= _HELD_S, weights=weights)),
    }


def _returned(curve: Curve, period_s: float, beats_per_bar: int) -> Evidence:
    """Return how much the music returns after its beats, and after bars of other metres."""
    lags = min(int(16.5 * period_s * COARSE_HZ), len(curve) - 2)
    returns = autocorrelation(curve, max(1, lags))

    def after(beats: float) -> float:
        lag = round(beats * period_s * COARSE_HZ)
        return float(returns[max(0, lag - 2) : lag + 3].max()) if lag + 3 < len(returns) else 0.0

    own = max(after(beats_per_bar), after(2 * beats_per_bar))
    other = max(after(beats) for beats in _METRES if beats % beats_per_bar)
    return {
        "strength": float(np.mean([after(beats) for beats in (1, 2, 4, 8)])),
        "another metre": other - own,
    }


def _likely(question: str, found: Evidence) -> float:
    """Return the probability that the answer to a question is right."""
    total = sum(
        weight * (1.0 if name == "always" else float(np.clip(found[name], *CLIPS[name])))
        for name, weight in WEIGHTS[question].items()
    )
    return float(1 / (1 + np.exp(-total)))
