"""What is worked out of headers, and addresses that are none."""

from __future__ import annotations

import email.utils
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sfa_engine.backstage.services.errors import ServiceError
from sfa_engine.backstage.services.json_api import parse_retry_after


@pytest.mark.parametrize(
    ("header", "seconds"),
    [("0", 0.0), (" 7 ", 7.0), ("", None), ("soon", None), ("-3", None), ("1.5", None)],
)
def test_retry_after_is_read_as_seconds(header, seconds):
    assert parse_retry_after(header) == seconds


def test_retry_after_is_read_as_a_date():
    assert parse_retry_after(
        email.utils.formatdate(time.time() + 60, usegmt=True)
    ) == pytest.approx(60, abs=2)
    assert parse_retry_after(email.utils.formatdate(0, usegmt=True)) == 0.0


@given(st.text(max_size=60) | st.integers().map(str))
def test_any_retry_after_is_seconds_or_nothing(header):
    seconds = parse_retry_after(header)
    assert seconds is None or seconds >= 0


@pytest.mark.parametrize("place", ["\x00", "?" + "x" * 70_000])
def test_an_address_that_cannot_be_asked_is_told(on_the_road, fake, place):
    with pytest.raises(ServiceError):
        on_the_road(lambda road: road.api(fake.api_url).get(f"{fake.api_url}/{place}"))
