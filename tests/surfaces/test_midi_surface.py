"""Controllers as the stage sees them, on a host of which only MIDI is there."""

import re
import threading

import pytest
import trio
from midi_host import MidiHost

from sfa_engine.engine.command import Source
from sfa_engine.engine.midi import SLOTS
from sfa_engine.errors import Refused
from sfa_engine.stage.core import Core
from sfa_engine.surfaces.midi import controllers, learn
from sfa_engine.surfaces.midi.message import IDENTITY_REQUEST
from sfa_engine.surfaces.midi.profile import parse_profile
from sfa_engine.surfaces.midi.settings import MidiConfig
from sfa_engine.surfaces.midi.surface import MidiSurface
from sfa_engine.surfaces.midi.table import compile_profile
from sfa_engine.wire.push import Push

pytestmark = pytest.mark.slow

KNOB = "nanoKONTROL2 MIDI 1"


@pytest.fixture
def host(tmp_path):
    made = MidiHost(tmp_path)
    yield made
    made.close()


class Stage:
    """The core and its MIDI surface; another one goes on with the host that is there."""

    def __init__(self, runtime, nursery, config):
        self.core = Core(runtime)
        self.surface = MidiSurface(self.core, config)
        self.scope = trio.CancelScope()
        self.nursery = nursery

    async def run(self, task_status=trio.TASK_STATUS_IGNORED):
        with self.scope:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(self.core._pump)
                nursery.start_soon(self.core.midi.run)
                nursery.start_soon(self.surface.run)
                task_status.started()

    def ports(self):
        return self.surface.midi_ports()["ports"]


async def until(condition):
    with trio.fail_after(10):
        while not condition():  # noqa: ASYNC110 - of another thread
            await trio.sleep(0.005)


@pytest.fixture
async def start(tmp_path, nursery, host):  # noqa: ARG001
    made = []

    async def begin(**config):
        stage = Stage(tmp_path, nursery, MidiConfig(**config))
        made.append(stage)
        await nursery.start(stage.run)
        return stage

    yield begin
    for stage in made:
        stage.scope.cancel()


async def test_a_controller_that_is_plugged_in_is_open_within_a_second_and_lit(host, start):
    stage = await start(generic=True)
    with trio.fail_after(1.0):
        host.plug(KNOB)
        await until(lambda: stage.ports() and stage.ports()[0]["open"] and host.resyncs == [0])
    (port,) = stage.ports()
    assert (port["name"], port["profile"]) == (KNOB, "generic")
    assert len(host.bindings) == port["bindings"] > 0


async def test_one_without_a_profile_is_open_and_does_nothing(host, start):
    stage = await start()
    host.plug(KNOB)
    await until(lambda: stage.ports() and stage.ports()[0]["open"])
    assert stage.ports()[0]["profile"] is None
    assert not len(host.bindings)


async def test_a_controller_has_its_slot_again_when_it_is_plugged_in_again(host, start):
    stage = await start(generic=True)
    first = host.plug(KNOB)
    host.plug("Other")
    await until(lambda: len(stage.ports()) == 2 and all(p["open"] for p in stage.ports()))
    slots = {port["name"]: port["slot"] for port in stage.ports()}
    host.unplug(first)
    await until(lambda: ("close", slots[KNOB]) in host.requests)
    await until(lambda: len(stage.ports()) == 1)
    host.resyncs.clear()
    with trio.fail_after(1.0):
        host.plug(KNOB)
        await until(lambda: slots[KNOB] in host.resyncs)
    assert {port["name"]: port["slot"] for port in stage.ports()} == slots


async def test_two_of_one_kind_are_told_apart_by_number(host, start):
    stage = await start(generic=True)
    host.plug(KNOB)
    host.plug(KNOB)
    await until(lambda: len(stage.ports()) == 2 and all(p["open"] for p in stage.ports()))
    assert [port["name"] for port in stage.ports()] == [f"{KNOB} #1", f"{KNOB} #2"]
    assert len(host.bindings) == 2 * stage.ports()[0]["bindings"]


