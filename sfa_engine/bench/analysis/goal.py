"""The measures of the analysis, each over many pieces, with its goal.

A measure gets the rows that it is about and returns a number, or None if none of them knows it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from sfa_engine.bench.analysis.score import SURE, Row

Measure = Callable[[list[Row]], float | None]
STEADY = ("club", "drop", "band")
COUNTED = (*STEADY, "slow", "broken", "meter")  # of one tempo without an edit


def mean(name: str) -> Measure:
    """Return the measure that averages a number of the rows."""

    def measure(rows: list[Row]) -> float | None:
        values = [float(row[name]) for row in rows if row.get(name) is not None]
        return sum(values) / len(values) if values else None

    return measure


def median(name: str) -> Measure:
    """Return the measure that takes the median of a number of the rows."""

    def measure(rows: list[Row]) -> float | None:
        values = [float(row[name]) for row in rows if row.get(name) is not None]
        return float(np.median(values)) if values else None

    return measure


def share(rule: Callable[[Row], bool], known: str = "kind") -> Measure:
    """Return the measure that gives the share of rows, of those that know a value, in a rule."""

    def measure(rows: list[Row]) -> float | None:
        about = [row for row in rows if row.get(known) is not None]
        return sum(map(rule, about)) / len(about) if about else None

    return measure


def ratio(above: str, below: str) -> Measure:
    """Return the measure that divides two counts, each summed over the rows."""

    def measure(rows: list[Row]) -> float | None:
        known = [row for row in rows if row.get(above) is not None]
        total = sum(row[below] for row in known)
        return sum(row[above] for row in known) / total if total else None

    return measure


def sure_and_right(rows: list[Row]) -> float | None:
    """Return how many of the sure grids are within 25 ms."""
    sure = [row for row in rows if row["sure"] and row.get("within25") is not None]
    return sum(row["within25"] for row in sure) / len(sure) if sure else None


def _followed(row: Row) -> bool:
    return bool(row.get("within12")) or not row["sure"]


def _cut(row: Row) -> bool:
    bars = bool(row.get("downbeats")) or row.get("sure_bar", 1.0) < SURE
    return bool(row.get("anchored") and bars) or not row["sure"]


def _octave(row: Row) -> bool:
    return bool(row.get("acc1")) or (not row["sure"] and bool(row.get("octave_offered")))


def _phase(row: Row) -> bool:
    return bool(row.get("within25")) or not row["sure"]


def _meter(row: Row) -> bool:
    # where an engine gives them apart, doubt about octave or bar is enough
    doubt = min(row.get("sure_octave", 1.0), row.get("sure_bar", 1.0)) < SURE
    return bool(row.get("acc1") and row.get("downbeats")) or not row["sure"] or doubt


@dataclass(frozen=True)
class Goal:
    """A line of the table: the groups and kinds it is about, its measure and its goal.

    Parameters
    ----------
    letter : str
        Of the part of the table; empty for what has to stay good.
    text : str
        What is measured.
    about : tuple of str
        Groups or kinds; all pieces if empty.
    measure : callable
        Of the rows.
    goal : float, optional
        To be reached.
    at_most : bool
        The goal is a limit.
    """

    letter: str
    text: str
    about: tuple[str, ...]
    measure: Measure
    goal: float | None = None
    at_most: bool = False

    def value(self, rows: Iterable[Row]) -> float | None:
        """Return the measure over those of the rows that the goal is about."""
        return self.measure(chosen(rows, self.about))

    def met(self, value: float) -> bool:
        """Return whether a value reaches the goal."""
        return self.goal is None or (value <= self.goal if self.at_most else value >= self.goal)


def chosen(rows: Iterable[Row], about: Sequence[str]) -> list[Row]:
    """Return the rows of some groups or kinds; without any, all."""
    return [r for r in rows if not about or r["group"] in about or r["kind"] in about]


GOALS = (
    Goal("A", "sure, and beats within 25 ms: steady kinds", STEADY, sure_and_right, 0.99),
    Goal("A", "sure, and beats within 25 ms: all kinds", (), sure_and_right, 0.97),
    Goal("A", "steady kinds of which it is sure", STEADY, mean("sure"), 0.80),
    Goal("A", "found tracks of which it is sure", ("track",), mean("sure"), 0.80),
    Goal("B", "drift, steps: beats within 12 ms, or not sure", ("drift",), share(_followed), 1.0),
    Goal("B", "… beats within 12 ms", ("drift",), mean("within12")),
    Goal("C", "edits: an anchor within a bar and downbeats right, or not sure", ("edit",),
         share(_cut), 1.0),
    Goal("C", "… an anchor within a bar", ("edit",), mean("anchored")),
    Goal("C", "… downbeats right", ("edit",), mean("downbeats")),
    Goal("D", "drops with kick or bass before: recall", ("drop",), ratio("drops_hit", "drops_true"),
         0.90),
    Goal("D", "drops with kick or bass before: precision", ("drop",),
         ratio("drops_hit", "drops_said"), 0.85),
    Goal("D", "other drops: recall", ("club",), ratio("drops_hit", "drops_true"), 0.90),
    Goal("D", "other drops: precision", ("club", "broken"), ratio("drops_hit", "drops_said"), 0.85),
    Goal("E", "slow kinds: octave right, or not sure with the right one offered", ("slow",),
         share(_octave), 1.0),
    Goal("E", "… octave right", ("slow",), mean("acc1")),
    Goal("F", "broken beats, drums alone: phase right, or not sure", ("broken",), share(_phase),
         1.0),
    Goal("F", "… phase right", ("broken",), mean("within25"), 0.90),
    Goal("G", "no key invented: noise, speech, a tone, drums alone",
         ("noise", "speech", "tone", "drums_alone"),
         share(lambda r: not r["key_invented"], "key_invented"), 1.0),
    Goal("G", "no tempo invented where there is none", ("none",),
         share(lambda r: not r.get("tempo_invented")), 1.0),
    Goal("G", "anti-phase: tempo and beats right", ("antiphase",),
         share(lambda r: bool(r.get("bpm_ok") and r.get("within25"))), 1.0),
    Goal("G", "5.1: loudness within 0.5 dB of its downmix", ("surround",),
         share(lambda r: abs(r["lufs_error"]) <= 0.5, "lufs_error"), 1.0),
    Goal("G", "loops of 2 and 4 bars: BPM within 0.02, four a bar", ("loop_2_bars", "loop_4_bars"),
         share(lambda r: bool(r.get("bpm_ok") and r.get("meter_right"))), 1.0),
    Goal("H", "section labels, share of time", ("club", "drop"), mean("label"), 0.65),
    Goal("H", "section boundaries at one bar (F)", ("club", "drop"), mean("boundary_f"), 0.85),
    Goal("H", "section boundaries of songs (F)", ("band", "slow"), mean("boundary_f")),
    Goal("H", "section labels of found pieces, share of time", ("real",), mean("label")),
    Goal("H", "section boundaries of found pieces (F)", ("real",), mean("boundary_f")),
    Goal("I", "above 186 BPM, 3/4, 5/4, 7/8: octave and bars right, or not sure", ("meter",),
         share(_meter), 1.0),
    Goal("I", "… octave and bars right", ("meter",),
         share(lambda r: bool(r.get("acc1") and r.get("downbeats")))),
    Goal("", "tempo up to a factor of 2 or 3: steady kinds", STEADY, mean("acc2"), 1.0),
    Goal("", "BPM within 0.02: steady kinds", STEADY, mean("bpm_ok"), 0.98),
    Goal("", "beats within 10 ms: steady electronic kinds", ("club", "drop"), mean("within10"),
         0.96),
    Goal("", "downbeats: steady electronic kinds", ("club", "drop"), mean("downbeats"), 1.0),
    Goal("", "key, weighted", (), mean("key_weighted"), 0.88),
    Goal("", "key, compatible", (), mean("key_near"), 0.98),
    Goal("", "constant tempo said to vary", (*COUNTED, "edit"), mean("variable"), 0.0,
         at_most=True),
    Goal("", "drift said to be constant", ("drift",),
         share(lambda r: not r["variable"], "variable")),
    Goal("", "grid error, median piece, ms: steady kinds", STEADY, median("p95_ms")),
)  # fmt: skip
COST = (
    Goal("J", "CPU-s a minute", (), median("cpu_per_minute"), 0.5, at_most=True),
    Goal("J", "peak memory, MB", (), median("rss_mb"), 250.0, at_most=True),
)
