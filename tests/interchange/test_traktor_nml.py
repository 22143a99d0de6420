"""Traktor's collection: read as its versions write it, written and read again, and damaged."""

from dataclasses import replace

import pytest
from hypothesis import given
from interchange_records import (
    QUICK,
    assert_beats_agree,
    assert_cues_agree,
    assert_lists_agree,
    collections,
)

from sfa_engine.errors import MediaError
from sfa_engine.interchange import traktor3_nml
from sfa_engine.interchange.record import GRID_RATE, Collection, List, Record
from sfa_engine.interchange.traktor_nml import COLORS, read, write
from sfa_engine.library.color import NAMES
from sfa_engine.library.cues import Cue
from sfa_engine.track.grid import Anchor, Grid
from sfa_engine.track.key import KEYS

SAMPLE = """<?xml version="1.0" encoding="UTF-8" standalone="no" ?>
<NML VERSION="{version}"><HEAD COMPANY="www.native-instruments.com" PROGRAM="Traktor"></HEAD>
<MUSICFOLDERS><FOLDER PATH="/:Music/:"></FOLDER></MUSICFOLDERS>
<COLLECTION ENTRIES="3"><ENTRY MODIFIED_DATE="2016/3/9" MODIFIED_TIME="84164" LOCK="1"
AUDIO_ID="AWYkIiERIiESEREhISE" TITLE="One &amp; Two" ARTIST="Älpha">
<LOCATION DIR="/:Library/:dj/:Music/:" FILE="One // Two.mp3" VOLUME="osx" VOLUMEID="osx"></LOCATION>
<ALBUM TRACK="2" TITLE="Al"></ALBUM>
<MODIFICATION_INFO AUTHOR_TYPE="user"></MODIFICATION_INFO>
<INFO BITRATE="320000" GENRE="Techno" LABEL="Lbl" COMMENT="c" KEY="4m" PLAYCOUNT="7" PLAYTIME="363"
PLAYTIME_FLOAT="362.899597" RANKING="204" IMPORT_DATE="2020/3/14" LAST_PLAYED="2021/1/2"
RELEASE_DATE="2019/1/1" FLAGS="28" FILESIZE="14189" COLOR="4"></INFO>
<TEMPO BPM="111.999931" BPM_QUALITY="100.000000"></TEMPO>
<LOUDNESS PEAK_DB="0.2" PERCEIVED_DB="-3.5" ANALYZED_DB="-3.5"></LOUDNESS>
<MUSICAL_KEY VALUE="17"></MUSICAL_KEY>
<CUE_V2 NAME="AutoGrid" DISPL_ORDER="0" TYPE="4" START="53.484213" LEN="0.000000" REPEATS="-1"
HOTCUE="0"><GRID BPM="111.999931"></GRID></CUE_V2>
<CUE_V2 NAME="n.n." DISPL_ORDER="0" TYPE="0" START="15052.5" LEN="0" REPEATS="-1" HOTCUE="-1">
</CUE_V2>
<CUE_V2 NAME="Build" DISPL_ORDER="0" TYPE="5" START="30052.5" LEN="7500" REPEATS="-1" HOTCUE="2"
COLOR="#00FF00"></CUE_V2>
<CUE_V2 NAME="n.n." DISPL_ORDER="0" TYPE="3" START="15052.5" LEN="0" REPEATS="-1" HOTCUE="-1">
</CUE_V2>
<CUE_V2 NAME="in" DISPL_ORDER="0" TYPE="1" START="40000" LEN="2000" REPEATS="-1" HOTCUE="-1">
</CUE_V2>
</ENTRY>
<ENTRY TITLE="Stick"><LOCATION DIR="/:Music/:Sets/:" FILE="a.wav" VOLUME="USB 1"></LOCATION>
<TEMPO BPM="120"></TEMPO><CUE_V2 NAME="AutoGrid" TYPE="4" START="10.0" LEN="0" HOTCUE="-1"></CUE_V2>
</ENTRY>
<ENTRY><LOCATION DIR="/:Sets/:" FILE="b.flac" VOLUME="D:"></LOCATION><INFO KEY="8A"></INFO></ENTRY>
</COLLECTION><SETS ENTRIES="0"></SETS>
<PLAYLISTS><NODE TYPE="FOLDER" NAME="$ROOT"><SUBNODES COUNT="3">
<NODE TYPE="FOLDER" NAME="Sets"><SUBNODES COUNT="1">
<NODE TYPE="PLAYLIST" NAME="A"><PLAYLIST ENTRIES="2" TYPE="LIST" UUID="1f">
<ENTRY><PRIMARYKEY TYPE="TRACK" KEY="D:/:Sets/:b.flac"></PRIMARYKEY></ENTRY>
<ENTRY><PRIMARYKEY TYPE="TRACK" KEY="osx/:Library/:dj/:Music/:One // Two.mp3"></PRIMARYKEY></ENTRY>
</PLAYLIST></NODE></SUBNODES></NODE>
<NODE TYPE="PLAYLIST" NAME="B"><PLAYLIST ENTRIES="1" TYPE="LIST" UUID="2f">
<ENTRY><PRIMARYKEY TYPE="TRACK" KEY="E:/:gone.mp3"></PRIMARYKEY></ENTRY></PLAYLIST></NODE>
<NODE TYPE="SMARTLIST" NAME="Fast"><SMARTLIST UUID="3f"><SEARCH_EXPRESSION VERSION="1"
QUERY="$BPM &gt; 140"></SEARCH_EXPRESSION></SMARTLIST></NODE>
</SUBNODES></NODE></PLAYLISTS></NML>
"""