async def test_a_new_stage_goes_on_with_what_is_open(host, start):
    stage = await start(generic=True)
    gone = host.plug("Gone meanwhile")
    host.plug(KNOB)
    await until(lambda: len(stage.ports()) == 2 and all(p["open"] for p in stage.ports()))
    slots = {port["name"]: port["slot"] for port in stage.ports()}
    await until(lambda: sorted(host.resyncs) == [0, 1])
    stage.scope.cancel()
    host.unplug(gone)
    host.requests.clear()
    host.resyncs.clear()
    other = await start(generic=True)
    await until(lambda: other.ports() and other.ports()[0]["open"])
    await until(lambda: host.requests)
    assert host.requests == [("close", slots["Gone meanwhile"])]
    assert other.ports()[0]["slot"] == slots[KNOB]
    assert not host.resyncs


async def test_another_host_is_given_everything_again(host, start):
    stage = await start(generic=True)
    host.plug(KNOB)
    await until(lambda: stage.ports() and stage.ports()[0]["open"])
    host.midi["slots"][0]["open"] = 0
    host.requests.clear()
    host.memory.engine["host_started_ns"] += 1
    await until(lambda: ("open", 0) in host.requests)


async def test_a_host_that_answers_nothing_for_a_while_does_no_harm(host, start):
    stage = await start(generic=True)
    first, second = host.plug(KNOB), host.plug("Other")
    await until(lambda: len(stage.ports()) == 2 and all(p["open"] for p in stage.ports()))
    host.fails = True
    host.unplug(first)
    await until(lambda: len(stage.ports()) == 1 and not stage.surface._controllers.error)
    host.fails = False
    host.plug(KNOB)
    await until(lambda: len(stage.ports()) == 2 and all(p["open"] for p in stage.ports()))
    host.unplug(second)
    await until(lambda: len(stage.ports()) == 1)


async def test_a_program_change_that_is_bound_to_nothing_recalls_a_preset(host, start):
    stage = await start()
    host.plug(KNOB)
    await until(lambda: stage.ports() and stage.ports()[0]["open"])
    recalled = []
    stage.core.conductor.on_press("preset.recall", recalled.append)
    (folder := stage.core.data / "profiles").mkdir()
    (folder / "mine.toml").write_text(PROFILE + PROGRAM)
    await until(lambda: stage.ports()[0]["profile"] == "mine")
    await until(lambda: len(host.bindings) == 5)
    for program in (3, 5, 7):
        host.receive(0, bytes([0xC0, program]))
    await until(lambda: len(recalled) == 2)
    assert recalled == [5, 7]


async def test_what_the_stage_owns_is_set_from_a_controller_and_not_told_to_it(host, start):
    stage = await start(generic=True)
    host.plug(KNOB)
    await until(lambda: stage.ports() and stage.ports()[0]["open"])
    heard = []
    stage.core.conductor.listen(lambda *change: heard.append(change))
    (tmp := stage.core.data / "profiles").mkdir()
    (tmp / "mine.toml").write_text(PROFILE)
    await until(lambda: stage.ports()[0]["profile"] == "mine")
    await until(lambda: len(host.bindings) == 4)
    host.receive(0, bytes([0x90, 1, 127]))
    await until(lambda: heard)
    assert heard == [("session.focus", 1.0, Source.MIDI)]
    host.receive(0, bytes([0xB0, 20, 0]))
    await until(lambda: len(heard) == 2)
    assert heard[1] == ("deck1.hotcue_bank", 1.0, Source.MIDI) or heard[1][0] == "session.lock"


async def test_a_profile_that_is_edited_is_in_force_at_once_and_an_invalid_one_is_not(host, start):
    stage = await start()
    (folder := stage.core.data / "profiles").mkdir()
    file = folder / "mine.toml"
    file.write_text(PROFILE)
    host.plug(KNOB)
    await until(lambda: stage.ports() and stage.ports()[0]["open"] and len(host.bindings) == 4)
    file.write_text(PROFILE + "[[control]]\nname = 3\n")
    await until(lambda: ("mine.toml", file.stat().st_size) in seen(stage))
    assert stage.ports()[0]["profile"] == "mine"
    assert len(host.bindings) == 4
    file.write_text(PROFILE + '[[control]]\nname = "x"\nnote = 9\ndo = "deck1.play"\n')
    await until(lambda: len(host.bindings) == 5)
    file.unlink()
    await until(lambda: stage.ports()[0]["profile"] is None and not len(host.bindings))


