"""Devices on real MIDI ports of JACK: resolved by the host, even when the stage is dead."""

import os
import signal
import time
from contextlib import closing, contextmanager, suppress

import numpy as np
import pytest
import rtmidi
from engine_process import jack_server, show, until
from midi_player import MidiPlayer

from sfa_engine.engine.intents import OPERATIONS
from sfa_engine.engine.midi import BINDING, LIGHT, Action, Encoding, FeedKind, Kind, key
from sfa_engine.engine.midi_rings import FeedWriter, TableWriter
from sfa_engine.host import build, jack
from sfa_engine.host.midi_poll import PolledMidi
from sfa_engine.system.process_lock import lock_holder
from sfa_engine.system.runtime_files import HOST_SOCKET, STAGE_LOCK
from sfa_engine.wire.blocking import SocketClient

pytestmark = [pytest.mark.realtime, pytest.mark.slow, pytest.mark.usefixtures("server")]

NOTE_MUTE, NOTE_BEND, CC_FADER = 1, 2, 7
FADER = "crossfader"
SWITCH = "deck1.reverse"
ALONE = "[midi]\nenabled = false\n"  # the stage leaves devices alone


def rows(slot):
    """Return a table of three controls of a slot, and a light of one."""
    bindings = np.zeros(3, BINDING)
    for row, path, kind, number in zip(
        bindings,
        (SWITCH, "deck1.bend", FADER),
        (Kind.NOTE, Kind.NOTE, Kind.CONTROL),
        (NOTE_MUTE, NOTE_BEND, CC_FADER),
        strict=True,
    ):
        made = OPERATIONS[path]
        row["key"], row["slot"], row["input"] = key(slot, kind, 0, number), slot, number
        row["op"], row["deck"], row["target"], row["index"] = (
            made.op,
            made.deck,
            made.target,
            made.index,
        )
        row["low"], row["high"] = made.control.scale.low, made.control.scale.high
        row["end"] = 1.0
    bindings["encoding"][:2] = Encoding.BUTTON
    bindings["action"] = [Action.TOGGLE, Action.HOLD, Action.SET]
    bindings["x"] = [1.0, 10.0, 10.0]
    lights = np.zeros(1, LIGHT)
    lights["slot"], lights["index"] = slot, OPERATIONS[SWITCH].index
    lights["low"] = lights["high"] = 1.0
    lights["length"], lights["level_at"] = 3, -1
    lights["on"][0][:3], lights["off"][0][:3] = (0x90, 1, 127), (0x90, 1, 0)
    return bindings, lights


class Device:
    """A controller: two ports of another client of JACK's."""

    def __init__(self, name):
        self.name = name
        self.out = rtmidi.MidiOut(rtmidi.API_UNIX_JACK, name)
        self.out.open_virtual_port("keys")
        self.lamps = rtmidi.MidiIn(rtmidi.API_UNIX_JACK, f"{name} lamps")
        self.lamps.open_virtual_port("lamps")
        self.source, self.sink = f"{name}:keys", f"{name} lamps:lamps"

    def send(self, *data):
        self.out.send_message(bytes(data))

    def shown(self):
        """Return the messages to its lamps since the last call."""
        found = []
        while (got := self.lamps.get_message()) is not None:
            found.append(bytes(got[0]))
        return found

    def pull_out(self):
        for port in (self.out, self.lamps):
            port.close_port()
            port.delete()


@contextmanager
def device(name="Probe"):
    made = None

    def plug_in():
        nonlocal made
        with suppress(rtmidi.SystemError):  # a server that has just been started
            made = Device(name)
        return made is not None

    until(plug_in, "the server")
    try:
        yield made
    finally:
        if not made.out.is_deleted:
            made.pull_out()


def ask(engine, verb, **params):
    with SocketClient(engine.runtime / HOST_SOCKET, timeout_s=30.0) as host:
        return host.call(verb, **params)


@pytest.fixture
def server(jack, monkeypatch):
    for name, value in jack.environment.items():
        monkeypatch.setenv(name, value)


