"""Controllers that are plugged in, pulled out, learned and watched, on real ports of JACK."""

import os
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import pytest
import rtmidi
from engine_process import show, until

from sfa_engine.surfaces.midi.message import IDENTITY_REQUEST
from sfa_engine.system.process_lock import lock_holder
from sfa_engine.system.runtime_files import BACKSTAGE_SOCKET, STAGE_LOCK

pytestmark = [pytest.mark.realtime, pytest.mark.slow]

# Where tests run in the background, Ctrl-C is nothing to those that they start.
PAD_OF_LIVE_II = (0xF0, 0x47, 0x7F, 0x47)
CTRL_C = ("env", "--default-signal=INT")
PROFILE = """
name = "probe"
title = "Probe"
[match]
port = "^Probe"
[[control]]
name = "bend"
note = 1
do = "deck1.bend = 10"
kind = "hold"
[[control]]
name = "reverse"
note = 2
do = "deck1.reverse"
light = true
[[control]]
name = "bank"
cc = 20
encoding = "twos"
do = "deck1.hotcue_bank"
"""


class Device:
    """A controller: two clients of JACK's, one that sends and one that is lit.

    Two devices by their names, or one whose ports are a pair.
    """

    def __init__(self, name, is_pair):
        keys, lamps = ("midi", "midi") if is_pair else ("keys", "lamps")
        self.out = rtmidi.MidiOut(rtmidi.API_UNIX_JACK, f"{name} out" if is_pair else name)
        self.out.open_virtual_port(keys)
        self.lamps = rtmidi.MidiIn(rtmidi.API_UNIX_JACK, f"{name} {'in' if is_pair else 'lamps'}")
        self.lamps.open_virtual_port(lamps)

    def send(self, *data):
        self.out.send_message(bytes(data))

    def shown(self):
        found = []
        while (got := self.lamps.get_message()) is not None:
            found.append(tuple(got[0]))
        return found

    def pull_out(self):
        for port in (self.out, self.lamps):
            if not port.is_deleted:
                port.close_port()
                port.delete()


@contextmanager
def device(name="Probe", is_pair=False):
    made = Device(name, is_pair)
    try:
        yield made
    finally:
        made.pull_out()


@pytest.fixture(scope="module")
def running(jack):
    before = {name: os.environ.get(name) for name in jack.environment}
    os.environ.update(jack.environment)
    with show(jack.environment, "default") as engine:
        folder = engine.runtime / "data" / "sfa" / "profiles"
        folder.mkdir(parents=True)
        (folder / "probe.toml").write_text(PROFILE)
        until((engine.runtime / BACKSTAGE_SOCKET).exists, "backstage")
        yield engine
    for name, value in before.items():
        os.environ.pop(name) if value is None else os.environ.update({name: value})


@pytest.fixture
def client(running):
    with running.connect() as connected:
        until(lambda: connected.call("midi.profiles"), "the profiles")
        yield connected
    with running.connect() as connected:
        until(lambda: not connected.call("midi.ports")["ports"], "the ports to go")


def ports(client):
    return {port["name"]: port for port in client.call("midi.ports")["ports"] if port["open"]}


def value(client, path):
    return client.call("get", path=path)["value"]


def plugged(client, *names):
    until(lambda: set(names) <= set(ports(client)), f"{names}")
    return ports(client)


def test_a_controller_plays_and_is_lit_within_a_second_of_being_plugged_in(client):
    client.call("set", path="deck1.reverse", value=True)
    with device() as probe:
        began = time.monotonic()
        seen = []
        until(lambda: seen.extend(probe.shown()) or (0x90, 2, 127) in seen, "the light")
        assert time.monotonic() - began < 1.5  # of a busy machine; 0.6 s on a quiet one
        plugged(client, "Probe keys", "Probe lamps")
        probe.send(0x90, 2, 100)
        until(lambda: value(client, "deck1.reverse") == 0.0, "the press")
        until(lambda: seen.extend(probe.shown()) or seen[-1] == (0x90, 2, 0), "the light")


def test_a_button_that_is_held_is_released_when_its_controller_is_pulled_out(client):
    with device() as probe:
        plugged(client, "Probe keys")
        probe.send(0x90, 1, 100)
        until(lambda: value(client, "deck1.bend") == 10.0, "the press")
        probe.pull_out()
        until(lambda: value(client, "deck1.bend") == 0.0, "the release")


