"""Intents and reports, with the real kernel on the other side."""

import numpy as np
import pytest
import trio

from sfa_engine.desk import CONTROLS, Button, find
from sfa_engine.desk.scale import NOT_SET
from sfa_engine.engine.command import Op, Source, When
from sfa_engine.engine.intents import OPERATIONS, Moment, command_for, path_of
from sfa_engine.errors import EngineError, Refused
from sfa_engine.host.offline import Offline
from sfa_engine.stage.conductor import Conductor, readings_of, values_of

HERE, THERE = 1001, 1002
RATE = 48_000


@pytest.fixture
def kernel():
    return Offline()


@pytest.fixture
def conductor(kernel):
    kernel.render(64)
    return Conductor(kernel.memory)


@pytest.fixture
def heard(conductor):
    changes = []
    conductor.listen(lambda path, value, source: changes.append((path, value, source)))
    return changes


def test_a_value_is_what_was_set_before_the_kernel_knows_and_after(kernel, conductor):
    done = conductor.set_nowait("deck1.trim", "-6 dB", HERE)
    assert (done.value, done.text) == (-6.0, "-6.0 dB")
    assert conductor.get("deck1.trim") == -6.0
    kernel.render(64)
    conductor.pump()
    assert conductor.get("deck1.trim") == kernel.memory.value("deck1.trim") == -6.0


def test_a_change_is_notified_once_with_its_source(kernel, conductor, heard):
    conductor.set_nowait("crossfader", 20.0, HERE)
    kernel.render(64)
    conductor.pump()
    assert heard == [("crossfader", 20.0, HERE)]


def test_a_waiting_change_is_notified_when_it_happens(kernel, conductor, heard):
    conductor.set_nowait("crossfader", 20.0, HERE, when=6400)
    assert heard == []
    assert conductor.get("crossfader") == 0.0
    kernel.render(6400 - 64)
    conductor.pump()
    assert heard == []
    kernel.render(64)
    conductor.pump()
    assert heard == [("crossfader", 20.0, HERE)]


def test_a_new_stage_knows_all_that_was_set(kernel, conductor):
    conductor.set_nowait("master.volume", -3.0)
    kernel.render(64)
    again = Conductor(kernel.memory)
    assert again.get("master.volume") == -3.0
    assert values_of(kernel.memory)["master.volume"] == -3.0


def test_values_of_a_new_engine_are_notified_as_the_hosts(kernel, conductor, heard):
    conductor.set_nowait("master.volume", -3.0)
    conductor.set_nowait("deck1.hotcue1.position", 5.0)
    kernel.render(64)
    conductor.pump()
    conductor.set_nowait("deck1.trim", 2.0)  # on its way
    heard.clear()
    anew = Offline()
    anew.set("crossfader", 10.0)
    anew.render(64)
    conductor.attach(anew.memory)
    assert sorted(heard) == [
        ("crossfader", 10.0, Source.HOST),
        ("deck1.hotcue1.position", NOT_SET, Source.HOST),
        ("deck1.trim", 0.0, Source.HOST),
        ("master.volume", 0.0, Source.HOST),
    ]
    assert conductor.get("deck1.trim") == 0.0


async def answered(kernel, conductor, intent):
    """Await an intent while the kernel plays on."""

    async def play():
        while True:
            kernel.render(64)
            conductor.pump()
            await trio.sleep(0.001)

    async with trio.open_nursery() as nursery:
        nursery.start_soon(play)
        try:
            return await intent
        finally:
            nursery.cancel_scope.cancel()


async def test_the_kernel_no_is_the_answer(kernel, conductor):
    refused = None
    try:
        await answered(kernel, conductor, conductor.press("deck1.hotcue1.press"))
    except* Refused as group:
        refused = group.exceptions[0]
    assert "there is no track on the deck" in str(refused)


async def test_an_answer_names_the_frame(kernel, conductor):
    done = await answered(kernel, conductor, conductor.set("crossfader", 5, wait=True))
    assert done.frame is not None
    assert done.frame % 32 == 0


async def test_a_moment_is_waited_for_however_far_it_is(kernel, conductor):
    moment = 40_960  # longer than an answer that is due may take
    done = await answered(kernel, conductor, conductor.set("crossfader", 5, when=moment, wait=True))
    assert (done.value, done.frame) == (5.0, moment)


async def test_a_load_of_the_host_answers_no_waiting_caller(kernel, conductor):
    kernel.load(0, {"mix": np.zeros((RATE, 2), np.int16)}, rate=RATE)  # the host's first command
    done = await answered(kernel, conductor, conductor.set("crossfader", 5, when=6400, wait=True))
    assert done.frame == 6400


async def test_what_waits_for_its_moment_ends_with_its_engine(
    conductor,
    autojump_clock,  # noqa: ARG001 - time is virtual
):
    async def start_anew():
        await trio.sleep(60)
        conductor.attach(Offline().memory)

    async with trio.open_nursery() as nursery:
        nursery.start_soon(start_anew)
        with pytest.raises(EngineError, match="crossfader: the audio thread was restarted"):
            await conductor.set("crossfader", 5, when=1 << 40, wait=True)


async def test_an_engine_that_does_not_play_is_an_error_and_not_a_hang(
    conductor,
    autojump_clock,  # noqa: ARG001 - time is virtual
):
    with pytest.raises(EngineError, match="did not answer"):
        await conductor.set("crossfader", 5, wait=True)


