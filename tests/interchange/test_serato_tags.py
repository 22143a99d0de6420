"""What Serato keeps in a sound file, as bytes and in each kind of file."""

import base64
import struct

import mutagen
import numpy as np
import pytest
from drawn_marks import is_read_or_refused, pads, sound_file, whole_grids
from hypothesis import given, settings
from hypothesis import strategies as st
from mutagen.id3 import GEOB

from sfa_engine.errors import MediaError
from sfa_engine.interchange import serato_tags as tags
from sfa_engine.interchange.record import GRID_RATE, Record
from sfa_engine.interchange.serato_files import read_file, write_file
from sfa_engine.library.cues import Cue
from sfa_engine.track.grid import Anchor, Grid

KINDS = ("a.mp3", "a.wav", "a.aiff", "a.flac", "a.m4a", "a.ogg")
GRID = Grid((Anchor(0.25 * GRID_RATE, 0.0), Anchor(8.25 * GRID_RATE, 16.0)), 128.0)
CUES = (
    Cue(1.5, slot=1, label="Refrain ♪", color="#c02626"),
    Cue(2.0, slot=6, color="#123456"),
    Cue(4.25, kind="loop", end_s=8.25, slot=9, label="loop"),
    Cue(16.0, kind="loop", end_s=16.5, slot=16, color="#abcdef"),
)
RECORD = Record("1", title="T", grid=GRID, cues=CUES, color="#993333", bpm=128.0)


@pytest.fixture(scope="module")
def sounds(tmp_path_factory):
    folder = tmp_path_factory.mktemp("serato")
    return {name: sound_file(folder / name) for name in KINDS}


def marks(draw_from):
    """Marks that draw_from's 24 bits can hold."""
    place = st.integers(0, draw_from)
    cue = st.builds(tags.Mark, place, st.none(), st.integers(0, tags.MAX_MS))
    loop = st.builds(
        tags.Mark, place, place, st.integers(0, tags.MAX_MS), st.just(""), st.booleans()
    )
    return st.builds(
        tags.Marks,
        st.dictionaries(st.integers(0, 4), cue),
        st.dictionaries(st.integers(0, 8), loop),
        st.integers(0, tags.MAX_MS),
    )


@given(marks(tags.MAX_MS))
def test_markers_come_back(made):
    assert tags.parse_markers(tags.markers(made)) == made


@given(marks(2**32 - 2))
def test_markers2_come_back(made):
    made = tags.Marks(made.cues, made.loops, made.color, True, (("FLIP", b"\0\1\2"),))
    assert tags.parse_markers2(tags.markers2(made)) == made


def test_markers2_are_as_documented():
    # The example of the public description: no cue, white, not locked.
    data = b"\1\1AQFDT0xPUgAAAAAEAP///0JQTUxPQ0sAAAAAAQAA".ljust(470, b"\0")
    assert tags.parse_markers2(data) == tags.Marks(color=0xFFFFFF)
    assert tags.markers2(tags.Marks()) == data
    cue = bytes.fromhex("00010000290000cc00000000")  # hot cue 2 at 10.496 s, red
    content = b"\1\1CUE\0" + struct.pack(">I", len(cue) + 2) + cue + b"A\0" + b"\0"
    text = base64.b64encode(content)
    assert tags.parse_entries(content).cues == {1: tags.Mark(0x2900, None, 0xCC0000, "A")}
    assert tags.parse_markers2(b"\1\1" + text.rstrip(b"=")).cues[1].label == "A"


def test_a_loop_has_one_zero_before_its_lock():
    made = tags.entries(tags.Marks(loops={2: tags.Mark(1000, 2000, 0x27AAE1, "x", True)}))
    at = made.index(b"LOOP\0") + 9
    assert made[at : at + 22] == bytes.fromhex("0002000003e8000007d0ffffffff0027aae10001") + b"x\0"


def test_markers_are_as_documented():
    made = tags.markers(tags.Marks({0: tags.Mark(0x1A95D8 >> 3, None, 0xCC0000)}, color=0xFFFFFF))
    first = made[6:28]
    assert made[:6] == bytes.fromhex("02050000000e")
    assert first[:1] + first[5:16] == bytes.fromhex("007f7f7f7f7f007f7f7f7f7f")
    assert first[16:] == bytes.fromhex("063000000100")
    assert len(made) == 6 + 14 * 22 + 4
    assert made[-4:] == bytes.fromhex("077f7f7f")
    known = bytes.fromhex("00 00 0d 2a 58 7f 7f7f7f7f 00 7f7f7f7f7f 06 32 10 00 01 00")
    data = made[:6] + known + made[28:]
    mark = tags.parse_markers(data).cues[0]
    assert (mark.start_ms, mark.color) == (218_456, 0xCC8800)  # 3:38.4


