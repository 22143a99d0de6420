"""The rules of sync as invariants over whatever a performer does, looked at in every tick.

Every run takes a share of steps; `make test-nightly` a hundred thousand.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    rule,
    run_state_machine_as_test,
)

from sfa_engine.desk import CONTROLS
from sfa_engine.desk.deck import STEMS
from sfa_engine.desk.scale import NOT_SET
from sfa_engine.engine.command import Op, ReportKind
from sfa_engine.engine.layout import (
    FADE,
    FASTEST,
    LATCHED,
    NO_SOURCE,
    READING_INDEX,
    ROLLED,
    SLOTS,
    TICK,
    VALUE_INDEX,
    VALUE_PATHS,
    Move,
    Slip,
)
from sfa_engine.engine.ring import Command
from sfa_engine.host.kernel import sync
from sfa_engine.host.offline import Offline
from sfa_engine.track.grid import Anchor, Grid

RATE = 48_000
TRACK_RATE = 8_000  # small in memory
LENGTH_S = 60.0
QUIET = np.zeros((round(LENGTH_S * TRACK_RATE), 2), np.int16)
STEPS_EACH = 50
GLIDE_STEP = 0.04  # of the speed, that a rate moves in a tick
GLIDE_TICKS = 16  # of the rate, 10 ms
SETTLE_S = 16.0  # what the phase needs: half a beat at 4 %, and the last of it, above 70 BPM
SLOW_BPM = 70.0

GRIDS = {
    "124": Grid((Anchor(0.0, 0.0),), 124.0),
    "128": Grid((Anchor(1111.0, 0.0),), 128.0),
    "70": Grid((Anchor(0.0, 0.0),), 70.0),
    "174": Grid((Anchor(333.0, 0.0),), 174.0),
    "step": Grid((Anchor(0.0, 0.0), Anchor(20.0 * TRACK_RATE, 40.0)), 126.0),
    "none": None,
}
KEYS = {"124": "A minor", "128": "F# minor", "70": "Bb major", "174": "A minor"}
KEYS |= {"step": None, "none": "C minor"}
FRAMES = len(QUIET)
BEATS = {name: grid.beats(FRAMES, TRACK_RATE) for name, grid in GRIDS.items() if grid}
FIRST = {name: grid.first_beat(FRAMES, TRACK_RATE) for name, grid in GRIDS.items() if grid}
MIX = STEMS.index("mix")
OWN_VOICE = 1 + MIX
GUESTS = ("now", "before", "held")
BEAT_TOLERANCE = 1e-3  # at an edge, a frame at four times the speed
SCALES = [CONTROLS[path].scale for path in VALUE_PATHS]
LOW, HIGH = (np.array([getattr(scale, end) for scale in SCALES]) for end in ("low", "high"))
OPTIONAL = np.array([scale.optional for scale in SCALES])
LOOP_VERBS = (
    *(Op.LOOP_BEATLOOP, Op.LOOP_SET_IN, Op.LOOP_SET_OUT, Op.LOOP_RELOOP),
    *(Op.LOOP_HALVE, Op.LOOP_DOUBLE, Op.CUE),
)
TIMES = ("brake_time", "spinback_time", "start_time", "stop_time")
deck_numbers = st.integers(0, 1)
often = st.sampled_from([True, True, True, True, False])
seldom = st.sampled_from([False, False, False, True])
# Mostly inside the track, so that the decks go on playing, and sometimes far outside.
places = st.floats(2.0, 50.0) | st.floats(2.0, 50.0) | st.floats(-100.0, 100.0)
jumps = st.sampled_from([1.0, -1.0, 4.0, -8.0, 0.5]) | st.floats(-300.0, 300.0)
modes = st.sampled_from([2.0, 2.0, 1.0, 2.0, 0.0])
grids = st.sampled_from(["124", "124", "128", "128", "70", "174", "step", "none"])


@dataclass
class Seen:
    """One deck, as it is after a tick."""

    playing: bool
    position: float  # s
    speed: float  # s of the track per s
    rate: float
    following: int
    beat: float
    heard: bool
    runs: bool  # at its own speed, heard or underneath
    moving: int  # a `Move`
    reasons: int  # of `Slip`
    underneath: float  # s, where it would be if it did not slip
    pace: float  # s of the track per s, underneath
    rolling: bool
    under: float  # s: where it would be without its roll
    bar_due: bool


def beat_at(name, place):
    """Return the beat of a place, in frames, on a grid."""
    beats = BEATS[name]
    k = int(np.clip(np.searchsorted(beats, place, "right") - 1, 0, len(beats) - 2))
    return FIRST[name] + k + (place - beats[k]) / (beats[k + 1] - beats[k])


class Performance(RuleBasedStateMachine):
    """Two decks under anybody's hands."""

    @initialize(
        grids=st.tuples(grids, grids),
        playing=st.tuples(often, often),
        synced=st.tuples(modes, modes),
    )
    def begin(self, grids, playing, synced):
        self.engine = Offline(RATE, 2, TICK)
        self.memory = self.engine.memory.engine
        self.grids = ["", ""]
        self.slots = {}  # grid by media slot
        self.shared = [0, 0]  # ticks since the strip came back to the others
        self.gliding = [0, 0]  # ticks that a hand's change of the rate or bend still takes
        for deck in (0, 1):
            self._mount(deck, grids[deck])
            self.engine.push(Command(Op.SYNC, deck=deck, x=synced[deck]))
            self.engine.push(Command(Op.PLAY, deck=deck, x=float(playing[deck])))
        self._render()
        self.seen = [self._look(deck) for deck in (0, 1)]
        self.beat = self._reading("clock.beat")

    def _mount(self, deck, name):
        self.grids[deck] = name
        mounted = self.engine.load(
            deck, {"mix": QUIET}, rate=TRACK_RATE, grid=GRIDS[name], key=KEYS[name]
        )
        self.slots[mounted.slot] = name

    def _render(self):
        self.engine.render(TICK)
        self.reports = self.engine.reported()
        self.readings = self.engine.memory.snapshot()["flat"]

    def _value(self, path):
        return self.engine.memory.value(path)

    def _reading(self, path):
        return float(self.readings[READING_INDEX[path]])

    def _look(self, deck):
        machine, main = self.memory["transport"][deck], self.memory["transport"][deck]["head"]
        playing = bool(machine["playing"])
        position = float(machine["position"])
        if playing:
            gone = int(self.memory["frame"]) - int(main["anchor_frame"])
            position = float(main["anchor_position"]) + gone * float(main["speed"])
        moving, reasons = int(machine["motion"]["kind"]), int(machine["slip"]["reasons"])
        line = machine["slip"]["line"]
        gone = int(self.memory["frame"]) - int(line["anchor_frame"])
        return Seen(
            playing,
            position / TRACK_RATE,
            float(main["speed"]) * RATE / TRACK_RATE if playing else 0.0,
            self._value(f"deck{deck + 1}.rate"),
            int(machine["following"]),
            self._reading(f"deck{deck + 1}.beat"),
            playing and self._value(f"deck{deck + 1}.fader") > -60.0,
            playing and (moving == Move.NONE or reasons != 0),
            moving,
            reasons,
            (float(line["anchor_position"]) + gone * float(line["speed"])) / TRACK_RATE,
            float(line["speed"]) * RATE / TRACK_RATE,
            bool(machine["rolling"]),
            (position + float(machine["rolled"]) * bool(machine["rolling"])) / TRACK_RATE,
            bool(machine["bar_due"]),
        )

    # ------------------------------------------------------------------ what hands do

    def _do(self, deck, op, x=0.0, *, ticks=3, moves=False, turns=False, target=0):
        """Send a command, let some ticks pass, and look at each."""
        writer = self.engine.loader._commands if op is Op.LOAD else self.engine.commands
        writer.push(Command(op, deck=deck, target=target, x=x))
        if turns:
            self.gliding[deck] = GLIDE_TICKS
        for tick in range(ticks):
            first = tick == 0
            self._tick(moved=deck if moves and first else None)

    def _set(self, deck, path, value, **how):
        self._do(deck, Op.SET, value, target=VALUE_INDEX[f"deck{deck + 1}.{path}"], **how)

    @rule(deck=deck_numbers, on=often)
    def play(self, deck, on):
        stood = not self.seen[deck].playing
        self._do(deck, Op.PLAY, float(on), ticks=1)
        if on and stood and self._value(f"deck{deck + 1}.sync_align"):
            self._check_bar(deck)
        self._tick()
        self._tick()

    @rule(deck=deck_numbers, mode=modes)
    def sync(self, deck, mode):
        self._do(deck, Op.SYNC, mode, moves=not self.seen[deck].heard)

    @rule(deck=deck_numbers, on=st.booleans())
    def leader(self, deck, on):
        self._do(deck, Op.LEADER, float(on))

    @rule(
        deck=deck_numbers,
        on=st.booleans(),
        pitch=st.sampled_from([0.0, 0.0, 3.0, -12.0]),
    )
    def keylock(self, deck, on, pitch):
        self.engine.set(f"deck{deck + 1}.keylock", float(on))
        self.engine.set(f"deck{deck + 1}.pitch", pitch)

    @rule(deck=deck_numbers, rate=st.floats(0.5, 2.0))
    def rate(self, deck, rate):
        self._set(deck, "rate", rate, turns=True)

    @rule(deck=deck_numbers, bend=st.sampled_from([0.0, 0.0, 4.0, -8.0]))
    def bend(self, deck, bend):
        self._set(deck, "bend", bend, turns=True)

    @rule(deck=deck_numbers, on=st.booleans())
    def reverse(self, deck, on):
        self._set(deck, "reverse", float(on), turns=True)

    @rule(deck=deck_numbers, on=st.booleans())
    def slip(self, deck, on):
        self._set(deck, "slip", float(on), turns=True)

    @rule(deck=deck_numbers, on=often)
    def censor(self, deck, on):
        self._do(deck, Op.CENSOR, float(on), turns=True)

    @rule(deck=deck_numbers, op=st.sampled_from([Op.BRAKE, Op.SPINBACK]), ticks=st.integers(1, 60))
    def motor_off(self, deck, op, ticks):
        self._do(deck, op, ticks=ticks, turns=True)

    @rule(deck=deck_numbers, name=st.sampled_from(TIMES), time_s=st.sampled_from([0.0, 0.2, 9.0]))
    def motor(self, deck, name, time_s):
        self._set(deck, name, time_s)

    @rule(
        deck=deck_numbers,
        moves=st.lists(st.floats(-1600, 1600) | st.sampled_from([0.0, np.inf, np.nan]), max_size=4),
        turns=st.lists(st.floats(-1.0, 1.0), max_size=4),
        release=often,
    )
    def hand(self, deck, moves, turns, release):
        self._set(deck, "touch", 1.0, turns=True)
        for percents in moves:
            self._set(deck, "scratch", percents, ticks=4)
        self._set(deck, "scratch", 0.0)
        for turn in turns:
            self._set(deck, "platter", turn, ticks=4)
        if release:
            self._set(deck, "touch", 0.0, turns=True)

    @rule(deck=deck_numbers)
    def hand_off(self, deck):
        self._set(deck, "touch", 0.0, turns=True)

    @rule(deck=deck_numbers, cue=st.integers(0, 7))
    def hot_cue_released(self, deck, cue):
        self._do(deck, Op.HOTCUE_PRESS, 0.0, target=cue)

    @rule(deck=deck_numbers, mode=st.sampled_from([0.0, 1.0, 2.0]))
    def cue_mode(self, deck, mode):
        self._set(deck, "cue_mode", mode)

    @rule(deck=deck_numbers, on=st.booleans())
    def quantise(self, deck, on):
        self._set(deck, "quantise", float(on))

    @rule(deck=deck_numbers, on=st.booleans())
    def sync_align(self, deck, on):
        self._set(deck, "sync_align", float(on))

    @rule(deck=deck_numbers)
    def sync_bar(self, deck):
        self._do(deck, Op.SYNC_BAR, 1.0)

    @rule(deck=deck_numbers, level=st.sampled_from([0.0, 0.0, -60.0]))
    def fader(self, deck, level):
        self._set(deck, "fader", level, ticks=GLIDE_TICKS)

    @rule(deck=deck_numbers, place=places)
    def seek(self, deck, place):
        self._jump(deck, Op.SEEK, place)

    @rule(deck=deck_numbers, beats=jumps)
    def jump(self, deck, beats):
        self._jump(deck, Op.JUMP, beats, keeps=beats == round(beats))

    @rule(deck=deck_numbers, cue=st.integers(0, 7))
    def hot_cue(self, deck, cue):
        self._jump(deck, Op.HOTCUE_PRESS, 1.0, target=cue)

    @rule(deck=deck_numbers, cue=st.integers(0, 7), op=st.sampled_from(["store", "clear"]))
    def keep_hot_cue(self, deck, cue, op):
        self._do(deck, Op.HOTCUE_STORE if op == "store" else Op.HOTCUE_CLEAR, target=cue)

    @rule(deck=deck_numbers, cue=st.integers(0, 7), kind=st.sampled_from([0.0, 1.0, 2.0]))
    def hot_cue_kind(self, deck, cue, kind):
        self._do(deck, Op.HOTCUE_KIND, kind, target=cue)

    def _jump(self, deck, op, x=0.0, target=0, *, keeps=True):
        before = self.seen[deck]
        self._do(deck, op, x, target=target, moves=True, ticks=1)
        after = self.seen[deck]
        quantised = self._value(f"deck{deck + 1}.quantise") and not after.following
        looping = self._value(f"deck{deck + 1}.loop.active")
        if before.moving or after.moving or before.reasons or after.reasons:
            return
        timed = keeps and quantised and self.grids[deck] != "none"
        if looping or not (timed and before.playing and after.playing):
            return
        if -59.9 < after.position < LENGTH_S - 2.0 and self.gliding[deck] == 0:
            # In its own time: the same phase as if it had not jumped.
            tempo = self._reading(f"deck{deck + 1}.tempo") / 60
            if self._value(f"deck{deck + 1}.reverse"):
                tempo = -tempo
            off = sync.phase_error.py_func(before.beat + tempo * TICK / RATE, after.beat)
            assert abs(off) < 2 * abs(tempo) * TICK / RATE or self.grids[deck] == "step"

    @rule(
        deck=deck_numbers,
        op=st.sampled_from(LOOP_VERBS),
        x=st.sampled_from([0.0, 1.0]),
    )
    def loop(self, deck, op, x):
        self._do(deck, op, x, moves=True)

    @rule(deck=deck_numbers, beats=st.sampled_from([-64.0, -1.0, 0.5, 4.0, 64.0]))
    def move_loop(self, deck, beats):
        self._do(deck, Op.LOOP_MOVE, beats, moves=True)

    @rule(deck=deck_numbers, end=st.sampled_from(["start", "end"]), place=st.floats(-80, 80))
    def set_loop(self, deck, end, place):
        self._set(deck, f"loop.{end}", place)

    @rule(deck=deck_numbers, on=st.booleans())
    def roll(self, deck, on):
        self._do(deck, Op.LOOP_ROLL, float(on), moves=on)

    @rule(deck=deck_numbers, by=st.sampled_from([-1.0, 0.25, 2.0]), end=st.booleans())
    def adjust_loop(self, deck, by, end):
        self._do(deck, Op.LOOP_OUT_ADJUST if end else Op.LOOP_IN_ADJUST, by, moves=True)

    @rule(deck=deck_numbers, on=often)
    def loop_stem(self, deck, on):
        self._do(deck, Op.STEM_LOOP, float(on), target=MIX)

    @rule(deck=deck_numbers, on=st.booleans())
    def roll_stem(self, deck, on):
        self._do(deck, Op.STEM_ROLL, float(on), target=MIX)

    @rule(deck=deck_numbers, beats=st.sampled_from([1 / 32, 0.25, 1.0, 3.0, 64.0]))
    def stem_length(self, deck, beats):
        self._set(deck, "stem.mix.loop_length", beats)

    @rule(
        deck=deck_numbers,
        op=st.sampled_from([Op.STEM_SWAP, Op.STEM_HAND_OVER, Op.STEM_SWAP_HOLD, Op.STEM_LEND]),
        on=st.booleans(),
    )
    def exchange_stems(self, deck, op, on):
        self._do(deck, op, float(on), target=MIX)

    @rule(deck=deck_numbers, source=st.integers(0, NO_SOURCE))
    def stem_source(self, deck, source):
        self._do(deck, Op.STEM_SOURCE, float(source), target=MIX)

    @rule(deck=deck_numbers, on=often)
    def stem_key(self, deck, on):
        self._set(deck, "stem_key", float(on))

    @rule()
    def undo_stems(self):
        self._do(-1, Op.STEMS_UNDO)

    @rule(source=st.sampled_from([0.0, 1.0, 2.0]))
    def clock_source(self, source):
        self._do(0, Op.SET, source, target=VALUE_INDEX["clock.source"])

    @rule()
    def play_both(self):
        """Both from the middle, so that there is something to be in time with."""
        for deck in (0, 1):
            self._do(deck, Op.SEEK, 20.0, moves=True)
            self._do(deck, Op.PLAY, 1.0)

    @rule(deck=deck_numbers)
    def press_sync_again(self, deck):
        self._do(deck, Op.SYNC, 0.0)
        self._do(deck, Op.SYNC, 2.0, moves=not self.seen[deck].heard, ticks=30)

    @rule(deck=deck_numbers, grid=grids, go=seldom)
    def load(self, deck, grid, go):
        if not go:
            return
        self._mount(deck, grid)
        for _ in range(3):
            self._tick(moved=deck)
        # A hand that still touches the platter moves the new track, at the speed of the hand.
        assert not self.seen[deck].playing or self.seen[deck].moving == Move.HAND
        assert self._value(f"deck{deck + 1}.play") == 0.0
        assert self._value(f"deck{deck + 1}.leader") == 0.0

    @rule(deck=deck_numbers, go=seldom)
    def eject(self, deck, go):
        if go:
            self._do(deck, Op.LOAD, target=-1, moves=True)

    @rule(ticks=st.integers(1, 60))
    def wait(self, ticks):
        for _ in range(ticks):
            self._tick()

    @rule()
    def wait_for_the_lock(self):
        """After some seconds without a hand on it, a synced deck is in time."""
        for deck in (0, 1):
            for name in ("touch", "slip"):
                self.engine.set(f"deck{deck + 1}.{name}", 0.0)
            self.engine.push(Command(Op.CENSOR, deck=deck, x=0.0))
            self.engine.push(Command(Op.SEEK, deck=deck, x=20.0))
            self.engine.push(Command(Op.LOOP_ACTIVE, deck=deck, x=0.0))
        self.engine.block = 4096
        starts_s = max(self._value(f"deck{deck}.start_time") for deck in (1, 2))
        self.engine.render(round((SETTLE_S + starts_s) * RATE / TICK) * TICK)
        self.engine.block = TICK
        self.engine.reported()
        self.gliding = [0, 0]
        self._render()
        self.seen = [self._look(deck) for deck in (0, 1)]
        self.beat = self._reading("clock.beat")
        for deck, now in enumerate(self.seen):
            lead = now.following - 1
            if lead < 0 or not now.runs or not self.seen[lead].runs:
                continue
            low, high = (CONTROLS["deck1.rate"].scale.low, CONTROLS["deck1.rate"].scale.high)
            bent = self._value(f"deck{deck + 1}.bend") or self._value(f"deck{lead + 1}.bend")
            slow = self._reading(f"deck{deck + 1}.tempo") < SLOW_BPM
            if not low < now.rate < high or bent or slow:
                continue
            tempi = [self._reading(f"deck{d + 1}.tempo") for d in (deck, lead)]
            multiple = float(self.memory["transport"][deck]["multiple"])
            assert tempi[0] == pytest.approx(tempi[1] * multiple, rel=0.003)
            turned = [self._value(f"deck{d + 1}.reverse") for d in (deck, lead)]
            if self._value(f"deck{deck + 1}.sync") == 2.0 and turned[0] == turned[1]:
                assert abs(self._reading(f"deck{deck + 1}.phase_error")) < 0.003

    # ------------------------------------------------------------------ what holds in every tick

    def _tick(self, moved=None):
        before = self.seen
        self._render()
        self.seen = [self._look(d) for d in (0, 1)]
        went = {r.deck for r in self.reports if r.kind in {ReportKind.WRAPPED, ReportKind.ENDED}}
        asked = {r.deck for r in self.reports if r.op == Op.SYNC_BAR}
        barred = set()
        for d in (0, 1):
            if not self.seen[d].bar_due and (d in asked or before[d].bar_due):
                barred.add(d)  # by whole beats, as it was asked
                if not any(r.deck == d and r.kind == ReportKind.REFUSED for r in self.reports):
                    self._check_bar(d)
        for d in (0, 1):
            moves = moved == d or d in went | barred
            self._check(d, before[d], self.seen[d], moves, d in barred)
            ended = any(r.kind == ReportKind.ENDED and r.deck == d for r in self.reports)
            if moved != d and not ended and d not in asked and not before[d].bar_due:
                self._check_roll(d, before[d], self.seen[d])
            self._check_stem(d)
        beat = self._reading("clock.beat")
        most = float(self.memory["clock_speed"]) * TICK * 1.5 + 1e-6
        assert -1e-9 <= beat - self.beat <= max(most, 0.02)  # on, and without a jump
        self.beat = beat
        self.gliding = [max(0, left - 1) for left in self.gliding]

    def _slack(self):
        """Return how far a speed may have been, within the tick, from those at its two ends."""
        if any(self.gliding) or any(r.op == Op.SET for r in self.reports):
            return GLIDE_STEP  # a rate that glides, or that is followed, may turn
        # A deck that ended was followed for a part of the tick, at a speed between.
        return 1e-3 if any(r.kind == ReportKind.ENDED for r in self.reports) else 1e-6

    def _check(self, d, was, now, jumped, barred):
        ticks_s = TICK / RATE
        slack = self._slack()
        # Where a roll lands is checked by `_check_roll`.
        jumped = jumped or (was.rolling and not now.rolling)
        if was.reasons and not now.reasons and not jumped:
            jumped = True
            slips = self._value(f"deck{d + 1}.slip") or was.reasons == Slip.CENSOR
            looping = self._value(f"deck{d + 1}.loop.active")
            if slips and now.runs and not looping and -60 < was.underneath < LENGTH_S - 1:
                gone = (now.position - was.underneath) / ticks_s
                least, most = sorted((was.pace, now.speed))
                assert least - slack <= gone <= most + slack, "not back where the track would be"
        if was.playing and now.playing and was.heard and now.heard and not jumped:
            gone = (now.position - was.position) / ticks_s
            least, most = sorted((was.speed, now.speed))
            assert least - slack <= gone <= most + slack, "a leap of the position"
        if was.reasons and now.reasons and was.runs and now.runs and not barred:
            gone = (now.underneath - was.underneath) / ticks_s
            least, most = sorted((was.pace, now.pace))
            assert least - slack <= gone <= most + slack, "a leap of the track underneath"
        assert abs(now.speed) <= FASTEST * RATE / TRACK_RATE + 1e-6
        other = 1 - d
        follows = other + 1 in {was.following, now.following}
        if was.moving or now.moving or was.reasons or now.reasons:
            return
        hands = self.gliding[d] or (follows and self.gliding[other])
        if was.playing and now.playing and was.heard and now.heard and not hands and not jumped:
            change = abs(abs(now.speed) - abs(was.speed))
            # Rate and nudge, and each for up to two ticks: the one before is steered at the first
            # frame of this one, and where this one is cut, it is steered once more.
            assert change <= 4.0 * sync.SLEW * ticks_s * max(1.0, now.rate), "a leap of the tempo"
        if was.following and not now.following and was.heard and not hands:
            # It may have gone on gliding in the tick before, and in a part of this one.
            assert abs(now.rate - was.rate) <= 2.02 * sync.SLEW * ticks_s, "a tempo not kept"

    def _check_bar(self, d):
        """A deck that was put on the bar which it follows is there, as far as its track goes."""
        now, lead = self.seen[d], self.seen[1 - d]
        if self._value(f"deck{d + 1}.sync") != 2.0 or now.following != 2 - d:
            return
        if not (now.runs and lead.runs) or now.moving or now.reasons or now.rolling:
            return
        if self._value(f"deck{d + 1}.loop.active") or not -58 < now.position < LENGTH_S - 4:
            return
        backwards = lead.pace < 0.0 if lead.reasons else self._value(f"deck{2 - d}.reverse")
        if bool(self._value(f"deck{d + 1}.reverse")) == bool(backwards):
            assert self._reading(f"deck{d + 1}.bar_error") == 0.0, "off the bar"

    def _check_roll(self, d, was, now):
        """A roll hides where the deck is, and leaves it there."""
        if not (was.rolling and was.playing and now.playing and was.heard and now.heard):
            return
        if not now.rolling and self._value(f"deck{d + 1}.loop.active"):
            return  # back in the loop that it rolled in
        if was.reasons and not now.reasons:
            return  # back from a slip, which `_check` looks at
        if max(was.under, now.under) > LENGTH_S - 0.01 or min(was.under, now.under) < -59.9:
            return
        gone = (now.under - was.under) / (TICK / RATE)
        least, most = sorted((was.speed, now.speed))
        assert least - 1e-6 <= gone <= most + 1e-6, "a roll that did not land where it would be"

    def _check_stem(self, d):
        """A stem in its loop or on another deck has the beat of its deck; else it has no voice."""
        machine = self.memory["transport"][d]
        line, guest = machine["stem"][MIX], machine["stem"][MIX]["now"]
        channel = self.engine.dsp.record["channel"][d]
        head, share = channel["voice"][OWN_VOICE]["head"][0], channel["strip"][MIX]["share"]
        source, slot = int(guest["source"]), int(machine["head"]["slot"])
        assert source == int(self._value(f"deck{d + 1}.stem.mix.source"))
        name = self.grids[d] if slot >= 0 else "none"
        rolled = bool(line["rolling"])
        loops = rolled or bool(self._value(f"deck{d + 1}.stem.mix.loop"))
        if slot < 0 or (source == 0 and (not loops or name == "none")):
            assert head["slot"] < 0
            self.shared[d] += 1
            assert share == 1.0 or self.shared[d] <= FADE // TICK + 1
            return
        self.shared[d] = 0
        if source == NO_SOURCE or name == "none":
            assert head["slot"] < 0
            return
        if head["slot"] < 0:
            return  # beyond the speeds that are played
        assert int(head["slot"]) == (slot if source == 0 else int(guest["slot"]))
        beat = beat_at(name, self.seen[d].position * TRACK_RATE)
        length, folded = 0.0, beat
        if loops:
            length = self._value(f"deck{d + 1}.stem.mix.loop_length")
            beats = BEATS[name]
            near = int(np.clip(np.floor(beat - FIRST[name]), 0, len(beats) - 2))
            while length * (beats[near + 1] - beats[near]) < 256:
                length *= 2
            which = ROLLED if rolled else LATCHED
            start, lead = float(line["loop_start"][which]), float(line["lead"][which])
            last = beat_at(name, FRAMES)
            if start + length > last + 1e-9:
                start -= np.ceil(start + length - last - 1e-9)
            straight = start - lead <= beat < start or (
                start + length < beat <= start + length - lead
            )
            if not straight:
                folded = start + (beat - start) % length
        course = channel["voice"][OWN_VOICE]["line"]  # its head is beside that, with keylock
        gone = int(self.memory["frame"]) - int(course["anchor_frame"])
        place = float(course["anchor_position"]) + gone * float(course["speed"])
        heard = beat_at(self.slots[int(head["slot"])], place)
        if source:
            heard = (heard - float(guest["offset"])) / float(guest["multiple"])
        # Where tempi meet, and at an edge, a head is up to a frame on in the old direction.
        away = abs(heard - folded)
        assert min(away, abs(away - length) if loops else away) < BEAT_TOLERANCE

    @invariant()
    def no_track_is_forgotten_or_kept_for_nothing(self):
        if not hasattr(self, "seen"):
            return
        held = np.zeros(SLOTS, int)
        stems = self.memory["transport"]["stem"]
        slots = [self.memory["transport"]["head"]["slot"]]
        slots += [stems[name]["slot"] for name in GUESTS]
        slots += [self.engine.dsp.record["channel"]["voice"]["head"]["slot"]]
        for each in slots:
            there = np.asarray(each).ravel()
            held += np.bincount(there[there >= 0], minlength=SLOTS)
        assert held.tolist() == self.engine.dsp.record["media"]["heads"].tolist()

    @invariant()
    def nobody_follows_in_a_circle(self):
        if not hasattr(self, "seen"):
            return
        assert not (self.seen[0].following and self.seen[1].following)
        for deck, now in enumerate(self.seen):
            assert not (now.following and self._value(f"deck{deck + 1}.leader"))
            if now.following and now.playing:
                assert self.seen[now.following - 1].runs, "a deck that is heard follows silence"

    @invariant()
    def every_value_is_legal(self):
        if not hasattr(self, "seen"):
            return
        flat = self.memory["flat"]
        legal = (flat >= LOW) & (flat <= HIGH) | OPTIONAL & (flat == NOT_SET)
        assert legal.all(), [VALUE_PATHS[index] for index in np.flatnonzero(~legal)]
        for deck, now in enumerate(self.seen):
            assert -60.0 - 1e-9 <= now.position <= LENGTH_S + 1e-9
            if self._value(f"deck{deck + 1}.loop.active"):
                assert self._value(f"deck{deck + 1}.loop.end") != NOT_SET
                assert self._value(f"deck{deck + 1}.loop.end") > self._value(
                    f"deck{deck + 1}.loop.start"
                )


def steps(count):
    """Return the settings for so many steps in all."""
    return settings(
        max_examples=max(1, count // STEPS_EACH),
        stateful_step_count=STEPS_EACH,
        deadline=None,
        suppress_health_check=list(HealthCheck),
    )


@pytest.mark.slow
def test_the_rules_of_sync_hold_whatever_is_pressed():
    run_state_machine_as_test(Performance, settings=steps(1500))


@pytest.mark.nightly
@pytest.mark.timeout(3600)
def test_the_rules_of_sync_hold_for_a_hundred_thousand_presses():
    run_state_machine_as_test(Performance, settings=steps(100_000))
