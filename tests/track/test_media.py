"""Bundles as they are read: what fits is located to the byte, anything else is a MediaError."""

import json
import math
import os
import struct
import subprocess
import sys
import wave
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import to_builtins
from msgspec.structs import replace

from sfa_engine.desk.deck import STEMS
from sfa_engine.errors import MediaError
from sfa_engine.track.grid import Anchor, Grid
from sfa_engine.track.media import (
    Cue,
    Decoder,
    Stem,
    Track,
    parse_track,
    read_bundle,
)
from sfa_engine.track.wav import parse_wav_header

RATE = 48_000
DIGEST = "0123456789abcdef" * 4
CUE = {"position_frames": 1, "label": "x", "kind": "drop"}
SECTION = {"start_frames": 0, "end_frames": 10, "label": "verse"}


def wav(path, frames=100, rate=RATE, channels=2, width=2):
    with wave.open(str(path), "wb") as file:
        file.setnchannels(channels)
        file.setsampwidth(width)
        file.setframerate(rate)
        length = frames * channels * width
        file.writeframes((bytes(range(1, 201)) * (length // 200 + 1))[:length])


def description(names=("drums", "bass"), frames=100, **changes):
    stems = [{"name": name, "file": f"{name}.wav", "frames": frames} for name in names]
    track = {"version": 1, "title": "T", "artist": "A", "rate": RATE, "frames": frames}
    track |= {"pcm": "s16", "stems": stems, "digest": DIGEST}
    return track | changes


def bundle(folder, names=("drums", "bass"), frames=100, **changes):
    folder.mkdir(exist_ok=True)
    for name in names:
        wav(folder / f"{name}.wav", frames)
    (folder / "track.json").write_text(json.dumps(description(names, frames, **changes)))
    return folder


def refusal(path):
    with pytest.raises(MediaError) as caught:
        read_bundle(path)
    assert caught.value.hint
    return str(caught.value)


def refused_text(**changes):
    with pytest.raises(MediaError) as caught:
        parse_track(json.dumps(description(**changes)).encode())
    assert caught.value.hint
    return str(caught.value)


def test_a_bundle_says_where_each_stems_sound_begins(tmp_path):
    read = read_bundle(bundle(tmp_path / "b.sfa"))
    assert [stem.name for stem in read.track.stems] == ["drums", "bass"]
    for stem in read.stems:
        assert (stem.offset_bytes, stem.frames, stem.dtype) == (44, 100, np.dtype("<i2"))
        sound = stem.path.read_bytes()[stem.offset_bytes :]
        assert sound == (bytes(range(1, 201)) * 2)[: 100 * 4]


def test_reading_a_bundle_imports_no_decoder_and_no_event_loop():
    program = """
import sys, sfa_engine.track.media
print(*{"av", "soxr", "soundfile", "trio", "asyncio", "sqlite3", "logging"} & sys.modules.keys())
"""
    out = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True)
    assert not out.stdout.strip()


def test_every_field_of_a_track_is_read():
    grid = Grid((Anchor(0.5, 0.0), Anchor(24_000.0, 1.0)), 120.0, 3)
    stem = Stem("mix", "mix.wav", 100, 1, 2, 3, truncated=True)
    track = Track(
        "Tïtle", "Ärtist", RATE, 100, "f32", (stem,), DIGEST, grid, "F# minor", -1.5,
        (Cue(99, "Drop", "drop"),), Decoder("PyAV", "18", "removed"),
    )  # fmt: skip
    assert parse_track(json.dumps({"version": 1} | to_builtins(track)).encode()) == track


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"version": 3}, "version 3"),
        ({"version": True}, "version True"),
        ({"version": None}, "version None"),
        ({"titel": "x"}, 'did you mean "title"?'),
        ({"title": 3}, "track.title is 3; it is a text"),
        ({"title": "\ud800"}, "is not valid JSON"),
        ({"rate": 48_000.5}, "it is a whole number"),
        ({"rate": True}, "track.rate is True"),
        ({"rate": 400_000}, "rate_hz is 400000"),
        ({"frames": 0}, "frames is 0"),
        ({"pcm": "s24"}, 'pcm is "s24"'),
        ({"stems": {}}, "track.stems is {}; it is a list"),
        ({"stems": []}, "no stem"),
        ({"stems": [7]}, "track.stems[0] is 7; it is an object"),
        ({"names": ["drum"]}, 'did you mean "drums"?'),
        ({"names": ["drums", "drums"]}, 'duplicate stem "drums"'),
        ({"names": ["drums", "mix"]}, '"mix" together with drums'),
        ({"names": list(STEMS)}, '"mix" together with'),
        ({"digest": "abc"}, 'digest is "abc"'),
        ({"key": "H minor"}, 'key is "H minor"'),
        ({"gain_db": 90}, "gain_db is 90"),
        ({"gain_db": math.nan}, "is not valid JSON"),
        ({"gain_db": -math.inf}, "is not valid JSON"),
        ({"gain_db": 10**400}, "it is a finite number"),
        ({"grid": {"anchors": [], "bpm": 120}}, "no anchor"),
        ({"grid": {"anchors": [{"frame": 0, "beat": 0}]}}, 'track.grid has no "bpm"'),
        ({"grid": {"anchors": [{"frame": 0, "beat": 0}], "bpm": 1e3}}, "grid.bpm is 1000.0"),
        ({"cues": [{"position_frames": 100, "label": "x", "kind": "drop"}]}, 'cue "x" is 100'),
        ({"decoder": {"name": "PyAV"}}, 'track.decoder has no "version"'),
        ({"title": "T" * 1_200_000}, "title has 1200000 characters; give up to 1000"),
        ({"album": "é" * 1001}, "album has 1001 characters"),
        ({"cues": [CUE] * 1001}, "number of cues is 1001"),
        ({"cues": [CUE | {"label": "x" * 201}]}, "label of a cue has 201 characters"),
        ({"cues": [CUE | {"kind": "x" * 201}]}, "kind of a cue has 201 characters"),
        ({"sections": [SECTION] * 5001}, "number of sections is 5001"),
        ({"sections": [SECTION | {"label": "x" * 201}]}, "label of a section has 201"),
    ],
)
def test_a_description_that_is_wrong_is_refused_with_the_value(changes, words):
    assert words in refused_text(**changes)