def test_a_character_too_many_of_base64_is_read():
    # Serato cuts the last character of what would need padding.
    for count in range(40, 44):
        content = b"\1\1COLOR\0\0\0\0\4\0\x99\xff\x99CUE\0" + b"\0\0\0\x0f" + bytes(15)
        content += b"\0" * (count % 3 + 1)
        text = base64.b64encode(content).rstrip(b"=")
        cut = text[:-1] if len(content) % 3 else text
        assert tags.parse_markers2(b"\1\1" + cut).color == 0x99FF99


@given(whole_grids())
def test_a_beat_grid_comes_back_within_a_millisecond_after_eight_minutes(grid):
    data, exact = tags.beat_grid(grid)
    made = tags.parse_beat_grid(data)
    last = float(grid.beat_of(480 * GRID_RATE, GRID_RATE))
    shift = round(float(grid.beat_of(made.anchors[0].frame, GRID_RATE)))
    beats = np.arange(max(shift, 0), last)
    apart = made.frame_of(beats - shift, GRID_RATE) - grid.frame_of(beats, GRID_RATE)
    assert exact
    assert np.abs(apart).max() < GRID_RATE / 1000


def test_a_beat_grid_is_as_documented():
    data = bytes.fromhex("01000000000 13e9c283842e6000037".replace(" ", ""))
    grid = tags.parse_beat_grid(data)
    assert grid.bpm == 115.0
    assert grid.anchors[0].frame / GRID_RATE == pytest.approx(0.304994, abs=1e-6)
    assert tags.parse_beat_grid(b"\1\0\0\0\0\0\0") is None


@given(st.integers(0, tags.MAX_MS))
def test_colors_that_are_shown_can_be_stored(shown):
    stored = tags.stored_track(shown)
    back = tags.shown_track(stored)
    assert back is not None
    assert shown in {0x999999, 0x99999A, 0x333333} or back == shown
    assert tags.shown_cue(tags.stored_cue(shown)) == tags._PALETTE.get(shown, shown)


def test_the_older_tag_is_believed_and_has_no_names():
    new = tags.Marks({0: tags.Mark(5, label="A"), 1: tags.Mark(6), 7: tags.Mark(7)})
    old = tags.Marks({0: tags.Mark(99)}, {3: tags.Mark(1, 2)})
    joined = tags.merged(new, old)
    assert joined.cues == {0: tags.Mark(99, label="A"), 7: tags.Mark(7)}
    assert joined.loops == {3: tags.Mark(1, 2)}


@pytest.mark.parametrize("name", KINDS)
def test_each_kind_of_file_keeps_cues_loops_color_and_grid(sounds, tmp_path, name):
    target = tmp_path / name
    losses = write_file(RECORD, sounds[name], target)
    found = read_file(target)
    is_ogg = name.endswith("ogg")  # one marker alone
    assert [loss.what for loss in losses] == (["grid"] if is_ogg else [])
    assert found.cues == CUES
    assert found.color == "#993333"
    assert found.losses == ()
    if not is_ogg:
        assert found.grid.bpm == 128.0
        frames = found.grid.frame_of([0, 8, 40], GRID_RATE) - GRID.frame_of([0, 8, 40], GRID_RATE)
        assert np.abs(frames).max() < 1


@pytest.mark.parametrize("name", KINDS)
def test_a_file_without_tags_of_serato_has_none(sounds, name):
    assert not read_file(sounds[name])


def test_other_tags_and_the_sound_stay(sounds, tmp_path):
    source = tmp_path / "b.mp3"
    source.write_bytes(sounds["a.mp3"].read_bytes())
    file = mutagen.File(source)
    file.add_tags()
    file.tags.add(GEOB(encoding=0, mime="x", desc="Serato Overview", data=b"\1\5"))
    file.save()
    target = tmp_path / "c.mp3"
    write_file(RECORD, source, target)
    assert mutagen.File(target).tags.getall("GEOB:Serato Overview")[0].data == b"\1\5"
    assert target.read_bytes().endswith(sounds["a.mp3"].read_bytes()[-8000:])


def test_flips_stay_and_the_lock_is_set(sounds, tmp_path):
    target = tmp_path / "a.flac"
    write_file(RECORD, sounds["a.flac"], target)
    file = mutagen.File(target)
    data = tags.parse_markers2(_field(file))
    flipped = tags.markers2(tags.Marks(others=(("FLIP", b"\0\7"),)))
    file["serato_markers_v2"] = tags.enveloped("Serato Markers2", flipped).decode()
    file.save()
    write_file(RECORD, target, target)
    made = tags.parse_markers2(_field(mutagen.File(target)))
    assert data.is_locked
    assert made.others == (("FLIP", b"\0\7"),)
    assert len(made.cues) == 2


def _field(file):
    return tags.from_envelope("Serato Markers2", file["serato_markers_v2"][0].encode())


