"""The worker that cuts loops: a program of its own, on bundles whose sound is known."""

from __future__ import annotations

import io
import json
import os
import signal
import subprocess
import sys
import time
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from sfa_engine.library.bundle import write_bundle_arrays
from sfa_engine.mix.loop_seam import JOIN_S
from sfa_engine.prep.loops.__main__ import work
from sfa_engine.prep.worker import serve
from sfa_engine.script.render import perform
from sfa_engine.script.script import parse_script
from sfa_engine.track.curves import FILE, ONSETS, SPLICES, CurvesWriter
from sfa_engine.track.kit import read_kit
from sfa_engine.track.media import read_bundle

RATE, BPM, BARS = 48_000, 126.0, 16
BEAT = 60 / BPM * RATE
FIRST_S = 0.1
LOOP_FRAMES = round(8 * BEAT)


def hits(bars: int, level: float = 0.5, hertz: float = 60.0) -> np.ndarray:
    """Return a hit on each beat, from `FIRST_S` on: float32[frames, 2]."""
    sound = np.zeros((round(FIRST_S * RATE + bars * 4 * BEAT), 2), np.float32)
    time_s = np.arange(round(0.4 * BEAT)) / RATE
    hit = level * np.exp(-time_s * 30) * np.sin(2 * np.pi * hertz * time_s)
    for beat in range(bars * 4):
        at = round(FIRST_S * RATE + beat * BEAT)
        sound[at : at + len(hit)] += hit[: len(sound) - at, None].astype(np.float32)
    return sound


def bundle(folder: Path, **options: Any) -> Path:
    """Write a track with drums, and a bass that never rests: each cut of it jumps."""
    drums = hits(BARS)
    wave = 0.3 * np.sin(2 * np.pi * 97.3 * np.arange(len(drums)) / RATE)
    bass = np.repeat(wave[:, None], 2, axis=1).astype(np.float32)
    given = {"title": "Title", "artist": "Artist", "bpm": BPM, "first_beat_s": FIRST_S}
    made = write_bundle_arrays(
        folder, {"drums": drums, "bass": bass}, rate=RATE, gain_db=-2.0, **{**given, **options}
    )
    curves = CurvesWriter()  # as an analysis has them: a stretcher cuts beside the hits
    onsets = np.round(FIRST_S * RATE + np.arange(BARS * 4) * BEAT)
    curves.add_list(f"{ONSETS}drums", onsets)
    curves.add_list(SPLICES, onsets)
    (made / FILE).write_bytes(curves.file(read_bundle(made).track.digest))
    return made


def place(track: int, beat: int, beats: int = 8) -> dict[str, Any]:
    start_s = FIRST_S + beat * 60 / BPM
    return {"track": track, "beat": beat, "beats": beats, "start_s": start_s, "key": "8A"}


def run(request: dict[str, Any]) -> dict[str, Any]:
    """Answer a request as the program does; return its last message."""
    answers = io.StringIO()
    status = serve(work, io.BytesIO(json.dumps(request).encode() + b"\n"), answers)
    last: dict[str, Any] = json.loads(answers.getvalue().splitlines()[-1])
    assert status == (0 if "result" in last else 1)
    return last


def asked(folder: Path, wanted: list[tuple[str, int, list[dict[str, Any]]]], **to: Any) -> Any:
    tracks = {str(n): {"path": str(folder / f"{n}.sfa"), "name": f"Track {n}"} for n in (1, 2)}
    kinds = [{"stem": stem, "count": n, "places": places} for stem, n, places in wanted]
    return {"wanted": kinds, "tracks": tracks, **to}


def frames_of(folder: Path, stem: str) -> np.ndarray:
    sound, _ = soundfile.read(folder / f"{stem}.wav", dtype="int16")
    return sound


