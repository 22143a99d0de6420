"""Files that state what is not so, and those made to be slow: what they hold decides."""

from __future__ import annotations

import io
import shutil
import struct
import subprocess
import time
from pathlib import Path

import numpy as np
import pytest
import soundfile

from sfa_engine.library.payload import find_payload
from sfa_engine.prep import decode as decoding
from sfa_engine.prep.decode import decode, decode_blocks
from sfa_engine.prep.repair import find_repairs

RATE = 48_000
SECONDS = 20

pytestmark = [
    pytest.mark.skipif(not shutil.which("ffmpeg"), reason="no ffmpeg to encode with"),
    pytest.mark.slow,
]


def encoded(folder: Path, name: str, *options: str) -> bytes:
    sine = f"sine=frequency=1000:duration={SECONDS}:sample_rate={RATE}"
    command = ["ffmpeg", "-v", "error", "-f", "lavfi", "-i", sine, *options, folder / name]
    subprocess.run(command, check=True, stdin=subprocess.DEVNULL)
    return (folder / name).read_bytes()


@pytest.fixture(scope="module")
def mp3(tmp_path_factory):
    options = ("-ac", "2", "-c:a", "libmp3lame", "-b:a", "128k")
    return encoded(tmp_path_factory.mktemp("mp3"), "a.mp3", *options)


def stating(mp3: bytes, frames: int) -> bytes:
    at = mp3.index(b"Info") + 8
    return mp3[:at] + struct.pack(">I", frames) + mp3[at + 4 :]


@pytest.mark.parametrize("frames", [5000, 900_000, 2**32 - 1])
def test_a_false_count_of_frames_makes_no_silence_of_a_small_hole(tmp_path, mp3, frames):
    content = stating(mp3, frames)
    middle = len(content) // 2
    path = tmp_path / "a.mp3"
    path.write_bytes(content[:middle] + bytes(40) + content[middle + 40 :])
    decoded = decode(path)
    assert decoded.truncated
    assert 0 < decoded.silent_seconds <= 0.1
    assert len(decoded.sound) == pytest.approx(SECONDS * RATE, abs=2100)


@pytest.mark.parametrize("frames", [900_000, 2**32 - 1])
def test_a_length_that_the_size_does_not_allow_refuses_nothing(tmp_path, mp3, frames):
    path = tmp_path / "a.mp3"
    path.write_bytes(stating(mp3, frames))
    blocks = decode_blocks(path, longest_s=7200.0)
    assert blocks.stated_seconds <= len(mp3) * 8 / 8000
    assert sum(map(len, blocks)) == pytest.approx(SECONDS * RATE, abs=2100)


def test_a_wav_that_states_hours_is_taken_for_what_it_holds(tmp_path):
    path = tmp_path / "a.wav"
    soundfile.write(path, np.zeros((3 * RATE, 2), np.int16), RATE)
    content = path.read_bytes()
    at = content.index(b"data") + 4
    path.write_bytes(content[:at] + struct.pack("<I", 0xF000_0000) + content[at + 4 :])
    blocks = decode_blocks(path, longest_s=60.0)
    assert blocks.stated_seconds == pytest.approx(3.0, abs=0.01)
    assert sum(map(len, blocks)) == 3 * RATE
    assert blocks.truncated


@pytest.mark.parametrize("codec", ["libopus", "libvorbis"])
def test_joined_ogg_files_have_no_gap_between_them(tmp_path, codec):
    content = encoded(tmp_path, "a.ogg", "-c:a", codec)
    (tmp_path / "joined.ogg").write_bytes(content * 3)
    decoded = decode(tmp_path / "joined.ogg")
    assert (decoded.truncated, decoded.silent_seconds) == (False, 0.0)
    assert len(decoded.sound) == pytest.approx(3 * SECONDS * RATE, abs=2100)


@pytest.mark.parametrize("junk", [b"\xff", b"\xff\xfb", b"\xff\xfb\x90\x64", b"\0"])
def test_junk_between_frames_is_looked_through_fast(mp3, junk):
    middle = len(mp3) // 2
    content = io.BytesIO(mp3[:middle] + junk * (10_000_000 // len(junk)) + mp3[middle:])
    began = time.process_time()
    find_repairs(content)
    assert time.process_time() - began < 2.0


def test_a_file_is_looked_through_once(tmp_path, mp3, monkeypatch):
    looks = []

    def counted(file):
        looks.append(file)
        return find_repairs(file)

    monkeypatch.setattr(decoding, "find_repairs", counted)
    path = tmp_path / "a.mp3"
    path.write_bytes(mp3[:100_000] + bytes(3000) + mp3[103_000:])
    blocks = decode_blocks(path)
    assert blocks.stated_seconds
    lengths = [(sum(map(len, blocks)), blocks.silent_seconds) for _ in range(2)]
    assert lengths[0] == lengths[1]
    assert len(looks) == 1
    path.write_bytes(mp3)
    list(blocks)
    assert (len(looks), blocks.silent_seconds) == (2, 0.0)


def page(flags: int, laces: bytes, body: bytes | None = None) -> bytes:
    body = bytes(sum(laces)) if body is None else body
    return b"OggS\0" + bytes([flags]) + bytes(20) + bytes([len(laces)]) + laces + body


@pytest.mark.parametrize(
    ("first", "pages"),
    [
        (page(2, b"\1"), page(0, bytes(255))),
        (b"", page(2, bytes(255))),
        (page(2, b"\5", b"\x7fFLAC"), page(0, b"\1" * 255)),
        (page(2, b"\1"), page(0, b"\1") + b"x"),
        (b"", b"OggS"),
    ],
    ids=["empty packets", "heads", "FLAC heads", "junk between", "names alone"],
)
def test_an_ogg_of_many_packets_is_read_fast(first, pages):
    content = io.BytesIO(first + pages * (10_000_000 // len(pages)))
    began = time.process_time()
    find_payload(content)
    assert time.process_time() - began < 4.0
