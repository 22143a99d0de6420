"""Commands whose writer is wrong, hostile or many: refused, and nothing else suffers."""

import numpy as np
import pytest

from sfa_engine.engine.command import Handover, Op, Reason, ReportKind, Ring
from sfa_engine.engine.layout import COMMANDS, SLOTS, TICK, VALUE_INDEX
from sfa_engine.engine.ring import Command, CommandWriter, waiting_commands
from sfa_engine.host.offline import Offline

RATE = 48_000
FAR = 1 << 40
TRIM = VALUE_INDEX["deck1.trim"]


@pytest.fixture
def engine():
    made = Offline()
    made.load(0, {"mix": np.zeros((RATE, 2), np.int16)}, rate=RATE)
    made.render(TICK)
    made.reported()
    return made


def answer(engine, ring, command):
    ticket = CommandWriter(engine.memory, ring).push(command)
    engine.render(TICK)
    return next(r for r in engine.reported() if r.is_end and (r.ring, r.ticket) == (ring, ticket))


@pytest.mark.parametrize(
    "field",
    [
        {"y": np.nan},
        {"y": np.inf},
        {"when": 5},
        {"when": -1},
        {"clock": 100},
        {"when": 1, "frame": -(1 << 63)},
        {"target": 1 << 30},
        {"target": -2},
    ],
)
def test_a_field_out_of_range_is_refused(engine, field):
    said = answer(engine, Ring.EFFECTS, Command(Op.SET, **{"target": TRIM, **field}))
    assert (said.kind, said.reason) == (ReportKind.REFUSED, Reason.UNKNOWN)
    assert waiting_commands(engine.memory) == []


@pytest.mark.parametrize("ring", [Ring.STAGE, Ring.MIDI, Ring.EFFECTS])
def test_only_the_host_loads(engine, ring):
    before = engine.memory.engine["transport"]["head"]["slot"].tolist()
    said = answer(engine, ring, Command(Op.LOAD, target=5))
    assert (said.kind, said.reason) == (ReportKind.REFUSED, Reason.UNKNOWN)
    assert engine.memory.engine["transport"]["head"]["slot"].tolist() == before


@pytest.mark.parametrize(
    ("slot", "how"),
    [(-2, Handover.NEW), (SLOTS, Handover.NEW), (-1, Handover.SAME), (-1, Handover.RESUMED)],
)
def test_a_slot_that_does_not_exist_is_refused(engine, slot, how):
    x = float(engine.memory.engine["transport"][0]["head"]["slot"])
    before = engine.dsp.record["media"]["heads"].tolist()
    said = answer(engine, Ring.HOST, Command(Op.LOAD, target=slot, x=x, y=float(how)))
    assert (said.kind, said.reason) == (ReportKind.REFUSED, Reason.UNKNOWN)
    assert engine.dsp.record["media"]["heads"].tolist() == before


def test_a_timed_command_behind_many_that_are_due_waits_all_the_same(engine):
    for number in range(COMMANDS - 1):
        engine.set("crossfader", float(number % 90))
    engine.set("deck1.trim", -3.0, frame=FAR)
    engine.render(COMMANDS // 100 * TICK)
    (waiting,) = waiting_commands(engine.memory)
    assert waiting.target == TRIM


def test_a_wrong_head_costs_a_tick_no_more_than_a_full_ring(engine):
    ring = engine.memory.engine["rings"][Ring.EFFECTS]
    ring["head"] = 1 << 40
    engine.render(TICK)
    assert int(ring["tail"]) <= COMMANDS
