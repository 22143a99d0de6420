"""Who is told of a change: everybody but its sender, wherever the stage happens to look."""

import json

import numpy as np
import pytest

from sfa_engine.engine.command import Ring, Source
from sfa_engine.engine.layout import REPORTS, VALUE_INDEX
from sfa_engine.host.offline import Offline
from sfa_engine.stage.conductor import Conductor
from sfa_engine.stage.restarts import Restarts

HERE, THERE = 1001, 1002
RATE = 48_000


@pytest.fixture
def kernel():
    made = Offline()
    made.load(0, {"mix": np.zeros((RATE, 2), np.int16)}, rate=RATE)
    made.render(64)
    return made


@pytest.fixture
def conductor(kernel):
    return Conductor(kernel.memory)


@pytest.fixture
def heard(conductor):
    changes = []
    conductor.listen(lambda path, value, source: changes.append((path, value, source)))
    return changes


def pump_between_all(conductor):
    """Look after each single report: so it comes out when a block and a look fall together."""
    engine = conductor.memory.engine
    head = int(engine["report_head"])
    for end in range(int(engine["report_tail"]) + 1, head + 1):
        engine["report_head"] = end
        conductor.pump()


@pytest.mark.parametrize("when", [None, 640])
@pytest.mark.parametrize("value", [True, False])
@pytest.mark.parametrize("path", ["deck1.play", "deck1.loop.active"])
def test_a_change_is_notified_once_as_its_senders_wherever_the_stage_polls(
    kernel, conductor, heard, path, value, when
):
    conductor.set_nowait("deck1.loop.start", 0.2)
    conductor.set_nowait("deck1.loop.end", 0.5)
    conductor.set_nowait(path, not value, THERE)
    kernel.render(64)
    pump_between_all(conductor)
    heard.clear()
    conductor.set_nowait(path, value, HERE, when=when)
    kernel.render(1280)
    pump_between_all(conductor)
    assert [change for change in heard if change[0] == path] == [(path, float(value), HERE)]


@pytest.mark.parametrize(
    ("path", "value"), [("deck1.sync", 1.0), ("clock.tempo", 99.0), ("crossfader", 5.0)]
)
@pytest.mark.parametrize("when", [None, 640])
def test_so_is_what_the_kernel_only_sets(kernel, conductor, heard, path, value, when):
    conductor.set_nowait(path, value, HERE, when=when)
    kernel.render(1280)
    pump_between_all(conductor)
    assert heard == [(path, value, HERE)]


def test_a_consequence_for_another_control_is_notified_to_its_source_too(kernel, conductor, heard):
    conductor.set_nowait("deck1.leader", True, THERE)
    kernel.render(64)
    pump_between_all(conductor)
    heard.clear()
    conductor.set_nowait("deck2.leader", True, HERE)
    kernel.render(64)
    pump_between_all(conductor)
    assert heard == [("deck2.leader", 1.0, HERE), ("deck1.leader", 0.0, Source.ENGINE)]


def test_a_deck_that_starts_already_notifies_nothing_twice(kernel, conductor, heard):
    for source in (HERE, THERE):
        conductor.set_nowait("deck1.play", True, source)
        kernel.render(64)
        pump_between_all(conductor)
    assert heard == [("deck1.play", 1.0, HERE)]


def test_a_change_of_the_kernels_is_notified_although_the_same_was_set_before_its_report(
    kernel, conductor, heard
):
    conductor.set_nowait("deck1.leader", True, THERE)
    kernel.render(64)
    conductor.pump()
    conductor.set_nowait("deck2.leader", True, THERE)
    kernel.render(64)  # deck 1's is off again, and nobody has heard of it
    conductor.set_nowait("deck1.leader", False, HERE)
    kernel.render(64)
    conductor.pump()
    assert ("deck1.leader", 0.0, HERE) in heard


# ---------------------------------------------------------------------- what is on its way


