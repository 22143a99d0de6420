"""Hot cues of three kinds: a press jumps, jumps into a loop, or jumps and fades in."""

import numpy as np
import pytest
import scenes

from sfa_engine.desk.deck import CUE_KINDS
from sfa_engine.desk.scale import NOT_SET
from sfa_engine.engine.command import Op, Reason
from sfa_engine.engine.layout import TICK
from sfa_engine.engine.ring import Command
from sfa_engine.host.offline import Offline
from sfa_engine.track.grid import Anchor, Grid

RATE = 48_000
BPM = 120.0  # a beat is half a second
SOUND = np.full((30 * RATE, 2), 8000, np.int16)


class Deck:
    """A deck with thirty seconds of a steady level; commands are done at once."""

    def __init__(self, bpm=BPM, block=TICK):
        self.engine = Offline(RATE, 2, block)
        grid = Grid((Anchor(0.0, 0.0),), bpm) if bpm else None
        self.engine.load(0, {"mix": SOUND}, rate=RATE, grid=grid)
        self.engine.render(TICK)

    def do(self, op, x=1.0, number=1):
        self.engine.reported()
        ticket = self.engine.commands.push(Command(op, deck=0, target=number - 1, x=x))
        self.engine.render(TICK)
        return next(
            report for report in self.engine.reported() if report.is_end and report.ticket == ticket
        )

    def set(self, name, value):
        if name == "position":
            self.do(Op.SEEK, value)
            return
        self.engine.set(f"deck1.{name}", value)
        self.engine.render(TICK)

    def value(self, name):
        return self.engine.memory.value(f"deck1.{name}")

    def cue(self, number=1):
        """Return position, end and kind of a hot cue."""
        names = ("position", "end", "kind")
        place, end, kind = (self.value(f"hotcue{number}.{name}") for name in names)
        return place, None if end == NOT_SET else end, CUE_KINDS[int(kind)]


@pytest.fixture
def deck():
    return Deck()


def kind(word):
    return float(CUE_KINDS.index(word))


def test_a_stored_cue_only_jumps(deck):
    deck.set("position", 4.0)
    deck.do(Op.HOTCUE_STORE)
    assert deck.cue() == (4.0, None, "cue")


def test_a_cue_that_is_made_a_loop_gets_the_length_of_the_decks_loops(deck):
    deck.set("position", 4.0)
    deck.set("loop.length", 8.0)
    deck.do(Op.HOTCUE_STORE)
    assert deck.do(Op.HOTCUE_KIND, kind("loop")).reason == Reason.NONE
    assert deck.cue() == (4.0, pytest.approx(8.0), "loop")


def test_a_track_without_a_grid_has_loops_too_as_if_it_had_120_bpm():
    deck = Deck(bpm=None)
    deck.set("position", 4.0)
    deck.do(Op.HOTCUE_STORE)
    deck.do(Op.HOTCUE_KIND, kind("loop"))
    assert deck.cue() == (4.0, pytest.approx(6.0), "loop")


def test_a_loop_ends_with_the_track_and_none_is_made_at_its_end(deck):
    deck.set("hotcue1.position", 29.0)
    deck.do(Op.HOTCUE_KIND, kind("loop"))
    assert deck.cue() == (29.0, pytest.approx(30.0), "loop")
    deck.set("hotcue2.position", 30.0)
    assert deck.do(Op.HOTCUE_KIND, kind("loop"), number=2).reason == Reason.OUTSIDE
    assert deck.cue(2) == (30.0, None, "cue")


def test_a_kind_that_is_chosen_first_is_that_of_the_cue_that_is_stored(deck):
    deck.do(Op.HOTCUE_KIND, kind("fade_in"))
    assert deck.cue() == (NOT_SET, None, "fade_in")
    deck.set("position", 4.0)
    deck.do(Op.HOTCUE_PRESS)
    assert deck.cue() == (4.0, pytest.approx(6.0), "fade_in")


def test_a_deck_that_goes_round_its_loop_stores_the_loop(deck):
    deck.set("position", 4.0)
    deck.do(Op.LOOP_BEATLOOP)
    deck.set("position", 5.0)
    deck.do(Op.HOTCUE_STORE)
    assert deck.cue() == (4.0, pytest.approx(6.0), "loop")
    deck.set("position", 7.0)  # beyond it
    deck.do(Op.HOTCUE_STORE, number=2)
    assert deck.cue(2)[0] == 7.0


def test_a_press_jumps_in_and_loops_and_leaves_another_loop(deck):
    deck.set("position", 10.0)
    deck.do(Op.LOOP_BEATLOOP)
    for name, value in (("position", 4.0), ("end", 5.0)):
        deck.set(f"hotcue1.{name}", value)
    deck.do(Op.HOTCUE_KIND, kind("loop"))
    deck.do(Op.PLAY)
    deck.do(Op.HOTCUE_PRESS)
    deck.engine.render(10 * RATE)
    assert 4.0 <= deck.value("position") <= 5.0
    assert (deck.value("loop.start"), deck.value("loop.end")) == (4.0, 5.0)
    deck.do(Op.HOTCUE_PRESS)  # again: it stays a loop
    assert deck.value("loop.active") == 1.0