@pytest.fixture
def engine(jack):
    """The engine, whose stage leaves the devices to the tests."""
    with show(jack.environment, "default", ALONE) as running:
        yield running


def bind(memory, slot=0):
    writer = TableWriter(memory)
    serial = writer.write(*rows(slot))
    until(lambda: memory.engine["midi"]["used"] == serial, "the table")


def test_a_device_is_listed_opened_played_and_lit(engine):
    memory = engine.memory()
    with device() as probe:
        until(lambda: probe.source in {p["id"] for p in ask(engine, "midi.ports")["ports"]}, "it")
        listed = {p["id"]: p for p in ask(engine, "midi.ports")["ports"]}
        assert ask(engine, "midi.ports")["driver"] == "jack"
        assert (listed[probe.source]["direction"], listed[probe.sink]["direction"]) == ("in", "out")
        assert not any(p["device"].startswith("Sound Forge Alchemy") for p in listed.values())
        ask(engine, "midi.open", slot=0, name="Probe", source=probe.source, sink=probe.sink)
        bind(memory)
        until(lambda: b"\x90\x01\x00" in probe.shown(), "the light that is off")
        probe.send(0x90, NOTE_MUTE, 100)
        until(lambda: memory.value(SWITCH) == 1.0, "the switch")
        until(lambda: b"\x90\x01\x7f" in probe.shown(), "its light")
        for value in (0, 127):
            probe.send(0xB0, CC_FADER, value)
        until(lambda: memory.value(FADER) == 100.0, "the fader")
        FeedWriter(memory).write(FeedKind.RESYNC, 0)
        until(lambda: b"\x90\x01\x7f" in probe.shown(), "the light again")
        ask(engine, "midi.close", slot=0)
        assert memory.engine["midi"]["slots"][0]["open"] == 0


def test_it_is_played_while_the_stage_is_dead(engine):
    memory = engine.memory()
    with device() as probe:
        ask(engine, "midi.open", slot=0, name="Probe", source=probe.source, sink=probe.sink)
        bind(memory)
        stage = lock_holder(engine.runtime / STAGE_LOCK)
        os.kill(stage, signal.SIGSTOP)
        try:
            for value in (1.0, 0.0, 1.0):
                probe.send(0x90, NOTE_MUTE, 100)
                probe.send(0x80, NOTE_MUTE, 0)
                until(lambda value=value: memory.value(SWITCH) == value, "the switch")
        finally:
            os.kill(stage, signal.SIGKILL)
        probe.send(0xB0, CC_FADER, 127)
        until(lambda: memory.value(FADER) == 100.0, "the fader")


def test_a_button_is_released_when_its_device_is_pulled_out_and_lights_return_with_it(
    engine,
):
    memory = engine.memory()
    with device() as probe:
        ask(engine, "midi.open", slot=0, name="Probe", source=probe.source, sink=probe.sink)
        bind(memory)
        probe.send(0x90, NOTE_BEND, 100)
        until(lambda: memory.value("deck1.bend") == 10.0, "the bend")
        probe.pull_out()
        until(lambda: memory.value("deck1.bend") == 0.0, "its release")
    with device() as again:
        plugged = time.monotonic()
        until(lambda: b"\x90\x01\x00" in again.shown(), "the light")
        assert time.monotonic() - plugged < 1.0
        again.send(0x90, NOTE_MUTE, 100)
        until(lambda: memory.value(SWITCH) == 1.0, "the switch")


def test_a_device_that_was_gone_for_a_moment_is_linked_and_lit_again(engine):
    memory = engine.memory()
    with device() as probe:
        ask(engine, "midi.open", slot=0, name="Probe", source=probe.source, sink=probe.sink)
        bind(memory)
        probe.send(0x90, NOTE_BEND, 100)
        until(lambda: memory.value("deck1.bend") == 10.0, "the bend")
        graph = jack.Graph("sfa-test-pull")
        probe.shown()
        for port in (probe.source, probe.sink):  # as the system does with a port that goes
            for other in graph.links(port):
                graph.unlink(*((port, other) if port == probe.source else (other, port)))
        graph.close()
        until(lambda: memory.value("deck1.bend") == 0.0, "its release")
        until(lambda: b"\x90\x01\x00" in probe.shown(), "the light again")
        probe.send(0x90, NOTE_MUTE, 100)
        until(lambda: memory.value(SWITCH) == 1.0, "the switch")


