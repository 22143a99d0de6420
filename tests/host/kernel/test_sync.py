"""The rules of sync, lead and the session's clock, each by its name in ``docs/performing.md``."""

import itertools

import numpy as np
import pytest
from two_decks import QUIET, RATE, Decks

from sfa_engine.desk import CONTROLS
from sfa_engine.desk.scale import NOT_SET
from sfa_engine.engine.command import Handover, Op, Reason, ReportKind, When
from sfa_engine.engine.layout import TICK, VALUE_INDEX
from sfa_engine.engine.ring import Command
from sfa_engine.host.kernel import sync
from sfa_engine.track.grid import Anchor, Grid


def followed(mode="tempo"):
    """Return two decks, the second following the first."""
    decks = Decks(124.0, 128.0)
    decks.play(1)
    decks.sync(2, mode)
    decks.play(2)
    decks.wait(0.5)
    assert decks.tempo(2) == pytest.approx(124.0, abs=1e-9)
    return decks


# ---------------------------------------------------------------------- holding the tempo


@pytest.mark.parametrize("mode", ["tempo", "beat"])
@pytest.mark.parametrize("named", [True, False])
@pytest.mark.parametrize("way", ["stop", "eject", "reload", "end", "unnamed", "off", "cue"])
def test_a_deck_keeps_the_followed_tempo_when_it_follows_no_more(way, named, mode):
    decks = followed(mode)
    if named:
        decks.do(Op.LEADER, 1)
    before = decks.value("deck2.rate")
    if way == "stop":
        decks.stop(1)
    elif way == "eject":
        decks.do(Op.LOAD, 1, 0.0, target=-1)
    elif way == "reload":
        decks.load(1, 150.0)
    elif way == "end":
        decks.do(Op.SEEK, 1, 89.99)
        decks.wait(0.1)
        assert decks.value("deck1.play") == 0.0
    elif way == "unnamed":
        decks.do(Op.LEADER, 1, 0.0)
    elif way == "off":
        decks.sync(2, "off")
    else:
        decks.do(Op.CUE, 1)
    decks.wait(1.0)
    assert decks.value("deck2.rate") == pytest.approx(before, rel=1e-12)
    assert decks.tempo(2) == pytest.approx(124.0, abs=1e-9)


def test_loading_onto_the_stopped_leader_leaves_the_deck_on_air_alone():
    decks = Decks(124.0, 128.0)
    decks.do(Op.LEADER, 2)
    decks.play(1)
    decks.sync(1)
    decks.play(2)
    decks.wait(2.0)
    on_air = decks.tempo(1)
    decks.stop(2)
    decks.load(2, 150.0)
    decks.wait(1.0)
    assert decks.tempo(1) == on_air
    assert decks.value("deck2.leader") == 0.0


def test_the_followed_tempo_stands_in_the_rate_and_is_reported():
    decks = Decks(124.0, 128.0)
    decks.play(1)
    decks.sync(2, "tempo")
    decks.engine.reported()
    decks.set("deck1.rate", 1.05)
    decks.wait(0.2)
    assert decks.value("deck2.rate") == pytest.approx(124.0 / 128.0 * 1.05)
    changes = [
        r.value
        for r in decks.engine.reported()
        if r.kind is ReportKind.CHANGED and r.value_index == VALUE_INDEX["deck2.rate"]
    ]
    assert changes[-1] == decks.value("deck2.rate")
    assert len(changes) <= 5  # not one a tick


def test_the_rate_of_a_deck_that_follows_is_not_to_be_set():
    decks = followed()
    ticket = decks.engine.set("deck2.rate", 1.3)
    decks.engine.render(TICK)
    answer = next(r for r in decks.engine.reported() if r.is_end and r.ticket == ticket)
    assert answer.x == decks.value("deck2.rate") == pytest.approx(124.0 / 128.0)
    decks.stop(1)
    decks.set("deck2.rate", 1.1)  # nobody to follow: it is the deck's own again
    assert decks.value("deck2.rate") == 1.1


# ---------------------------------------------------------------------- who leads


