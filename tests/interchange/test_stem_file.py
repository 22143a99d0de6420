"""STEM files: written, looked at by FFmpeg's own tool, and read back."""

import json
import shutil
import subprocess

import av
import numpy as np
import pytest
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st

from sfa_engine.errors import MediaError
from sfa_engine.interchange import stem_file
from sfa_engine.interchange.mp3_shift import moov_range
from sfa_engine.interchange.mp4_boxes import find
from sfa_engine.interchange.record import Collection, Record

RATE = 44_100
FRAMES = 70_001  # not whole frames of a codec


@pytest.fixture(scope="module")
def stems(tmp_path_factory):
    """Five stems of tones that rise: a codec keeps them, and they are alike in one place only."""
    folder = tmp_path_factory.mktemp("stems")
    time = np.arange(FRAMES) / RATE
    made = {}
    for number, name in enumerate(("vocals", "drums", "bass", "other", "guitar"), 1):
        tone = np.sin(2 * np.pi * 100 * number * (time + 2 * time**2))
        sound = np.rint(np.stack([tone, -tone], axis=1) * 3000) / 32768
        soundfile.write(folder / f"{name}.wav", sound, RATE, subtype="PCM_16")
        made[name] = folder / f"{name}.wav"
    return made


def record(stems, **values):
    files = tuple((name, str(path)) for name, path in stems.items())
    return Record("1", title="Title", artist="Artist", year=2011, stems=files, **values)


@pytest.fixture(scope="module")
def aac(stems):
    path = stems["vocals"].with_name("a.stem.mp4")
    return path, stem_file.write(Collection((record(stems),)), path)


@pytest.fixture(scope="module")
def alac(stems):
    path = stems["vocals"].with_name("l.stem.mp4")
    stem_file.write_stems(record(stems), path, "alac")
    return path


def streams(path):
    found = []
    for index in range(5):
        with av.open(str(path)) as container:
            stream = container.streams.audio[index]
            planes = [frame.to_ndarray() for frame in container.decode(stream)]
            found.append(np.concatenate(planes, axis=1).T)
    return found


def test_the_sum_of_the_stems_is_the_mix_to_the_bit(stems, alac):
    mix, *four = streams(alac)
    assert {len(sound) for sound in (mix, *four)} == {FRAMES}
    np.testing.assert_array_equal(np.sum(four, axis=0), mix)
    drums, _ = soundfile.read(stems["drums"], dtype="int16")
    np.testing.assert_array_equal(four[0], drums)
    guitar, _ = soundfile.read(stems["guitar"], dtype="int16")
    other, _ = soundfile.read(stems["other"], dtype="int16")
    np.testing.assert_array_equal(four[2], other + guitar)


def test_aac_is_in_place_and_nulls_within_the_codec(stems, aac):
    mix, *four = streams(aac[0])
    assert len({len(sound) for sound in (mix, *four)}) == 1
    rest = np.sum(four, axis=0) - mix
    assert np.std(rest) < 0.05 * np.std(mix)
    drums, _ = soundfile.read(stems["drums"])
    size = 1 << 18
    spectra = np.fft.rfft(four[0][:, 0], size) * np.conj(np.fft.rfft(drums[:, 0], size))
    assert int(np.fft.irfft(spectra).argmax()) == 0


def test_ffprobe_sees_five_streams_of_which_the_mix_is_enabled(aac):
    if not shutil.which("ffprobe"):
        pytest.skip("no ffprobe to look with")
    command = ["ffprobe", "-v", "error", "-of", "json", "-show_streams", "-show_format", aac[0]]
    said = json.loads(subprocess.run(command, check=True, capture_output=True).stdout)
    assert [stream["codec_name"] for stream in said["streams"]] == ["aac"] * 5
    assert {stream["sample_rate"] for stream in said["streams"]} == {"44100"}
    assert [stream["disposition"]["default"] for stream in said["streams"]] == [1, 0, 0, 0, 0]
    assert said["format"]["tags"]["title"] == "Title"


def test_the_atom_and_the_flags_are_as_specified(aac):
    with aac[0].open("rb") as file:
        at, size = moov_range(file)
        file.seek(at)
        moov = file.read()
    assert len(moov) == size  # it is the last box
    headers = find(moov, "moov/trak/tkhd")
    assert [moov[header.body + 3] for header in headers] == [3, 2, 2, 2, 2]
    (atom,) = find(moov, "moov/udta/stem")
    said = json.loads(moov[atom.body : atom.end])
    assert said["version"] == 1
    assert [stem["name"] for stem in said["stems"]] == ["Drums", "Bass", "Other", "Vocals"]
    assert not said["mastering_dsp"]["compressor"]["enabled"]
    assert not said["mastering_dsp"]["limiter"]["enabled"]