def test_a_kit_has_the_frames_of_the_stem_and_loops_without_a_seam(tmp_path: Path) -> None:
    folder = bundle(tmp_path / "1.sfa")
    wanted = [
        ("drums", 2, [place(1, 16), place(1, 24)]),
        ("bass", 1, [place(1, 8, 16)]),
        ("mix", 1, [place(1, 0, 4)]),
    ]
    said = run(asked(tmp_path, wanted, kit=str(tmp_path / "kits" / "friday")))["result"]
    assert (said["kit"], said["zip"], said["missing"], said["passed_over"]) == (
        "friday", "", [], [],
    )  # fmt: skip
    kit = read_kit(tmp_path / "kits" / "friday")
    assert [pad.pad for pad in kit.pads] == [each["pad"] for each in said["loops"]] == [1, 2, 3, 4]
    for loop, pad in zip(said["loops"], kit.pads, strict=True):
        assert loop["frames"] == pad.frames == round(loop["beats"] * 60 / BPM * RATE)
        assert abs(loop["start_frame"] - (FIRST_S * RATE + loop["beat"] * BEAT)) <= 0.5
        assert loop["bpm"] == pytest.approx(BPM, abs=0.001)
        assert pad.settings == {
            "mode": "loop", "quantise": "bar", "beats": float(loop["beats"]),
        }  # fmt: skip
        assert pad.gain == pytest.approx(10 ** (-2 / 20))
        assert pad.label.startswith("Title - ")
    first = said["loops"][0]
    there, _ = soundfile.read(tmp_path / "kits" / "friday" / "01.wav", dtype="int16")
    cut = there[kit.pads[0].start :][: first["frames"]]
    stem = frames_of(folder, "drums")[first["start_frame"] :][: first["frames"]]
    assert np.array_equal(cut, stem)  # bit for bit
    assert first["seam"]["spectrum_db"] < 0.5
    assert first["seam"]["correlation"] > 0.99
    assert not first["seam"]["clicks"]

    frames = first["frames"]
    script = f"0 kit kits/friday\n0 set clock.tempo {BPM}\n0.5 press pad1.hit\n18 end\n"
    out = np.concatenate(list(perform(parse_script(script, tmp_path))))
    begin = int(np.argmax(np.abs(out[:, 0]) > 1e-4))
    rounds = out[begin : begin + 4 * frames].reshape(4, frames, 2)
    # round and round, in time: of 182857.14 frames a round has no part, which is 0.0005 here
    assert np.abs(rounds[2] - rounds[1]).max() < 1e-3
    assert np.abs(rounds[1]).max() == pytest.approx(
        np.abs(stem).max() / 32768 * kit.pads[0].gain, rel=0.01
    )


@pytest.mark.parametrize(("form", "subtype"), [("flac", "PCM_16"), ("wav", "PCM_16")])
def test_a_zip_has_a_file_for_each_loop_and_a_list(tmp_path: Path, form: str, subtype: str) -> None:
    folder = bundle(tmp_path / "1.sfa", title='A/B: "C"')
    wanted = [("drums", 1, [place(1, 16)]), ("bass", 1, [place(1, 17)])]
    target = tmp_path / "set.zip"
    said = run(asked(tmp_path, wanted, zip=str(target), format=form))["result"]
    with zipfile.ZipFile(target) as archive:
        assert archive.testzip() is None
        assert all(each.compress_type == zipfile.ZIP_STORED for each in archive.infolist())
        info = json.loads(archive.read("info.json"))
        assert info == {"version": 1, "loops": said["loops"]}
        assert archive.namelist() == [*(each["file"] for each in info["loops"]), "info.json"]
        drums, bass = info["loops"]
        assert drums["file"] == f"01 A_B_ _C_ - drums - 8 beats - 126 BPM - 8A.{form}"
        for loop in (drums, bass):
            with soundfile.SoundFile(io.BytesIO(archive.read(loop["file"]))) as file:
                assert (file.samplerate, file.subtype, file.frames) == (
                    RATE, subtype, LOOP_FRAMES,
                )  # fmt: skip
                loop["sound"] = file.read(dtype="int16")
            start = loop["start_frame"]
            loop["stem"] = frames_of(folder, loop["stem"])[start : start + LOOP_FRAMES]
    assert drums["joined_ms"] == 0.0
    assert np.array_equal(drums["sound"], drums["stem"])  # nothing is left when subtracted
    assert (bass["seam"]["clicks"], bass["joined_ms"]) == (True, 5.0)
    count = round(JOIN_S * RATE)
    assert np.array_equal(bass["sound"][:-count], bass["stem"][:-count])
    step = np.abs(np.diff(bass["stem"].astype(int), axis=0)).max()
    assert abs(int(bass["sound"][0, 0]) - int(bass["sound"][-1, 0])) <= 2 * step
    first = target.read_bytes()
    run(asked(tmp_path, wanted, zip=str(target), format=form))
    assert target.read_bytes() == first