def test_a_named_leader_follows_nobody():
    decks = Decks(124.0, 128.0)
    decks.play(1)
    decks.play(2)
    decks.do(Op.LEADER, 1)
    decks.sync(1)
    decks.sync(2)
    decks.wait(4.0)  # until they are in phase
    assert decks.tempo(1) == pytest.approx(124.0, abs=1e-9)
    assert decks.tempo(2) == pytest.approx(124.0, abs=1e-9)
    decks.set("deck1.rate", 1.02)
    decks.wait(1.0)
    assert decks.tempo(1) == pytest.approx(124.0 * 1.02, abs=1e-6)
    assert decks.tempo(2) == pytest.approx(124.0 * 1.02, abs=1e-6)


def test_of_two_synced_decks_the_one_that_led_goes_on_leading():
    decks = Decks(124.0, 128.0)
    decks.play(1)
    decks.sync(1)
    decks.sync(2)
    decks.play(2)
    decks.wait(2.0)
    assert [decks.tempo(1), decks.tempo(2)] == pytest.approx([124.0, 124.0], abs=1e-9)
    decks.stop(1)
    decks.play(1)  # the lead has gone to deck 2, and stays there
    decks.wait(2.0)
    assert [decks.tempo(1), decks.tempo(2)] == pytest.approx([124.0, 124.0], abs=1e-9)
    decks.set("deck2.rate", 1.0)
    decks.wait(2.0)
    assert [decks.tempo(1), decks.tempo(2)] == pytest.approx([128.0, 128.0], abs=1e-6)


def test_a_deck_that_starts_takes_no_tempo_from_one_that_is_heard():
    decks = Decks(124.0, 140.0)
    decks.play(1)
    decks.sync(1)
    decks.play(2)  # not synced, and faster
    assert set(decks.tempi(1, 0.5)) == {decks.tempo(1)}
    assert decks.tempo(1) == pytest.approx(124.0)


def test_sync_on_the_deck_that_leads_follows_the_other():
    decks = Decks(124.0, 128.0)
    decks.play(1)
    decks.play(2)
    decks.sync(1, "tempo")
    decks.wait(1.0)
    assert [decks.tempo(1), decks.tempo(2)] == pytest.approx([128.0, 128.0], abs=1e-9)


def test_a_named_leader_that_stands_still_gives_its_tempo_before_the_start_only():
    decks = Decks(124.0, 128.0)
    decks.do(Op.LEADER, 1)
    decks.sync(2, "tempo")
    decks.play(2)
    assert decks.tempo(2) == pytest.approx(124.0)
    decks.set("deck1.rate", 1.1)
    decks.wait(0.5)
    assert decks.tempo(2) == pytest.approx(124.0)


# ---------------------------------------------------------------------- no leaps


@pytest.mark.parametrize("mode", ["tempo", "beat"])
def test_sync_on_a_deck_that_is_heard_glides(mode):
    decks = Decks(124.0, 128.0, firsts=(0.0, 0.2))
    decks.play(1)
    decks.play(2)
    decks.wait(0.3)
    position = decks.position(2)
    decks.do(Op.SYNC, 2, 1.0 if mode == "tempo" else 2.0)
    assert decks.position(2) == pytest.approx(position + TICK / RATE, abs=1e-6)
    tempi = decks.tempi(2, 12.0)
    assert np.abs(np.diff(tempi)).max() <= 2.01 * sync.SLEW * TICK / RATE * 128.0
    assert tempi[-1] == pytest.approx(124.0, abs=1e-9)
    if mode == "beat":
        assert abs(decks.error(2)) < 1.0 / RATE


@pytest.mark.parametrize("path", ["deck2.fader", "crossfader"])
def test_sync_on_a_deck_that_is_not_heard_is_there_at_once(path):
    decks = Decks(124.0, 128.0, firsts=(0.0, 0.2))
    decks.set(path, CONTROLS[path].scale.low)
    decks.play(1)
    decks.play(2)
    decks.wait(0.3)
    decks.sync(2)
    decks.wait(0.01)
    assert decks.tempo(2) == pytest.approx(124.0, abs=1e-9)
    assert abs(decks.error(2)) < 1.0 / RATE


def test_a_deck_that_starts_begins_in_phase():
    decks = Decks(124.0, 128.0, firsts=(0.0, 0.2))
    decks.play(1)
    decks.sync(2)
    decks.wait(0.7)
    decks.play(2)
    assert abs(decks.error(2)) < 1.0 / RATE
    assert set(np.round(decks.tempi(2, 1.0), 9)) == {124.0}


