"""Grids as lists of tempos: their rounding, cuts, and what is read of sparse and odd lists."""

import math
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from interchange_records import KINDS, LENGTH_S, QUICK, assert_beats_agree, grids

from sfa_engine.interchange.fields import Fields, Report
from sfa_engine.interchange.record import GRID_RATE
from sfa_engine.interchange.tempo_list import Tempo, grid_of, steadiest, tempos_of
from sfa_engine.track.grid import Anchor, Grid
from sfa_engine.track.media import check_drifts


def fields():
    return Fields("T", Report())


def at(*points, bpm, bar=4):
    return Grid(tuple(Anchor(at_s * GRID_RATE, float(beat)) for at_s, beat in points), bpm, bar)


rounded = {"places": st.sampled_from([3, 6]), "digits": st.sampled_from([2, 6])}


@QUICK
@given(grid=grids(KINDS[:-1]), **rounded)
def test_who_counts_beats_from_each_tempo_has_them_where_the_grid_has_them(grid, places, digits):
    tempos = tempos_of(grid, LENGTH_S, places=places, digits=digits)
    found, beats = [], []
    for tempo, end_s in zip(tempos, [each.at_s for each in tempos[1:]] + [LENGTH_S], strict=True):
        period_s = 60 / tempo.bpm
        count = math.ceil((end_s - tempo.at_s) / period_s - 0.05)
        found += [tempo.at_s + number * period_s for number in range(count)]
        beats += [(tempo.beat + number) % 4 for number in range(count)]
    frames = round((LENGTH_S + 1) * GRID_RATE)
    wanted = grid.beats(frames, GRID_RATE) / GRID_RATE
    first = grid.first_beat(frames, GRID_RATE)
    if len(wanted) and found[0] < wanted[0] - 0.01:  # a beat at 0 that is rounded up to it
        found, beats = found[1:], beats[1:]
    shared = min(len(wanted), len(found))
    assert shared > 100
    assert np.abs(np.array(found[:shared]) - wanted[:shared]).max() <= 0.002
    assert beats[:shared] == [(first + number) % 4 for number in range(shared)]
    assert tempos[0].at_s >= 0


@QUICK
@given(grid=grids(), **rounded)
def test_a_list_is_the_grid_again(grid, places, digits):
    tempos = tempos_of(grid, LENGTH_S, places=places, digits=digits)
    lost = fields()
    again = grid_of(tempos, lost, rounding_s=10.0**-places, rounding_bpm=0.5 * 10.0**-digits)
    assert_beats_agree(grid, again)
    check_drifts(again, GRID_RATE)
    assert lost.report.losses == []


@pytest.mark.parametrize("bpm", [20.0, 45.678, 60.004, 400.0])
def test_slow_tempos_are_repeated_more_often(bpm):
    grid = at((0.0, 0), bpm=bpm)
    tempos = tempos_of(grid, LENGTH_S, places=3, digits=2)
    assert_beats_agree(grid, grid_of(tempos, fields(), rounding_s=0.001))
    off_s = [
        abs((two.at_s - one.at_s) % (60 / one.bpm) + 0.01) % (60 / one.bpm) - 0.01
        for one, two in pairwise(tempos)
    ]
    assert max(map(abs, off_s), default=0) <= 0.0021


def test_a_tempo_between_two_beats_is_a_tempo_of_its_own():
    grid = at((0.0, 0), (5.25, 10.5), bpm=60.0)  # from 120 to 60 BPM in the middle of a beat
    tempos = tempos_of(grid, 60.0, places=6, digits=6)
    assert [(tempo.at_s, tempo.beat) for tempo in tempos] == [(0.0, 0), (5.0, 2), (5.75, 3)]
    assert tempos[1].bpm == pytest.approx(80.0)
    assert_beats_agree(grid, grid_of(tempos, fields()))


def test_the_first_tempo_is_on_the_first_beat_or_bar():
    grid = at((60.1, 7), bpm=120.0)
    (beat,) = tempos_of(grid, 300.0, places=3, digits=2)
    assert (beat.at_s, beat.beat) == (0.1, 3)
    (bar,) = tempos_of(grid, 300.0, places=3, digits=2, from_bar=True)
    assert (bar.at_s, bar.beat) == (0.6, 0)


def test_a_first_beat_that_is_cut_out_leaves_a_list():
    grid = at((-10.0, 0), (-0.0005, 19.5), (0.0005, 24), bpm=120.0)
    assert tempos_of(grid, 0.2, places=3, digits=2)
    far = at((-10.0, 0), (-0.0005, 19.5), (0.0005, 50), bpm=120.0)
    assert tempos_of(far, 0.2, places=3, digits=2)


def test_sparse_tempos_of_a_drummer_are_bent_and_not_cut():
    tempos = [Tempo(0.0, 120.0, 0), Tempo(30.03, 119.5, 0), Tempo(60.15, 121.0, 0)]
    grid = grid_of(tempos, fields())
    assert [anchor.beat for anchor in grid.anchors] == [0, 60, 120]


def test_a_tempo_that_is_repeated_is_one():
    tempos = [Tempo(round(0.1 + beat * 60 / 128, 3), 128.0, beat % 4) for beat in range(900)]
    grid = grid_of(tempos, fields(), rounding_s=0.001, rounding_bpm=0.005)
    assert grid == at((0.1, 0), bpm=128.0)


def test_a_part_of_a_beat_that_is_cut_out_is_a_seam():
    tempos = [Tempo(0.0, 120.0, 0), Tempo(10.25, 120.0, 0)]
    grid = grid_of(tempos, fields())
    assert [anchor.beat for anchor in grid.anchors] == [0, pytest.approx(20.498), 24]
    assert grid.anchors[2].frame - grid.anchors[1].frame == pytest.approx(48)
    check_drifts(grid, GRID_RATE)


def test_a_bar_that_begins_early_is_a_seam():
    grid = grid_of([Tempo(0.0, 120.0, 0), Tempo(11.0, 120.0, 0)], fields())
    assert [anchor.beat for anchor in grid.anchors] == [0, pytest.approx(21.998), 24]
    check_drifts(grid, GRID_RATE)


def test_invalid_tempos_are_left_out_and_reported():
    lost = fields()
    tempos = [Tempo(0.0, 0.0), Tempo(1.0, 120.0), Tempo(1.01, 120.0), Tempo(9.0, 1500.0)]
    assert grid_of(tempos, lost) == at((1.0, 0), bpm=120.0)
    assert len(lost.report.losses) == 1
    assert grid_of([Tempo(0.0, 1e9)], lost) is None
    assert grid_of([Tempo(1e12, 120.0)], lost) is None


@given(
    st.lists(
        st.builds(Tempo, st.floats(-1e6, 1e6), st.floats(0, 1e6), st.none() | st.integers(0, 31)),
        max_size=6,
    ),
    st.integers(1, 32),
)
def test_any_list_gives_a_grid_that_can_be_stored_or_none(tempos, bar):
    grid = grid_of(tempos, fields(), beats_per_bar=bar)
    if grid is not None:
        check_drifts(grid, GRID_RATE)


@QUICK
@given(grid=grids())
def test_the_steadiest_tempo_is_one_of_the_grid(grid):
    lost = fields()
    tempo = steadiest(grid, LENGTH_S, lost, places=6, digits=6)
    assert tempo.at_s >= 0
    assert 40 < tempo.bpm < 250
    one = at((tempo.at_s, 0), bpm=tempo.bpm)
    if not lost.report.losses:
        assert_beats_agree(grid, one, from_bar=True)
