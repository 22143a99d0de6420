"""The beats of a track, and the bars they make.

::

    onsets ─► tempo ─► octave ─┬─ steady ─► sixteenths ─► bar ─► grid
                               └─ varies ─► drift ──────► bar
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from sfa_engine.prep.analyse import bar, drift, grid
from sfa_engine.prep.analyse.listen import Heard
from sfa_engine.prep.analyse.octave import choose_octave
from sfa_engine.prep.analyse.onset import Onsets, lateness
from sfa_engine.prep.analyse.smooth import Floats, Ints
from sfa_engine.prep.analyse.tempo import Path, Tempo, count_bar, find_tempo

_LEAST_BEATS = 8
_LEAST_STRENGTH = 0.06  # of what comes back, to call it a beat
_BEFORE_S = 0.02  # of 0: a file cut on its first beat begins with it
_CLEAR = 1.0  # margin of the bar at which it was right in 98 of 100


@dataclass(frozen=True, slots=True)
class Beats:
    """The beats of a track.

    Parameters
    ----------
    places_s : float64[n]
        The first may lie a little before the file.
    first : int
        Which of them begins the first whole bar.
    beats_per_bar : int
    bpm : float
    variable : bool
    confidence : float
        0..1, of beat and bar being where they are said to be.
    """

    places_s: Floats
    first: int
    beats_per_bar: int
    bpm: float
    variable: bool
    confidence: float


def find_beats(onsets: Onsets, heard: Heard, drums: Onsets | None = None) -> Beats | None:
    """Return the beats, or None where there is no tempo.

    Parameters
    ----------
    onsets : Onsets
        Of the whole sound: they say how fast the beats are.
    heard : Heard
    drums : Onsets, optional
        Of the drums alone, of the same length: they say better where the beats are.

    Returns
    -------
    Beats or None
        None too where there are less than eight.
    """
    tempo = find_tempo(onsets.strength)
    if tempo is None or tempo.strength < _LEAST_STRENGTH:
        return None
    tempo = choose_octave(onsets, tempo)
    varies, path = drift.varies(onsets, tempo.period_s)
    beats_per_bar = count_bar(onsets.strength, tempo.period_s)
    if varies:
        return _varying(drums or onsets, heard, tempo, beats_per_bar, path)
    return _constant(drums or onsets, heard, tempo, beats_per_bar)


def _constant(onsets: Onsets, heard: Heard, tempo: Tempo, m: int) -> Beats | None:
    """Return the beats of a steady track: one period, one phase."""
    begin = grid.fit(
        onsets.attacks, tempo.period_s, bar.sixteenth_phase(onsets.strength, tempo.period_s)
    )
    sixteenths = np.arange(begin.phase_s % (begin.period_s / 4), heard.seconds, begin.period_s / 4)
    found = bar.find_bar(onsets, heard.spectra, sixteenths, m)
    if len(sixteenths) <= found.first:
        return None
    one_s = float(sixteenths[found.first])
    fitted = grid.snap(grid.fit(onsets.attacks, tempo.period_s, one_s))
    period = fitted.period_s
    late_s = lateness(onsets, fitted.phase_s + period * fitted.numbers)
    phase_s = fitted.phase_s - late_s
    start = phase_s - np.floor((phase_s + _BEFORE_S) / period) * period
    places = np.arange(start, heard.seconds, period)
    if len(places) < _LEAST_BEATS:
        return None
    first = round((one_s - late_s - start) / period) % m
    sure = min(1.0, found.margin / _CLEAR) * min(1.0, tempo.coherence / 0.7)
    sure *= 0.6 + 0.4 * min(1.0, found.one_margin / _CLEAR)
    return Beats(places, first, m, 60 / period, variable=False, confidence=sure)


def _varying(onsets: Onsets, heard: Heard, tempo: Tempo, m: int, path: Path) -> Beats | None:
    """Return the beats of a track whose tempo changes."""
    places = drift.follow(onsets, heard.spectra, path)
    if len(places) < _LEAST_BEATS:
        return None
    numbers = np.arange(4 * (len(places) - 1)) / 4
    sixteenths = np.interp(numbers, np.arange(len(places)), places)
    found = bar.find_bar(onsets, heard.spectra, sixteenths, m, step=2)
    if found.first % 4:  # on the half beat
        places = (places[:-1] + places[1:]) / 2
    bpm = 60 / float(np.median(np.diff(places)))
    sure = 0.5 * min(1.0, found.margin / _CLEAR) * tempo.strength
    return Beats(places, found.first // 4, m, bpm, variable=True, confidence=sure)


def bars_of(beats: Beats, heard: Heard) -> tuple[Floats, Ints]:
    """Return the bars of the sounding part.

    Parameters
    ----------
    beats : Beats
    heard : Heard

    Returns
    -------
    edges_s : float64[bars + 1]
        Where each begins, and where the last one ends; that is no later than the track.
    first_beats : int64[bars]
        Which beat each begins with.
    """
    m = beats.beats_per_bar
    first_beats = np.arange(beats.first, len(beats.places_s), m)
    starts = beats.places_s[first_beats]
    length = m * float(np.median(np.diff(beats.places_s)))
    edges = np.append(starts, starts[-1] + length) if len(starts) else starts
    audible = np.zeros(len(heard.levels["low"]), bool)
    for name in ("low", "mid"):
        audible |= heard.levels[name] > 0.02 * np.percentile(heard.levels[name], 95)
    places = np.flatnonzero(audible) / 1000
    if len(places):
        inside = (edges >= places[0] - 0.6 * length) & (edges <= places[-1] + 0.6 * length)
        edges, first_beats = edges[inside], first_beats[inside[: len(first_beats)]]
    edges = np.clip(edges, 0.0, heard.seconds)
    return edges, first_beats[: max(0, len(edges) - 1)]
