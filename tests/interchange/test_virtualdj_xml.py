"""VirtualDJ's database and lists: read as it writes them, written and read again, and damaged."""

from dataclasses import replace

import pytest
from hypothesis import given
from interchange_records import (
    QUICK,
    assert_beats_agree,
    assert_cues_agree,
    collections,
)

from sfa_engine.errors import MediaError
from sfa_engine.interchange.record import GRID_RATE, Collection, List, Record
from sfa_engine.interchange.virtualdj_xml import read, write
from sfa_engine.library.cues import Cue
from sfa_engine.track.grid import Anchor, Grid

SAMPLE = r"""<?xml version="1.0" encoding="UTF-8"?>
<VirtualDJ_Database Version="2024">
 <Song FilePath="C:\dj\Music\Älpha.mp3" FileSize="8721653">
  <Tags Author="Älpha" Title="One &amp; Two" Genre="Techno" Album="Al" Label="Lbl" Year="2019"
   TrackNumber="2" Stars="4" Key="Fm" Flag="1" />
  <Infos SongLength="362.899597" LastModified="1700000000" FirstSeen="1584144000"
   LastPlay="1609545600" Bitrate="320" Cover="34" PlayCount="7" />
  <Comment>c &lt;3</Comment>
  <Scan Version="801" Bpm="0.46875" AltBpm="0.380975" Volume="0.246516" Key="A#" Flag="32768" />
  <Poi Pos="0.512" Type="beatgrid" />
  <Poi Pos="3.723900" Type="automix" Point="realStart" />
  <Poi Name="Break 1" Pos="118.759" Type="remix" />
  <Poi Name="Cue 1" Pos="15.912449" Num="1" />
  <Poi Name="Drop" Pos="60.5" Num="3" Color="4294901760" Type="cue" />
  <Poi Name="Loop" Pos="90.512" Num="-1" Color="4278255360" Type="loop" Size="8.0" Slot="2" />
  <Poi Pos="91.122" Type="cue" />
  <Poi Name="fx" Pos="95" Type="action" Action="effect echo" />
 </Song>
 <Song FilePath="/Library/dj/b.wav" FileSize="12"><Scan Bpm="0.5" Phase="1.25" /></Song>
 <Song FilePath="netsearch://td123"><Tags Title="Net" /></Song>
</VirtualDJ_Database>
"""
FOLDER = """<?xml version="1.0" encoding="UTF-8"?>
<VirtualFolder noDuplicates="no" ordered="yes">
 <song path="c:\\DJ\\music\\älpha.mp3" size="8721653" songlength="362.9" title="x" idx="0" />
 <song path="/Library/dj/new.mp3" size="5" songlength="12.5" artist="N" title="New" idx="1" />
</VirtualFolder>
"""


def read_text(folder, text):
    path = folder / "database.xml"
    path.write_text(text, encoding="utf-8")
    return read(path)


def read_song(folder, inner):
    """Read a database of one song; return it, with what was lost."""
    song = f'<Song FilePath="/a"><Tags Title="T"/>{inner}</Song>'
    found = read_text(folder, f"<VirtualDJ_Database>{song}</VirtualDJ_Database>")
    return found.tracks[0], [loss.what for loss in found.losses]


def test_a_database_is_read(tmp_path):
    found = read_text(tmp_path, SAMPLE)
    one, mac, net = found.tracks
    assert replace(one, key="", cues=()) == Record(
        "",
        "C:/dj/Music/Älpha.mp3",
        "One & Two",
        "Älpha",
        "Al",
        "Techno",
        "Lbl",
        "c <3",
        2019,
        128.0,
        "F minor",
        362.899597,
        8721653,
        4,
        "",
        7,
        1609545600.0,
        1584144000.0,
        Grid((Anchor(0.512 * GRID_RATE, 0.0),), 128.0),
    )
    expected = (
        Cue(15.912449, slot=1, label="Cue 1"),
        Cue(60.5, slot=3, label="Drop", color="#ff0000"),
        Cue(90.512, "loop", 90.512 + 8 * 0.46875, label="Loop", color="#00ff00"),
        Cue(91.122),
    )
    assert_cues_agree(one.cues, expected, 1e-9)
    assert mac.grid == Grid((Anchor(60_000.0, 0.0),), 120.0)
    assert net.location == ""
    assert [(loss.where, loss.what) for loss in found.losses] == [
        ("Älpha - One & Two", "action point"),
        ("Net", "track"),
    ]


