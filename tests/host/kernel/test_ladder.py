"""The overload ladder: quality steps down above the budget and up again, and each step is heard."""

import numpy as np
import pytest
from scenes import noise, playing, wave

from sfa_engine.desk.deck import KEYLOCK_MODES
from sfa_engine.desk.effects import KIND_NAMES
from sfa_engine.engine.command import Op, Reason, ReportKind, Ring
from sfa_engine.engine.layout import FEW_VOICES, LADDER_STEPS, POLYPHONY
from sfa_engine.engine.ring import Command, CommandWriter

RATE = 48_000
SETTLE = RATE // 10  # frames between two steps
TINY, HUGE = 1e-9, 1e9  # budgets that any block is above, and below
HOLD_S = 0.25


def budget(engine, share, hold_s=HOLD_S):
    engine.dsp.record["ladder_budget"] = share
    engine.dsp.record["ladder_hold"] = hold_s


def step(engine):
    engine.render(512)  # so that it is published
    return engine.memory.reading("engine.ladder")


def ask(engine, steps):
    """Do a step as the kernel does."""
    CommandWriter(engine.memory, Ring.HOST).push(Command(Op.LADDER, -1, x=float(steps)))
    engine.render(32)


def test_above_the_budget_it_steps_down_one_after_another_and_below_it_up_again():
    engine = playing(noise(1))
    budget(engine, TINY)
    down = [step(engine) for _ in range(LADDER_STEPS * SETTLE // 512 + 20)]
    assert sorted(set(down)) == list(range(LADDER_STEPS + 1))
    assert down == sorted(down)
    first = [down.index(k) for k in range(1, LADDER_STEPS + 1)]
    assert np.diff(first).min() * 512 >= SETTLE - 512
    budget(engine, HUGE)
    up = [step(engine) for _ in range(int(LADDER_STEPS * HOLD_S * RATE) // 512 + 40)]
    assert up == sorted(up, reverse=True)
    assert up[-1] == 0.0
    assert up.count(2.0) * 512 >= HOLD_S * RATE - 512


def test_without_a_budget_nothing_is_lowered():
    engine = playing(noise(1))
    engine.render(RATE)
    assert step(engine) == 0.0


def test_a_mean_between_both_ends_stays_where_it_is():
    """Hysteresis: what a step saves must not bring the step back."""
    engine = playing(noise(1))
    budget(engine, TINY)
    while step(engine) < 2.0:
        pass
    record = engine.dsp.record
    record["ladder_budget"] = 1.0
    for _ in range(int(2 * HOLD_S * RATE) // 32):
        # A block of 32 frames moves the mean by 0.02 at most, whatever it costs here.
        record["ladder_mean"] = 0.8
        engine.block = 32
        engine.render(32)
        assert engine.memory.reading("engine.ladder") == 2.0


def test_a_step_up_that_does_not_last_makes_the_next_one_wait_longer():
    engine = playing(noise(1))
    budget(engine, TINY)
    while step(engine) < 1.0:
        pass
    budget(engine, HUGE, 1.0)
    while step(engine) > 0.0:
        pass
    engine.dsp.record["ladder_budget"] = TINY
    while step(engine) < 1.0:
        pass
    assert engine.dsp.record["ladder_hold"] == 2.0


def test_every_step_is_reported_with_its_frame_and_no_client_can_ask_for_one():
    engine = playing(noise(1))
    engine.reported()
    budget(engine, TINY)
    engine.render(4 * SETTLE)
    steps = [r for r in engine.reported() if r.op == Op.LADDER]
    assert [r.x for r in steps] == [1.0, 2.0, 3.0]
    assert all(r.kind is ReportKind.APPLIED and r.ring == Ring.HOST for r in steps)
    engine.push(Command(Op.LADDER, -1, x=0.0))
    engine.render(512)
    (refused,) = [r for r in engine.reported() if r.op == Op.LADDER]
    assert (refused.kind, refused.reason) == (ReportKind.REFUSED, Reason.UNKNOWN)


# ---------------------------------------------------------------------- what each step does


def keylocked(mode, **settings):
    return playing(
        {"vocals": wave(150)},
        deck1__keylock=1.0,
        deck1__rate=1.06,
        deck1__keylock_mode=float(KEYLOCK_MODES.index(mode)),
        **settings,
    )


def largest_step(sound):
    return np.abs(np.diff(sound[:, 0])).max()


def test_step_one_stretches_in_time_without_a_click():
    fine = keylocked("finer")
    usual = largest_step(fine.render(RATE // 2))
    assert fine.dsp.record["channel"][0]["tonal"]["on"].any()
    ask(fine, 1)
    assert largest_step(fine.render(RATE // 10)) < 3 * usual
    assert not fine.dsp.record["channel"][0]["tonal"]["on"].any()
    ask(fine, 0)
    assert largest_step(fine.render(RATE // 10)) < 3 * usual
    assert fine.dsp.record["channel"][0]["tonal"]["on"].any()


def with_reverb(**settings):
    return playing(
        wave(480),
        deck1__fx1=1.0,
        fx1__slot1__kind=float(KIND_NAMES.index("reverb")),
        fx1__on=1.0,
        fx1__mix=100.0,
        **settings,
    )


def test_step_two_leaves_the_sound_without_effects_and_without_a_click():
    wet, dry = with_reverb(), playing(wave(480))
    wet.render(RATE // 2)
    dry.render(RATE // 2)
    ask(wet, 2)
    dry.render(32)
    changing = wet.render(RATE // 100)
    assert largest_step(changing) < 0.02
    dry.render(RATE // 100)
    assert np.array_equal(wet.render(RATE // 10), dry.render(RATE // 10))
    assert wet.dsp.record["unit"][0]["slot"][0]["ringing"] == 0
    ask(wet, 0)
    back = wet.render(RATE // 2)
    assert largest_step(back) < 0.02
    assert not np.array_equal(back[-4800:], dry.render(RATE // 2 + 32)[-4800:])


def test_step_three_leaves_the_newest_voices():
    engine = playing()
    for pad in range(32):
        engine.load_pad(pad, np.full((2 * RATE, 2), 0.01, np.float32), rate=RATE)
        engine.push(Command(Op["PAD_HIT"], -1, target=pad, x=127.0))
        engine.render(64)
    assert engine.memory.reading("sampler.voices") == 32 < POLYPHONY
    ask(engine, 3)
    engine.render(512)
    assert engine.memory.reading("sampler.voices") == FEW_VOICES
    assert engine.memory.reading("pad1.playing") == 0
    assert engine.memory.reading("pad32.playing") == 1
    engine.push(Command(Op["PAD_HIT"], -1, target=0, x=127.0))
    engine.render(512)
    assert engine.memory.reading("sampler.voices") == FEW_VOICES
    assert engine.memory.reading("pad1.playing") == 1


@pytest.mark.parametrize("block", [32, 128, 480])
def test_a_step_sounds_the_same_whatever_the_block(block):
    engines = [with_reverb(block=512), with_reverb(block=block)]
    sounds = []
    for engine in engines:
        engine.render(9600)
        ask(engine, 2)
        sounds.append(engine.render(9600))
    assert np.array_equal(*sounds)
