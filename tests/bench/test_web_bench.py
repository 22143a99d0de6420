"""`sfa bench web`, small: each part measures what it says."""

from importlib.util import find_spec

import pytest

from sfa_engine.bench import web
from sfa_engine.errors import Refused
from sfa_engine.host import build

pytestmark = pytest.mark.slow


def values(part):
    build.ensure()
    found = web.run_bench(seconds=2.0, only=(part,), device="none", quiet=True, presses=20)
    return {each["name"]: each for each in found}


@pytest.mark.nightly
def test_a_read_costs_cpu_time():
    found = values("status")["get_status_cpu_us"]
    assert found["n"] > 20
    assert 0 < found["value"] < 50_000


@pytest.mark.nightly
def test_ten_clients_are_sent_values():
    found = values("clients")
    assert 10 < found["web_pss_mb"]["value"] < 200
    assert found["ten_clients_60hz_cpu_pct"]["value"] >= 0
    assert 1 < found["ten_clients_values_hz"]["value"] < 32


@pytest.mark.nightly
def test_blocks_are_counted_beside_a_crowd():
    found = values("crowd")
    assert found["own_late_blocks"]["n"] > 100
    assert found["own_late_blocks"]["baseline"] is not None
    assert found["device_misses"]["baseline"] is not None
    if find_spec("pyo") is not None:
        assert found["user_effect_late_blocks"]["n"] > 100
    assert found["crowd_messages"]["value"] > 50
    assert found["crowd_rubbish"]["value"] > 20


def test_a_message_of_the_channel_reaches_the_sound():
    found = values("page")
    assert found["page_to_sound_p99_ms"]["n"] == 20
    assert found["page_to_sound_p99_ms"]["value"] >= found["page_to_sound_p50_ms"]["value"]
    assert found["page_round_trip_p50_ms"]["value"] > 0


def test_an_unknown_part_is_named():
    with pytest.raises(Refused, match='no part "statis"') as refused:
        values("statis")
    assert refused.value.hint == 'did you mean "status"?'