def test_a_bend_of_the_leader_is_followed_and_passes():
    decks = followed("beat")
    decks.set("deck1.bend", 4.0)
    decks.wait(2.0)
    assert decks.tempo(2) == pytest.approx(decks.tempo(1), rel=0.01)
    assert decks.tempo(1) == pytest.approx(124.0 * 1.04)
    decks.stop(1)
    decks.wait(1.0)
    assert decks.tempo(2) == pytest.approx(124.0, abs=1e-9)


def test_a_bend_of_the_follower_is_heard_and_the_phase_comes_back():
    decks = followed("beat")
    decks.set("deck2.bend", 5.0)
    decks.wait(1.0)
    assert decks.tempo(2) == pytest.approx(124.0 * 1.05)
    drifted = abs(decks.error(2))
    assert drifted > 0.03
    decks.set("deck2.bend", 0.0)
    decks.wait(8.0)
    assert abs(decks.error(2)) < 0.0006


@pytest.mark.parametrize(("own", "lead", "expected"), [(70.0, 140.0, 70.0), (174.0, 88.0, 176.0)])
def test_half_or_double_is_chosen_at_the_press_and_kept(own, lead, expected):
    decks = Decks(lead, own)
    decks.play(1)
    decks.sync(2, "tempo")
    decks.play(2)
    assert decks.tempo(2) == pytest.approx(expected)
    # As far as the leader goes: chosen anew at each moment it would fold at a factor of 1.41.
    decks.set("deck1.rate", 1.9)
    decks.wait(5.0)
    assert decks.tempo(2) == pytest.approx(expected * 1.9)


def test_a_grid_that_doubles_under_the_leader_leaves_the_follower_at_its_tempo():
    decks = followed()
    slot = int(decks.engine.memory.engine["transport"][0]["head"]["slot"])
    other = decks.engine.loader.mount_arrays(
        {"mix": QUIET}, RATE, grid=Grid((Anchor(0.0, 0.0),), 248.0)
    )
    other.filled.wait()
    decks.do(Op.LOAD, 1, float(slot), target=other.slot, y=float(Handover.SAME))
    decks.wait(1.0)
    assert decks.tempo(1) == pytest.approx(248.0)
    assert decks.tempo(2) == pytest.approx(124.0)


def test_a_deck_turned_round_is_not_pulled_by_one_that_runs_forward():
    decks = followed("beat")
    decks.do(Op.SEEK, 2, 30.0)
    decks.set("deck2.reverse", 1.0)
    assert set(np.round(decks.tempi(2, 2.0)[300:], 9)) == {124.0}


# ---------------------------------------------------------------------- quantise


def phase(decks, deck=1):
    return decks.engine.memory.reading(f"deck{deck}.beat") % 1.0


@pytest.mark.parametrize("op", ["hot cue", "seek", "jump", "reloop"])
def test_a_quantised_deck_stays_in_time_when_it_jumps(op):
    decks = Decks(120.0)
    decks.set("deck1.quantise", 1.0)
    decks.do(Op.SEEK, 1, 20.0)
    decks.do(Op.HOTCUE_STORE, 1, target=0)
    decks.set("deck1.loop.length", 4.0)
    decks.do(Op.LOOP_BEATLOOP, 1)
    decks.do(Op.LOOP_ACTIVE, 1, 0.0)
    decks.do(Op.SEEK, 1, 1.0)
    decks.play(1)
    decks.wait(0.324)  # late by 24 ms... of a beat of half a second, and more than half
    late = phase(decks)
    if op == "hot cue":
        decks.do(Op.HOTCUE_PRESS, 1, target=0)
        assert decks.position(1) == pytest.approx(20.0, abs=0.26)
    elif op == "seek":
        decks.do(Op.SEEK, 1, 33.1)
        assert decks.position(1) == pytest.approx(33.1, abs=0.26)
    elif op == "jump":
        decks.do(Op.JUMP, 1, 7.0)
    else:
        decks.do(Op.LOOP_RELOOP, 1)
    assert phase(decks) == pytest.approx(late + 2 * TICK / RATE, abs=2 * TICK / RATE)


def test_without_quantise_a_jump_goes_where_it_was_sent():
    decks = Decks(120.0)
    decks.play(1)
    decks.wait(0.324)
    decks.do(Op.SEEK, 1, 33.1)
    assert decks.position(1) == pytest.approx(33.1 + TICK / RATE, abs=1e-6)


