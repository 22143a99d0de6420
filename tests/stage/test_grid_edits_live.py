"""The grid of a deck is corrected: at once, and saved, whichever process dies meanwhile."""

from __future__ import annotations

import time
from typing import Any

import pytest
from engine_process import Show, until
from quiet_track import another, bundle_of, call, get, kill, press, put

from sfa_engine.errors import EngineError, Refused
from sfa_engine.track.media import read_bundle

pytestmark = pytest.mark.slow

RATE = 48_000
OUTBOX = "grids-pending.json"


@pytest.fixture
def engine(quiet_engine: Show) -> Show:
    """An engine with a track of 40 s at 120 BPM on deck 1."""
    return quiet_engine


def library_grid(engine: Show) -> dict[str, Any]:
    """Return the grid that the library has of the track; nothing without a library."""
    try:
        return call(engine, "library.show", track="quiet")["grid"] or {}
    except (EngineError, Refused):
        return {}


def anchors(engine: Show) -> list[list[float]]:
    return library_grid(engine).get("anchors", [])


def beat_at(engine: Show, place_s: float) -> float:
    """Return the beat of a stopped deck at a position."""
    put(engine, "position", place_s)
    until(lambda: get(engine, "position") == pytest.approx(place_s, abs=1e-6), "the deck")
    time.sleep(0.05)  # readings are of the last block
    return float(get(engine, "beat"))


def test_each_correction_is_on_the_deck_when_it_is_answered_and_saved(engine: Show) -> None:
    assert beat_at(engine, 10.0) == pytest.approx(20.0, abs=1e-3)
    press(engine, "grid.nudge", 10.0)
    assert beat_at(engine, 10.0) == pytest.approx(20.0 - 0.02, abs=1e-3)
    press(engine, "grid.shift", -0.5)
    assert beat_at(engine, 10.0) == pytest.approx(20.48, abs=1e-3)
    press(engine, "grid.double")
    assert beat_at(engine, 10.0) == pytest.approx(40.96, abs=1e-3)
    press(engine, "grid.halve")
    put(engine, "position", 10.1)
    press(engine, "grid.downbeat")  # the nearest beat to 10.1 s is at 10.01 + 0.25
    assert beat_at(engine, 10.26) % 4 == pytest.approx(0.0, abs=1e-3)
    put(engine, "position", 20.26)
    press(engine, "grid.tempo_here", 60.0)
    at, later = beat_at(engine, 20.26), beat_at(engine, 30.26)
    assert later - at == pytest.approx(10.0, abs=1e-3)  # a beat a second from there on
    assert at - beat_at(engine, 10.26) == pytest.approx(20.0, abs=1e-3)  # as it was before
    until(lambda: len(anchors(engine)) == 2, "the grid in the library")
    assert library_grid(engine)["by_hand"]
    until(lambda: call(engine, "status")["decks"][0]["bpm"] == 60.0, "the tempo shown")
    for _ in range(6):
        press(engine, "grid.undo")
    assert beat_at(engine, 10.0) == pytest.approx(20.0, abs=1e-3)
    with pytest.raises(Refused, match="no correction of the grid on deck 1 can be undone"):
        press(engine, "grid.undo")


def test_the_position_of_a_playing_deck_does_not_move(engine: Show) -> None:
    put(engine, "position", 5.0)
    put(engine, "play", True)
    before_s, began = get(engine, "position"), time.monotonic()
    for _ in range(10):
        press(engine, "grid.nudge", 3.0)
    passed_s = time.monotonic() - began
    # within two blocks, and what the calls themselves took
    assert get(engine, "position") - before_s == pytest.approx(passed_s, abs=0.05)
    assert get(engine, "rate") == 1.0
    until(lambda: anchors(engine)[:1] == [[10 * 0.003 * RATE, 0.0]], "the grid in the library")


def test_taps_set_tempo_and_beats_from_the_fourth_on(engine: Show) -> None:
    put(engine, "position", 2.0)
    put(engine, "play", True)
    began = time.monotonic()
    for number in range(8):
        time.sleep(max(0.0, began + number * 0.6 - time.monotonic()))  # 100 BPM
        press(engine, "grid.tap")
        if number < 3:
            assert library_grid(engine).get("bpm") in {None, 120.0}
    until(lambda: abs(library_grid(engine).get("bpm", 0) - 100.0) < 2.0, "the tempo")
    put(engine, "play", False)
    press(engine, "grid.undo")  # all taps are one correction
    assert beat_at(engine, 10.0) == pytest.approx(20.0, abs=1e-3)


def test_what_was_answered_survives_both_deaths(engine: Show) -> None:
    backstage = kill(engine, "backstage")
    press(engine, "grid.shift", 1.0)  # while there is no library: saved in the outbox
    assert beat_at(engine, 10.0) == pytest.approx(19.0, abs=1e-3)
    stage = kill(engine, "stage")
    another(engine, "stage", stage)
    another(engine, "backstage", backstage)
    until(lambda: anchors(engine) == [[0.0, -1.0]], "the grid in the library")
    until(lambda: read_bundle(bundle_of(engine)).track.grid.anchors[0].beat == -1.0, "the bundle")
    assert beat_at(engine, 10.0) == pytest.approx(19.0, abs=1e-3)


def test_a_grid_that_the_library_does_not_have_yet_is_on_the_deck_after_a_load(
    engine: Show,
) -> None:
    backstage = kill(engine, "backstage")
    press(engine, "grid.shift", 1.0)
    call(engine, "deck.load", deck=1, path=str(bundle_of(engine)))
    until(lambda: beat_at(engine, 10.0) == pytest.approx(19.0, abs=1e-3), "the corrected grid")
    another(engine, "backstage", backstage)
    until(lambda: anchors(engine) == [[0.0, -1.0]], "the grid in the library")
    until(lambda: not (engine.runtime / "data" / "sfa" / OUTBOX).exists(), "the delivery")


def test_what_cannot_be_corrected_is_refused_with_what_to_do(engine: Show) -> None:
    with pytest.raises(Refused, match="there is no track on deck 2; load one"):
        call(engine, "press", path="deck2.grid.shift")
    with pytest.raises(Refused, match="deck 1 is not playing; play it, and tap along"):
        press(engine, "grid.tap")
    press(engine, "grid.double")
    with pytest.raises(Refused, match=r"grid\.bpm is 480"):
        press(engine, "grid.double")
    assert beat_at(engine, 10.0) == pytest.approx(40.0, abs=1e-3)  # the first one is done
