"""Slip: whatever is done on top of a track, the deck is back where it would have been."""

import numpy as np
import pytest

from sfa_engine.engine.command import Op
from sfa_engine.engine.layout import TICK, Move, Slip
from sfa_engine.engine.ring import Command
from sfa_engine.host.offline import Offline
from sfa_engine.track.grid import Anchor, Grid

RATE = 48_000
LENGTH_S = 60
HISS = np.random.default_rng(5).integers(-8000, 8000, (LENGTH_S * RATE, 2), dtype=np.int16)
GRID = Grid((Anchor(0.0, 0.0),), 120.0)


def twins(rate=1.0, **settings):
    """Return an engine whose decks play the same; only the first has the settings."""
    engine = Offline(RATE, 2, TICK)
    for deck in (0, 1):
        engine.load(deck, {"mix": HISS}, rate=RATE, grid=GRID)
        engine.set(f"deck{deck + 1}.rate", rate)
    engine.render(4800)
    for deck in (0, 1):
        engine.push(Command(Op.SEEK, deck=deck, x=20.0))
        engine.push(Command(Op.PLAY, deck=deck, x=1.0))
    for name, value in settings.items():
        engine.set(f"deck1.{name}", value)
    engine.render(4800)
    assert apart(engine) == 0.0
    return engine


def place(engine, deck):
    transport = engine.memory.engine["transport"][deck]
    if not transport["playing"]:
        return float(transport["position"])
    head = transport["head"]
    gone = int(engine.memory.engine["frame"]) - int(head["anchor_frame"])
    return float(head["anchor_position"]) + gone * float(head["speed"])


def apart(engine):
    """Return how many track frames the first deck is from the other."""
    return place(engine, 0) - place(engine, 1)


def reasons(engine):
    return int(engine.memory.engine["transport"][0]["slip"]["reasons"])


def press(engine, op, x=1.0, target=0):
    engine.push(Command(op, x=x, target=target))


def hold(engine, op, **how):
    return (lambda: press(engine, op, 1.0, **how)), (lambda: press(engine, op, 0.0, **how))


def switch(engine, name, value=1.0):
    return (lambda: engine.set(f"deck1.{name}", value)), (lambda: engine.set(f"deck1.{name}", 0.0))


def scratch(engine):
    def begin():
        engine.set("deck1.touch", 1.0)
        engine.set("deck1.scratch", -500.0)

    def end():
        engine.set("deck1.touch", 0.0)
        engine.set("deck1.scratch", 0.0)

    return begin, end


def loop(engine):
    def begin():
        engine.set("deck1.loop.length", 0.5)
        press(engine, Op.LOOP_BEATLOOP)

    return begin, lambda: press(engine, Op.LOOP_BEATLOOP)


ACTS = {
    "loop": (Slip.LOOP, loop),
    "reverse": (Slip.REVERSE, lambda engine: switch(engine, "reverse")),
    "scratch": (Slip.MOTION, scratch),
    "hot cue": (Slip.HOTCUE, lambda engine: hold(engine, Op.HOTCUE_PRESS, target=3)),
    "censor": (Slip.CENSOR, lambda engine: hold(engine, Op.CENSOR)),
}


