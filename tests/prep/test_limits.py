"""Long files are refused before they are decoded, a small disk before it is full."""

from __future__ import annotations

import shutil
import time
from pathlib import Path

import numpy as np
import pytest
import soundfile

from sfa_engine.errors import MediaError
from sfa_engine.prep import bundle_writer
from sfa_engine.prep.bundle_writer import write_bundle
from sfa_engine.prep.decode import decode_blocks
from sfa_engine.track.media import read_bundle

ABOUT = {"title": "", "artist": "", "bpm": None}


@pytest.fixture
def minute(tmp_path: Path) -> Path:
    path = tmp_path / "minute.flac"
    soundfile.write(path, np.zeros((60 * 48_000, 2), np.int16), 48_000)
    return path


def test_a_file_that_states_a_longer_length_is_refused_before_it_is_decoded(tmp_path, minute):
    began = time.process_time()
    with pytest.raises(MediaError, match=r"longer than 0.5 minutes; .*max_minutes"):
        write_bundle(tmp_path / "x.sfa", {"mix": minute}, **ABOUT, longest_s=30.0)
    assert time.process_time() - began < 0.1
    assert not (tmp_path / "x.sfa").exists()


def test_a_file_that_understates_its_length_is_refused_at_the_limit(minute):
    content = bytearray(minute.read_bytes())
    content[21:26] = bytes([content[21] & 0xF0, 0, 0, 0xBB, 0x80])  # a second, says STREAMINFO
    minute.write_bytes(content)
    decoding = decode_blocks(minute, longest_s=30.0)
    assert decoding.stated_seconds == 1.0
    with pytest.raises(MediaError, match="longer than"):
        list(decoding)
    assert decoding.frames < 32 * 48_000


def test_a_file_of_the_very_length_is_taken(tmp_path, minute):
    path = write_bundle(tmp_path / "x.sfa", {"mix": minute}, **ABOUT, longest_s=60.0)
    assert read_bundle(path).track.frames == 60 * 48_000


def test_a_disk_without_room_is_told_before_anything_is_written(tmp_path, minute, monkeypatch):
    usage = shutil.disk_usage(tmp_path)._replace(free=10_000_000)
    monkeypatch.setattr(bundle_writer.shutil, "disk_usage", lambda _: usage)
    with pytest.raises(MediaError, match="12 MB are wanted, 10 MB free"):
        write_bundle(tmp_path / "x.sfa", {"mix": minute}, **ABOUT)
    assert [*tmp_path.glob("*.sfa*"), *tmp_path.glob(".sfa*")] == []
