"""Tracks are cut at their beats or onsets, in order, and never beyond their ends."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from sfa_engine.track.slices import Slice, by_beats, by_onsets

BEATS = np.arange(0.0, 480_001.0, 24_000.0)  # 120 BPM at 48 kHz, ten seconds


def test_slices_by_beats_begin_at_the_beat_where_the_deck_is():
    assert by_beats(BEATS, 30_000.0, 1.0, 3, 480_000) == [
        Slice(24_000, 24_000),
        Slice(48_000, 24_000),
        Slice(72_000, 24_000),
    ]
    assert by_beats(BEATS, 47_999.9, 1.0, 1, 480_000) == [Slice(48_000, 24_000)]
    assert by_beats(BEATS, 0.0, 0.25, 2, 480_000) == [Slice(0, 6000), Slice(6000, 6000)]


def test_slices_end_with_the_grid():
    assert len(by_beats(BEATS, 432_000.0, 1.0, 16, 480_000)) == 2
    assert by_beats(BEATS[:1], 0.0, 1.0, 4, 480_000) == []


def test_slices_by_onsets_go_from_one_to_the_next_and_the_last_to_the_end():
    onsets = np.array([100, 1000, 1200, 9000, 20_000])
    assert by_onsets(onsets, 500.0, 8, 30_000, 48_000.0) == [
        Slice(1000, 8000),  # 1200 is a flam
        Slice(9000, 11_000),
        Slice(20_000, 10_000),
    ]
    assert by_onsets(onsets, 500.0, 1, 30_000, 48_000.0) == [Slice(1000, 8000)]
    assert by_onsets(onsets, 25_000.0, 4, 30_000, 48_000.0) == []


@given(
    st.lists(st.integers(0, 480_000), max_size=50),
    st.floats(0, 600_000),
    st.integers(1, 64),
)
def test_slices_are_in_order_within_the_track_and_none_is_empty(onsets, start, count):
    rising = np.sort(np.array(onsets, np.int64))
    for found in (
        by_onsets(rising, start, count, 480_000, 48_000.0),
        by_beats(BEATS, start, 1.0, count, 480_000),
    ):
        assert len(found) <= count
        ends = [each.start + each.frames for each in found]
        assert all(each.frames > 0 for each in found)
        assert ends == sorted(ends)
        assert all(end <= 480_000 for end in ends)
