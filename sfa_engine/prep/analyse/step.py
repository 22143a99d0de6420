"""A tempo that changes in steps: constant grids that meet on a beat.

::

    tempo  ────────┐            parts of one tempo, 12 s and longer, each with its own grid
                   └────────    that must hold from eight beats to eight beats
    seam           ▲            a beat of both, where the attacks change sides

A break without drums hides where the tempo changed, so the seam is looked for far around.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from sfa_engine.prep.analyse.bar import find_bar, sixteenth_phase
from sfa_engine.prep.analyse.features import Spectra
from sfa_engine.prep.analyse.grid import Fit, fit, holds, snap
from sfa_engine.prep.analyse.onset import FRAME_HZ, Onsets, near, smooth_attacks
from sfa_engine.prep.analyse.smooth import Floats, highest
from sfa_engine.prep.analyse.tempo import Path, find_tempo

STEADY_OCTAVES = 0.012  # 0.8 %: what is nearer is one tempo
_MAX_PARTS = 6
_SHORTEST_S = 12.0
_EDGE_S = 5.0  # of a part, beside a seam whose place is not known well yet
_SEAM_S = 45.0  # how far from where it seems to be a seam may lie
_APART = 60.0  # attacks that a meeting must gain for each second that the beats lie apart
_MEETING_S = 0.04  # two beats nearer than that may be one
_LEAST_BEATS = 16
_LEAST_HOLDING = 0.8


@dataclass(frozen=True, slots=True)
class _Part:
    """A stretch of one tempo, in seconds and BPM."""

    start_s: float
    end_s: float
    bpm: float


def follow_steps(onsets: Onsets, spectra: Spectra, path: Path) -> Floats | None:
    """Return the beats of a track of constant parts.

    Parameters
    ----------
    onsets : Onsets
    spectra : Spectra
    path : Path
        Its local tempi.

    Returns
    -------
    float64[beats] or None
        Seconds; None if that is not what the track is.
    """
    parts = _parts(path)
    fits = [_fitted(onsets, spectra, part, i, len(parts)) for i, part in enumerate(parts)]
    kept = [(part, one) for part, one in zip(parts, fits, strict=True) if one is not None]
    covered = sum(part.end_s - part.start_s for part, _ in kept)
    if len(kept) < 2 or covered < 0.85 * onsets.seconds:
        return None
    beats = np.zeros(0)
    start = 0.0
    for i, (_, one) in enumerate(kept):
        end = onsets.seconds
        if i + 1 < len(kept):
            after, next_fit = kept[i + 1]
            end = _seam(onsets, one, next_fit, (kept[i][0], after))
        first = np.ceil((start - one.phase_s) / one.period_s - 0.3)
        last = np.floor((end - one.phase_s) / one.period_s - 0.3)
        beats = np.append(beats, one.phase_s + one.period_s * np.arange(first, last + 1))
        start = end
    return beats[(beats >= 0) & (beats < onsets.seconds)]


def _parts(path: Path) -> list[_Part]:
    """Return the parts of one tempo; none if there are not two to six of them."""
    times, bpms, _, _ = path
    runs: list[list[int]] = [[0, 1]]
    for i in range(1, len(bpms)):
        if abs(np.log2(bpms[i] / _middle(bpms, runs[-1]))) <= STEADY_OCTAVES:
            runs[-1][1] = i + 1
        else:
            runs.append([i, i + 1])
    step = float(times[1] - times[0]) if len(times) > 1 else 0.5
    joined: list[list[int]] = []
    for run in runs:
        if (run[1] - run[0]) * step < _SHORTEST_S:
            continue
        bpm = _middle(bpms, run)
        if joined and abs(np.log2(bpm / _middle(bpms, joined[-1]))) <= STEADY_OCTAVES:
            joined[-1][1] = run[1]
        else:
            joined.append(run)
    if not 2 <= len(joined) <= _MAX_PARTS:
        return []
    inner = [float(times[a[1] - 1] + times[b[0]]) / 2 for a, b in pairwise(joined)]
    edges = [0.0, *inner, float(times[-1]) + step]
    return [_Part(edges[i], edges[i + 1], _middle(bpms, run)) for i, run in enumerate(joined)]


def _middle(bpms: Floats, run: list[int]) -> float:
    return float(np.median(bpms[run[0] : run[1]]))


def _fitted(onsets: Onsets, spectra: Spectra, part: _Part, i: int, count: int) -> Fit | None:
    """Return the grid of a part, or None if none holds there."""
    first = part.start_s + (_EDGE_S if i else 0.0)
    last = min(part.end_s, onsets.seconds) - (_EDGE_S if i + 1 < count else 0.0)
    strength = onsets.strength[int(first * FRAME_HZ) : int(last * FRAME_HZ)]
    tempo = find_tempo(strength, part.bpm)
    if tempo is None or abs(np.log2(tempo.bpm / part.bpm)) > 0.03:
        return None
    phase = first + sixteenth_phase(strength, tempo.period_s)
    begin = fit(onsets.attacks, tempo.period_s, phase, (first, last))
    step = begin.period_s / 4
    sixteenths: Floats = begin.phase_s + step * np.arange(
        np.ceil((first - begin.phase_s) / step),
        np.floor((last - begin.phase_s) / step),
        dtype=np.float64,
    )
    one = find_bar(onsets, spectra, sixteenths, 4).first
    if one >= len(sixteenths):
        return None
    fitted = snap(fit(onsets.attacks, begin.period_s, float(sixteenths[one]), (first, last)))
    if len(fitted.numbers) < _LEAST_BEATS:
        return None
    return fitted if holds(onsets.attacks, fitted, (first, last)) >= _LEAST_HOLDING else None


def _seam(onsets: Onsets, before: Fit, after: Fit, parts: tuple[_Part, _Part]) -> float:
    """Return the beat of the second grid that the first one leads to."""
    middle = (parts[0].end_s + parts[1].start_s) / 2
    first = max(middle - _SEAM_S, parts[0].start_s + _EDGE_S)
    last = min(middle + _SEAM_S, parts[1].end_s - _EDGE_S)
    old, new = _beats(before, first, last), _beats(after, first, last)
    nearest = before.phase_s + before.period_s * np.round((new - before.phase_s) / before.period_s)
    apart = np.abs(new - nearest)
    meeting = np.flatnonzero(apart < _MEETING_S)
    if not len(meeting):
        meeting = np.array([int(np.argmin(apart))])
    evidence = _evidence(onsets, (first, last))
    of_old = np.append(0.0, np.cumsum(evidence(old)))
    of_new = np.append(0.0, np.cumsum(evidence(new)))
    apart = _APART * apart[meeting]
    begins = np.searchsorted(old, new[meeting] - _MEETING_S)
    score = of_old[begins] + of_new[-1] - of_new[meeting] - apart
    return float(new[meeting[int(np.argmax(score))]])


def _evidence(onsets: Onsets, span_s: tuple[float, float]) -> Callable[[Floats], Floats]:
    """Return what tells how strong the attack at some times is, 0 in the mean of a span.

    It is measured against the loudest within 4 s, for a break is quiet.
    """
    smooth = smooth_attacks(onsets.attacks)
    even = smooth / (highest(smooth, 4000) + np.float32(1e-6))
    usual = near(even, np.arange(*span_s, 0.01), 0.02)[1].mean()
    return lambda places: near(even, places, 0.02)[1] - usual


def _beats(one: Fit, first_s: float, last_s: float) -> Floats:
    """Return the beats of a grid between two times."""
    numbers = np.arange(
        np.ceil((first_s - one.phase_s) / one.period_s),
        np.floor((last_s - one.phase_s) / one.period_s) + 1,
        dtype=np.float64,
    )
    return one.phase_s + one.period_s * numbers
