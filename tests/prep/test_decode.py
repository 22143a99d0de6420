"""One decoder for every format: the same click is at the same frame, and damage is told."""

import os
import shutil
import subprocess
import sys

import numpy as np
import pytest
import soundfile
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sfa_engine.errors import MediaError
from sfa_engine.prep.channels import LOUDEST, stereo
from sfa_engine.prep.decode import decode, decode_blocks

RATE = 48_000
SECONDS = 3
needs_ffmpeg = pytest.mark.skipif(not shutil.which("ffmpeg"), reason="no ffmpeg to encode with")

AAC = ["-c:a", "aac"]
MP3 = ["-c:a", "libmp3lame"]
EXACT = {  # file: how it is made; lag must be 0
    "s16.wav": ["-c:a", "pcm_s16le"],
    "s24.wav": ["-c:a", "pcm_s24le"],
    "u8.wav": ["-c:a", "pcm_u8"],
    "f64.wav": ["-c:a", "pcm_f64le"],
    "a.aiff": [],
    "a.flac": [],
    "alac.m4a": ["-c:a", "alac"],
    "flac.ogg": ["-c:a", "flac"],
    "a.ogg": ["-c:a", "libvorbis"],
    "a.opus": ["-c:a", "libopus", "-b:a", "128k"],
    "opus.webm": ["-c:a", "libopus", "-b:a", "128k"],
    "a.mp3": MP3,
    "a.m4a": AAC,
    "a.mp4": AAC,
}
LATE = {  # file: how it is made, and how late it is: the encoder's delay, which no file states
    "untagged.mp3": ([*MP3, "-write_xing", "0", "-id3v2_version", "0"], 1105),
    "a.aac": (AAC, 1024),
}


def burst(frames=SECONDS * RATE, at=RATE + 321):
    """A short noise, decaying: every encoder keeps its place."""
    noise = np.random.default_rng(1).standard_normal(400) * np.exp(-np.arange(400) / 60) * 0.2
    sound = np.zeros((frames, 2), np.float32)
    sound[at : at + 400] = noise[:, None]
    return sound


def lag(sound, source):
    size = 1 << (len(sound) + len(source)).bit_length()
    spectrum = np.fft.rfft(sound[:, 0], size) * np.conj(np.fft.rfft(source[:, 0], size))
    place = int(np.fft.irfft(spectrum).argmax())
    return place if place < size // 2 else place - size


@pytest.fixture(scope="module")
def source(tmp_path_factory):
    path = tmp_path_factory.mktemp("source") / "source.wav"
    soundfile.write(path, burst(), RATE, subtype="FLOAT")
    return path


@pytest.fixture(scope="module")
def encoded(source):
    if not shutil.which("ffmpeg"):
        pytest.skip("no ffmpeg to encode with")

    def encode(name, arguments):
        path = source.with_name(name)
        if not path.exists():
            command = ["ffmpeg", "-v", "error", "-i", source, *arguments, path]
            subprocess.run(command, check=True, stdin=subprocess.DEVNULL)
        return path

    return encode


def refusal(path, **options):
    with pytest.raises(MediaError) as caught:
        decode(path, **options)
    assert caught.value.hint
    return str(caught.value)


@pytest.mark.parametrize("name", EXACT)
def test_the_click_is_at_its_frame_in_every_format(encoded, name):
    decoded = decode(encoded(name, EXACT[name]))
    assert abs(lag(decoded.sound, burst())) <= 1
    # AAC goes on to the end of its last block of 1024, and one more
    late = 2048 if "aac" in EXACT[name] else 0
    assert 0 <= len(decoded.sound) - SECONDS * RATE <= late
    lossy = {"libvorbis", "libopus", "libmp3lame", "aac"}.intersection(EXACT[name])
    assert decoded.decoder["delay"] == ("removed" if lossy else "none")
    assert not decoded.truncated


@pytest.mark.parametrize("name", LATE)
def test_a_delay_that_the_file_does_not_state_is_called_unknown(encoded, name):
    arguments, late = LATE[name]
    decoded = decode(encoded(name, arguments))
    assert lag(decoded.sound, burst()) == late
    assert decoded.decoder["delay"] == "unknown"


def test_float_and_16_bit_files_come_out_bit_for_bit(source, tmp_path):
    np.testing.assert_array_equal(decode(source).sound, burst())
    words = np.random.default_rng(2).integers(-(2**15), 2**15, (5000, 2)).astype(np.int16)
    soundfile.write(tmp_path / "x.flac", words, RATE)
    np.testing.assert_array_equal(decode(tmp_path / "x.flac").sound * 32768, words)