@pytest.mark.parametrize("file", ["", ".", "..", "../x.wav", "/etc/passwd", "a\\b.wav", "a\0.wav"])
def test_a_stems_file_may_not_lie_outside_the_bundle(file):
    stem = {"name": "drums", "file": file, "frames": 100}
    assert "not in the bundle" in refused_text(stems=[stem])


def test_a_link_may_not_lead_out_of_the_bundle(tmp_path):
    wav(tmp_path / "elsewhere.wav")
    folder = bundle(tmp_path / "b.sfa")
    (folder / "drums.wav").unlink()
    (folder / "drums.wav").symlink_to(tmp_path / "elsewhere.wav")
    assert "leads out" in refusal(folder)
    (folder / "drums.wav").unlink()
    (folder / "drums.wav").symlink_to("drums.wav")
    assert "drums.wav" in refusal(folder) or "links" in refusal(folder)


def test_two_stems_may_not_share_a_file():
    stems = [{"name": name, "file": "a.wav", "frames": 100} for name in ("drums", "bass")]
    assert "two stems have one file" in refused_text(stems=stems)


def test_stems_of_different_length_are_refused():
    stems = description()["stems"]
    stems[1]["frames"] = 99
    assert 'stem "bass" has 99 frames and the track 100' in refused_text(stems=stems)


@pytest.mark.parametrize("text", [b"", b"{", b"\xff\xfe", b"[" * 100_000, b'{"a":1,"a":2}', b"7"])
def test_garbled_json_is_refused(tmp_path, text):
    folder = bundle(tmp_path / "b.sfa")
    (folder / "track.json").write_bytes(text)
    assert "track.json" in refusal(folder)


def test_what_is_missing_is_named(tmp_path):
    assert "does not exist" in refusal(tmp_path / "none.sfa")
    folder = bundle(tmp_path / "b.sfa")
    assert "is not a folder" in refusal(folder / "drums.wav")
    (folder / "bass.wav").unlink()
    assert 'bass.wav": is missing' in refusal(folder)
    (folder / "bass.wav").mkdir()
    assert "not a regular file" in refusal(folder)
    (folder / "track.json").unlink()
    assert 'track.json": is missing' in refusal(folder)


def test_a_pipe_is_refused_and_not_waited_for(tmp_path):
    folder = bundle(tmp_path / "b.sfa")
    (folder / "bass.wav").unlink()
    os.mkfifo(folder / "bass.wav")
    assert "not a regular file" in refusal(folder)


