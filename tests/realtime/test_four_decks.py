"""An engine of four decks: loaded, played, synced to one leader, mixed, and shown."""

import os
import subprocess
import sys
import time

import numpy as np
import pytest
from engine_process import RATE, show, until

from sfa_engine.library.bundle import write_bundle_arrays

# The machine code of four decks takes minutes to compile on a small machine.
pytestmark = [pytest.mark.realtime, pytest.mark.nightly, pytest.mark.timeout(1200)]

BPMS = {1: 124.0, 2: 128.0, 3: 120.0, 4: 126.0}
TRACK_S = 60
SILENT_DB = -40.0  # the noise is at -26; what is left of it decays


@pytest.fixture(scope="module")
def four(jack):
    environment = {**jack.environment, "SFA_DECKS": "4"}
    command = "from sfa_engine.host import build; build.ensure()"
    subprocess.run([sys.executable, "-c", command], env={**os.environ, **environment}, check=True)
    with show(environment, "default") as engine:
        yield engine


@pytest.fixture(scope="module")
def tracks(tmp_path_factory):
    folder = tmp_path_factory.mktemp("four")
    rng = np.random.default_rng(4)
    made = {}
    for number, bpm in BPMS.items():
        stems = {
            name: (rng.standard_normal((TRACK_S * RATE, 2)) * 0.05).astype(np.float32)
            for name in ("vocals", "drums")
        }
        made[number] = write_bundle_arrays(
            folder / f"{number}.sfa", stems, title=f"Track {number}", artist="Us", bpm=bpm
        )
    return made


@pytest.fixture
def mixing(four, tracks):
    """All decks in a mix: the first leads, the others have its beats."""
    with four.connect() as client:
        client.call("set", path="crossfader", value=0.0)
        for deck, track in tracks.items():
            client.call("deck.load", deck=deck, path=str(track), force=True)
            client.call("set", path=f"deck{deck}.leader", value=deck == 1)
            client.call("set", path=f"deck{deck}.sync", value="off" if deck == 1 else "beat")
        for deck in tracks:
            client.call("set", path=f"deck{deck}.play", value=True, wait=True)
        yield client


def value(client, path):
    return client.call("get", path=path)["value"]


def heard_of(client):
    """Return the decks that reach the master."""
    return tuple(deck for deck in BPMS if value(client, f"deck{deck}.rms") > SILENT_DB)


def test_three_decks_follow_one(mixing):
    until(lambda: value(mixing, "deck4.tempo") == pytest.approx(124.0, abs=0.01), "the tempo")
    for deck in BPMS:
        assert value(mixing, f"deck{deck}.tempo") == pytest.approx(124.0, abs=0.01)
        assert abs(value(mixing, f"deck{deck}.phase_error")) < 0.0005
    mixing.call("set", path="deck1.rate", value=1.02)
    time.sleep(1.0)
    for deck in BPMS:
        assert value(mixing, f"deck{deck}.tempo") == pytest.approx(124.0 * 1.02, abs=0.02)


def test_another_deck_may_lead(mixing):
    mixing.call("set", path="deck1.sync", value="beat")
    mixing.call("set", path="deck3.leader", value=True)
    before = value(mixing, "deck3.tempo")
    mixing.call("set", path="deck3.rate", value=1.01)
    time.sleep(1.5)
    assert value(mixing, "deck3.tempo") == pytest.approx(120.0 * 1.01, abs=0.02) != before
    for deck in BPMS:
        assert value(mixing, f"deck{deck}.tempo") == pytest.approx(120.0 * 1.01, abs=0.02)
    mixing.call("set", path="deck1.leader", value=True)


def test_odd_decks_are_left_and_even_ones_right(mixing):
    for place, heard in ((-100.0, (1, 3)), (100.0, (2, 4)), (0.0, (1, 2, 3, 4))):
        mixing.call("set", path="crossfader", value=place, wait=True)
        until(lambda heard=heard: heard_of(mixing) == heard, f"decks {heard} alone")  # rms decays


def test_the_status_shows_all_of_them(mixing, four):
    status = mixing.call("status")
    assert [deck["title"] for deck in status["decks"]] == [f"Track {deck}" for deck in BPMS]
    assert all(deck["playing"] for deck in status["decks"])
    code, shown, _ = four.command("status")
    assert code == 0
    for deck in BPMS:
        assert f"{deck} ▶  Us - Track {deck}" in shown


def test_a_deck_is_loaded_again_while_three_play(mixing, tracks):
    for _ in range(4):
        for deck in (4, 2):
            mixing.call("set", path=f"deck{deck}.play", value=False, wait=True)
            mixing.call("deck.load", deck=deck, path=str(tracks[5 - deck]), force=True)
            mixing.call("set", path=f"deck{deck}.play", value=True, wait=True)
    assert [deck["playing"] for deck in mixing.call("status")["decks"]] == [True] * 4
    assert mixing.call("status")["engine"]["late"] < 50


def test_a_start_waits_for_the_phrase_of_the_fourth_deck(mixing):
    mixing.call("set", path="deck2.play", value=False, wait=True)
    mixing.call("set", path="deck2.play", value=True, when="phrase deck4")
    waiting = mixing.call("commands.waiting")
    assert [(each["path"], each["when"]) for each in waiting] == [("deck2.play", "phrase deck4")]
    assert mixing.call("commands.cancel", deck=2) == {"cancelled": 1}


def test_the_focus_reaches_all_of_them(mixing):
    for deck in BPMS:
        mixing.call("set", path="session.focus", value=f"deck{deck}")
        shown = mixing.call("get", path="session.focus")
        assert (shown["value"], shown["text"]) == (deck - 1, f"deck{deck}")
