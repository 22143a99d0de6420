"""Commands that wait for their time: listed, cancelled, and repeated for a new host."""

import numpy as np
import pytest
import trio
import trio.testing

from sfa_engine.engine.command import Ring, When
from sfa_engine.engine.layout import REPORTS
from sfa_engine.engine.ring import waiting_commands
from sfa_engine.errors import EngineError, Refused
from sfa_engine.host.dsp_state import DspState
from sfa_engine.host.offline import Offline
from sfa_engine.stage.conductor import Conductor

RATE = 48_000
FAR = 1 << 40


@pytest.fixture
def kernel():
    made = Offline()
    made.load(0, {"mix": np.zeros((RATE, 2), np.int16)}, rate=RATE)
    made.render(64)
    return made


@pytest.fixture
def conductor(kernel):
    return Conductor(kernel.memory)


def restart(kernel):
    """Put a new host in the place of the old one."""
    kernel.dsp = DspState(kernel.memory, RATE, 2)
    kernel.memory.engine["host_started_ns"] += 1


async def some_waiting(conductor):
    while not waiting_commands(conductor.memory):  # noqa: ASYNC110 - the kernel sets no event
        await trio.sleep(0.001)


@pytest.fixture
async def playing(kernel, conductor, nursery):
    """Let the kernel play on."""

    async def play():
        while True:
            kernel.render(64)
            conductor.pump()
            await trio.sleep(0.001)

    nursery.start_soon(play)
    yield
    nursery.cancel_scope.cancel()


def test_what_waits_is_listed_with_its_control(kernel, conductor):
    conductor.set_nowait("deck1.trim", -3.0, 1001, when=FAR)
    conductor.press_nowait("deck2.hotcue4.press", None, 1002, when="bar")
    kernel.render(64)
    (_, first), (_, second) = conductor.waiting()
    assert (first.x, first.when, first.frame, first.source) == (-3.0, When.FRAME, FAR, 1001)
    assert (second.deck, second.target, second.when) == (1, 3, When.BAR)


async def test_the_caller_of_a_cancelled_command_gets_an_error(conductor, playing):  # noqa: ARG001
    async with trio.open_nursery() as nursery:

        async def awaiting():
            with pytest.raises(Refused, match=r"crossfader was cancelled"):
                await conductor.set("crossfader", 5.0, when=FAR, wait=True)

        nursery.start_soon(awaiting)
        await some_waiting(conductor)
        ((number, _),) = conductor.waiting()
        assert await conductor.cancel(number) == 1
    with pytest.raises(Refused, match="no such command is waiting"):
        await conductor.cancel(number)
    assert await conductor.cancel() == 0


async def test_all_of_a_deck_are_cancelled(conductor, playing):  # noqa: ARG001
    for path in ("deck1.trim", "deck2.trim", "crossfader", "deck1.filter"):
        conductor.set_nowait(path, -1.0, when=FAR)
    assert await conductor.cancel(deck=0) == 2
    assert await conductor.cancel() == 2


async def test_what_waits_is_done_by_the_next_host_and_awaited_all_the_while(
    kernel,
    conductor,
    playing,  # noqa: ARG001
):
    moment = int(kernel.memory.engine["frame"]) + 20_000
    async with trio.open_nursery() as nursery:

        async def awaiting():
            done = await conductor.set("crossfader", 5.0, when=moment, wait=True)
            assert (done.value, done.frame) == (5.0, moment)

        nursery.start_soon(awaiting)
        await some_waiting(conductor)
        before = waiting_commands(kernel.memory)
        restart(kernel)
        assert waiting_commands(kernel.memory) == []
        assert [command for _, command in conductor.waiting()] == before
        await some_waiting(conductor)
        assert waiting_commands(kernel.memory) == before  # by the same ticket
    assert conductor.get("crossfader") == 5.0


def test_what_the_dead_host_had_not_taken_is_done_once(kernel, conductor):
    conductor.set_nowait("deck1.trim", -3.0, when=FAR)
    restart(kernel)
    for _ in range(3):
        conductor.pump()
        kernel.render(64)
    assert len(conductor.waiting()) == 1


def test_what_was_done_before_the_host_died_is_not_done_again(kernel, conductor):
    ticket = conductor.set_nowait("deck1.trim", -3.0, when=100).ticket
    kernel.render(256)
    restart(kernel)
    for _ in range(3):
        conductor.pump()
        kernel.render(64)
    ring = kernel.memory.engine["rings"][Ring.STAGE]
    assert int(ring["head"]) == ticket


@pytest.mark.parametrize("taken", [True, False])
def test_a_new_stage_knows_what_waits_and_repeats_it_for_a_new_host(kernel, conductor, taken):
    conductor.set_nowait("deck1.trim", -3.0, when=FAR)
    if taken:
        kernel.render(64)
    again = Conductor(kernel.memory)
    for _ in range(2):
        restart(kernel)
        for _ in range(3):
            again.pump()
            kernel.render(64)
        ((_, command),) = again.waiting()
        assert (command.x, command.frame) == (-3.0, FAR)


async def test_a_command_whose_report_was_lost_is_not_awaited_for_ever(kernel, conductor):
    with pytest.RaisesGroup(pytest.RaisesExc(EngineError, match="lost the report of it")):
        async with trio.open_nursery() as nursery:
            moment = int(kernel.memory.engine["frame"]) + 64 * (REPORTS + 5)
            nursery.start_soon(lambda: conductor.set("crossfader", 5.0, when=moment, wait=True))
            await trio.testing.wait_all_tasks_blocked()
            for _ in range(REPORTS + 10):
                conductor._writer.write(1, 0, 0, 0.0, 0)
                kernel.render(64)
            for _ in range(4):
                conductor.pump()
                kernel.render(64)