async def test_the_mapping_stays_in_force_while_an_edited_profile_compiles(
    host, start, monkeypatch
):
    stage = await start()
    (folder := stage.core.data / "profiles").mkdir()
    (folder / "mine.toml").write_text(PROFILE)
    host.plug(KNOB)
    await until(lambda: stage.ports() and stage.ports()[0]["open"] and len(host.bindings) == 4)
    changes = []
    stage.core.conductor.listen(lambda *change: changes.append(change[0]))
    compiling, go_on = threading.Event(), threading.Event()

    def compile_slowly(*given):
        compiling.set()
        assert go_on.wait(10)
        return compile_profile(*given)

    monkeypatch.setattr(controllers, "compile_profile", compile_slowly)
    new = PROFILE + '[[control]]\nname = "x"\nnote = 9\ndo = "deck1.play"\n'
    (folder / "mine.toml").write_text(new)
    await until(compiling.is_set)
    assert stage.ports()[0]["bindings"] == len(host.bindings) == 4
    host.receive(0, bytes([0x90, 1, 127]))
    await until(lambda: "session.focus" in changes)
    # Edited once more meanwhile: that one is in force in the end, not the one that compiles.
    stage.surface._controllers.use(
        stage.surface._controllers.open[0],
        parse_profile(new.replace("note = 9", "note = [9, 10]"), "x"),
    )
    go_on.set()
    await until(lambda: len(host.bindings) == 6)
    await until(lambda: stage.ports()[0]["bindings"] == 6)


async def test_lamps_carry_the_model_that_the_device_names_in_its_identity_reply(host, start):
    stage = await start()
    (folder := stage.core.data / "profiles").mkdir()
    light = '\n[lights.model]\nsend = "F0 47 7F {model} 65 00 {level} F7"\n'
    head, controls = PROFILE.split("[[control]]", 1)
    text = head + "model = 0x46" + light + "[[control]]" + controls
    (folder / "mine.toml").write_text(text.replace("light = true", 'light = "model"'))
    host.plug(KNOB)
    unlit = "F0 47 7F %s 65 00 00 F7"
    await until(lambda: bytes.fromhex(unlit % "46") in host.sent[0])
    assert IDENTITY_REQUEST in host.sent[0]
    host.receive(0, bytes.fromhex("F0 7E 00 06 02 47 33 00 19 00 01 00 00 00 F7"))
    await until(lambda: bytes.fromhex(unlit % "33") in host.sent[0])
    # A new stage asks once more: what the one before knew is gone with it.
    stage.scope.cancel()
    host.sent[0].clear()
    await start()
    await until(lambda: IDENTITY_REQUEST in host.sent[0])


def seen(stage):
    """Return names and sizes of the profiles that the stage has read."""
    return {(name, size) for name, _, size in stage.surface._controllers._user}


async def test_lights_of_what_the_stage_owns_follow_it(host, start):
    stage = await start()
    (folder := stage.core.data / "profiles").mkdir()
    (folder / "mine.toml").write_text(PROFILE)
    host.plug(KNOB)
    await until(lambda: stage.ports() and stage.ports()[0]["open"] and host.resyncs)
    lit, unlit = bytes([0x90, 3, 127]), bytes([0x90, 3, 0])
    await until(lambda: unlit in host.sent[0])
    stage.core.conductor.set_nowait("session.lock", "on")
    await until(lambda: host.sent[0] and host.sent[0][-1] == lit)
    stage.core.conductor.set_nowait("session.lock", "off")
    await until(lambda: host.sent[0][-1] == unlit)


async def test_the_lamp_of_a_hot_cue_takes_its_colour(host, start):
    stage = await start()
    (folder := stage.core.data / "profiles").mkdir()
    (folder / "mine.toml").write_text(PROFILE + COLOURED)
    host.plug(KNOB)
    await until(lambda: stage.ports() and stage.ports()[0]["open"] and host.resyncs)
    for color, sent in (
        ("#ff8000", [0xF0, 1, 0x7F, 0x40, 0, 0xF7]),
        ("#0000ff", [0xF0, 1, 0, 0, 0x7F, 0xF7]),
    ):
        stage.core.conductor.stage.put("deck1.hotcue3.color", color, Source.HOST)
        await until(lambda: any(list(each["on"][:6]) == sent for each in host.lights))  # noqa: B023
    assert stage.core.conductor.get("deck1.hotcue3.color") == "#0000ff"