def test_what_is_joined_or_missing_is_reported(stems, aac, tmp_path):
    assert [loss.why for loss in aac[1]] == ["guitar is added to other"]
    two = {name: stems[name] for name in ("vocals", "guitar")}
    losses = stem_file.write_stems(record(two), tmp_path / "x.stem.mp4")
    assert [loss.why for loss in losses] == [
        "guitar is added to other",
        "drums is silent: the track has none",
        "bass is silent: the track has none",
    ]


def test_a_stem_file_is_read_and_its_stems_extracted(aac, tmp_path):
    found = stem_file.read(aac[0])
    track = found.tracks[0]
    assert (track.title, track.artist, found.losses) == ("Title", "Artist", ())
    assert track.duration_s == pytest.approx(FRAMES / RATE, abs=0.05)
    files = stem_file.extract(aac[0], tmp_path)
    assert list(files) == ["drums", "bass", "other", "vocals"]
    sounds = [soundfile.read(path, dtype="float32")[0] for path in files.values()]
    assert len({len(sound) for sound in sounds}) == 1
    np.testing.assert_allclose(sounds[0], streams(aac[0])[1], atol=1e-6)


def test_stems_at_48_khz_are_resampled(tmp_path):
    time = np.arange(48_000) / 48_000
    for name in ("vocals", "drums"):
        soundfile.write(tmp_path / f"{name}.wav", 0.3 * np.sin(2000 * time), 48_000)
    stems = {name: tmp_path / f"{name}.wav" for name in ("vocals", "drums")}
    stem_file.write_stems(record(stems), tmp_path / "x.stem.mp4", "alac")
    drums = streams(tmp_path / "x.stem.mp4")[1][:, 0] / 32768
    assert len(drums) == RATE
    want = 0.3 * np.sin(2000 * np.arange(RATE) / RATE)
    assert np.abs(drums - want)[2000:-2000].max() < 2e-4


@pytest.mark.parametrize(
    ("labels", "names"),
    [
        (("Drums", "Bass", "Synth", "Vox"), ("drums", "bass", "other", "vocals")),
        (("", "", "", ""), ("drums", "bass", "other", "vocals")),
        (("Kick", "Hats", "Bass", "Lead"), ("drums", "other", "bass", "guitar")),
        (("Vocals", "Vocals", "Vocals", "Vocals"), ("vocals", "other", "guitar", "piano")),
    ],
)
def test_labels_become_our_names_each_once(labels, names):
    assert stem_file.stem_names(labels) == names


def test_a_track_without_stems_is_refused(stems, tmp_path):
    for files in ({"mix": stems["drums"]}, {}):
        with pytest.raises(MediaError, match="no stems") as caught:
            stem_file.write_stems(record(files), tmp_path / "x.stem.mp4")
        assert caught.value.hint
    assert list(tmp_path.iterdir()) == []


def test_unequal_and_missing_stems_leave_no_file(stems, tmp_path):
    soundfile.write(tmp_path / "short.wav", np.zeros((100, 2)), RATE)
    for bad in (tmp_path / "short.wav", tmp_path / "nowhere.wav"):
        with pytest.raises(MediaError) as caught:
            stem_file.write_stems(record({**stems, "bass": bad}), tmp_path / "x.stem.mp4")
        assert caught.value.hint
    assert [path.name for path in tmp_path.iterdir()] == ["short.wav"]


def test_files_with_other_streams_are_refused(tmp_path):
    for name in ("one.mp4", "text.mp4"):
        path = tmp_path / name
        if name == "one.mp4":
            with av.open(str(path), "w") as container:
                stream = container.add_stream("aac", rate=RATE)
                container.mux(stream.encode(None))
        else:
            path.write_bytes(b"not an MP4")
        with pytest.raises(MediaError) as caught:
            stem_file.read(path)
        assert caught.value.hint


@settings(max_examples=25)
@given(st.lists(st.tuples(st.floats(0, 1), st.integers(0, 255)), max_size=6), st.floats(0.6, 1))
def test_any_damage_is_read_or_refused(alac, tmp_path_factory, changes, kept):
    content = bytearray(alac.read_bytes())
    begin = content.rindex(b"moov") - 4
    for place, byte in changes:
        content[begin + int(place * (len(content) - begin - 1))] = byte
    path = tmp_path_factory.getbasetemp() / "damaged.stem.mp4"
    path.write_bytes(content[: begin + int(kept * (len(content) - begin))])
    try:
        stem_file.read(path)
    except MediaError as problem:
        assert problem.hint  # noqa: PT017 - reading it may succeed
