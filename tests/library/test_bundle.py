"""Bundles as they are written: exact, whole or not at all, and never over something else."""

import hashlib
import json
import os
import resource
import signal
import struct
import subprocess
import sys

import numpy as np
import pytest
import soundfile
from hypothesis import given
from hypothesis import strategies as st

from sfa_engine.errors import MediaError
from sfa_engine.library.bundle import pcm_digest, write_bundle_arrays
from sfa_engine.library.sources import stem_sources
from sfa_engine.prep.bundle_writer import write_bundle
from sfa_engine.system.atomic import clean_leftovers
from sfa_engine.track.media import Cue, read_bundle
from sfa_engine.track.wav import OWN_HEADER_BYTES as HEADER_BYTES
from sfa_engine.track.wav import parse_wav_header, wav_header

RATE = 48_000
ABOUT = {"title": "Long Way", "artist": "Wren", "bpm": 128.0}
LATER = ABOUT | {"first_beat_s": 0.25}
RNG = np.random.default_rng(5)


def noise(frames=RATE, level=0.1):
    return (RNG.standard_normal((frames, 2)) * level).astype(np.float32)


def sound_of(stem):
    count = stem.frames * 2
    return np.fromfile(stem.path, stem.dtype, count, offset=stem.offset_bytes).reshape(-1, 2)


def things_in(folder):
    return sorted(entry.name for entry in folder.iterdir())


def refusal(function, *arguments, **options):
    with pytest.raises(MediaError) as caught:
        function(*arguments, **options)
    assert caught.value.hint
    return str(caught.value)


@pytest.fixture
def files(tmp_path):
    """Stem files of several formats and lengths, as separators leave them."""
    folder = tmp_path / "stems"
    folder.mkdir()
    words = RNG.integers(-(2**15), 2**15, (RATE, 2)).astype(np.int16)
    soundfile.write(folder / "drums.wav", words, RATE)
    soundfile.write(folder / "bass.flac", words[: RATE - 700], RATE)
    soundfile.write(folder / "vocals.wav", words[:, 0], RATE)
    return folder


@pytest.mark.parametrize("pcm", ["s16", "f32"])
def test_a_bundle_of_files_reads_back_as_it_was_written(files, tmp_path, pcm):
    target = tmp_path / "new" / "x.sfa"
    options = {"key": "Am", "gain_db": -3.5, "beats_per_bar": 3, "cues": [Cue(9, "Drop", "drop")]}
    assert write_bundle(target, stem_sources(files), pcm=pcm, **LATER, **options) == target
    track = read_bundle(target).track
    assert (track.title, track.artist, track.pcm, track.rate) == ("Long Way", "Wren", pcm, RATE)
    assert (track.key, track.gain_db, track.cues) == ("A minor", -3.5, (Cue(9, "Drop", "drop"),))
    assert (track.grid.bpm, track.grid.beats_per_bar) == (128.0, 3)
    assert track.grid.frame_of(0, RATE) == 12_000
    assert (track.decoder.name, track.decoder.delay) == ("PyAV", "none")
    assert [stem.name for stem in track.stems] == ["vocals", "drums", "bass"]
    assert [stem.padded_frames for stem in track.stems] == [0, 0, 700]
    assert things_in(target) == ["bass.wav", "drums.wav", "track.json", "vocals.wav"]
    assert things_in(target.parent) == ["x.sfa"]


def test_16_bit_sources_stay_bit_for_bit_and_end_in_silence(files, tmp_path):
    bundle = read_bundle(write_bundle(tmp_path / "x.sfa", stem_sources(files), **ABOUT))
    words, _ = soundfile.read(files / "drums.wav", dtype="int16")
    vocals, drums, bass = map(sound_of, bundle.stems)
    np.testing.assert_array_equal(drums, words)
    np.testing.assert_array_equal(vocals, words[:, [0, 0]])
    np.testing.assert_array_equal(bass[:-700], words[:-700])
    assert not bass[-700:].any()


