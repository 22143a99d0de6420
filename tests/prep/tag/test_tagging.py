"""Tags of bundles: which places are looked at, and that a part is read as the whole is."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile
import soxr
from house import beat

from sfa_engine.prep.bundle_writer import write_bundle
from sfa_engine.prep.mixdown import Mixdown
from sfa_engine.prep.tag import tagging
from sfa_engine.prep.tag.mel import HOP, RATE, WINDOW, mel_frames
from sfa_engine.prep.tag.net import FRAMES, Net, load_nets
from sfa_engine.track.media import read_bundle

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def nets() -> list[Net]:
    return load_nets()


def bundle(folder: Path, sound: np.ndarray, rate: int = 48_000, keep: int = 48_000) -> Path:
    soundfile.write(folder / "song.wav", sound, rate, subtype="FLOAT")
    sources = {"mix": folder / "song.wav"}
    return write_bundle(folder / "song.sfa", sources, title="", artist="", bpm=None, rate=keep)


@pytest.mark.parametrize("rate", [44_100, 48_000, 96_000])
def test_places_are_those_of_the_whole_track(tmp_path: Path, rate: int) -> None:
    made = bundle(tmp_path, beat(50.0), keep=rate)
    track = read_bundle(made)
    whole = Mixdown(track, rate).read(0, track.track.frames)
    mono = whole.mean(axis=1, dtype=np.float32)
    resampled = soxr.resample(mono, rate, RATE)
    expected = mel_frames(np.pad(resampled, WINDOW // 2))
    count = tagging.mel_count(track.track.frames, rate)
    assert count == len(expected)
    starts = tagging.places(count)
    assert len(starts) == tagging.PLACES
    assert starts[0] == int(0.1 * (count - FRAMES))
    mix = Mixdown(track, rate)
    for start, found in zip(
        starts, tagging._pictures(mix, track.track.frames, starts), strict=True
    ):
        assert found == pytest.approx(expected[start : start + FRAMES], abs=0.01)


def test_the_beginning_and_the_end_of_a_track_are_padded(tmp_path: Path) -> None:
    made = bundle(tmp_path, beat(7.0))
    track = read_bundle(made)
    mix = Mixdown(track, 48_000)
    count = (FRAMES - 1) * HOP + WINDOW
    first = tagging._sound(mix, track.track.frames, -WINDOW // 2, count)
    assert not first[: WINDOW // 2].any()
    assert first[WINDOW // 2 : 2 * WINDOW].any()
    length = track.track.frames * RATE // 48_000
    last = tagging._sound(mix, track.track.frames, length - 1000, count)
    assert last[:900].any()
    assert not last[1000:].any()


@pytest.mark.parametrize("seconds", [0.01, 0.5, 2.9, 3.1, 8.0, 40.0])
def test_a_track_of_any_length_has_tags(tmp_path: Path, nets: list[Net], seconds: float) -> None:
    done: list[float] = []
    found = tagging.tag(bundle(tmp_path, beat(seconds)), nets, done.append)
    assert found is not None
    assert found.labels.shape == (100,)
    assert found.vector.shape == (400,)
    assert ((found.labels >= 0) & (found.labels <= 1)).all()
    assert np.isfinite(found.vector).all()
    assert done[-1] == 1.0
    assert done == sorted(done)


def test_a_silent_track_has_none(tmp_path: Path, nets: list[Net]) -> None:
    assert tagging.tag(bundle(tmp_path, np.zeros((480_000, 2), np.float32)), nets) is None


@pytest.mark.nightly
def test_the_rate_of_a_bundle_hardly_matters(tmp_path: Path, nets: list[Net]) -> None:
    found = []
    for rate in (44_100, 48_000):
        folder = tmp_path / str(rate)
        folder.mkdir()
        found.append(tagging.tag(bundle(folder, 0.5 * beat(50.0), keep=rate), nets))
    one, other = found
    assert one is not None
    assert other is not None
    assert one.labels == pytest.approx(other.labels, abs=0.02)


def test_the_worker_answers_in_json_and_refuses_what_is_no_bundle(tmp_path: Path) -> None:
    import json

    made = bundle(tmp_path, beat(8.0))

    def answer(request: str) -> dict[str, object]:
        done = subprocess.run(
            [sys.executable, "-m", "sfa_engine.prep.tag"],
            input=request,
            capture_output=True,
            text=True,
            check=False,
        )
        last: dict[str, object] = json.loads(done.stdout.splitlines()[-1])
        return last

    result = answer(json.dumps({"path": str(made)}))["result"]
    assert isinstance(result, dict)
    assert (len(result["labels"]), len(result["vector"])) == (100, 400)
    assert "names no bundle" in str(answer('{"path": ""}')["error"])
    assert answer(json.dumps({"path": str(tmp_path / "gone.sfa")}))["error"]
    assert answer("[]")["code"] == "refused"
