"""rekordbox's XML: read as the vendor documents it, written and read again, and damaged."""

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
from sfa_engine.interchange.record import GRID_RATE, Collection, List, Record
from sfa_engine.interchange.rekordbox_xml import read, write
from sfa_engine.library.cues import Cue
from sfa_engine.track.grid import Anchor, Grid

SAMPLE = """<?xml version="1.0" encoding="UTF-8"?>

<DJ_PLAYLISTS Version="1.0.0">
  <PRODUCT Name="rekordbox" Version="6.8.5" Company="AlphaTheta"/>
  <COLLECTION Entries="3">
    <TRACK TrackID="188217463" Name="One &amp; Two (Mix)" Artist="Älpha" Composer="" Album="Al"
           Grouping="" Genre="Techno" Kind="MP3 File" Size="8721653" TotalTime="363"
           DiscNumber="0" TrackNumber="0"
           Year="2019" AverageBpm="128.00" DateAdded="2020-03-14" BitRate="320" SampleRate="44100"
           Comments="c" PlayCount="7" Rating="204"
           Location="file://localhost/C:/dj/Music/%C3%84lpha%20-%20100%25.mp3" Remixer=""
           Tonality="Fm" Label="Lbl" Mix="" Colour="0x25FDE9">
      <TEMPO Inizio="0.025" Bpm="128.00" Metro="4/4" Battito="2"/>
      <POSITION_MARK Name="" Type="0" Start="0.494" Num="-1"/>
      <POSITION_MARK Name="Drop" Type="0" Start="60.494" Num="0" Red="40" Green="226" Blue="20"/>
      <POSITION_MARK Name="" Type="4" Start="90.494" End="97.994" Num="2"
                     Red="255" Green="140" Blue="0"/>
      <POSITION_MARK Name="" Type="3" Start="0.494" Num="-1"/>
      <POSITION_MARK Name="in" Type="1" Start="10" End="12" Num="-1"/>
    </TRACK>
    <TRACK TrackID="2" Name="Mac" Location="file://localhost/Library/dj/a%2Bb.aiff" TotalTime="0"
           Year="0" AverageBpm="0.00" Rating="0" Tonality="" Colour=""/>
    <TRACK TrackID="3" Name="Stream" Location="file://localhosttidal:tracks:123"/>
  </COLLECTION>
  <PLAYLISTS>
    <NODE Type="0" Name="ROOT" Count="2">
      <NODE Name="Sets" Type="0" Count="1">
        <NODE Name="A" Type="1" KeyType="0" Entries="3">
          <TRACK Key="2"/><TRACK Key="188217463"/><TRACK Key="2"/>
        </NODE>
      </NODE>
      <NODE Name="B" Type="1" KeyType="1" Entries="2">
        <TRACK Key="file://localhost/Library/dj/a%2Bb.aiff"/><TRACK Key="file://localhost/gone.mp3"/>
      </NODE>
      <NODE Name="Empty" Type="1" KeyType="0" Entries="0"/>
    </NODE>
  </PLAYLISTS>
</DJ_PLAYLISTS>
"""


def read_text(folder, text):
    path = folder / "library.xml"
    path.write_text(text, encoding="utf-8")
    return read(path)


def read_track(folder, attributes, inner=""):
    """Read a file of one track; return it, with what was lost."""
    text = (
        f"<DJ_PLAYLISTS><COLLECTION><TRACK {attributes}>{inner}</TRACK></COLLECTION></DJ_PLAYLISTS>"
    )
    found = read_text(folder, text)
    return found.tracks[0], [(loss.what, loss.why) for loss in found.losses]


def test_a_file_of_rekordbox_is_read(tmp_path):
    found = read_text(tmp_path, SAMPLE)
    one, mac, stream = found.tracks
    assert replace(one, grid=None, cues=()) == Record(
        "188217463",
        "C:/dj/Music/Älpha - 100%.mp3",
        "One & Two (Mix)",
        "Älpha",
        "Al",
        "Techno",
        "Lbl",
        "c",
        2019,
        128.0,
        "F minor",
        363.0,
        8721653,
        4,
        "#25fde9",
        7,
        None,
        1584144000.0,
    )
    assert one.grid == Grid((Anchor(0.025 * GRID_RATE, 1.0),), 128.0)
    assert one.cues == (
        Cue(0.494, on_load=True),
        Cue(10.0, "fade_in", 12.0, label="in"),
        Cue(60.494, slot=1, label="Drop", color="#28e214"),
        Cue(90.494, "loop", 97.994, slot=3, color="#ff8c00"),
    )
    assert mac == Record("2", "/Library/dj/a+b.aiff", "Mac", rating=0)
    assert stream.location == ""
    assert found.playlists == (
        List("A", ("Sets",), ("2", "188217463", "2")),
        List("B", (), ("2",)),
        List("Empty", (), ()),
    )
    assert [(loss.where, loss.what) for loss in found.losses] == [
        ("Stream", "track"),
        ("B", "entries of a playlist"),
    ]


