"""Files that grow: cut at any byte they open, with all but their last part."""

import random
import shutil
import subprocess

import numpy as np
import pytest
import soundfile

from sfa_engine.errors import MediaError
from sfa_engine.host.sound_file import GrowingWav, form_of, open_sound
from sfa_engine.prep.decode import decode
from sfa_engine.track.wav import wav_header

RATE = 48_000
PART = 30_000  # frames that are committed at a time
PARTS = 4
FORMS = {"flac": ".flac", "wav": ".wav", "float": ".wav"}


def noise(frames, seed=1):
    return (np.random.default_rng(seed).standard_normal((frames, 2)) * 0.2).astype(np.float32)


def grown(path, form):
    """Write a file in parts; return its sound, and the size after each commit."""
    sound = noise(PART * PARTS)
    file = open_sound(path, form, RATE)
    sizes = []
    for number in range(PARTS):
        file.append(sound[number * PART : (number + 1) * PART])
        file.commit()
        sizes.append(path.stat().st_size)
    return file, sound, sizes


@pytest.mark.parametrize("form", FORMS)
def test_a_closed_file_has_every_sample(tmp_path, form):
    path = tmp_path / f"x{FORMS[form]}"
    file, sound, _ = grown(path, form)
    file.close()
    read, rate = soundfile.read(path, dtype="float32")
    assert rate == RATE
    assert read.shape == sound.shape
    if form == "float":
        assert np.array_equal(read, sound)
    else:
        assert np.abs(read - sound).max() <= 2.0**-24


@pytest.mark.parametrize("form", FORMS)
def test_a_file_that_was_never_closed_has_all_that_was_committed(tmp_path, form):
    path = tmp_path / f"x{FORMS[form]}"
    _file, sound, _ = grown(path, form)
    kept = tmp_path / f"kept{FORMS[form]}"
    shutil.copy(path, kept)
    read, _ = soundfile.read(kept, dtype="float32")
    least = PART * PARTS - (4097 if form == "flac" else 0)
    assert least <= len(read) <= PART * PARTS
    assert np.abs(read - sound[: len(read)]).max() <= 2.0**-24


@pytest.mark.slow
@pytest.mark.parametrize("form", FORMS)
def test_a_file_cut_at_any_byte_opens_with_what_is_before(tmp_path, form):
    path = tmp_path / f"x{FORMS[form]}"
    _file, sound, sizes = grown(path, form)
    data = path.read_bytes()
    draw = random.Random(7)
    cut = tmp_path / f"cut{FORMS[form]}"
    for _ in range(25):
        size = draw.randrange(sizes[1] + 9000, len(data))
        cut.write_bytes(data[:size])
        whole = sum(each <= size for each in sizes) - 1  # parts but the last
        decoded = decode(cut)
        assert len(decoded.sound) >= whole * PART
        assert np.abs(decoded.sound[: whole * PART] - sound[: whole * PART]).max() < 1e-6


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("ffprobe") is None, reason="ffprobe is not installed")
@pytest.mark.parametrize("form", FORMS)
def test_a_cut_file_opens_in_ffprobe_with_its_length(tmp_path, form):
    path = tmp_path / f"x{FORMS[form]}"
    _file, _sound, sizes = grown(path, form)
    data = path.read_bytes()
    cut = tmp_path / f"cut{FORMS[form]}"
    draw = random.Random(8)
    for _ in range(5):
        size = draw.randrange(sizes[1] + 9000, len(data))
        cut.write_bytes(data[:size])
        words = ["ffprobe", "-v", "error", "-count_frames", "-show_entries"]
        words += ["stream=sample_rate,codec_name,channels", "-of", "csv=p=0", str(cut)]
        said = subprocess.run(words, capture_output=True, text=True, check=True).stdout
        assert "48000,2" in said


def test_a_wav_of_more_than_4_gb_says_so_in_64_bits():
    head = wav_header(900_000_000, RATE, "s24")
    assert head[:4] == b"RF64"
    assert head[12:16] == b"ds64"
    assert int.from_bytes(head[28:36], "little") == 900_000_000 * 6
    small = wav_header(1000, RATE, "s24")
    assert small[:4] == b"RIFF"
    assert len(small) == len(head)


def test_an_rf64_with_a_hole_opens(tmp_path):
    path = tmp_path / "long.wav"
    file = GrowingWav(path, "wav", RATE)
    file.frames = 720_000_000  # as if it had been recorded for four hours
    file.append(noise(1000))
    file.close()
    info = soundfile.info(path)
    assert (info.format, info.frames) == ("RF64", 720_001_000)


def test_a_file_that_exists_is_not_overwritten(tmp_path):
    path = tmp_path / "x.wav"
    path.write_bytes(b"mine")
    with pytest.raises(FileExistsError):
        open_sound(path, "wav", RATE)
    assert path.read_bytes() == b"mine"


@pytest.mark.parametrize("form", FORMS)
def test_a_file_that_was_deleted_is_an_error_at_the_next_commit(tmp_path, form):
    path = tmp_path / f"x{FORMS[form]}"
    file, _, _ = grown(path, form)
    path.unlink()
    file.append(noise(100))
    with pytest.raises(FileNotFoundError, match="deleted"):
        file.commit()


def test_the_format_follows_the_name(tmp_path):
    assert form_of(tmp_path / "x.flac", "wav") == "flac"
    assert form_of(tmp_path / "x.wav", "float") == "float"
    assert form_of(tmp_path / "x.WAV", "flac") == "wav"
    with pytest.raises(MediaError, match="unknown sound format"):
        form_of(tmp_path / "x.mp3", "wav")