def read_text(folder, text):
    path = folder / "collection.nml"
    path.write_text(text, encoding="utf-8")
    return read(path)


def read_track(folder, inner):
    """Read a collection of one track; return it, with what was lost."""
    entry = f'<ENTRY TITLE="T"><LOCATION DIR="/:" FILE="a" VOLUME=""/>{inner}</ENTRY>'
    found = read_text(folder, f"<NML><COLLECTION>{entry}</COLLECTION></NML>")
    return found.tracks[0], [loss.what for loss in found.losses]


def mark(**values):
    pairs = " ".join(f"{name}='{value}'" for name, value in values.items())
    return f"<CUE_V2 {pairs}/>"


@pytest.mark.parametrize("version", [15, 19, 20, 31, "x"])
def test_a_collection_of_any_version_is_read(tmp_path, version):
    found = read_text(tmp_path, SAMPLE.format(version=version))
    one, stick, drive = found.tracks
    assert replace(one, grid=None, cues=()) == Record(
        "osx/:Library/:dj/:Music/:One // Two.mp3",
        "/Library/dj/Music/One : Two.mp3",
        "One & Two",
        "Älpha",
        "Al",
        "Techno",
        "Lbl",
        "c",
        2019,
        111.999931,
        "F minor",
        362.899597,
        None,
        4,
        NAMES["green"],
        7,
        1609545600.0,
        1584144000.0,
    )
    assert one.grid.bpm == 111.999931
    assert one.grid.anchors[0].frame == pytest.approx(53.484213 * 48)
    expected = (
        Cue(0.053484213, slot=1),  # Traktor's first pad jumps to the marker of the grid
        Cue(15.0525, on_load=True),
        Cue(30.0525, "loop", 37.5525, slot=3, label="Build", color="#00ff00"),
        Cue(40.0, "fade_in", 42.0, label="in"),
    )
    assert_cues_agree(one.cues, expected, 1e-9)
    assert stick.location == "/Volumes/USB 1/Music/Sets/a.wav"
    assert stick.grid == Grid((Anchor(480.0, 0.0),), 120.0)
    assert stick.cues == ()
    assert (drive.location, drive.musical_key) == ("D:/Sets/b.flac", "A minor")
    assert found.playlists == (List("A", ("Sets",), (drive.key, one.key)), List("B"))
    assert [(loss.where, loss.what) for loss in found.losses] == [
        ("Fast", "playlist"),
        ("B", "entries of a playlist"),
    ]


