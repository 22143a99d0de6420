"""Corrections of a grid while its track plays: moved, another tempo from here, tapped."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sfa_engine.errors import MediaError
from sfa_engine.track.correction import halved, moved, tapped, with_downbeat, with_tempo_from
from sfa_engine.track.grid import Anchor, Grid
from sfa_engine.track.media import check_drifts

RATE = 48_000
STEADY = Grid((Anchor(12_000.0, 0.0),), 120.0)  # a beat is 24,000 frames
MOVING = Grid((Anchor(12_000.0, 0.0), Anchor(204_000.0, 8.0), Anchor(348_000.0, 14.0)), 90.0, 3)
GRIDS = (STEADY, MOVING)


@pytest.mark.parametrize("grid", GRIDS)
def test_a_moved_grid_has_the_same_beats_later(grid):
    beats = np.arange(-4.0, 40.0)
    found = moved(grid, 480.0).frame_of(beats, RATE)
    np.testing.assert_allclose(found, grid.frame_of(beats, RATE) + 480.0)


@pytest.mark.parametrize("grid", GRIDS)
@given(time_s=st.floats(0.0, 20.0), bpm=st.floats(60.0, 200.0))
def test_another_tempo_from_here_leaves_what_is_before(grid, time_s, bpm):
    new = with_tempo_from(grid, time_s, bpm, RATE)
    check_drifts(new, RATE)
    beat = round(float(grid.beat_of(time_s * RATE, RATE)))
    before = np.arange(beat - 40.0, beat + 1.0)
    np.testing.assert_allclose(
        new.frame_of(before, RATE), grid.frame_of(before, RATE), atol=1e-3, rtol=0
    )
    after = new.frame_of([beat, beat + 1.0, beat + 100.0], RATE)
    np.testing.assert_allclose(after - after[0], np.array([0, 1, 100]) * 60 * RATE / bpm)


@pytest.mark.parametrize("grid", GRIDS)
def test_without_a_tempo_it_only_ends_the_part_before(grid):
    new = with_tempo_from(grid, 8.0, None, RATE)
    beats = np.arange(-4.0, 40.0)
    np.testing.assert_allclose(new.frame_of(beats, RATE), grid.frame_of(beats, RATE), atol=1e-3)
    assert len(new.anchors) >= 2


def test_from_before_the_first_anchor_on_the_old_tempo_holds_before():
    new = with_tempo_from(STEADY, 0.0, 60.0, RATE)
    assert new.frame_of([-2.0, -1.0, 0.0, 1.0], RATE).tolist() == [-36_000, -12_000, 12_000, 60_000]


def test_a_tempo_that_no_grid_has_is_refused():
    with pytest.raises(MediaError):
        with_tempo_from(STEADY, 4.0, 1000.0, RATE)


@pytest.mark.parametrize("jitter_s", [0.0, 0.02])
def test_taps_give_tempo_and_beats_and_a_hand_averages_out(jitter_s):
    jitter = np.random.default_rng(3).normal(0.0, jitter_s, 16)
    places = (3.0 + np.arange(16) * 60 / 126.0 + jitter) * RATE
    grid = tapped(None, places, RATE)
    # 20 ms of jitter over 16 taps: a standard error of 0.27 BPM
    assert grid.bpm == pytest.approx(126.0, abs=1e-6 if not jitter_s else 0.6)
    assert float(grid.frame_of(0.0, RATE)) / RATE == pytest.approx(3.0, abs=1e-6 + jitter_s)


def test_a_tap_that_was_left_out_is_no_fault():
    places = [k * 24_000.0 for k in (0, 1, 2, 4, 5, 7)]
    assert tapped(None, places, RATE).bpm == pytest.approx(120.0)


def test_taps_keep_the_bars_of_the_grid_until_now():
    nearby = Grid((Anchor(12_000.0, 0.0),), 119.0, 3)
    places = [12_000.0 + 24_000.0 * k + 900.0 for k in range(6, 12)]
    grid = tapped(nearby, places, RATE)
    assert grid.bpm == pytest.approx(120.0)
    assert grid.beats_per_bar == 3
    assert float(grid.beat_of(places[-1], RATE)) == pytest.approx(11.0)


@pytest.mark.parametrize("places", [[0.0, 1.0, 2.0, 3.0], [0.0, 4e6, 8e6, 1.2e7]])
def test_taps_that_are_no_tempo_are_refused(places):
    with pytest.raises(MediaError):
        tapped(None, places, RATE)


def test_a_downbeat_moves_numbers_and_no_beat():
    new = with_downbeat(STEADY, (12_000 + 24_000 * 6) / RATE, RATE)
    assert float(new.beat_of(12_000 + 24_000 * 6, RATE)) % 4 == 0
    assert float(new.beat_of(12_000, RATE)) % 1 == 0


def test_what_is_halved_is_half_as_fast():
    assert halved(STEADY).bpm == 60.0