def test_floats_and_the_whole_mix_are_summed_exactly(tmp_path: Path) -> None:
    folder = bundle(tmp_path / "1.sfa", pcm="f32")
    target = tmp_path / "set.zip"
    wanted = [("mix", 1, [place(1, 4)])]
    (loop,) = run(asked(tmp_path, wanted, zip=str(target), format="wav"))["result"]["loops"]
    with zipfile.ZipFile(target) as archive:
        sound, _ = soundfile.read(io.BytesIO(archive.read(loop["file"])), dtype="float32")
    read = read_bundle(folder)
    stems = [soundfile.read(stem.path, dtype="float32")[0] for stem in read.stems]
    whole = (stems[0] + stems[1])[loop["start_frame"] :][: loop["frames"]]
    kept = len(whole) - round(JOIN_S * RATE)
    assert np.array_equal(sound[:kept], whole[:kept])


def test_a_place_that_is_not_good_is_replaced_by_the_next(tmp_path: Path) -> None:
    drums = hits(BARS)
    quiet = round(FIRST_S * RATE + 16 * BEAT)
    drums[quiet : quiet + LOOP_FRAMES] = 0.0  # beats 16 to 24
    drums[round(FIRST_S * RATE + 40 * BEAT) :] *= 0.05  # what follows beat 32 + 8 is quiet
    write_bundle_arrays(
        tmp_path / "1.sfa", {"drums": drums}, title="x", artist="", bpm=BPM, first_beat_s=FIRST_S
    )
    moved = {**place(1, 0), "start_s": 0.3}
    places = [place(1, 16), place(1, 32), moved, place(1, 60), place(2, 0), place(1, 4)]
    request = asked(tmp_path, [("drums", 2, places)], kit=str(tmp_path / "kit"))
    said = run(request)["result"]
    assert [loop["beat"] for loop in said["loops"]] == [4]
    assert said["missing"] == [{"stem": "drums", "count": 1}]
    whys = [each["why"] for each in said["passed_over"]]
    assert whys[0] == "is silent"
    assert "dB at its seam" in whys[1]
    assert whys[2] == "has another grid than planned"
    assert whys[3] == "ends before the loop from beat 60 on does"
    assert "does not exist" in whys[4]
    assert str(tmp_path) not in str(said)
    request["tracks"]["1"]["path"] = ""
    error = run({**request, "kit": str(tmp_path / "other")})
    assert error["error"].startswith("no loop can be cut: Track 1 was removed")
    assert error["hint"]
    assert not (tmp_path / "other").exists()


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"kit": "", "zip": ""}, "one of kit and zip"),
        ({"kit": "a/b/..hidden"}, "is not a name for a kit"),
        ({"wanted": 3}, "invalid request"),
        ({"more": 1}, "invalid request"),
        ({"kit": "", "zip": "/proc/none/x.zip"}, "cannot be written"),
    ],
)
def test_a_wrong_request_is_one_error(tmp_path: Path, changes: dict[str, Any], why: str) -> None:
    bundle(tmp_path / "1.sfa")
    request = asked(tmp_path, [("drums", 1, [place(1, 4)])], kit=str(tmp_path / "kit"))
    error = run({**request, **changes})
    assert why in error["error"]
    assert "\n" not in error["error"]


def test_a_kit_is_replaced_only_if_that_is_asked(tmp_path: Path) -> None:
    bundle(tmp_path / "1.sfa")
    request = asked(tmp_path, [("drums", 1, [place(1, 4)])], kit=str(tmp_path / "kit"))
    run(request)
    assert 'there is a kit "kit"' in run(request)["error"]
    assert run({**request, "replace": True})["result"]["kit"] == "kit"