@pytest.mark.parametrize(
    ("form", "words"),
    [
        ({"rate": 44_100}, "rate in Hz is 44100, and track.json says 48000"),
        ({"channels": 1}, "channels is 1"),
        ({"width": 3}, "24 bits"),
        ({"frames": 99}, "length in frames is 99"),
    ],
)
def test_a_wav_that_is_not_as_described_is_refused(tmp_path, form, words):
    folder = bundle(tmp_path / "b.sfa")
    wav(folder / "bass.wav", **form)
    assert words in refusal(folder)


@pytest.mark.parametrize("change", [-1, -100, 2, 1000])
def test_a_wav_that_is_shorter_or_longer_than_it_says_is_refused(tmp_path, change):
    folder = bundle(tmp_path / "b.sfa")
    size = (folder / "bass.wav").stat().st_size
    os.truncate(folder / "bass.wav", size + change)
    assert f"has {size + change} bytes" in refusal(folder)


def test_a_bundle_that_may_not_be_read_says_so(tmp_path):
    folder = bundle(tmp_path / "b.sfa")
    (folder / "bass.wav").chmod(0)
    if os.geteuid() != 0:
        assert "Permission denied" in refusal(folder)
        return
    os.seteuid(65534)  # nobody; even the way there is closed to them
    try:
        assert "Permission denied" in refusal(folder)
    finally:
        os.seteuid(0)


def riff(chunks, form=b"RIFF", size=None):
    body = b"WAVE" + b"".join(t + struct.pack("<I", len(c)) + c for t, c in chunks)
    return form + struct.pack("<I", len(body) if size is None else size) + body


FLOAT = struct.pack("<HHIIHH", 3, 2, RATE, RATE * 8, 8, 32)
GUID = bytes.fromhex("000000001000800000aa00389b71")
EXTENSIBLE = struct.pack("<HHIIHHHHIH", 0xFFFE, 2, RATE, RATE * 4, 4, 16, 22, 16, 3, 1) + GUID


@pytest.mark.parametrize(("form", "pcm"), [(FLOAT, "f32"), (EXTENSIBLE, "s16")])
def test_floats_extensible_headers_and_other_chunks_are_read(form, pcm):
    chunks = [(b"JUNK", bytes(28)), (b"LIST", b"x" * 300), (b"fmt ", form), (b"data", bytes(80))]
    file = riff([*chunks, (b"id3 ", bytes(10))])
    header = parse_wav_header(file, len(file))
    assert (header.pcm, header.channels, header.rate) == (pcm, 2, RATE)
    assert header.offset_bytes == file.index(b"data") + 8
    assert header.frames == {"f32": 10, "s16": 20}[pcm]


def test_rf64_files_of_more_than_4_gb_are_read():
    frames = 1_000_000_000
    sizes = struct.pack("<QQQI", 72 + frames * 8, frames * 8, frames, 0)
    head = riff([(b"ds64", sizes), (b"fmt ", FLOAT), (b"data", b"")], b"RF64", 0xFFFFFFFF)
    head = head[:-4] + b"\xff" * 4
    assert parse_wav_header(head, 80 + frames * 8).frames == frames
    with pytest.raises(MediaError):
        parse_wav_header(head, 80 + frames * 8 - 1)


VALID_WAV = riff([(b"fmt ", EXTENSIBLE), (b"data", bytes(400))])
VALID_JSON = json.dumps(
    description(
        grid={"anchors": [{"frame": 0, "beat": 0}, {"frame": 9, "beat": 1}], "bpm": 120},
        cues=[{"position_frames": 1, "label": "x", "kind": "drop"}],
    )
).encode()


@st.composite
def damaged(draw, whole):
    """Some bytes of a good file changed, cut out or put in."""
    data = bytearray(whole)
    for _ in range(draw(st.integers(1, 4))):
        at = draw(st.integers(0, len(data)))
        data[at : at + draw(st.integers(0, 8))] = draw(st.binary(max_size=8))
    return bytes(data)


@given(st.one_of(st.binary(max_size=200), damaged(VALID_WAV)), st.integers(0, 1 << 40))
def test_no_wav_header_brings_anything_but_a_media_error(head, size):
    for file_bytes in (len(head), size):
        try:
            header = parse_wav_header(head, file_bytes)
        except MediaError:
            continue
        assert 12 < header.offset_bytes <= file_bytes


