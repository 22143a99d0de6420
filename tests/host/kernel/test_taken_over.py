"""A command of the automatic mix gives way to the performer who has moved its control."""

import numpy as np
import pytest

from sfa_engine.engine.command import ANY, Op, Reason, ReportKind, Source, When
from sfa_engine.engine.intents import OPERATIONS
from sfa_engine.engine.layout import TICK, VALUE_INDEX, VALUE_PATHS
from sfa_engine.engine.ring import Command, waiting_commands
from sfa_engine.host.offline import Offline
from sfa_engine.track.grid import Anchor, Grid

HAND = Source.SOCKET + 3


@pytest.fixture
def engine():
    made = Offline()
    noise = np.random.default_rng(1).uniform(-0.1, 0.1, (200_000, 2)).astype(np.float32)
    made.load(0, {"drums": noise, "bass": noise}, grid=Grid((Anchor(0.0, 0.0),), 120.0))
    made.render(TICK)
    made.reported()
    return made


def send(engine, path, value, source, since=0, frame=None):
    about = OPERATIONS[path]
    when = When.NOW if frame is None else When.FRAME
    return engine.push(
        Command(
            *(about.op, about.deck, about.target, value, float(since)),
            *(when, 0, frame or 0, source),
        )
    )


def refused(engine):
    return [r.ticket for r in engine.reported() if r.reason == Reason.TAKEN_OVER]


@pytest.mark.parametrize(
    ("path", "queued", "by_hand"),
    [
        ("deck1.fader", -12.0, -3.0),
        ("deck1.play", 1.0, 0.0),
        ("deck1.stem.bass.mute", 1.0, 0.0),
        ("deck1.stem.bass.loop", 1.0, 0.0),
        ("deck2.eq.low.gain", -20.0, 3.0),
    ],
)
def test_what_waits_gives_way_to_a_hand_in_the_same_block(engine, path, queued, by_hand):
    ticket = send(engine, path, queued, Source.MIX, frame=400)
    send(engine, path, by_hand, HAND, frame=390)
    engine.render(512)
    assert refused(engine) == [ticket]
    assert engine.memory.value(path) == by_hand


def test_other_controls_and_decks_go_on(engine):
    send(engine, "deck1.fader", -3.0, HAND)
    for path in ("deck2.fader", "deck1.trim", "deck1.stem.bass.volume"):
        send(engine, path, -6.0, Source.MIX, frame=400)
    engine.render(512)
    assert refused(engine) == []
    assert engine.memory.value("deck2.fader") == engine.memory.value("deck1.trim") == -6.0


def test_a_command_that_was_planned_after_the_touch_is_done(engine):
    send(engine, "deck1.fader", -3.0, HAND)
    engine.render(TICK)
    send(engine, "deck1.fader", -9.0, Source.MIX, since=int(engine.memory.engine["seq"]))
    engine.render(TICK)
    assert refused(engine) == []
    assert engine.memory.value("deck1.fader") == -9.0


def test_host_stage_and_mix_itself_take_nothing_over(engine):
    for source in (Source.HOST, Source.STAGE, Source.MIX):
        send(engine, "deck1.fader", -3.0, source)
    engine.render(TICK)
    assert not engine.memory.engine["touched"].any()


def test_what_a_button_changes_is_taken_over_too(engine):
    send(engine, "deck1.acapella", 1.0, HAND)
    engine.render(TICK)
    touched = {VALUE_PATHS[n] for n in np.flatnonzero(engine.memory.engine["touched"])}
    assert "deck1.acapella" in touched
    assert "deck1.fader" not in touched


def test_a_command_without_a_track_is_refused_and_takes_nothing_over(engine):
    send(engine, "deck2.play", 1.0, HAND)
    engine.render(TICK)
    assert engine.memory.engine["touched"][VALUE_INDEX["deck2.play"]] == 0


def test_what_waits_of_one_source_is_cancelled(engine):
    kept = send(engine, "deck1.fader", -3.0, HAND, frame=10**9)
    gone = send(engine, "deck1.trim", -3.0, Source.MIX, frame=10**9)
    engine.render(TICK)
    engine.push(Command(Op.CANCEL, deck=ANY, target=ANY, x=float(Source.MIX), frame=ANY))
    engine.render(TICK)
    reports = engine.reported()
    assert [r.ticket for r in reports if r.kind is ReportKind.CANCELLED] == [gone]
    assert [command.ticket for command in waiting_commands(engine.memory)] == [kept]
