"""What is recorded of hot cues, with the real kernel on the other side: none is lost."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from sfa_engine.engine.command import Op, Ring, Source
from sfa_engine.engine.intents import OPERATIONS
from sfa_engine.engine.layout import REPORTS, VALUE_INDEX
from sfa_engine.engine.ring import CommandWriter
from sfa_engine.host.offline import Offline
from sfa_engine.stage.conductor import Conductor
from sfa_engine.stage.hotcues import HotCues

PADS = 1001  # source of what the pads of another writer do
A, B = "/tracks/a.sfa", "/tracks/b.sfa"
SOUND = {"mix": np.zeros((48_000 * 20, 2), np.float32)}


class Deck:
    """A deck of an engine, whose stage may be started anew."""

    def __init__(self, folder: Path) -> None:
        self.engine = Offline()
        self.folder = folder
        self.pads = CommandWriter(self.engine.memory, Ring.MIDI)
        self.load(A)

    def load(self, bundle: str) -> None:
        self.engine.load(0, SOUND)
        self.engine.render(512)
        self.engine.memory.engine["transport"][0]["bundle"] = bundle.encode()

    def stage(self) -> HotCues:
        self.conductor = Conductor(self.engine.memory)
        return HotCues(self.folder, self.folder / "hotcues.json", self.conductor)

    def press(self, verb: str, number: int, position_s: float = 0.0) -> None:
        seek = OPERATIONS["deck1.position"]
        assert self.pads.write(seek.op, seek.deck, seek.target, position_s, PADS)
        assert self.pads.write(Op[verb], 0, number - 1, 0.0, PADS)
        self.engine.render(512)

    def store(self, number: int, position_s: float) -> None:
        self.press("HOTCUE_STORE", number, position_s)

    def clear(self, number: int) -> None:
        self.press("HOTCUE_CLEAR", number)


@pytest.fixture
def deck(tmp_path: Path) -> Deck:
    return Deck(tmp_path)


def recorded(hotcues: HotCues, bundle: str = A) -> dict[int, float | None]:
    return dict(hotcues.pending().get(bundle, {}))


def test_what_another_writer_stores_and_clears_is_recorded(deck: Deck):
    hotcues = deck.stage()
    deck.store(1, 2.0)
    deck.store(2, 3.0)
    deck.clear(1)
    deck.conductor.pump()
    assert recorded(hotcues) == {1: None, 2: 3.0}


def test_what_was_done_while_no_stage_ran_is_recorded_by_the_next(deck: Deck):
    deck.stage()
    deck.store(1, 2.0)
    deck.conductor.pump()
    deck.conductor._reports.release()  # it was on the disk
    deck.clear(1)
    deck.store(32, 4.0)
    assert recorded(deck.stage()) == {1: None, 32: 4.0}


def test_what_a_stage_that_died_had_not_on_the_disk_is_recorded_by_the_next(deck: Deck):
    hotcues = deck.stage()
    deck.store(1, 2.0)
    deck.conductor.pump()
    assert not hotcues.outbox.is_saved
    assert recorded(deck.stage()) == {1: 2.0}


def test_what_is_on_the_disk_is_recorded_once(deck: Deck):
    hotcues = deck.stage()
    deck.store(1, 2.0)
    deck.conductor.pump()
    hotcues.outbox.save()
    deck.conductor.pump()
    assert deck.conductor._reports.held == 0
    (deck.folder / "hotcues.json").unlink()  # backstage took it
    assert recorded(deck.stage()) == {}


def test_when_reports_were_lost_all_that_is_set_is_recorded_and_no_clear_inferred(deck: Deck):
    deck.stage()
    deck.store(1, 2.0)
    deck.store(3, 5.0)
    crossfader = VALUE_INDEX["crossfader"]
    for _ in range(REPORTS // 512 + 1):
        for each in range(512):
            assert deck.pads.write(Op.SET, -1, crossfader, float(each % 100), PADS)
        deck.engine.render(512)
    assert deck.engine.memory.engine["reports_lost"]
    deck.clear(1)
    deck.store(2, 3.0)
    assert recorded(deck.stage()) == {1: 2.0, 2: 3.0, 3: 5.0}


def test_a_load_clears_nothing_and_what_was_stored_before_is_of_the_track_that_went(deck: Deck):
    hotcues = deck.stage()
    deck.store(1, 2.0)
    deck.load(B)
    hotcues.loaded(1)
    deck.store(2, 3.0)
    deck.conductor.pump()
    assert recorded(hotcues, A) == {1: 2.0}
    assert recorded(hotcues, B) == {2: 3.0}


def test_what_the_library_says_is_put_on_the_deck_and_not_recorded(deck: Deck):
    hotcues = deck.stage()
    hotcues.put_on_deck(1, {1: 2.0, 4: 8.0}, {})
    deck.engine.render(512)
    hotcues.put_on_deck(1, {1: 2.0}, {})
    deck.engine.render(512)
    deck.conductor.pump()
    assert deck.engine.memory.value("deck1.hotcue1.position") == 2.0
    assert not hotcues.has_any(2)
    assert recorded(hotcues) == {}


def test_what_the_library_does_not_know_yet_is_newer_than_what_it_says(deck: Deck):
    hotcues = deck.stage()
    deck.store(1, 2.0)
    deck.store(2, 3.0)
    deck.clear(2)
    hotcues.put_on_deck(1, {1: 9.0, 2: 9.0, 3: 9.0}, {A: {5: 1.0}})
    deck.engine.render(512)
    places = [deck.conductor.get(f"deck1.hotcue{n}.position") for n in range(1, 6)]
    assert [place if place >= 0 else None for place in places] == [2.0, None, 9.0, None, 1.0]


def test_a_hot_cue_before_the_first_frame_stays_there_though_the_library_has_it_at_the_start(
    deck: Deck,
):
    hotcues = deck.stage()
    deck.conductor.set_nowait("deck1.hotcue1.position", -0.5, Source.SOCKET)
    deck.engine.render(512)
    deck.conductor.pump()
    assert recorded(hotcues) == {1: -0.5}
    hotcues.outbox.messages.clear()
    hotcues.put_on_deck(1, {1: 0.0}, {})
    deck.engine.render(512)
    assert deck.conductor.get("deck1.hotcue1.position") == -0.5


def test_a_damaged_outbox_is_put_aside_and_what_is_set_is_recorded_again(deck: Deck):
    deck.stage()
    deck.store(1, 2.0)
    deck.conductor.pump()
    deck.conductor._reports.release()
    (deck.folder / "hotcues.json").write_text("{ no json")
    assert recorded(deck.stage()) == {1: 2.0}
    assert (deck.folder / "hotcues.damaged").exists()