@pytest.mark.parametrize("rate", [8_000, 11_025, 22_050, 44_100, 96_000, 192_000])
def test_any_rate_becomes_the_librarys_with_the_click_in_place(tmp_path, rate):
    time = np.arange(rate) / rate
    bell = np.exp(-(((time - 0.5) / 0.002) ** 2)) * np.cos(2 * np.pi * 500 * (time - 0.5))
    soundfile.write(tmp_path / "x.wav", bell, rate, subtype="FLOAT")
    decoded = decode(tmp_path / "x.wav")
    assert decoded.sound.shape == (RATE, 2)
    assert decoded.sound[:, 0].argmax() == RATE // 2
    time = np.arange(RATE) / RATE
    bell = np.exp(-(((time - 0.5) / 0.002) ** 2)) * np.cos(2 * np.pi * 500 * (time - 0.5))
    np.testing.assert_allclose(decoded.sound[:, 0], bell, atol=1e-4)


def test_blocks_give_the_same_as_the_whole(tmp_path):
    noise = np.random.default_rng(3).standard_normal((300_000, 2)) * 0.1
    soundfile.write(tmp_path / "x.wav", noise, 44_100, subtype="FLOAT")
    decoding = decode_blocks(tmp_path / "x.wav")
    blocks = list(decoding)
    assert len(blocks) > 3
    assert decoding.frames == round(300_000 * 48_000 / 44_100)
    np.testing.assert_array_equal(np.concatenate(blocks), decode(tmp_path / "x.wav").sound)


def test_progress_rises_to_one(source):
    parts = []
    decode(source, progress=parts.append)
    assert parts == sorted(parts)
    assert parts[-1] == 1.0
    assert len(parts) > 2


def test_mono_is_in_both_channels(tmp_path):
    soundfile.write(tmp_path / "x.wav", burst()[:, 0], RATE, subtype="FLOAT")
    np.testing.assert_array_equal(decode(tmp_path / "x.wav").sound, burst())


@pytest.mark.parametrize("kind", ["wav", "flac"])
def test_eight_channels_become_two_and_keep_their_level(tmp_path, kind):
    path = tmp_path / f"x.{kind}"
    parts = np.zeros((RATE, 8))
    parts[:, 0], parts[:, 2] = 0.25, 0.5  # front left, and the centre
    soundfile.write(path, parts, RATE, subtype="PCM_16")
    left, right = decode(path).sound.T
    np.testing.assert_allclose(left, 0.25 + 0.5 * 0.7071, atol=1e-3)
    np.testing.assert_allclose(right, 0.5 * 0.7071, atol=1e-3)


@pytest.mark.parametrize("channels", [8, 16, 40])
def test_planar_files_of_eight_and_more_channels_are_read(encoded, tmp_path, channels):
    # PyAV's own to_ndarray reads memory that is not the frame's here, and crashes
    tone = 0.25 * np.sin(2 * np.pi * 500 / RATE * np.arange(RATE))
    soundfile.write(tmp_path / "x.wav", np.tile(tone[:, None], channels), RATE)
    command = ["-i", str(tmp_path / "x.wav"), "-map", "1", "-c:a", "libopus"]
    path = encoded(f"{channels}.opus", [*command, "-mapping_family", "255"])
    sound = decode(path).sound
    assert sound.shape == (RATE, 2)
    gain = 1 + 3 * 0.5**0.5 if channels == 8 else 1.0  # eight are taken for 7.1
    np.testing.assert_allclose(sound[5_000:-5_000, 0], gain * tone[5_000:-5_000], atol=0.06)


def test_surround_goes_to_its_side():
    channels = np.eye(6, dtype=np.float32)  # frame k sounds from speaker k only
    left, right = stereo(channels, ("FL", "FR", "FC", "LFE", "BL", "BR")).T
    np.testing.assert_allclose(left, [1, 0, 0.7071, 0, 0.7071, 0], atol=1e-4)
    np.testing.assert_allclose(right, [0, 1, 0.7071, 0, 0, 0.7071], atol=1e-4)


@pytest.mark.parametrize(
    "speakers", [("FL",), ("LFE",), ("FC", "LFE"), ("FR", "FL"), ("AMBI0",) * 9, ("BL", "BR")]
)
def test_any_speakers_are_heard_on_both_sides(speakers):
    sound = stereo(np.ones((len(speakers), 4), np.float32), speakers)
    np.testing.assert_allclose(sound, 1.0, rtol=1e-6)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf, 2 * LOUDEST, 1e300])
def test_samples_that_are_no_numbers_are_silenced_and_counted(tmp_path, bad):
    sound = np.full((44_100, 2), 0.25)
    sound[1000:1010, 0] = bad
    soundfile.write(tmp_path / "x.wav", sound, 44_100, subtype="DOUBLE")
    decoded = decode(tmp_path / "x.wav")
    assert decoded.repaired_samples == 10
    assert np.abs(decoded.sound).max() < 0.5


