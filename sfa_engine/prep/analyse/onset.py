"""Attacks: where something begins, at a thousandth of a second.

::

level ─► held ─► logarithm ─► rise ─┬─► strength: for the tempo, smoothed and flattened
                                    └─► attacks: for places, the filters' delay removed
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sfa_engine.prep.analyse.levels import Halves, Levels, halves, halves_of_long
from sfa_engine.prep.analyse.measurement import BANDS
from sfa_engine.prep.analyse.smooth import (
    Curve,
    Floats,
    gaussian,
    gaussian_in_parts,
    highest,
    in_parts,
    mean,
    peaks,
    percentile,
    totals,
)

FRAME_HZ = 1000.0
_AUDIBLE = 0.02  # of the loud level: what rises below that is no attack
_KNEE = 0.03  # of the loud level: below, the logarithm is a line
_PLAYED = 0.01  # -40 dB
_HEARD = 0.003  # of the loudest band: -50 dB; filters leave 0.001 of a bass tone
_QUICK_MS = 20  # in which what is struck has risen
_LOWEST_PERIOD_MS = 40  # of a tone of 25 Hz
_RISES = 0.4  # of levels that are held so long: tones reach 0.33, noise 0.48, music 2.6 and more
_STRENGTH = {"low": 1.0, "mid": 0.6, "snare": 0.5, "high": 0.4}
_PLACE = {"low": 1.3, "mid": 0.8, "snare": 0.5, "high": 0.4}
_DELAY_MS = {"low": 3, "mid": 0, "snare": 0, "high": 0}  # of a kick's first rise; measured
_BEFORE_MS, _AFTER_MS = 60, 120  # of a beat, to see how its attack rises
_STEP = 1.5  # from before a beat to after it, that is an attack at all
_KICKED = 0.4  # of the low attacks of most spans
_SMOOTH_REACH = 230  # ms: of the bell and of the mean, together
_SHARP_MS = 6.0  # a rise that is placed right
_LATEST_MS, _SLOW_MS = 10.0, 25.0  # what slower ones are late at most, and how soon


@dataclass(frozen=True, slots=True)
class Onsets:
    """The attacks of a track, a value a millisecond.

    Parameters
    ----------
    levels : Levels
        Held level of each band, full scale 1.
    rises : Levels
        Rise of its logarithm.
    kept_strength, kept_attacks : float32[ms] or float16[ms]
        What `strength` and `attacks` return, in half precision where a track is long.
    known : dict
        Small results that are asked for again; see `once`.
    """

    levels: Levels
    rises: Levels
    kept_strength: Curve | Halves
    kept_attacks: Curve | Halves
    known: dict[str, Any] = field(default_factory=dict, repr=False, compare=False)

    def once(self, name: str, compute: Callable[[Onsets], Any]) -> Any:
        """Return what a function returns of these attacks, computed the first time."""
        if name not in self.known:
            self.known[name] = compute(self)
        return self.known[name]

    @property
    def strength(self) -> Curve:
        """All bands, smooth, without what is always there: float32[ms]."""
        return self.kept_strength.astype(np.float32, copy=False)

    @property
    def attacks(self) -> Curve:
        """All bands, sharp, placed where the sound begins: float32[ms]."""
        return self.kept_attacks.astype(np.float32, copy=False)

    @property
    def ms(self) -> int:
        """Length in milliseconds."""
        return len(self.kept_attacks)

    @property
    def seconds(self) -> float:
        """Length."""
        return self.ms / FRAME_HZ


def find_onsets(levels: Levels) -> Onsets:
    """Return the attacks in the levels of the bands.

    Parameters
    ----------
    levels : Levels

    Returns
    -------
    Onsets
        As long as the levels.
    """
    held = levels.held({name: BANDS[name].hold_ms for name in levels})
    rises = Levels({name: halves(_rise(level)) for name, level in held.items()})
    strength = halves_of_long(_strength(rises))
    return Onsets(held, rises, strength, halves_of_long(_attacks(rises)))


def _rise(held: Curve) -> Curve:
    """Return the rise of a held level's logarithm, where it is audible."""
    loud = np.float32(np.percentile(held, 95) + 1e-6)
    if loud < 1e-4 and held.max() > loud:  # a few clicks in silence: those are what is loud
        loud = np.float32(0.5 * held.max() + 1e-6)

    def risen(held: Curve) -> Curve:
        log = np.log1p(held / (loud * np.float32(_KNEE)))
        rise = np.maximum(np.diff(log, prepend=log[:1]), 0)
        kept: Curve = np.where(held > loud * np.float32(_AUDIBLE), rise, np.float32(0))
        return kept

    return in_parts(held, 1, risen)


def is_played(levels: Levels | None) -> bool:
    """Tell whether a stem has sound for at least a quarter of its time."""
    if levels is None:
        return False
    loudest = np.maximum.reduce(list(levels.values()))
    seconds = highest(loudest, 1000)[::1000]
    return float(np.mean(seconds > _PLAYED)) >= 0.25


