"""The engine in an Ableton Link session, with Link's own library beside it."""

import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

from sfa_engine.errors import Refused
from sfa_engine.surfaces.link.frame_time import FrameTime, link_ahead_ns
from sfa_engine.surfaces.link.surface import open_link

RATE = 48_000
TESTS = Path(__file__).parents[1]
NETWORK = 'ip link set lo up multicast on && ip route add 224.0.0.0/4 dev lo && exec "$@"'


def in_a_network_of_its_own(*words):
    """Return a command in a network namespace, so that no other Link session is there."""
    if shutil.which("unshare") is None or shutil.which("ip") is None:
        pytest.skip("unshare or ip is not installed: apt-get install util-linux iproute2")
    command = ["unshare", "-n", "sh", "-c", NETWORK, "sh"]
    if subprocess.run([*command, "true"], capture_output=True, check=False).returncode:
        pytest.skip("a network namespace needs root")
    return [*command, *words]


# ------------------------------------------------------------------ frames and times


def test_a_frame_is_audible_at_the_start_of_its_block_plus_the_latency():
    times = FrameTime(RATE, 0.003)
    times.add(RATE, 5_000_000_000)
    assert times.micros(RATE, 0) == 5_003_000
    assert times.micros(2 * RATE, 0) == 6_003_000
    assert times.micros(RATE, 1_000_000) == 5_004_000


def test_blocks_that_begin_late_do_not_move_the_line():
    times = FrameTime(RATE, 0.0)
    for block in range(50):
        late_ns = 700_000 if block % 5 else 0
        times.add(128 * block, 10**9 + round(128 * block * 1e9 / RATE) + late_ns)
    assert times.micros(0, 0) == 10**6


def test_a_new_host_whose_frames_begin_again_has_a_new_line():
    times = FrameTime(RATE, 0.0)
    times.add(10 * RATE, 10**9)
    times.add(0, 30 * 10**9)
    assert times.micros(0, 0) == 30_000_000


def test_links_clock_is_the_raw_monotonic_one():
    link = pytest.importorskip("link")
    micros = link.Link(120.0).clock().micros()
    here = (time.monotonic_ns() + link_ahead_ns()) / 1e3
    assert abs(here - micros) < 100_000


# ------------------------------------------------------------------ sessions

ALONE = """
import sys, time
import link
from sfa_engine.wire.blocking import SocketClient

def until(condition):
    end = time.monotonic() + 30.0
    while not condition():
        assert time.monotonic() < end, condition
        time.sleep(0.02)

peer = link.Link(100.0)
peer.startStopSyncEnabled = True
peer.enabled = True
try:
    with SocketClient(sys.argv[1], timeout_s=30.0) as client:
        def get(path):
            return client.call("get", path=path)["value"]
        def put(path, value):
            return client.call("set", path=path, value=value)
        put("clock.tempo", 126.5)
        put("clock.link", True)
        until(lambda: peer.numPeers() == 1)
        until(lambda: abs(peer.captureSessionState().tempo() - 126.5) < 0.01)
        put("clock.tempo", 121.0)
        until(lambda: abs(peer.captureSessionState().tempo() - 121.0) < 0.01)
        until(lambda: get("clock.link_peers") == 1)

        put("clock.source", "link")
        until(lambda: get("clock.locked") == 1)
        state = peer.captureSessionState()
        state.setTempo(131.0, peer.clock().micros())
        state.setIsPlaying(True, peer.clock().micros())
        peer.commitSessionState(state)
        until(lambda: abs(get("clock.tempo") - 131.0) < 0.01)
        until(lambda: get("clock.running") == 1)
        told = client.call("clock")
        assert told["followed"] == "link", told

        put("clock.link", False)
        until(lambda: peer.numPeers() == 0)
        until(lambda: get("clock.locked") == 0)
        assert abs(get("clock.tempo") - 131.0) < 0.01
finally:
    peer.enabled = False
print("well")
"""

ENGINE = """
import subprocess, sys
from engine_process import show
with show({}, "none") as engine:
    socket = str(engine.runtime / "engine.sock")
    words = [sys.executable, "-c", sys.argv[1], socket]
    done = subprocess.run(words, capture_output=True, text=True)
    print(done.stdout, done.stderr, engine.log("stage"))
"""


@pytest.mark.slow
@pytest.mark.timeout(180)
def test_the_engine_leads_a_session_follows_it_and_leaves_it():
    pytest.importorskip("link")
    command = in_a_network_of_its_own(sys.executable, "-c", ENGINE, ALONE)
    # Programs that tests start import nothing from where they are.
    environment = {**os.environ, "PYTHONPATH": str(TESTS)}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.stdout.startswith("well"), done.stdout + done.stderr


@pytest.mark.nightly
@pytest.mark.timeout(300)
def test_two_engines_and_link_itself_are_within_a_millisecond():
    pytest.importorskip("link")
    command = in_a_network_of_its_own(sys.executable, "-m", "sfa_engine.bench.clock_parts")
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    name, value = done.stdout.split()
    assert name == "link_phase_ms"
    assert float(value) <= 1.0, done.stderr


# ------------------------------------------------------------------ without Link


def test_without_its_package_link_cannot_be_switched_on(monkeypatch):
    monkeypatch.setitem(sys.modules, "link", None)
    with pytest.raises(Refused, match="not installed"):
        open_link(120.0)
