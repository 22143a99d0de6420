"""Brake, spin-back, start and stop times, and a hand on the platter, by place and by speed."""

import numpy as np
import pytest
import scenes

from sfa_engine.desk import CONTROLS
from sfa_engine.engine.command import Op, When
from sfa_engine.engine.layout import FASTEST, TICK, Move
from sfa_engine.engine.ring import Command
from sfa_engine.host.offline import Offline
from sfa_engine.track.grid import Anchor, Grid

RATE = 48_000
LENGTH_S = 30
GRID = Grid((Anchor(0.0, 0.0),), 120.0)
RNG = np.random.default_rng(3)
HISS = RNG.integers(-8000, 8000, (LENGTH_S * RATE, 2), dtype=np.int16)


def tone(hertz, level=0.5):
    time = np.arange(LENGTH_S * RATE) / RATE
    mono = level * np.sin(2 * np.pi * hertz * time)
    return np.stack([mono, mono], axis=1).astype(np.float32)


def engine_at(start_s=10.0, *, source=HISS, play=True, block=TICK, **settings):
    """Return an engine with a track on deck 1, which plays from a place."""
    engine = Offline(RATE, 2, block)
    engine.load(0, {"mix": source}, rate=RATE, grid=GRID)
    engine.set("deck1.assign", 2.0)
    for name, value in settings.items():
        engine.set(f"deck1.{name}", value)
    engine.push(Command(Op.SEEK, x=start_s))
    if play:
        engine.push(Command(Op.PLAY, x=1.0))
    engine.render(TICK)
    return engine


def machine(engine, deck=0):
    return engine.memory.engine["transport"][deck]


def place_s(engine, deck=0):
    """Return where a deck is, in seconds of its track."""
    transport = machine(engine, deck)
    if not transport["playing"]:
        return float(transport["position"]) / RATE
    head = transport["head"]
    gone = int(engine.memory.engine["frame"]) - int(head["anchor_frame"])
    return (float(head["anchor_position"]) + gone * float(head["speed"])) / RATE


def press(engine, op, x=1.0, frame=None):
    when = When.NOW if frame is None else When.FRAME
    engine.push(Command(op, x=x, when=when, frame=frame or 0))


def ticks(engine, seconds):
    """Render so long, tick by tick; return where the deck was before each and at the end."""
    places = [place_s(engine)]
    for _ in range(round(seconds * RATE / TICK)):
        engine.render(TICK)
        places.append(place_s(engine))
    return np.array(places)


def speeds(places):
    return np.diff(places) * RATE / TICK


# ---------------------------------------------------------------------- brake, start, stop


@pytest.mark.parametrize("time_s", [0.1, 0.5, 2.0])
def test_a_brake_stops_the_deck_in_its_time(time_s):
    engine = engine_at(brake_time=time_s)
    before = place_s(engine)
    press(engine, Op.BRAKE)
    places = ticks(engine, time_s + 0.1)
    assert not machine(engine)["playing"]
    assert places[-1] - before == pytest.approx(time_s / 2, abs=0.003)
    slower = np.diff(speeds(places)[1:])
    assert (slower <= 1e-9).all()
    moving = np.flatnonzero(np.diff(places) > 0)[-1] * TICK / RATE
    assert moving == pytest.approx(time_s, abs=0.003)


def test_a_brake_puts_play_off_at_once_and_play_brings_the_deck_back_to_speed():
    engine = engine_at(brake_time=1.0)
    engine.set("deck1.start_time", 0.5)
    press(engine, Op.BRAKE)
    ticks(engine, 0.5)
    assert engine.memory.value("deck1.play") == 0.0
    assert machine(engine)["playing"]
    press(engine, Op.PLAY)
    places = ticks(engine, 0.5)
    assert speeds(places)[-1] == pytest.approx(1.0, abs=1e-6)
    assert machine(engine)["motion"]["kind"] == Move.NONE
    assert speeds(places).min() == pytest.approx(0.5, abs=0.01)


def test_play_pressed_off_during_a_brake_stops_at_once():
    engine = engine_at(brake_time=5.0)
    press(engine, Op.BRAKE)
    ticks(engine, 0.2)
    press(engine, Op.PLAY, 0.0)
    engine.render(TICK)
    assert not machine(engine)["playing"]


