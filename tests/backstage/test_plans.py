"""The whole chain with real workers: files in, tracks out that a deck can play in time."""

from __future__ import annotations

import json
import os
import select
import shutil
import sqlite3
import threading
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

import numpy as np
import pytest
import soundfile
from house import House, beat, prepared, song

from sfa_engine.errors import SfaError
from sfa_engine.library.bundle import write_bundle_arrays
from sfa_engine.system.runtime_files import BACKSTAGE_SOCKET
from sfa_engine.track.media import read_bundle
from sfa_engine.wire.blocking import SocketClient

pytestmark = pytest.mark.slow


def test_a_file_becomes_a_track_that_knows_its_beats_and_cues(
    here: House, client: SocketClient, tmp_path: Path
) -> None:
    told = prepared(client, song(tmp_path / "music" / "Long Way Down.wav"))
    assert told["counts"] | {"done": 3, "skipped": 2} == told["counts"]
    (track,) = told["tracks"]
    assert track["title"] == "Long Way Down"
    assert track["bpm"] == pytest.approx(120.0, abs=0.02)
    assert track["state"] == "ready"
    found = client.call("library.find", words="long way")
    described = read_bundle(found["bundle"]).track
    assert described.grid is not None
    assert described.grid.bpm == pytest.approx(120.0, abs=0.02)
    assert described.key == found["key"]
    assert described.cues
    assert client.call("library.check") == {"findings": [], "share": 1.0, "after": ""}
    assert here.log == ""


def test_the_same_content_is_one_track_with_two_places(
    client: SocketClient, tmp_path: Path
) -> None:
    first = song(tmp_path / "a" / "one.wav")
    second = tmp_path / "b" / "copy.wav"
    second.parent.mkdir()
    shutil.copy(first, second)
    prepared(client, first)
    told = prepared(client, second)
    assert [track["id"] for track in told["tracks"]] == [1]
    assert client.call("library.show", track=1)["sources"] == [str(first), str(second)]
    assert client.call("library.search")["count"] == 1


def test_a_folder_is_prepared_whole_and_what_cannot_be_read_is_told(
    client: SocketClient, tmp_path: Path
) -> None:
    music = tmp_path / "music"
    song(music / "one.wav", seed=1)
    song(music / "deep" / "two.wav", seed=2, bpm=130.0)
    (music / "broken.mp3").write_bytes(b"ID3" + os.urandom(5000))
    (music / "cover.jpg").write_bytes(b"no music")
    told = prepared(client, music)
    assert sorted(track["title"] for track in told["tracks"] if track["state"] == "ready") == [
        "one",
        "two",
    ]
    assert told["counts"]["failed"] == 1
    (failed,) = client.call("jobs.list", states=["failed"])["jobs"]
    assert failed["title"] == "broken.mp3"
    assert failed["error"]["code"] == "media"
    assert failed["attempts"] == 1


def test_a_folder_of_stems_is_one_track_with_stems(client: SocketClient, tmp_path: Path) -> None:
    folder = tmp_path / "Quiet Song feat. Us v1.2"
    for number, name in enumerate(("drums", "bass", "vocals")):
        song(folder / f"{name}.wav", seed=number)
    for again in (False, True):
        told = prepared(client, folder, engine="sketch", again=again)
        (track,) = told["tracks"]
        assert track["stems"] == ["bass", "drums", "vocals"]  # which came apart
        assert not track["sketch"]
        assert track["title"] == "Quiet Song feat. Us v1.2"


def test_a_track_that_is_taken_apart_keeps_its_rate(here: House, tmp_path: Path) -> None:
    path = song(tmp_path / "song.wav")
    with here.start() as client:
        prepared(client, path)
        before = read_bundle(client.call("library.find", words="song")["bundle"]).track
    here.stop()
    here.configure("[library]\nrate = 44100\n")
    with here.start() as client:
        (track,) = prepared(client, path, engine="sketch", again=True)["tracks"]
        after = read_bundle(client.call("library.find", words="song")["bundle"]).track
    assert len(after.stems) == 4
    assert (after.rate, after.frames) == (before.rate, before.frames)
    assert track["bpm"] == pytest.approx(120.0, abs=0.02)


def test_two_songs_with_names_of_stems_stay_two_songs(client: SocketClient, tmp_path: Path) -> None:
    song(tmp_path / "m" / "Bass Culture.wav", seconds=16.0)
    song(tmp_path / "m" / "Vocal Anthem.wav", seconds=20.0, seed=4)
    assert len(prepared(client, tmp_path / "m")["tracks"]) == 2


