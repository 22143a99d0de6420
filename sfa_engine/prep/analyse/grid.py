"""A constant grid: one period and one phase for the whole track, to a millisecond.

The drum pattern says which attacks are beats. Then the line through the attacks nearest to the
predicted beats is fitted again and again, with less reach and less weight for what lies apart.
A tempo that was meant, a whole number most of the time, is taken if no beat moves by more than
the fit is unsure.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from sfa_engine.prep.analyse.onset import near, smooth_attacks
from sfa_engine.prep.analyse.smooth import Curve, Floats, line, weighted_median

_ROUNDS = ((0.045, 3), (0.030, 3), (0.020, 2))  # reach in seconds, times
_SNAPS = (1, 2, 10, 100)  # parts of a BPM: whole, half, tenth, hundredth
_LEAST = 8  # beats of a fit
_STRETCH = 8  # beats that are judged together
_HELD_S = 0.010


@dataclass(frozen=True, slots=True)
class Fit:
    """A line through beats.

    Parameters
    ----------
    period_s : float
        Seconds a beat.
    phase_s : float
        Place of beat 0; any beat.
    numbers, places_s, weights : float64[n]
        The beats it was fitted to; empty if there were too few.
    spread_s : float
        Weighted standard deviation of the attacks from it.
    """

    period_s: float
    phase_s: float
    numbers: Floats
    places_s: Floats
    weights: Floats
    spread_s: float

    @property
    def bpm(self) -> float:
        """Beats a minute."""
        return 60.0 / self.period_s


def fit(
    attacks: Curve, period_s: float, phase_s: float, span_s: tuple[float, float] | None = None
) -> Fit:
    """Fit a constant grid to the attacks near it.

    Parameters
    ----------
    attacks : float32[ms]
    period_s, phase_s : float
        Where to begin.
    span_s : (float, float), optional
        The part of the track it is for.

    Returns
    -------
    Fit
        The line; without beats where there are too few.
    """
    smooth = smooth_attacks(attacks)
    start, end = span_s or (0.0, len(attacks) / 1000.0)
    none = np.zeros(0)
    result = Fit(period_s, phase_s, none, none, none, 0.0)
    for reach, times in _ROUNDS:
        for _ in range(times):
            period, phase = result.period_s, result.phase_s
            first = int(np.ceil((start - phase) / period))
            numbers = np.arange(first, int((end - phase) / period) + 1, dtype=np.float64)
            expected = phase + period * numbers
            places, strength = near(smooth, expected, min(reach, 0.16 * period))
            if len(numbers) < _LEAST:
                return result
            good = np.isfinite(places) & (strength >= np.percentile(strength, 30))
            if good.sum() < _LEAST:
                return result
            off = places[good] - expected[good]
            middle = np.median(off)
            width = 1.5 * 1.4826 * np.median(np.abs(off - middle)) + 0.00275
            weights = strength[good] * np.exp(-0.5 * ((off - middle) / width) ** 2)
            period, phase = line(numbers[good], places[good], weights)
            off = places[good] - (phase + period * numbers[good])
            spread = float(np.sqrt((weights * off**2).sum() / (weights.sum() + 1e-12)))
            result = Fit(period, phase, numbers[good], places[good], weights, spread)
    return result


def snap(fitted: Fit) -> Fit:
    """Return the fit at the roundest tempo that fits no worse, with its phase."""
    if not len(fitted.numbers):
        return fitted
    numbers, weights = fitted.numbers, fitted.weights / fitted.weights.max()
    half_span = (numbers.max() - numbers.min()) / 2
    middle = np.average(numbers, weights=weights)
    error = fitted.spread_s / np.sqrt((weights * (numbers - middle) ** 2).sum() + 1e-9)
    unsure = max(0.003, 2.5 * error * half_span)
    period = fitted.period_s
    for parts in _SNAPS:
        rounded = 60 / (round(fitted.bpm * parts) / parts)
        allowed = unsure if parts <= 2 else min(unsure, 0.0025)
        if abs(rounded - fitted.period_s) * half_span <= allowed:
            period = rounded
            break
    phase = weighted_median(fitted.places_s - period * numbers, fitted.weights)
    return replace(fitted, period_s=period, phase_s=phase)


def holds(attacks: Curve, fitted: Fit, span_s: tuple[float, float] | None = None) -> float:
    """Tell how much of the track a constant grid follows.

    Parameters
    ----------
    attacks : float32[ms]
    fitted : Fit
    span_s : (float, float), optional
        The part of the track it is for.

    Returns
    -------
    float
        0..1: the share of stretches of eight beats whose attacks lie, in the middle, within
        10 ms of where they lie in the whole; each counts as much as its attacks are strong.
    """
    start, end = span_s or (0.0, len(attacks) / 1000.0)
    first = np.ceil((start - fitted.phase_s) / fitted.period_s)
    last = np.floor((end - fitted.phase_s) / fitted.period_s)
    expected = fitted.phase_s + fitted.period_s * np.arange(first, last + 1)
    places, strength = near(smooth_attacks(attacks), expected, min(0.07, 0.2 * fitted.period_s))
    count = len(expected) // _STRETCH * _STRETCH
    off = np.where(np.isfinite(places), places - expected, 0.0)[:count].reshape(-1, _STRETCH)
    weights = np.where(np.isfinite(places), strength, 0.0)[:count].reshape(-1, _STRETCH)
    if not weights.sum() > 0:
        return 0.0
    usual = weighted_median(off.ravel(), weights.ravel())
    middles = np.array([weighted_median(o, w + 1e-9) for o, w in zip(off, weights, strict=True)])
    return float(np.average(np.abs(middles - usual) <= _HELD_S, weights=weights.sum(axis=1)))