def test_two_of_one_kind_have_a_slot_each_and_both_play(client):
    with device("Probe") as one:
        first = plugged(client, "Probe keys")["Probe keys"]["slot"]
        with device("Probe") as other:  # JACK calls it Probe-01
            until(lambda: len(ports(client)) == 4, "both")
            found = ports(client)
            assert found["Probe keys"]["slot"] == first
            for each in (one, other):
                before = value(client, "deck1.reverse")
                each.send(0x90, 2, 100)
                until(lambda before=before: value(client, "deck1.reverse") != before, "the press")
            slots = {name: port["slot"] for name, port in found.items()}
            other.pull_out()
            until(lambda: len(ports(client)) == 2, "one to go")
        with device("Probe"):
            until(lambda: len(ports(client)) == 4, "both")
            assert {name: port["slot"] for name, port in ports(client).items()} == slots


def test_lamps_of_an_mpc_are_addressed_to_the_model_that_it_names(client):
    client.call("set", path="deck1.stem.drums.mute", value=True)
    with device("MPC Live II Public", is_pair=True) as mpc:
        mpc.lamps.ignore_types(sysex=False)
        seen = []

        def arrives(message):
            return until(lambda: seen.extend(mpc.shown()) or message in seen, f"{message}")

        arrives(tuple(IDENTITY_REQUEST))
        mpc.send(*bytes.fromhex("F0 7E 00 06 02 47 47 00 19 00 01 00 00 00 F7"))
        until(lambda: seen.extend(mpc.shown()) or any(m[:4] == PAD_OF_LIVE_II for m in seen), "it")
        plugged(client, "MPC Live II Public midi")
        del seen[:]
        mpc.send(0x90, 37, 127)  # bank C: the second pad mutes the drums
        until(lambda: seen.extend(mpc.shown()) or any(m[7:8] == (1,) for m in seen), "the pad")
        pads = [message for message in seen if message[:3] == PAD_OF_LIVE_II[:3]]
        assert pads
        assert {message[:4] for message in pads} == {PAD_OF_LIVE_II}
    client.call("set", path="deck1.stem.drums.mute", value=False)


def test_relative_steps_of_what_the_stage_owns_are_clamped(client):
    with device() as probe:
        plugged(client, "Probe keys")
        for _ in range(9):
            probe.send(0xB0, 20, 1)
        until(lambda: value(client, "deck1.hotcue_bank") == 4.0, "bank 4")
        for _ in range(2):
            probe.send(0xB0, 20, 127)
        until(lambda: value(client, "deck1.hotcue_bank") == 2.0, "bank 2")


def test_a_killed_stage_leaves_the_controller_playing_and_the_next_one_goes_on(running, client):
    with device() as probe:
        slot = plugged(client, "Probe keys")["Probe keys"]["slot"]
        client.call("set", path="deck1.hotcue_bank", value=2)
        pid = lock_holder(running.runtime / STAGE_LOCK)
        os.kill(pid, signal.SIGKILL)
        memory = running.memory()
        before = memory.value("deck1.reverse")
        probe.send(0x90, 2, 100)
        until(lambda: memory.value("deck1.reverse") != before, "the press without a stage")
        until(running.answers, "the next stage")
        with running.connect() as other:
            assert plugged(other, "Probe keys")["Probe keys"]["slot"] == slot
            probe.send(0xB0, 20, 1)
            until(lambda: value(other, "deck1.hotcue_bank") == 3.0, "the stage's part")


def test_a_flood_at_the_speed_of_midi_loses_nothing(client):
    with device() as probe:
        before = plugged(client, "Probe keys")["Probe keys"]["received"]
        client.call("midi.monitor")
        count = 3 * 1040  # three seconds of messages of three bytes at 31,250 bit/s
        began = time.monotonic()
        for number in range(count):
            probe.send(0xB0, 30, number % 128)
            ahead_s = began + number / 1040 - time.monotonic()
            if ahead_s > 0:
                time.sleep(ahead_s)
        # JACK itself loses what a client sends in a cycle that the machine is late for.
        last = bytes([0xB0, 31, 1])
        heard, is_over = 0, False
        while not is_over:
            probe.send(*last)
            method, pushed = next(client.notifications())
            assert method == "midi.message"
            told = [item["hex"] for item in pushed["items"]]
            heard += sum(text.startswith("B0 1E") for text in told) + pushed["missed"]
            is_over = told[-1] == last.hex(" ").upper()
        port = ports(client)["Probe keys"]
        assert port["dropped"] == 0
        assert port["received"] - before >= heard > 0.97 * count