def test_a_bundle_that_is_made_anew_has_what_is_by_hand_from_the_start(
    client: SocketClient, tmp_path: Path
) -> None:
    path = song(tmp_path / "Anew.wav", seconds=8.0)
    (track,) = prepared(client, path)["tracks"]
    client.call("library.cue", track=track["id"], position_s=2.0, hot_cue=2)
    client.call("library.grid", track=track["id"], bpm=100.0)
    client.call("jobs.watch")
    client.call("prep.add", sources=[str(path)], engine="none", again=True)
    for _, event in client.notifications():
        if event["kind"] == "import" and event["state"] == "done":
            break
    described = read_bundle(client.call("library.show", track=track["id"])["bundle"]).track
    assert [cue.hot_cue for cue in described.cues if cue.by_hand] == [2]
    assert described.grid is not None
    assert described.grid.bpm == 100.0


def test_stems_and_marks_stay_on_the_deck_until_the_new_ones_are_there(
    client: SocketClient, tmp_path: Path
) -> None:
    path = song(tmp_path / "one.wav")
    prepared(client, path, engine="sketch")
    client.call("library.cue", track=1, position_s=2.0, hot_cue=7)
    found = client.call("library.find", words="one")
    before = read_bundle(found["bundle"]).track
    told = prepared(client, path, again=True, engine="demucs", model="nosuchmodel")
    assert told["counts"]["failed"] == 1
    after = read_bundle(found["bundle"]).track
    assert [s.name for s in after.stems] == [s.name for s in before.stems]
    assert len(after.stems) == 4
    assert after.grid is not None
    assert 7 in {cue.hot_cue for cue in after.cues}
    (job,) = client.call("jobs.list", states=["failed"])["jobs"]
    assert job["attempts"] == 1


def test_a_file_without_sound_becomes_no_track(client: SocketClient, tmp_path: Path) -> None:
    path = tmp_path / "notes.mp3"
    path.write_text("no music at all")
    assert prepared(client, path)["tracks"] == []
    path = tmp_path / "broken.flac"  # that says how long it is
    soundfile.write(path, beat(8.0), 48_000)
    head = path.read_bytes()[:4096]
    path.write_bytes(head.split(b"\xff\xf8")[0] + b"\x55" * 100_000)
    assert prepared(client, path)["tracks"] == []
    assert client.call("library.search")["count"] == 0
    assert client.call("library.check") == {"findings": [], "share": 1.0, "after": ""}


def test_a_bundle_made_by_hand_is_nobody_elses(
    here: House, client: SocketClient, tmp_path: Path
) -> None:
    by_hand = here.bundles / "one.sfa"
    sound = {"mix": np.zeros((48_000, 2), np.float32)}
    write_bundle_arrays(by_hand, sound, title="by hand", artist="", bpm=120.0, rate=48_000)
    prepared(client, song(tmp_path / "one.wav"))
    found = client.call("library.find", words="one")
    assert Path(found["bundle"]) != by_hand
    assert read_bundle(by_hand).track.title == "by hand"


def test_who_asks_again_meanwhile_waits_for_the_same_jobs(
    client: SocketClient, tmp_path: Path
) -> None:
    path = song(tmp_path / "one.wav")
    client.call("prep.add", sources=[str(path)], engine="none")
    (track,) = prepared(client, path)["tracks"]
    assert track["state"] == "ready"
    assert track["bpm"] == pytest.approx(120.0, abs=0.02)


def test_a_file_that_breaks_off_is_told_to_be_so(client: SocketClient, tmp_path: Path) -> None:
    path = song(tmp_path / "one.flac")
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    (track,) = prepared(client, path)["tracks"]
    assert track["truncated"]
    assert not track["sketch"]


def test_a_damaged_bundle_holds_up_no_correction_and_is_made_anew_when_prepared_again(
    client: SocketClient, tmp_path: Path
) -> None:
    path = song(tmp_path / "Torn.wav", seconds=8.0)
    (track,) = prepared(client, path)["tracks"]
    shown = client.call("library.show", track=track["id"])
    (Path(shown["bundle"]) / "track.json").write_text("{ torn")
    before = shown["grid"]["anchors"][0][1]
    shifted = client.call("library.grid", track=track["id"], shift=1.0)  # told as it is: done
    assert shifted["anchors"][0][1] == pytest.approx(before - 1.0)
    client.call("library.cue", track=track["id"], position_s=2.0, label="mine")
    assert prepared(client, path)["counts"]["failed"] == 0
    described = read_bundle(shown["bundle"]).track
    assert [cue.label for cue in described.cues if cue.by_hand] == ["mine"]
    assert described.grid_by_hand
    assert client.call("library.check")["findings"] == []