@QUICK
@given(collection=collections(colors=[NAMES[name] for name in COLORS]))
def test_what_is_written_is_read(tmp_path_factory, collection):
    path = tmp_path_factory.mktemp("nml") / "collection.nml"
    losses = write(collection, path)
    assert {loss.what for loss in losses} <= {"grid"}
    cut = {loss.where for loss in losses}  # by whole beats
    found = read(path)
    assert found.losses == ()
    for track, other in zip(collection.tracks, found.tracks, strict=True):
        bpm = track.bpm or other.bpm  # without one, that of the grid is written
        expected = replace(track, key="", size_bytes=None, bpm=bpm, grid=None, cues=())
        assert replace(other, key="", grid=None, cues=()) == expected
        assert_beats_agree(track.grid, other.grid, True, track.name not in cut)
        assert_cues_agree(track.cues, other.cues, 1e-8)
    assert_lists_agree(collection, found)


def test_every_key_comes_over(tmp_path):
    path = tmp_path / "collection.nml"
    tracks = tuple(
        Record(str(index), f"/{index}.mp3", musical_key=key) for index, key in enumerate(KEYS)
    )
    write(Collection(tracks), path)
    assert [track.musical_key for track in read(path).tracks] == list(KEYS)
    assert '<MUSICAL_KEY VALUE="21"></MUSICAL_KEY>' in path.read_text()  # A minor


def test_a_grid_is_a_marker_with_its_tempo_and_the_track_is_locked(tmp_path):
    path = tmp_path / "collection.nml"
    grid = Grid((Anchor(0.5 * GRID_RATE, 2.0),), 124.0037)
    track = Record("1", "C:/Music/Sets/a.mp3", duration_s=300.0, grid=grid)
    write(Collection((track,)), path)
    text = path.read_text()
    assert ' LOCK="1"' in text
    at_ms = 500 + 2 * 60_000 / 124.0037  # the first downbeat
    assert f'TYPE="4" START="{at_ms:.6f}" LEN="0.000000" REPEATS="-1" HOTCUE="-1">' in text
    assert '<GRID BPM="124.003700"></GRID></CUE_V2>' in text
    assert '<LOCATION DIR="/:Music/:Sets/:" FILE="a.mp3" VOLUME="C:"></LOCATION>' in text


def test_a_track_without_a_grid_is_not_locked(tmp_path):
    path = tmp_path / "collection.nml"
    write(Collection((Record("1", "/a.mp3"),)), path)
    assert "LOCK" not in path.read_text()


def test_marks_ascend_by_position(tmp_path):
    path = tmp_path / "collection.nml"
    grid = Grid((Anchor(0.0, 0.0), Anchor(10.0 * GRID_RATE, 20.0)), 130.0)
    cues = (Cue(0.5), Cue(30.0))
    write(Collection((Record("1", "/a.mp3", duration_s=60.0, grid=grid, cues=cues),)), path)
    starts = [float(part.split('"')[0]) for part in path.read_text().split('START="')[1:]]
    assert starts == sorted(starts)
    assert len(starts) == 4


PIECES = Grid(
    (Anchor(0.0, 0.0), Anchor(60.0 * GRID_RATE, 120.0), Anchor(240.0 * GRID_RATE, 492.0)), 90.0
)


def test_before_traktor_4_a_grid_is_the_tempo_of_its_steadiest_part(tmp_path):
    path = tmp_path / "collection.nml"
    cues = (Cue(1.0, slot=1, color="#ff0000"),)
    track = Record("1", "/a.mp3", duration_s=300.0, grid=PIECES, cues=cues)
    losses = traktor3_nml.write(Collection((track,)), path)
    assert [loss.what for loss in losses] == ["grid", "color of a cue"]
    found = read(path).tracks[0]
    assert found.grid == Grid((Anchor(60.0 * GRID_RATE, 0.0),), 124.0)
    assert found.cues == (Cue(1.0, slot=1),)


def test_traktor_4_has_all_tempos(tmp_path):
    path = tmp_path / "collection.nml"
    assert write(Collection((Record("1", "/a.mp3", duration_s=300.0, grid=PIECES),)), path) == []
    assert path.read_text().count("<GRID ") == 3
    assert_beats_agree(PIECES, read(path).tracks[0].grid)


def test_a_constant_grid_loses_nothing_before_traktor_4(tmp_path):
    path = tmp_path / "collection.nml"
    grid = Grid((Anchor(40.1 * GRID_RATE, 16.0),), 127.3456)
    assert not traktor3_nml.write(
        Collection((Record("1", "/a", duration_s=480.0, grid=grid),)), path
    )
    assert_beats_agree(grid, read(path).tracks[0].grid, from_bar=True)


