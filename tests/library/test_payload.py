"""Where the sound of a file is: the same bytes however it is tagged; of anything at all, ranges."""

from __future__ import annotations

import io
import shutil
import subprocess
from pathlib import Path

import mutagen
import numpy as np
import pytest
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st
from mutagen import apev2, id3

from sfa_engine.library.content import begins_with, sound_identity
from sfa_engine.library.payload import find_payload

NOISE = 0.1 * np.random.default_rng(1).standard_normal((96_000, 2))
FORMS = {
    "a.wav": {}, "a.rf64": {"format": "RF64"}, "a.w64": {}, "a.aiff": {}, "a.caf": {}, "a.flac": {},
    "a.ogg": {}, "a.opus": {"format": "OGG", "subtype": "OPUS"}, "a.mp3": {},
}  # fmt: skip
ENCODED = {"a.m4a": ["-c:a", "aac"], "a.webm": ["-c:a", "libopus"], "f.ogg": ["-c:a", "flac"]}
ENCODED |= {"a.aac": ["-c:a", "aac"]}


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    folder = tmp_path_factory.mktemp("payload")

    def make(name: str) -> Path:
        path = folder / name
        if path.exists():
            return path
        if name in FORMS:
            soundfile.write(path, NOISE, 48_000, **FORMS[name])
        else:
            if not shutil.which("ffmpeg"):
                pytest.skip("no ffmpeg to encode with")
            soundfile.write(folder / "source.wav", NOISE, 48_000)
            command = ["ffmpeg", "-v", "error", "-i", folder / "source.wav", *ENCODED[name], path]
            subprocess.run(command, check=True, stdin=subprocess.DEVNULL)
        return path

    return make


def tag(path: Path, text: str) -> None:
    file = mutagen.File(path)
    if file.tags is None:
        file.add_tags()
    if isinstance(file.tags, id3.ID3):
        file.tags.add(id3.TIT2(text=text))
    else:
        file["\xa9nam" if path.suffix == ".m4a" else "title"] = text
    file.save()


@pytest.mark.parametrize(
    "name", ["a.wav", "a.aiff", "a.flac", "a.ogg", "a.opus", "a.mp3", "a.m4a", "f.ogg"]
)
def test_no_tag_changes_what_a_file_is(made, tmp_path, name):
    path = tmp_path / name
    shutil.copy(made(name), path)
    before = sound_identity(path)
    assert before.startswith("sound:")
    for text in ("x", "y" * 70_000, "z"):  # longer than a page of Ogg and than any padding
        tag(path, text)
        assert sound_identity(path) == before
    mutagen.File(path).delete()
    assert sound_identity(path) == before


def test_tags_at_the_end_of_an_mp3_do_not_either(made, tmp_path):
    path = tmp_path / "a.mp3"
    shutil.copy(made("a.mp3"), path)
    before = sound_identity(path)
    ape = apev2.APEv2()
    ape["Title"] = "x"
    ape.save(path)
    assert sound_identity(path) == before
    path.write_bytes(path.read_bytes() + b"LYRICSBEGIN" + b"x" * 20 + b"000031LYRICS200")
    path.write_bytes(path.read_bytes() + b"TAG" + bytes(125))
    assert sound_identity(path) == before


@pytest.mark.parametrize("name", [*FORMS, *ENCODED])
def test_one_other_sample_is_another_sound(made, tmp_path, name):
    content = bytearray(made(name).read_bytes())
    at = len(content) * 2 // 3
    content[at] ^= 1
    path = tmp_path / name
    path.write_bytes(content)
    assert sound_identity(path) != sound_identity(made(name))


@pytest.mark.parametrize("name", [*FORMS, *ENCODED])
def test_a_file_that_was_cut_is_the_beginning_of_the_whole(made, tmp_path, name):
    path = tmp_path / name
    content = made(name).read_bytes()
    path.write_bytes(content[: len(content) * 2 // 3])
    assert begins_with(made(name), sound_identity(path))
    assert not begins_with(path, sound_identity(made(name)))
    assert not begins_with(made(name), sound_identity(made(name)))


@pytest.mark.parametrize("name", ["a.wav", "a.rf64", "a.w64", "a.aiff", "a.caf", "a.ogg", "a.m4a"])
def test_a_file_that_was_cut_says_so_and_a_whole_one_not(made, name):
    content = made(name).read_bytes()
    assert find_payload(io.BytesIO(content)).missing_bytes == 0
    for part in (0.4, 0.7, 0.95):
        assert find_payload(io.BytesIO(content[: round(part * len(content))])).missing_bytes > 0


def test_another_file_is_known_by_all_of_its_bytes(tmp_path):
    (tmp_path / "a").write_bytes(b"hello")
    assert sound_identity(tmp_path / "a").startswith("file:5:2cf24dba")


@pytest.mark.slow
@settings(max_examples=300, deadline=None)
@given(
    name=st.sampled_from([*FORMS, "a.m4a", "a.webm", "f.ogg"]),
    cuts=st.lists(st.tuples(st.integers(0, 3000), st.binary(max_size=12)), max_size=4),
    end=st.integers(0, 40_000),
)
def test_of_anything_there_are_ranges_within_it(made, name, cuts, end):
    content = bytearray(made(name).read_bytes()[:end])
    for at, piece in cuts:
        content[at : at + len(piece)] = piece
    found = find_payload(io.BytesIO(bytes(content)))
    if found is None:
        return
    at = 0
    for begin, length in found.ranges:
        assert at <= begin
        at = begin + length
        assert length > 0
    assert at <= len(content)


@settings(max_examples=200, deadline=None)
@given(
    st.sampled_from(
        [b"RIFF", b"FORM", b"caff", b"fLaC", b"OggS", b"\x1aE\xdf\xa3", b"ID3", b"\xff"]
    ),
    st.binary(max_size=400),
)
def test_noise_behind_any_sign_is_looked_through_in_a_moment(sign, noise):
    find_payload(io.BytesIO(sign + noise))