def test_the_digest_is_that_of_the_sound_in_order(files, tmp_path):
    bundle = read_bundle(write_bundle(tmp_path / "x.sfa", stem_sources(files), **ABOUT))
    whole = b"".join(sound_of(stem).tobytes() for stem in bundle.stems)
    assert bundle.track.digest == hashlib.sha256(whole).hexdigest() == pcm_digest(bundle.stems)
    with bundle.stems[1].path.open("r+b") as file:
        file.seek(HEADER_BYTES + 1000)
        file.write(b"\x55\xaa")
    assert pcm_digest(bundle.stems) != bundle.track.digest


def test_rounding_is_to_the_nearest_half_to_even(tmp_path):
    steps = np.array([0.5, 1.5, -0.5, -1.5, 2.4, 32766.6, 32768.0, -32768.0])
    sound = np.repeat(steps[:, None] / 32768, 2, axis=1).astype(np.float32)
    bundle = read_bundle(write_bundle_arrays(tmp_path / "x.sfa", {"mix": sound}, **ABOUT))
    want = [0, 2, 0, -2, 2, 32767, 32767, -32768]
    assert sound_of(bundle.stems[0])[:, 0].tolist() == want
    assert bundle.track.stems[0].clipped_samples == 0
    assert bundle.track.headroom_db == 0.0
    assert bundle.track.decoder is None


@pytest.mark.parametrize("order", ["C", "F"])
def test_arrays_are_stored_as_they_are(tmp_path, order):
    stems = {"bass": noise(200_000), "drums": noise(200_000, 2.0)}
    given_stems = {name: np.array(sound, order=order) for name, sound in stems.items()}
    path = write_bundle_arrays(tmp_path / "x.sfa", given_stems, pcm="f32", **ABOUT)
    for stem, name in zip(read_bundle(path).stems, ("drums", "bass"), strict=True):
        np.testing.assert_array_equal(sound_of(stem), stems[name])


def test_the_wav_files_open_in_other_programs(tmp_path):
    sound = noise(1000)
    path = write_bundle_arrays(tmp_path / "x.sfa", {"mix": sound}, pcm="f32", **ABOUT)
    read, rate = soundfile.read(path / "mix.wav", dtype="float32")
    assert rate == RATE
    np.testing.assert_array_equal(read, sound)
    path = write_bundle_arrays(tmp_path / "x.sfa", {"mix": sound}, **ABOUT)
    assert soundfile.info(path / "mix.wav").subtype == "PCM_16"


@given(
    st.integers(0, 1 << 40), st.integers(8_000, 192_000), st.sampled_from([("s16", 4), ("f32", 8)])
)  # fmt: skip
def test_a_header_that_was_written_is_read_the_same(frames, rate, form):
    pcm, frame_bytes = form
    header = wav_header(frames, rate, pcm)
    assert len(header) == HEADER_BYTES
    read = parse_wav_header(header, HEADER_BYTES + frames * frame_bytes)
    assert (read.frames, read.rate, read.pcm, read.channels) == (frames, rate, pcm, 2)
    assert read.offset_bytes == HEADER_BYTES
    assert header[:4] == (b"RF64" if frames * frame_bytes > 2**32 else header[:4])


def test_without_title_the_tags_are_taken_and_without_tempo_there_is_no_grid(tmp_path):
    with soundfile.SoundFile(tmp_path / "x.flac", "w", RATE, 2) as file:
        file.title, file.artist = "From Tags", "Somebody"
        file.write(noise())
    about = {"title": "", "artist": "", "bpm": None}
    bundle = read_bundle(write_bundle(tmp_path / "x.sfa", {"mix": tmp_path / "x.flac"}, **about))
    assert (bundle.track.title, bundle.track.artist) == ("From Tags", "Somebody")
    assert bundle.track.grid is None


def test_a_name_that_is_half_a_character_can_be_written(tmp_path):
    about = ABOUT | {"title": "a\udcffb"}
    path = write_bundle_arrays(tmp_path / "x.sfa", {"mix": noise(10)}, **about)
    assert read_bundle(path).track.title == "a?b"


