"""What is recorded of hot cues, with the real kernel on the other side: none is lost."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import trio

from sfa_engine.engine.command import Op, Ring, Source
from sfa_engine.engine.intents import OPERATIONS
from sfa_engine.engine.layout import REPORTS, VALUE_INDEX
from sfa_engine.engine.ring import CommandWriter
from sfa_engine.errors import Refused
from sfa_engine.host.offline import Offline
from sfa_engine.stage.conductor import Conductor
from sfa_engine.stage.hotcues import HotCueChange, HotCues
from sfa_engine.stage.outbox import Outbox
from sfa_engine.stage.track_cues import TrackCue

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
        outbox = Outbox(self.folder, self.folder / "hotcues.json", HotCues.VERB, HotCueChange)
        return HotCues(outbox, self.conductor)

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
    changes = hotcues.pending().get(bundle, {})
    return {number: change["position_s"] for number, change in changes.items()}


def cues(**places_s: float) -> list[TrackCue]:
    """Return hot cues of a library, by their numbers: ``_1=2.0``."""
    return [TrackCue(place_s, slot=int(number[1:])) for number, place_s in places_s.items()]


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
    hotcues.put_on_deck(1, cues(_1=2.0, _4=8.0), {})
    deck.engine.render(512)
    hotcues.put_on_deck(1, cues(_1=2.0), {})
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
    hotcues.put_on_deck(
        1, cues(_1=9.0, _2=9.0, _3=9.0), {A: {5: {"position_s": 1.0, "is_new": True}}}
    )
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
    hotcues.put_on_deck(1, cues(_1=0.0), {})
    deck.engine.render(512)
    assert deck.conductor.get("deck1.hotcue1.position") == -0.5


def test_a_hot_cue_at_the_very_begin_of_the_range_is_stored_and_not_cleared(deck: Deck):
    hotcues = deck.stage()
    deck.store(1, -60.0)
    for _ in range(4):  # no jump leads further back
        assert deck.pads.write(Op.JUMP, 0, 0, -256.0, PADS)
        deck.engine.render(512)
    assert deck.pads.write(Op.HOTCUE_STORE, 0, 1, 0.0, PADS)
    deck.engine.render(512)
    deck.conductor.pump()
    assert recorded(hotcues) == {1: -60.0, 2: -60.0}


def test_a_damaged_outbox_is_put_aside_and_what_is_set_is_recorded_again(deck: Deck):
    deck.stage()
    deck.store(1, 2.0)
    deck.conductor.pump()
    deck.conductor._reports.release()
    (deck.folder / "hotcues.json").write_text("{ no json")
    assert recorded(deck.stage()) == {1: 2.0}
    assert (deck.folder / "hotcues.damaged").exists()


def change_of(hotcues: HotCues, number: int) -> dict[str, Any]:
    return dict(hotcues.pending()[A][number])


def test_a_new_cue_is_recorded_whole_so_that_nothing_of_an_older_one_stays(deck: Deck):
    hotcues = deck.stage()
    deck.store(1, 2.0)
    deck.conductor.pump()
    assert change_of(hotcues, 1) == {
        "position_s": 2.0, "end_s": None, "kind": "cue", "on_load": False,
        "label": "", "color": "", "is_new": True,
    }  # fmt: skip


def test_what_is_changed_of_a_cue_is_added_to_what_was_not_delivered(deck: Deck):
    hotcues = deck.stage()
    deck.store(1, 2.0)
    deck.conductor.pump()
    deck.conductor.set_nowait("deck1.hotcue1.kind", "loop", PADS)
    deck.conductor.set_nowait("deck1.hotcue1.on_load", True, PADS)
    deck.conductor.set_nowait("deck1.hotcue1.label", "Drop", PADS)
    deck.conductor.set_nowait("deck1.hotcue1.color", "#FF0000", PADS)
    deck.engine.render(512)
    deck.conductor.pump()
    change = change_of(hotcues, 1)
    assert change["end_s"] == 4.0  # four beats of a track without a grid
    assert (change["kind"], change["on_load"]) == ("loop", True)
    assert (change["label"], change["color"], change["is_new"]) == ("Drop", "#ff0000", True)


def test_a_change_of_a_delivered_cue_says_only_what_changed(deck: Deck):
    hotcues = deck.stage()
    deck.store(1, 2.0)
    deck.conductor.pump()
    hotcues.outbox.messages.clear()
    deck.conductor.set_nowait("deck1.hotcue1.label", "Drop", PADS)
    assert change_of(hotcues, 1) == {"label": "Drop"}
    deck.conductor.set_nowait("deck1.hotcue1.position", 3.0, PADS)
    deck.engine.render(512)
    deck.conductor.pump()
    assert change_of(hotcues, 1) == {"label": "Drop", "position_s": 3.0}
    assert deck.conductor.get("deck1.hotcue1.label") == "Drop"  # it was moved, not stored anew


async def test_a_label_that_was_answered_is_newer_than_a_store_whose_report_was_kept(deck: Deck):
    hotcues = deck.stage()
    deck.store(1, 2.0)
    deck.conductor.pump()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(hotcues.outbox._keep_saved)
        deck.conductor.set_nowait("deck1.hotcue1.label", "Drop", PADS)
        await hotcues.wait_saved(5.0)  # it is answered now, and the stage killed
        nursery.cancel_scope.cancel()
    change = change_of(deck.stage(), 1)
    assert (change["label"], change["position_s"]) == ("Drop", 2.0)


def test_a_label_is_newer_than_a_store_whose_report_was_not_read_yet(deck: Deck):
    hotcues = deck.stage()
    deck.store(1, 2.0)
    deck.conductor.set_nowait("deck1.hotcue1.label", "Drop", PADS)
    deck.conductor.pump()
    assert change_of(hotcues, 1)["label"] == "Drop"
    assert deck.conductor.get("deck1.hotcue1.label") == "Drop"


def test_a_cue_that_is_stored_anew_or_cleared_has_no_label(deck: Deck):
    hotcues = deck.stage()
    for again in (lambda: deck.store(1, 5.0), lambda: deck.clear(1)):
        deck.store(1, 2.0)
        deck.conductor.pump()
        deck.conductor.set_nowait("deck1.hotcue1.label", "Drop", PADS)
        again()
        deck.conductor.pump()
        assert deck.conductor.get("deck1.hotcue1.label") == ""
        assert not change_of(hotcues, 1).get("label")


def test_a_label_of_a_cue_that_is_not_set_is_refused(deck: Deck):
    hotcues = deck.stage()
    with pytest.raises(Refused, match="hot cue 3 of deck 1 is not set; store it first"):
        deck.conductor.set_nowait("deck1.hotcue3.label", "Drop", PADS)
    deck.conductor.set_nowait("deck1.hotcue3.label", "", PADS)  # as it is
    assert recorded(hotcues) == {}


def test_all_that_the_library_has_of_a_cue_is_put_on_the_deck(deck: Deck):
    hotcues = deck.stage()
    drop = TrackCue(2.0, 4.0, "drop", 1, "The drop", "#00ff00", on_load=True)
    rise = TrackCue(6.0, 8.0, "fade_in", 2)
    bass = TrackCue(9.0, 10.0, "loop", 3, stem="bass")
    hotcues.put_on_deck(1, [drop, rise, bass], {})
    deck.engine.render(512)
    deck.conductor.pump()
    assert hotcues.on_deck(1) == [
        TrackCue(2.0, 4.0, "loop", 1, "The drop", "#00ff00", on_load=True),
        TrackCue(6.0, 8.0, "fade_in", 2),
        TrackCue(9.0, None, "cue", 3),  # a deck does not loop as a whole for one stem
    ]
    assert recorded(hotcues) == {}
    hotcues.put_on_deck(1, [], {})
    deck.engine.render(512)
    deck.conductor.pump()
    assert hotcues.on_deck(1) == []
    assert deck.conductor.get("deck1.hotcue1.label") == ""
    assert recorded(hotcues) == {}


def test_a_deck_stands_on_the_cue_that_asks_for_it_and_loops(deck: Deck):
    hotcues = deck.stage()
    loop = TrackCue(6.0, 8.0, "loop", 2, on_load=True)
    hotcues.put_on_deck(1, [TrackCue(3.0, slot=1), loop], {})
    deck.engine.render(512)
    hotcues.stand_on(1)
    deck.engine.render(512)
    assert deck.engine.memory.value("deck1.position") == 6.0
    assert deck.engine.memory.value("deck1.loop.active") == 1.0
    deck.conductor.pump()
    assert recorded(hotcues) == {}


def test_an_outbox_of_an_earlier_version_is_read(deck: Deck):
    content = {"messages": {"1 /a": {"bundle": A, "hotcues": {"1": 2.5, "2": None}}}, "state": {}}
    (deck.folder / "hotcues.json").write_text(json.dumps(content))
    hotcues = deck.stage()
    assert recorded(hotcues) == {1: 2.5, 2: None}
    assert not hotcues.outbox.is_damaged
