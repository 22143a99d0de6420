"""Scales: text and back, travel and back, and what is refused."""

from __future__ import annotations

import math
import re

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from sfa_engine.desk import CONTROLS, Scale
from sfa_engine.desk.scale import (
    NOT_SET,
    OFF,
    beats,
    count,
    decibels,
    percent,
    ratio,
    seconds,
    threshold,
)
from sfa_engine.errors import Refused

# Every scale that a control really has.
SCALES = sorted({control.scale for control in CONTROLS.values()}, key=repr)
VOLUME = decibels(OFF, +6)

scales = st.sampled_from(SCALES)
travels = st.floats(0, 1)


@st.composite
def scales_and_values(draw: st.DrawFn) -> tuple[Scale, float]:
    scale = draw(scales)
    ends = st.sampled_from([scale.low, scale.high, scale.rest])
    value = float(draw(ends | st.floats(scale.low, scale.high)))
    return scale, float(round(value)) if scale.whole else value


@given(scales_and_values())
def test_text_is_read_back_within_its_digits(pair):
    scale, value = pair
    half_digit = 0.5 * 10.0**-scale.decimals
    slack = 1e-9 * max(1.0, abs(value))
    assert abs(scale.parse(scale.text(value)) - value) <= (0 if scale.whole else half_digit + slack)


@given(scales_and_values())
def test_text_of_what_was_read_is_the_same_text(pair):
    scale, value = pair
    text = scale.text(value)
    assert scale.text(scale.parse(text)) == text


@given(scales_and_values())
def test_what_is_read_may_be_set(pair):
    scale, value = pair
    read = scale.parse(scale.text(value))
    assert scale.low <= read <= scale.high or (scale.optional and read == NOT_SET)


@given(scales_and_values())
def test_a_value_comes_back_from_its_travel(pair):
    scale, value = pair
    assume(value != NOT_SET)  # which has no place on a fader
    travel = scale.travel(value)
    assert 0 <= travel <= 1
    assert math.isclose(
        scale.value(travel), value, rel_tol=1e-9, abs_tol=1e-9 * (scale.high - scale.low)
    )


@given(scales, travels)
def test_a_travel_comes_back_from_its_value(scale, travel):
    if not scale.whole:
        assert math.isclose(scale.travel(scale.value(travel)), travel, abs_tol=1e-9)


@given(scales, travels, travels)
def test_further_travel_is_never_a_lower_value(scale, one, other):
    low, high = sorted([one, other])
    assert scale.value(low) <= scale.value(high)


@given(scales, st.floats(allow_nan=False))
def test_travel_beyond_its_ends_is_an_end(scale, travel):
    assert scale.low <= scale.value(travel) <= scale.high


@given(scales_and_values())
def test_a_value_in_range_may_be_set_and_stays_what_it_is(pair):
    scale, value = pair
    assert scale.check(value) == value


@given(scales, st.floats() | st.integers(-(10**400), 10**400))
def test_what_may_be_set_is_what_is_finite_in_range_and_whole_where_it_must_be(scale, value):
    may = (isinstance(value, int) or math.isfinite(value)) and scale.low <= value <= scale.high
    may = may and not (scale.whole and value != int(value))
    if may:
        assert scale.check(value) == value
    else:
        with pytest.raises(Refused, match=re.escape(scale.range_text())):
            scale.check(value)


@given(scales, st.text())
def test_a_text_is_read_or_refused_and_nothing_else(scale, text):
    try:
        value = scale.parse(text)
    except Refused:
        return
    assert scale.low <= value <= scale.high


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (math.nan, "nan is not a finite number"),
        (math.inf, "inf is not a finite number"),
        (-math.inf, "-inf is not a finite number"),
        (True, "True is not a number"),
        (None, "None is not a number"),
        ([1], "[1] is not a number"),
        (6.01, "6.01 is out of range"),
        (-70, "-70 is out of range"),
    ],
)
def test_a_refusal_names_the_value_as_it_came_and_the_range(value, words):
    with pytest.raises(Refused) as caught:
        VOLUME.check(value)
    assert caught.value.message == words
    assert caught.value.hint == "give one from -60.0 dB (off) to 6.0 dB"


def test_a_long_value_is_not_said_back_whole():
    for refuse in (VOLUME.parse, VOLUME.check):
        with pytest.raises(Refused) as caught:
            refuse("x" * 1_000_000)
        assert len(str(caught.value)) < 200


def test_a_part_of_a_whole_is_refused():
    with pytest.raises(Refused, match=r"2\.5 is not a whole number"):
        count(0, 8).check(2.5)


@pytest.mark.parametrize("text", ["-6", "-6 dB", "-6.0dB", " -6 DB "])
def test_the_unit_may_be_left_out(text):
    assert VOLUME.parse(text) == -6.0


@pytest.mark.parametrize("text", ["off", "OFF", "-inf", "-60", "-60.0 dB"])
def test_the_bottom_of_a_level_is_off(text):
    assert VOLUME.parse(text) == OFF
    assert VOLUME.engine(VOLUME.parse(text)) == 0.0


def test_the_bottom_of_a_threshold_is_a_level():
    ceiling = threshold(-12, 0, -1)
    assert ceiling.text(-12) == "-12.0 dB"
    assert ceiling.engine(-12) == -12


def test_a_level_works_as_a_factor():
    assert VOLUME.engine(0.0) == 1.0
    assert math.isclose(VOLUME.engine(-6.0), 0.501187, rel_tol=1e-6)


def test_an_end_is_read_back_even_where_its_digits_do_not_reach():
    length = beats(1 / 32, 64, 4)
    assert length.text(1 / 32) == "0.0312 beats"
    assert length.parse("0.0312 beats") == 1 / 32


def test_nothing_is_written_with_a_minus():
    assert percent(-100, 100).text(-0.01) == "0.0 %"


def test_the_upper_half_of_a_level_fader_is_the_top_fifth_of_its_range():
    assert math.isclose(VOLUME.value(0.5), OFF + 0.8 * (VOLUME.high - OFF), abs_tol=0.5)


def test_the_middle_of_a_ratio_is_one():
    assert math.isclose(ratio(0.25, 4.0).value(0.5), 1.0)


@pytest.mark.parametrize(
    "make",
    [
        lambda: seconds(1, 1),
        lambda: seconds(2, 1),
        lambda: seconds(0, 1, rest=2),
        lambda: seconds(0, math.nan),
        lambda: beats(0, 1, 0),
    ],
)
def test_a_scale_that_makes_no_sense_cannot_be_declared(make):
    with pytest.raises(ValueError, match=r"scale|start"):
        make()
