"""Builds end where what rises bar by bar stops; a step is no build."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sfa_engine.prep.analyse.rise import rises_of

BANDS = ("low", "mid", "snare", "high")
BARS, BEGIN, END = 40, 16, 24


def flat(level_db: float) -> dict[str, np.ndarray]:
    return {name: np.full(BARS, level_db) for name in BANDS}


def place(floors, means, level=None) -> list[int]:
    found = rises_of(floors, means, np.full(BARS, -6.0) if level is None else level)
    around = np.flatnonzero(found.ends > 0.25)
    best = np.flatnonzero(found.ends == found.ends.max())
    assert np.all(np.abs(around - best[:1]) <= 1)  # the bars beside it are left to the phrases
    return best.tolist() if len(around) else []


def test_noise_that_fills_the_gaps_and_is_gone_ends_a_build():
    floors = flat(-50.0)
    floors["high"][BEGIN:END] = np.linspace(-48, -14, END - BEGIN)
    assert place(floors, flat(-12.0)) == [END]


def test_a_bass_that_is_thinned_out_and_returns_ends_a_build():
    means = flat(-12.0)
    means["low"][BEGIN:END] = np.linspace(-14, -40, END - BEGIN)
    assert place(flat(-50.0), means) == [END]


def test_a_filter_that_opens_with_a_step_on_top_ends_a_build():
    means, level = flat(-12.0), np.full(BARS, -6.0)
    means["high"][BEGIN:END] = np.linspace(-45, -24, END - BEGIN)
    level[BEGIN:END] = -9.0
    assert place(flat(-50.0), means, level) == [END]


def test_a_bar_of_pause_before_the_drop_belongs_to_the_build():
    floors, means, level = flat(-50.0), flat(-12.0), np.full(BARS, -6.0)
    floors["high"][BEGIN : END - 1] = np.linspace(-48, -14, END - BEGIN - 1)
    level[END - 1] = -30.0
    for curve in means.values():
        curve[END - 1] = -40.0
    assert place(floors, means, level) == [END]


@pytest.mark.parametrize("higher_db", [3.0, 10.0, 30.0])
def test_a_step_up_or_a_part_that_is_louder_is_no_build(higher_db):
    floors, means, level = flat(-50.0), flat(-20.0), np.full(BARS, -12.0)
    for curve in (*floors.values(), *means.values(), level):
        curve[BEGIN:END] += higher_db
    assert place(floors, means, level) == []


def test_what_rises_without_an_end_is_no_build():
    floors = flat(-50.0)
    floors["high"] = np.linspace(-50, -10, BARS)
    assert place(floors, flat(-12.0)) == []


@given(bars=st.integers(0, 60), seed=st.integers(0, 2**32 - 1))
def test_any_levels_have_ends_from_0_to_1(bars, seed):
    rng = np.random.default_rng(seed)
    floors, means = ({name: rng.uniform(-60, 0, bars) for name in BANDS} for _ in range(2))
    found = rises_of(floors, means, rng.uniform(-60, 0, bars))
    assert len(found.ends) == len(found.bars) == bars + 1
    assert np.all((found.ends >= 0) & (found.ends <= 1))