@given(st.one_of(st.binary(max_size=200), damaged(VALID_JSON)))
def test_no_bytes_of_a_description_bring_anything_but_a_media_error(text):
    try:
        track = parse_track(text)
    except MediaError:
        return
    assert track.frames == track.stems[0].frames


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=6,
)


@given(st.sampled_from([*description(), "grid", "key", "gain_db", "cues", "decoder"]), JSON)
def test_no_value_of_a_field_brings_anything_but_a_media_error(name, value):
    with suppress(MediaError):
        parse_track(json.dumps(description(**{name: value})).encode())


def test_a_constant_grid_has_its_beats_before_and_after_its_anchor():
    grid = Grid((Anchor(30_000.0, 0.0),), 120.0)
    beats = grid.beats(100_000, RATE)
    assert beats.tolist() == [6_000.0, 30_000.0, 54_000.0, 78_000.0]
    assert grid.first_beat(100_000, RATE) == -1
    assert grid.bpm == 120.0


def test_a_grid_follows_its_anchors_and_goes_on_at_its_tempo():
    grid = Grid((Anchor(100.0, 0.0), Anchor(40_100.0, 2.0), Anchor(50_100.0, 3.0)), 240.0, 3)
    assert grid.beats(80_000, RATE).tolist() == [
        100.0,
        20_100.0,
        40_100.0,
        50_100.0,
        62_100.0,
        74_100.0,
    ]
    assert grid.beat_of([-19_900.0, 45_100.0], RATE).tolist() == [-1.0, 2.5]


def test_the_first_frame_counts_and_the_end_does_not():
    grid = Grid((Anchor(0.0, 8.0),), 120.0)
    assert grid.beats(48_000, RATE).tolist() == [0.0, 24_000.0]
    assert grid.first_beat(48_000, RATE) == 8
    assert len(grid.beats(0, RATE)) == 0


anchor_steps = st.lists(
    st.tuples(st.floats(1_000.0, 50_000.0), st.integers(1, 3)), min_size=0, max_size=5
)


@given(
    st.floats(-1e6, 1e6), st.integers(-1000, 1000), anchor_steps,
    st.floats(20.0, 400.0), st.integers(0, 500_000),
)  # fmt: skip
def test_beats_are_inside_rise_and_are_numbered(frame, beat, steps, bpm, frames):
    anchors = [Anchor(frame, beat)]
    for width, number in steps:
        last = anchors[-1]
        anchors.append(Anchor(last.frame + width, last.beat + number))
    grid = Grid(tuple(anchors), bpm)
    beats, first = grid.beats(frames, RATE), grid.first_beat(frames, RATE)
    assert ((beats >= 0) & (beats < frames)).all()
    assert (np.diff(beats) > 0).all()
    np.testing.assert_allclose(grid.beat_of(beats, RATE), first + np.arange(len(beats)), atol=1e-6)
    if frames:
        assert grid.frame_of(first - 1, RATE) < 0
        assert grid.frame_of(first + len(beats), RATE) >= frames


@pytest.mark.parametrize(
    "anchors",
    [(), ((0, 0), (0, 1)), ((0, 0), (5, 0)), ((5, 0), (0, 1)), ((math.nan, 0),), ((0, math.inf),)],
)
def test_a_grid_that_does_not_rise_is_refused(anchors):
    with pytest.raises(MediaError):
        Grid(tuple(Anchor(*anchor) for anchor in anchors), 120.0)


def test_a_grid_with_an_absurd_tempo_between_anchors_is_refused():
    track = parse_track(json.dumps(description()).encode())
    grid = Grid((Anchor(0.0, 0.0), Anchor(100.0, 1e6)), 120.0)
    with pytest.raises(MediaError, match="tempo between two anchors"):
        replace(track, grid=grid)


def test_a_seam_may_jump_by_a_bar_and_no_further():
    track = parse_track(json.dumps(description()).encode())
    seam = Grid((Anchor(0.0, 0.5), Anchor(0.001 * track.rate, 4.0)), 120.0)
    assert replace(track, grid=seam).grid == seam
    far = Grid((Anchor(0.0, 0.5), Anchor(0.001 * track.rate, 40.0)), 120.0)
    with pytest.raises(MediaError, match="beats jumped by the grid"):
        replace(track, grid=far)


def test_a_bundle_is_found_by_text_and_by_path(tmp_path):
    folder = bundle(tmp_path / "b.sfa")
    assert read_bundle(str(folder)) == read_bundle(Path(folder))