def test_bars_that_are_not_of_four_beats_are_a_loss(tmp_path):
    path = tmp_path / "collection.nml"
    grid = Grid((Anchor(0.0, 0.0),), 90.0, 3)
    losses = write(Collection((Record("1", "/a", duration_s=60.0, grid=grid),)), path)
    assert [loss.what for loss in losses] == ["grid"]


def test_a_bar_that_is_cut_by_whole_beats_is_a_loss(tmp_path):
    path = tmp_path / "collection.nml"
    seam = (Anchor(10.0 * GRID_RATE - 48, 19.998), Anchor(10.0 * GRID_RATE, 22.0))
    grid = Grid((Anchor(0.0, 0.0), *seam), 120.0)
    losses = write(Collection((Record("1", "/a", duration_s=60.0, grid=grid),)), path)
    assert [loss.what for loss in losses] == ["grid"]


def test_hot_cues_beyond_eight_become_memory_cues(tmp_path):
    path = tmp_path / "collection.nml"
    cues = tuple(Cue(float(slot), slot=slot) for slot in (8, 9))
    losses = write(Collection((Record("1", "/a.mp3", cues=cues),)), path)
    assert [loss.what for loss in losses] == ["hot cue 9"]
    assert read(path).tracks[0].cues == (Cue(8.0, slot=8), Cue(9.0))


@pytest.mark.parametrize("location", ["", "a.mp3", "/a\x01.mp3", "/a\udce9.mp3"])
def test_a_track_whose_path_xml_cannot_hold_is_left_out(tmp_path, location):
    path = tmp_path / "collection.nml"
    losses = write(Collection((Record("1", location, "T"), Record("2", "/b.mp3"))), path)
    assert [(loss.where, loss.what) for loss in losses] == [("T", "track")]
    assert [track.location for track in read(path).tracks] == ["/b.mp3"]


ODD = [
    ('<INFO RANKING="-1"/>', "rating"),
    ('<INFO RANKING="NaN"/>', "rating"),
    ('<INFO PLAYCOUNT="1e30"/>', "play count"),
    ('<INFO IMPORT_DATE="2020/13/1"/>', "date"),
    ('<INFO PLAYTIME_FLOAT="-inf"/>', "duration"),
    ('<INFO COLOR="77"/>', "color"),
    ('<INFO KEY="all"/>', "key"),
    ('<MUSICAL_KEY VALUE="24"/>', "key"),
    ('<TEMPO BPM="-3"/>', "bpm"),
    (mark(TYPE=0, START="NaN", HOTCUE=0), "cue"),
    (mark(TYPE=0, HOTCUE=0), "cue"),
    (mark(TYPE=7, START=1, HOTCUE=0), "kind of a cue"),
    (mark(TYPE=5, START=1, LEN=0, HOTCUE=0), "hot cue 1"),
    (mark(TYPE=0, START=1, HOTCUE=200), "hot cue 201"),
    (mark(TYPE=0, START=1, HOTCUE="?"), "number of a hot cue"),
    (mark(TYPE=4, START=1, HOTCUE=-1), "grid"),
    ('<TEMPO BPM="120"/>' + mark(TYPE=4, START="?", HOTCUE=-1), "grid"),
]


@pytest.mark.parametrize(("inner", "what"), ODD)
def test_an_invalid_field_costs_that_field(tmp_path, inner, what):
    track, lost = read_track(tmp_path, inner)
    assert (track.title, track.location) == ("T", "/a")
    assert track.grid is None
    assert lost == [what]


def test_another_file_is_refused(tmp_path):
    with pytest.raises(MediaError, match="begins with <html>") as raised:
        read_text(tmp_path, "<html/>")
    assert "<NML>" in raised.value.hint


@pytest.mark.parametrize("share", [0, 0.4, 0.9])
def test_a_file_that_is_cut_short_is_refused_with_its_line(tmp_path, share):
    with pytest.raises(MediaError, match=r"line \d+"):
        read_text(tmp_path, SAMPLE[: int(len(SAMPLE) * share)])
