"""The processes together: loads, changed bundles, and a device that is missing."""

import shutil

import numpy as np
import pytest
from engine_process import show, until
from msgspec.structs import replace

from sfa_engine.library.bundle import rewrite_manifest, write_bundle_arrays
from sfa_engine.track.media import read_bundle

pytestmark = [pytest.mark.realtime, pytest.mark.slow]


def test_a_device_that_is_not_there_is_named_and_the_engine_plays_on_a_timer(bundles):
    with show({}, "no such device") as engine, engine.connect() as client:
        until(lambda: client.call("health")["health"] == "failing", "the timer's first block")
        assert "device" in client.call("health")["reasons"][0]
        client.call("deck.load", deck=1, path=str(bundles[0]))
        client.call("set", path="deck1.play", value=True)
        until(lambda: client.call("get", path="deck1.position")["value"] > 0.2, "time to pass")


def test_what_the_library_says_anew_is_in_force_on_the_deck_that_plays_the_track(
    silent_engine, bundles
):
    tracks = silent_engine.runtime / "data" / "sfa" / "tracks"
    tracks.mkdir(parents=True, exist_ok=True)
    bundle = tracks / "x.sfa"
    shutil.copytree(bundles[0], bundle)

    def follows(title, bpm):
        deck = client.call("status")["decks"][0]
        assert deck["playing"]
        assert sorted(deck["stems"]) == ["drums", "vocals"]
        return deck["title"] == title and deck["tempo"] == pytest.approx(bpm)

    until((silent_engine.runtime / "backstage.sock").exists, "backstage")
    with silent_engine.connect() as client:
        client.call("deck.load", deck=1, path=str(bundle))
        client.call("set", path="deck1.play", value=True, wait=True)
        track = client.call("library.save_hotcues", bundle=str(bundle), hotcues={})["track"]
        client.call("library.edit", track=track, values={"title": "Another"})
        client.call("library.grid", track=track, bpm=97.0)
        until(lambda: follows("Another", 97.0), "the new grid")
        identity = read_bundle(bundle).track.uuid
        shutil.rmtree(bundle)
        sound = np.full((40 * 48_000, 2), 0.5, np.float32)
        write_bundle_arrays(bundle, {"bass": sound}, title="Third", artist="", bpm=120.0)
        rewrite_manifest(bundle, replace(read_bundle(bundle).track, uuid=identity))
        client.call("library.edit", track=track, values={"title": "Third"})
        client.call("library.grid", track=track, bpm=99.0)
        until(lambda: follows("Third", 99.0), "the grid of the new stems")


def test_loading_while_it_plays_fades_and_the_session_lock_refuses(silent_engine, bundles):
    with silent_engine.connect() as client:
        client.call("deck.load", deck=1, path=str(bundles[0]))
        client.call("set", path="deck1.play", value=True)
        client.call("set", path="session.lock", value="off")
        said = client.call("deck.load", deck=1, path=str(bundles[1]))
        assert said["title"] == "Track 2"
        client.call("set", path="deck1.play", value=True)
        client.call("set", path="session.lock", value="auto")
        with pytest.raises(Exception, match=r"session\.lock"):
            client.call("deck.load", deck=1, path=str(bundles[0]))
        client.call("deck.load", deck=1, path=str(bundles[0]), force=True)
        assert client.call("status")["decks"][0]["title"] == "Track 1"