def test_damage_in_a_source_is_noted(tmp_path):
    sound = noise(2 * RATE)
    sound[5] = np.nan
    soundfile.write(tmp_path / "x.wav", sound, RATE, subtype="FLOAT")
    os.truncate(tmp_path / "x.wav", (tmp_path / "x.wav").stat().st_size * 2 // 3)
    bundle = read_bundle(write_bundle(tmp_path / "x.sfa", {"mix": tmp_path / "x.wav"}, **ABOUT))
    (stem,) = bundle.track.stems
    assert stem.truncated
    assert stem.repaired_samples == 2


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"bpm": 19.9}, "bpm is 19.9"),
        ({"bpm": float("nan")}, "bpm is nan"),
        ({"bpm": float("inf")}, "bpm is inf"),
        ({"first_beat_s": -0.1}, "invalid first beat at -0.1 s"),
        ({"first_beat_s": float("inf")}, "invalid first beat at inf s"),
        ({"first_beat_s": 1.0}, "the first beat is at 1 s and the sound lasts 0.0 s"),
        ({"beats_per_bar": 0}, "beats_per_bar is 0"),
        ({"key": "H"}, '"H" is not a valid key'),
        ({"gain_db": float("nan")}, "gain_db is nan"),
        ({"pcm": "s24"}, 'pcm is "s24"'),
        ({"rate": 5}, "rate_hz is 5"),
        ({"cues": [Cue(10, "End", "outro")]}, 'cue "End" is 10'),
    ],
)
def test_a_value_out_of_range_leaves_nothing_behind(tmp_path, change, words):
    about = ABOUT | change
    message = refusal(write_bundle_arrays, tmp_path / "x.sfa", {"mix": noise(10)}, **about)
    assert words in message
    assert things_in(tmp_path) == []


@pytest.mark.parametrize(
    ("stems", "words"),
    [
        ({}, "no stem"),
        ({"drum": noise(9)}, 'did you mean "drums"?'),
        ({"mix": noise(9), "bass": noise(9)}, '"mix" together with bass'),
        ({"mix": noise(9)[:, :1]}, "has shape (9, 1)"),
        ({"mix": noise(0)}, "has shape (0, 2)"),
        ({"mix": np.zeros((9, 2), np.int16)}, "has type int16"),
        ({"mix": np.full((9, 2), np.inf)}, "not finite"),
        (
            {"drums": noise(9), "bass": noise(RATE + 10)},
            'stem "drums" lasts 0.00 s and "bass" 1.00',
        ),
    ],
)
def test_stems_that_do_not_fit_are_refused(tmp_path, stems, words):
    assert words in refusal(write_bundle_arrays, tmp_path / "x.sfa", stems, **ABOUT)
    assert things_in(tmp_path) == []


@pytest.mark.slow
def test_two_that_write_the_same_bundle_at_once_do_not_collide(tmp_path):
    program = (
        "import sys\nfrom pathlib import Path\n"
        "from sfa_engine.system.atomic import atomic_directory\n"
        "for _ in range(300):\n"
        "    with atomic_directory(Path(sys.argv[1]), 'track.json', 'bundle') as draft:\n"
        "        (draft / 'track.json').write_text('{}')\n"
    )
    words = [sys.executable, "-c", program, str(tmp_path / "a.sfa")]
    writers = [subprocess.Popen(words, stderr=subprocess.PIPE, text=True) for _ in range(2)]
    assert [writer.communicate(timeout=60)[1] for writer in writers] == ["", ""]
    assert [entry.name for entry in tmp_path.iterdir()] == ["a.sfa"]


def test_a_source_that_cannot_be_read_leaves_the_old_bundle(files, tmp_path):
    target = write_bundle(tmp_path / "x.sfa", stem_sources(files), **ABOUT)
    before = read_bundle(target)
    (files / "bass.flac").write_bytes(b"nothing")
    assert "bass.flac" in refusal(write_bundle, target, stem_sources(files), **ABOUT)
    assert read_bundle(target) == before
    assert things_in(tmp_path) == ["stems", "x.sfa"]


