"""Times as a person reads and writes them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sfa_engine.errors import Refused
from sfa_engine.system.timecode import clock, seconds_of


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.0, "0:00.0"), (61.5, "1:01.5"), (59.96, "1:00.0"), (-0.01, "0:00.0"), (-61.0, "-1:01.0")],
)
def test_a_time_is_minutes_and_seconds(seconds, text):
    assert clock(seconds) == text


def test_a_time_may_have_thousandths():
    assert clock(0.25, 3) == "0:00.250"
    assert clock(64.4, 0) == "1:04"
    assert clock(59.6, 0) == "1:00"


@given(st.integers(0, 360_000_000))
def test_what_is_shown_can_be_typed(milliseconds):
    seconds = milliseconds / 1000
    assert seconds_of(clock(seconds, 3)) == pytest.approx(seconds, abs=1e-6)


@pytest.mark.parametrize(
    ("text", "seconds"), [("12", 12.0), ("75.25", 75.25), ("1:01.5", 61.5), ("1:00:01", 3601.0)]
)
def test_a_place_is_typed_in_seconds_or_as_it_is_shown(text, seconds):
    assert seconds_of(text) == seconds


@pytest.mark.parametrize("text", ["", "x", "1:75", "1:60:00", "1:", "nan", "-1", "1e3", "1:1:1:1"])
def test_what_is_no_place_is_refused(text):
    with pytest.raises(Refused, match="invalid time") as caught:
        seconds_of(text)
    assert "1:01.5" in caught.value.hint
