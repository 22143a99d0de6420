"""The part of OSC in `sfa bench surfaces`: it measures, and nothing is lost."""

import pytest

from sfa_engine.bench.osc_parts import bench_osc
from sfa_engine.host import build


@pytest.mark.nightly
def test_fifteen_thousand_messages_a_second_lose_no_press_and_leave_every_fader_right():
    build.ensure()
    found = {each["name"]: each["value"] for each in bench_osc(5.0, "none")}
    assert found["osc_15k_rate"] > 14_000
    assert found["osc_15k_buttons_lost"] == 0
    assert found["osc_15k_faders_wrong"] == 0
