"""The course of a tempo that bends, where some bars have no drums."""

import numpy as np
import pytest

from sfa_engine.bench.analysis.score import grid_errors
from sfa_engine.bench.pieces import make_piece
from sfa_engine.bench.pieces.edit import resampled
from sfa_engine.prep.analyse import beat
from sfa_engine.prep.analyse.analysis import analyse_blocks
from sfa_engine.prep.analyse.course import course
from sfa_engine.track.key import parse_key

USUAL = np.array([50.0, 10.0, 8.0, 12.0, 15.0, 1.0])  # of the six features bars are compared by
PADS = np.array([0.0, 1.0, 1.0, 0.0, 18.0, 1.0])  # no drums
RATE = 48_000


def measured(true_s, soft, late_s=0.0, seed=1):
    """Return what bars with a course say of it, some of which have only pads and seem late."""
    rng = np.random.default_rng(seed)
    count = len(true_s)
    fits = np.where(soft[:, None], PADS, USUAL) * rng.uniform(0.9, 1.1, (count, 1))
    shifts = true_s + 0.0008 * rng.standard_normal(count) + late_s * soft
    return course(shifts, fits.sum(axis=1) / USUAL.sum(), fits, USUAL)


def off_ms(found, true):
    error = 1000 * (found - true)
    return np.abs(error - np.median(error)).max()


def part(count, first, last):
    return (np.arange(count) >= first) & (np.arange(count) < last)


@pytest.mark.parametrize("late_s", [0.0, 0.008, 0.018])
def test_bars_without_drums_that_seem_late_do_not_bend_the_course(late_s):
    bars = np.arange(44.0)
    true = 0.03 * np.sin(bars / 7)
    found, _ = measured(true, part(44, 24, 28), late_s)
    assert off_ms(found, true) < 4


def test_a_step_of_the_tempo_stays_a_step():
    bars = np.arange(44.0)
    true = np.where(bars < 20, 0.0, 0.009 * (bars - 20))
    found, unsure = measured(true, part(44, 30, 34), 0.010)
    assert off_ms(found, true) < 3
    assert 1000 * unsure.max() < 5


def test_a_course_is_less_sure_where_drums_are_silent_for_long():
    bars = np.arange(60.0)
    true = 0.03 * np.sin(bars / 3)
    short, long = (measured(true, part(60, 24, end), 0.012)[1] for end in (26, 40))
    assert long[24:40].max() > 1.5 * short[24:26].max()
    assert 1000 * long[:20].max() < 2


def test_a_long_track_is_solved_in_parts_that_meet():
    bars = np.arange(400.0)
    true = 0.05 * np.sin(bars / 20) + 0.001 * bars
    found, _ = measured(true, part(400, 130, 140), 0.010)
    assert off_ms(found, true) < 4
    assert np.abs(np.diff(found - true)).max() < 0.003


def analysed(kind, seed):
    piece = resampled(make_piece(kind, seed), RATE)
    return analyse_blocks([piece.sound]), piece.truth


@pytest.mark.slow
@pytest.mark.parametrize(
    ("kind", "seed"),
    [
        ("small_step", 8805),
        ("slow_walk", 9552),
        pytest.param("tape_wow", 8803, marks=pytest.mark.nightly),
    ],
)
def test_a_drifting_piece_is_followed_through_breaks_and_builds(kind, seed):
    told, truth = analysed(kind, seed)
    errors = grid_errors(np.array(truth.beats), np.array(told["beats"]))
    assert np.percentile(np.abs(errors), 95) < 5
    assert told["variable"]
    assert told["edits_s"] == []


@pytest.mark.slow
def test_a_course_that_is_not_sure_leaves_the_phase_in_doubt(monkeypatch):
    monkeypatch.setattr(beat, "_MOST_UNSURE_S", 0.0005)
    told, _ = analysed("small_step", 8805)
    assert told["confidences"]["phase"] <= 0.65
    assert told["confidence"] < 0.5
    assert told["confidences"]["bar"] > 0.5


@pytest.mark.slow
@pytest.mark.parametrize("seed", [8903, pytest.param(8907, marks=pytest.mark.nightly)])
def test_distorted_kicks_do_not_hide_the_key(seed):
    told, truth = analysed("gabber", seed)
    assert told["key"] == parse_key(truth.key)
