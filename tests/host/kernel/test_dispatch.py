"""Verbs and their functions, the rings, and what is reported of a command."""

import numpy as np
import pytest

from sfa_engine.desk import CONTROLS
from sfa_engine.engine.command import ANY, VERBS, Handover, Op, Reason, ReportKind, Ring, When
from sfa_engine.engine.layout import MAX_TIMED, REPORT, VALUE_INDEX
from sfa_engine.engine.ring import Command, CommandWriter, Report, waiting_commands
from sfa_engine.host.dsp_state import DspState
from sfa_engine.host.kernel import dispatch  # noqa: F401 - registers all
from sfa_engine.host.kernel.verbs import REGISTRY
from sfa_engine.host.loader import Loader
from sfa_engine.host.offline import Offline
from sfa_engine.track.grid import Anchor, Grid

RATE = 48_000
TICK = 32
GRID = Grid((Anchor(0.0, 0.0),), 120.0)
FAR = 1 << 40


@pytest.fixture
def engine():
    made = Offline(RATE, 2, TICK)
    made.load(0, {"mix": np.zeros((20 * RATE, 2), np.int16)}, rate=RATE, grid=GRID)
    made.render(TICK)
    made.reported()
    return made


def do(engine, op, **fields):
    """Do something now; return all reports of it, the last of them its end."""
    ticket = engine.push(Command(op, **fields))
    engine.render(TICK)
    reports = [r for r in engine.reported() if r.ring == Ring.STAGE and r.ticket == ticket]
    assert reports[-1].is_end
    return reports


def far(engine, deck=0, **fields):
    """Send a command that is due in a week; return its ticket."""
    moment = {"when": When.FRAME, "frame": FAR} | fields
    index = VALUE_INDEX[f"deck{deck + 1}.trim"]
    return engine.push(Command(Op.SET, deck=deck, target=index, x=-1.0, **moment))


# ---------------------------------------------------------------------- verbs


def test_the_verbs_of_the_desk_are_the_verbs_of_the_kernel():
    assert set(VERBS) == set(REGISTRY)
    ours = {"set", "load", "cancel", "follow", "sample", "ladder"}
    assert {op.name.lower() for op in Op} - ours == set(VERBS)


def test_a_verb_on_a_deck_that_does_not_exist_is_refused():
    engine = Offline(RATE, 2, TICK)
    for name, verb in REGISTRY.items():
        end = do(engine, Op[name.upper()], deck=7, x=1.0)[-1]
        assert (end.reason == Reason.UNKNOWN) is verb.needs_deck, name


def test_a_verb_that_needs_a_track_is_refused_without_one():
    engine = Offline(RATE, 2, TICK)
    for name, verb in REGISTRY.items():
        if verb.needs_track:
            assert do(engine, Op[name.upper()], x=1.0)[-1].reason == Reason.NO_TRACK, name


# ---------------------------------------------------------------------- reports


def test_a_report_carries_the_whole_command(engine):
    frame = int(engine.memory.engine["frame"]) + 5
    index = VALUE_INDEX["deck1.trim"]
    ticket = engine.push(
        Command(Op.SET, 0, index, -3.0, 7.0, When.FRAME, clock=1, frame=frame, source=1234)
    )
    engine.render(TICK)
    (report,) = engine.reported()
    assert report.kind is ReportKind.APPLIED
    assert (report.op, report.deck, report.target) == (Op.SET, 0, index)
    assert (report.x, report.y, report.when, report.clock) == (-3.0, 7.0, When.FRAME, 1)
    assert (report.source, report.ring, report.ticket) == (1234, Ring.STAGE, ticket)
    assert report.at == report.frame == frame


def test_reports_are_read_as_they_are_laid_out():
    assert Report._fields == REPORT.names


