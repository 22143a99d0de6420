"""Bars of a deck that follows beats: where it starts and lands, what it reads, and the press."""

import pytest
from two_decks import RATE, Decks

from sfa_engine.engine.command import ClockSource, Op, Reason, ReportKind, Ring, When
from sfa_engine.engine.layout import TICK
from sfa_engine.engine.ring import Command, CommandWriter

BAR = 1.0  # of sync_align
NEAR_BEAT = 2e-3  # of a beat, a tick: readings are of the end of a block, commands of its start


def pair(*tempi, lead_s=1.3, align=BAR, **more):
    """Return two decks: the first has led for a while, the second stands, and is to follow."""
    decks = Decks(*(tempi or (120.0, 126.0)), **more)
    decks.set("deck2.sync_align", align)
    decks.play(1)
    decks.sync(2)
    decks.wait(lead_s)
    return decks


def beat(decks, deck):
    return decks.engine.memory.reading(f"deck{deck}.beat")


def off(decks, deck=2):
    return decks.engine.memory.reading(f"deck{deck}.bar_error")


def apart(decks, multiple=1.0, bar=4.0):
    """Return how many beats the second deck is away from the first one's bar."""
    away = (beat(decks, 1) * multiple - beat(decks, 2)) % bar
    return min(away, bar - away)


@pytest.mark.parametrize("lead_s", [0.1, 0.6, 1.1, 1.6, 1.9, 3.3])
def test_a_deck_starts_on_the_bar(lead_s):
    decks = pair(lead_s=lead_s)
    decks.do(Op.SEEK, 2, 20.0)
    decks.play(2)
    assert apart(decks) < NEAR_BEAT
    assert abs(decks.position(2) - 20.0) <= 2 * 60 / 126 + 0.01  # half a bar at most
    assert off(decks) == 0.0


def test_a_deck_starts_on_the_beat_alone_by_default():
    decks = pair(align=0.0)
    assert decks.value("deck2.sync_align") == 0.0
    decks.do(Op.SEEK, 2, 20.0)
    decks.play(2)
    assert abs(decks.position(2) - 20.0) <= 0.5 * 60 / 126 + 0.01
    assert apart(decks, bar=1.0) < NEAR_BEAT


def test_a_deck_that_starts_before_its_track_runs_in():
    decks = pair(lead_s=0.6)  # 1.2 beats into the bar
    decks.play(2)
    assert apart(decks) < NEAR_BEAT
    decks.stop(2)
    decks.do(Op.SEEK, 2, 0.0)
    while not 2.5 < beat(decks, 1) % 4.0 < 2.6:
        decks.wait(TICK / RATE)
    decks.play(2)
    assert decks.position(2) < 0.0
    assert apart(decks) < NEAR_BEAT


@pytest.mark.parametrize("op", [Op.SEEK, Op.HOTCUE_PRESS])
def test_a_seek_and_a_hot_cue_land_on_the_bar(op):
    decks = pair()
    decks.do(Op.SEEK, 2, 31.0)
    decks.do(Op.HOTCUE_STORE, 2, target=0)
    decks.play(2)
    decks.wait(0.77)
    decks.do(op, 2, 31.0, target=0)
    assert apart(decks) < NEAR_BEAT
    assert abs(decks.position(2) - 31.0) <= 2 * 60 / 126 + 0.01


def test_a_beat_jump_goes_as_far_as_it_says_and_stays_off_the_bar():
    decks = pair()
    decks.play(2)
    decks.do(Op.JUMP, 2, 1.0)
    decks.wait(5.0)
    assert apart(decks) == pytest.approx(1.0, abs=NEAR_BEAT)
    assert off(decks) == -1.0
    decks.set("deck2.fader", -60.0)  # nor is it moved by whole beats when it is inaudible
    decks.wait(1.0)
    assert off(decks) == -1.0


@pytest.mark.parametrize("beats", [1.0, 2.0, 3.0, -1.0, 5.0])
def test_the_reading_is_the_jump_that_puts_the_deck_on_the_bar(beats):
    decks = pair()
    decks.play(2)
    decks.do(Op.JUMP, 2, 20.0)
    decks.do(Op.JUMP, 2, beats)
    decks.wait(0.01)
    assert abs(off(decks)) <= 2.0
    decks.do(Op.JUMP, 2, off(decks))
    decks.wait(0.01)
    assert off(decks) == 0.0
    assert apart(decks) < NEAR_BEAT


