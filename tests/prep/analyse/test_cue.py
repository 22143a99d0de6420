"""Cues and loops: on bars, labelled, eight on pads by the stated rule."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from sfa_engine.desk import HOT_CUES_IN_BANK
from sfa_engine.prep.analyse.cue import find_cues
from sfa_engine.prep.analyse.label import LABELS
from sfa_engine.prep.analyse.loop import LENGTHS_BARS, Loop, describe, find_loops
from sfa_engine.prep.analyse.structure import Section
from sfa_engine.prep.hot_cue import Cue

STEMS = ("bass", "drums", "other", "vocals")
BANDS = ("low", "mid", "snare", "high")


def piece(*parts: tuple[str, int]) -> tuple[list[Section], np.ndarray]:
    """Sections of so many bars of two seconds."""
    edges = np.concatenate([[0], np.cumsum([bars for _, bars in parts])])
    bars_s = 0.25 + 2.0 * np.arange(edges[-1] + 1)
    sections = [
        Section(float(bars_s[a]), float(bars_s[b]), label, 0.0)
        for (label, _), (a, b) in zip(parts, pairwise(edges), strict=True)
    ]
    return sections, bars_s


def levels(bars_s: np.ndarray, of_bar) -> dict[str, np.ndarray]:
    """A level that decays from each beat, as loud as `of_bar` says."""
    count = round(bars_s[-1] * 1000)
    ms = np.arange(count)
    bar = np.clip((ms / 1000 - bars_s[0]) // 2, 0, len(bars_s) - 2).astype(int)
    loud = np.array([of_bar(i) for i in range(len(bars_s) - 1)])[bar]
    curve = (loud * np.exp(-((ms / 1000 - bars_s[0]) % 0.5) / 0.1)).astype(np.float32)
    return dict.fromkeys(BANDS, curve)


@given(
    st.lists(st.tuples(st.sampled_from(LABELS), st.integers(1, 5)), max_size=25),
    st.lists(st.integers(0, 6), max_size=6),
)
def test_at_most_eight_cues_are_on_pads_and_all_on_bars(parts, starts):
    sections, bars_s = piece(*[(label, 4 * bars) for label, bars in parts])
    fitting = [Loop(first, 4) for first in starts if first + 4 < len(bars_s)]
    cues = find_cues(sections, bars_s, {"drums": fitting} if sections else {})
    pads = [c.hot_cue for c in cues if c.hot_cue]
    assert pads == list(range(1, min(HOT_CUES_IN_BANK, len({c.time_s for c in cues})) + 1))
    places = [c.time_s for c in cues if c.hot_cue]
    assert len(set(places)) == len(places)
    assert {c.time_s for c in cues} <= set(bars_s.tolist())
    assert all(c.end_s is None or c.end_s in bars_s for c in cues)
    assert [c.time_s for c in cues] == sorted(c.time_s for c in cues)


def test_cues_say_what_begins_there():
    sections, bars_s = piece(
        ("intro", 16), ("verse", 16), ("build", 8), ("drop", 16), ("drop", 16), ("break", 8),
        ("build", 8), ("drop", 16), ("outro", 16),
    )  # fmt: skip
    said = [(c.label, c.kind) for c in find_cues(sections, bars_s, {})]
    assert said == [
        ("first downbeat", "intro"), ("intro end", "intro"), ("build 1", "build"),
        ("drop 1", "drop"), ("break 1", "break"), ("build 2", "build"), ("drop 2", "drop"),
        ("outro", "outro"),
    ]  # fmt: skip


def test_drops_come_on_pads_before_builds_and_long_loops_before_short_ones():
    many = [("intro", 8), *[("build", 8), ("drop", 8)] * 4, ("outro", 8)]
    sections, bars_s = piece(*many)
    cues = find_cues(sections, bars_s, {"bass": [Loop(0, 16), Loop(0, 4)]})
    off = [c.label for c in cues if c.hot_cue is None]
    assert off == ["bass 16 bars", "bass 4 bars", "build 3", "build 4"]
    sections, bars_s = piece(("intro", 64), ("outro", 8))
    loops = {stem: [Loop(4 + 4 * n, 16), Loop(32 + 4 * n, 4)] for n, stem in enumerate(STEMS)}
    on = [c for c in find_cues(sections, bars_s, loops) if c.hot_cue and c.kind == "loop"]
    assert sum(c.label.endswith("16 bars") for c in on) == 4
    assert len(on) == 6


def test_no_two_pads_are_at_the_same_place():
    sections, bars_s = piece(("intro", 8), ("drop", 32), ("outro", 8))
    loops = {stem: [Loop(8, 16), Loop(12, 8), Loop(12, 4)] for stem in STEMS}
    on = [(c.time_s, c.label) for c in find_cues(sections, bars_s, loops) if c.hot_cue]
    assert on == [
        (0.25, "first downbeat"), (16.25, "drop 1"), (24.25, "bass 8 bars"), (80.25, "outro"),
    ]  # fmt: skip


def test_a_loop_knows_its_stem_and_its_end():
    sections, bars_s = piece(("intro", 8), ("outro", 8))
    cues = find_cues(sections, bars_s, {"drums": [Loop(4, 4)]})
    assert Cue(8.25, "loop", "drums 4 bars", 16.25, "drums", 2) in cues


def test_an_even_stem_loops_at_every_length():
    sections, bars_s = piece(("intro", 24), ("outro", 8))
    found = find_loops(describe(levels(bars_s, lambda _: 0.3), bars_s), sections, bars_s)
    assert [loop.bars for loop in found] == list(LENGTHS_BARS)


def test_a_silent_stem_has_no_loops():
    sections, bars_s = piece(("intro", 24), ("outro", 8))
    assert find_loops(describe(levels(bars_s, lambda _: 1e-5), bars_s), sections, bars_s) == []


def test_a_loop_lies_where_the_stem_plays():
    sections, bars_s = piece(("intro", 16), ("drop", 16), ("outro", 8))
    played = levels(bars_s, lambda bar: 0.3 if 16 <= bar < 32 else 0.0)
    found = find_loops(describe(played, bars_s), sections, bars_s)
    assert [(loop.first, loop.bars) for loop in found] == [(16, 8), (16, 4)]


def test_what_grows_louder_by_the_bar_does_not_loop():
    sections, bars_s = piece(("build", 24), ("outro", 8))
    growing = levels(bars_s, lambda bar: 0.01 * 1.2**bar)
    assert find_loops(describe(growing, bars_s), sections, bars_s) == []