@pytest.mark.parametrize(
    "press", ["loop_beatloop", "loop_set_in", "hotcue_store", "cue", "hotcue_press"]
)
def test_what_a_button_changes_is_reported_with_its_source_and_number(engine, press):
    do(engine, Op.SEEK, x=3.0)
    *changes, end = do(engine, Op[press.upper()], x=1.0, source=1234)
    assert changes
    for change in changes:
        assert change.kind is ReportKind.CHANGED
        assert (change.source, change.op, change.seq) == (1234, Op[press.upper()], end.seq)


def test_what_happens_by_itself_has_no_source(engine):
    do(engine, Op.PLAY, x=1.0, source=1234)
    engine.render(21 * RATE)
    reports = engine.reported()
    ended = next(r for r in reports if r.kind is ReportKind.ENDED)
    stopped = next(r for r in reports if r.kind is ReportKind.CHANGED)
    assert (ended.source, ended.op, ended.deck, ended.seq) == (0, 0, 0, 0)
    assert (stopped.source, stopped.op, stopped.value_index) == (0, 0, VALUE_INDEX["deck1.play"])
    assert ended.value == pytest.approx(20.0)


def test_a_new_track_and_another_grid_of_the_same_are_told_apart(engine):
    assert engine.loader.give_grid(0, Grid((Anchor(0.0, 0.0),), 90.0))
    engine.render(TICK)
    (same,) = [r for r in engine.reported() if r.op == Op.LOAD]
    assert (same.ring, same.y) == (Ring.HOST, Handover.SAME)
    mounted = engine.loader.mount_arrays({"mix": np.zeros((RATE, 2), np.int16)}, RATE)
    ticket = engine.loader.give_track(0, mounted)
    engine.render(TICK)
    load = [r for r in engine.reported() if r.op == Op.LOAD][-1]
    assert (load.kind, load.ticket, load.y) == (ReportKind.APPLIED, ticket, Handover.NEW)
    assert ticket > same.ticket


# ---------------------------------------------------------------------- rings


def test_rings_are_drained_in_their_order_and_numbered_in_one_row(engine):
    writers = [CommandWriter(engine.memory, ring) for ring in (Ring.EFFECTS, Ring.MIDI)]
    for writer in writers:
        writer.push(Command(Op.SET, target=VALUE_INDEX["crossfader"], x=5.0))
    engine.set("crossfader", 7.0)
    engine.render(TICK)
    reports = engine.reported()
    assert [r.ring for r in reports] == [Ring.STAGE, Ring.MIDI, Ring.EFFECTS]
    assert [r.seq for r in reports] == [reports[0].seq + k for k in range(3)]
    assert engine.memory.value("crossfader") == 5.0


def test_numbers_go_on_when_a_new_host_takes_over(engine):
    before = do(engine, Op.PLAY, x=0.0)[-1]
    engine.dsp = DspState(engine.memory, RATE, 2)
    after = do(engine, Op.PLAY, x=0.0)[-1]
    assert after.seq == before.seq + 1
    assert after.ticket == before.ticket + 1


def test_the_tickets_of_a_new_writer_go_on(engine):
    engine.set("crossfader", 1.0)
    last = engine.set("crossfader", 2.0)
    assert CommandWriter(engine.memory, Ring.STAGE).write(Op.SET, 0, 0, 0.0, 0) == last + 1


def test_what_a_new_host_finds_of_the_old_ones_loader_is_not_loaded(engine):
    mounted = engine.loader.mount_arrays({"mix": np.zeros((RATE, 2), np.int16)}, RATE)
    engine.loader.give_track(1, mounted)
    engine.dsp = DspState(engine.memory, RATE, 2)
    engine.render(TICK)
    assert not [r for r in engine.reported() if r.op == Op.LOAD]


def test_a_writer_knows_how_far_its_commands_have_come(engine):
    writer = CommandWriter(engine.memory, Ring.STAGE)
    far(engine)
    engine.set("crossfader", 1.0)
    head = int(engine.memory.engine["rings"][Ring.STAGE]["head"])
    assert writer.done == head - 2
    engine.render(TICK)
    assert writer.done == head


