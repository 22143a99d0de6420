"""Beats of music whose tempo changes: stepwise where it can be, else followed.

A step keeps two constant grids that share a beat. Anything else is followed by dynamic
programming from beat to beat, then drawn onto the attacks by lines through seven beats each.
"""

from __future__ import annotations

from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from sfa_engine.prep.analyse.bar import find_bar, sixteenth_phase
from sfa_engine.prep.analyse.features import Spectra
from sfa_engine.prep.analyse.grid import Fit, fit, snap
from sfa_engine.prep.analyse.onset import FRAME_HZ, Onsets, near, smooth_attacks
from sfa_engine.prep.analyse.smooth import Curve, Floats, decimate, gaussian
from sfa_engine.prep.analyse.tempo import coherence, find_tempo, local_tempi

Path = tuple[Floats, Floats, Floats, Floats]

_STEADY = 0.012  # octaves, 0.8 %
_LONGEST_STEPS = 6  # parts of one tempo each
_SHORTEST_PART_S = 12.0
_EDGE_S = 5.0
_LEAST_BEATS = 16


def varies(onsets: Onsets, period_s: float) -> tuple[bool, float, Path]:
    """Tell whether the tempo leaves the track's own.

    Returns
    -------
    varies : bool
    share : float
        Of the windows that are sure, those where it is elsewhere.
    path : Path
        See `local_tempi`.
    """
    path = local_tempi(onsets.strength, 60 / period_s)
    _, bpms, sureness, weights = path
    sure = (sureness > 0.25) & (weights > 0.3)
    if sure.sum() < 4:
        return False, 0.0, path
    away = np.abs(np.log2(bpms[sure] * period_s / 60)) > _STEADY
    share = float(np.average(away, weights=weights[sure]))
    holds = max(coherence(decimate(onsets.strength, 4), period_s).values())
    return share > 0.25 or (holds < 0.6 and share > 0.08), share, path


def follow(onsets: Onsets, spectra: Spectra, path: Path) -> Floats:
    """Return the beats of a track whose tempo changes, in seconds."""
    times, bpms, _, _ = path
    parts = _parts(times, bpms)
    if parts:
        beats = _stepwise(onsets, spectra, parts)
        if beats is not None:
            return beats
    return _draw(onsets, _track(onsets.strength, times, bpms))


def _parts(times: Floats, bpms: Floats) -> list[tuple[float, float, float]]:
    """Return start, end and BPM of the parts of one tempo; none if that is not what it is."""
    parts: list[list[int]] = [[0, 1]]
    for i in range(1, len(bpms)):
        here = np.median(bpms[parts[-1][0] : parts[-1][1]])
        if abs(np.log2(bpms[i] / here)) <= _STEADY:
            parts[-1][1] = i + 1
        else:
            parts.append([i, i + 1])
    step = float(times[1] - times[0]) if len(times) > 1 else 0.5
    long = [p for p in parts if (p[1] - p[0]) * step >= _SHORTEST_PART_S]
    joined: list[list[int]] = []
    for p in long:
        if joined and abs(np.log2(_middle(bpms, p) / _middle(bpms, joined[-1]))) <= _STEADY:
            joined[-1][1] = p[1]
        else:
            joined.append(p)
    covered = sum(p[1] - p[0] for p in long) * step
    if not 2 <= len(joined) <= _LONGEST_STEPS or covered < 0.85 * len(times) * step:
        return []
    edges = [float(times[0])]
    for before, after in pairwise(joined):
        edges.append(float(times[before[1] - 1] + times[after[0]]) / 2)
    edges.append(float(times[-1]) + step)
    return [(edges[i], edges[i + 1], _middle(bpms, part)) for i, part in enumerate(joined)]


def _middle(bpms: Floats, part: list[int]) -> float:
    return float(np.median(bpms[part[0] : part[1]]))


def _stepwise(
    onsets: Onsets, spectra: Spectra, parts: list[tuple[float, float, float]]
) -> Floats | None:
    """Return the beats of constant parts that meet on shared beats; None if they do not."""
    fits: list[Fit] = []
    for i, (start, end, bpm) in enumerate(parts):
        # away from the steps, whose place is not known well yet
        first = start + (_EDGE_S if i else 0.0)
        last = min(end, onsets.seconds) - (_EDGE_S if i + 1 < len(parts) else 0.0)
        strength = onsets.strength[int(first * FRAME_HZ) : int(last * FRAME_HZ)]
        tempo = find_tempo(strength, bpm)
        if tempo is None or abs(np.log2(tempo.bpm / bpm)) > 0.03:
            return None
        phase = first + sixteenth_phase(strength, tempo.period_s)
        begin = fit(onsets.attacks, tempo.period_s, phase, (first, last))
        step = begin.period_s / 4
        sixteenths = begin.phase_s + step * np.arange(
            np.ceil((first - begin.phase_s) / step), np.floor((last - begin.phase_s) / step)
        )
        one = find_bar(onsets, spectra, sixteenths, 4).first
        if one >= len(sixteenths):
            return None
        fitted = snap(fit(onsets.attacks, begin.period_s, float(sixteenths[one]), (first, last)))
        if len(fitted.numbers) < _LEAST_BEATS or fitted.spread_s > 0.012:
            return None
        fits.append(fitted)
    beats = np.zeros(0)
    start = 0.0
    for i, one in enumerate(fits):
        end = parts[i][1]
        if i + 1 < len(fits):
            end = _seam(onsets, one, fits[i + 1], parts[i][1])
        first_number = np.ceil((start - one.phase_s) / one.period_s - 1e-3)
        last_number = np.floor((end - one.phase_s) / one.period_s - 0.3)
        numbers = np.arange(first_number, last_number + 1)
        beats = np.concatenate([beats, one.phase_s + one.period_s * numbers])
        start = end
    return beats[(beats >= 0) & (beats < onsets.seconds)]