def test_a_deck_that_stands_still_goes_exactly_where_it_is_sent():
    decks = Decks(120.0)
    decks.set("deck1.quantise", 1.0)
    decks.do(Op.SEEK, 1, 33.1)
    assert decks.position(1) == pytest.approx(33.1)


def test_a_hot_cue_of_a_beat_synced_deck_keeps_the_leaders_phase():
    decks = followed("beat")
    decks.do(Op.SEEK, 2, 40.123)
    decks.wait(0.01)
    assert abs(decks.error(2)) < 1.0 / RATE


# ---------------------------------------------------------------------- the range


@pytest.mark.parametrize("beats", [-256.0, 256.0])
def test_no_jump_leaves_the_track(beats):
    decks = Decks(120.0)
    decks.do(Op.SEEK, 1, 45.0)
    for _ in range(20):
        decks.do(Op.JUMP, 1, beats)
    assert decks.position(1) == (-60.0 if beats < 0 else 90.0)
    decks.do(Op.HOTCUE_STORE, 1, target=0)
    assert decks.value("deck1.hotcue1.position") == decks.position(1)
    decks.do(Op.SEEK, 1, 1.0)
    decks.do(Op.HOTCUE_PRESS, 1, target=0)  # it is set, at the very end of the range too
    assert decks.position(1) == (-60.0 if beats < 0 else 90.0)


@pytest.mark.parametrize("beats", [-64.0, 64.0])
def test_a_loop_is_not_moved_out_of_the_track(beats):
    decks = Decks(120.0)
    decks.do(Op.SEEK, 1, 45.0)
    decks.play(1)
    decks.do(Op.LOOP_BEATLOOP, 1)
    answers = [decks.do(Op.LOOP_MOVE, 1, beats) for _ in range(8)]
    assert answers[-1].kind is ReportKind.REFUSED
    assert answers[-1].reason == Reason.OUTSIDE
    start, end = decks.value("deck1.loop.start"), decks.value("deck1.loop.end")
    assert -60.0 <= start < end <= 90.0
    assert end - start == pytest.approx(2.0)
    assert start <= decks.position(1) < end


def test_a_loop_near_the_end_is_the_last_that_fits():
    decks = Decks(120.0)
    decks.do(Op.SEEK, 1, 89.6)
    decks.play(1)
    decks.do(Op.LOOP_BEATLOOP, 1)
    start, end = decks.value("deck1.loop.start"), decks.value("deck1.loop.end")
    assert end <= 90.0
    assert end - start == pytest.approx(2.0)
    assert start <= decks.position(1) < end
    decks.wait(5.0)
    assert decks.value("deck1.play") == 1.0
    assert decks.do(Op.LOOP_DOUBLE, 1).reason == Reason.OUTSIDE


def test_a_loop_longer_than_the_track_is_refused():
    decks = Decks(20.0)
    decks.set("deck1.loop.length", 64.0)
    assert decks.do(Op.LOOP_BEATLOOP, 1).reason == Reason.OUTSIDE
    assert decks.value("deck1.loop.active") == 0.0


def test_ends_that_come_too_close_leave_the_loop():
    decks = Decks(120.0)
    decks.play(1)
    decks.do(Op.LOOP_BEATLOOP, 1)
    decks.set("deck1.loop.end", decks.value("deck1.loop.start") + 0.004)
    assert decks.value("deck1.loop.active") == 0.0
    assert decks.do(Op.LOOP_ACTIVE, 1).reason == Reason.NOT_SET
    decks.do(Op.LOOP_BEATLOOP, 1)
    decks.set("deck1.loop.start", decks.value("deck1.loop.end") + 1.0)
    assert decks.value("deck1.loop.active") == 0.0


def test_in_and_out_within_five_milliseconds_are_a_loop_of_five():
    decks = Decks(120.0)
    decks.play(1)
    decks.do(Op.LOOP_SET_IN, 1)
    decks.do(Op.LOOP_SET_OUT, 1)
    length = decks.value("deck1.loop.end") - decks.value("deck1.loop.start")
    assert length == pytest.approx(256 / RATE)
    decks.engine.reported()
    decks.wait(0.5)
    wraps = [r for r in decks.engine.reported() if r.kind is ReportKind.WRAPPED]
    assert len(wraps) >= 90