# ---------------------------------------------------------------------- waiting commands


def test_waiting_commands_are_listed_in_the_order_they_came(engine):
    tickets = [far(engine), far(engine, deck=1), far(engine)]
    engine.set("crossfader", 1.0)
    engine.render(TICK)
    waiting = waiting_commands(engine.memory)
    assert [command.ticket for command in waiting] == tickets
    assert {(c.when, c.frame, c.x) for c in waiting} == {(When.FRAME, FAR, -1.0)}


@pytest.mark.parametrize(
    ("which", "left"),
    [
        ({"frame": ANY, "deck": ANY}, []),
        ({"frame": ANY, "deck": 1}, [0, 2]),
        ({"frame": 1, "deck": ANY}, [0, 2]),
    ],
)
def test_cancelled_commands_are_reported_and_gone(engine, which, left):
    tickets = [far(engine), far(engine, deck=1), far(engine)]
    engine.render(TICK)
    if which["frame"] != ANY:
        which = which | {"frame": tickets[which["frame"]]}
    cancel = engine.push(Command(Op.CANCEL, target=ANY, **which))
    engine.render(TICK)
    *cancelled, end = engine.reported()
    kept = [tickets[k] for k in left]
    assert [r.ticket for r in cancelled] == [t for t in tickets if t not in kept]
    assert {r.kind for r in cancelled} == {ReportKind.CANCELLED}
    assert (end.ticket, end.kind, end.x) == (cancel, ReportKind.APPLIED, 3 - len(kept))
    assert [c.ticket for c in waiting_commands(engine.memory)] == kept


def test_a_command_of_another_ring_is_not_meant(engine):
    ticket = far(engine)
    end = do(engine, Op.CANCEL, target=Ring.MIDI, frame=ticket, deck=ANY)[-1]
    assert (end.kind, end.reason) == (ReportKind.REFUSED, Reason.NOT_WAITING)
    assert len(waiting_commands(engine.memory)) == 1


def test_as_many_as_may_wait_block_the_next_until_they_are_cancelled(engine):
    for k in range(MAX_TIMED):
        far(engine)
        if k % 100 == 99:
            engine.render(TICK)
    engine.render(TICK)
    engine.reported()
    far(engine)
    engine.render(TICK)
    assert engine.reported()[-1].reason == Reason.FULL
    do(engine, Op.CANCEL, target=ANY, frame=ANY, deck=ANY)
    ticket = far(engine)
    engine.render(TICK)
    assert [c.ticket for c in waiting_commands(engine.memory)] == [ticket]


def test_a_bar_of_a_deck_whose_track_a_new_host_still_reads_is_waited_for(engine):
    do(engine, Op.PLAY, x=1.0)
    slot = int(engine.memory.engine["transport"][0]["head"]["slot"])
    pcm, frames = engine.loader._mounted[slot].pcm, engine.loader._mounted[slot].frames
    engine.dsp = DspState(engine.memory, RATE, 2)
    engine.loader = Loader(engine.dsp)
    ticket = far(engine, when=When.BAR, clock=1, frame=0)
    engine.render(RATE)
    assert [c.ticket for c in waiting_commands(engine.memory)] == [ticket]
    mounted = engine.loader.mount_arrays(pcm, RATE, grid=GRID)
    assert mounted.frames == frames
    engine.loader.give_track(0, mounted, resumed=True)
    engine.render(3 * RATE)
    assert waiting_commands(engine.memory) == []
    assert engine.memory.value("deck1.trim") == -1.0


# ---------------------------------------------------------------------- what SET sees to


def test_every_control_of_a_deck_is_known_as_its_own(engine):
    decks = engine.dsp.record["deck_of"]
    for path, index in VALUE_INDEX.items():
        expected = int(path[4]) - 1 if path.startswith("deck") else -1
        assert decks[index] == expected
        assert bool(engine.dsp.record["by_verb"][index]) == bool(CONTROLS[path].verb)