@pytest.mark.parametrize("to", ["kit", "zip"])
def test_a_kill_midway_leaves_what_was_there_and_the_next_run_clears_up(
    tmp_path: Path, to: str
) -> None:
    bundle(tmp_path / "1.sfa")
    folder = tmp_path / "out"
    folder.mkdir()
    target = folder / ("set.zip" if to == "zip" else "kit")
    small = asked(tmp_path, [("drums", 1, [place(1, 4)])], **{to: str(target)})
    run(small)
    before = sorted((path.name, path.stat().st_size) for path in folder.rglob("*"))
    big = asked(
        tmp_path, [("mix", 40, [place(1, beat, 32) for beat in range(20)] * 2)],
        **{to: str(target), "replace": True},
    )  # fmt: skip
    process = subprocess.Popen(
        [sys.executable, "-m", "sfa_engine.prep.loops"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    )
    assert process.stdin
    assert process.stdout
    with process, process.stdin:
        process.stdin.write(json.dumps(big).encode() + b"\n")
        process.stdin.flush()
        for line in process.stdout:
            message = json.loads(line)
            assert "result" not in message, "it was done before it was killed"
            if message["doing"].startswith("writing"):
                break
        give_up = time.monotonic() + 30
        while not list(folder.glob(".sfa-part-*")):
            assert time.monotonic() < give_up
        os.kill(process.pid, signal.SIGKILL)
    left = [path for path in folder.iterdir() if path.name.startswith(".sfa-part-")]
    assert left  # it was at work
    seen = [
        path for path in folder.rglob("*") if not path.relative_to(folder).parts[0].startswith(".")
    ]
    assert sorted((path.name, path.stat().st_size) for path in seen) == before
    assert "result" in run({**small, "replace": True})
    assert [path.name for path in folder.iterdir() if path.name.startswith(".sfa-")] == []


@pytest.mark.parametrize("bpm", [120.0, 134.0])
def test_loops_are_stretched_to_a_tempo_in_their_own_key(tmp_path: Path, bpm: float) -> None:
    folder = bundle(tmp_path / "1.sfa")
    wanted = [("drums", 1, [place(1, 16)]), ("bass", 1, [place(1, 8)]), ("mix", 1, [place(1, 8)])]
    target = tmp_path / "set.zip"
    request = asked(tmp_path, wanted, zip=str(target), format="wav", bpm=bpm)
    said = run(request)["result"]
    frames = round(8 * 60 / bpm * RATE)
    with zipfile.ZipFile(target) as archive:
        sounds = {}
        for loop in said["loops"]:
            assert (loop["bpm"], loop["track_bpm"], loop["frames"]) == (bpm, BPM, frames)
            assert f"{bpm:g} BPM" in loop["file"]
            sounds[loop["stem"]], rate = soundfile.read(io.BytesIO(archive.read(loop["file"])))
            assert (rate, len(sounds[loop["stem"]])) == (RATE, frames)
    drums = np.abs(sounds["drums"][:, 0])
    for beat in range(8):  # each hit is where the grid of the new tempo has it
        at = round(beat * frames / 8)
        around = drums[max(0, at - 600) : at + 600]
        first = int(np.argmax(around > 0.1)) + max(0, at - 600)
        assert 0 <= first - at <= 0.004 * RATE, beat
    assert drums.max() == pytest.approx(0.42, rel=0.15)
    bass = sounds["bass"][:, 0]
    rising = np.flatnonzero((bass[:-1] < 0) & (bass[1:] >= 0))
    hertz = RATE / float(np.median(np.diff(rising)))
    assert hertz == pytest.approx(97.3, abs=0.3)  # in its own key; 92.7 or 103.5 without keylock
    step = float(np.abs(np.diff(bass)).max())
    assert abs(bass[0] - bass[-1]) <= 2 * step
    kit = tmp_path / "kits" / "at"
    run(asked(tmp_path, wanted, kit=str(kit), bpm=bpm))
    pads = read_kit(kit).pads
    assert [(pad.frames, pad.settings["beats"]) for pad in pads] == [(0, 8.0)] * 3
    for pad in pads:
        assert soundfile.info(kit / pad.file).frames == frames
    assert folder.is_dir()


def test_a_loop_that_ends_where_the_music_does_has_nothing_to_be_compared_with(
    tmp_path: Path,
) -> None:
    drums = np.concatenate([hits(BARS), np.zeros((RATE, 2), np.float32)])
    write_bundle_arrays(
        tmp_path / "1.sfa", {"drums": drums}, title="x", artist="", bpm=BPM, first_beat_s=FIRST_S
    )
    request = asked(tmp_path, [("drums", 1, [place(1, 56)])], kit=str(tmp_path / "kit"))
    (loop,) = run(request)["result"]["loops"]
    assert loop["seam"] == {
        "level_db": None, "spectrum_db": None, "correlation": None, "clicks": False,
    }  # fmt: skip


def test_a_tempo_that_is_too_far_is_passed_over_and_its_half_is_near(tmp_path: Path) -> None:
    bundle(tmp_path / "1.sfa")
    request = asked(tmp_path, [("drums", 1, [place(1, 16)])], kit=str(tmp_path / "kit"))
    assert "has 126 BPM, too far from 90" in run({**request, "bpm": 90.0})["error"]
    (loop,) = run({**request, "bpm": 63.0})["result"]["loops"]  # twice as many beats
    assert (loop["bpm"], loop["frames"], loop["track_frames"]) == (126.0, LOOP_FRAMES, LOOP_FRAMES)