def test_a_backwards_deck_brakes_too():
    engine = engine_at(reverse=1.0, brake_time=0.4)
    before = place_s(engine)
    press(engine, Op.BRAKE)
    ticks(engine, 0.5)
    assert not machine(engine)["playing"]
    assert before - place_s(engine) == pytest.approx(0.2, abs=0.003)


@pytest.mark.parametrize("time_s", [0.3, 1.2, 3.0])
def test_a_spin_back_throws_the_deck_back_and_stops_it(time_s):
    engine = engine_at(spinback_time=time_s)
    before = place_s(engine)
    press(engine, Op.SPINBACK)
    places = ticks(engine, time_s + 0.1)
    assert not machine(engine)["playing"]
    assert engine.memory.value("deck1.play") == 0.0
    assert speeds(places).min() == pytest.approx(-4.0, abs=0.3)
    assert before - places[-1] == pytest.approx(4.0 / 3.0 * (time_s - 0.06), abs=0.15)


def test_a_spin_back_near_the_start_stops_at_the_start():
    engine = engine_at(0.1, spinback_time=2.0)
    press(engine, Op.SPINBACK)
    ticks(engine, 2.2)
    assert not machine(engine)["playing"]
    assert place_s(engine) == pytest.approx(0.0, abs=4.0 / RATE)  # four frames of the track a frame


@pytest.mark.parametrize("time_s", [0.2, 1.0])
def test_a_start_takes_the_start_time(time_s):
    engine = engine_at(play=False, start_time=time_s)
    before = place_s(engine)
    press(engine, Op.PLAY)
    places = ticks(engine, time_s + 0.05)
    assert places[-1] - before == pytest.approx(time_s / 2 + 0.05, abs=0.003)
    assert speeds(places)[-1] == 1.0 or speeds(places)[-1] == pytest.approx(1.0, abs=1e-9)


def test_a_start_without_a_start_time_is_at_once():
    engine = engine_at(play=False)
    press(engine, Op.PLAY)
    engine.render(TICK)
    assert machine(engine)["motion"]["kind"] == Move.NONE
    assert place_s(engine) == pytest.approx(10.0 + TICK / RATE, abs=1e-9)


@pytest.mark.parametrize("time_s", [0.25, 1.0])
def test_a_stop_takes_the_stop_time(time_s):
    engine = engine_at(stop_time=time_s)
    before = place_s(engine)
    press(engine, Op.PLAY, 0.0)
    ticks(engine, time_s + 0.05)
    assert not machine(engine)["playing"]
    assert place_s(engine) - before == pytest.approx(time_s / 2, abs=0.003)


def test_a_brake_ends_without_a_click():
    # The least sound that a platter makes that nearly stands is the sound of one that stands.
    engine = engine_at(source=tone(50.0, 0.9), brake_time=0.3)
    press(engine, Op.BRAKE)
    heard = engine.render(round(0.5 * RATE))[:, 0]
    steps = np.abs(np.diff(heard[200:]))
    assert steps.max() < 1.3 * 0.9 * 2 * np.pi * 50.0 / RATE
    assert np.abs(heard[-4000:]).max() == 0.0


# ---------------------------------------------------------------------- a hand on the platter


def test_a_hand_holds_the_deck_and_its_release_lets_it_go_on():
    engine = engine_at()
    engine.set("deck1.touch", 1.0)
    places = ticks(engine, 0.1)
    assert places[-1] == places[-100]
    assert places[-1] - places[0] == pytest.approx(0.0035, abs=0.002)
    assert engine.memory.value("deck1.play") == 1.0
    engine.set("deck1.touch", 0.0)
    places = ticks(engine, 0.2)
    assert speeds(places)[-1] == pytest.approx(1.0, abs=1e-9)
    assert places[-1] - places[0] == pytest.approx(0.2 - 0.010, abs=0.002)


def test_a_platter_that_stands_is_silent_even_where_the_sound_is_not():
    source = np.full((LENGTH_S * RATE, 2), 20_000, np.int16)
    engine = engine_at(source=source)
    engine.set("deck1.touch", 1.0)
    heard = engine.render(round(0.2 * RATE))
    assert np.abs(heard[-2000:]).max() == 0.0
    assert np.abs(np.diff(heard[:, 0])).max() < 0.05


def test_the_release_of_a_paused_deck_leaves_it_paused():
    engine = engine_at(play=False)
    engine.set("deck1.touch", 1.0)
    engine.set("deck1.scratch", -200.0)
    ticks(engine, 0.2)
    assert place_s(engine) == pytest.approx(10.0 - 0.4, abs=0.02)
    engine.set("deck1.touch", 0.0)
    ticks(engine, 0.2)
    assert not machine(engine)["playing"]
    assert engine.memory.value("deck1.play") == 0.0