def test_lists_beside_the_database_are_read(tmp_path):
    for name, content in {
        "Folders/Techno/A.vdjfolder": FOLDER,
        "MyLists/Outer.subfolders/B.vdjfolder": FOLDER,
        "MyLists/Rule.vdjfolder": '<VirtualFolder filter="bpm>140"/>',
        "MyLists/Bad.vdjfolder": "<VirtualFolder>",
        "Playlists/C.m3u": "#EXTM3U\r\n#EXTINF:1,x\r\nC:\\dj\\Music\\Älpha.mp3\r\n\r\n",
        "Playlists/Old.m3u": "C:\\dj\\Music\\Älpha.mp3".encode("cp1252"),
        "Playlists/Odd.m3u": "/a\0b.mp3\n\u2028\n",
        "Folders/notes.txt": "x",
    }.items():
        file = tmp_path / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content if isinstance(content, bytes) else content.encode())
    (tmp_path / "Folders" / "root").symlink_to("/")
    found = read_text(tmp_path, SAMPLE)
    one, new = found.tracks[0].key, found.tracks[3].key
    assert found.tracks[3] == Record(
        new, "/Library/dj/new.mp3", "New", "N", duration_s=12.5, size_bytes=5
    )
    assert found.playlists == (
        List("A", ("Techno",), (one, new)),
        List("B", ("Outer",), (one, new)),
        List("C", (), (one,)),
        List("Odd", (), ()),
        List("Old", (), (one,)),
    )
    lost = [(loss.where, loss.what) for loss in found.losses]
    assert ("Rule", "playlist") in lost
    assert ("Bad.vdjfolder", "playlist") in lost


@QUICK
@given(collection=collections(load=False, colors=[""]))
def test_what_is_written_is_read(tmp_path_factory, collection):
    path = tmp_path_factory.mktemp("vdj") / "database.xml"
    losses = write(collection, path)
    whats = {loss.what.rstrip(" 12345678") for loss in losses}
    assert whats <= {"name of a playlist", "hot cue", "cue", "grid"}
    cut = {loss.where for loss in losses if loss.what == "grid"}  # by whole beats
    found = read(path)
    assert found.losses == ()
    for track, other in zip(collection.tracks, found.tracks, strict=True):
        has_tempo = track.grid is not None or track.bpm is not None
        if track.grid is None and track.bpm is not None:
            assert other.bpm == pytest.approx(track.bpm, rel=1e-5)
        assert replace(other, key="", bpm=None, grid=None, cues=()) == replace(
            track, key="", bpm=None, grid=None, cues=()
        )
        assert_beats_agree(track.grid, other.grid, True, track.name not in cut)
        if has_tempo:
            assert_cues_agree(track.cues, other.cues, 0.0005)
    lists, lists_there = (
        sorted(
            [[track.key for track in each.tracks].index(key) for key in playlist.keys]
            for playlist in each.playlists
        )
        for each in (collection, found)
    )
    assert lists == lists_there


def test_a_loop_without_a_tempo_becomes_a_cue(tmp_path):
    path = tmp_path / "database.xml"
    cues = (Cue(1.0, "loop", 2.0, slot=1),)
    losses = write(Collection((Record("1", "/a", cues=cues),)), path)
    assert [loss.what for loss in losses] == ["hot cue 1"]
    assert read(path).tracks[0].cues == (Cue(1.0, slot=1),)


def test_windows_paths_and_line_ends_are_windows_own(tmp_path):
    path = tmp_path / "database.xml"
    write(Collection((Record("1", "C:/Music/a.mp3"),)), path)
    raw = path.read_bytes()
    assert rb'FilePath="C:\Music\a.mp3"' in raw
    assert raw.count(b"\n") == raw.count(b"\r\n") > 0


