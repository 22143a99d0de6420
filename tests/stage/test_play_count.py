"""A play counts when a track was heard long enough, once a load, and is never lost."""

from __future__ import annotations

import json
import os
import signal
from pathlib import Path

import numpy as np
import pytest
from engine_process import Show, until

from sfa_engine.engine.layout import READING_INDEX, VALUE_INDEX
from sfa_engine.engine.memory import Memory
from sfa_engine.library.bundle import write_bundle_arrays
from sfa_engine.stage.conductor import Conductor
from sfa_engine.stage.plays import POLL_S, Plays
from sfa_engine.system.process_lock import lock_holder

RATE = 48_000


class Decks:
    """An engine's memory in which a test says what is played, and a counter beside it."""

    def __init__(self, folder: Path) -> None:
        self.memory = Memory.anonymous()
        self.memory.engine["sample_rate"] = RATE
        self.folder = folder
        self.put(1, "/tracks/a.sfa", 300.0)
        self.hear(1)
        self.plays = self.counter()

    def counter(self) -> Plays:
        return Plays(self.folder, self.folder / "plays.json", Conductor(self.memory))

    def put(self, deck: int, bundle: str, length_s: float) -> None:
        transport = self.memory.engine["transport"][deck - 1]
        transport["bundle"] = bundle.encode()
        transport["track_rate"] = RATE
        transport["track_frames"] = round(length_s * RATE)

    def hear(self, deck: int, rms: float = 0.1, *, playing: bool = True) -> None:
        self.memory.engine["transport"][deck - 1]["playing"] = playing
        self.memory.engine["snapshots"]["flat"][:, READING_INDEX[f"deck{deck}.rms"]] = rms

    def set(self, path: str, value: float) -> None:
        self.memory.engine["flat"][VALUE_INDEX[path]] = value

    def pass_s(self, seconds: float) -> int:
        """Let time pass; return how many plays were counted till now."""
        for _ in range(round(seconds / POLL_S)):
            self.memory.engine["emitted"] += round(POLL_S * RATE)
            self.plays.poll()
        return len(self.plays.outbox.messages)


@pytest.fixture
def decks(tmp_path: Path) -> Decks:
    return Decks(tmp_path)


def test_a_track_counts_after_half_a_minute_and_once(decks: Decks):
    assert decks.pass_s(29.5) == 0
    assert decks.pass_s(0.5) == 1
    assert decks.pass_s(300.0) == 1
    (play,) = decks.plays.outbox.messages.values()
    assert (play.bundle, play.deck) == ("/tracks/a.sfa", 1)


def test_half_of_a_short_track_is_enough(decks: Decks):
    decks.put(1, "/tracks/short.sfa", 20.0)
    decks.plays.loaded(1)
    assert decks.pass_s(9.5) == 0
    assert decks.pass_s(0.5) == 1


def test_the_same_track_loaded_again_counts_again(decks: Decks):
    assert decks.pass_s(30.0) == 1
    decks.plays.loaded(1)
    assert decks.pass_s(30.0) == 2


def test_another_track_begins_at_nothing(decks: Decks):
    assert decks.pass_s(29.5) == 0
    decks.put(1, "/tracks/b.sfa", 300.0)
    assert decks.pass_s(29.5) == 0
    assert decks.pass_s(1.0) == 1


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("crossfader", 100.0),
        ("master.volume", -60.0),
        ("deck1.assign", 3.0),  # right, with the crossfader on the left
    ],
)
def test_a_deck_that_the_mixer_cuts_off_is_not_audible(decks: Decks, path: str, value: float):
    if path == "deck1.assign":
        decks.set("crossfader", -100.0)
    decks.set(path, value)
    assert decks.pass_s(60.0) == 0


def test_a_reversed_crossfader_lets_the_other_side_through(decks: Decks):
    decks.set("crossfader", 100.0)
    decks.set("crossfader_reverse", 1.0)
    assert decks.pass_s(30.0) == 1


def test_a_stopped_or_silent_deck_is_not_audible_and_time_adds_up(decks: Decks):
    assert decks.pass_s(20.0) == 0
    decks.hear(1, 0.0)
    assert decks.pass_s(60.0) == 0
    decks.hear(1, playing=False)
    assert decks.pass_s(60.0) == 0
    decks.hear(1)
    assert decks.pass_s(10.0) == 1


def test_a_new_host_takes_no_time_away(decks: Decks):
    assert decks.pass_s(20.0) == 0
    decks.memory.engine["emitted"] = 0
    assert decks.pass_s(10.5) == 1


def test_both_decks_count_for_themselves(decks: Decks):
    decks.put(2, "/tracks/b.sfa", 300.0)
    decks.hear(2)
    decks.plays.loaded(2)
    assert decks.pass_s(30.0) == 2


def test_a_new_stage_counts_a_load_no_second_time_and_hands_over_what_was_left(decks: Decks):
    assert decks.pass_s(30.0) == 1
    decks.plays.outbox.save()
    before = decks.plays.outbox.messages
    decks.plays = decks.counter()
    assert decks.plays.outbox.messages == before
    assert decks.pass_s(60.0) == 1


@pytest.mark.parametrize(
    "text", ["", "{", "[]", '{"messages": {"x": {"x": 1}}}', '{"state": {"1": 2}}']
)
def test_a_damaged_outbox_is_put_aside(tmp_path: Path, text: str):
    (tmp_path / "plays.json").write_text(text)
    assert Decks(tmp_path).plays.outbox.messages == {}
    assert (tmp_path / "plays.damaged").exists()


# ---------------------------------------------------------------- the whole engine


@pytest.mark.slow
def test_a_play_is_reported_to_the_library_although_backstage_and_stage_die(silent_engine: Show):
    engine = silent_engine
    until((engine.runtime / "backstage.sock").exists, "backstage")
    sound = (np.random.default_rng(1).standard_normal((3 * RATE, 2)) * 0.1).astype(np.float32)
    folder = engine.runtime / "data" / "sfa" / "tracks"
    folder.mkdir(parents=True, exist_ok=True)
    bundle = write_bundle_arrays(
        folder / "Us - Loud.sfa", {"mix": sound}, title="Loud", artist="Us", bpm=120.0
    )
    backstage = lock_holder(engine.runtime / "backstage.lock")
    os.kill(backstage, signal.SIGSTOP)
    try:
        with engine.connect() as client:
            client.call("deck.load", deck=1, path=str(bundle))
            client.call("set", path="deck1.play", value=True, wait=True)
        outbox = engine.runtime / "data" / "sfa" / "plays-pending.json"
        until(outbox.exists, "the play in the outbox")
        os.kill(lock_holder(engine.runtime / "stage.lock"), signal.SIGKILL)
        os.kill(backstage, signal.SIGKILL)
    finally:
        os.kill(backstage, signal.SIGCONT)

    def history() -> list[dict[str, object]]:
        if not engine.answers():
            return []
        status, out, _ = engine.command("library", "history", "--json")
        return json.loads(out)["plays"] if status == 0 else []

    until(history, "the play in the library")
    (play,) = history()
    assert (play["name"], play["deck"]) == ("Us - Loud", 1)
    with engine.connect() as client:
        (track,) = client.call("library.search", words="plays:1 played:<1h")["tracks"]
        assert track["play_count"] == 1
