"""MIDI clock with the programs of others: `jack_midi_clock` sends, `jack_mclk_dump` reads."""

import ctypes
import os
import re
import subprocess
import time
from contextlib import contextmanager

import pytest
from engine_process import show, until

pytestmark = [pytest.mark.realtime, pytest.mark.slow]

SENT_BPM = 133.0
OURS_BPM = 141.0
READ_S = 4.0  # jack_mclk_dump settles in a second


@contextmanager
def rolling(environment):
    """Let the transport of the JACK server run: `jack_midi_clock` sends nothing else."""
    before = {name: os.environ.get(name) for name in environment}
    os.environ.update(environment)
    jack = ctypes.CDLL("libjack.so.0")
    jack.jack_client_open.restype = ctypes.c_void_p
    client = ctypes.c_void_p(jack.jack_client_open(b"transport", 1, None))
    assert client.value
    try:
        jack.jack_transport_start(client)
        yield
    finally:
        jack.jack_transport_stop(client)
        jack.jack_client_close(client)
        for name, value in before.items():
            os.environ.pop(name) if value is None else os.environ.update({name: value})


@contextmanager
def program(environment, *command):
    with subprocess.Popen(
        ["stdbuf", "-oL", *command],
        env={**os.environ, **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    ) as running:
        try:
            yield running
        finally:
            running.terminate()


@pytest.fixture(scope="module")
def client(jack):
    with show(jack.environment, "default") as engine, engine.connect() as client:
        yield client


def clock(client, name):
    return client.call("get", path=f"clock.{name}")["value"]


def test_the_clock_follows_jack_midi_clock_and_keeps_its_tempo(jack, client):
    client.call("set", path="clock.midi_in", value=True)
    client.call("set", path="clock.source", value="midi")
    with (
        rolling(jack.environment),
        program(jack.environment, "jack_midi_clock", "-B", "-b", str(SENT_BPM)),
    ):
        until(lambda: clock(client, "locked"), "a lock")
        until(lambda: abs(clock(client, "midi_tempo") - SENT_BPM) < 0.05, "the tempo sent")
        until(lambda: abs(clock(client, "current") - SENT_BPM) < 0.05, "the tempo followed")
        until(lambda: abs(clock(client, "phase_error")) < 0.002, "the phase")
    until(lambda: not clock(client, "locked"), "silence")
    assert abs(clock(client, "current") - SENT_BPM) < 0.1


def test_jack_mclk_dump_reads_the_tempo_that_is_sent(jack, client):
    client.call("set", path="clock.source", value="internal")
    client.call("set", path="clock.tempo", value=OURS_BPM)
    client.call("set", path="clock.midi_out", value=True)
    with program(jack.environment, "jack_mclk_dump", "-n") as reader:
        until(
            lambda: any(port["clock_out"] for port in client.call("midi.ports")["ports"]), "a port"
        )
        give_up, found = time.monotonic() + READ_S, []
        while time.monotonic() < give_up:
            found += re.findall(r"flt: *([0-9.]+)\[BPM\]", reader.stdout.readline())
    assert len(found) > READ_S * OURS_BPM / 60 * 24 / 2
    assert abs(float(found[-1]) - OURS_BPM) < 0.05