ENCODINGS = [
    ("deck1.play", [(0x92, 60, 90), (0x82, 60, 0)], "note 60 (C4), channel 3"),
    ("deck1.stem.drums.mute", [(0xB0, 41, 127), (0xB0, 41, 0)], "CC 41 as a button, channel 1"),
    ("deck1.fader", [(0xB0, 9, v) for v in range(20, 30)], "CC 9, channel 1"),
    (
        "crossfader",
        [m for v in range(8) for m in ((0xB6, 63, v * 16), (0xB6, 31, 60 + v))],
        "CC 31 and 63 (14 bits), channel 7",
    ),
    (
        "deck2.fader",
        [m for v in range(4) for m in ((0xB0, 99, 2), (0xB0, 98, 5), (0xB0, 6, v), (0xB0, 38, v))],
        "NRPN 261, channel 1",
    ),
    (
        "deck1.trim",
        [(0xB0, 50, v) for v in (1, 1, 1, 127, 127, 127)],
        "CC 50, relative (two's complement), channel 1",
    ),
    (
        "deck2.trim",
        [(0xB0, 51, v) for v in (65, 65, 65, 63, 63, 63)],
        "CC 51, relative (64 is no step), channel 1",
    ),
    (
        "deck1.filter",
        [(0xB0, 52, v) for v in (1, 1, 1, 65, 65, 65)],
        "CC 52, relative (sign bit), channel 1",
    ),
    ("deck2.filter", [(0xE0, 0, v) for v in range(60, 70)], "pitch bend, channel 1"),
]


@contextmanager
def learning(running, path, name):
    """Learn a control meanwhile; yield the answer to come."""
    with running.connect() as other, ThreadPoolExecutor(1) as thread:
        yield thread.submit(other.call, "midi.learn", path=path, device=name, timeout_s=30.0)


def test_every_encoding_is_learned_saved_and_bound_at_once(running, client):
    with device("Mystery") as mystery:
        assert plugged(client, "Mystery keys")["Mystery keys"]["profile"] is None
        for path, messages, words in ENCODINGS:
            with learning(running, path, "Mystery keys") as answer:
                until(lambda: ports(client)["Mystery keys"]["monitored"], "learning", 0.02)
                for message in messages:
                    mystery.send(*message)
                    time.sleep(0.002)  # a hand is slower
                said = answer.result(30)
            assert (said["input"], said["why"]) == (words, ""), path
            until(lambda: not ports(client)["Mystery keys"]["monitored"], "the end", 0.02)
        until(lambda: ports(client)["Mystery keys"]["profile"] == "mystery-keys", "the profile")
        before = value(client, "deck1.fader")
        for place in (*range(128), *range(127, 40, -1)):  # past its value, wherever that is
            mystery.send(0xB0, 9, place)
        until(lambda: value(client, "deck1.fader") != before, "the fader")
        saved = running.runtime / "data" / "sfa" / "profiles" / "mystery-keys.toml"
        assert saved.read_text().count("[[control]]") == len(ENCODINGS)


def test_ctrl_c_ends_learning_and_leaves_nothing(running, client):
    command = [*CTRL_C, sys.executable, "-m", "sfa_engine.cli.main", "midi", "learn", "deck1.play"]
    with device("Unknown"):
        plugged(client, "Unknown keys")
        learning = subprocess.Popen(
            command,
            env=running.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        until(lambda: ports(client)["Unknown keys"]["monitored"], "learning")
        learning.send_signal(signal.SIGINT)
        said = learning.communicate(timeout=30)[0]
        assert learning.returncode == 130
        assert said.startswith("move or press what deck1.play is to be, on ")
        until(lambda: not ports(client)["Unknown keys"]["monitored"], "the end")
        assert ports(client)["Unknown keys"]["profile"] is None


def test_the_monitor_says_what_came_and_what_it_did(running, client):
    command = [*CTRL_C, sys.executable, "-m", "sfa_engine.cli.main", "midi", "monitor"]
    with device() as probe:
        plugged(client, "Probe keys")
        watching = subprocess.Popen(
            [*command, "--device", "Probe keys"],
            env=running.environment | {"PYTHONUNBUFFERED": "1"},
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        until(lambda: ports(client)["Probe keys"]["monitored"], "the monitor")
        probe.send(0x90, 2, 100)
        line = watching.stdout.readline().split()
        watching.send_signal(signal.SIGINT)
        watching.communicate(timeout=30)
        said = "Probe keys 90 02 64 note 2 (D-1) velocity 100, channel 1 reverse -> deck1.reverse"
        assert line == [*said.split(), "(toggle)"]
        until(lambda: not ports(client)["Probe keys"]["monitored"], "the end")


def test_the_ports_are_listed_for_a_person(running, client):
    with device():
        plugged(client, "Probe keys")
        status, said, errors = running.command("midi", "ports")
        assert (status, errors) == (0, "")
        assert "Probe keys" in said
        assert "profile probe, 3 bindings, 1 light" in said