@QUICK
@given(collection=collections())
def test_what_is_written_is_read(tmp_path_factory, collection):
    path = tmp_path_factory.mktemp("xml") / "library.xml"
    losses = write(collection, path)
    assert {loss.what for loss in losses} <= {"last played"}
    found = read(path)
    assert found.losses == ()
    for track, other in zip(collection.tracks, found.tracks, strict=True):
        bpm = track.bpm or other.bpm  # without one, that of the grid is written
        expected = replace(track, played_at=None, bpm=bpm, grid=None, cues=())
        assert replace(other, grid=None, cues=()) == expected
        assert_beats_agree(track.grid, other.grid)
        assert_cues_agree(track.cues, other.cues, 0.00051)
    assert_lists_agree(collection, found)


def test_a_tempo_that_is_no_hundredth_is_repeated_on_bars(tmp_path):
    grid = Grid((Anchor(0.1 * GRID_RATE, 1.0),), 124.0037)
    path = tmp_path / "library.xml"
    write(Collection((Record("1", "/a.mp3", duration_s=480.0, grid=grid),)), path)
    tempos = [line for line in path.read_text().splitlines() if "<TEMPO" in line]
    assert 'Inizio="0.100" Bpm="124.00" Metro="4/4" Battito="2"' in tempos[0]
    assert len(tempos) > 10
    assert all('Battito="1"' in tempo for tempo in tempos[1:])
    assert_beats_agree(grid, read(path).tracks[0].grid)


def test_a_steady_grid_is_steady_again(tmp_path):
    grid = Grid((Anchor(30.1 * GRID_RATE, 17.0),), 124.0037)
    path = tmp_path / "library.xml"
    write(Collection((Record("1", "/a.mp3", duration_s=480.0, grid=grid),)), path)
    found = read(path).tracks[0].grid
    assert len(found.anchors) == 1
    assert found.bpm == pytest.approx(124.0037, abs=0.0005)


def test_a_grid_has_beats_from_the_start_of_the_track(tmp_path):
    grid = Grid((Anchor(60.0 * GRID_RATE, 0.0),), 120.0)
    path = tmp_path / "library.xml"
    write(Collection((Record("1", "/a.mp3", duration_s=480.0, grid=grid),)), path)
    assert '<TEMPO Inizio="0.000" Bpm="120.00" Metro="4/4" Battito="1"/>' in path.read_text()


def test_other_bars_than_of_four_beats_come_over(tmp_path):
    grid = Grid((Anchor(0.0, 0.0),), 90.0, 3)
    path = tmp_path / "library.xml"
    write(Collection((Record("1", "/a.mp3", duration_s=60.0, grid=grid),)), path)
    assert 'Metro="3/4"' in path.read_text()
    assert read(path).tracks[0].grid == grid


def test_hot_cues_beyond_eight_become_memory_cues(tmp_path):
    cues = tuple(Cue(float(slot), slot=slot, color="#ff0000") for slot in (8, 9, 32))
    path = tmp_path / "library.xml"
    losses = write(Collection((Record("1", "/a.mp3", title="T", cues=cues),)), path)
    assert [(loss.where, loss.what) for loss in losses] == [
        ("T", "hot cue 9"),
        ("T", "color of a cue"),
        ("T", "hot cue 32"),
        ("T", "color of a cue"),
    ]
    found = read(path).tracks[0].cues
    assert [(cue.position_s, cue.slot) for cue in found] == [(8.0, 8), (9.0, None), (32.0, None)]


def test_what_the_format_cannot_say_of_a_cue_is_a_loss(tmp_path):
    cues = (
        Cue(1.0, "drop"),
        Cue(2.0, "drop", label="Here"),
        Cue(3.0, "loop", 4.0, stem="drums"),
        Cue(5.0, "fade_out"),
        Cue(6.0, "loop", 7.0, slot=1, on_load=True),
    )
    path = tmp_path / "library.xml"
    losses = write(Collection((Record("1", "/a.mp3", cues=cues),)), path)
    assert [loss.what for loss in losses] == ["kind of cue", "stem of cue"]
    found = read(path).tracks[0].cues
    assert [(cue.kind, cue.label, cue.end_s, cue.on_load) for cue in found] == [
        ("cue", "drop", None, False),
        ("cue", "Here", None, False),
        ("loop", "", 4.0, False),
        ("fade_out", "", None, False),
        ("loop", "", 7.0, True),
    ]