def _seam(onsets: Onsets, before: Fit, after: Fit, about_s: float) -> float:
    """Return the beat of the second grid that the first one leads to."""
    smooth = smooth_attacks(onsets.attacks)
    numbers = np.arange(
        np.floor((about_s - 8 - after.phase_s) / after.period_s),
        np.ceil((about_s + 8 - after.phase_s) / after.period_s),
    )
    places = after.phase_s + after.period_s * numbers
    off = (places - before.phase_s) / before.period_s
    apart = np.abs(off - np.round(off)) * before.period_s
    # the attacks on the first grid until there, and on the second from there
    scores = np.full(len(places), -np.inf)
    for i, place in enumerate(places):
        if apart[i] > 0.04 or not 0 < place < onsets.seconds:
            continue
        old = place - before.period_s * np.arange(1, 13)
        new = place + after.period_s * np.arange(12)
        old = before.phase_s + before.period_s * np.round((old - before.phase_s) / before.period_s)
        scores[i] = (
            near(smooth, old, 0.02)[1].sum() + near(smooth, new, 0.02)[1].sum() - 20 * apart[i]
        )
    if not np.isfinite(scores).any():
        return float(places[int(np.argmin(apart + 0.01 * np.abs(places - about_s)))])
    return float(places[int(np.argmax(scores))])


def _track(strength: Curve, times: Floats, bpms: Floats) -> Floats:
    """Return beats by dynamic programming at 100 Hz, along a given tempo.

    A block no longer than the shortest step back depends on nothing in itself, so that a block
    is done at once.
    """
    curve = decimate(strength, 10).astype(np.float64)
    hz = FRAME_HZ / 10
    curve /= curve.std() + 1e-9
    n = len(curve)
    period = 60 / np.interp(np.arange(n) / hz, times, gaussian(bpms, 2.0)) * hz
    value, back = curve.copy(), np.full(n, -1)
    first = int(0.7 * period.min())
    block = max(1, first - 1)
    reach = np.arange(first, int(1.35 * period.max()) + 2)
    for start in range(first, n, block):
        here = np.arange(start, min(n, start + block))
        before = here[:, None] - reach
        ratio = reach / period[here, None]
        cost = np.where(
            (before >= 0) & (ratio >= 0.7) & (ratio <= 1.35), -60 * np.log(ratio) ** 2, -np.inf
        )
        score = np.where(before >= 0, value[np.maximum(before, 0)], 0) + cost
        best = score.argmax(axis=1)
        top = score[np.arange(len(here)), best]
        linked = np.isfinite(top)
        value[here] = curve[here] + np.where(linked, top, 0)
        back[here] = np.where(linked, here - reach[best], -1)
    tail = max(1, int(1.2 * period[-1]))
    i = n - 1 - int(np.argmax(value[::-1][:tail]))
    beats = [i]
    while back[i] >= 0:
        i = int(back[i])
        beats.append(i)
    places: Floats = (np.array(beats[::-1]) + 0.5) / hz
    return places


def _draw(onsets: Onsets, beats: Floats) -> Floats:
    """Draw beats onto the attacks: each to the line through seven around it."""
    smooth = smooth_attacks(onsets.attacks)
    offset = np.arange(-3, 4)
    bell = np.exp(-0.5 * (offset / 1.6) ** 2)
    for reach in (0.06, 0.035):
        places, strength = near(smooth, beats, reach)
        good = np.isfinite(places) & (strength > np.percentile(strength, 35))
        places = np.where(good, places, beats)
        weight = np.where(good, strength, 0.05 * np.median(strength) + 1e-6)
        index = np.arange(len(beats))[:, None] + offset
        inside = (index >= 0) & (index < len(beats))
        index = np.clip(index, 0, len(beats) - 1)
        w = weight[index] * bell * inside
        total = w.sum(axis=1)
        x0, y0 = (w * offset).sum(axis=1) / total, (w * places[index]).sum(axis=1) / total
        dx = offset - x0[:, None]
        slope = (w * dx * (places[index] - y0[:, None])).sum(axis=1)
        slope = slope / ((w * dx**2).sum(axis=1) + 1e-12)
        beats = _rising(y0 - slope * x0)
    return beats


def _rising(beats: Floats) -> Floats:
    """Return beats without those that came to lie on their neighbour."""
    if len(beats) < 2:
        return beats
    least = 0.3 * np.median(np.diff(beats))
    keep: NDArray[np.bool_] = np.concatenate(
        [[True], np.diff(np.maximum.accumulate(beats)) > least]
    )
    return beats[keep]
