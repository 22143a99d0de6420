"""Sections: where the music changes, in whole phrases, and what each part is to a DJ.

::

bars ─┬► features ─► self-similarity ─► novelty ┐
      ├► levels ─► steps of bass and level ─────┤
      ├► treble ─► crashes ─────────────────────┼► best row of phrases ─► labels
      ├► what rises and stops ─► ends of builds ┤
      └► chords ─► cycle ─► other chords ───────┘

The cycle of the chords says how long a phrase is, also where a bar of ours is half a bar to a
musician, or two.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np

from sfa_engine.prep.analyse.bar import Stepwise
from sfa_engine.prep.analyse.cycle import chord_cycle, other_chords
from sfa_engine.prep.analyse.label import BUILT, MAX_BUILD_BARS, Part, name_parts
from sfa_engine.prep.analyse.levels import Levels
from sfa_engine.prep.analyse.onset import FRAME_HZ, Onsets
from sfa_engine.prep.analyse.rise import Rises, find_rises
from sfa_engine.prep.analyse.smooth import Curve, Floats, Ints, highest, standard, totals

MAX_BARS = 64
_PRICE = 0.5  # of a boundary, in the change at the strongest ones
_PRICES = (0.9, 1.3)  # at least and at most
_REACHES = ((2, 0.3), (4, 1.0), (8, 1.3))  # bars on each side that are compared, and weight
_EDGE = 0.35  # what a change counts in the first half cycle and the last
_CRASH_DB = (3.0, 7.0)  # a bar's first quarter over those three bars around: maybe, surely
_NO_CYMBAL_DB = -15.0  # below the loud bars' treble
_OTHER_CHORDS = 0.5  # weight; a crash counts 1
_PLAIN = 1.0  # a change of sound that tells the bar, where chords tell one beside it
_BUILD_ENDS = 1.5  # weight: more than an unusual length of two phrases costs
_SURELY = 0.6  # a build ends
_BUILD_BARS = (4, 8, 16)  # usual ones
_STEM_FLOOR_DB = -24.0  # below the stem's loudest bar: it bleeds, or does not play
_STEM_STEP_DB = 12.0  # that makes two bars as unlike as the usual difference of a feature
_LONG_BARS = 8  # a longer part may be a build and what was before it
_BUILD_BEGINS = 0.4  # change


@dataclass(frozen=True, slots=True)
class Section:
    """A part of the track.

    Parameters
    ----------
    start_s, end_s : float
    label : str
        One of `label.LABELS`.
    energy_db : float
        Level against the loud parts.
    """

    start_s: float
    end_s: float
    label: str
    energy_db: float


@dataclass(frozen=True, slots=True)
class _Bars:
    """What is known of each bar: its levels and attacks, and what makes bars alike."""

    bass_db: Floats
    level_db: Floats
    snare: Floats
    treble_db: Floats  # of the first quarter
    tones: Floats
    features: Floats


def find_sections(
    onsets: Onsets,
    beatwise: Stepwise,
    bars_s: Floats,
    first_beats: Ints,
    beats_per_bar: int,
    stems: Mapping[str, Mapping[str, Floats]] | None = None,
) -> list[Section]:
    """Return the sections of a track, without gaps.

    Parameters
    ----------
    onsets : Onsets
    beatwise : Stepwise
    bars_s : float64[bars + 1]
        Where each bar begins, and where the last one ends.
    first_beats : int64[bars]
        Row of `beatwise` of each bar's first beat.
    beats_per_bar : int
    stems : mapping of str to mapping of str to float64[bars], optional
        `bar_power` of each: drums and bass say where the bass is, and which of all play makes
        bars alike.

    Returns
    -------
    list of Section
        In order; none where there is no bar.
    """
    count = len(bars_s) - 1
    if count < 1:
        return []
    if count < 8:
        return [Section(float(bars_s[0]), float(bars_s[-1]), "verse", 0.0)]
    bars = _describe(onsets, beatwise, bars_s, first_beats, beats_per_bar)
    if stems:
        bars = _with_stems(bars, stems)
    cycle = chord_cycle(bars.tones)
    rises = find_rises(onsets, bars_s)
    change = _change(bars, cycle)
    edges = _phrases(_with_ends(change, rises.ends), cycle)
    edges = _with_builds(edges, rises, change)
    parts = [_part(bars, a, e, rises) for a, e in pairwise(edges)]
    name_parts(parts)
    return _joined(parts, bars_s)


def _describe(
    onsets: Onsets, beatwise: Stepwise, bars_s: Floats, first_beats: Ints, beats_per_bar: int
) -> _Bars:
    """Return what each bar is like."""
    power = bar_power(onsets.levels, bars_s)
    level = {n: 10 * np.log10(p + 1e-7) for n, p in power.items()}
    rises = {n: _bar_means(rise, bars_s) * 1e3 for n, rise in onsets.rises.items()}
    beats = np.clip(
        first_beats[:, None] + np.arange(beats_per_bar), 0, len(beatwise.tones) - 1
    ).astype(int)
    tones = beatwise.tones[beats].mean(axis=1)
    treble = _bar_means(onsets.levels["high"], bars_s, power=2, part=4)
    total_db = 10 * np.log10(sum(power.values()) + 1e-7)
    bass = np.clip(level["low"] - level["low"].max(), -40, 0) / 4
    features = np.concatenate(
        [
            0.6 * standard(beatwise.levels_db[beats].mean(axis=1)),
            0.35 * standard(tones),
            bass[:, None],
            1.2 * standard(np.stack([level[n] for n in ("mid", "snare", "high")], axis=1)),
            standard(np.stack(list(rises.values()), axis=1)),
        ],
        axis=1,
    )
    return _Bars(
        np.clip(level["low"] - np.percentile(level["low"], 95), -30, 0),
        np.clip(total_db - np.percentile(total_db, 95), -30, 0),
        rises["snare"],
        10 * np.log10(treble + 1e-7),
        tones,
        features,
    )


def _with_stems(bars: _Bars, power: Mapping[str, Mapping[str, Floats]]) -> _Bars:
    """Return the bars with the bass of drums and bass alone, and with the level of each stem."""
    levels = [10 * np.log10(sum(each.values()) + 1e-9) for each in power.values()]
    played = [np.clip(level - level.max(), _STEM_FLOOR_DB, 0) for level in levels]
    features = np.concatenate([bars.features, np.stack(played, axis=1) / _STEM_STEP_DB], axis=1)
    low = sum(power[name]["low"] for name in ("drums", "bass") if name in power)
    if not np.any(low):
        return replace(bars, features=features)
    bass_db = 10 * np.log10(low + 1e-7)
    bass_db = np.clip(bass_db - np.percentile(bass_db, 95), -30, 0)
    return replace(bars, bass_db=bass_db, features=features)


def bar_power(levels: Levels, bars_s: Floats) -> dict[str, Floats]:
    """Return the mean power of each band in each bar: float64[bars]."""
    if len(bars_s) < 2:
        return {}
    return {name: _bar_means(level, bars_s, power=2) for name, level in levels.items()}


def _bar_means(curve: Curve, bars_s: Floats, power: int = 1, part: int = 1) -> Floats:
    """Return the mean of each bar, or of its first part of so many, of a power of the curve."""
    edges = np.clip((bars_s * FRAME_HZ).astype(int), 0, len(curve) - 1)
    width = np.maximum(np.maximum(np.diff(edges), 1) // part, 1)
    first, last = totals(curve, np.stack([edges[:-1], edges[:-1] + width]), power)
    means: Floats = (last - first) / width
    return means


def _change(bars: _Bars, cycle: int) -> Floats:
    """Return how much changes at each bar's beginning: float64[bars + 1]."""
    n = len(bars.features)
    change = np.zeros(n + 1)
    alike = _similarity(bars.features)
    for reach, weight in _REACHES:
        contrast = _checkerboard(alike, reach)
        change[:n] += weight * contrast / (np.percentile(contrast, 98) + 1e-9)
    steps, jumps = np.zeros(n + 1), np.zeros(n + 1)
    for curve, decibels in ((bars.bass_db, 12.0), (bars.level_db, 10.0)):
        scale = max(decibels, 8 * float(np.median(np.abs(np.diff(curve)))))  # where bars differ
        jumps[1:n] += np.abs(np.diff(curve)) / scale
        for i in range(1, n):
            before, after = curve[max(0, i - 4) : i], curve[i : i + 4]
            steps[i] += abs(np.median(after) - np.median(before)) / scale
    change = change / 2.2 + 0.5 * np.minimum(steps, 1.5) + 0.5 * np.minimum(jumps, 1.5)
    change += _crashes(bars.treble_db)
    other = other_chords(bars.tones, cycle)
    for bar in np.flatnonzero(other).tolist():
        beside = bar - 1 + int(np.argmax(change[bar - 1 : bar + 2]))
        change[beside if change[beside] > _PLAIN else bar] += _OTHER_CHORDS * other[bar]
    change[1 : 1 + cycle // 2] *= _EDGE
    change[n - cycle // 2 : n] *= _EDGE
    change[0] = change[n] = 1
    return np.where(change >= highest(change, 3), change, 0.35 * change)


def _crashes(treble_db: Floats) -> Floats:
    """Return how surely a cymbal is struck where each bar begins, 0..1: float64[bars + 1]."""
    n = len(treble_db)
    heard_db = np.maximum(treble_db, np.percentile(treble_db, 95) + _NO_CYMBAL_DB)
    padded = np.pad(heard_db, 3, mode="edge")
    around = np.max([padded[3 + k : 3 + k + n] for k in (-3, -2, -1, 1, 2, 3)], axis=0)
    maybe, surely = _CRASH_DB
    return np.append(np.clip((heard_db - around - maybe) / (surely - maybe), 0, 1), 0.0)


def _similarity(features: Floats) -> Curve:
    """Return how alike every two bars are, 0..1: single precision, for two hours have 4000 bars."""
    square = (features**2).sum(axis=1)
    alike = np.empty((len(features), len(features)), np.float32)
    for row, own, each in zip(alike, square, features, strict=True):
        row[:] = np.sqrt(np.maximum(own + square - 2 * (features @ each), 0))
    alike /= -(np.median(alike) + np.float32(1e-9))
    return np.exp(alike, out=alike)


def _checkerboard(alike: Curve, reach: int) -> Floats:
    """Return Foote's novelty: alike within both sides, unlike across."""
    padded = np.pad(alike, reach, mode="edge")
    x = np.arange(-reach, reach) + 0.5
    side = np.exp(-0.5 * (x / (reach * 0.6)) ** 2) * np.sign(x)
    kernel = np.outer(side, side)
    n = len(alike)
    found = np.array(
        [(padded[i : i + 2 * reach, i : i + 2 * reach] * kernel).sum() for i in range(n)]
    )
    novelty: Floats = np.maximum(found, 0) / np.abs(kernel).sum() * 4
    return novelty


def _phrase(bars: int, cycle: int) -> float:
    """Return how usual it is that a section has so many bars."""
    usual = ((4 * cycle, 0.45), (2 * cycle, 0.42), (cycle, 0.18), (cycle // 2, -0.05), (1, -0.35))
    worth = next(worth for unit, worth in usual if bars % unit == 0)
    return worth - (0.5 if bars < cycle else 0.15 if bars < 2 * cycle else 0.0)


def _phrases(change: Floats, cycle: int) -> list[int]:
    """Return the boundaries with the most change in phrases of usual length."""
    n = len(change) - 1
    price = float(np.clip(_PRICE * np.percentile(change[2:-2], 99), *_PRICES))
    usual = [0.0] + [_phrase(bars, cycle) for bars in range(1, MAX_BARS + 1)]
    value, back = np.full(n + 1, -np.inf), np.zeros(n + 1, int)
    value[0] = 0.0
    for end in range(1, n + 1):
        gain = change[end] - price if end < n else 0.0
        for start in range(max(0, end - MAX_BARS), end):
            whole = 1.0 if start and end < n else 0.3  # the ends may be cut
            total = value[start] + gain + whole * usual[end - start]
            if total > value[end]:
                value[end], back[end] = total, start
    edges = [n]
    while edges[-1] > 0:
        edges.append(int(back[edges[-1]]))
    return edges[::-1]


def _with_ends(change: Floats, ends: Floats) -> Floats:
    """Return the change with the ends of builds; a cymbal there changes less a bar later."""
    after = np.append(0.0, ends[:-1]) > np.maximum(_SURELY, ends)
    return np.where(after, _EDGE, 1.0) * change + _BUILD_ENDS * ends


def _with_builds(edges: list[int], rises: Rises, change: Floats) -> list[int]:
    """Return the boundaries with one where a build begins in a part that is longer.

    Its beginning changes little where the drums go on: the most of what changes a whole phrase
    before its end is taken.
    """
    found = set(edges)
    for before, edge in pairwise(edges):
        whole = edge - before
        if edge == edges[-1] or rises.ends[edge] < BUILT or whole <= _LONG_BARS:
            continue
        longest = min(MAX_BUILD_BARS, whole - 4)
        lengths = [bars for bars in _BUILD_BARS if 0.75 * rises.bars[edge] <= bars <= longest]
        start = edge - max(lengths or [4], key=lambda bars: float(change[edge - bars]))
        if whole > MAX_BUILD_BARS or change[start] > _BUILD_BEGINS:
            found.add(start)
    return sorted(found)


def _part(bars: _Bars, first: int, end: int, rises: Rises) -> Part:
    """Return what a row of bars is like."""
    level = bars.level_db[first:end]
    half = first + (end - first) // 2
    slope = float(np.polyfit(np.arange(end - first), level, 1)[0]) if end - first > 2 else 0.0
    rising = float(bars.snare[half:end].mean() - bars.snare[first : half + 1].mean())
    return Part(
        first,
        end,
        float(np.median(bars.bass_db[first:end])),
        float(np.median(level)),
        slope,
        rising,
        float(rises.ends[first]),
        int(rises.bars[first]),
        bars.features[first:end].mean(axis=0),
    )


def _joined(parts: list[Part], bars_s: Floats) -> list[Section]:
    """Return the parts as sections; an intro or outro of two parts is one."""
    sections: list[Section] = []
    for part in parts:
        start, end = float(bars_s[part.first]), float(bars_s[part.end])
        if sections and sections[-1].label == part.label and part.label in ("intro", "outro"):
            start = sections.pop().start_s
        sections.append(Section(start, end, part.label, part.level))
    return sections