@pytest.mark.parametrize("rate", [1.0, 1.08, 0.93])
@pytest.mark.parametrize("act", ACTS)
def test_the_deck_returns_to_where_it_would_be(act, rate):
    reason, make = ACTS[act]
    engine = twins(rate, slip=1.0)
    engine.set("deck1.hotcue4.position", 5.0)
    engine.render(TICK)
    begin, end = make(engine)
    begin()
    engine.render(RATE // 2)
    assert reasons(engine) == reason
    assert abs(apart(engine)) > 1000
    assert engine.memory.snapshot()["values"]["deck"][0]["slipping"] == 1.0
    end()
    engine.render(2 * TICK)
    assert reasons(engine) == 0
    assert apart(engine) == pytest.approx(0.0, abs=1e-6)
    engine.render(RATE)
    assert apart(engine) == pytest.approx(0.0, abs=1e-6)


@pytest.mark.parametrize("op", [Op.BRAKE, Op.SPINBACK])
def test_a_brake_and_a_spin_back_end_on_the_track(op):
    engine = twins(slip=1.0, brake_time=0.5, spinback_time=0.6)
    press(engine, op)
    engine.render(round(0.4 * RATE))
    assert reasons(engine) == Slip.MOTION
    assert apart(engine) < -1000
    assert engine.memory.value("deck1.play") == 1.0
    engine.render(round(0.4 * RATE))
    assert reasons(engine) == 0
    assert apart(engine) == pytest.approx(0.0, abs=1e-6)
    assert engine.memory.engine["transport"][0]["motion"]["kind"] == Move.NONE


@pytest.mark.parametrize("act", [name for name in ACTS if name != "censor"])
def test_without_slip_the_deck_stays_where_it_got_to(act):
    engine = twins()
    engine.set("deck1.hotcue4.position", 5.0)
    begin, end = ACTS[act][1](engine)
    begin()
    engine.render(RATE // 2)
    end()
    engine.render(RATE // 2)
    assert abs(apart(engine)) > 1000


def test_a_change_of_the_rate_is_taken_along_underneath():
    engine = twins(slip=1.0)
    begin, end = scratch(engine)
    begin()
    engine.render(RATE // 4)
    for deck in (1, 2):
        engine.set(f"deck{deck}.rate", 1.1)
    engine.render(RATE // 4)
    end()
    engine.render(2 * TICK)
    assert apart(engine) == pytest.approx(0.0, abs=1e-6)


def test_what_overlaps_returns_when_the_last_one_ends():
    engine = twins(slip=1.0)
    begin, end = loop(engine)
    begin()
    engine.render(RATE // 4)
    press(engine, Op.CENSOR)
    engine.render(RATE // 4)
    assert reasons(engine) == Slip.LOOP | Slip.CENSOR
    end()
    engine.render(RATE // 8)
    assert reasons(engine) == Slip.CENSOR
    press(engine, Op.CENSOR, 0.0)
    engine.render(2 * TICK)
    assert apart(engine) == pytest.approx(0.0, abs=1e-6)


def test_slip_off_leaves_the_deck_where_it_is():
    engine = twins(slip=1.0)
    loop(engine)[0]()
    engine.render(RATE + 1600)
    before = place(engine, 0)
    engine.set("deck1.slip", 0.0)
    engine.render(TICK)
    assert reasons(engine) == 0
    assert place(engine, 0) - before == pytest.approx(TICK, abs=1e-6)
    assert engine.memory.value("deck1.loop.active") == 1.0


def test_censor_in_a_loop_returns_into_the_loop():
    engine = twins()
    for deck in (0, 1):
        engine.set(f"deck{deck + 1}.loop.start", 20.0)
        engine.set(f"deck{deck + 1}.loop.end", 20.75)
        engine.push(Command(Op.LOOP_ACTIVE, deck=deck, x=1.0))
    engine.render(TICK)
    press(engine, Op.CENSOR)
    engine.render(2 * RATE)
    press(engine, Op.CENSOR, 0.0)
    engine.render(2 * TICK)
    assert apart(engine) == pytest.approx(0.0, abs=1e-3)
    unrolled = engine.memory.engine["transport"]["unrolled"]
    assert unrolled[0] == pytest.approx(unrolled[1], abs=1e-6)


def test_a_second_hot_cue_takes_over_and_its_release_returns():
    engine = twins(slip=1.0)
    engine.set("deck1.hotcue1.position", 5.0)
    engine.set("deck1.hotcue2.position", 9.0)
    press(engine, Op.HOTCUE_PRESS, 1.0, 0)
    engine.render(4800)
    press(engine, Op.HOTCUE_PRESS, 1.0, 1)
    engine.render(4800)
    press(engine, Op.HOTCUE_PRESS, 0.0, 0)
    engine.render(4800)
    assert reasons(engine) == Slip.HOTCUE
    press(engine, Op.HOTCUE_PRESS, 0.0, 1)
    engine.render(2 * TICK)
    assert apart(engine) == pytest.approx(0.0, abs=1e-6)


@pytest.mark.parametrize("act", ACTS)
def test_others_stay_in_time_with_what_goes_on_underneath(act):
    engine = twins(slip=1.0)
    engine.set("deck1.hotcue4.position", 5.13)
    engine.push(Command(Op.SYNC, deck=1, x=2.0))
    engine.render(RATE // 2)
    begin, end = ACTS[act][1](engine)
    begin()
    for _ in range(30):
        engine.render(1600)
        assert engine.memory.engine["transport"][1]["following"] == 1
        assert engine.memory.value("deck2.rate") == pytest.approx(1.0, abs=1e-9)
        assert abs(float(engine.memory.engine["transport"][1]["head"]["speed"]) - 1.0) < 1e-6
    end()
    engine.render(RATE)
    assert apart(engine) == pytest.approx(0.0, abs=1e-6)


def test_a_synced_deck_that_slips_stays_in_phase_underneath():
    engine = twins()
    engine.set("deck1.slip", 1.0)
    engine.push(Command(Op.SYNC, deck=0, x=2.0))
    engine.set("deck2.rate", 1.05)
    engine.render(RATE)
    scratch(engine)[0]()
    engine.set("deck2.rate", 1.02)
    engine.render(RATE)
    scratch(engine)[1]()
    engine.render(2 * TICK)
    assert apart(engine) % 24_000 == pytest.approx(0.0, abs=150) or (
        apart(engine) % 24_000 == pytest.approx(24_000, abs=150)
    )


def test_a_track_that_ends_underneath_ends():
    engine = twins(slip=1.0)
    press(engine, Op.SEEK, LENGTH_S - 0.5)
    engine.render(TICK)
    loop(engine)[0]()
    engine.render(2 * RATE)
    assert engine.memory.engine["transport"][0]["playing"]
    loop(engine)[1]()
    engine.render(4 * TICK)
    assert not engine.memory.engine["transport"][0]["playing"]
    assert place(engine, 0) == LENGTH_S * RATE


@pytest.mark.parametrize("op", [Op.CENSOR, Op.HOTCUE_PRESS])
def test_what_is_held_on_a_deck_that_stands_does_not_slip(op):
    engine = twins(slip=1.0)
    press(engine, Op.PLAY, 0.0)
    engine.render(TICK)
    press(engine, op)
    engine.render(4800)
    assert reasons(engine) == 0


def test_a_stop_and_a_load_forget_the_track_underneath():
    engine = twins(slip=1.0)
    press(engine, Op.CENSOR)
    engine.render(4800)
    press(engine, Op.PLAY, 0.0)
    engine.render(TICK)
    assert reasons(engine) == 0
    press(engine, Op.PLAY)
    press(engine, Op.CENSOR)
    engine.render(4800)
    engine.load(0, {"mix": HISS}, rate=RATE)
    engine.render(TICK)
    assert reasons(engine) == 0
    assert place(engine, 0) == 0.0
    press(engine, Op.CENSOR, 0.0)
    engine.render(4800)
    assert place(engine, 0) == 0.0
