"""Kinds, labels and colours of hot cues, memory cues, and jumps by name, with real processes."""

from __future__ import annotations

from typing import Any

import pytest
from engine_process import Show, until
from quiet_track import another, bundle_of, call, get, kill, press, put

from sfa_engine.errors import EngineError, Refused

pytestmark = pytest.mark.slow


@pytest.fixture
def engine(quiet_engine: Show) -> Show:
    """An engine with a track of 40 s at 120 BPM on deck 1."""
    return quiet_engine


def library_cues(engine: Show) -> list[dict[str, Any]]:
    """Return the cues that the library has of the track; none without a library."""
    try:
        found: list[dict[str, Any]] = call(engine, "library.show", track="quiet")["cues"]
    except (EngineError, Refused):
        return []
    return found


def hot_cue(engine: Show, number: int) -> dict[str, Any]:
    return next((cue for cue in library_cues(engine) if cue["slot"] == number), {})


def label_a_loop(engine: Show) -> None:
    put(engine, "position", 4.0)
    press(engine, "hotcue1.store")
    put(engine, "hotcue1.kind", "loop")
    put(engine, "hotcue1.on_load", True)
    put(engine, "hotcue1.label", "The drop")
    put(engine, "hotcue1.color", "#FF8800")


def test_all_of_a_cue_is_saved_and_back_on_the_deck_when_the_track_is_loaded(engine: Show) -> None:
    label_a_loop(engine)
    until(lambda: hot_cue(engine, 1).get("color") == "#ff8800", "the cue in the library")
    found = hot_cue(engine, 1)
    assert (found["kind"], found["label"], found["on_load"]) == ("loop", "The drop", True)
    assert (found["position_s"], found["end_s"]) == (4.0, pytest.approx(6.0))
    call(engine, "deck.eject", deck=1)
    assert get(engine, "hotcue1.label") == ""
    call(engine, "deck.load", deck=1, path=str(bundle_of(engine)))
    (shown,) = call(engine, "status")["decks"][0]["hotcues"]
    assert shown == {
        "number": 1, "position_s": 4.0, "end_s": pytest.approx(6.0), "kind": "loop",
        "label": "The drop", "color": "#ff8800", "on_load": True,
    }  # fmt: skip
    until(lambda: get(engine, "loop.active") == 1.0, "the loop that is active on load")
    assert get(engine, "position") == pytest.approx(4.0)
    # what the library was told of it was not told again as a performer's change
    assert not (engine.runtime / "data" / "sfa" / "hotcues-pending.json").exists()


def test_a_label_that_was_answered_survives_the_death_of_the_stage_and_of_backstage(
    engine: Show,
) -> None:
    label_a_loop(engine)
    until(lambda: hot_cue(engine, 1).get("color") == "#ff8800", "the cue in the library")
    backstage = kill(engine, "backstage")
    put(engine, "hotcue1.label", "Second thoughts")
    stage = kill(engine, "stage")
    another(engine, "stage", stage)
    another(engine, "backstage", backstage)
    until(lambda: hot_cue(engine, 1).get("label") == "Second thoughts", "the label")
    until(lambda: get(engine, "hotcue1.label") == "Second thoughts", "the label on the deck")
    assert hot_cue(engine, 1)["color"] == "#ff8800"


def test_what_is_edited_in_the_library_is_on_the_deck(engine: Show) -> None:
    label_a_loop(engine)
    until(lambda: hot_cue(engine, 1).get("color") == "#ff8800", "the cue in the library")
    call(engine, "library.cue", track="quiet", position_s=9.0, hot_cue=2, kind="fade_in",
         end_s=12.0, label="rise", color="#00ff00")  # fmt: skip
    until(lambda: get(engine, "hotcue2.label") == "rise", "the cue from afar")
    assert call(engine, "get", path="deck1.hotcue2.kind")["text"] == "fade_in"
    assert get(engine, "hotcue2.end") == 12.0