@settings(max_examples=15)
@given(pads(), whole_grids())
def test_any_cues_and_loops_come_back(sounds, tmp_path_factory, cues, grid):
    target = tmp_path_factory.getbasetemp() / "any.flac"
    write_file(Record("1", cues=cues, grid=grid), sounds["a.flac"], target)
    found = read_file(target)
    assert [cue.slot for cue in found.cues] == [cue.slot for cue in cues]
    for one, other in zip(found.cues, cues, strict=True):
        assert one.position_s == pytest.approx(other.position_s, abs=1e-9)
        assert (one.end_s is None) == (other.end_s is None)
        assert one.label == other.label
        shown = tags.shown_cue(tags.stored_cue(int(other.color[1:], 16)))
        assert one.color == f"#{shown:06x}" or (one.end_s and one.color == "")


def test_cues_beyond_four_hours_are_in_markers2_alone(sounds, tmp_path):
    target = tmp_path / "a.mp3"
    write_file(Record("1", cues=(Cue(20_000.0, slot=1),)), sounds["a.mp3"], target)
    frames = mutagen.File(target).tags
    assert not frames.getall("GEOB:Serato Markers_")
    assert read_file(target).cues[0].position_s == 20_000.0


def test_a_track_without_cues_clears_those_of_the_file(sounds, tmp_path):
    target = tmp_path / "a.m4a"
    write_file(RECORD, sounds["a.m4a"], target)
    write_file(Record("1"), target, target)
    assert read_file(target).cues == ()


# ---------------------------------------------------------------- bad input


@pytest.mark.parametrize(
    ("parse", "data"),
    [
        (tags.parse_beat_grid, b"\1\0\xff\xff\xff\xff" + bytes(64)),
        (tags.parse_beat_grid, b"\1\0\0\0\0\1" + struct.pack(">ff", 0.0, 0.0) + b"\0"),
        (tags.parse_beat_grid, b"\1\0\0\0\0\1" + struct.pack(">ff", float("nan"), 120) + b"\0"),
        (tags.parse_beat_grid, b"\2\0\0\0\0\1"),
        (tags.parse_beat_grid, b""),
        (tags.parse_markers2, b"\1\1!!!!"),
        (tags.parse_markers2, b"\1\1" + base64.b64encode(b"\3\3")),
        (tags.parse_markers, b"\2\5\xff\xff\xff\xff"),
        (tags.parse_markers, b"\2\5\0\0\0\x0e"),
        (tags.parse_autotags, b""),
    ],
)
def test_damaged_tags_are_refused_with_a_hint(parse, data):
    with pytest.raises(MediaError) as caught:
        parse(data)
    assert caught.value.hint


def test_a_damaged_entry_costs_no_other():
    whole = tags.entries(tags.Marks({0: tags.Mark(1), 1: tags.Mark(2)}))
    cut = whole[: whole.rindex(b"CUE") + 12]
    assert tags.parse_entries(cut).cues == {0: tags.Mark(1)}
    assert tags.parse_entries(cut).damaged == 1


def test_a_huge_tag_is_refused_before_it_is_read(tmp_path):
    path = tmp_path / "big.mp3"
    with path.open("wb") as file:
        file.write(b"ID3\4\0\0" + bytes([0x32, 0, 0, 0]))  # 100 MB
        file.truncate(110 << 20)
    with pytest.raises(MediaError, match="100 MB"):
        read_file(path)


def test_one_damaged_tag_costs_no_other(sounds, tmp_path):
    target = tmp_path / "a.mp3"
    write_file(RECORD, sounds["a.mp3"], target)
    file = mutagen.File(target)
    file.tags.delall("GEOB:Serato BeatGrid")
    file.tags.add(GEOB(encoding=0, mime="x", desc="Serato BeatGrid", data=b"\1\0\xff\xff\xff\xff"))
    file.save()
    found = read_file(target)
    assert found.cues == CUES
    assert [what for what, _ in found.losses] == ["grid"]


@given(st.binary(max_size=600), st.sampled_from(["grid", "new", "old", "mp4", "auto", "text"]))
def test_any_bytes_are_read_or_refused(data, kind):
    heads = {"grid": b"\1\0", "new": b"\1\1", "old": b"\2\5\0\0\0\x0e", "mp4": b"\2\5\0\0\0\x0e"}
    data = heads.get(kind, b"") + data
    parsers = {
        "grid": tags.parse_beat_grid,
        "new": tags.parse_entries,
        "old": tags.parse_markers,
        "mp4": lambda content: tags.parse_markers(content, is_mp4=True),
        "auto": tags.parse_autotags,
        "text": lambda content: tags.parse_text_grid(content.decode("latin-1")),
    }
    assert is_read_or_refused(parsers[kind], data)
