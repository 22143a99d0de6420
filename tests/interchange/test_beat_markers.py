"""Grids as markers on whole beats, and back."""

from itertools import pairwise

import numpy as np
import pytest
from drawn_marks import whole_grids
from hypothesis import given
from hypothesis import strategies as st

from sfa_engine.errors import MediaError
from sfa_engine.interchange.beat_markers import grid_of, markers_of, thinned
from sfa_engine.interchange.record import GRID_RATE
from sfa_engine.track.grid import Anchor, Grid


def back(grid):
    found, exact = markers_of(grid)
    numbers, number = [], 0
    for marker in found:
        numbers.append(number)
        number += marker.beats
    made = grid_of([marker.position_s for marker in found], numbers, grid.bpm)
    return made, found[0].beat, exact


@given(whole_grids())
def test_a_grid_of_whole_beats_comes_back_in_every_beat(grid):
    made, first, exact = back(grid)
    beats = np.arange(max(first, 0), 700)
    apart = made.frame_of(beats - first, GRID_RATE) - grid.frame_of(beats, GRID_RATE)
    assert exact
    assert np.abs(apart).max() < 1e-3


@given(st.floats(60, 200), st.floats(-100, 100))
def test_the_first_marker_is_the_first_downbeat_of_the_track(bpm, begin_s):
    grid = Grid((Anchor(begin_s * GRID_RATE, 8.0),), bpm)
    found, _ = markers_of(grid)
    assert len(found) == 1
    assert found[0].beat % 4 == 0
    assert -0.01 * 60 / bpm <= found[0].position_s + 1e-6 < 4.01 * 60 / bpm


def test_an_anchor_between_beats_moves_only_that_beat():
    grid = Grid((Anchor(0.0, 0.0), Anchor(48_000.0 * 5.25, 10.5)), 100.0)
    made, _, exact = back(grid)
    beats = np.arange(40)
    assert not exact
    assert np.abs(made.frame_of(beats, GRID_RATE) - grid.frame_of(beats, GRID_RATE)).max() < 1e-3


@pytest.mark.parametrize(("before", "after"), [(15.5, 16.0), (16.0, 20.0), (15.25, 18.75)])
def test_beats_that_a_seam_jumps_over_are_not_counted(before, after):
    at = before * 24_000
    grid = Grid((Anchor(0.0, 0.0), Anchor(at, before), Anchor(at + 48, after)), 120.0)
    found, exact = markers_of(grid)
    assert not exact
    spacings = [(other.position_s - one.position_s) / one.beats for one, other in pairwise(found)]
    assert all(0.2 < spacing < 0.8 for spacing in spacings)  # at 120 BPM, one of them short


@given(st.lists(st.floats(-0.0004, 0.0004), min_size=3, max_size=300))
def test_thinned_beats_draw_all_others_within_the_tolerance(noise):
    places = [0.5 * index + error for index, error in enumerate(noise)]
    kept = thinned(places, 0.0005)
    drawn = np.interp(np.arange(len(places)), kept, [places[index] for index in kept])
    assert np.abs(drawn - places).max() <= 0.0005 + 1e-9
    assert kept[0] == 0
    assert kept[-1] == len(places) - 1


def test_a_thousand_beats_of_one_tempo_are_two():
    assert thinned([0.47 * index for index in range(1000)], 0.0005) == [0, 999]


@pytest.mark.parametrize(
    ("places", "beats", "bpm"),
    [
        ([0.0, 0.0], [0, 4], 120.0),
        ([0.0, 1.0], [0, 0], 120.0),
        ([0.0, 1.0], [0, 4], 0.0),
        ([0.0, 1.0], [0, 400], 120.0),
        ([float("nan")], [0], 120.0),
        ([], [], 120.0),
    ],
)
def test_what_is_no_grid_is_refused(places, beats, bpm):
    with pytest.raises(MediaError):
        grid_of(places, beats, bpm)