def test_seconds_per_beat_are_written(tmp_path):
    path = tmp_path / "database.xml"
    grid = Grid((Anchor(0.0, 0.0),), 128.0)
    write(Collection((Record("1", "/a", duration_s=60.0, grid=grid),)), path)
    text = path.read_text()
    assert '<Scan Version="801" Bpm="0.468750"/>' in text
    assert '<Poi Pos="0.000000" Type="beatgrid"/>' in text


def test_hot_cues_beyond_eight_become_memory_cues(tmp_path):
    path = tmp_path / "database.xml"
    cues = (Cue(8.0, slot=8), Cue(9.0, slot=9), Cue(10.0, on_load=True))
    losses = write(Collection((Record("1", "/a", cues=cues, color="#ff0000"),)), path)
    assert [loss.what for loss in losses] == ["color", "hot cue 9", "load mark of cue"]
    assert read(path).tracks[0].cues == (Cue(8.0, slot=8), Cue(9.0), Cue(10.0))


def test_a_list_that_is_there_is_kept(tmp_path):
    path = tmp_path / "database.xml"
    file = tmp_path / "Folders" / "Sets" / "L.vdjfolder"
    file.parent.mkdir(parents=True)
    file.write_text("the user's own")
    collection = Collection((Record("1", "/a"),), (List("L", ("Sets",), ("1",)),))
    assert [loss.what for loss in write(collection, path)] == ["playlist"]
    assert file.read_text() == "the user's own"


def test_writing_again_changes_nothing(tmp_path):
    path = tmp_path / "database.xml"
    lists = (List("L", ("Sets",), ("1",)), List("l", ("Sets",), ()), List("a/b.", ("..",), ()))
    collection = Collection((Record("1", "/a"),), lists)
    first = write(collection, path)
    before = {file: file.read_bytes() for file in tmp_path.rglob("*") if file.is_file()}
    assert write(collection, path) == first
    assert {file: file.read_bytes() for file in tmp_path.rglob("*") if file.is_file()} == before
    assert sorted(file.relative_to(tmp_path).as_posix() for file in before) == [
        "Folders/Sets/L.vdjfolder",
        "Folders/Sets/l (2).vdjfolder",
        "Folders/_/a_b.vdjfolder",
        "database.xml",
    ]


ODD = [
    ('<Scan Bpm="0"/>', []),
    ('<Scan Bpm="NaN"/>', ["bpm"]),
    ('<Scan Bpm="1e-9"/>', ["bpm"]),
    ('<Infos SongLength="x"/>', ["duration"]),
    ('<Infos FirstSeen="99999999999999999999"/>', ["date"]),
    ('<Tags Stars="9"/>', []),  # the first Tags counts
    ('<Poi Pos="?" Num="1"/>', ["cue"]),
    ('<Poi Num="1"/>', ["cue"]),
    ('<Poi Pos="1" Num="1" Color="red"/>', ["color of a cue"]),
    ('<Poi Pos="1" Num="1" Color="99999999999"/>', ["color of a cue"]),
    ('<Poi Pos="1" Num="99"/>', ["hot cue 99"]),
    ('<Poi Pos="1" Type="loop" Size="4"/>', ["cue"]),
    ('<Poi Pos="1" Type="beatgrid"/>', ["grid"]),
    ('<Poi Pos="1" Type="beatgrid" Bpm="0.01"/>', ["grid"]),
]


@pytest.mark.parametrize(("inner", "lost"), ODD)
def test_an_invalid_field_costs_that_field(tmp_path, inner, lost):
    track, found = read_song(tmp_path, inner)
    assert (track.title, track.location, track.grid) == ("T", "/a", None)
    assert found == lost


@pytest.mark.parametrize("share", [0, 0.4, 0.9])
def test_a_file_that_is_cut_short_is_refused_with_its_line(tmp_path, share):
    with pytest.raises(MediaError, match=r"line \d+"):
        read_text(tmp_path, SAMPLE[: int(len(SAMPLE) * share)])