def test_a_color_that_rekordbox_lacks_becomes_the_nearest(tmp_path):
    path = tmp_path / "library.xml"
    losses = write(Collection((Record("1", "/a.mp3", color="#2060ff"),)), path)
    assert [loss.what for loss in losses] == ["color"]
    assert read(path).tracks[0].color == "#3064ff"
    assert read_track(tmp_path, 'Colour="0x123456"')[0].color == "#123456"


def test_characters_that_xml_lacks_are_left_out_and_reported(tmp_path):
    path = tmp_path / "library.xml"
    track = Record(
        "1", "/music/\udce9\x01.mp3", "a\0b\x1bc\ud800d\uffffe", cues=(Cue(1.0, label="\x07!"),)
    )
    losses = write(Collection((track,), (List("\x02L", ("\x03F",), ("1",)),)), path)
    assert [loss.what for loss in losses] == ["title", "label"]
    found = read(path)
    assert found.tracks[0].title == "abcde"
    assert found.tracks[0].location == "/music/é\x01.mp3"  # read as Windows-1252
    assert "/music/%E9%01.mp3" in path.read_text()
    assert found.tracks[0].cues[0].label == "!"
    assert found.playlists == (List("L", ("F",), ("1",)),)


@pytest.mark.parametrize("location", ["", "relative/a.mp3", "/a\0.mp3", "/a\ud800.mp3"])
def test_a_track_without_a_usable_path_is_left_out(tmp_path, location):
    path = tmp_path / "library.xml"
    tracks = (Record("1", location, "T"), Record("2", "/b.mp3"))
    losses = write(Collection(tracks, (List("L", (), ("1", "2", "7")),)), path)
    assert [(loss.where, loss.what) for loss in losses] == [
        ("T", "track"),
        ("L", "entries of a playlist"),
    ]
    found = read(path)
    assert [track.location for track in found.tracks] == ["/b.mp3"]
    assert found.playlists[0].keys == (found.tracks[0].key,)


ODD = [
    ('Year="-4"', "year", None),
    ('Year="NaN"', "year", None),
    ('Year="1_9"', "year", None),
    ('Year="\uff11\uff19\uff19\uff19"', "year", None),
    ('AverageBpm="1e999"', "bpm", None),
    ('AverageBpm="-1"', "bpm", None),
    ('TotalTime="infinity"', "duration_s", None),
    ('Size="99999999999999999999999"', "size_bytes", None),
    ('Rating="256"', "rating", None),
    ('PlayCount="many"', "play_count", None),
    ('DateAdded="2020-02-31"', "added_at", None),
    ('DateAdded="yesterday"', "added_at", None),
    ('Tonality="H# moll"', "musical_key", ""),
    ('Colour="mauve"', "color", ""),
    (f'Size="{"9" * 5000}"', "size_bytes", None),
]


@pytest.mark.parametrize(("attribute", "name", "value"), ODD)
def test_an_invalid_field_costs_that_field(tmp_path, attribute, name, value):
    track, losses = read_track(tmp_path, f'TrackID="1" Name="T" Location="/a.mp3" {attribute}')
    assert getattr(track, name) == value
    assert (track.title, track.location) == ("T", "/a.mp3")
    assert len(losses) == 1


def test_a_decimal_comma_is_read(tmp_path):
    assert read_track(tmp_path, 'AverageBpm="127,50"')[0].bpm == 127.5


ODD_MARKS = [
    ('Type="0" Start="NaN" Num="0"', None),
    ('Type="0" Num="0"', None),
    ('Type="0" Start="-90" Num="0"', None),
    ('Type="0" Start="900" Num="0"', None),
    ('Type="0" Start="1e9" Num="0"', None),
    ('Type="4" Start="5" Num="0"', Cue(5.0, slot=1)),
    ('Type="4" Start="5" End="4" Num="0"', Cue(5.0, slot=1)),
    ('Type="9" Start="5" Num="0"', Cue(5.0, slot=1)),
    ('Type="0" Start="5" Num="99"', Cue(5.0)),
    ('Type="0" Start="5" Num="x"', Cue(5.0)),
    ('Type="0" Start="5" Num="0" Red="999" Green="0" Blue="0"', Cue(5.0, slot=1)),
]