def test_not_set_is_no_number_of_the_range():
    for control in CONTROLS.values():
        if control.scale.optional:
            assert not control.scale.low <= NOT_SET <= control.scale.high
            assert control.check(None) == NOT_SET
            assert control.check(control.scale.low) == control.scale.low
            assert control.text(NOT_SET) == "not set"
            assert control.wire(NOT_SET) is None


# ---------------------------------------------------------------------- values are clamped

HUGE = 9e11


@pytest.mark.slow
def test_the_kernel_clamps_what_it_is_given():
    decks = Decks(120.0, 124.0)
    decks.play(1)
    decks.play(2)
    for path, x in itertools.product(sorted(VALUE_INDEX), (-HUGE, HUGE, -1.0, 0.3)):
        scale = CONTROLS[path].scale
        answer = decks.do(Op.SET, 1, x, target=VALUE_INDEX[path])
        value = decks.value(path)
        if answer.kind is ReportKind.REFUSED:
            assert answer.reason == Reason.UNKNOWN, path  # it has a verb of its own
        else:
            assert scale.low <= value <= scale.high, path
            assert not scale.whole or value == int(value), path
            assert answer.x == value, path
        assert np.isfinite(decks.engine.render(256)).all(), path


@pytest.mark.parametrize("op", [op for op in Op if op is not Op.LOAD])
@pytest.mark.parametrize("x", [-HUGE, HUGE])
def test_every_verb_survives_every_number(op, x):
    decks = Decks(120.0, 124.0)
    decks.play(1)
    decks.do(op, 1, x)
    decks.wait(0.1)
    for path in VALUE_INDEX:
        scale, value = CONTROLS[path].scale, decks.value(path)
        assert scale.low <= value <= scale.high or (scale.optional and value == NOT_SET), path
    assert decks.position(1) <= 90.0


@pytest.mark.parametrize("number", [np.nan, np.inf, -np.inf])
def test_no_number_at_all_is_refused(number):
    decks = Decks(120.0)
    answer = decks.do(Op.SET, 1, number, target=VALUE_INDEX["master.volume"])
    assert (answer.kind, answer.reason) == (ReportKind.REFUSED, Reason.UNKNOWN)


# ---------------------------------------------------------------------- the session's clock


def clock(decks):
    return decks.engine.memory.reading("clock.beat")


def test_a_change_of_the_clocks_source_keeps_the_beat():
    decks = Decks(124.0, 128.0)
    decks.set("clock.tempo", 120.0)
    decks.wait(2.065)
    decks.play(1)
    decks.wait(0.5)
    for source in (1.0, 2.0, 0.0, 1.0, 0.0):
        before = clock(decks)
        decks.set("clock.source", source)
        assert clock(decks) == pytest.approx(before + 124.0 / 60 * TICK / RATE, abs=1e-4)


def test_a_clock_that_follows_has_the_decks_tempo_beat_and_bars():
    decks = Decks(124.0)
    decks.wait(1.3)
    decks.play(1)
    decks.set("clock.source", 1.0)
    decks.wait(15.0)
    beat = decks.engine.memory.reading("deck1.beat")
    assert (clock(decks) - beat + 0.5) % 1.0 == pytest.approx(0.5, abs=0.001)
    assert decks.engine.memory.reading("clock.current") == pytest.approx(124.0)
    assert decks.value("clock.tempo") == pytest.approx(124.0)
    ticket = decks.engine.push(
        Command(Op.SET, target=VALUE_INDEX["master.volume"], x=-6.0, when=When.BAR)
    )
    decks.engine.reported()
    while not any(report.is_end and report.ticket == ticket for report in decks.engine.reported()):
        decks.engine.render(TICK)
    assert decks.engine.memory.reading("deck1.beat") % 4.0 < 0.01  # a bar of the deck's


@pytest.mark.parametrize("way", ["stop", "eject", "seek", "internal"])
def test_the_clock_goes_on_at_the_tempo_it_had(way):
    decks = Decks(124.0)
    decks.play(1)
    decks.set("clock.source", 1.0)
    decks.wait(2.0)
    before = clock(decks)
    if way == "stop":
        decks.stop(1)
    elif way == "eject":
        decks.do(Op.LOAD, 1, 0.0, target=-1)
    elif way == "seek":
        decks.do(Op.SEEK, 1, 30.111)
    else:
        decks.set("clock.source", 0.0)
    assert clock(decks) == pytest.approx(before + 124.0 / 60 * TICK / RATE, abs=1e-4)
    if way != "seek":
        assert decks.engine.memory.reading("clock.current") == pytest.approx(124.0)


