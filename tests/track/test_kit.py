"""Kits are written whole, read back as they were, and refused by one clear line."""

import json

import numpy as np
import pytest

from sfa_engine.errors import MediaError, Refused
from sfa_engine.library.bundle import write_bundle_arrays
from sfa_engine.track.kit import (
    AROUND,
    MANIFEST,
    Source,
    check_length,
    check_name,
    described,
    read_kit,
    rename_manifest,
    write_kit,
)
from sfa_engine.track.media import read_wav
from sfa_engine.track.wav import wav_header

RATE = 48_000
PCM = np.random.default_rng(3).integers(-9000, 9000, (RATE, 2), dtype=np.int16)


def wav(path, pcm=PCM, kind="s16"):
    path.write_bytes(wav_header(len(pcm), RATE, kind) + pcm.tobytes())
    return str(path)


def frames(path):
    rate, file = read_wav(path)
    assert rate == RATE
    data = path.read_bytes()[file.offset_bytes :]
    return np.frombuffer(data, file.dtype).reshape(-1, 2)


def test_a_kit_comes_back_as_it_was_saved(tmp_path):
    source = wav(tmp_path / "a.wav")
    sources = [
        Source(3, source, label="kick", color="#ff8800", settings={"mode": "loop", "pitch": -3.0}),
        Source(1, source, start=1000, frames=500, gain=0.5),
    ]
    folder = tmp_path / "kits" / "drums"
    kit = write_kit(folder, "drums", sources)
    assert read_kit(folder) == kit
    whole = next(pad for pad in kit.pads if pad.pad == 3)
    assert np.array_equal(frames(folder / whole.file), PCM)
    assert (whole.start, whole.frames, whole.label) == (0, 0, "kick")
    part = next(pad for pad in kit.pads if pad.pad == 1)
    assert (part.start, part.frames, part.gain) == (AROUND, 500, 0.5)
    assert np.array_equal(frames(folder / part.file)[AROUND : AROUND + 500], PCM[1000:1500])
    assert described(folder, kit)[0]["path"] == str(folder / "01.wav")


def test_a_kit_may_be_saved_over_the_kit_that_it_plays(tmp_path):
    folder = tmp_path / "kits" / "one"
    write_kit(folder, "one", [Source(1, wav(tmp_path / "a.wav"), start=2000, frames=700)])
    pad = read_kit(folder).pads[0]
    again = Source(1, str(folder / pad.file), start=pad.start, frames=pad.frames)
    write_kit(folder, "one", [again])
    pad = read_kit(folder).pads[0]
    assert np.array_equal(frames(folder / pad.file)[pad.start :][:700], PCM[2000:2700])


def test_the_stems_of_a_bundle_are_added_up(tmp_path):
    stems = {"drums": PCM / 32768, "bass": PCM[::-1] / 32768}
    bundle = write_bundle_arrays(
        tmp_path / "t.sfa",
        {name: each.astype(np.float32) for name, each in stems.items()},
        title="t", artist="", bpm=120.0, rate=RATE,
    )  # fmt: skip
    source = Source(1, str(bundle), ("drums", "bass"), 100, 2000)
    kit = write_kit(tmp_path / "kit", "kit", [source])
    pad = kit.pads[0]
    found = frames(tmp_path / "kit" / pad.file)[pad.start :][:2000]
    assert np.abs(found - sum(stems.values())[100:2100]).max() < 1e-4


def test_a_failed_save_leaves_the_kit_as_it_was(tmp_path):
    folder = tmp_path / "kit"
    write_kit(folder, "kit", [Source(1, wav(tmp_path / "a.wav"))])
    before = (folder / MANIFEST).read_bytes()
    with pytest.raises(MediaError, match="is missing"):
        write_kit(folder, "kit", [Source(2, str(tmp_path / "no.wav"))])
    assert (folder / MANIFEST).read_bytes() == before
    assert sorted(each.name for each in tmp_path.iterdir()) == ["a.wav", "kit"]


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"[]",
        b"{",
        b'{"version": 2, "name": "x"}',
        b'{"version": 1, "name": "x", "more": 1}',
        b'{"version": 1, "name": "x", "pads": [{"pad": 0, "file": "a.wav"}]}',
        b'{"version": 1, "name": "x", "pads": [{"pad": 65, "file": "a.wav"}]}',
        b'{"version": 1, "name": "x", "pads": [{"pad": 1, "file": "../a.wav"}]}',
        b'{"version": 1, "name": "x", "pads": [{"pad": 1, "file": "a"}, {"pad": 1, "file": "b"}]}',
        b'{"version": 1, "name": "x", "pads": [{"pad": 1, "file": "a", "gain": 1e99}]}',
        b"[" * 100_000,
        b"x" * (2 << 20),
    ],
)
def test_an_invalid_manifest_is_refused_by_the_kits_name(tmp_path, text):
    (tmp_path / MANIFEST).write_bytes(text)
    with pytest.raises(MediaError, match=tmp_path.name) as caught:
        read_kit(tmp_path)
    assert caught.value.hint
    assert len(str(caught.value)) < 600


def test_no_kit_is_named(tmp_path):
    with pytest.raises(MediaError, match='no kit "nothing"'):
        read_kit(tmp_path / "nothing")


def test_a_kit_is_renamed_in_its_manifest(tmp_path):
    write_kit(tmp_path / "kit", "old", [])
    rename_manifest(tmp_path / "kit", "new")
    assert json.loads((tmp_path / "kit" / MANIFEST).read_text())["name"] == "new"


@pytest.mark.parametrize(
    "name", ["", ".", "..", "a/b", "../x", "-x", " x", "x ", "x.", "\0", "ü" * 3, "x" * 61]
)
def test_a_name_that_is_no_folders_is_refused(name):
    with pytest.raises(Refused, match="is not a name"):
        check_name(name)


def test_lengths_have_limits():
    check_length(1, RATE, "x")
    check_length(600 * RATE, RATE, "x")
    with pytest.raises(MediaError, match="no sound"):
        check_length(0, RATE, "x")
    with pytest.raises(Refused, match="x is 3600 s long"):
        check_length(3600 * RATE, RATE, "x")