def test_a_bundle_is_replaced_and_nothing_else_is(files, tmp_path):
    target = tmp_path / "x.sfa"
    target.mkdir()  # an empty folder may be taken
    write_bundle(target, stem_sources(files), **ABOUT)
    write_bundle_arrays(target, {"mix": noise(10)}, **ABOUT)
    assert things_in(target) == ["mix.wav", "track.json"]
    for other in ("file.sfa", "folder.sfa", "link.sfa"):
        (tmp_path / "folder.sfa").mkdir(exist_ok=True)
        (tmp_path / "folder.sfa" / "thesis.odt").touch()
        (tmp_path / "file.sfa").touch()
        (tmp_path / "link.sfa").unlink(missing_ok=True)
        (tmp_path / "link.sfa").symlink_to(target)
        message = refusal(write_bundle_arrays, tmp_path / other, {"mix": noise(9)}, **ABOUT)
        assert "is not a bundle" in message


def test_a_full_disk_leaves_nothing_behind(tmp_path):
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, hard))
    try:
        message = refusal(write_bundle_arrays, tmp_path / "x.sfa", {"mix": noise()}, **ABOUT)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert 'cannot write bundle "' in message
    assert things_in(tmp_path) == []


def test_progress_covers_all_stems(files, tmp_path):
    parts = []
    write_bundle(tmp_path / "x.sfa", stem_sources(files), progress=parts.append, **ABOUT)
    assert parts == sorted(parts)
    assert parts[-1] == 1.0
    assert len(parts) >= 6


WRITER = """
import os, signal, sys, time
from pathlib import Path
from sfa_engine.prep.bundle_writer import write_bundle
moment, target, source = sys.argv[1:]
def progress(part):
    print(part, flush=True)
    time.sleep(60)
rename = Path.rename
def rename_and_die(self, other):
    rename(self, other)
    if other.name.startswith(".sfa-old-"):
        os.kill(os.getpid(), signal.SIGKILL)
if moment == "between":
    Path.rename = rename_and_die
    progress = None
sources = {"drums": Path(source), "bass": Path(source)}
write_bundle(target, sources, title="New", artist="", bpm=120.0, progress=progress)
"""


def start_writer(moment, target, source):
    command = [sys.executable, "-c", WRITER, moment, target, source]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


@pytest.mark.slow
@pytest.mark.parametrize("there", [False, True])
def test_a_writer_killed_midway_leaves_no_half_bundle(files, tmp_path, there):
    target = tmp_path / "x.sfa"
    if there:
        write_bundle_arrays(target, {"mix": noise(10)}, **ABOUT)
    with start_writer("midway", target, files / "drums.wav") as writer:
        writer.stdout.readline()
        # a living writer's draft is not swept away
        write_bundle_arrays(tmp_path / "y.sfa", {"mix": noise(10)}, **ABOUT)
        assert sum(name.startswith(".sfa-part-") for name in things_in(tmp_path)) == 1
        writer.send_signal(signal.SIGKILL)
    assert target.exists() == there
    if there:
        assert read_bundle(target).track.title == "Long Way"
    write_bundle_arrays(tmp_path / "y.sfa", {"mix": noise(10)}, **ABOUT)
    assert things_in(tmp_path) == ["stems", *(["x.sfa"] if there else []), "y.sfa"]


@pytest.mark.slow
def test_a_bundle_that_had_stepped_aside_for_a_killed_writer_comes_back(files, tmp_path):
    target = write_bundle_arrays(tmp_path / "x.sfa", {"mix": noise(10)}, **ABOUT)
    with start_writer("between", target, files / "drums.wav"):
        pass
    assert not target.exists()
    assert clean_leftovers(tmp_path) == 2
    assert things_in(tmp_path) == ["stems", "x.sfa"]
    assert read_bundle(target).track.title == "Long Way"


