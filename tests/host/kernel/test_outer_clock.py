"""A clock from outside: followed without a leap, kept when lost; and a tapped tempo."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sfa_engine.desk.desk import PAD_MODES
from sfa_engine.engine.command import ClockSource, Op, Reason, ReportKind, Ring
from sfa_engine.engine.layout import TICK
from sfa_engine.engine.ring import Command, CommandWriter
from sfa_engine.host.kernel import clock, sync
from sfa_engine.host.offline import Offline
from sfa_engine.track.grid import Anchor, Grid

RATE = 48_000
TRACK_RATE = 8_000  # small in memory
QUIET = np.zeros((120 * TRACK_RATE, 2), np.int16)


class Session:
    """An engine, and the two clocks outside of it."""

    def __init__(self, source="midi"):
        self.engine = Offline(RATE, 2, TICK)
        self.rings = {
            ClockSource.MIDI: CommandWriter(self.engine.memory, Ring.MIDI),
            ClockSource.LINK: CommandWriter(self.engine.memory, Ring.STAGE),
        }
        self.engine.commands = self.rings[ClockSource.LINK]
        self.set("clock.source", ClockSource[source.upper()])
        self.wait(TICK / RATE)

    @property
    def frame(self):
        return int(self.engine.memory.engine["frame"])

    def set(self, path, value):
        self.engine.set(path, float(value))

    def load(self, deck, bpm, first=0.0):
        grid = Grid((Anchor(first * TRACK_RATE, 0.0),), bpm)
        self.engine.load(deck - 1, {"mix": QUIET}, rate=TRACK_RATE, grid=grid)
        self.wait(TICK / RATE)

    def do(self, op, deck=1, x=0.0):
        ticket = self.engine.push(Command(op, deck=deck - 1, x=x))
        self.wait(TICK / RATE)
        return next(
            r
            for r in self.engine.reported()
            if r.is_end and r.ring == Ring.STAGE and r.ticket == ticket
        )

    def wait(self, seconds):
        self.engine.render(round(seconds * RATE / TICK) * TICK)

    def hear(self, beat, tempo, source=ClockSource.MIDI, running=1, ring=None, frame=None):
        writer = self.rings[source] if ring is None else CommandWriter(self.engine.memory, ring)
        return writer.push(
            Command(
                Op.FOLLOW, deck=running, target=source, x=beat, y=tempo,
                frame=self.frame if frame is None else frame,
            )
        )  # fmt: skip

    def run(self, seconds, tempo, beat=0.0, source=ClockSource.MIDI, each=None):
        """Let an outer clock run, which is heard twice a second; return its beat at the end."""
        first = self.frame
        for _ in range(round(seconds * 2)):
            self.hear(beat + (self.frame - first) * tempo / 60 / RATE, tempo, source)
            if each is None:
                self.wait(0.5)
            else:
                for _ in range(RATE // TICK // 2):
                    self.engine.render(TICK)
                    each()
        return beat + (self.frame - first) * tempo / 60 / RATE

    def reading(self, path):
        return self.engine.memory.reading(path)

    def value(self, path):
        return self.engine.memory.value(path)


def apart(a, b):
    return abs((a - b + 0.5) % 1.0 - 0.5)


# ------------------------------------------------------------------ following


@pytest.mark.parametrize("source", ["midi", "link"])
def test_the_clock_takes_over_tempo_phase_and_bars(source):
    session = Session(source)
    session.wait(1.0)
    beat = session.run(6.0, 128.0, 5.3, ClockSource[source.upper()])
    assert session.value("clock.tempo") == pytest.approx(128.0)
    assert session.reading("clock.locked") == 1.0
    assert apart(session.reading("clock.beat"), beat) * 60 / 128 < 0.001
    downbeat = int(session.engine.memory.engine["clock_downbeat"])
    assert session.reading("clock.beat") - downbeat == pytest.approx(beat, abs=0.01)


def test_another_source_than_the_chosen_one_is_not_followed():
    session = Session("link")
    session.run(2.0, 128.0, source=ClockSource.MIDI)
    assert session.value("clock.tempo") == 120.0
    assert session.reading("clock.locked") == 0.0


@pytest.mark.parametrize("how", ["silence", "told"])
def test_a_lost_clock_leaves_the_tempo(how):
    session = Session()
    session.run(3.0, 127.0)
    if how == "told":
        session.hear(0.0, 0.0)
    session.wait(2.1)
    assert session.reading("clock.locked") == 0.0
    before = session.reading("clock.beat")
    session.wait(1.0)
    assert session.reading("clock.beat") == pytest.approx(before + 127 / 60, abs=1e-3)
    session.engine.push(Command(Op.CLOCK_TEMPO, x=125.0))
    session.wait(0.01)
    assert session.value("clock.tempo") == 125.0


def test_a_tempo_cannot_be_set_while_an_outer_clock_is_followed():
    session = Session()
    session.run(1.0, 127.0)
    report = session.do(Op.CLOCK_TEMPO, x=90.0)
    assert report.x == pytest.approx(127.0)


@pytest.mark.parametrize(
    "wrong",
    [
        {"tempo": 5.0},
        {"tempo": 1000.0},
        {"tempo": -120.0},
        {"beat": 1e11},
        {"frame": 1 << 50},
        {"frame": -(1 << 62)},
        {"ring": Ring.EFFECTS},
        {"ring": Ring.STAGE},
        {"source": ClockSource.LEADER, "ring": Ring.MIDI},
    ],
)
def test_a_clock_that_says_what_cannot_be_is_refused(wrong):
    session = Session()
    session.hear(**{"beat": 1.0, "tempo": 120.0, **wrong})
    session.wait(0.1)
    report = next(r for r in session.engine.reported() if r.op == Op.FOLLOW)
    assert (report.kind, report.reason) == (ReportKind.REFUSED, Reason.UNKNOWN)
    assert session.reading("clock.locked") == 0.0


def test_running_is_what_the_outer_clock_says():
    session = Session()
    assert session.reading("clock.running") == 1.0
    for running in (0, 1, 0):
        session.hear(0.0, 120.0, running=running)
        session.wait(0.01)
        assert session.reading("clock.running") == running


# ------------------------------------------------------------------ decks


def playing_deck(session, bpm=124.0, mode=2.0):
    session.load(1, bpm)
    session.do(Op.SYNC, x=mode)
    session.do(Op.SEEK, x=10.0)
    session.do(Op.PLAY, x=1.0)


def test_a_synced_deck_follows_the_clock_that_follows_an_outer_one():
    session = Session()
    playing_deck(session)
    beat = session.run(45.0, 128.0, 0.3)
    assert session.reading("deck1.tempo") == pytest.approx(128.0, abs=0.01)
    assert apart(session.reading("deck1.beat"), beat) * 60 / 128 < 0.001
    assert abs(session.reading("deck1.phase_error")) < 0.002


def test_a_deck_that_starts_lands_on_the_outer_beat():
    session = Session()
    session.load(1, 124.0)
    session.do(Op.SYNC, x=2.0)
    session.run(6.0, 126.0, 0.4)
    session.do(Op.PLAY, x=1.0)
    assert apart(session.reading("deck1.beat"), session.reading("clock.beat")) < 0.002


def test_a_deck_keeps_its_tempo_when_the_source_goes_back():
    session = Session()
    playing_deck(session)
    session.run(4.0, 130.0)
    session.set("clock.source", ClockSource.INTERNAL)
    session.wait(1.0)
    assert session.reading("deck1.tempo") == pytest.approx(130.0, abs=0.05)


def test_decks_follow_no_outer_clock_that_was_never_heard():
    session = Session()
    playing_deck(session)
    session.wait(1.0)
    assert session.reading("deck1.tempo") == pytest.approx(124.0)


def test_a_deck_that_does_not_sync_is_left_alone():
    session = Session()
    playing_deck(session, mode=0.0)
    session.run(3.0, 131.0)
    assert session.reading("deck1.tempo") == pytest.approx(124.0)


@settings(max_examples=5)
@given(
    tempi=st.lists(st.floats(90.0, 150.0), min_size=1, max_size=3),
    phases=st.lists(st.floats(0.0, 8.0), min_size=3, max_size=3),
    lost=st.booleans(),
)
@pytest.mark.slow
def test_whatever_comes_the_clock_never_jumps_and_a_heard_deck_bends_by_a_percent(
    tempi, phases, lost
):
    session = Session()
    playing_deck(session)
    record = session.engine.memory.engine
    seen = {"beat": session.reading("clock.beat"), "place": None, "rate": 1.0}

    def look():
        beat = session.reading("clock.beat")
        per_tick = session.value("clock.tempo") / 60 * TICK / RATE
        was = seen.get("per_tick", per_tick)
        low, high = sorted((was, per_tick))
        assert 0.99 * low - 1e-9 <= beat - seen["beat"] <= 1.01 * high + 1e-9
        machine = record["transport"][0]
        head = machine["head"]
        gone = session.frame - int(head["anchor_frame"])
        place = float(head["anchor_position"]) + gone * float(head["speed"])
        rate = session.value("deck1.rate")
        if seen["place"] is not None:
            moved = (place - seen["place"]) / TICK * RATE / TRACK_RATE
            low, high = sorted((seen["rate"], rate))
            assert 0.99 * low - 1e-6 <= moved <= 1.01 * high + 1e-6
            assert abs(rate - seen["rate"]) <= 1.01 * sync.SLEW * TICK / RATE
        seen.update(beat=beat, per_tick=per_tick, place=place, rate=rate)

    # The first change may come with a clock that nobody follows yet.
    session.run(1.0, tempi[0], phases[0])
    seen["beat"] = session.reading("clock.beat")
    for tempo, phase in zip(tempi, phases, strict=False):
        session.run(1.5, tempo, phase, each=look)
    if lost:
        session.hear(0.0, 0.0)
        for _ in range(300):
            session.engine.render(TICK)
            look()


def test_a_clock_that_nobody_is_in_time_with_catches_up_fast_and_goes_on():
    session = Session()
    last = [session.reading("clock.beat")]

    def look():
        beat = session.reading("clock.beat")
        assert 0.0 < beat - last[0] <= 2.0 * TICK / RATE * (1.0 + clock.MAX_BEND_ALONE) + 1e-9
        last[0] = beat

    beat = session.run(8.0, 120.0, 0.5, each=look)
    assert apart(session.reading("clock.beat"), beat) < 0.002


def test_a_clock_that_a_loop_of_a_pad_follows_bends_by_a_percent():
    session = Session()
    session.engine.load_pad(0, np.full((RATE, 2), 0.1, np.float32), rate=RATE)
    session.set("pad1.mode", PAD_MODES.index("loop"))
    session.set("pad1.beats", 2.0)
    session.engine.push(Command(Op.PAD_HIT, target=0, x=127.0))
    session.wait(0.1)
    last = [session.reading("clock.beat")]
    per_tick = 2.0 * TICK / RATE

    def look():
        beat = session.reading("clock.beat")
        assert abs((beat - last[0]) / per_tick - 1.0) <= clock.MAX_BEND + 1e-6
        last[0] = beat

    session.run(4.0, 120.0, 0.5, each=look)


def test_the_leader_is_followed_whichever_deck_it_is():
    session = Session("leader")
    for deck, bpm in ((1, 124.0), (2, 128.0)):
        session.load(deck, bpm)
        session.do(Op.PLAY, deck, 1.0)
    session.wait(0.1)
    assert session.value("clock.tempo") == pytest.approx(124.0)
    session.do(Op.LEADER, 2, 1.0)
    session.wait(0.1)
    assert session.value("clock.tempo") == pytest.approx(128.0)
    assert session.engine.memory.engine["clock_followed"] == ClockSource.DECK1 + 1


# ------------------------------------------------------------------ tap


def tap(session, *gaps):
    for gap in (0.0, *gaps):
        session.wait(gap)
        report = session.do(Op.CLOCK_TAP)
        assert report.kind is ReportKind.APPLIED
    return session.value("clock.tempo")


def test_three_taps_set_the_tempo():
    session = Session("internal")
    assert tap(session, 0.6) == 120.0
    assert tap(session, 0.6, 0.6) == pytest.approx(100.0, abs=0.5)


@pytest.mark.parametrize("gaps", [(0.5, 1.0, 0.5, 0.5), (1.0, 0.5, 0.5), (0.5, 0.5, 1.0)])
def test_a_missed_tap_does_not_count(gaps):
    assert tap(Session("internal"), *(gap - TICK / RATE for gap in gaps)) == pytest.approx(
        120.0, abs=0.3
    )


def test_uneven_taps_give_their_mean():
    tempo = tap(Session("internal"), 0.52, 0.47, 0.51, 0.49, 0.53, 0.48, 0.5)
    assert tempo == pytest.approx(120.0, abs=0.5)


def test_after_a_pause_tapping_begins_again():
    session = Session("internal")
    tap(session, 0.5, 0.5, 0.5)
    session.wait(2.5)
    assert tap(session, 0.4) == pytest.approx(120.0, abs=0.5)
    session.wait(0.4)
    session.do(Op.CLOCK_TAP)
    assert session.value("clock.tempo") == pytest.approx(150.0, abs=0.5)


def test_more_taps_than_are_kept_follow_the_newest():
    session = Session("internal")
    tap(session, *[0.5] * 8)
    assert tap(session, *[0.4] * 10) == pytest.approx(150.0, abs=0.5)


def test_a_switch_that_bounces_counts_once():
    session = Session("internal")
    assert tap(session, 0.5, 0.02, 0.48, 0.02, 0.48) == pytest.approx(120.0, abs=1.0)


def test_a_tap_is_refused_while_the_clock_follows():
    session = Session()
    session.run(1.0, 125.0)
    report = session.do(Op.CLOCK_TAP)
    assert (report.kind, report.reason) == (ReportKind.REFUSED, Reason.FOLLOWING)
    assert session.value("clock.tempo") == pytest.approx(125.0)