def test_values_are_those_that_were_set_before_the_kernel_knows(kernel, conductor):
    for number in range(20):
        conductor.set_nowait("deck1.trim", -float(number) / 10)
        assert conductor.values()["deck1.trim"] == conductor.get("deck1.trim") == -number / 10
    kernel.render(64)
    conductor.pump()
    assert conductor.values()["deck1.trim"] == pytest.approx(-1.9)


def test_a_value_whose_report_found_no_room_is_the_kernels_again(kernel, conductor, heard):
    for number in range(REPORTS + 100):  # nobody fetches
        conductor.set_nowait("crossfader", float(number % 90))
        conductor.set_nowait("deck1.trim", -3.0, HERE)
        kernel.render(64)
    assert int(kernel.memory.engine["reports_lost"]) > 0
    for _ in range(3):
        conductor.pump()
        kernel.render(256)
    conductor.pump()
    kernel.memory.engine["flat"][VALUE_INDEX["deck1.trim"]] = 2.0  # was hidden for ever before
    assert conductor.get("deck1.trim") == 2.0
    assert not conductor._sent
    assert ("deck1.trim", -3.0, HERE) in heard


def test_a_value_that_a_dead_host_took_and_never_set_is_notified_as_it_is(kernel, conductor, heard):
    engine = kernel.memory.engine
    conductor.set_nowait("deck1.trim", -3.0, HERE)
    ring = engine["rings"][Ring.STAGE]
    ring["tail"] = ring["head"]  # taken off the ring, and dead
    engine["host_started_ns"] += 1
    conductor.pump()
    assert conductor.get("deck1.trim") == -3.0  # the next host may still do it
    kernel.render(256)
    conductor.pump()
    kernel.render(256)
    conductor.pump()
    assert conductor.get("deck1.trim") == 0.0
    assert heard == [("deck1.trim", -3.0, HERE), ("deck1.trim", 0.0, Source.ENGINE)]


def test_what_waits_on_the_ring_for_the_next_host_is_kept(kernel, conductor, heard):
    conductor.set_nowait("deck1.trim", -3.0, HERE)
    kernel.memory.engine["host_started_ns"] += 1
    conductor.pump()
    kernel.render(256)
    for _ in range(3):
        conductor.pump()
        kernel.render(256)
    assert conductor.get("deck1.trim") == kernel.memory.value("deck1.trim") == -3.0
    assert heard == [("deck1.trim", -3.0, HERE)]


# ---------------------------------------------------------------------- restarts


def test_a_note_is_read_when_it_has_changed_and_else_not(tmp_path, monkeypatch):
    path = tmp_path / "restarts.json"
    restarts = Restarts(path)
    restarts.poll()
    assert restarts.all == {}
    path.write_text(json.dumps({"host": {"why": "SIGKILL", "at": 5.0, "times": 0}}))
    reads = []
    read = Restarts._read
    monkeypatch.setattr(Restarts, "_read", lambda self: reads.append(1) or read(self))
    for _ in range(100):
        restarts.poll()
    assert restarts.all == {"host": ("SIGKILL", 5.0)}
    assert len(reads) == 1
    beside = tmp_path / "beside"
    beside.write_text(json.dumps({"stage": {"why": "hung", "at": 6.0}}))
    beside.replace(path)
    restarts.poll()
    assert restarts.all == {"stage": ("hung", 6.0)}
    path.unlink()
    restarts.poll()
    assert restarts.all == {}


@pytest.mark.parametrize(
    "text", ["", "[]", "7", '{"host": 5}', '{"host": {"why": 1}}', '{"host": {"at": "x"}}', "\xff"]
)
def test_a_note_that_is_damaged_is_none(tmp_path, text):
    path = tmp_path / "restarts.json"
    path.write_bytes(text.encode("latin-1"))
    restarts = Restarts(path)
    restarts.poll()
    assert restarts.all == {}