def test_an_audible_deck_is_never_moved_by_whole_beats_unasked():
    decks = pair(align=0.0, lead_s=2.6)  # a beat into the bar, and some
    decks.do(Op.SEEK, 2, 20.0)
    decks.play(2)
    was = off(decks)
    assert was
    decks.set("deck2.sync_align", BAR)
    decks.sync(2, "off")
    decks.sync(2)
    for _ in range(40):
        position = decks.position(2)
        decks.wait(0.1)
        assert 0.05 < decks.position(2) - position < 0.15
    assert off(decks) == was


def test_an_inaudible_deck_is_on_the_bar_when_sync_is_pressed():
    decks = pair(align=BAR)
    decks.sync(2, "off")
    decks.set("deck2.fader", -60.0)
    decks.do(Op.SEEK, 2, 20.3)
    decks.play(2)
    decks.wait(0.3)
    decks.sync(2)
    decks.wait(0.01)
    assert off(decks) == 0.0
    assert apart(decks) < NEAR_BEAT


# ---------------------------------------------------------------------- the press


def off_by(beats, quantise):
    """Return two decks that play, the second off the bar by some beats."""
    decks = pair()
    decks.set("deck2.quantise", quantise)
    decks.do(Op.SEEK, 2, 20.0)
    decks.play(2)
    decks.do(Op.JUMP, 2, beats)
    decks.wait(1.37)
    assert off(decks) == -beats
    return decks


def test_without_quantise_the_press_jumps_at_once():
    decks = off_by(1.0, 0.0)
    position = decks.position(2)
    decks.do(Op.SYNC_BAR, 2)
    assert decks.position(2) == pytest.approx(position - 60 / 126, abs=0.002)
    assert apart(decks) < NEAR_BEAT


def test_with_quantise_the_press_jumps_on_the_next_beat_to_the_frame():
    decks = off_by(-1.0, 1.0)
    machine = decks.engine.memory.engine["transport"][1]
    decks.do(Op.SYNC_BAR, 2)
    assert machine["bar_due"] == 1
    while machine["bar_due"]:
        assert off(decks) == 1.0
        decks.wait(TICK / RATE)
    line = machine["head"]
    landed = float(line["anchor_position"]) / RATE * 126 / 60
    assert landed % 1.0 < 126 / 60 / RATE  # the first frame on or after a beat
    assert off(decks) == 0.0
    assert apart(decks) < NEAR_BEAT


def test_a_press_on_the_bar_changes_nothing():
    decks = pair()
    decks.play(2)
    before = decks.position(2)
    assert decks.do(Op.SYNC_BAR, 2).kind is ReportKind.APPLIED
    decks.wait(0.9)
    assert decks.position(2) == pytest.approx(before + 0.9 * 120 / 126, abs=0.002)


def test_the_press_waits_for_a_bar_as_any_other_command():
    decks = off_by(1.0, 0.0)
    decks.engine.push(Command(Op.SYNC_BAR, deck=1, x=1.0, when=When.BAR, clock=1))
    while off(decks):
        before = beat(decks, 1)
        decks.wait(TICK / RATE)
    assert before % 4.0 > 3.98 or before % 4.0 < 0.02


def test_a_deck_that_stops_is_not_put_on_the_bar_when_it_starts_again():
    decks = off_by(1.0, 1.0)
    decks.do(Op.SYNC_BAR, 2)
    decks.stop(2)
    assert decks.engine.memory.engine["transport"][1]["bar_due"] == 0


def test_a_brake_ends_the_wait_for_the_bar():
    decks = off_by(1.0, 1.0)
    decks.do(Op.SYNC_BAR, 2)
    decks.do(Op.BRAKE, 2)
    assert decks.engine.memory.engine["transport"][1]["bar_due"] == 0


def test_a_deck_that_slips_returns_to_the_bar():
    decks = off_by(1.0, 0.0)
    decks.do(Op.CENSOR, 2)
    decks.wait(0.4)
    decks.do(Op.SYNC_BAR, 2)
    assert decks.engine.memory.reading("deck2.slipping")
    decks.do(Op.CENSOR, 2, 0.0)
    decks.wait(0.01)
    assert off(decks) == 0.0
    assert apart(decks) < NEAR_BEAT