COLOURED = """
[[control]]
name = "cue"
note = 9
do = "deck1.hotcue3.press"
light = { send = "F0 01 {r} {g} {b} F7", on = "desk", off = "dim" }
"""
PROFILE = f"""
name = "mine"
title = "Mine"
[match]
port = "^{re.escape(KNOB).replace(chr(92), chr(92) * 2)}"
[[control]]
name = "focus"
note = 1
do = "session.focus"
[[control]]
name = "lock"
cc = 20
encoding = "absolute"
kind = "set"
do = "session.lock"
[[control]]
name = "load"
note = 2
do = "deck1.load"
[[control]]
name = "locked"
note = 3
do = "session.lock = on"
light = true
"""
PROGRAM = """
[[control]]
name = "program"
program = 3
do = "session.lock = off"
"""


async def test_a_monitor_is_told_what_came_and_what_it_did_while_it_listens(host, start):
    stage = await start(generic=True)
    host.plug(KNOB)
    await until(lambda: stage.ports() and stage.ports()[0]["open"])
    push = Push(lambda: None)
    assert await stage.surface.midi_monitor(push) == {"devices": [KNOB]}
    assert host.midi["slots"][0]["monitored"] == 1
    host.receive(0, bytes([0x90, 36, 100]))
    said = []
    await until(lambda: said.extend(push.take()) or said)
    ((method, pushed),) = said
    (item,) = pushed["items"]
    assert method == "midi.message"
    assert item["words"] == "note 36 (C2) velocity 100, channel 1"
    assert item["did"] == ["pad 1 -> deck1.hotcue1.press (hold)"]
    host.receive(0, bytes([0x80, 36, 0]))
    said.clear()
    await until(lambda: said.extend(push.take()) or said)
    (item,) = said[0][1]["items"]
    assert item["did"] == ["pad 1 -> deck1.hotcue1.press (hold)"], "slip returns on release"
    push.close()
    await until(lambda: host.midi["slots"][0]["monitored"] == 0)


async def test_sysex_comes_whole_however_it_was_cut(host, start):
    stage = await start()
    host.plug(KNOB)
    await until(lambda: stage.ports() and stage.ports()[0]["open"])
    heard = []
    stage.surface._controllers.on_message.append(lambda _c, data, _f: heard.append(data))
    whole = bytes([0xF0, *range(100), 0xF7])
    for part in (whole[:30], bytes([0xF8]), whole[30:]):
        host.receive(0, part)
    await until(lambda: len(heard) == 2)
    assert heard == [bytes([0xF8]), whole]


async def test_learn_binds_what_is_moved_at_once(host, start):
    stage = await start()
    host.plug(KNOB)
    await until(lambda: stage.ports() and stage.ports()[0]["open"])
    learned = []

    async def learn():
        push = Push(lambda: None)
        learned.append(await stage.surface.midi_learn("deck1.fader", push, timeout_s=10.0))

    async with trio.open_nursery() as nursery:
        nursery.start_soon(learn)
        await until(lambda: host.midi["slots"][0]["monitored"])
        for value in (10, 11, 12, 13, 14):
            host.receive(0, bytes([0xB0, 7, value]))
    (said,) = learned
    assert said["input"] == "CC 7, channel 1"
    assert "backstage is not running" in said["why"]
    assert stage.ports()[0]["profile"] == said["profile"] == "nanokontrol2-midi-1"
    assert len(host.bindings) == 1
    assert not host.midi["slots"][0]["monitored"]


async def test_learning_goes_on_from_the_profile_that_was_just_saved(host, start, monkeypatch):
    stage = await start()
    host.plug(KNOB)
    await until(lambda: stage.ports() and stage.ports()[0]["open"])
    these = stage.surface._controllers

    async def save(_runtime, _method, *, name, text):
        file = these.folder / f"{name}.toml"
        file.parent.mkdir(exist_ok=True)
        file.write_text(text)
        await these.look()  # reads the file before the stage knows that it is saved
        return {"path": str(file)}

    monkeypatch.setattr(learn, "ask_backstage", save)
    for number, path in enumerate(("deck1.play", "deck2.play"), 1):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(stage.surface.midi_learn, path, Push(lambda: None), "", 10.0)
            await until(lambda: host.midi["slots"][0]["monitored"])
            host.receive(0, bytes([0x90, number, 100]))
        assert len(host.bindings) == number