def test_a_file_of_nothing_but_nan_is_silence(tmp_path):
    soundfile.write(tmp_path / "x.wav", np.full((RATE, 1), np.nan), RATE, subtype="FLOAT")
    decoded = decode(tmp_path / "x.wav")
    assert decoded.repaired_samples == RATE
    assert not decoded.sound.any()


def test_what_is_no_sound_file_is_refused(tmp_path):
    assert 'no file "' in refusal(tmp_path / "none.wav")
    assert "is a folder" in refusal(tmp_path)
    (tmp_path / "empty.wav").touch()
    assert "is empty: 0 bytes" in refusal(tmp_path / "empty.wav")
    (tmp_path / "text.mp3").write_text("These are words, and not music.\n" * 100)
    assert "is not a sound file" in refusal(tmp_path / "text.mp3")
    soundfile.write(tmp_path / "none.wav", np.zeros((0, 2)), RATE)
    assert "0 frames" in refusal(tmp_path / "none.wav")
    os.mkfifo(tmp_path / "pipe.wav")
    assert "not a regular file" in refusal(tmp_path / "pipe.wav")
    with pytest.raises(MediaError, match="cannot decode to 4 Hz"):
        decode_blocks(tmp_path / "none.wav", 4)


@needs_ffmpeg
def test_a_film_without_sound_is_refused(tmp_path):
    film = ["-f", "lavfi", "-i", "color=size=16x16:duration=1", str(tmp_path / "film.mp4")]
    subprocess.run(["ffmpeg", "-v", "error", *film], check=True)
    assert "has no sound in it" in refusal(tmp_path / "film.mp4")


def test_a_play_list_cannot_name_other_files(source, tmp_path):
    (tmp_path / "x.wav").write_text(f"#EXTM3U\n#EXTINF:3,\n{source}\n#EXT-X-ENDLIST\n")
    assert "is not a sound file" in refusal(tmp_path / "x.wav")
    (tmp_path / "x.wav").write_text(f"ffconcat version 1.0\nfile {source}\n")
    assert "is not a sound file" in refusal(tmp_path / "x.wav")