def test_a_roll_ends_on_the_bar():
    decks = off_by(1.0, 0.0)
    decks.set("deck2.loop.length", 0.25)
    decks.do(Op.LOOP_ROLL, 2)
    decks.wait(0.4)
    decks.do(Op.SYNC_BAR, 2)
    decks.wait(0.4)
    decks.do(Op.LOOP_ROLL, 2, 0.0)
    decks.wait(0.01)
    assert off(decks) == 0.0
    assert apart(decks) < NEAR_BEAT


def test_a_deck_in_its_loop_stays_in_it():
    decks = off_by(1.0, 0.0)
    decks.set("deck2.loop.length", 4.0)
    decks.do(Op.LOOP_BEATLOOP, 2)
    decks.wait(0.2)
    decks.do(Op.SYNC_BAR, 2)
    start, end = (decks.value(f"deck2.loop.{name}") for name in ("start", "end"))
    assert start <= decks.position(2) < end
    assert off(decks) == 0.0


@pytest.mark.parametrize("why", ["stands", "tempo", "alone", "reverse"])
def test_the_press_is_refused_where_no_beat_is_followed(why):
    decks = pair()
    if why != "stands":
        decks.play(2)
    if why == "tempo":
        decks.sync(2, "tempo")
    elif why == "alone":
        decks.stop(1)
    elif why == "reverse":
        decks.set("deck1.reverse", 1.0)
    assert decks.do(Op.SYNC_BAR, 2).reason == Reason.NOT_SYNCED


# ---------------------------------------------------------------------- bars that differ


def test_three_beats_against_four_are_aligned_by_the_beat():
    decks = pair(bars=(4, 3))
    decks.do(Op.SEEK, 2, 20.0)
    decks.play(2)
    assert abs(decks.position(2) - 20.0) <= 0.5 * 60 / 126 + 0.01
    assert apart(decks, bar=1.0) < NEAR_BEAT
    assert off(decks) == 0.0
    assert decks.do(Op.SYNC_BAR, 2).reason == Reason.NO_BAR


def test_waltzes_meet_every_third_beat():
    decks = pair(bars=(3, 3), lead_s=2.2)
    decks.do(Op.SEEK, 2, 20.0)
    decks.play(2)
    assert apart(decks, bar=3.0) < NEAR_BEAT


@pytest.mark.parametrize(
    ("lead", "own", "multiple", "bar"),
    [(87.0, 174.0, 2.0, 4.0), (174.0, 87.0, 0.5, 2.0)],
)
def test_at_half_and_double_the_tempo_downbeats_meet(lead, own, multiple, bar):
    decks = pair(lead, own, lead_s=1.9)
    decks.do(Op.SEEK, 2, 20.0)
    decks.play(2)
    assert apart(decks, multiple, bar) < NEAR_BEAT
    decks.do(Op.JUMP, 2, 1.0)
    decks.wait(0.01)
    assert abs(off(decks)) == 1.0
    decks.do(Op.SYNC_BAR, 2)
    assert apart(decks, multiple, bar) < NEAR_BEAT


def test_half_the_tempo_of_a_waltz_is_aligned_by_the_beat():
    decks = pair(174.0, 87.0, bars=(3, 3), lead_s=1.9)
    decks.play(2)
    assert apart(decks, 0.5, 1.0) < NEAR_BEAT
    assert decks.do(Op.SYNC_BAR, 2).reason == Reason.NO_BAR


def test_the_bar_of_an_outer_clock_is_followed():
    decks = Decks(120.0, 126.0)
    decks.engine.commands = CommandWriter(decks.engine.memory, Ring.STAGE)
    decks.set("clock.source", float(ClockSource.LINK))
    decks.set("deck2.sync_align", BAR)
    for _ in range(3):  # Link, a beat and a half into its second bar at frame 0
        frame = int(decks.engine.memory.engine["frame"])
        beats = 5.5 + frame / RATE * 2.0
        clock = {"target": int(ClockSource.LINK), "x": beats, "y": 120.0, "frame": frame}
        decks.engine.push(Command(Op.FOLLOW, deck=1, **clock))
        decks.wait(0.5)
    decks.sync(2)
    decks.do(Op.SEEK, 2, 20.0)
    decks.play(2)
    session = decks.engine.memory.reading("clock.beat")
    downbeat = int(decks.engine.memory.engine["clock_downbeat"])
    away = (session - downbeat - beat(decks, 2)) % 4.0
    assert min(away, 4.0 - away) < NEAR_BEAT
    assert off(decks) == 0.0
