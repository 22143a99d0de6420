"""A set that is played live, recorded, killed, and rendered again: sample for sample."""

import os
import signal
import time
from contextlib import ExitStack

import numpy as np
import pytest
import soundfile
from engine_process import RATE, until

from sfa_engine.bench.perform import live_bundles
from sfa_engine.bench.replay import (
    CONFIG,
    Found,
    Recorded,
    differing,
    journals,
    perform_and_kill,
)
from sfa_engine.bench.rig import Rig
from sfa_engine.engine.journal import parse
from sfa_engine.errors import SfaError
from sfa_engine.system.process_lock import lock_holder

pytestmark = [pytest.mark.realtime, pytest.mark.slow]


@pytest.fixture(scope="module")
def tracks(tmp_path_factory):
    return live_bundles(tmp_path_factory.mktemp("bundles"))


def run(tracks, gestures, kills):
    with ExitStack() as stack:
        rig = Rig(stack, None, 128, supervised=True, alone=True, config=CONFIG)
        rig.client.close()
        found = perform_and_kill(rig, tracks, 240.0, gestures=gestures, kills=kills)
        rig.end_supervised()
        parsed = [parse(path.read_bytes()) for path in journals(rig)]
        assert all(not journal.damage for journal in parsed)
        assert all(segment.lost == 0 for journal in parsed for segment in journal.segments)
        return found, differing(found, parsed)


@pytest.mark.nightly
def test_a_set_is_rendered_again_as_it_was_recorded_live(tracks):
    _, (wrong, compared) = run(tracks, gestures=15, kills=0)
    assert compared > 5 * RATE
    assert wrong == 0


def test_a_set_that_is_killed_goes_on_in_time_and_is_rendered_again(tracks):
    found, (wrong, compared) = run(tracks, gestures=12, kills=3)
    assert len(found.recorded) >= 3
    assert compared > 5 * RATE
    assert wrong == 0
    assert max(found.resume_errors_ms) <= 5.0


@pytest.mark.nightly
def test_fifty_kills(tracks):
    found, (wrong, _) = run(tracks, gestures=300, kills=50)
    assert wrong == 0
    assert np.percentile(found.resume_errors_ms, 99) <= 5.0


def test_the_switch_records_and_shows_what_it_does(engine, bundles):
    folder = engine.runtime / "data" / "sfa" / "recordings"
    with engine.connect() as client:
        client.call("deck.load", deck=1, path=str(bundles[0]))
        client.call("set", path="recorder.stems", value=True)
        client.call("set", path="recorder.on", value=True)
        client.call("set", path="deck1.play", value=True)
        until(lambda: client.call("record.status")["time_s"] > 1.5, "a second of recording")
        assert client.call("health")["health"] != "failing"
        until(lambda: client.call("get", path="recorder.time")["value"] > 1.0, "its reading")
        assert client.call("get", path="recorder.bytes")["value"] > 1000
        client.call("set", path="recorder.on", value=False)
        until(lambda: not client.call("record.status")["on"], "the end of the recording")
        state = client.call("record.status")
        saved = client.call("capture", source="deck1", path=str(folder / "c.wav"), seconds=1.0)
    names = sorted(path.name.split(".", 2)[2] for path in folder.glob("2*.flac"))
    assert len(names) == 4  # master, deck and its two stems
    assert soundfile.info(state["path"]).frames == round(state["time_s"] * RATE)
    assert saved["frames"] == RATE
    status, said, _ = engine.command("record", "status")
    assert status == 0
    assert "not recording" in said
    assert engine.command("journal", "show")[0] == 0


def test_a_host_that_is_killed_leaves_a_recording_that_opens_and_records_on(engine, bundles):
    with engine.connect() as client:
        client.call("deck.load", deck=1, path=str(bundles[0]))
        client.call("set", path="deck1.play", value=True)
        client.call("set", path="recorder.on", value=True)
        until(lambda: client.call("record.status")["time_s"] > 2.5, "a recording")
        before = client.call("record.status")
        pid = lock_holder(engine.runtime / "host.lock")
        os.kill(pid, signal.SIGKILL)

        def records_on():
            try:
                state = client.call("record.status")
            except SfaError:
                return False
            return state["on"] and state["path"] != before["path"]

        until(records_on, "the next recording", every_s=0.05)
        client.call("record.stop")
    sound, rate = soundfile.read(before["path"])
    assert rate == RATE
    assert len(sound) > (before["time_s"] - 1.5) * RATE


def test_without_a_snapshot_a_set_begins_anew_and_says_so(silent_engine):
    silent_engine.stop()
    (silent_engine.runtime / "data" / "sfa" / "resume.sfaj").unlink(missing_ok=True)
    silent_engine.start("--resume")
    until(lambda: "nothing is resumed" in silent_engine.log("host"), "the reason")
    assert silent_engine.answers()


def test_a_recording_compares_what_is_there(tmp_path):
    sound = np.zeros((10, 2), "<f4")
    path = tmp_path / "x.wav"
    path.write_bytes(bytes(128) + sound.tobytes() + b"cut")
    assert len(Recorded(path, 0, 0).sound()) == 10
    assert differing(Found(), []) == (0, 0)
    assert time.monotonic() > 0
