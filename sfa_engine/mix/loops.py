"""Where a stem of a track has loops: on the grid, in bars that all play, whose end leads back.

::

    levels of a stem, in three bands on each quarter of a beat
    ├─ does each bar of it play?                      no: not a loop
    ├─ is what follows its end like its beginning?    seam_db, the mean difference
    ├─ does its last bar have a like?                 fill_db; a fill has none
    └─ does it rise from one half to the other?       rise_db; a build does

What a loop costs is the sum of its faults, each by what is still good. Pure.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise, zip_longest
from typing import TypeVar

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from sfa_engine.mix.facts import SURE, VOCALS, TrackFacts
from sfa_engine.track.grid import Grid, is_seam
from sfa_engine.track.media import WHOLE

Floats = NDArray[np.float64]
Levels = tuple[Floats, float]  # float64[columns, 4]: all, low, mid, high; columns a second

MOST = 4  # loops of one kind from a track
STEPS = 4  # of a beat
FLOOR_DB = -40.0  # below a band's loud level, all is silence
ACTIVE_DB = -20.0  # a bar that plays, against the stem's loud bars
SILENT_DB = -50.0  # full scale: a stem that never is louder does not play
BLEED_DB = -30.0  # below the mix's loud bars: what a separation leaves of other stems
ALIKE_DB = 2.5  # mean difference of two bars that sound alike; as the analysis has it
MAX_SEAM_DB = 5.0
MAX_RISE_DB = 6.0
SAME_DB = 1.0  # two loops of one pattern
DRIFT = 0.01  # of the tempo within a loop: a pad's tempo is one number
# What a fault costs: a dB of the seam, of the fill, of the rise, and below the loud bars …
SEAM_COST, FILL_COST, RISE_COST, LEVEL_COST = 1 / ALIKE_DB, 0.2, 0.2, 1 / 6
NO_SEAM_COST = 1.5  # nothing follows that it could be compared with
BORDER_COST = 1.5  # it goes over into another section
PHRASE_COSTS = {0: 0.0, 2: 0.3}  # by bars after the start of its section, modulo 4
OFF_PHRASE_COST = 0.6
VOICE_SHARE = 0.5  # of the bars, in which a voice sings; it need not go on as it began

T = TypeVar("T")


class LoopPlace(Struct, frozen=True):
    """A loop that was found in a track.

    Parameters
    ----------
    track : int
    stem : str
        A stem, or ``mix``: all of the track.
    beat : int
        Number of its first beat in the grid.
    beats : int
    start_s : float
    bpm : float
        Its own tempo.
    key : str
        ``8A``; empty: not known.
    section : str
        Empty: not known.
    seam_db : float, optional
        Difference of what follows its end from its beginning; None: nothing follows, or it is a
        voice.
    level_db : float
        Against the loud bars of the stem.
    cost : float
        Of its faults; 0 has none.
    why : str
    """

    track: int
    stem: str
    beat: int
    beats: int
    start_s: float
    bpm: float
    key: str
    section: str
    seam_db: float | None
    level_db: float
    cost: float
    why: str


@dataclass(frozen=True)
class _Steps:
    """A stem on the grid.

    Parameters
    ----------
    first : int
        Number of the first beat.
    bands_db : float64[steps, 3]
        Below the loud steps of each band, `FLOOR_DB` at least.
    power : float64[steps]
        Of all.
    """

    first: int
    bands_db: Floats
    power: Floats


def cut(grid: Grid, grid_rate: float, beat: int, beats: int, rate: int) -> tuple[int, int]:
    """Return first frame and length of a loop in a file of some rate.

    Parameters
    ----------
    grid : Grid
    grid_rate : float
        Hz, of the grid's frames.
    beat, beats : int
        First beat, and number of beats.
    rate : int
        Hz, of the file.

    Returns
    -------
    start, frames : int
        At a constant tempo the length is ``beats * 60 / bpm * rate``, rounded, wherever it begins.
    """
    start, end = grid.frame_of([beat, beat + beats], round(grid_rate)) * (rate / grid_rate)
    return round(float(start)), round(float(end - start))


def in_turn(offers: Iterable[Sequence[T]]) -> list[T]:
    """Return the first of each sequence, then the second of each, and so on."""
    return [each for turn in zip_longest(*offers) for each in turn if each is not None]


def why_not(facts: TrackFacts) -> str:
    """Return why a track cannot have loops; empty if it can."""
    if facts.grid is None or facts.length_s <= 0:
        return "has no beat grid"
    if facts.confidence < SURE:
        return f"has a grid that is not sure ({100 * facts.confidence:.0f} %)"
    return ""


def find_loops(
    facts: TrackFacts, levels: Mapping[str, Levels], stem: str, beats: int
) -> list[LoopPlace]:
    """Return the best loops of a stem, best first, none within another and no two alike.

    Parameters
    ----------
    facts : TrackFacts
        One that `why_not` has nothing against.
    levels : mapping of str to (float64[columns, 4], float)
        Levels of each stem and of ``mix``: all and three bands; columns a second.
    stem : str
    beats : int
        Length of a loop.

    Returns
    -------
    list of LoopPlace
        Up to `MOST`; none where nothing goes round cleanly.
    """
    grid = facts.grid
    if grid is None or stem not in levels:
        return []
    steps = _steps(facts, levels[stem])
    bar = grid.beats_per_bar
    group = min(beats, bar) * STEPS
    if len(steps.power) < beats * STEPS or not _plays(steps, levels, bar):
        return []
    loud = _loud(steps.power, bar * STEPS)
    found = []
    for beat in range(math.ceil(steps.first / bar) * bar, _last(steps) - beats + 1, bar):
        at = (beat - steps.first) * STEPS
        place = _place(facts, steps, stem, (beat, beats), at, group, loud)
        if place is not None:
            found.append((place, steps.bands_db[at : at + beats * STEPS]))
    chosen: list[tuple[LoopPlace, Floats]] = []
    for place, bands in sorted(found, key=lambda each: (each[0].cost, each[0].beat)):
        if all(
            abs(place.beat - other.beat) >= beats and _apart(bands, pattern) >= SAME_DB
            for other, pattern in chosen
        ):
            chosen.append((place, bands))
        if len(chosen) == MOST:
            break
    return [place for place, _ in chosen]


def _steps(facts: TrackFacts, levels: Levels) -> _Steps:
    """Return a stem on the grid: as much of it as lies in the track."""
    grid, rate = facts.grid, facts.rate
    assert grid is not None
    frames = round(facts.length_s * rate)
    first = math.ceil(float(grid.beat_of([-0.5], rate)[0]))  # half a frame early is the start
    end = math.floor(float(grid.beat_of([frames + 0.5], rate)[0]))
    values, hz = levels
    edges = grid.frame_of(np.arange(first * STEPS, end * STEPS + 1) / STEPS, rate) / rate * hz
    at = np.clip(np.round(edges).astype(int), 0, len(values))
    if len(at) < 2:
        return _Steps(first, np.zeros((0, 3)), np.zeros(0))
    total = np.concatenate([np.zeros((1, values.shape[1])), np.cumsum(values**2, axis=0)])
    power = np.diff(total[at], axis=0) / np.maximum(np.diff(at), 1)[:, None]
    loud = np.percentile(power[:, 1:], 95, axis=0) + 1e-12
    bands = np.clip(10 * np.log10(power[:, 1:] / loud + 1e-12), FLOOR_DB, 0.0)
    return _Steps(first, bands, power[:, 0])


def _last(steps: _Steps) -> int:
    return steps.first + len(steps.power) // STEPS


def _loud(power: Floats, size: int) -> float:
    """Return the power of the loud bars."""
    bars = power[: len(power) // size * size].reshape(-1, size).mean(axis=1)
    return float(np.percentile(bars if len(bars) else power, 90)) + 1e-12


def _plays(steps: _Steps, levels: Mapping[str, Levels], bar: int) -> bool:
    """Return whether a stem is more than what a separation leaves of others."""
    loud_db = 10 * math.log10(_loud(steps.power, bar * STEPS))
    mix = levels.get(WHOLE)
    if mix is None:
        return loud_db > SILENT_DB
    mix_power = np.asarray(mix[0])[:, 0] ** 2
    mix_db = 10 * math.log10(_loud(mix_power, max(1, round(mix[1] * 2))))
    return loud_db > max(SILENT_DB, mix_db + BLEED_DB)


def _apart(one: Floats, other: Floats) -> float:
    return float(np.abs(one - other).mean())


def _place(
    facts: TrackFacts,
    steps: _Steps,
    stem: str,
    span: tuple[int, int],
    at: int,
    group: int,
    loud: float,
) -> LoopPlace | None:
    """Return a loop with its faults, None if one is too great.

    Parameters
    ----------
    span : (int, int)
        First beat and number of beats.
    at, group : int
        First step, and the steps of a bar, or of a loop that is shorter.
    """
    beat, beats = span
    size = beats * STEPS
    is_voice = stem == VOCALS
    power = steps.power[at : at + size]
    active = ACTIVE_DB + 10 * math.log10(loud)
    whole = size // group * group
    groups_db = 10 * np.log10(power[:whole].reshape(-1, group).max(axis=1) + 1e-12)
    playing = float((groups_db > active).mean())
    if playing < (VOICE_SHARE if is_voice else 1.0) or not _is_even(facts, beat, beats):
        return None
    if _cuts_voice(facts, steps, stem, at, size, active):
        return None
    bands = steps.bands_db
    seam = None if is_voice else _seam(bands, at, size, group)
    if seam is not None and seam > MAX_SEAM_DB:
        return None
    fill = 0.0 if is_voice else _fill(bands, at, size, group)
    rise = 0.0 if is_voice else _rise(power)
    start_s, end_s = (float(x) for x in _seconds(facts, beat, beats))
    section, offset_bars, goes_over = _section(facts, start_s, end_s)
    if abs(rise) > MAX_RISE_DB or section == "build":
        return None
    level = 10 * math.log10(float(power.mean()) / loud + 1e-12)
    cost = (
        (NO_SEAM_COST if seam is None else seam * SEAM_COST)
        + fill * FILL_COST
        + abs(rise) * RISE_COST
        + max(0.0, -level) * LEVEL_COST
        + (BORDER_COST if goes_over else 0.0)
        + PHRASE_COSTS.get(offset_bars % 4, OFF_PHRASE_COST)
    )
    return LoopPlace(
        facts.id,
        stem,
        beat,
        beats,
        round(start_s, 6),
        round(60.0 * beats / (end_s - start_s), 3),
        facts.camelot or "",
        section,
        None if seam is None else round(seam, 2),
        round(level, 1),
        round(cost, 3),
        _why(section, offset_bars, seam, fill, rise, level, is_voice=is_voice),
    )


def _seconds(facts: TrackFacts, beat: int, beats: int) -> Floats:
    assert facts.grid is not None
    seconds: Floats = facts.grid.frame_of([beat, beat + beats], facts.rate) / facts.rate
    return seconds


def _is_even(facts: TrackFacts, beat: int, beats: int) -> bool:
    """Return whether the tempo of a loop is one, and no edit cuts the track in it."""
    grid = facts.grid
    assert grid is not None
    start, end = grid.frame_of([beat, beat + beats], facts.rate)
    for before, after in pairwise(grid.anchors):
        if is_seam(before, after, facts.rate) and start < after.frame and before.frame < end:
            return False
    lengths = np.diff(grid.frame_of(np.arange(beat, beat + beats + 1), facts.rate))
    mean = (end - start) / beats
    return bool(np.abs(lengths / mean - 1.0).max() <= DRIFT)


def _cuts_voice(
    facts: TrackFacts, steps: _Steps, stem: str, at: int, size: int, active: float
) -> bool:
    """Return whether a vocal line goes on across the start or the end of a loop."""
    if stem == VOCALS:  # on both sides of the edge it sounds
        power = 10 * np.log10(steps.power + 1e-12) > active
        return any(
            edge > 0 and edge < len(power) and bool(power[edge - 1] and power[edge])
            for edge in (at, at + size)
        )
    if stem != WHOLE or facts.vocals_s is None or facts.grid is None:
        return False
    beats = np.array([at, at + size]) / STEPS + steps.first
    edges = facts.grid.frame_of(beats, facts.rate) / facts.rate
    return any(start < edge < end for start, end in facts.vocals_s for edge in edges)


def _seam(bands: Floats, at: int, size: int, group: int) -> float | None:
    """Return how unlike its beginning what follows a loop is; or its end what precedes it, in dB.

    The track itself shows what its end leads to. Where it ends there, what leads to the loop's
    beginning is compared with its end.
    """
    if at + size + group <= len(bands):
        return _apart(bands[at : at + group], bands[at + size : at + size + group])
    if at >= group:
        return _apart(bands[at - group : at], bands[at + size - group : at + size])
    return None


def _fill(bands: Floats, at: int, size: int, group: int) -> float:
    """Return how unlike all others the last bar of a loop is, beyond what is alike, in dB.

    The others are those of the loop, and the bar a loop's length earlier and later.
    """
    last = at + size - group
    others = [*range(last - group, at - 1, -group), last + size, last - size]
    found = [
        _apart(bands[last : last + group], bands[other : other + group])
        for other in others
        if other >= 0 and other + group <= len(bands)
    ]
    return max(0.0, min(found) - ALIKE_DB) if found else 0.0


def _rise(power: Floats) -> float:
    """Return how much louder the second half is, in dB."""
    half = len(power) // 2
    first, second = power[:half].mean() + 1e-12, power[half:].mean() + 1e-12
    return 10 * math.log10(second / first)


def _section(facts: TrackFacts, start_s: float, end_s: float) -> tuple[str, int, bool]:
    """Return the section of a loop, its bars after the section's start, whether it goes over."""
    assert facts.grid is not None
    beat_s = 60.0 / facts.grid.bpm
    bar_s = beat_s * facts.grid.beats_per_bar
    for section in facts.sections:
        if section.start_s - beat_s / 2 <= start_s < section.end_s - beat_s / 2:
            bars = round((start_s - section.start_s) / bar_s)
            return section.label, bars, end_s > section.end_s + beat_s / 2
    first = facts.grid.frame_of([0], facts.rate)[0] / facts.rate
    return "", round((start_s - float(first)) / bar_s), False


def _why(
    section: str,
    bars: int,
    seam: float | None,
    fill: float,
    rise: float,
    level: float,
    *,
    is_voice: bool,
) -> str:
    parts = [f"bar {bars + 1} of {'the ' + section if section else 'the track'}"]
    if is_voice:
        parts.append("no line is cut")
    elif seam is None:
        parts.append("nothing follows it")
    else:
        parts.append(f"its end leads back within {seam:.1f} dB")
    parts.append(f"{level:+.1f} dB against the loud bars")
    if fill > 0:
        parts.append(f"its last bar differs by {fill + ALIKE_DB:.1f} dB")
    if abs(rise) > 1:
        parts.append(f"{'rises' if rise > 0 else 'falls'} by {abs(rise):.1f} dB")
    return ", ".join(parts)
