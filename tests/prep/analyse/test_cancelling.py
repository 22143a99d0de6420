"""Left and right that cancel, surround, and what an analysis keeps in memory."""

from __future__ import annotations

import numpy as np
import pytest
import soundfile

from sfa_engine.demo.groove import GROOVES, render_groove
from sfa_engine.prep.analyse.analysis import analyse_blocks, evaluate
from sfa_engine.prep.analyse.levels import MAX_LEVEL, Levels
from sfa_engine.prep.analyse.measurement import BANDS, measure_track
from sfa_engine.prep.analyse.onset import find_onsets, onset_times
from sfa_engine.prep.analyse.picture import peaks
from sfa_engine.prep.analyse.rows import Rows
from sfa_engine.prep.decode import decode

RATE = 48_000


@pytest.fixture(scope="module")
def left() -> np.ndarray:
    return np.asarray(sum(render_groove(GROOVES[0]).stems.values()), np.float32)[: 16 * RATE, 0]


@pytest.mark.slow
def test_sides_that_cancel_are_analysed_as_either_side(left):
    alike = analyse_blocks([np.stack([left, left], axis=1)])
    unlike = analyse_blocks([np.stack([left, -left], axis=1)])
    assert unlike["bpm"] == alike["bpm"]
    assert unlike["key"] == alike["key"]
    assert unlike["beats"] == alike["beats"]
    assert unlike["features"]["mfcc"] == alike["features"]["mfcc"]


def test_sides_that_begin_to_cancel_are_heard_from_that_second_on(left):
    sound = np.stack([left, left], axis=1)[: 6 * RATE]
    sound[3 * RATE :, 1] *= -1
    both = measure_track([sound]).levels
    one = measure_track([np.repeat(sound[:, :1], 2, axis=1)]).levels
    for name in one:
        off = np.abs(both[name][3250:] - one[name][3250:])
        # the transform of a second begins with what was before, and rings into its last ms
        ends = np.arange(3250, 6000) % 1000 == 999
        assert off[~ends].max() < 1e-3
        assert off[ends].max() < 0.015


def test_wide_stereo_is_analysed_as_the_sum(left):
    rng = np.random.default_rng(1)
    side = 0.5 * np.std(left) * rng.standard_normal(len(left)).astype(np.float32)
    wide = np.stack([left + side, left - side], axis=1)[: 3 * RATE]
    for name, level in measure_track([wide]).levels.items():
        expected = measure_track([np.repeat(left[: 3 * RATE, None], 2, axis=1)]).levels[name]
        np.testing.assert_allclose(level, expected, atol=2e-3)


@pytest.mark.slow
def test_surround_plays_and_is_measured_as_loud_as_its_front_channels(tmp_path, left):
    front = 0.5 * np.stack([left, left], axis=1)[: 8 * RATE]
    surround = np.zeros((len(front), 6), np.float32)
    surround[:, :2] = front
    soundfile.write(tmp_path / "x.wav", surround, RATE, subtype="FLOAT")
    decoded = decode(tmp_path / "x.wav").sound
    np.testing.assert_allclose(decoded, front, atol=1e-6)
    loud = [evaluate(measure_track([sound]), {})["lufs"] for sound in (decoded, front)]
    assert loud[0] == pytest.approx(loud[1], abs=0.01)


def test_levels_are_kept_in_half_precision_and_read_in_single():
    levels = Levels({"low": [0.0, 1e-4, 0.5, 1e6]}, hold_ms={"low": 2})
    assert levels["low"].dtype == np.float32
    np.testing.assert_allclose(levels["low"], [0, 1e-4, 0.5, MAX_LEVEL], rtol=1e-3)


@pytest.mark.parametrize(("minutes", "bytes_each"), [(1, 4), (16, 2)])
def test_the_attacks_of_a_long_track_are_kept_in_half_precision(minutes, bytes_each):
    kick = np.zeros(500)
    kick[:120] = np.exp(-np.arange(120) / 40)
    level = np.tile(kick, 120 * minutes)
    onsets = find_onsets(Levels(dict.fromkeys(BANDS, level)))
    assert onsets.kept_attacks.itemsize == onsets.kept_strength.itemsize == bytes_each
    assert onsets.attacks.dtype == onsets.strength.dtype == np.float32
    assert onsets.seconds == 60 * minutes
    times = onset_times(onsets)[2:-2] % 0.5
    np.testing.assert_allclose(times, np.median(times), atol=1e-3)


def test_rows_that_arrive_a_few_at_a_time_are_the_whole():
    rows = Rows()
    pieces = [np.full((n, 3), n, np.float32) for n in (1, 5000, 2, 20_000)]
    for piece in pieces:
        rows.append(piece)
    np.testing.assert_array_equal(rows.whole((3,), np.float32), np.concatenate(pieces))
    assert Rows().whole((3,), np.float32).shape == (0, 3)


def test_a_picture_has_the_highest_sample_of_each_column(left):
    sound = np.repeat(left[: 2 * RATE, None], 2, axis=1)
    columns = peaks(measure_track([sound]).levels)
    assert columns.shape == (300, 4)
    expected = np.abs(sound).reshape(300, -1).max(axis=1)
    np.testing.assert_allclose(columns[:, 0], expected, rtol=1e-3)