def test_a_ring_that_is_full_is_an_error(conductor):
    def set_often():
        for k in range(2000):
            conductor.set_nowait("crossfader", float(k % 100))

    with pytest.raises(EngineError, match="takes no commands"):
        set_often()


def test_what_the_kernel_changes_by_itself_is_notified(kernel, conductor, heard):
    conductor.set_nowait("deck1.leader", 1.0, HERE)
    conductor.set_nowait("deck2.leader", 1.0, THERE)
    kernel.render(64)
    conductor.pump()
    assert ("deck1.leader", 0.0, 0) in heard


@pytest.mark.parametrize("path", ["deck1.play", "deck1.loop.active"])
@pytest.mark.parametrize("when", [None, 640])
def test_a_switch_of_the_kernels_is_notified_with_its_source(kernel, conductor, heard, path, when):
    kernel.load(0, {"mix": np.zeros((RATE, 2), np.int16)}, rate=RATE)
    conductor.set_nowait("deck1.loop.start", 0.2)
    conductor.set_nowait("deck1.loop.end", 0.5)
    conductor.set_nowait(path, True, HERE, when=when)
    kernel.render(1280)
    conductor.pump()
    assert [change for change in heard if change[0] == path] == [(path, 1.0, HERE)]


def test_the_end_of_a_track_is_notified_to_the_source_of_play_too(kernel, conductor, heard):
    kernel.load(0, {"mix": np.zeros((RATE, 2), np.int16)}, rate=RATE)
    conductor.set_nowait("deck1.play", True, HERE)
    kernel.render(RATE + 640)
    conductor.set_nowait("deck1.play", False, THERE)
    kernel.render(64)
    conductor.pump()
    plays = [change for change in heard if change[0] == "deck1.play"]
    assert plays[0] == ("deck1.play", 1.0, HERE)
    assert plays[1][1] == 0.0
    assert plays[1][2] != HERE


def test_levels_are_read_in_decibels(kernel, conductor):
    assert conductor.get("master.level") == -60.0
    assert readings_of(kernel.memory)["deck1.stem.drums.level"] == -60.0


async def test_a_position_beyond_the_end_is_answered_and_notified_as_the_end(
    kernel, conductor, heard
):
    kernel.load(0, {"mix": np.zeros((RATE, 2), np.int16)}, rate=RATE)
    done = await answered(kernel, conductor, conductor.set("deck1.position", 5000.0, HERE))
    assert (done.value, done.text) == (1.0, find("deck1.position").text(1.0))
    assert heard[-1] == ("deck1.position", 1.0, Source.ENGINE)


def test_a_refused_change_is_notified_with_the_present_value(kernel, conductor, heard):
    kernel.load(0, {"mix": np.zeros((RATE, 2), np.int16)}, rate=RATE)
    conductor.set_nowait("deck1.loop.active", True, HERE)
    kernel.render(64)
    conductor.pump()
    assert [change for change in heard if change[0] == "deck1.loop.active"] == [
        ("deck1.loop.active", 1.0, HERE),
        ("deck1.loop.active", 0.0, Source.ENGINE),
    ]


async def test_a_loop_that_is_not_there_is_named(kernel, conductor):
    kernel.load(0, {"mix": np.zeros((RATE, 2), np.int16)}, rate=RATE)
    with pytest.RaisesGroup(pytest.RaisesExc(Refused, match="there is no loop; press loop.set_in")):
        await answered(kernel, conductor, conductor.press("deck1.loop.set_out"))


# ---------------------------------------------------------------------- translation


def test_every_button_of_the_engine_has_a_verb():
    buttons = [c for c in CONTROLS.values() if isinstance(c, Button) and not c.planned]
    live = [control for control in buttons if control.owner == "engine"]
    assert [control.path for control in live if not control.verb] == []


def test_a_command_leads_back_to_its_control():
    for path in sorted(OPERATIONS):
        control = CONTROLS[path]
        assert path_of(command_for(control, control.scale.rest, Moment(), 0)) == path


def test_every_value_that_can_be_set_has_a_command():
    operations = set(Op)
    for path, control in CONTROLS.items():
        if control.settable and not control.planned and control.owner == "engine":
            command = command_for(control, control.scale.rest, Moment(), 0)
            assert command.op in operations, path


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("now", Moment(When.NOW)),
        (None, Moment(When.NOW)),
        ("beat", Moment(When.BEAT, clock=0)),
        ("bar deck1", Moment(When.BAR, clock=1)),
        ("beat deck2", Moment(When.BEAT, clock=2)),
        ("phrase clock", Moment(When.PHRASE, clock=0)),
        (0, Moment(When.FRAME, frame=0)),
        (12_345, Moment(When.FRAME, frame=12_345)),
    ],
)
def test_moments_are_understood(text, moment):
    assert Moment.parse(text) == moment
    assert Moment.parse(moment.text()) == moment


def test_a_moment_as_long_as_a_frame_is_refused_in_a_line():
    with pytest.raises(Refused, match="not a moment") as refusal:
        Moment.parse([b"\0" * 400_000])
    assert len(str(refusal.value)) < 200


@pytest.mark.parametrize("text", ["bars", "bar deck9", "", -1, 1.5, True, [], "beat beat beat"])
def test_what_is_no_moment_is_refused(text):
    with pytest.raises(Refused, match="not a moment"):
        Moment.parse(text)