def test_a_paused_deck_that_is_scratched_is_heard():
    engine = engine_at(play=False)
    engine.set("deck1.touch", 1.0)
    engine.set("deck1.scratch", 100.0)
    heard = engine.render(9600)
    assert np.abs(heard[4800:]).max() > 0.1


@pytest.mark.parametrize("percents", [100.0, -100.0, 50.0, 400.0, -800.0, 1600.0, -1600.0])
def test_a_scratch_by_speed_has_that_speed(percents):
    engine = engine_at(15.0)
    engine.set("deck1.touch", 1.0)
    engine.set("deck1.scratch", percents)
    assert speeds(ticks(engine, 0.2))[-1] == pytest.approx(percents / 100.0, rel=1e-3)


def test_a_scratch_without_a_touch_does_nothing():
    engine = engine_at()
    engine.set("deck1.scratch", -400.0)
    engine.set("deck1.platter", 3.0)
    places = ticks(engine, 0.1)
    assert places[-1] - places[0] == pytest.approx(0.1, abs=1e-9)


def follow(turn, seconds, every_s=0.0025, source=HISS):
    """Turn the platter by messages; return times, where the deck is, where the hand, the sound."""
    engine = engine_at(source=source)
    engine.set("deck1.touch", 1.0)
    engine.render(4800)
    start = int(engine.memory.engine["frame"])
    places, heard, sent = [place_s(engine)], [], 0
    for tick in range(round(seconds * RATE / TICK)):
        while round(sent * every_s * RATE) < (tick + 1) * TICK:
            frame = start + round(sent * every_s * RATE)
            engine.set("deck1.platter", turn(sent * every_s), frame)
            sent += 1
        heard.append(engine.render(TICK))
        places.append(place_s(engine))
    times = np.arange(len(places)) * TICK / RATE
    hand = np.array([turn(t) for t in times]) - turn(0.0)
    return times, np.array(places) - places[0], hand, np.concatenate(heard)[:, 0]


@pytest.mark.parametrize("amplitude_s", [0.05, 0.2])
def test_the_deck_follows_the_platter_within_ten_milliseconds(amplitude_s):
    def turn(t):
        return amplitude_s * np.sin(2 * np.pi * 2.0 * t)

    times, deck, _, _ = follow(turn, 0.5)
    lags = np.arange(0.0, 0.02, 0.0005)
    hands = [np.array([turn(t) for t in np.maximum(0.0, times - lag)]) for lag in lags]
    errors = [np.abs(deck - hand).max() for hand in hands]
    best = lags[int(np.argmin(errors))]
    assert 0.003 <= best <= 0.010
    assert min(errors) < 0.02 * amplitude_s


def test_the_platter_ends_where_the_hand_does():
    _, deck, hand, _ = follow(lambda t: min(t, 0.2), 0.4)
    assert deck[-1] == pytest.approx(hand[-1], abs=1e-4)
    assert deck.max() <= hand[-1] + 1e-3  # it does not overshoot


def purity_db(heard, skip=12_000):
    """Return how far everything else is below the strongest tone and 60 Hz around it."""
    part = heard[skip : skip + 16_384] * np.kaiser(16_384, 16)
    power = np.abs(np.fft.rfft(part)) ** 2
    top = int(power.argmax())
    near = slice(max(0, top - 20), top + 21)
    rest = power.sum() - power[near].sum()
    return 10 * np.log10(rest / power[near].sum())


@pytest.mark.parametrize(("every_s", "below_db"), [(0.0025, -80.0), (0.00726, -40.0)])
def test_a_steady_turn_has_no_zipper_noise(every_s, below_db):
    *_, heard = follow(lambda t: t, 0.7, every_s, tone(1000.0))
    assert purity_db(heard) < below_db


def test_the_hand_stays_within_the_track():
    engine = engine_at(1.0)
    engine.set("deck1.touch", 1.0)
    engine.set("deck1.scratch", -1600.0)
    ticks(engine, 6.0)
    assert place_s(engine) == pytest.approx(-60.0, abs=1e-6)
    assert machine(engine)["playing"]
    engine.set("deck1.scratch", 1600.0)
    ticks(engine, 7.0)
    assert place_s(engine) == pytest.approx(LENGTH_S, abs=1e-6)
    assert machine(engine)["playing"]
    engine.set("deck1.touch", 0.0)
    engine.set("deck1.scratch", 0.0)
    ticks(engine, 0.2)
    assert not machine(engine)["playing"]