async def test_a_binding_is_replaced_only_when_that_is_confirmed(host, start):
    stage = await start()
    host.plug(KNOB)
    await until(lambda: stage.ports() and stage.ports()[0]["open"])

    async def learn(path):
        said = []

        async def call():
            push = Push(lambda: None)
            said.append(await stage.surface.midi_learn(path, push, "", 10.0, replace=False))

        async with trio.open_nursery() as nursery:
            nursery.start_soon(call)
            await until(lambda: host.midi["slots"][0]["monitored"])
            host.receive(0, bytes([0x90, 5, 100]))
        return said[0]

    assert (await learn("deck1.play"))["replaces"] == []
    again = await learn("deck2.play")
    assert again["replaces"] == ["deck1.play"]
    assert not again["profile"]
    assert stage.surface.midi_ports()["ports"][0]["bindings"] == 1
    assert (await stage.surface.midi_bind())["do"] == "deck2.play"
    with pytest.raises(Refused, match="nothing was learned"):
        await stage.surface.midi_bind()


async def test_a_learner_that_leaves_leaves_nothing(host, start):
    stage = await start()
    host.plug(KNOB)
    await until(lambda: stage.ports() and stage.ports()[0]["open"])
    with trio.move_on_after(0.3):
        await stage.surface.midi_learn("deck1.fader", Push(lambda: None), timeout_s=10.0)
    await until(lambda: not host.midi["slots"][0]["monitored"])
    assert not len(host.bindings)
    assert stage.ports()[0]["profile"] is None


async def test_learn_says_what_cannot_be_learned(host, start):
    stage = await start()
    push = Push(lambda: None)
    with pytest.raises(Refused, match="no MIDI controller is plugged in"):
        await stage.surface.midi_learn("deck1.fader", push)
    host.plug(KNOB)
    await until(lambda: stage.ports() and stage.ports()[0]["open"])
    with pytest.raises(Refused, match="can only be read"):
        await stage.surface.midi_learn("deck1.level", push)
    with pytest.raises(Refused, match="no MIDI controller is called"):
        await stage.surface.midi_learn("deck1.fader", push, device="Launchpad")
    with pytest.raises(Refused, match="nothing was recognised"):
        await stage.surface.midi_learn("deck1.fader", push, timeout_s=1.0)


async def test_ports_of_the_network_are_opened_and_reached(host, start):
    stage = await start()
    sent = []

    class Port:
        id = "net-1"
        name = "Studio Mac"

        def send(self, data):
            sent.append(data)

    port = Port()
    stage.core.external_ports.add(port)
    await until(lambda: stage.ports() and stage.ports()[0]["open"])
    heard = []
    stage.surface._controllers.on_message.append(lambda _c, data, _f: heard.append(data))
    stage.core.external_ports.received(port, bytes([0x90, 60, 1]))
    stage.core.external_ports.received(port, bytes([0xF0, *range(127), 0xF7]))
    await until(lambda: len(heard) == 2)
    from sfa_engine.engine.midi import EventKind

    host.event(EventKind.OUT, 0, data=b"\x90\x3c\x7f")
    await until(lambda: sent == [b"\x90\x3c\x7f"])
    stage.core.external_ports.remove(port)
    await until(lambda: ("close", 0) in host.requests)


async def test_more_devices_than_slots_are_left_out(host, start):
    stage = await start()
    for number in range(SLOTS + 2):
        host.plug(f"Device {number}")
    await until(lambda: len(stage.ports()) == SLOTS and all(p["open"] for p in stage.ports()))


async def test_what_the_host_opened_again_by_itself_is_set_up_again(host, start):
    await start(generic=True)
    host.plug(KNOB)
    await until(lambda: host.resyncs == [0])
    host.midi["slots"][0]["opened"] += 1
    await until(lambda: host.resyncs == [0, 0])
    assert [verb for verb, _ in host.requests] == ["open"]
