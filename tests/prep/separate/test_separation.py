"""From a file to stems: sums, lengths, odd tracks, refusals, kills; by the real worker program."""

from __future__ import annotations

import json
import os
import resource
import signal
import subprocess
import sys

import numpy as np
import pytest
import soundfile
from separable import RATE, music, names_in, read

from sfa_engine.errors import MediaError, Refused
from sfa_engine.prep.separate.choice import EngineChoice
from sfa_engine.prep.separate.separation import SeparationRequest, separate
from sfa_engine.track.media import read_bundle

SKETCH = EngineChoice(engine="sketch")
STEMS = ["vocals", "drums", "bass", "other"]


def quiet(*_):
    """Hear of progress and do nothing."""


def sketch(path, tmp_path, **order):
    return separate(
        SeparationRequest(path=path, out=tmp_path / "out", choice=SKETCH, **order), quiet
    )


def null(told, mix):
    stems = read(told["stems"])
    return np.abs(sum(stems.values()) - mix).max()


def test_the_stems_sum_to_the_original_and_have_its_length(tmp_path):
    path = tmp_path / "song.wav"
    mix = music(1.0, rate=48_000)[:47_999]
    soundfile.write(path, mix, 48_000, subtype="FLOAT")
    told = sketch(path, tmp_path)
    assert list(told["stems"]) == STEMS
    assert told["frames"] == 47_999
    assert {len(stem) for stem in read(told["stems"]).values()} == {47_999}
    assert null(told, mix) < 1e-6
    assert told["null_db"] < -120.0
    assert told["sketch"]
    assert "sketch" in told["words"]
    assert names_in(tmp_path) == ["out", "song.wav"]


def test_a_folder_of_stems_says_what_made_it(song, tmp_path):
    told = sketch(song, tmp_path)
    said = json.loads((tmp_path / "out/separation.json").read_text())
    assert [said[k] for k in ("engine", "model", "version", "sketch")] == [
        told[k] for k in ("engine", "model", "version", "sketch")
    ]
    assert said["source"] == "song.wav"


def test_flac_has_24_bits_and_counts_what_clips(song, tmp_path):
    told = sketch(song, tmp_path, form="flac", rate=44_100)
    assert soundfile.info(told["stems"]["drums"]).subtype == "PCM_24"
    assert null(told, music(1.0)) < 4 * 2.0**-24 + 1e-6


def test_silence_gives_silence(tmp_path):
    path = tmp_path / "silence.flac"
    soundfile.write(path, np.zeros((RATE, 2)), RATE)
    told = sketch(path, tmp_path)
    assert not any(stem.any() for stem in read(told["stems"]).values())
    assert told["null_db"] == -200.0


@pytest.mark.parametrize("frames", [1, 100, 2_000])
def test_the_shortest_tracks_are_separated(tmp_path, frames):
    path = tmp_path / "short.wav"
    mix = music(1.0, rate=48_000)[:frames]
    soundfile.write(path, mix, 48_000, subtype="FLOAT")
    assert null(sketch(path, tmp_path), mix) < 1e-6


@pytest.mark.parametrize("channels", [1, 8])
def test_any_number_of_channels_becomes_stereo_stems(tmp_path, channels):
    path = tmp_path / "song.wav"
    soundfile.write(path, music(1.0, channels=channels), RATE, subtype="FLOAT")
    told = sketch(path, tmp_path, rate=RATE)
    stems = read(told["stems"])
    assert {stem.shape for stem in stems.values()} == {(RATE, 2)}
    assert told["null_db"] < -120.0


def test_a_preview_is_cut_where_most_goes_on_and_says_where(tmp_path):
    mix = music(7.0, rate=48_000)
    mix[: 3 * 48_000] *= 0.01
    mix[5 * 48_000 :] *= 0.01
    soundfile.write(tmp_path / "song.wav", mix, 48_000, subtype="FLOAT")
    told = sketch(tmp_path / "song.wav", tmp_path, preview_s=2.0)
    assert told["start_s"] == 3.0
    assert told["frames"] == 2 * 48_000
    assert null(told, mix[3 * 48_000 : 5 * 48_000]) < 1e-6


def test_a_preview_of_a_shorter_track_is_all_of_it(song, tmp_path):
    told = sketch(song, tmp_path, preview_s=60.0)
    assert (told["start_s"], told["frames"]) == (0.0, 48_000)


def test_a_bundle_is_made_with_its_facts_and_what_parted_it(song, tmp_path):
    facts = {
        "title": "A Song",
        "artist": "Someone",
        "bpm": 120.0,
        "first_beat_s": 0.5,
        "key": "Am",
        "cues": [{"position_frames": 100, "label": "in", "kind": "intro"}],
    }
    target = tmp_path / "song.sfa"
    told = separate(SeparationRequest(path=song, bundle=target, choice=SKETCH, facts=facts), quiet)
    track = read_bundle(target).track
    assert [stem.name for stem in track.stems] == STEMS
    assert (track.title, track.artist, track.key) == ("A Song", "Someone", "A minor")
    assert track.grid
    assert track.grid.bpm == 120.0
    assert [cue.label for cue in track.cues] == ["in"]
    assert track.separation
    assert (track.separation.engine, track.separation.sketch) == ("sketch", True)
    assert told["stems"]["bass"] == str(target / "bass.wav")


@pytest.mark.parametrize(
    ("change", "word"),
    [
        ({"choice": EngineChoice(engine="demux")}, 'did you mean "demucs"'),
        ({"choice": EngineChoice(engine="sketch", model="large")}, "has no model"),
        ({"form": "mp3"}, 'no format "mp3"'),
        ({"preview_s": 0.5}, "preview"),
        ({"preview_s": float("nan")}, "preview"),
        ({"out": None}, "no single target"),
    ],
)
def test_what_cannot_be_is_refused_before_the_work(song, tmp_path, change, word):
    order = {"path": song, "out": tmp_path / "out", "choice": SKETCH} | change
    with pytest.raises(Refused, match=word):
        separate(SeparationRequest(**order), quiet)
    assert names_in(tmp_path) == ["song.wav"]