def test_a_host_that_was_killed_opens_its_devices_again(engine):
    memory = engine.memory()
    with device() as probe:
        ask(engine, "midi.open", slot=3, name="Probe", source=probe.source, sink=probe.sink)
        bind(memory, 3)
        os.kill(int(memory.engine["host_pid"]), signal.SIGKILL)
        probe.shown()
        until(lambda: b"\x90\x01\x00" in probe.shown(), "the light, by the next host")
        probe.send(0x90, NOTE_MUTE, 100)
        until(lambda: memory.value(SWITCH) == 1.0, "the switch")


def test_two_of_one_kind_are_two_slots(engine):
    memory = engine.memory()
    with device() as one, device("Probe 2") as two:
        for slot, probe in enumerate((one, two)):
            ask(engine, "midi.open", slot=slot, name="Probe", source=probe.source, sink=probe.sink)
        bind(memory, 1)
        one.send(0x90, NOTE_MUTE, 100)
        two.send(0xB0, CC_FADER, 127)
        until(lambda: memory.value(FADER) == 100.0, "the fader of the second")
        assert memory.value(SWITCH) == 0.0


def test_a_port_that_is_not_there_is_refused(engine):
    with pytest.raises(Exception, match="no MIDI port"):
        ask(engine, "midi.open", slot=0, name="Probe", source="Nobody:out", sink="")


def test_devices_come_back_with_a_server_that_died():
    with jack_server("sfa-midi") as own, pytest.MonkeyPatch.context() as patch:
        for name, value in own.environment.items():
            patch.setenv(name, value)
        with show(own.environment, "default", ALONE) as engine:
            memory = engine.memory()
            with device() as probe:
                ask(engine, "midi.open", slot=0, name="Probe", source=probe.source, sink=probe.sink)
                bind(memory)
            own.stop()
            own.start()
            with device() as probe:
                until(lambda: b"\x90\x01\x00" in probe.shown(), "the light, by another client")
                probe.send(0xB0, CC_FADER, 127)
                until(lambda: memory.value(FADER) == 100.0, "the fader")


def test_without_jack_a_thread_polls_the_same_ports():
    """The thread of ALSA, on python-rtmidi's JACK ports: there is no ALSA sequencer everywhere."""
    player = MidiPlayer(*rows(1)[0], lights=rows(1)[1])
    polled = PolledMidi(player.state, build.MIDI(player.engine._kernel.midi), rtmidi.API_UNIX_JACK)
    with device() as probe, closing(polled):
        until(lambda: polled.has(probe.source) and polled.has(probe.sink), "its ports")
        directions = {port["id"]: port["direction"] for port in polled.ports()}
        assert (directions[probe.source], directions[probe.sink]) == ("in", "out")
        polled.open(1, "Probe", probe.source, probe.sink)

        def is_lit():
            player.render()  # lights go by the engine's time
            return b"\x90\x01\x00" in probe.shown()

        until(is_lit, "the light")
        sysex = bytes([0xF0, *[1] * 1000, 0xF7])
        probe.send(*sysex)
        events = []
        until(lambda: events.extend(player.events.fetch()) or events[-1:], "the event")
        until(lambda: events.extend(player.events.fetch()) or not events[-1].more, "all of it")
        assert b"".join(event.data for event in events) == sysex
        probe.send(0x90, NOTE_BEND, 100)
        pressed = []
        until(lambda: pressed.extend(player.commands()) or pressed, "the press")
        polled.close_slot(1)
        (released,) = player.commands()
        assert released["x"] == 0.0
