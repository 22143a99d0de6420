"""Attacks: where something begins, at a thousandth of a second.

::

level ─► held ─► logarithm ─► rise ─┬─► strength: for the tempo, smoothed and flattened
                                    └─► attacks: for places, the filters' delay removed
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from sfa_engine.prep.analyse.listen import BANDS
from sfa_engine.prep.analyse.smooth import Curve, Floats, gaussian, highest, mean, peaks

FRAME_HZ = 1000.0
_AUDIBLE = 0.02  # of the loud level: what rises below that is no attack
_KNEE = 0.03  # of the loud level: below, the logarithm is a line
_PLAYED = 0.01  # -40 dB
_STRENGTH = {"low": 1.0, "mid": 0.6, "snare": 0.5, "high": 0.4}
_PLACE = {"low": 1.3, "mid": 0.8, "snare": 0.5, "high": 0.4}
_DELAY_MS = {"low": 3, "mid": 0, "snare": 0, "high": 0}  # of a kick's first rise; measured
_BEFORE_MS, _AFTER_MS = 60, 120  # of a beat, to see how its attack rises
_STEP = 1.5  # from before a beat to after it, that is an attack at all
_SHARP_MS = 6.0  # a rise that is placed right
_LATEST_MS, _SLOW_MS = 10.0, 25.0  # what slower ones are late at most, and how soon


@dataclass(frozen=True, slots=True)
class Onsets:
    """The attacks of a track, a value a millisecond.

    Parameters
    ----------
    levels : dict of str to float32[ms]
        Held level of each band, full scale 1.
    rises : dict of str to float32[ms]
        Rise of its logarithm.
    strength : float32[ms]
        All bands, smooth, without what is always there.
    attacks : float32[ms]
        All bands, sharp, placed where the sound begins.
    """

    levels: dict[str, Curve]
    rises: dict[str, Curve]
    strength: Curve
    attacks: Curve

    @property
    def seconds(self) -> float:
        """Length."""
        return len(self.attacks) / FRAME_HZ


def find_onsets(levels: dict[str, Curve]) -> Onsets:
    """Return the attacks in the levels of the bands.

    Parameters
    ----------
    levels : dict of str to float32[ms]

    Returns
    -------
    Onsets
        As long as the levels.
    """
    held, rises = {}, {}
    for name, level in levels.items():
        h = highest(level, BANDS[name].hold_ms, trailing=True)
        loud = np.float32(np.percentile(h, 95) + 1e-6)
        if loud < 1e-4 and h.max() > loud:  # a few clicks in silence: those are what is loud
            loud = np.float32(0.5 * h.max() + 1e-6)
        log = np.log1p(h / (loud * np.float32(_KNEE)))
        rise = np.maximum(np.diff(log, prepend=log[:1]), 0)
        held[name] = h
        rises[name] = np.where(h > loud * np.float32(_AUDIBLE), rise, np.float32(0))
    return Onsets(held, rises, _strength(rises), _attacks(rises))


def is_played(levels: dict[str, Curve] | None) -> bool:
    """Tell whether a stem has sound for at least a quarter of its time."""
    if levels is None:
        return False
    loudest = np.maximum.reduce(list(levels.values()))
    seconds = highest(loudest, 1000)[::1000]
    return float(np.mean(seconds > _PLAYED)) >= 0.25


def _strength(rises: dict[str, Curve]) -> Curve:
    total = np.zeros(len(rises["low"]), np.float32)
    for name, weight in _STRENGTH.items():
        smooth = gaussian(rises[name], 6.0)
        smooth = np.maximum(smooth - mean(smooth, 400), 0)
        size = np.sqrt(np.mean(smooth**2)) + 1e-9
        total += np.float32(weight) * np.minimum(smooth / size, 6).astype(np.float32)
    return total


def _attacks(rises: dict[str, Curve]) -> Curve:
    total = np.zeros(len(rises["low"]), np.float32)
    for name, weight in _PLACE.items():
        rise = rises[name]
        strong = np.percentile(rise[rise > 0], 98) if (rise > 0).any() else 1.0
        delay = min(_DELAY_MS[name], len(rise))
        total[: len(rise) - delay] += (
            np.float32(weight)
            * np.minimum(rise / np.float32(strong + 1e-9), np.float32(1.5))[delay:]
        )
    return total


def near(attacks: Curve, times_s: Floats, reach_s: float) -> tuple[Floats, Floats]:
    """Return the strongest attack near each of some times.

    Parameters
    ----------
    attacks : float32[ms]
        Smoothed by 2 ms; see `smooth_attacks`.
    times_s : float64[n]
    reach_s : float
        How far from the time it may be.

    Returns
    -------
    places_s : float64[n]
        NaN where the track ends or nothing is.
    strength : float64[n]
        0 there.
    """
    reach = max(1, int(reach_s * FRAME_HZ))
    offset = np.arange(-reach, reach + 1)
    bell = np.exp(-0.5 * (offset / (reach * 0.5)) ** 2)
    index = np.round(times_s * FRAME_HZ).astype(int)
    inside = (index - reach >= 4) & (index + reach + 4 < len(attacks))
    places, strength = np.full(len(times_s), np.nan), np.zeros(len(times_s))
    if not inside.any():
        return places, strength
    index = index[inside]
    top = index - reach + np.argmax(attacks[index[:, None] + offset] * bell, axis=1)
    around = np.arange(-4, 5)
    rows = attacks[top[:, None] + around]
    total = rows.sum(axis=1)
    centre = (rows @ around) / np.maximum(total, 1e-9)
    places[inside] = np.where(total > 1e-9, (top + centre + 0.5) / FRAME_HZ, np.nan)
    strength[inside] = attacks[top]
    return places, strength


def smooth_attacks(attacks: Curve) -> Curve:
    """Return attacks as `near` wants them."""
    return gaussian(attacks, 2.0)


def lateness(onsets: Onsets, beats_s: Floats) -> float:
    """Return how late the attacks on some beats are placed for rising slowly, in seconds.

    What is drawn swells, and shows only when it stands out. The average level after the beats
    tells: where even the quickest band takes long to rise, no drum is among them. The curve was
    measured on chords that swell for 10 to 100 ms from a known time.

    Parameters
    ----------
    onsets : Onsets
    beats_s : float64[n]
        As found.

    Returns
    -------
    float
        0 for what is struck or plucked.
    """
    index = np.round(beats_s * FRAME_HZ).astype(int)
    index = index[(index >= _BEFORE_MS) & (index + _AFTER_MS < len(onsets.attacks))]
    if not len(index):
        return 0.0
    around = index[:, None] + np.arange(-_BEFORE_MS, _AFTER_MS)
    quickest = float(_AFTER_MS)
    for name in ("mid", "snare", "high"):
        level = np.median(onsets.levels[name][around], axis=0)
        low, top = float(level[:_BEFORE_MS].min()), float(level[_BEFORE_MS:].max())
        if top > _STEP * low + 1e-6:
            risen = level[_BEFORE_MS:] >= low + 0.9 * (top - low)
            quickest = min(quickest, float(risen.argmax()))
    if quickest == _AFTER_MS:
        return 0.0
    slow = max(0.0, quickest - _SHARP_MS) / _SLOW_MS
    return float(_LATEST_MS * -np.expm1(-slow)) / FRAME_HZ


def onset_times(onsets: Onsets) -> Floats:
    """Return where something begins, in seconds: what a stretcher may cut at."""
    smooth = smooth_attacks(onsets.attacks)
    if not len(smooth) or smooth.max() <= 0:
        return np.zeros(0)
    least = 0.12 * np.percentile(smooth[smooth > 0], 99)
    times: Floats = (peaks(smooth, 61, float(least)).astype(np.float64) + 0.5) / FRAME_HZ
    return times
