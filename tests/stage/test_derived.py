"""The tempo fader and the tempo in BPM are other views of the rate."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sfa_engine.desk import DESK
from sfa_engine.desk.deck import RATE_RANGES_PCT
from sfa_engine.desk.scale import NOT_SET
from sfa_engine.errors import Refused
from sfa_engine.stage.derived import bpm, rate_of_bpm, rate_of_fader, tempo_fader

RATE = DESK.deck[1].rate.scale
ranges = st.sampled_from(RATE_RANGES_PCT)
positions = st.floats(-100, 100)


@given(positions, ranges)
def test_a_position_of_the_fader_comes_back_from_its_rate(position, range_pct):
    rate = rate_of_fader(position, range_pct)
    assert RATE.low <= rate <= RATE.high
    if rate > RATE.low:  # slower than a deck can run
        assert math.isclose(tempo_fader(rate, range_pct), position, abs_tol=1e-6)


@given(positions, positions, ranges)
def test_further_up_is_never_slower(one, other, range_pct):
    low, high = sorted([one, other])
    assert rate_of_fader(low, range_pct) <= rate_of_fader(high, range_pct)


@pytest.mark.parametrize("range_pct", RATE_RANGES_PCT)
def test_the_detent_is_the_original_speed_and_the_ends_are_the_range(range_pct):
    assert rate_of_fader(0.0, range_pct) == 1.0
    assert tempo_fader(1.0, range_pct) == 0.0
    assert rate_of_fader(100.0, range_pct) == 1.0 + range_pct / 100.0
    assert tempo_fader(RATE.high, range_pct) == 100.0
    assert tempo_fader(RATE.low, range_pct) >= -100.0


@given(st.floats(40, 250), st.floats(RATE.low, RATE.high))
def test_a_tempo_comes_back_from_its_rate(track_bpm, rate):
    tempo = bpm(rate, track_bpm)
    low, high = RATE.low * track_bpm, RATE.high * track_bpm
    if low <= tempo <= high:
        assert math.isclose(rate_of_bpm(tempo, track_bpm), rate, abs_tol=1e-9)


def test_without_a_grid_there_is_no_tempo_and_none_can_be_set():
    assert bpm(1.0, None) == NOT_SET
    with pytest.raises(Refused, match="no beat grid"):
        rate_of_bpm(120.0, None)


@pytest.mark.parametrize("tempo", [29.9, 481.0, NOT_SET])
def test_a_tempo_that_a_deck_cannot_reach_is_refused_with_the_range(tempo):
    with pytest.raises(Refused, match=r"give one from 30\.00 to 480\.00 BPM"):
        rate_of_bpm(tempo, 120.0)