def test_a_playing_deck_stays_in_time_when_it_jumps_into_a_loop(deck):
    deck.set("quantise", 1.0)
    for name, value in (("position", 4.0), ("end", 6.0)):
        deck.set(f"hotcue1.{name}", value)
    deck.do(Op.HOTCUE_KIND, kind("loop"))
    deck.set("position", 0.0)
    deck.do(Op.PLAY)
    deck.engine.render(RATE // 10)
    before = deck.engine.memory.reading("deck1.beat")
    deck.do(Op.HOTCUE_PRESS)
    after = deck.engine.memory.reading("deck1.beat")
    assert (after - before) % 1.0 == pytest.approx(TICK / RATE * BPM / 60, abs=1e-6)
    assert 4.0 <= deck.value("position") <= 6.0


@pytest.mark.parametrize(
    "ends", [(4.0, 4.0), (4.0, 3.0), (4.0, NOT_SET), (40.0, 50.0), (4.0, 4.001)]
)
def test_a_loop_that_cannot_be_played_is_no_loop(deck, ends):
    deck.set("hotcue1.end", 5.0)
    deck.set("hotcue1.position", 4.0)
    deck.do(Op.HOTCUE_KIND, kind("loop"))
    for name, value in zip(("position", "end"), ends, strict=True):
        deck.set(f"hotcue1.{name}", value)
    deck.do(Op.PLAY)
    assert deck.do(Op.HOTCUE_PRESS).reason == Reason.NONE
    assert deck.value("loop.active") == 0.0
    assert deck.value("position") >= min(ends[0], 30.0)


@pytest.mark.parametrize("number", [np.nan, np.inf, -np.inf, -1.0, 7.0])
def test_a_kind_that_is_none_is_the_nearest(deck, number):
    deck.set("position", 4.0)
    deck.do(Op.HOTCUE_STORE)
    deck.do(Op.HOTCUE_KIND, number)
    assert deck.cue()[2] in CUE_KINDS


def test_clear_and_load_forget_all_of_a_cue(deck):
    for forget in (lambda: deck.do(Op.HOTCUE_CLEAR), lambda: deck.engine.load(0, {"mix": SOUND})):
        deck.set("position", 4.0)
        deck.do(Op.HOTCUE_STORE)
        deck.do(Op.HOTCUE_KIND, kind("loop"))
        deck.set("hotcue1.on_load", 1.0)
        forget()
        deck.engine.render(TICK)
        assert deck.cue() == (NOT_SET, None, "cue")
        assert deck.value("hotcue1.on_load") == 0.0


def test_a_stored_cue_is_reported_whole(deck):
    deck.do(Op.HOTCUE_STORE)
    deck.engine.reported()
    deck.engine.commands.push(Command(Op.HOTCUE_STORE, deck=0, target=0, x=1.0))
    deck.engine.render(TICK)
    changed = [report for report in deck.engine.reported() if not report.is_end]
    assert len(changed) == 4  # position, end, kind and on_load, though none is another


# ---------------------------------------------------------------- fade in


def fading(speed=1.0, block=TICK):
    """Return a playing deck whose first hot cue fades in over two seconds of the track."""
    deck = Deck(block=block)
    deck.set("rate", speed)
    deck.engine.render(RATE)
    for name, value in (("position", 8.0), ("end", 10.0)):
        deck.set(f"hotcue1.{name}", value)
    deck.do(Op.HOTCUE_KIND, kind("fade_in"))
    deck.do(Op.PLAY)
    deck.engine.render(RATE // 2)
    return deck


def levels(deck, seconds):
    """Return the peak of each tick, as a share of the track's."""
    heard = deck.engine.render(round(seconds * RATE / TICK) * TICK)
    return np.abs(heard).reshape(-1, TICK * 2).max(axis=1) / (8000 / 32768)


@pytest.mark.parametrize("speed", [1.0, 2.0, 0.5])
def test_a_fade_in_rises_evenly_over_its_length_of_the_track(speed):
    deck = fading(speed)
    deck.do(Op.HOTCUE_PRESS)
    rise_s = 2.0 / speed
    found = levels(deck, rise_s + 0.2)
    times = (np.arange(len(found)) + 2) * TICK / RATE
    wanted = np.minimum(1.0, times / rise_s)
    ticks_of_the_jump = 16  # what was heard fades out, and the limiter's look ahead
    assert np.abs(found - wanted)[ticks_of_the_jump:].max() < 0.01


def test_a_jump_elsewhere_ends_the_fade():
    deck = fading()
    deck.do(Op.HOTCUE_PRESS)
    assert levels(deck, 0.5)[-1] < 0.3
    deck.set("position", 20.0)
    assert levels(deck, 0.1)[-1] == pytest.approx(1.0, abs=0.01)


def test_a_fade_of_a_stopped_deck_begins_when_it_plays():
    deck = fading()
    deck.do(Op.PLAY, 0.0)
    deck.do(Op.HOTCUE_PRESS)
    deck.engine.render(RATE)
    deck.do(Op.PLAY)
    found = levels(deck, 2.2)
    assert found[RATE // TICK] == pytest.approx(0.5, abs=0.01)
    assert found[-1] == pytest.approx(1.0, abs=0.01)


def test_a_stopped_deck_that_is_moved_starts_at_its_level():
    deck = fading()
    deck.do(Op.HOTCUE_PRESS)
    deck.do(Op.CUE)  # back to the cue point, stopped
    deck.engine.render(RATE)
    deck.do(Op.PLAY)
    assert levels(deck, 0.1)[-1] == pytest.approx(1.0, abs=0.01)


def test_a_fade_in_that_begins_clicks_no_more_than_a_jump():
    deck = fading()
    deck.engine.commands.push(Command(Op.HOTCUE_PRESS, deck=0, target=0, x=1.0))
    heard = deck.engine.render(RATE // 10)
    assert np.abs(np.diff(heard[:, 0])).max() < 8000 / 32768 / 90  # a fade of 96 frames


@pytest.mark.parametrize("scene", [scenes.cue_loop, scenes.cue_fade_in])
def test_every_block_size_gives_the_same_bytes(scene):
    assert scene(32).tobytes() == scene(1024).tobytes() == scene(480).tobytes()