def _strength(rises: Levels) -> Curve:
    total = np.zeros(rises.ms, np.float32)
    for name, weight in _STRENGTH.items():
        smooth = in_parts(rises[name], _SMOOTH_REACH, _smooth_rise)
        size = np.sqrt(np.mean(np.square(smooth))) + 1e-9
        smooth /= np.float32(size)
        np.minimum(smooth, 6, out=smooth)
        smooth *= np.float32(weight)
        total += smooth
    return total


def _smooth_rise(rise: Curve) -> Curve:
    """Return a rise, smooth and without what is always there."""
    smooth = gaussian(rise, 6.0)
    above: Curve = smooth - mean(smooth, 400)
    return np.maximum(above, 0, out=above)


def _attacks(rises: Levels) -> Curve:
    total = np.zeros(rises.ms, np.float32)
    for name, weight in _PLACE.items():
        rise = rises[name]
        strong = percentile(rise[rise > 0], 98) if (rise > 0).any() else 1.0
        delay = min(_DELAY_MS[name], len(rise))
        total[: len(rise) - delay] += (
            np.float32(weight)
            * np.minimum(rise / np.float32(strong + 1e-9), np.float32(1.5))[delay:]
        )
    return total


def struck(onsets: Onsets) -> float:
    """Return how much the levels of the audible bands rise within 20 ms where they rise most.

    Parameters
    ----------
    onsets : Onsets

    Returns
    -------
    float
        The 99th percentile, as a logarithm: 1.5 and more of drums and pianos, 0.7 to 1.2 of noise
        and pads, below 0.1 of a steady or slowly swelling tone.
    """
    most: float = onsets.once("struck", _struck)
    return most


def _struck(onsets: Onsets) -> float:
    return max((_most(onsets.rises[name]) for name in _audible(onsets.levels)), default=0.0)


def is_steady(onsets: Onsets) -> bool:
    """Tell whether the only attacks are the edges of a wave that sounds on, as of a square wave.

    A band of trebles hears each edge of a low tone by itself, up to 200 a second. Held for longer
    than the lowest tone's period a level has none of them; drums, notes and even noise still rise.
    And edges are everywhere, unlike attacks after gaps that are too short for such a hold.

    Parameters
    ----------
    onsets : Onsets
    """
    steady: bool = onsets.once("steady", _is_steady)
    return steady


def _is_steady(onsets: Onsets) -> bool:
    held = onsets.levels.held(dict.fromkeys(onsets.levels, _LOWEST_PERIOD_MS))
    names = _audible(onsets.levels)
    if any(_most(_rise(held[name])) >= _RISES for name in names):
        return False
    return any(_is_dense(onsets.rises[name]) for name in names)


def _audible(levels: Levels) -> list[str]:
    """Return the bands that are heard beside the loudest."""
    loud = {name: percentile(level, 95) for name, level in levels.items()}
    most = max(loud.values(), default=0.0)
    return [name for name in loud if loud[name] > _HEARD * most]


def _most(rise: Curve) -> float:
    """Return how much a level rises within `_QUICK_MS` where it rises most."""
    if len(rise) <= _QUICK_MS:
        return 0.0
    risen = in_parts(rise, _QUICK_MS, partial(_risen, span_ms=_QUICK_MS))
    return percentile(risen[_QUICK_MS - 1 :], 99)


def _is_dense(rise: Curve) -> bool:
    """Tell whether a level rises by half of its most within most spans of two long periods."""
    span_ms = 2 * _LOWEST_PERIOD_MS
    if len(rise) <= span_ms:
        return False
    risen = in_parts(rise, span_ms, partial(_risen, span_ms=span_ms))[span_ms - 1 :]
    return percentile(risen, 50) > 0.5 * percentile(risen, 99) > 0


def _risen(rise: Curve, span_ms: int) -> Curve:
    """Return how much a level has risen in the milliseconds up to each one."""
    total = np.append(np.zeros(span_ms), np.cumsum(rise, dtype=np.float64))
    return (total[span_ms:] - total[:-span_ms]).astype(np.float32)


def kicked(onsets: Onsets, starts_s: Floats, seconds: float) -> NDArray[np.bool_]:
    """Tell in which spans there are low attacks, about as many as in most.

    Parameters
    ----------
    onsets : Onsets
    starts_s : float64[n]
    seconds : float
        Length of each.
    """
    if not len(starts_s):
        return np.zeros(0, bool)
    low = onsets.levels["low"]
    loud = np.float32(np.percentile(low, 90) + 1e-6)
    struck = onsets.rises["low"] * np.minimum(1, low / loud)
    edges = np.clip(np.stack([starts_s, starts_s + seconds]) * FRAME_HZ, 0, len(low))
    first, end = totals(struck.astype(np.float32), edges.astype(np.int64))
    attacks = end - first
    return np.asarray(attacks > _KICKED * np.percentile(attacks, 80), bool)


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
    return gaussian_in_parts(attacks, 2.0)


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
    index = index[(index >= _BEFORE_MS) & (index + _AFTER_MS < onsets.ms)]
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
    least = 0.12 * percentile(smooth[smooth > 0], 99)
    times: Floats = (peaks(smooth, 61, float(least)).astype(np.float64) + 0.5) / FRAME_HZ
    return times