def test_a_platter_that_pushed_against_the_end_comes_back_at_once():
    engine = engine_at(LENGTH_S - 0.05)
    engine.set("deck1.touch", 1.0)
    ticks(engine, 0.03)
    for k in range(100):
        engine.set("deck1.platter", 0.01 * k)
        ticks(engine, 0.005)
    assert place_s(engine) == pytest.approx(LENGTH_S, abs=1e-3)
    for k in range(20):
        engine.set("deck1.platter", 0.99 - 0.01 * k)
        ticks(engine, 0.005)
    ticks(engine, 0.05)
    assert place_s(engine) == pytest.approx(LENGTH_S - 0.19, abs=0.02)


def test_a_jump_under_a_hand_goes_there_and_stays_in_the_hand():
    engine = engine_at()
    engine.set("deck1.touch", 1.0)
    ticks(engine, 0.05)
    engine.set("deck1.platter", 0.1)
    ticks(engine, 0.1)
    press(engine, Op.SEEK, 20.0)
    ticks(engine, 0.1)
    assert place_s(engine) == pytest.approx(20.0, abs=1e-4)
    engine.set("deck1.platter", 0.3)
    ticks(engine, 0.1)
    assert place_s(engine) == pytest.approx(20.2, abs=1e-4)


def test_a_loop_goes_round_under_a_hand():
    engine = engine_at(10.0)
    engine.set("deck1.loop.start", 10.0)
    engine.set("deck1.loop.end", 10.5)
    press(engine, Op.LOOP_ACTIVE)
    engine.set("deck1.touch", 1.0)
    for k in range(200):
        engine.set("deck1.platter", 0.01 * k)
        places = ticks(engine, 0.01)
        assert (places >= 10.0 - 1e-3).all()
        assert (places <= 10.5 + 1e-3).all()


# ---------------------------------------------------------------------- sound at speed


def heard_at(hertz, percents):
    engine = engine_at(15.0 if percents > 0 else 28.0, source=tone(hertz))
    engine.set("deck1.touch", 1.0)
    engine.set("deck1.scratch", percents)
    engine.render(4800)
    return engine.render(16_384)[:, 0]


@pytest.mark.parametrize("speed", [2, 4, -4, 8, 16])
@pytest.mark.parametrize("share", [1.02, 1.1, 1.3, 1.7, 1.95])
def test_nothing_is_heard_of_what_lies_above_the_half_rate(speed, share):
    hertz = min(23_900.0, share * RATE / 2 / abs(speed))
    heard = heard_at(hertz, 100.0 * speed)
    assert 20 * np.log10(np.abs(heard).max() / 0.5 + 1e-12) < -60.0


@pytest.mark.parametrize("speed", [2, 3, 4, 5, 8, 11, -16])
def test_what_lies_below_a_quarter_of_the_rate_passes(speed):
    heard = heard_at(8000.0 / abs(speed), 100.0 * speed)
    assert np.sqrt(2.0 * np.mean(heard[:14_400] ** 2)) == pytest.approx(0.5, rel=0.02)
    assert purity_db(heard, 0) < -60.0


# ---------------------------------------------------------------------- what may come in


@pytest.mark.parametrize("value", [np.inf, -np.inf, np.nan, 1e300, -1e11])
@pytest.mark.parametrize("name", ["scratch", "platter", "brake_time", "start_time", "touch"])
def test_no_number_breaks_the_motion(name, value):
    engine = engine_at()
    engine.set("deck1.touch", 1.0)
    engine.set(f"deck1.{name}", value)
    press(engine, Op.BRAKE)
    places = ticks(engine, 0.2)
    assert np.isfinite(places).all()
    assert np.abs(speeds(places)).max() <= FASTEST + 1e-6
    assert np.isfinite(engine.render(4800)).all()
    scale = CONTROLS[f"deck1.{name}"].scale
    assert scale.low <= engine.memory.value(f"deck1.{name}") <= scale.high