@pytest.mark.parametrize(
    "make",
    [
        lambda p: p.write_bytes(b""),
        lambda p: p.write_text("no music at all"),
        lambda p: soundfile.write(p, np.zeros((RATE_8 // 10, 8)), RATE_8),
    ],
    ids=["empty", "text", "tenth-of-a-second-8-channels"],
)
def test_odd_files_are_told_or_taken_and_the_rest_goes_on(
    client: SocketClient, tmp_path: Path, make: Callable[[Path], object]
) -> None:
    odd = tmp_path / "song.wav"
    make(odd)
    good = song(tmp_path / "good.wav")
    told = prepared(client, odd, good)
    assert "good" in [track["title"] for track in told["tracks"] if track["state"] == "ready"]
    for job in client.call("jobs.list", states=["failed"])["jobs"]:
        assert job["error"]["message"]
        assert job["error"]["code"] == "media"


RATE_8 = 8000


def test_a_name_that_is_no_text_is_told_and_the_rest_goes_on(
    client: SocketClient, tmp_path: Path
) -> None:
    song(tmp_path / "music" / "good.wav", seconds=6.0)
    odd = os.fsdecode(os.fsencode(tmp_path / "music") + b"/caf\xe9.wav")
    song(tmp_path / "other.wav", seconds=6.0).rename(odd)
    told = prepared(client, tmp_path / "music")
    assert [track["title"] for track in told["tracks"]] == ["good"]
    (job,) = client.call("jobs.list", states=["failed"])["jobs"]
    assert job["title"] == r"caf\udce9.wav"
    assert "the name is not UTF-8" in job["error"]["message"]


def test_silence_has_no_beat_and_is_ready_all_the_same(
    client: SocketClient, tmp_path: Path
) -> None:
    soundfile.write(tmp_path / "still.wav", np.zeros((48_000 * 8, 1)), 48_000)
    (track,) = prepared(client, tmp_path / "still.wav")["tracks"]
    assert (track["bpm"], track["state"]) == (None, "ready")


def test_a_cancelled_preparation_ends_and_can_be_retried(
    client: SocketClient, tmp_path: Path
) -> None:
    for seed in range(5):  # one may be over before it can be cancelled
        path = song(tmp_path / f"{seed}.wav", seconds=120.0, seed=seed)
        said = client.call("prep.add", sources=[str(path)], engine="none")
        cancelled = client.call("jobs.cancel", jobs=said["jobs"])["jobs"]
        if cancelled:
            break
    assert cancelled == said["jobs"]
    assert client.call("prep.batch", batch=said["batch"])["counts"]["cancelled"] == 1
    client.call("jobs.retry", jobs=cancelled)
    told = prepared(client, path)
    assert told["counts"]["failed"] == 0
    give_up = time.monotonic() + 20.0
    while found := client.call("library.check")["findings"]:
        assert time.monotonic() < give_up, found
        time.sleep(0.1)


def test_a_read_only_folder_of_bundles_is_told(here: House, tmp_path: Path) -> None:
    here.bundles.parent.mkdir(parents=True)
    here.bundles.write_text("a file stands where the folder should be")
    with here.start() as client:
        told = prepared(client, song(tmp_path / "song.wav"))
        assert told["counts"]["failed"] == 1
        (failed,) = client.call("jobs.list", states=["failed"])["jobs"]
        assert "tracks" in failed["error"]["message"]


def test_a_library_of_a_newer_release_is_refused_in_one_line(here: House, tmp_path: Path) -> None:
    with here.start() as client:
        prepared(client, song(tmp_path / "song.wav"))
    here.stop()
    with sqlite3.connect(here.data / "library.db") as database:
        database.execute("PRAGMA user_version = 99")
    database.close()
    with pytest.raises(AssertionError, match="newer release"):
        here.start()
    assert len(here.log.strip().splitlines()) == 1


def test_events_tell_progress_and_the_end(client: SocketClient, tmp_path: Path) -> None:
    path = song(tmp_path / "song.wav", seconds=60.0)
    client.call("jobs.watch")
    client.call("prep.add", sources=[str(path)], engine="none")
    seen = []
    for method, event in client.notifications():
        assert method == "job"
        seen.append(event)
        if event["kind"] == "tag" and event["state"] == "skipped":
            break
    kinds = {event["kind"] for event in seen if event["state"] in {"done", "skipped"}}
    assert kinds == {"import", "separate", "analyse", "cue", "tag"}
    assert any(0 < event["progress"] < 1 for event in seen)
    json.dumps(seen)


def test_a_bundle_that_a_killed_worker_left_aside_is_back_for_the_next_try_and_after_a_start(
    here: House, tmp_path: Path
) -> None:
    path = song(tmp_path / "Aside.wav", seconds=6.0)
    with here.start() as client:
        (track,) = prepared(client, path)["tracks"]
        bundle = Path(client.call("library.find", words="aside")["bundle"])
        # As if a worker had been killed between its two renames.
        bundle.rename(bundle.with_name(f".sfa-old-00000000-1-0-{bundle.name}"))
        (cue,) = [j for j in client.call("jobs.list")["jobs"] if j["kind"] == "cue"]
        with sqlite3.connect(here.data / "library.db") as rows:
            rows.execute("UPDATE jobs SET state = 'failed' WHERE id = ?", (cue["id"],))
        rows.close()
        client.call("jobs.watch")
        client.call("jobs.retry", jobs=[cue["id"]])
        for _, event in client.notifications():
            assert event["state"] in {"waiting", "running", "done"}, event
            if event["state"] == "done":
                break
        assert bundle.is_dir()
    here.stop()
    bundle.rename(bundle.with_name(f".sfa-old-00000000-1-0-{bundle.name}"))
    with here.start() as client:
        assert bundle.is_dir()
        assert client.call("library.show", track=track["id"])["state"] == "ready"


def test_two_hundred_clients_are_served_and_more_are_told(here: House) -> None:
    with ExitStack() as stack:
        stack.enter_context(here.start())
        path = here.runtime / BACKSTAGE_SOCKET
        others = [stack.enter_context(SocketClient(path)) for _ in range(199)]
        for told_before in (False, True):
            late = stack.enter_context(SocketClient(path))
            if told_before:
                select.select([late._socket], [], [], 30)
                time.sleep(0.1)  # and hung up on
            with pytest.raises(SfaError, match="200 clients"):
                late.call("jobs.list")
        assert others[-1].call("jobs.list")["jobs"] == []


def test_what_is_played_from_a_bundle_is_what_was_in_the_file(
    client: SocketClient, tmp_path: Path
) -> None:
    path = song(tmp_path / "song.wav")
    prepared(client, path)
    bundle = read_bundle(client.call("library.find", words="song")["bundle"])
    played, _ = soundfile.read(bundle.stems[0].path, dtype="int16")
    source, _ = soundfile.read(path, dtype="int16")
    np.testing.assert_array_equal(played, source)
    assert len(source) == len(beat())


def test_a_watched_folder_is_prepared_as_files_arrive_also_after_a_restart(
    here: House, tmp_path: Path
) -> None:
    inbox = tmp_path / "inbox"
    inbox.mkdir()
    with here.start() as client:
        client.call("prep.add", sources=[str(inbox)], engine="none", watch=True)
        assert client.call("prep.watched") == {"folders": [str(inbox)]}
    here.stop()
    song(inbox / "meanwhile.wav", seed=5)
    with here.start() as client:
        client.call("jobs.watch")
        timer = threading.Timer(0.5, lambda: song(inbox / "new.wav"))
        timer.start()
        ready = 0
        for _, event in client.notifications():
            ready += event["kind"] == "cue" and event["state"] == "done"
            if ready == 2:
                break
        timer.join()
        assert client.call("library.find", words="new")["state"] == "ready"
        assert client.call("library.find", words="meanwhile")["state"] == "ready"
        song(tmp_path / "x.wav").rename(os.fsdecode(os.fsencode(inbox) + b"/caf\xe9.wav"))
        give_up = time.monotonic() + 60
        while str(inbox) not in here.log and time.monotonic() < give_up:
            time.sleep(0.05)
        assert "Unable to decode path" in here.log  # and goes on
        client.call("prep.unwatch", folder=str(inbox))
        assert client.call("prep.watched") == {"folders": []}