def test_memory_cues_are_stored_visited_and_deleted(engine: Show) -> None:
    put(engine, "quantise", True)
    for place_s in (4.1, 10.0, 20.2):
        put(engine, "position", place_s)
        press(engine, "memory.store")
    until(lambda: len(library_cues(engine)) == 3, "three memory cues")
    places = [cue["position_s"] for cue in library_cues(engine)]
    assert places == pytest.approx([4.0, 10.0, 20.0])  # on the beat
    put(engine, "position", 0.0)
    visited = []
    for name in ("next", "next", "next", "previous", "previous"):
        press(engine, f"memory.{name}")
        until(lambda: get(engine, "position") > 0, "the jump")
        visited.append(get(engine, "position"))
    assert visited == pytest.approx([4.0, 10.0, 20.0, 10.0, 4.0])
    with pytest.raises(Refused, match="no memory cue before"):
        press(engine, "memory.previous")
    press(engine, "memory.delete")
    until(lambda: len(library_cues(engine)) == 2, "two memory cues")
    assert [cue["position_s"] for cue in library_cues(engine)] == pytest.approx([10.0, 20.0])


def test_a_memory_cue_that_was_answered_survives_both_deaths(engine: Show) -> None:
    backstage = kill(engine, "backstage")
    put(engine, "position", 7.5)
    press(engine, "memory.store")
    stage = kill(engine, "stage")
    another(engine, "stage", stage)
    another(engine, "backstage", backstage)
    until(lambda: [cue["position_s"] for cue in library_cues(engine)] == [7.5], "the memory cue")
    put(engine, "position", 0.0)
    until(lambda: len(call(engine, "deck.cues", deck=1)["places"]) == 1, "the cue on the deck")
    press(engine, "memory.next")
    assert get(engine, "position") == pytest.approx(7.5)


def test_a_playing_deck_goes_from_each_memory_cue_to_the_next(engine: Show) -> None:
    put(engine, "quantise", True)
    for place_s in (4.0, 5.0, 6.0, 30.0):
        put(engine, "position", place_s)
        press(engine, "memory.store")
    put(engine, "position", 3.2)
    put(engine, "play", True)
    for wanted_s in (4.0, 5.0, 6.0, 30.0):  # each press lands within half a beat of its cue
        press(engine, "memory.next")
        until(lambda: abs(get(engine, "position") - wanted_s) < 0.5, f"{wanted_s}")  # noqa: B023


def test_a_place_is_found_by_its_name(engine: Show) -> None:
    label_a_loop(engine)
    for position_s, kind, label in ((12.0, "break", "break 1"), (20.0, "break", "break 2")):
        call(engine, "library.cue", track="quiet", position_s=position_s, kind=kind, label=label)
    until(lambda: len(call(engine, "deck.cues", deck=1)["places"]) == 3, "the cues")
    for name, wanted_s, what in (
        ("the drop", 4.0, "hot cue"), ("1", 4.0, "hot cue"), ("break 2", 20.0, "memory cue"),
        ("break", 12.0, "memory cue"), ("THE D", 4.0, "hot cue"),
    ):  # fmt: skip
        put(engine, "loop.active", False) if get(engine, "loop.active") else None
        put(engine, "position", 30.0)
        said = call(engine, "deck.cue", deck=1, name=name)
        assert (said["position_s"], said["what"]) == (wanted_s, what)
        until(lambda: abs(get(engine, "position") - wanted_s) < 0.01, name)  # noqa: B023
    with pytest.raises(Refused, match=r'nothing is called "brake".*did you mean "break"'):
        call(engine, "deck.cue", deck=1, name="brake")
    with pytest.raises(Refused, match="the track has 2"):
        call(engine, "deck.cue", deck=1, name="break 3")
    with pytest.raises(Refused, match="there is no track on deck 2"):
        call(engine, "deck.cue", deck=2, name="drop")


def test_a_jump_by_name_waits_for_its_moment(engine: Show) -> None:
    label_a_loop(engine)
    put(engine, "position", 20.2)
    put(engine, "play", True)
    call(engine, "deck.cue", deck=1, name="the drop", when="bar deck1")
    (waiting,) = call(engine, "commands.waiting")
    assert (waiting["path"], waiting["when"]) == ("deck1.hotcue1.press", "bar deck1")
    until(lambda: get(engine, "loop.active") == 1.0, "the bar")
    assert 4.0 <= get(engine, "position") < 6.1
