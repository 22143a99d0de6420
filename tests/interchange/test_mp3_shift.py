"""One click, encoded five ways: where other programs have it, against our decoder."""

import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st

from sfa_engine.interchange.mp3_shift import NONE, PROGRAMS, crc16, mp3_start, shift_of, start_of
from sfa_engine.prep.decode import decode

RATE = 44_100
AT = 20_000
LATE = 1105  # encoder's delay of 576 and decoder's of 529
FRAMES = {  # of the table in the module
    "A": {"traktor": 0, "serato": 0, "rekordbox": 0, "mixxx": -1152},
    "B1": {"traktor": 1152, "serato": 1152, "rekordbox": 0, "mixxx": 0},
    "B2": {"traktor": 2257, "serato": 2257, "rekordbox": 1105, "mixxx": 1105},
    "C": {"traktor": 2257, "serato": 2257, "rekordbox": 1105, "mixxx": 1105},
    "D": {"traktor": 2257, "serato": 2257, "rekordbox": 2257, "mixxx": 1105},
}
ENCODER = slice(36 + 120, 36 + 129)  # of a stereo MPEG-1 frame


def encode(source, target, *arguments):
    if not shutil.which("ffmpeg"):
        pytest.skip("no ffmpeg to encode with")
    command = ["ffmpeg", "-v", "error", "-y", "-i", source, *arguments, target]
    subprocess.run(command, check=True, stdin=subprocess.DEVNULL)
    return target


def patched(source, target, change):
    data = bytearray(source.read_bytes())
    change(data)
    target.write_bytes(data)
    return target


def as_lame(data):
    data[ENCODER] = b"LAME3.100"
    data[190:192] = crc16(bytes(data[:190])).to_bytes(2, "big")


def without_crc(data):
    as_lame(data)
    data[190:192] = bytes(2)


def without_encoder(data):
    data[ENCODER] = bytes(9)


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    folder = tmp_path_factory.mktemp("mp3")
    sound = np.zeros((2 * RATE, 2), np.float32)
    noise = np.random.default_rng(1).standard_normal(400) * np.exp(-np.arange(400) / 60)
    sound[AT : AT + 400] = 0.2 * noise[:, None]
    soundfile.write(folder / "click.wav", sound, RATE)
    mp3 = ["-c:a", "libmp3lame", "-b:a", "192k", "-id3v2_version", "0"]
    by_ffmpeg = encode(folder / "click.wav", folder / "B2.mp3", *mp3)
    return {
        "A": encode(folder / "click.wav", folder / "A.mp3", *mp3, "-write_xing", "0"),
        "B1": patched(by_ffmpeg, folder / "B1.mp3", without_encoder),
        "B2": by_ffmpeg,
        "C": patched(by_ffmpeg, folder / "C.mp3", without_crc),
        "D": patched(by_ffmpeg, folder / "D.mp3", as_lame),
    }


@pytest.mark.parametrize("case", FRAMES)
def test_each_case_has_its_shift_for_each_program(files, case):
    for program, frames in FRAMES[case].items():
        shift = shift_of(files[case], program)
        assert shift.case == case
        assert round(shift.seconds * RATE) == frames
    assert shift_of(files[case], "virtualdj").seconds == 0.0
    assert shift_of(files[case], "") == NONE


@pytest.mark.parametrize("case", FRAMES)
def test_what_we_say_is_removed_is_what_the_decoder_removes(files, case):
    decoded = decode(files[case], RATE).sound[:, 0]
    original, _ = soundfile.read(files["A"].with_name("click.wav"))
    size = 1 << 18
    lags = np.fft.irfft(np.fft.rfft(decoded, size) * np.conj(np.fft.rfft(original[:, 0], size)))
    assert int(lags.argmax()) + start_of(files[case]).removed == LATE


def test_least_sure_are_rekordbox_in_b2_and_c(files):
    unsure = [
        (case, program)
        for case, known in FRAMES.items()
        for program in known
        if not shift_of(files[case], program).is_sure
    ]
    assert unsure == [("B2", "rekordbox"), ("C", "rekordbox")]


def test_id3_tags_before_the_first_frame_are_skipped(files, tmp_path):
    tag = b"ID3\4\0\0" + bytes([0, 0, 2, 0]) + b"\xff\xfb\x90\x64" * 64
    target = tmp_path / "tagged.mp3"
    target.write_bytes(tag + files["D"].read_bytes())
    assert shift_of(target, "serato") == shift_of(files["D"], "serato")


def test_at_48_khz_and_in_mono_the_frame_is_counted_in_the_files_own_rate(tmp_path):
    sound = np.random.default_rng(2).standard_normal((24_000, 1)) * 0.1
    soundfile.write(tmp_path / "mono.wav", sound, 48_000)
    mono = encode(tmp_path / "mono.wav", tmp_path / "mono.mp3", "-c:a", "libmp3lame")
    assert shift_of(mono, "serato").case == "B2"
    assert round(shift_of(mono, "serato").seconds * 48_000) == 2257
    slow = encode(tmp_path / "mono.wav", tmp_path / "slow.mp3", "-ar", "22050")
    assert round(shift_of(slow, "serato").seconds * 22_050) == 576 + 1105


def test_rekordbox_does_not_remove_the_priming_of_an_m4a(files, tmp_path):
    click = files["A"].with_name("click.wav")
    m4a = encode(click, tmp_path / "a.m4a", "-c:a", "aac")
    shift = shift_of(m4a, "rekordbox")
    assert (shift.case, round(shift.seconds * RATE), shift.is_sure) == ("AAC", 1024, False)
    assert shift_of(m4a, "serato").seconds == 0.0
    assert shift_of(encode(click, tmp_path / "l.m4a", "-c:a", "alac"), "rekordbox") == NONE


def test_other_files_have_no_shift(files, tmp_path):
    wav = files["A"].with_name("click.wav")
    empty = tmp_path / "empty.mp3"
    empty.touch()
    assert {shift_of(path, name) for path in (wav, empty) for name in PROGRAMS} == {NONE}
    with pytest.raises(OSError, match="No such file"):
        shift_of(Path("/nowhere.mp3"), "serato")


@given(st.binary(max_size=400), st.integers(0, 3000), st.integers(0, 2000))
def test_any_bytes_are_classified_without_an_error(files, noise, at, length):
    data = bytearray(files["D"].read_bytes()[:4000])
    data[at : at + len(noise)] = noise
    mp3_start(bytes(data[:length]))
    mp3_start(bytes(data))


@pytest.fixture(scope="module")
def m4a(files):
    click = files["A"].with_name("click.wav")
    return encode(click, click.with_name("whole.m4a"), "-c:a", "aac").read_bytes()


@settings(max_examples=40)
@given(st.lists(st.tuples(st.floats(0, 1), st.integers(0, 255)), max_size=8), st.floats(0.5, 1))
def test_any_damage_to_an_m4a_is_no_error(m4a, tmp_path_factory, changes, kept):
    begin = m4a.index(b"moov") - 4
    content = bytearray(m4a)
    for place, byte in changes:
        content[begin + int(place * (len(content) - begin - 1))] = byte
    path = tmp_path_factory.getbasetemp() / "damaged.m4a"
    path.write_bytes(content[: begin + int(kept * (len(content) - begin))])
    shift_of(path, "rekordbox")
