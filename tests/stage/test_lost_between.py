"""What a dead host, a full ring or lost reports take with them, and what must come through."""

import numpy as np
import pytest
import trio
import trio.testing

from sfa_engine.engine.command import Op, Ring
from sfa_engine.engine.layout import COMMANDS, VALUE_INDEX
from sfa_engine.engine.memory import Memory
from sfa_engine.engine.ring import CommandWriter
from sfa_engine.errors import Refused
from sfa_engine.host.dsp_state import DspState
from sfa_engine.host.offline import Offline
from sfa_engine.stage import core
from sfa_engine.stage.conductor import Conductor
from sfa_engine.stage.session_lock import SessionLock
from sfa_engine.system.runtime_files import ENGINE_MEMORY

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


@pytest.mark.parametrize("number_is_given", [True, False])
async def test_a_command_cancelled_while_the_host_restarts_is_never_done(
    kernel, conductor, number_is_given
):
    conductor.set_nowait("deck1.trim", -3.0, when=FAR)
    kernel.render(64)
    ((number, _),) = conductor.waiting()
    cancelled = []

    async def cancel():
        cancelled.append(await conductor.cancel(number if number_is_given else None))

    async with trio.open_nursery() as nursery:
        nursery.start_soon(cancel)
        await trio.testing.wait_all_tasks_blocked()
        assert conductor.waiting() == []
        restart(kernel)
        kernel.render(64)
        conductor.pump()
    assert cancelled == [1]
    kernel.render(64)
    conductor.pump()
    assert conductor.waiting() == []


async def test_an_awaited_command_cancelled_while_the_host_restarts_is_reported(kernel, conductor):
    async def awaiting():
        with pytest.raises(Refused, match=r"crossfader was cancelled"):
            await conductor.set("crossfader", 5.0, when=FAR, wait=True)

    async with trio.open_nursery() as nursery:
        nursery.start_soon(awaiting)
        await trio.testing.wait_all_tasks_blocked()
        kernel.render(64)
        nursery.start_soon(conductor.cancel)
        await trio.testing.wait_all_tasks_blocked()
        restart(kernel)
        kernel.render(64)
        conductor.pump()


def test_what_waits_is_repeated_although_the_ring_was_full_when_the_host_came(kernel, conductor):
    conductor.set_nowait("deck1.trim", -3.0, when=FAR)
    kernel.render(64)
    conductor.pump()
    for number in range(COMMANDS):
        conductor.set_nowait("crossfader", float(number % 90))
    restart(kernel)
    conductor.pump()
    for _ in range(4):
        kernel.render(256)
        conductor.pump()
    kernel.render(64)
    ((_, command),) = conductor.waiting()
    assert (command.x, command.frame) == (-3.0, FAR)
    assert kernel.memory.engine["waiting_count"] == 1


def test_a_value_whose_change_was_not_reported_is_notified_in_the_end(kernel, conductor):
    heard = {}
    conductor.listen(lambda path, value, _source: heard.update({path: value}))
    pads = CommandWriter(kernel.memory, Ring.MIDI)
    while not kernel.memory.engine["reports_lost"]:  # nobody fetches
        for _ in range(60):
            pads.write(Op.SET, 0, VALUE_INDEX["crossfader"], 0.0, 1001)
        kernel.render(64)
    pads.write(Op.SET, 0, VALUE_INDEX["deck1.trim"], -3.0, 1001)
    kernel.render(64)
    for _ in range(3):
        conductor.pump()
        kernel.render(64)
    assert heard["deck1.trim"] == -3.0


def test_a_deck_whose_play_is_under_way_is_locked(conductor):
    lock = SessionLock(conductor)
    conductor.set_nowait("deck1.play", True)
    with pytest.raises(Refused, match="deck 1 is audible"):
        lock.check_deck(1, "loading", force=False)
    assert lock.is_locked


async def test_an_earlier_load_does_not_take_the_place_of_a_later_one_that_is_prepared(
    tmp_path, monkeypatch
):
    Memory.create(tmp_path / ENGINE_MEMORY).engine["sample_rate"] = float(RATE)
    found = trio.Event()

    async def ask_backstage(_runtime, _verb, *, words, **_):
        if words == "slow":
            await found.wait()
            return {"bundle": "/tracks/slow.sfa"}
        return {"preparing": 7, "name": words, "track": None}

    monkeypatch.setattr(core, "ask_backstage", ask_backstage)
    stage = core.Core(tmp_path)
    with pytest.RaisesGroup(pytest.RaisesExc(Refused, match="by a later request")):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(lambda: stage.deck_load(1, track="slow"))
            await trio.testing.wait_all_tasks_blocked()
            assert (await stage.deck_load(1, track="later"))["preparing"] == 7
            found.set()
    assert stage._pending._waiting[0] is not None
