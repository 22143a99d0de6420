"""From a note to its sound on real ports: the same number of frames each time."""

import json
import subprocess
import sys

import numpy as np
import pytest
from engine_process import RATE, show, until
from test_pipewire import pipewire_server

from sfa_engine.bench import midi_peer
from sfa_engine.bench.surfaces import write_table
from sfa_engine.engine.layout import LATENCY
from sfa_engine.library.bundle import write_bundle_arrays
from sfa_engine.system.runtime_files import HOST_SOCKET
from sfa_engine.wire.blocking import SocketClient

pytestmark = [pytest.mark.realtime, pytest.mark.slow]

PRESSES = 30
USUAL = 0.8  # of the presses: a machine that misses blocks moves the others by whole blocks
BLOCK = 128
NO_SURFACE = "[midi]\nenabled = false\n"  # the stage's own table would take the place of ours


def press(engine, folder):
    """Play a track of one number, press a switch again and again; return the frames it took."""
    memory = engine.memory()
    stems = {"vocals": np.full((60 * RATE, 2), 0.2, np.float32)}
    bundle = write_bundle_arrays(folder / "dc.sfa", stems, title="dc", artist="", bpm=120.0)
    with engine.connect() as client:
        client.call("deck.load", deck=1, path=str(bundle))
        client.call("set", path="deck1.play", value=True)
    write_table(memory)
    file = folder / "frames.json"
    command = [sys.executable, "-m", "sfa_engine.bench.midi_peer", str(PRESSES), str(file)]
    peer = subprocess.Popen(command, env=engine.environment)
    try:
        with SocketClient(engine.runtime / HOST_SOCKET, timeout_s=30.0) as host:
            port = f"{midi_peer.KEYS}:out"
            until(lambda: port in {p["id"] for p in host.call("midi.ports")["ports"]}, "the peer")
            host.call("midi.open", slot=0, name="Peer", source=port)
        peer.wait(60.0)
    finally:
        peer.terminate()
        peer.wait()
    found = json.loads(file.read_text())
    assert found["lost"] == 0
    return found["frames"]


def check(frames):
    usual = max(set(frames), key=frames.count)
    assert frames.count(usual) >= USUAL * len(frames)
    assert usual - LATENCY in {0, BLOCK}


def test_on_jack(jack, tmp_path):
    with show(jack.environment, "default", NO_SURFACE) as engine:
        check(press(engine, tmp_path))


def test_on_pipewire(tmp_path):
    with (
        pipewire_server() as server,
        show(server.environment, "default", NO_SURFACE) as engine,
    ):
        check(press(engine, tmp_path))
