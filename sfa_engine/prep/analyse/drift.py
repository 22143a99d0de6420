"""Beats of music whose tempo changes, followed from one to the next.

A tempo that changes in steps is `step`'s. Anything else is followed by dynamic programming from
beat to beat, then drawn onto the attacks by lines through seven beats each.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from sfa_engine.prep.analyse.bar import sixteenth_phase
from sfa_engine.prep.analyse.grid import fit, holds
from sfa_engine.prep.analyse.onset import FRAME_HZ, Onsets, near, smooth_attacks
from sfa_engine.prep.analyse.smooth import Curve, Floats, decimate, gaussian, weighted_median
from sfa_engine.prep.analyse.step import STEADY_OCTAVES
from sfa_engine.prep.analyse.tempo import Path, coherence, local_tempi

_LEAST_SHARE, _CERTAIN_SHARE = 0.08, 0.25  # of the sure windows that are at another tempo
_LEAST_COHERENT, _LEAST_HOLDING = 0.6, 0.5  # of what a constant grid follows, and of its attacks
# The same where many windows leave it. Of 13 tracks with steps they were at most 0.984 and 0.93, or
# 0.946 and 0.96; of one constant track in five, whose windows say two thirds, 0.999 and 1.
_ALL_COHERENT, _ALL_HOLDING = 0.992, 0.97


def varies(onsets: Onsets, period_s: float) -> tuple[bool, Path]:
    """Tell whether the tempo leaves that of most windows.

    That is the track's own as a rule. Windows that all say the same other tempo, as those of music
    in five may (two thirds of it), vary no more than others.

    Parameters
    ----------
    onsets : Onsets
    period_s : float
        Seconds a beat.

    Returns
    -------
    varies : bool
        Whether no constant grid follows it.
    path : Path
        See `local_tempi`.
    """
    path = local_tempi(onsets.strength, 60 / period_s)
    _, bpms, sureness, weights = path
    sure = (sureness > 0.25) & (weights > 0.3)
    if sure.sum() < 4:
        return False, path
    octaves = np.log2(bpms[sure] * period_s / 60)
    usual = weighted_median(octaves, weights[sure])
    usual = usual if abs(usual) > STEADY_OCTAVES else 0.0
    share = float(np.average(np.abs(octaves - usual) > STEADY_OCTAVES, weights=weights[sure]))
    if share < _LEAST_SHARE:
        return False, path
    many = share > _CERTAIN_SHARE
    coherent = max(coherence(decimate(onsets.strength, 4), period_s).values())
    if coherent < (_ALL_COHERENT if many else _LEAST_COHERENT):
        return True, path
    fitted = fit(onsets.attacks, period_s, sixteenth_phase(onsets.strength, period_s))
    return holds(onsets.attacks, fitted) < (_ALL_HOLDING if many else _LEAST_HOLDING), path


def follow(onsets: Onsets, path: Path) -> Floats:
    """Return the beats of a track whose tempo changes, in seconds."""
    times, bpms, _, _ = path
    return _draw(onsets, _track(onsets.strength, times, bpms))


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
