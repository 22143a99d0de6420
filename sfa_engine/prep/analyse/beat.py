"""The beats of a track, and the bars they make.

::

    onsets ─► tempo ─► octave ─┬─ steady ───► sixteenths ─► bar ─► grid
                               ├─ pieces ─► straightened ─┘
                               └─ varies ─► drift ─► bar

Where a track drifts a little or was edited, its attacks are straightened (`warp`), and what is
judged of a steady track is judged of them.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np

from sfa_engine.prep.analyse import bar, drift, grid
from sfa_engine.prep.analyse.measurement import Measurement
from sfa_engine.prep.analyse.octave import choose_octave
from sfa_engine.prep.analyse.onset import FRAME_HZ, Onsets, is_steady, lateness, struck
from sfa_engine.prep.analyse.piece import find_pieces
from sfa_engine.prep.analyse.seamless import LEAST_KNOWN_S, count_beats
from sfa_engine.prep.analyse.smooth import Floats, Ints, percentile
from sfa_engine.prep.analyse.step import follow_steps
from sfa_engine.prep.analyse.tempo import Path, Tempo, count_bar, find_tempo
from sfa_engine.prep.analyse.warp import Piece, Warp, few

_LEAST_BEATS = 8
_LEAST_STRENGTH = 0.06  # of what comes back, to call it a beat
_LEAST_STRUCK = 0.3  # a steady tone reaches 0.1, the softest chords 0.8
_BEFORE_S = 0.02  # of 0: a file cut on its first beat begins with it
_SURE_OF_LOOP = 0.9  # confidence where length and attacks of a loop agree
_MIN_SEPARATION = 0.25  # of a beat before a seam: what is nearer is no beat of its own
_LEAST_HOLDING = 0.8  # of the attacks that lie where pieces say; else they are not believed
_WHOLE_BEATS = 0.06  # that a jump of whole beats may be off
_ODD_BARS = (5, 7)  # beats; of three, two bars are often counted as one
_KICKS_ON_BEATS = 0.5  # of 1; see `bar.kicks_on_beats`
# Of a bend, in its least sure part: drifting pieces had up to 5.7 ms, and all lay within 12 ms;
# one with 7.3 was 16 ms off, in a break of pads.
_MOST_UNSURE_S = 0.006
_WITHIN_S = 0.002  # of the beats that were followed, the anchors' lines


@dataclass(frozen=True, slots=True)
class Beats:
    """The beats of a track.

    Parameters
    ----------
    places_s : float64[n]
        The first may lie a little before the file.
    numbers : int64[n]
        Of each; it jumps at a seam. A bar begins where it is a multiple of `beats_per_bar`.
    beats_per_bar : int
    bpm : float
    variable : bool
        Whether the tempo changes; not for a constant one with seams.
    holds : float
        0..1: how much of the track the grid follows, of its worst piece; see `grid.holds`.
    anchors : float64[k, 2]
        Times in seconds and beat numbers between which the beats lie evenly; one if constant.
    edits_s : tuple of float
        Where a seam is.
    assured : float, optional
        0..1: the confidence in a loop, which is too short to be judged by its parts.
    unclear : str
        What a seam whose place is not clear leaves in doubt: "phase" where a part of a beat is
        missing, "bar" where whole beats are; "course" where it is not clear how the tempo bends;
        empty for nothing.
    """

    places_s: Floats
    numbers: Ints
    beats_per_bar: int
    bpm: float
    variable: bool
    holds: float
    anchors: Floats
    edits_s: tuple[float, ...] = ()
    assured: float | None = None
    unclear: str = ""

    @property
    def ones(self) -> Ints:
        """Which beats begin a bar."""
        return np.flatnonzero(self.numbers % self.beats_per_bar == 0)


def find_beats(onsets: Onsets, measured: Measurement, drums: Onsets | None = None) -> Beats | None:
    """Return the beats, or None where there is no tempo.

    Parameters
    ----------
    onsets : Onsets
        Of the whole sound: they say how fast the beats are, up to the octave.
    measured : Measurement
    drums : Onsets, optional
        Of the drums alone, of the same length: they say better where the beats are, and which
        octave of the tempo is the beat.

    Returns
    -------
    Beats or None
        None too where there are less than eight.
    """
    if struck(onsets) < _LEAST_STRUCK or is_steady(onsets):
        return None  # a tone of whole periods fits the rules of a loop
    looped = count_beats(onsets)
    if looped is not None:
        return _loop(measured.seconds, looped)
    tempo = find_tempo(onsets.strength)
    if tempo is None or tempo.strength < _LEAST_STRENGTH:
        return None
    placed = drums or onsets
    tempo = _among_rivals(placed, tempo)
    varies, path = drift.varies(onsets, tempo.period_s)
    m = count_bar(onsets.strength, tempo.period_s)
    stepped = follow_steps(placed, measured.spectra, path) if varies else None
    if stepped is None:
        pieces = find_pieces(onsets, measured.spectra, tempo.period_s, m)
        if pieces is not None:
            warp, period_s = pieces
            found = _even(placed, measured, replace(tempo, bpm=60 / period_s), m, warp)
            if found is not None and found.holds >= _LEAST_HOLDING:
                return found
    if varies:
        return _varying(placed, measured, m, path, stepped)
    return _even(placed, measured, tempo, m, Warp.constant(measured.seconds))


def _among_rivals(onsets: Onsets, tempo: Tempo) -> Tempo:
    """Return the octave that people count of a tempo, or of a rival on whose beats kicks are."""
    found = choose_octave(onsets, tempo)
    if found.bpm < tempo.bpm and count_bar(onsets.strength, tempo.period_s) in _ODD_BARS:
        return tempo  # half as fast, the bar would end within a beat
    if not tempo.rivals or bar.kicks_on_beats(onsets, found.period_s) > _KICKS_ON_BEATS:
        return found
    for bpm in tempo.rivals:
        rival = choose_octave(onsets, replace(tempo, bpm=bpm))
        if bar.kicks_on_beats(onsets, rival.period_s) > _KICKS_ON_BEATS:
            return rival
    return found


def _loop(seconds: float, count: int) -> Beats:
    """Return the beats of a file that is a loop: it begins with a bar."""
    places = np.arange(count, dtype=np.float64) * (seconds / count)
    sure = _SURE_OF_LOOP if seconds >= LEAST_KNOWN_S else 0.5 * _SURE_OF_LOOP
    anchors = np.zeros((1, 2))
    bpm = 60 * count / seconds
    return Beats(places, np.arange(count), 4, bpm, False, 1.0, anchors, assured=sure)


def _even(onsets: Onsets, measured: Measurement, tempo: Tempo, m: int, warp: Warp) -> Beats | None:
    """Return the beats of a track that is steady in straight time: one period, one phase."""
    phase_s = bar.sixteenth_phase(warp.straighten(onsets.strength), tempo.period_s)
    attacks = warp.straighten(onsets.attacks)
    end_s = len(attacks) / FRAME_HZ
    begin = grid.fit(attacks, tempo.period_s, phase_s)
    del attacks  # for memory, while the bar is looked for
    sixteenths = np.arange(begin.phase_s % (begin.period_s / 4), end_s, begin.period_s / 4)
    sixteenths = sixteenths[warp.keeps_bars(sixteenths, 4 * m)]
    found = bar.find_bar(onsets, measured.spectra, warp.real(sixteenths), m)
    if len(sixteenths) <= found.first:
        return None
    attacks = warp.straighten(onsets.attacks)
    fitted = grid.fit(attacks, tempo.period_s, float(sixteenths[found.first]))
    if warp.is_even:
        fitted = grid.snap(fitted)
    period, phase_s = fitted.period_s, fitted.phase_s
    late_s = lateness(onsets, warp.real(phase_s + period * fitted.numbers))
    warp = warp.on_beats(phase_s, period, m)
    count = int((end_s + m * period * len(warp.pieces)) / period)
    numbers = np.arange(-count, count + 1)
    straight = phase_s + period * numbers.astype(np.float64)
    places = warp.real(straight) - late_s
    good = (places >= -_BEFORE_S) & (places < measured.seconds)
    good &= warp.sounds(straight, _MIN_SEPARATION * period)
    places, numbers = places[good], numbers[good]
    if len(places) < _LEAST_BEATS:
        return None
    zero = int(numbers[numbers % m == 0][0]) if (numbers % m == 0).any() else 0
    numbers = numbers - zero
    times, lines = warp.points(0.0, measured.seconds)
    anchors = np.stack([times, (lines - phase_s) / period - zero], axis=1)
    anchors[:, 0] -= late_s
    if warp.is_constant:
        anchors = np.array([[float(phase_s + period * zero) - late_s, 0.0]])
    spans = [warp.straight(np.array([p.start_s, p.end_s - 0.002])) for p in warp.pieces]
    holds = min(grid.holds(attacks, fitted, (float(a), float(b))) for a, b in spans)
    return Beats(
        places,
        numbers,
        m,
        60 / period,
        variable=not warp.is_even,
        holds=holds,
        anchors=anchors,
        edits_s=tuple(warp.seams_s),
        unclear=_unclear(warp, period),
    )


def _unclear(warp: Warp, period_s: float) -> str:
    """Return what seams and bends that are not clear leave in doubt; see `Beats`."""
    bends = any(piece.unsure_s > _MOST_UNSURE_S for piece in warp.pieces)
    doubt = "course" if bends else ""
    for before, after in pairwise(warp.pieces):
        if after.seam is not None and not after.seam.is_clear:
            seam = np.array([after.start_s])
            beats = float((after.straight(seam) - before.straight(seam))[0]) / period_s
            parts = abs(beats - round(beats)) > _WHOLE_BEATS
            doubt = "phase" if parts or doubt in ("phase", "course") else "bar"
    return doubt


def _varying(
    onsets: Onsets, measured: Measurement, m: int, path: Path, stepped: Floats | None
) -> Beats | None:
    """Return the beats of a track whose tempo changes."""
    places = drift.follow(onsets, path) if stepped is None else stepped
    if len(places) < _LEAST_BEATS:
        return None
    numbers = np.arange(4 * (len(places) - 1)) / 4
    sixteenths = np.interp(numbers, np.arange(len(places)), places)
    found = bar.find_bar(onsets, measured.spectra, sixteenths, m, step=2)
    if found.first % 4:  # on the half beat
        places = (places[:-1] + places[1:]) / 2
    bpm = 60 / float(np.median(np.diff(places)))
    counted = np.arange(len(places)) - found.first // 4
    times, lines = few(places, counted.astype(np.float64), _WITHIN_S / (60 / bpm))
    anchors = np.stack([times, lines], axis=1)
    return Beats(places, counted, m, bpm, True, _followed(onsets, places), anchors)


def _followed(onsets: Onsets, places_s: Floats) -> float:
    """Return how much of a track beats that were drawn follow; see `grid.holds`."""
    period = float(np.median(np.diff(places_s)))
    line = period * np.arange(len(places_s), dtype=np.float64)
    warp = Warp((Piece(0.0, onsets.seconds, places_s, line, is_even=False),))
    attacks = warp.straighten(onsets.attacks)
    none = np.zeros(0)
    return grid.holds(attacks, grid.Fit(period, 0.0, none, none, none, 0.0))


def bars_of(beats: Beats, measured: Measurement) -> tuple[Floats, Ints]:
    """Return the bars of the sounding part.

    Parameters
    ----------
    beats : Beats
    measured : Measurement

    Returns
    -------
    edges_s : float64[bars + 1]
        Where each begins, and where the last one ends; that is no later than the track.
    first_beats : int64[bars]
        Which beat each begins with.
    """
    m = beats.beats_per_bar
    first_beats = beats.ones
    starts = beats.places_s[first_beats]
    length = m * float(np.median(np.diff(beats.places_s)))
    edges = np.append(starts, starts[-1] + length) if len(starts) else starts
    audible = np.zeros(measured.levels.ms, bool)
    for name in ("low", "mid"):
        audible |= measured.levels[name] > 0.02 * percentile(measured.levels[name], 95)
    if audible.any():
        first_s = audible.argmax() / 1000
        last_s = (len(audible) - 1 - audible[::-1].argmax()) / 1000
        inside = (edges >= first_s - 0.6 * length) & (edges <= last_s + 0.6 * length)
        edges, first_beats = edges[inside], first_beats[inside[: len(first_beats)]]
    edges = np.clip(edges, 0.0, measured.seconds)
    return edges, first_beats[: max(0, len(edges) - 1)]