def test_a_bundle_is_not_cut_down_to_a_preview_of_it(song, tmp_path):
    whole = tmp_path / "song.sfa"
    separate(SeparationRequest(path=song, bundle=whole, choice=SKETCH), quiet)
    frames = read_bundle(whole).track.frames
    for target in (tmp_path / "other.sfa", whole):
        separate(SeparationRequest(path=whole, bundle=target, choice=SKETCH, preview_s=1.0), quiet)
        assert read_bundle(target).track.frames == frames


def test_a_key_that_is_none_is_refused_before_the_work(song, tmp_path):
    order = SeparationRequest(
        path=song, bundle=tmp_path / "x.sfa", choice=SKETCH, facts={"key": "H dur"}
    )
    with pytest.raises(MediaError, match="H dur"):
        separate(order, lambda share, doing: pytest.fail(f"{doing} at {share}"))


def test_a_folder_that_holds_something_else_stays(song, tmp_path):
    (tmp_path / "out").mkdir()
    (tmp_path / "out/letter.txt").write_text("dear")
    with pytest.raises(MediaError, match="exists and is not a folder with"):
        sketch(song, tmp_path)
    assert names_in(tmp_path) == ["out", "song.wav"]


@pytest.mark.parametrize(
    "place", [{"out": "letters"}, {"bundle": "letters.sfa"}, {"bundle": "x"}, {"bundle": "x\n.sfa"}]
)
def test_a_place_that_cannot_be_is_refused_before_the_work(song, tmp_path, place):
    for folder in ("letters", "letters.sfa"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "letter.txt").write_text("dear")
    order = SeparationRequest(
        path=song, choice=SKETCH, **{kind: tmp_path / name for kind, name in place.items()}
    )
    with pytest.raises(MediaError, match=r"exists and is not a|is not a valid name for a bundle"):
        separate(order, lambda share, doing: pytest.fail(f"{doing} at {share}"))
    assert names_in(tmp_path) == ["letters", "letters.sfa", "song.wav"]


def test_stems_that_are_there_are_replaced_whole(song, tmp_path):
    sketch(song, tmp_path, form="flac")
    sketch(song, tmp_path)
    assert names_in(tmp_path / "out") == sorted(["separation.json", *(f"{n}.wav" for n in STEMS)])


def test_a_track_that_is_none_leaves_nothing(tmp_path):
    (tmp_path / "song.mp3").write_bytes(b"no music" * 100)
    with pytest.raises(MediaError):
        sketch(tmp_path / "song.mp3", tmp_path)
    assert names_in(tmp_path) == ["song.mp3"]


@pytest.mark.parametrize("form", ["wav", "flac"])
@pytest.mark.parametrize("most_bytes", [100_000, 350_000])
def test_a_full_disk_leaves_nothing_behind(song, tmp_path, form, most_bytes):
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (most_bytes, hard))
    try:
        with pytest.raises(MediaError) as caught:
            sketch(song, tmp_path, form=form)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert caught.value.hint
    assert names_in(tmp_path) == ["song.wav"]


def test_progress_only_grows_and_ends_at_one(song, tmp_path):
    shares = []
    order = SeparationRequest(path=song, out=tmp_path / "out", choice=SKETCH)
    separate(order, lambda share, _: shares.append(share))
    assert shares == sorted(shares)
    assert shares[-1] == 1.0
    assert len(shares) > 10


# ---------------------------------------------------------------- the program


@pytest.mark.slow
def test_the_worker_answers_with_progress_and_a_result(worker, song, tmp_path):
    messages = worker(path=str(song), out=str(tmp_path / "out"), engine="sketch", rate=44_100)
    told = messages[-1]["result"]
    assert told["engine"] == "sketch"
    assert told["rate"] == 44_100
    assert null(told, music(1.0)) < 1e-6
    assert len(messages) > 5


@pytest.mark.slow
@pytest.mark.parametrize(
    ("request_", "word"),
    [
        ({"out": "x"}, "path"),
        ({"path": "a", "out": "x", "engnie": "sketch"}, "engnie"),
        ({"path": "a", "out": "x", "engine": "demux"}, "demux"),
        ({"path": "a", "out": "x", "bpm": "fast"}, "bpm"),
    ],
)
def test_the_worker_refuses_what_is_no_request(worker, request_, word):
    said = worker(**request_)[-1]
    assert said["code"] == "refused"
    assert word in said["error"]


@pytest.mark.slow
def test_a_kill_leaves_a_hidden_part_that_the_next_run_removes(tmp_path):
    path = tmp_path / "song.wav"
    soundfile.write(path, music(60.0), RATE, subtype="FLOAT")
    request = {"path": str(path), "out": str(tmp_path / "out"), "engine": "sketch"}
    with subprocess.Popen(
        [sys.executable, "-m", "sfa_engine.prep.separate"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    ) as process:
        assert process.stdin
        assert process.stdout
        process.stdin.write(json.dumps(request).encode() + b"\n")
        process.stdin.flush()
        for line in process.stdout:
            if b"separating" in line:
                break
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
        left = set(names_in(tmp_path)) - {"song.wav"}
        assert [name.startswith(".sfa-part-") for name in left] == [True]
    short = tmp_path / "short.wav"
    soundfile.write(short, music(0.1), RATE)
    sketch(short, tmp_path)
    assert names_in(tmp_path) == ["out", "short.wav", "song.wav"]
