"""The latency that is shown has the device's own in it, as the sound server says it."""

import os
import re
import shutil
import subprocess

import pytest

from sfa_engine.engine.layout import LATENCY

pytestmark = [pytest.mark.realtime, pytest.mark.slow]

RATE = 48_000


def port_latency(environment):
    """Return what the server says of our outputs, in frames: from a block's start to the ear."""
    if shutil.which("jack_lsp") is None:
        pytest.skip("jack_lsp is not installed: apt-get install jackd2")
    shown = subprocess.run(
        ["jack_lsp", "-l", "out_0"],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=True,
    )
    return int(re.search(r"playback latency = \[ (\d+) \d+ \]", shown.stdout)[1])


def test_the_latency_has_the_devices_own_in_it(engine, jack):
    with engine.connect() as client:
        shown = client.call("status")["engine"]
        reading = client.call("get", path="engine.latency")["value"]
    own = shown["device_latency_ms"] * RATE / 1000
    assert shown["latency_ms"] * RATE / 1000 == pytest.approx(shown["block"] + LATENCY + own)
    assert reading == pytest.approx(shown["latency_ms"], abs=0.001)
    assert shown["block"] + own == pytest.approx(port_latency(jack.environment))


def test_a_timer_has_none(silent_engine):
    with silent_engine.connect() as client:
        shown = client.call("status")["engine"]
    assert shown["device_latency_ms"] == 0.0
    assert shown["latency_ms"] == pytest.approx((shown["block"] + LATENCY) / shown["rate"] * 1000)
