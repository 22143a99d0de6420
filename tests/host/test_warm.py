"""PCM is touched before it is played: pages that were dropped are there again, and no others."""

import ctypes
import itertools
import mmap
import threading
import weakref

import numpy as np
import pytest

from sfa_engine.desk.scale import NOT_SET
from sfa_engine.engine.command import Op
from sfa_engine.engine.layout import SLOTS, VALUE_INDEX
from sfa_engine.engine.ring import Command
from sfa_engine.host import warm
from sfa_engine.host.offline import Offline
from sfa_engine.host.warm import Warmer

RATE = 48_000
SECONDS = 20
FRAME_BYTES = 4
libc = ctypes.CDLL(None, use_errno=True)


class Track:
    """Stems in pages of their own, which can be dropped, and asked whether they are there."""

    def __init__(self, stems=("drums", "bass"), seconds=SECONDS):
        self.frames = seconds * RATE
        self.size = self.frames * FRAME_BYTES
        private = mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS
        self._blocks = {stem: mmap.mmap(-1, self.size, private) for stem in stems}
        for block in self._blocks.values():
            block.madvise(mmap.MADV_NOHUGEPAGE)
        self.pcm = {
            stem: np.frombuffer(block, np.int16).reshape(-1, 2)
            for stem, block in self._blocks.items()
        }

    def drop(self):
        """Drop every page: the next to read one faults it in again."""
        for block in self._blocks.values():
            block.madvise(mmap.MADV_DONTNEED)

    def there(self, stem):
        """Return which pages of a stem are in memory: bool[n]."""
        count = -(-self.size // mmap.PAGESIZE)
        found = (ctypes.c_ubyte * count)()
        address = ctypes.c_void_p(self.pcm[stem].ctypes.data)
        assert libc.mincore(address, ctypes.c_size_t(self.size), found) == 0
        return np.frombuffer(found, np.uint8) & 1 == 1

    def spans(self, stem):
        """Return the stretches in memory, in seconds, rounded to a tenth."""
        edges = np.flatnonzero(np.diff(np.r_[0, self.there(stem).astype(np.int8), 0]))
        seconds = edges * mmap.PAGESIZE / FRAME_BYTES / RATE
        return [tuple(pair) for pair in np.round(seconds.reshape(-1, 2), 1).tolist()]


@pytest.fixture
def engine():
    return Offline(RATE)


@pytest.fixture
def track():
    return Track()


@pytest.fixture
def warmer(engine):
    return Warmer(engine.dsp, engine.loader, threading.Event())


def load(engine, deck, track, position_s=0.0):
    mounted = engine.load(deck, track.pcm, rate=RATE, position_s=position_s)
    engine.render(64)
    return mounted


def touch_everything(warmer):
    for _ in range(warm.TURNS):
        warmer.touch()


def test_what_a_playing_deck_reads_next_is_touched(engine, track, warmer):
    load(engine, 0, track, 3.0)
    engine.set("deck1.cue_point", 0.0)
    engine.push(Command(Op.PLAY, deck=0, x=1.0))
    engine.render(2 * RATE)
    track.drop()
    touch_everything(warmer)
    assert track.spans("drums") == track.spans("bass") == [(0.0, 0.5), (5.0, 6.0)]


@pytest.mark.parametrize(
    ("rate", "reverse", "expected"),
    [(2.0, 0.0, (10.0, 12.0)), (0.5, 0.0, (10.0, 10.5)), (2.0, 1.0, (8.0, 10.0))],
)
def test_it_is_touched_as_far_as_a_second_goes_in_its_direction(
    engine, track, warmer, rate, reverse, expected
):
    load(engine, 0, track, 10.0)
    engine.set("deck1.cue_point", 0.0)
    engine.set("deck1.rate", rate)
    engine.set("deck1.reverse", reverse)
    engine.render(RATE // 2)
    engine.push(Command(Op.PLAY, deck=0, x=1.0))
    engine.render(64)
    track.drop()
    touch_everything(warmer)
    assert track.spans("drums") == [(0.0, 0.5), expected]


def test_what_may_be_jumped_to_is_touched_around(engine, track, warmer):
    load(engine, 0, track, 2.0)
    for path, place in (
        ("deck1.cue_point", 5.0),
        ("deck1.hotcue1.position", 8.0),
        ("deck1.hotcue32.position", 11.0),
        ("deck1.loop.start", 14.0),
        ("deck1.loop.end", 17.0),
    ):
        engine.set(path, place)
    engine.render(64)
    track.drop()
    touch_everything(warmer)
    around = [(place - 0.5, place + 0.5) for place in (5.0, 8.0, 11.0, 14.0, 17.0)]
    assert track.spans("drums") == [(2.0, 3.0), *around]


def test_places_outside_the_track_are_cut(engine, track, warmer):
    load(engine, 0, track, SECONDS - 0.25)
    engine.set("deck1.cue_point", -0.25)
    engine.set("deck1.hotcue1.position", 1000.0)
    engine.render(64)
    track.drop()
    touch_everything(warmer)
    assert track.spans("drums") == [(0.0, 0.3), (SECONDS - 0.3, float(SECONDS))]


def test_what_is_not_filled_yet_is_left_alone(engine, track, warmer):
    mounted = load(engine, 0, track, 4.0)
    engine.loader._set_ready(mounted.slot, 4 * RATE, int(4.5 * RATE))
    track.drop()
    touch_everything(warmer)
    assert track.spans("drums") == [(4.0, 4.5)]


def test_a_stem_with_a_head_of_its_own_is_touched_there(engine, track, warmer):
    mounted = load(engine, 0, track, 2.0)
    engine.set("deck1.cue_point", 2.0)
    engine.push(Command(Op.PLAY, deck=0, x=1.0))
    engine.render(64)
    drums = warm.STEMS.index("drums")
    head = engine.dsp.record["channel"][0]["voice"][1 + drums]["head"][0]
    head["slot"], head["gain"], head["speed"] = mounted.slot, 1.0, 1.0
    head["anchor_frame"] = engine.memory.engine["frame"]
    head["anchor_position"] = 12.0 * RATE
    track.drop()
    touch_everything(warmer)
    assert track.spans("drums") == [(1.5, 3.0), (12.0, 13.0)]
    assert track.spans("bass") == [(1.5, 3.0)]


@pytest.mark.parametrize("place", [np.nan, np.inf, -np.inf, 1e300])
def test_a_torn_place_is_harmless(engine, track, warmer, place):
    load(engine, 0, track)
    engine.memory.engine["flat"][VALUE_INDEX["deck1.cue_point"]] = NOT_SET
    engine.memory.engine["transport"][0]["position"] = place
    track.drop()
    touch_everything(warmer)
    assert track.spans("drums") == []


def test_a_track_that_is_let_go_while_it_is_read_stays_until_then(engine, warmer):
    track = Track()
    array = weakref.ref(load(engine, 0, track).pcm["drums"])
    del track
    stretches = list(warmer._heads())
    engine.loader.give_track(0, None)
    engine.render(64)
    engine.loader.free_taken()
    assert engine.loader.in_slot(stretches[0].mounted.slot) is None
    for stretch in stretches:
        warmer._read(stretch)
    assert warmer.touched > 0
    del stretch, stretches
    assert array() is None


def test_tracks_come_and_go_while_it_reads(engine):
    stop = threading.Event()
    warmer = Warmer(engine.dsp, engine.loader, stop)
    broken = []

    def read_on():
        try:
            while not stop.is_set():
                warmer.touch()
        except BaseException as error:
            broken.append(error)
            raise

    thread = threading.Thread(target=read_on)
    thread.start()
    for k in range(4 * SLOTS):
        load(engine, k % 2, Track(seconds=1 + k % 3), 0.5)
        engine.push(Command(Op.PLAY, deck=k % 2, x=1.0))
        engine.render(4096)
        engine.loader.give_track(k % 2, None)
        engine.render(512)
        engine.loader.free()
    stop.set()
    thread.join(10.0)
    assert not broken
    assert warmer.touched > 0


def test_it_stops_with_the_host(engine):
    stop = threading.Event()
    thread = threading.Thread(target=Warmer(engine.dsp, engine.loader, stop).run)
    thread.start()
    stop.set()
    thread.join(5.0)
    assert not thread.is_alive()


def test_a_period_takes_no_more_than_its_budget_and_the_rest_has_its_turn_later(
    engine, track, warmer, monkeypatch
):
    load(engine, 0, track)
    places = [3.0, 6.0, 9.0, 12.0, 15.0, 18.0]
    for k, place in enumerate(places, 1):
        engine.set(f"deck1.hotcue{k}.position", place)
    engine.render(64)
    track.drop()
    monkeypatch.setattr(warm, "TURNS", 1)
    monkeypatch.setattr(warm, "BUDGET_NS", 3)
    looks = itertools.count()
    monkeypatch.setattr(warm.time, "thread_time_ns", lambda: next(looks))
    warmer.touch()
    at_once = track.spans("drums")
    assert at_once[0] == (0.0, 1.0)
    assert len(at_once) == 3  # the head, and two of seven places
    for _ in range(4):
        warmer.touch()
    assert track.spans("drums") == [(0.0, 1.0), *((place - 0.5, place + 0.5) for place in places)]