def test_align_makes_now_the_first_beat_of_a_bar():
    decks = Decks(124.0)
    decks.wait(0.8)
    decks.do(Op.CLOCK_ALIGN)
    assert clock(decks) == pytest.approx(2.0 * TICK / RATE, abs=2.0 * TICK / RATE)


def test_a_tempo_of_the_internal_clock_goes_on_from_the_beat_where_it_is_set():
    decks = Decks(124.0)
    decks.wait(1.0)
    before = clock(decks)
    decks.do(Op.CLOCK_TEMPO, 1, 60.0)
    decks.wait(1.0)
    assert clock(decks) == pytest.approx(before + 1.0, abs=0.01)


# ---------------------------------------------------------------------- loops, and who is in time


@pytest.mark.parametrize("length", [0.25, 0.5, 0.75, 1.0, 4.0])
@pytest.mark.parametrize("who", [1, 2])
def test_a_loop_of_any_length_leaves_the_tempo_of_both_decks(who, length):
    decks = followed("beat")
    for deck in (1, 2):
        decks.do(Op.SEEK, deck, 20.0)
    decks.wait(0.5)
    decks.set(f"deck{who}.loop.length", length)
    decks.do(Op.LOOP_BEATLOOP, who)
    tempi = decks.tempi(2, 6.0)
    assert np.abs(tempi - 124.0).max() < 0.01


def test_a_loop_of_a_part_of_a_beat_leaves_the_clock_that_follows_alone():
    decks = Decks(124.0)
    decks.play(1)
    decks.set("clock.source", 1.0)
    decks.wait(15.0)
    decks.set("deck1.loop.length", 0.25)
    decks.do(Op.LOOP_BEATLOOP, 1)
    for _ in range(2000):
        decks.wait(TICK / RATE)
        assert decks.engine.memory.reading("clock.current") == pytest.approx(124.0, abs=0.01)


@pytest.mark.parametrize("clock", [0, 1])
def test_a_bar_comes_while_its_deck_loops_a_beat(clock):
    decks = Decks(124.0)
    decks.play(1)
    decks.set("clock.source", 1.0)
    decks.wait(15.0)
    decks.set("deck1.loop.length", 1.0)
    decks.do(Op.LOOP_BEATLOOP, 1)
    decks.wait(0.1)
    decks.engine.reported()
    ticket = decks.engine.push(
        Command(Op.SET, target=VALUE_INDEX["master.volume"], x=-6.0, when=When.BAR, clock=clock)
    )
    decks.wait(2.1)  # a bar takes 1.94 s
    assert ticket in {report.ticket for report in decks.engine.reported()}


@pytest.mark.slow
@pytest.mark.parametrize("reverse", [0.0, 1.0])
@pytest.mark.parametrize("length", [1 / 32, 1 / 8, 1 / 4, 1 / 2, 1.0, 4.0])
@pytest.mark.parametrize("late", [0.1, 0.3, 0.45, 0.6, 0.8])
def test_a_quantised_loop_loops_whenever_it_is_pressed(late, length, reverse):
    decks = Decks(120.0)
    decks.set("deck1.quantise", 1.0)
    decks.set("deck1.loop.length", length)
    decks.do(Op.SEEK, 1, 20.0 + late / 2)
    decks.set("deck1.reverse", reverse)
    decks.play(1)
    decks.do(Op.LOOP_BEATLOOP, 1)
    decks.wait(4.5)
    start, end = decks.value("deck1.loop.start"), decks.value("deck1.loop.end")
    assert start - 0.001 <= decks.position(1) <= end + 0.001
    assert start * 2 / min(1.0, length) == pytest.approx(round(start * 2 / min(1.0, length)))