def test_a_file_name_is_never_an_address(source, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("http:x.wav", "concat:a|b.wav", "-i.wav", "%d.wav", "a\nb.wav", "\udcff.wav"):
        shutil.copy(source, name)
        assert len(decode(name).sound) == SECONDS * RATE


def test_a_file_that_may_not_be_read_says_so(source, tmp_path):
    shutil.copy(source, tmp_path / "x.wav")
    (tmp_path / "x.wav").chmod(0)
    if os.geteuid() != 0:
        assert "may not read" in refusal(tmp_path / "x.wav")
        return
    os.seteuid(65534)  # nobody
    try:
        assert "may not read" in refusal(tmp_path / "x.wav")
    finally:
        os.seteuid(0)


@pytest.mark.parametrize("name", ["s16.wav", "a.aiff", "a.mp3"])
def test_a_file_that_ends_early_is_kept_and_called_truncated(encoded, tmp_path, name):
    whole = encoded(name, EXACT[name]).read_bytes()
    path = tmp_path / name
    path.write_bytes(whole[: len(whole) * 2 // 3])
    decoded = decode(path)
    assert decoded.truncated
    assert RATE < len(decoded.sound) < 2.2 * RATE
    assert abs(lag(decoded.sound, burst())) <= 1
    path.write_bytes(whole[: len(whole) // 5])
    assert "is damaged" in refusal(path)


def test_a_damaged_stretch_is_silence_and_what_follows_stays_in_place(tmp_path):
    noise = np.random.default_rng(4).standard_normal((RATE * 3, 2)) * 0.1
    soundfile.write(tmp_path / "x.flac", noise, RATE)
    data = bytearray((tmp_path / "x.flac").read_bytes())
    middle = len(data) // 2
    data[middle : middle + 3000] = bytes(3000)
    (tmp_path / "x.flac").write_bytes(data)
    decoded = decode(tmp_path / "x.flac")
    assert decoded.truncated
    np.testing.assert_allclose(decoded.sound[-RATE:], noise[-RATE:], atol=1e-4)


LYRICS = b"LYRICSBEGINLYR02160" + b"[00:01]Words of a song, a line.\r\n" * 65 + b"002179LYRICS200"


@pytest.mark.parametrize("tail", [b"TAG" + b"x" * 125, bytes(500), bytes(3000), LYRICS])
@pytest.mark.parametrize("name", ["a.mp3", "untagged.mp3"])
def test_what_follows_the_sound_of_an_mp3_is_no_damage(encoded, tmp_path, name, tail):
    path = encoded(name, MP3 if name == "a.mp3" else LATE[name][0])
    (tmp_path / "x.mp3").write_bytes(path.read_bytes() + tail)
    decoded = decode(tmp_path / "x.mp3")
    assert not decoded.truncated
    assert len(decoded.sound) == len(decode(path).sound)


def test_an_mp3_with_a_hole_or_without_its_second_half_is_damaged(encoded, tmp_path):
    whole = encoded("untagged.mp3", LATE["untagged.mp3"][0]).read_bytes()
    middle = len(whole) // 2
    for data in (
        whole[:middle] + bytes(3000) + whole[middle + 3000 :],
        whole[:middle] + bytes(100_000),  # a download that had its space and stopped
    ):
        (tmp_path / "x.mp3").write_bytes(data)
        assert decode(tmp_path / "x.mp3").truncated


def test_title_and_artist_come_from_the_tags(encoded):
    tags = ["-metadata", "title=  Long\n Way ", "-metadata", "artist=Wren ü"]
    for name in ("tag.flac", "tag.mp3", "tag.m4a", "tag.ogg", "tag.opus"):
        decoded = decode(encoded(name, tags))
        assert (decoded.title, decoded.artist) == ("Long Way", "Wren ü")


def test_tags_in_a_wrong_encoding_do_not_hinder(encoded, tmp_path):
    file = encoded("wrong.flac", ["-metadata", "title=ABCDEF"]).read_bytes()
    (tmp_path / "x.flac").write_bytes(file.replace(b"ABCDEF", b"A\xff\xfe\x80EF"))
    assert decode(tmp_path / "x.flac").title.startswith("A\ufffd")


@pytest.mark.slow
@settings(
    max_examples=120, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(data=st.data())
def test_files_cut_or_changed_anywhere_bring_nothing_but_a_media_error(encoded, tmp_path, data):
    name = data.draw(st.sampled_from(["s16.wav", "a.flac", "a.mp3", "a.m4a", "a.ogg", "a.opus"]))
    whole = bytearray(encoded(name, EXACT[name]).read_bytes())
    for _ in range(data.draw(st.integers(0, 3))):
        at = data.draw(st.integers(0, len(whole) - 1))
        change = data.draw(st.binary(min_size=1, max_size=16))
        whole[at : at + len(change)] = change
    (tmp_path / name).write_bytes(whole[: data.draw(st.integers(1, len(whole)))])
    try:
        sound = decode(tmp_path / name).sound
    except MediaError as problem:
        if not problem.hint:
            raise
        return
    assert np.isfinite(sound).all()


def test_nothing_is_printed_about_damage(encoded, tmp_path, capfd):
    whole = encoded("a.mp3", MP3).read_bytes()
    (tmp_path / "x.mp3").write_bytes(whole[:9000] + bytes(500) + whole[9500:])
    (tmp_path / "y.m4a").write_bytes(encoded("a.m4a", AAC).read_bytes()[:5000])
    for name in ("x.mp3", "y.m4a"):
        try:
            decode(tmp_path / name)
        except MediaError:
            continue
    assert capfd.readouterr() == ("", "")


@pytest.mark.slow
def test_an_hour_streams_in_bounded_memory(tmp_path):
    path = tmp_path / "hour.flac"
    second = np.zeros(8_000, np.float32)
    with soundfile.SoundFile(path, "w", 8_000, 1) as file:
        for index in range(3_600):
            second[:] = 0.0
            second[0] = 0.5 * (index == 3_599)
            file.write(second)
    program = f"""
import resource, sys
from sfa_engine.prep.decode import decode_blocks
def peak(): return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
before = peak()
decoding = decode_blocks({str(path)!r}, 8_000)
place = frames = 0
for block in decoding:
    if block.max() > 0.4: place = frames + int(block[:, 0].argmax())
    frames += len(block)
print(frames, place, peak() - before)
"""
    out = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True)
    frames, place, grown_mb = map(int, out.stdout.split())
    assert (frames, place) == (3_600 * 8_000, 3_599 * 8_000)
    assert grown_mb < 40  # the result would have 230


@pytest.mark.slow
def test_decoding_into_memory_needs_little_more_than_the_result(tmp_path):
    path = tmp_path / "long.flac"
    soundfile.write(path, np.zeros(600 * 8_000, np.float32), 8_000)
    program = f"""
import resource
from sfa_engine.prep.decode import decode
def peak(): return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
before = peak()
sound = decode({str(path)!r}).sound
print((peak() - before) / (sound.nbytes / 2**20))
"""
    out = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True)
    assert float(out.stdout) < 1.6
