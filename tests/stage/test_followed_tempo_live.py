"""What the tempo of a deck answers while the deck follows another, on a running engine."""

from __future__ import annotations

import pytest
from engine_process import Show, until
from quiet_track import bundle_of, call

pytestmark = pytest.mark.slow
TEMPO = (("rate", 1.03, 1.0), ("bpm", 126.0, 120.0), ("tempo_fader", 20.0, 0.0))


def test_a_tempo_set_on_a_deck_that_follows_answers_with_the_followed_one(
    quiet_engine: Show,
) -> None:
    def put(path: str, value: object, **of: object) -> float:
        return float(call(quiet_engine, "set", path=path, value=value, **of)["value"])

    call(quiet_engine, "deck.load", deck=2, path=str(bundle_of(quiet_engine)))
    for path in ("deck1.leader", "deck1.play", "deck2.play"):
        put(path, True)
    for name, asked, _ in TEMPO:  # it follows no deck yet
        assert put(f"deck2.{name}", asked) == asked
    put("deck2.sync", "tempo")
    until(lambda: call(quiet_engine, "get", path="deck2.bpm")["value"] == 120.0, "the leader's")
    for name, asked, followed in TEMPO:
        assert put(f"deck2.{name}", asked) == pytest.approx(followed)
        assert call(quiet_engine, "get", path=f"deck2.{name}")["value"] == pytest.approx(followed)
    put("deck2.sync", "off")
    for name, asked, _ in TEMPO:
        assert put(f"deck2.{name}", asked) == asked