@pytest.mark.parametrize(("mark", "cue"), ODD_MARKS)
def test_an_invalid_mark_costs_what_is_invalid_of_it(tmp_path, mark, cue):
    marks = f'<POSITION_MARK {mark}/><POSITION_MARK Type="0" Start="7" Num="1"/>'
    track, losses = read_track(tmp_path, 'Name="T" TotalTime="300"', marks)
    assert track.cues == (*([cue] if cue else []), Cue(7.0, slot=2))
    assert len(losses) == 1


def test_slightly_before_the_start_is_the_start(tmp_path):
    mark = '<POSITION_MARK Type="0" Start="-0.026" Num="0"/>'
    assert read_track(tmp_path, "", mark) == (Record("~1", cues=(Cue(0.0, slot=1),)), [])


def test_a_hot_cue_that_is_there_twice_is_one(tmp_path):
    marks = '<POSITION_MARK Type="0" Start="1" Num="0"/>' * 2
    track, losses = read_track(tmp_path, "", marks)
    assert track.cues == (Cue(1.0, slot=1), Cue(1.0))
    assert len(losses) == 1


ODD_TEMPOS = [
    ('Inizio="0" Bpm="0"', None),
    ('Inizio="0" Bpm="NaN"', None),
    ('Inizio="NaN" Bpm="120"', None),
    ('Bpm="120"', None),
    ('Inizio="0" Bpm="5000"', None),
    ('Inizio="0" Bpm="-120"', None),
    ('Inizio="0" Bpm="1e300"', None),
    ('Inizio="0" Bpm="120" Metro="x/y" Battito="z"', Grid((Anchor(0.0, 0.0),), 120.0)),
    ('Inizio="0" Bpm="120" Metro="0/4" Battito="0"', Grid((Anchor(0.0, 0.0),), 120.0)),
    ('Inizio="0" Bpm="120" Metro="3/4" Battito="9"', Grid((Anchor(0.0, 2.0),), 120.0, 3)),
]


@pytest.mark.parametrize(("tempo", "grid"), ODD_TEMPOS)
def test_an_invalid_tempo_costs_itself(tmp_path, tempo, grid):
    track, losses = read_track(tmp_path, 'Name="T"', f"<TEMPO {tempo}/>")
    assert track.grid == grid
    assert track.title == "T"
    assert losses if grid is None else True


def test_tempos_at_one_place_are_one(tmp_path):
    tempos = '<TEMPO Inizio="1" Bpm="120" Metro="4/4" Battito="1"/>' * 3
    track, losses = read_track(tmp_path, "", tempos)
    assert track.grid == Grid((Anchor(48_000.0, 0.0),), 120.0)
    assert len(losses) == 1


def test_two_tracks_of_one_key_are_two(tmp_path):
    track = '<TRACK TrackID="5" Name="{}"/>'
    text = (
        f"<DJ_PLAYLISTS><COLLECTION>{track.format('a')}{track.format('b')}</COLLECTION><PLAYLISTS>"
        '<NODE Type="0" Name="ROOT"><NODE Type="1" Name="L"><TRACK Key="5"/></NODE></NODE>'
        "</PLAYLISTS></DJ_PLAYLISTS>"
    )
    found = read_text(tmp_path, text)
    assert [track.title for track in found.tracks] == ["a", "b"]
    assert len({track.key for track in found.tracks}) == 2
    assert found.playlists[0].keys == (found.tracks[0].key,)
    assert len(found.losses) == 1


@pytest.mark.parametrize("share", [0, 0.3, 0.7, 0.99])
def test_a_file_that_is_cut_short_is_refused_with_its_line(tmp_path, share):
    text = SAMPLE.rstrip()
    with pytest.raises(MediaError, match=r"damaged .* line \d+") as raised:
        read_text(tmp_path, text[: int(len(text) * share)])
    assert raised.value.hint


def test_writing_again_replaces_the_file_and_no_other(tmp_path):
    path = tmp_path / "library.xml"
    path.write_text("old")
    write(Collection((Record("1", "/a.mp3"),)), path)
    assert read(path).tracks[0].location == "/a.mp3"
    assert [file.name for file in tmp_path.iterdir()] == ["library.xml"]


def test_a_file_that_cannot_be_written_is_an_error_with_a_hint(tmp_path):
    with pytest.raises(MediaError, match="cannot write") as raised:
        write(Collection(), tmp_path / "missing" / "library.xml")
    assert raised.value.hint