@pytest.mark.parametrize("late", [0.3, 0.45])
def test_reloop_lands_in_its_loop(late):
    decks = Decks(120.0)
    decks.set("deck1.quantise", 1.0)
    decks.set("deck1.loop.length", 0.25)
    decks.do(Op.SEEK, 1, 20.0)
    decks.do(Op.LOOP_BEATLOOP, 1)
    decks.do(Op.LOOP_ACTIVE, 1, 0.0)
    decks.do(Op.SEEK, 1, 30.0 + late / 2)
    decks.play(1)
    decks.do(Op.LOOP_RELOOP, 1)
    decks.wait(1.0)
    assert 20.0 <= decks.position(1) < 20.126


# ---------------------------------------------------------------------- what is heard comes first


def test_a_deck_that_nobody_hears_gives_the_lead_to_one_that_is_heard():
    decks = Decks(124.0, 100.0)
    decks.set("deck2.fader", -60.0)
    decks.play(2)
    decks.play(1)
    decks.sync(1, "tempo")
    decks.wait(1.5)
    assert decks.tempo(1) == pytest.approx(100.0, abs=0.01)  # the other is there to be followed
    decks.sync(1, "off")
    decks.set("deck1.rate", 1.0)
    decks.wait(0.1)
    decks.sync(2, "tempo")
    decks.wait(0.5)
    assert decks.tempo(1) == pytest.approx(124.0)
    assert decks.tempo(2) == pytest.approx(124.0)


def test_a_deck_that_is_not_heard_is_in_phase_at_once_when_its_leader_seeks():
    decks = followed("beat")
    decks.set("deck2.fader", -60.0)
    decks.wait(0.1)
    decks.do(Op.SEEK, 1, 30.111)
    decks.wait(0.05)
    assert abs(decks.error(2)) < sync.OUT_OF_PHASE * 60 / 124
    decks.wait(4.0)
    assert abs(decks.error(2)) < 0.0006


def test_beats_that_jitter_as_detected_ones_do_not_make_a_follower_flutter():
    rng = np.random.default_rng(5)
    beats = np.arange(180) * 60 / 124.0 + rng.uniform(-0.004, 0.004, 180)
    jittery = Grid(tuple(Anchor(b * RATE, float(k)) for k, b in enumerate(beats)), 124.0)
    decks = Decks(124.0, 124.0)
    decks.engine.load(0, {"mix": QUIET}, rate=RATE, grid=jittery)
    decks.wait(0.01)
    decks.play(1)
    decks.sync(2, "tempo")
    decks.play(2)
    decks.wait(3.0)
    tempi = decks.tempi(2, 10.0)
    assert np.abs(tempi / 124.0 - 1.0).max() < 0.01  # each beat by itself is up to 0.016 off


# ---------------------------------------------------------------------- what is told


def test_align_of_a_clock_that_follows_moves_the_bar_and_not_the_beat():
    decks = Decks(120.0)
    decks.play(1)
    decks.set("clock.source", 1.0)
    decks.wait(15.0)
    decks.do(Op.JUMP, 1, 17.0)
    while not 1.02 < decks.engine.memory.reading("deck1.beat") % 4.0 < 1.1:
        decks.wait(TICK / RATE)
    decks.do(Op.CLOCK_ALIGN)  # the second beat of the deck's bar
    assert decks.engine.memory.reading("clock.current") == pytest.approx(120.0, abs=0.1)
    ticket = decks.engine.push(
        Command(Op.SET, target=VALUE_INDEX["master.volume"], x=-6.0, when=When.BAR)
    )
    decks.engine.reported()
    while not any(report.is_end and report.ticket == ticket for report in decks.engine.reported()):
        decks.engine.render(TICK)
    assert decks.engine.memory.reading("deck1.beat") % 4.0 == pytest.approx(1.0, abs=0.02)


@pytest.mark.parametrize("beats", [0.25, -0.5, 1.5])
def test_a_jump_of_part_of_a_beat_goes_as_far_as_it_says(beats):
    decks = Decks(120.0)
    decks.set("deck1.quantise", 1.0)
    decks.do(Op.SEEK, 1, 20.0)
    decks.play(1)
    before = decks.position(1)
    decks.do(Op.JUMP, 1, beats)
    assert decks.position(1) == pytest.approx(before + beats / 2 + TICK / RATE, abs=1e-6)


def test_an_empty_deck_stands_at_nought():
    decks = Decks(120.0)
    decks.do(Op.SEEK, 1, 5.0)
    decks.do(Op.LOAD, 1, 0.0, target=-1)
    assert decks.position(1) == 0.0
