"""A track laid out in bars: borders of phrases, where bass, drums and voices sound, its loudness.

Made once for each track of a plan, from `TrackFacts`. Indices count bars from the track's first
whole bar; `first` is that bar's number in the grid.

::

    bar     0         8         16                32                   n
            │ intro   ┊         │ drop            │ outro              │
    border  2         1         2                 2   1 at each 8      2
"""

from __future__ import annotations

from bisect import bisect_right
from itertools import accumulate, pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sfa_engine.mix.band_levels import BASS_DB, STEPS
from sfa_engine.mix.facts import LOUDNESS_HZ, TrackFacts, bar_edges_s

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]

PHRASE_BARS = 8
SECTION, PHRASE, HALF_PHRASE, NO_BORDER = 3, 2, 1, 0
PART_DB = -20.0  # the same of drums and pitched parts
SILENT_DB = -30.0  # below the median: silence
QUIET_DB = -12.0  # below the median: quiet after a loud track
MAX_QUIET_S = 60.0
UNKNOWN_LUFS = -14.0
SMOOTH_S = 3.0  # of the short-term loudness
UNKNOWN_LOWS, UNKNOWN_KIT = 0.33, 0.4  # shares of the loudness, of two tracks
INTRO, OUTRO = "intro", "outro"


class Timeline:
    """A track in bars.

    Parameters
    ----------
    facts : TrackFacts

    Attributes
    ----------
    facts : TrackFacts
    first : int
        Number of the first whole bar in the grid.
    edges_s : float64[bars + 1]
        Start of each bar and the end of the last; empty without a grid.
    border : int64[bars + 1]
        `SECTION`, `PHRASE`, `HALF_PHRASE` or `NO_BORDER`.
    bass, drums, tonal : bool[bars]
        Whether the part sounds; all true where it is not known.
    bass_steps : bool[bars * STEPS]
        Whether the bass sounds.
    lows, kit : float64[bars]
        Shares of the loudness: see `band_levels.Contributions`.
    sung : bool[bars * STEPS]
        Whether the vocals sing.
    knows_vocals, knows_bass, knows_loudness : bool
    sound_s : (float, float)
        Where the track is first and last not silent.
    loudest_db : float
        Highest short-term loudness, in LUFS at the deck's gain.
    bar_power : float64[bars]
        Short-term power in the middle of each bar.
    outro_s : float
        Where the outro begins; the end of the sound if there is none.
    """

    def __init__(self, facts: TrackFacts) -> None:
        self.facts = facts
        self.edges_s, self.first = np.zeros(0), 0
        if facts.grid is not None and facts.length_s > 0:
            self.edges_s, self.first = bar_edges_s(facts.grid, facts.rate, facts.length_s)
        self.bars = max(0, len(self.edges_s) - 1)
        self.knows_vocals = facts.vocals_s is not None
        self.knows_bass = bool(facts.bass_db)
        self.bass = self._active(facts.bass_db, BASS_DB)
        self.drums = self._active(facts.drums_db, PART_DB)
        self.tonal = self._active(facts.tonal_db, PART_DB)
        self.bass_steps = self._bass_steps()
        self.lows = self._shares(facts.lows, UNKNOWN_LOWS)
        self.kit = self._shares(facts.kit, UNKNOWN_KIT)
        self.border = self._borders()
        self.vocals_s = facts.vocals_s or ()
        self._starts_s = [start for start, _ in self.vocals_s]
        self._sung_s = [0.0, *accumulate(end - start for start, end in self.vocals_s)]
        self._quiet_s: dict[float, float] = {}
        self.sung = self._sung()
        self.knows_loudness = bool(facts.loudness)
        self._momentary = self._momentary_power()
        self._power = self._short_term()
        self.median_db = self._median()
        self.loudest_db = float(10 * np.log10(max(float(self._power.max()), 1e-7)))
        self.bar_power = self.power_at(0.5 * (self.edges_s[:-1] + self.edges_s[1:]))
        self.sound_s = self._sound()
        self.outro_s = self._outro()

    def index_at(self, seconds: float) -> int:
        """Return the index of the bar border nearest to a time."""
        at = int(np.searchsorted(self.edges_s, seconds))
        if at and (at > self.bars or seconds - self.edges_s[at - 1] < self.edges_s[at] - seconds):
            at -= 1
        return at

    def bpm_at(self, index: int, bars: int) -> float:
        """Return the mean tempo over some bars, cut at the ends of the track."""
        start, end = max(0, min(index, self.bars - 1)), min(self.bars, max(index + bars, 1))
        length = float(self.edges_s[end] - self.edges_s[start])
        return 60.0 * (end - start) * self.facts.beats_per_bar / length

    def phrase_left_s(self, seconds: float) -> float:
        """Return how long the vocal phrase at a time goes on; 0 outside one."""
        at = bisect_right(self._starts_s, seconds) - 1
        return max(0.0, self.vocals_s[at][1] - seconds) if at >= 0 else 0.0

    def phrase_gone_s(self, seconds: float) -> float:
        """Return how long the vocal phrase at a time has lasted; 0 outside one."""
        at = bisect_right(self._starts_s, seconds) - 1
        if at < 0 or self.vocals_s[at][1] <= seconds:
            return 0.0
        return seconds - self.vocals_s[at][0]

    def sung_s(self, start_s: float, end_s: float) -> float:
        """Return how long the vocals sing between two times."""
        return max(0.0, self._sung_before(end_s) - self._sung_before(start_s))

    def _sung_before(self, seconds: float) -> float:
        at = bisect_right(self._starts_s, seconds)
        return self._sung_s[at] - (max(0.0, self.vocals_s[at - 1][1] - seconds) if at else 0.0)

    def first_sung_s(self, start_s: float, end_s: float) -> float | None:
        """Return when the vocals first sing between two times."""
        return next((max(a, start_s) for a, b in self.vocals_s if b > start_s and a < end_s), None)

    def last_sung_s(self, start_s: float, end_s: float) -> float | None:
        """Return when the vocals last sing between two times."""
        ends = [min(b, end_s) for a, b in self.vocals_s if b > start_s and a < end_s]
        return ends[-1] if ends else None

    def label_at(self, seconds: float) -> str:
        """Return the label of the section at a time; empty if there is none."""
        for section in self.facts.sections:
            if section.start_s - 0.05 <= seconds < section.end_s - 0.05:
                return section.label
        return ""

    def power_at(self, seconds: Floats) -> Floats:
        """Return the short-term power at some times, at the deck's gain; 0 outside the track."""
        at = np.asarray(seconds, np.float64) * LOUDNESS_HZ - 0.5
        return np.interp(at, np.arange(len(self._power)), self._power, left=0.0, right=0.0)

    def momentary_at(self, seconds: Floats) -> Floats:
        """Return the power of the 0.4 s around some times, as `power_at`."""
        at = np.asarray(seconds, np.float64) * LOUDNESS_HZ - 0.5
        known = np.arange(len(self._momentary))
        return np.interp(at, known, self._momentary, left=0.0, right=0.0)

    def loudness_db(self, start_s: float, end_s: float) -> float:
        """Return the mean short-term loudness between two times, in LUFS at the deck's gain."""
        middle = np.arange(start_s + 0.25, max(end_s, start_s + 0.5), 0.5)
        power = self.power_at(middle)
        power = power[power > 0]
        if not len(power):
            return self.median_db
        return float(np.mean(10 * np.log10(power)))

    def quiet_s(self, start_s: float) -> float:
        """Return for how long the track stays quiet from a time on, up to a minute."""
        if start_s not in self._quiet_s:
            times = np.arange(start_s + 0.25, min(start_s + MAX_QUIET_S, self.sound_s[1]), 0.5)
            loud = self.power_at(times) > 10 ** ((self.median_db + QUIET_DB) / 10)
            self._quiet_s[start_s] = 0.5 * float(np.argmax(loud) if loud.any() else len(times))
        return self._quiet_s[start_s]

    # ------------------------------------------------------------------ made once

    def _active(self, levels: tuple[float, ...], least: float) -> Flags:
        if not levels:
            return np.ones(self.bars, dtype=bool)
        active = np.zeros(self.bars, dtype=bool)
        shift = self.facts.first_bar - self.first
        for index in range(self.bars):
            at = index - shift
            active[index] = 0 <= at < len(levels) and levels[at] > least
        return active

    def _bass_steps(self) -> Flags:
        bits = self.facts.bass_steps
        if not bits:
            return np.repeat(self.bass, STEPS)
        rows = self._by_bar(np.array(bits), 0)
        flags: Flags = (rows[:, None] >> np.arange(STEPS) & 1).astype(bool).ravel()
        return flags

    def _shares(self, shares: tuple[float, ...], unknown: float) -> Floats:
        return self._by_bar(np.array(shares or [unknown]), unknown)

    def _by_bar(self, values: NDArray[Any], outside: float) -> NDArray[Any]:
        """Return values that count from the facts' first bar by the bars of the timeline."""
        at = np.arange(self.bars) - (self.facts.first_bar - self.first)
        inside = (at >= 0) & (at < len(values))
        return np.where(inside, values[np.clip(at, 0, len(values) - 1)], outside)

    def _borders(self) -> NDArray[np.int64]:
        border = np.zeros(self.bars + 1, np.int64)
        if not self.bars:
            return border
        starts = {0, self.bars}
        for section in self.facts.sections:
            for seconds in (section.start_s, section.end_s):
                index = self.index_at(seconds)
                if abs(self.edges_s[index] - seconds) < 0.3:  # s: the same downbeat
                    starts.add(index)
        ordered = sorted(starts)
        for start, end in pairwise(ordered):
            border[start:end:4] = HALF_PHRASE
            border[start:end:PHRASE_BARS] = PHRASE
        border[ordered] = SECTION
        return border

    def _sung(self) -> Flags:
        sung = np.zeros(self.bars * STEPS, dtype=bool)
        if not self.bars:
            return sung
        places = np.linspace(0, self.bars, self.bars * STEPS + 1)
        times = np.interp(places, np.arange(self.bars + 1), self.edges_s)
        for start, end in self.vocals_s:
            first = int(np.searchsorted(times, start, side="right")) - 1
            sung[max(0, first) : int(np.searchsorted(times, end))] = True
        return sung

    def _momentary_power(self) -> Floats:
        """Return the power of 0.4 s around each half second."""
        facts = self.facts
        if facts.loudness:
            return 10 ** ((np.array(facts.loudness) + facts.gain_db) / 10)
        level = facts.lufs if facts.lufs is not None else UNKNOWN_LUFS - facts.gain_db
        count = max(1, round(facts.length_s * LOUDNESS_HZ))
        return np.full(count, 10 ** ((level + facts.gain_db) / 10))

    def _short_term(self) -> Floats:
        """Return the power of three seconds around each half second."""
        power = self._momentary
        reach = round(SMOOTH_S * LOUDNESS_HZ)
        total = np.concatenate([[0.0], np.cumsum(power)])
        middle = np.arange(len(power))
        first = np.clip(middle - reach // 2, 0, len(power))
        end = np.clip(middle + reach - reach // 2, 0, len(power))
        smooth: Floats = (total[end] - total[first]) / np.maximum(end - first, 1)
        return smooth

    def _median(self) -> float:
        return float(10 * np.log10(max(float(np.median(self._power)), 1e-7)))

    def _sound(self) -> tuple[float, float]:
        length = self.facts.length_s
        levels = np.array(self.facts.loudness)
        if not len(levels):
            return 0.0, length
        loud = np.flatnonzero(levels > np.median(levels) + SILENT_DB)
        if not len(loud):
            return 0.0, length
        # A half second whose middle sounds: the sound may begin 0.2 s before it.
        start = max(0.0, float(loud[0]) / LOUDNESS_HZ)
        return start, min(length, float(loud[-1] + 1) / LOUDNESS_HZ)

    def _outro(self) -> float:
        sections = self.facts.sections
        if sections and sections[-1].label == OUTRO:
            return min(sections[-1].start_s, self.sound_s[1])
        return self.sound_s[1]
