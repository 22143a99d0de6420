"""Titles, rows and the lock, as a client of a running engine gets them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import soundfile
from engine_process import Show, show, until

from sfa_engine.errors import Refused
from sfa_engine.library.bundle import write_bundle_arrays

pytestmark = pytest.mark.slow

RATE = 48_000


@pytest.fixture(scope="module")
def engine() -> Iterator[Show]:
    with show({}, "none") as running:
        until((running.runtime / "backstage.sock").exists, "backstage")
        yield running


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    sound = (np.random.default_rng(1).standard_normal((30 * RATE, 2)) * 0.1).astype(np.float32)
    return write_bundle_arrays(
        tmp_path / "x.sfa", {"mix": sound}, title="Slow Gold", artist="Ines Marrow", bpm=124.0
    )


def read(client, path):
    return client.call("get", path=path)["value"]


def test_the_texts_of_the_track_on_a_deck_are_read_watched_and_gone_with_it(engine, bundle):
    with engine.connect() as client, engine.connect() as other:
        assert client.call("watch", paths=["deck2.title", "deck2.bpm"])["values"] == {
            "deck2.title": "",
            "deck2.bpm": None,
        }
        other.call("deck.load", deck=2, path=str(bundle))
        assert read(other, "deck2.title") == "Slow Gold"
        assert client.call("values")["deck2.artist"] == "Ines Marrow"
        assert other.call("set", path="deck2.bpm", value=128.96)["text"] == "128.96 BPM"
        assert other.call("get", path="deck2.rate")["value"] == pytest.approx(1.04)
        assert other.call("get", path="deck2.tempo_fader")["text"] == "50.0 %"
        heard = {}
        for _, said in client.notifications():
            heard |= said["values"]
            if heard.get("deck2.bpm") == pytest.approx(128.96):
                break
        assert heard["deck2.title"] == "Slow Gold"
        other.call("deck.eject", deck=2)
        assert read(other, "deck2.title") == ""
        with pytest.raises(Refused, match="no beat grid"):
            other.call("set", path="deck2.bpm", value=120)


def test_an_audible_deck_locks_the_session_for_the_stage_and_for_backstage(
    engine, bundle, tmp_path
):
    song = tmp_path / "a song.wav"
    soundfile.write(song, np.random.default_rng(2).standard_normal((4 * RATE, 2)) * 0.1, RATE)
    status, _, err = engine.command("prep", "--no-stems", "--quiet", str(song))
    assert status == 0, err
    with engine.connect() as client:
        client.call("deck.load", deck=1, path=str(bundle))
        assert read(client, "session.locked") == 0
        client.call("set", path="deck1.play", value=True)
        until(lambda: read(client, "session.locked") == 1, "the lock")
        for verb, params in (("deck.load", {"path": str(bundle)}), ("deck.eject", {})):
            with pytest.raises(Refused, match=r"deck 1 is audible: session\.lock \(auto\)"):
                client.call(verb, deck=1, **params)

        def empty_trash() -> tuple[int, str, str]:
            return engine.command("library", "trash", "--empty", "--yes")

        until(lambda: empty_trash()[0] == 1, "backstage to hear of it")
        assert "session.lock refuses emptying the trash" in empty_trash()[2]
        status, _, err = engine.command("library", "remove", song.stem)
        assert status == 1
        assert "session.lock refuses removing a track" in err
        assert "force it with --force" in err
        assert engine.command("library", "remove", "--force", song.stem)[0] == 0
        client.call("set", path="deck1.fader", value="off")
        client.call("deck.eject", deck=1)
        client.call("set", path="deck1.fader", value=0)
        until(lambda: read(client, "session.locked") == 0, "the end of the lock")


def test_a_load_is_forced_on_the_command_line(engine, bundle):
    with engine.connect() as client:
        client.call("deck.load", deck=1, path=str(bundle))
        client.call("set", path="deck1.play", value=True)
    status, _, err = engine.command("load", "1", str(bundle))
    assert status == 1
    assert "force it with --force" in err
    assert engine.command("load", "1", "--force", str(bundle))[0] == 0
    assert engine.command("eject", "1", "--force")[0] == 0


def test_the_rows_of_the_list_follow_the_position(engine, tmp_path):
    for name in ("aa", "bb"):
        song = tmp_path / f"{name}.wav"
        sound = np.random.default_rng(ord(name[0])).standard_normal((4 * RATE, 2)) * 0.1
        soundfile.write(song, sound, RATE)
        assert engine.command("prep", "--no-stems", "--quiet", str(song))[0] == 0
    with engine.connect() as client:
        until(lambda: read(client, "browse.length") >= 2, "the library in the list")
        until(lambda: read(client, "browse.row1.title") == "aa", "the first row")
        assert read(client, "browse.row1.track") > 0
        client.call("set", path="browse.position", value=1)
        until(lambda: read(client, "browse.row1.title") == "bb", "the next row")
        client.call("set", path="browse.position", value=1000)
        until(lambda: read(client, "browse.row1.title") == "", "the end of the list")
        assert read(client, "browse.row1.track") == 0
