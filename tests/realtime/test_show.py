"""The processes together: what was meant is what is heard, and a missing device is no end."""

import shutil
from dataclasses import replace

import numpy as np
import pytest
import soundfile
from engine_process import show, until

from sfa_engine.audio.media import read_bundle
from sfa_engine.library.bundle import rewrite_facts, write_bundle_arrays
from sfa_engine.studio.player import play_script
from sfa_engine.studio.render import perform, write_wav
from sfa_engine.studio.script import parse_script

pytestmark = [pytest.mark.realtime, pytest.mark.slow]

MIX = """
0   load 1 "{0}"
0   load 2 "{1}"
0   set  deck1.leader on
0   set  deck2.eq.low.kill on
0.1 set  deck1.play on
0.5 set  deck2.sync beat
1   set  deck2.play on at bar deck1
1   ramp crossfader -100 100 over 3
2   ramp deck1.filter 0 60 over 2
3   press deck1.hotcue1.press
4   press deck2.loop.auto
5   press deck1.hotcue1.press
6   end
"""


def test_a_set_over_the_socket_is_to_the_byte_the_set_rendered_offline(tmp_path, bundles):
    script = parse_script(MIX.format(*bundles))
    live, offline = tmp_path / "live.wav", tmp_path / "offline.wav"
    with show({}, f"file:{live}") as engine, engine.connect() as client:
        play_script(client, script, wait=False)
    write_wav(offline, perform(script), 48_000, 1)
    heard, _ = soundfile.read(live, dtype="int32")
    rendered, _ = soundfile.read(offline, dtype="int32")
    # The live engine has a few ticks behind it before the script begins.
    first_heard = int(np.flatnonzero(heard.any(axis=1))[0])
    first_rendered = int(np.flatnonzero(rendered.any(axis=1))[0])
    length = min(len(heard) - first_heard, len(rendered) - first_rendered)
    assert length > 5.5 * 48_000
    assert np.array_equal(
        heard[first_heard : first_heard + length],
        rendered[first_rendered : first_rendered + length],
    )


def test_a_device_that_is_not_there_is_named_and_the_engine_plays_on_a_timer(bundles):
    with show({}, "no such device") as engine, engine.connect() as client:
        until(lambda: client.call("health")["health"] == "poor", "the timer's first block")
        assert "device" in client.call("health")["reasons"][0]
        client.call("deck.load", deck=1, path=str(bundles[0]))
        client.call("set", path="deck1.play", value=True)
        until(lambda: client.call("get", path="deck1.position")["value"] > 0.2, "time to pass")


def test_what_a_bundle_says_anew_is_in_force_on_the_deck_that_plays_it(
    silent_engine, bundles, tmp_path
):
    bundle = tmp_path / "x.sfa"
    shutil.copytree(bundles[0], bundle)

    def tell(title, bpm):
        track = read_bundle(bundle).track
        grid = replace(track.grid, bpm=bpm)
        rewrite_facts(bundle, replace(track, title=title, grid=grid, uuid="of the track"))

    def follows(title, bpm):
        deck = client.call("status")["decks"][0]
        assert deck["playing"]
        assert sorted(deck["stems"]) == ["drums", "vocals"]
        return deck["title"] == title and deck["tempo"] == pytest.approx(bpm)

    tell("Track 1", 124.0)
    with silent_engine.connect() as client:
        client.call("deck.load", deck=1, path=str(bundle))
        client.call("set", path="deck1.play", value=True, wait=True)
        tell("Another", 97.0)
        until(lambda: follows("Another", 97.0), "the new grid")
        shutil.rmtree(bundle)
        sound = np.full((40 * 48_000, 2), 0.5, np.float32)
        write_bundle_arrays(bundle, {"bass": sound}, title="Third", artist="", bpm=120.0)
        tell("Third", 99.0)
        until(lambda: follows("Third", 99.0), "the grid of the new stems")


def test_loading_while_it_plays_fades_and_the_load_lock_refuses(silent_engine, bundles):
    with silent_engine.connect() as client:
        client.call("deck.load", deck=1, path=str(bundles[0]))
        client.call("set", path="deck1.play", value=True)
        client.call("set", path="deck1.load_lock", value=False, wait=True)
        said = client.call("deck.load", deck=1, path=str(bundles[1]))
        assert said["title"] == "Track 2"
        client.call("set", path="deck1.play", value=True)
        client.call("set", path="deck1.load_lock", value=True, wait=True)
        with pytest.raises(Exception, match="load lock"):
            client.call("deck.load", deck=1, path=str(bundles[0]))
        client.call("deck.load", deck=1, path=str(bundles[0]), force=True)
        assert client.call("status")["decks"][0]["title"] == "Track 1"