def test_a_touch_on_an_empty_deck_does_nothing_and_holds_the_track_that_comes():
    engine = Offline(RATE, 2, TICK)
    engine.set("deck1.touch", 1.0)
    engine.set("deck1.scratch", 300.0)
    for op in (Op.BRAKE, Op.SPINBACK, Op.CENSOR, Op.NEEDLE):
        press(engine, op)
    engine.render(480)
    engine.set("deck1.scratch", 0.0)
    engine.load(0, {"mix": HISS}, rate=RATE)
    ticks(engine, 0.1)
    assert place_s(engine) == 0.0
    press(engine, Op.PLAY)
    ticks(engine, 0.1)
    assert place_s(engine) == 0.0
    engine.set("deck1.touch", 0.0)
    ticks(engine, 0.1)
    assert place_s(engine) == pytest.approx(0.09, abs=0.005)


def test_another_track_under_the_hand_is_held_at_its_start():
    engine = engine_at()
    engine.set("deck1.touch", 1.0)
    engine.set("deck1.scratch", 700.0)
    ticks(engine, 0.1)
    engine.set("deck1.scratch", 0.0)
    engine.load(0, {"mix": HISS}, rate=RATE)
    ticks(engine, 0.1)
    assert place_s(engine) == 0.0
    engine.set("deck1.touch", 0.0)
    ticks(engine, 0.1)
    assert not machine(engine)["playing"]


def test_a_track_that_is_taken_away_under_the_hand_leaves_silence():
    engine = engine_at()
    engine.set("deck1.touch", 1.0)
    engine.set("deck1.scratch", 700.0)
    engine.render(4800)
    engine.loader._commands.push(Command(Op.LOAD, target=-1))
    engine.render(4800)
    assert np.abs(engine.render(4800)).max() == 0.0
    assert engine.reported()


# ---------------------------------------------------------------------- others


def test_others_keep_their_tempo_while_the_leader_is_scratched():
    engine = engine_at()
    engine.load(1, {"mix": HISS}, rate=RATE, grid=Grid((Anchor(0.0, 0.0),), 126.0))
    engine.push(Command(Op.SYNC, deck=1, x=2.0))
    engine.push(Command(Op.PLAY, deck=1, x=1.0))
    engine.render(RATE)
    assert machine(engine, 1)["following"] == 1
    rate = engine.memory.value("deck2.rate")
    engine.set("deck1.touch", 1.0)
    for percents in (-300.0, 500.0, 0.0):
        engine.set("deck1.scratch", percents)
        ticks(engine, 0.2)
        assert engine.memory.value("deck2.rate") == pytest.approx(rate, rel=1e-6)
        assert machine(engine, 1)["following"] == 0
        assert float(machine(engine, 1)["head"]["speed"]) == pytest.approx(rate, rel=1e-3)
        assert 100.0 < engine.memory.engine["clock_speed"] * RATE * 60 < 140.0


def test_the_wheel_that_is_touched_does_not_bend():
    engine = engine_at(play=True)
    engine.set("deck1.touch", 1.0)
    engine.set("deck1.bend", 40.0)
    ticks(engine, 0.1)
    assert speeds(ticks(engine, 0.05)).max() == 0.0


def test_a_needle_goes_to_a_share_of_the_track():
    engine = engine_at()
    press(engine, Op.NEEDLE, 50.0)
    engine.render(TICK)
    assert place_s(engine) == pytest.approx(15.0, abs=0.002)
    assert engine.memory.value("deck1.needle") == pytest.approx(50.0, abs=0.01)
    for value, place in ((1e9, LENGTH_S), (-7.0, 0.0)):
        press(engine, Op.PLAY, 0.0)
        press(engine, Op.NEEDLE, value)
        engine.render(TICK)
        assert place_s(engine) == place


@pytest.mark.parametrize("beats", [1.0, -4.0, 0.5])
def test_a_beat_jump_moves_by_beats(beats):
    engine = engine_at()
    before = place_s(engine)
    press(engine, Op.JUMP, beats)
    engine.render(TICK)
    assert place_s(engine) - before == pytest.approx(0.5 * beats + TICK / RATE, abs=1e-9)


@pytest.mark.parametrize("block", [32, 100, 1024])
@pytest.mark.parametrize("scene", [scenes.brake, scenes.spinback, scenes.scratch, scenes.slip])
def test_every_size_of_block_gives_the_same_bytes(scene, block, monkeypatch):
    expected = scene()
    monkeypatch.setattr(
        scenes, "Offline", lambda rate, channels, _block: Offline(rate, channels, block)
    )
    assert scene().tobytes() == expected.tobytes()