@pytest.mark.parametrize("name", ["x", ".sfa", "", "a\0.sfa", "\ud800.sfa", "x" * 250 + ".sfa"])
def test_a_name_that_cannot_be_is_refused(tmp_path, name):
    message = refusal(write_bundle_arrays, tmp_path / name, {"mix": noise(9)}, **ABOUT)
    assert "is not a valid name for a bundle" in message


def test_an_interruption_between_the_renames_puts_the_old_bundle_back(tmp_path, monkeypatch):
    target = write_bundle_arrays(tmp_path / "x.sfa", {"mix": noise(10)}, **ABOUT)
    rename = type(target).rename

    def interrupted(self, other):
        if ".sfa-part-" in self.name:
            raise KeyboardInterrupt
        rename(self, other)

    monkeypatch.setattr(type(target), "rename", interrupted)
    with pytest.raises(KeyboardInterrupt):
        write_bundle_arrays(target, {"mix": noise(20)}, **ABOUT)
    assert things_in(tmp_path) == ["x.sfa"]
    assert read_bundle(target).track.frames == 10


@pytest.mark.parametrize(
    ("names", "stems"),
    [
        (["drums.wav", "bass.wav"], ["drums", "bass"]),
        (["Song - Drums.flac", "Song - VOX.mp3", "cover.jpg", "._drums.wav"], ["vocals", "drums"]),
        (["vocals.wav", "no_vocals.wav"], ["vocals", "other"]),
        (["A (Club Mix) (Vocals).wav", "A (Club Mix) (Rest).wav"], ["vocals", "other"]),
        (["Piano Man_drums.wav", "Piano Man_keys.wav", "Piano Man.wav"], ["drums", "piano"]),
        (["Bass Time - bass.wav", "Bass Time - drums.wav"], ["drums", "bass"]),
        (["01 Gtr.aiff", "02 Rest.m4a", "mixture.wav"], ["other", "guitar"]),
        (["My Mix.flac"], ["mix"]),
    ],
)  # fmt: skip
def test_stems_are_known_by_their_names(tmp_path, names, stems):
    for name in names:
        (tmp_path / name).touch()
    assert list(stem_sources(tmp_path)) == stems
    assert all(path.parent == tmp_path for path in stem_sources(tmp_path).values())


@pytest.mark.parametrize(
    ("names", "words"),
    [
        ([], "one stem each: no sound file"),
        (["one.wav", "two.wav"], '"one.wav" (?), "two.wav" (?)'),
        (["drums.wav", "synth.wav"], '"drums.wav" (drums), "synth.wav" (?)'),
        (["drums.wav", "top drums.wav"], '"drums.wav" (drums), "top drums.wav" (drums)'),
        (["drums and bass.wav", "vocals.wav"], '"drums and bass.wav" (drums or bass)'),
    ],
)
def test_names_that_do_not_tell_are_refused_with_what_is_there(tmp_path, names, words):
    for name in names:
        (tmp_path / name).touch()
    message = refusal(stem_sources, tmp_path)
    assert words in message
    assert "vocals: vocals vocal vox" in message


def test_a_file_is_a_mix_and_a_bundle_is_no_source(tmp_path):
    (tmp_path / "drums.wav").touch()
    assert stem_sources(tmp_path / "drums.wav") == {"mix": tmp_path / "drums.wav"}
    path = write_bundle_arrays(tmp_path / "x.sfa", {"mix": noise(10)}, **ABOUT)
    assert "is a bundle already" in refusal(stem_sources, path)
    assert "No such file" in refusal(stem_sources, tmp_path / "none")


def test_track_json_can_be_read_by_people_and_programs(tmp_path):
    path = write_bundle_arrays(tmp_path / "x.sfa", {"mix": noise(12_001)}, **LATER)
    written = json.loads((path / "track.json").read_text())
    assert written["version"] == 2
    assert written["grid"] == {
        "anchors": [{"frame": 12_000.0, "beat": 0.0}],
        "bpm": 128.0,
        "beats_per_bar": 4,
    }
    assert (
        struct.calcsize("<h") * 2 * written["frames"] + HEADER_BYTES
        == (path / written["stems"][0]["file"]).stat().st_size
    )
