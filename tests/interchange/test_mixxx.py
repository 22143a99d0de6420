"""Mixxx's database, made here to its documented tables."""

import sqlite3
import struct

import numpy as np
import pytest
from drawn_marks import is_read_or_refused
from hypothesis import given
from hypothesis import strategies as st

from sfa_engine.errors import MediaError
from sfa_engine.interchange import mixxx
from sfa_engine.interchange.record import GRID_RATE, List
from sfa_engine.library.cues import Cue

TABLES = """
CREATE TABLE settings (name TEXT UNIQUE NOT NULL, value TEXT, locked INTEGER, hidden INTEGER);
CREATE TABLE track_locations (id INTEGER PRIMARY KEY AUTOINCREMENT, location varchar(512) UNIQUE,
  filename varchar(512), directory varchar(512), filesize INTEGER, fs_deleted INTEGER,
  needs_verification INTEGER);
CREATE TABLE library (id INTEGER PRIMARY KEY AUTOINCREMENT, artist varchar(64), title varchar(64),
  album varchar(64), year varchar(16), genre varchar(64), tracknumber varchar(3),
  location INTEGER REFERENCES track_locations(location), comment varchar(256), url varchar(256),
  duration FLOAT, bitrate INTEGER, samplerate INTEGER, cuepoint INTEGER, bpm FLOAT,
  wavesummaryhex BLOB, channels INTEGER, datetime_added DEFAULT CURRENT_TIMESTAMP,
  mixxx_deleted INTEGER, played INTEGER, header_parsed INTEGER DEFAULT 0,
  filetype varchar(8) DEFAULT '?', timesplayed INTEGER DEFAULT 0, rating INTEGER DEFAULT 0,
  key varchar(8) DEFAULT '', beats BLOB, beats_version TEXT, key_id INTEGER DEFAULT 0,
  color INTEGER, last_played_at DATETIME DEFAULT NULL);
CREATE TABLE cues (id INTEGER PRIMARY KEY AUTOINCREMENT, track_id INTEGER NOT NULL,
  type INTEGER DEFAULT 0 NOT NULL, position INTEGER DEFAULT -1 NOT NULL,
  length INTEGER DEFAULT 0 NOT NULL, hotcue INTEGER DEFAULT -1 NOT NULL,
  label TEXT DEFAULT '' NOT NULL, color INTEGER DEFAULT 4294901760 NOT NULL);
CREATE TABLE Playlists (id INTEGER PRIMARY KEY, name varchar(48), position INTEGER,
  hidden INTEGER DEFAULT 0 NOT NULL, date_created datetime, date_modified datetime);
CREATE TABLE PlaylistTracks (id INTEGER PRIMARY KEY, playlist_id INTEGER, track_id INTEGER,
  position INTEGER);
CREATE TABLE crates (id INTEGER PRIMARY KEY AUTOINCREMENT, name varchar(48) UNIQUE NOT NULL);
CREATE TABLE crate_tracks (crate_id INTEGER NOT NULL, track_id INTEGER NOT NULL);
"""


def field(number, data):
    return bytes([number << 3 | 2]) + varint(len(data)) + data


def varint(number):
    out = b""
    while number > 0x7F:
        out += bytes([number & 0x7F | 0x80])
        number >>= 7
    return out + bytes([number])


def double(number, value):
    return bytes([number << 3 | 1]) + struct.pack("<d", value)


def beat_map(frames):
    return b"".join(field(1, double(1, frame)) for frame in frames)


def beat_grid(bpm, frame):
    return field(1, double(1, bpm)) + field(2, double(1, frame) + b"\x10\x01")


def add(connection, **values):
    number = connection.execute(
        "INSERT INTO track_locations (location, filesize) VALUES (?, 1000)",
        (values.pop("path", "/music/a.flac"),),
    ).lastrowid
    values = {"location": number, "mixxx_deleted": 0, "samplerate": 44_100, **values}
    places = ", ".join("?" * len(values))
    command = f"INSERT INTO library ({', '.join(values)}) VALUES ({places})"  # noqa: S608
    return connection.execute(command, tuple(values.values())).lastrowid


@pytest.fixture
def database(tmp_path):
    path = tmp_path / "mixxxdb.sqlite"
    connection = sqlite3.connect(path)
    connection.executescript(TABLES)
    yield path, connection
    connection.close()


def only(database):
    path, connection = database
    connection.commit()
    found = mixxx.read(path)
    return found.tracks[0], found


def test_fields_cues_and_lists_come_over(database):
    _, connection = database
    track = add(
        connection, title="T", artist="A", album="B", year="2011-02-03", genre="G", comment="C",
        duration=200.5, bpm=120.25, key_id=22, rating=4, timesplayed=3, color=0x123456,
        last_played_at="2024-01-02T03:04:05Z", datetime_added="2020-01-01 00:00:00",
        beats=beat_grid(120.25, 11_025.0), beats_version="BeatGrid-2.0",
    )  # fmt: skip
    for kind, position, length, hotcue, label in (
        (1, 88_200.5, 0, 0, "one"),
        (4, 176_400, 44_100, 7, "loop"),
        (2, 22_050, 0, -1, ""),
        (6, 4_410, 8_820, -1, ""),
        (8, 1, 2, -1, ""),
        (1, -1, 0, 3, "unset"),
    ):
        connection.execute(
            "INSERT INTO cues (track_id, type, position, length, hotcue, label, color)"
            " VALUES (?, ?, ?, ?, ?, ?, ?)",
            (track, kind, position, length, hotcue, label, 0xFF0000),
        )
    connection.executescript(
        "INSERT INTO Playlists VALUES (5, 'Set', 1, 0, '', ''), (6, 'History', 2, 2, '', '');"
        "INSERT INTO PlaylistTracks VALUES (1, 5, 1, 2), (2, 5, 99, 1), (3, 5, 1, 3), (4, 6, 1, 1);"
        "INSERT INTO crates VALUES (1, 'Crate'); INSERT INTO crate_tracks VALUES (1, 1);"
    )
    track, found = only(database)
    assert (track.title, track.artist, track.album, track.genre) == ("T", "A", "B", "G")
    assert (track.year, track.bpm, track.musical_key) == (2011, 120.25, "A minor")
    assert (track.rating, track.play_count, track.color) == (4, 3, "#123456")
    assert (track.played_at, track.added_at) == (1_704_164_645.0, 1_577_836_800.0)
    assert (track.location, track.size_bytes) == ("/music/a.flac", 1000)
    assert track.cues == (
        Cue(4_410 / 88_200, kind="intro"),
        Cue(22_050 / 88_200, on_load=True),
        Cue(88_200.5 / 88_200, slot=1, label="one", color="#ff0000"),
        Cue(2.0, kind="loop", end_s=2.5, slot=8, label="loop", color="#ff0000"),
    )
    assert track.grid.bpm == 120.25
    assert track.grid.anchors[0].frame == pytest.approx(0.25 * GRID_RATE)
    assert found.playlists == (List("Set", (), ("1", "1")), List("Crate", ("Crates",), ("1",)))
    assert [(loss.what) for loss in found.losses] == ["end of the intro", "downbeats"]


def test_a_beat_map_becomes_few_anchors_within_half_a_millisecond(database):
    _, connection = database
    spacing = np.concatenate([np.full(300, 20_000.0), np.linspace(20_000, 22_000, 200)])
    frames = np.cumsum(spacing) + 1000
    add(connection, beats=beat_map(np.round(frames)), beats_version="BeatMap-1.0")
    track, _ = only(database)
    assert len(track.grid.anchors) < 60
    apart = track.grid.frame_of(np.arange(500), GRID_RATE) / GRID_RATE - frames / 44_100
    assert np.abs(apart).max() < 0.0006


def test_beats_of_mixxx_2_3_are_whole_numbers_and_may_be_negative(database):
    _, connection = database
    minus = varint((1 << 64) - 4410)
    data = field(1, double(1, 100.0)) + field(2, b"\x08" + minus)
    add(connection, beats=data, beats_version="BeatGrid-2.0")
    track, _ = only(database)
    assert track.grid.anchors[0].frame == pytest.approx(-4800)


def test_hot_cues_beyond_ours_keep_their_place_without_a_number(database):
    _, connection = database
    track = add(connection)
    for hotcue in (31, 32, 35, 31):
        connection.execute(
            "INSERT INTO cues (track_id, type, position, hotcue) VALUES (?, 1, 88200, ?)",
            (track, hotcue),
        )
    track, found = only(database)
    assert [cue.slot for cue in track.cues] == [32, None, None, None]
    assert len(found.losses) == 3


def test_an_old_database_without_colors_and_beats_is_read(tmp_path):
    path = tmp_path / "mixxxdb.sqlite"
    connection = sqlite3.connect(path)
    connection.executescript(
        "CREATE TABLE track_locations (id INTEGER, location TEXT, filesize INTEGER);"
        "CREATE TABLE library (id INTEGER, title TEXT, location INTEGER, mixxx_deleted INTEGER);"
        "CREATE TABLE cues (id INTEGER, track_id INTEGER, type INTEGER, position INTEGER);"
        "INSERT INTO track_locations VALUES (1, 'C:/a.mp3', 5);"
        "INSERT INTO library VALUES (1, 'T', 1, NULL);"
    )
    connection.commit()
    connection.close()
    assert mixxx.read(path).tracks[0].title == "T"


def test_what_is_still_in_the_wal_is_read_and_the_original_stays(database):
    path, connection = database
    connection.execute("PRAGMA journal_mode = WAL")
    add(connection, title="T")
    connection.commit()
    assert path.with_name(path.name + "-wal").stat().st_size > 0
    before = path.read_bytes()
    assert mixxx.read(path.parent).tracks[0].title == "T"
    assert path.read_bytes() == before


@pytest.fixture
def crashed(database, tmp_path):
    """The folder of a database whose writer died within a transaction."""
    path, connection = database
    add(connection, title="before")
    connection.commit()
    connection.execute("PRAGMA cache_spill = 1")
    connection.execute("PRAGMA cache_size = 1")
    connection.execute("UPDATE library SET title = 'half'")
    for index in range(300):
        add(connection, title="x" * 500, path=f"/{index}")
    folder = tmp_path / "crashed"
    folder.mkdir()
    for name in (path.name, path.name + "-journal"):
        (folder / name).write_bytes((path.parent / name).read_bytes())
    connection.rollback()
    assert (folder / f"{path.name}-journal").stat().st_size > 0
    return folder


def test_a_hot_journal_is_rolled_back_in_the_copy(crashed):
    assert [track.title for track in mixxx.read(crashed).tracks] == ["before"]


def test_a_journal_deletes_no_file_that_it_names(crashed, tmp_path):
    victim = tmp_path / "victim"
    victim.touch()
    name = str(victim).encode()
    journal = crashed / "mixxxdb.sqlite-journal"
    magic = bytes.fromhex("d9d505f920a163d7")
    tail = struct.pack(">I", 0x40000000 // 4096 + 1) + name
    tail += struct.pack(">II", len(name), sum(name)) + magic
    journal.write_bytes(journal.read_bytes() + tail)
    mixxx.read(crashed)
    assert victim.exists()


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "not an SQLite"),
        (b"<?xml version", "not an SQLite"),
        (b"SQLite format 3\0" + bytes(84), "cannot read"),
        (b"SQLite format 3\0" + b"\xff" * 4000, "cannot read"),
    ],
)
def test_what_is_no_database_is_refused(tmp_path, content, words):
    path = tmp_path / "x.sqlite"
    path.write_bytes(content)
    with pytest.raises(MediaError, match=words) as caught:
        mixxx.read(path)
    assert caught.value.hint


def test_a_newer_schema_and_another_programs_database_are_refused(database, tmp_path):
    path, connection = database
    connection.execute(
        "INSERT INTO settings VALUES ('mixxx.schema.min_compatible_version', '99', 0, 0)"
    )
    connection.commit()
    with pytest.raises(MediaError, match="schema 99"):
        mixxx.read(path)
    other = sqlite3.connect(tmp_path / "other.sqlite")
    other.execute("CREATE TABLE library (id)")
    other.close()
    with pytest.raises(MediaError, match="no table track_locations"):
        mixxx.read(tmp_path / "other.sqlite")


def test_values_of_any_type_cost_their_field(database):
    _, connection = database
    track = add(
        connection, title=b"\xff", artist=7, bpm="x", duration=-1, rating=99, year="x",
        key_id=99, key="??", color="red", last_played_at="yesterday", samplerate=44_100,
        beats="text", beats_version=3, timesplayed=1e300,
    )  # fmt: skip
    connection.execute(
        "INSERT INTO cues (track_id, type, position, length, hotcue, label, color)"
        " VALUES (?, 4, 88200, 0, 'x', 5, 'y')",
        (track,),
    )
    track, found = only(database)
    assert track.bpm is track.duration_s is track.rating is track.year is None
    assert (track.cues, track.color, track.musical_key) == ((), "", "")
    assert [loss.what for loss in found.losses] == ["loop"]


@pytest.mark.parametrize(
    ("version", "data"),
    [
        ("BeatGrid-2.0", beat_grid(0.0, 0.0)),
        ("BeatGrid-2.0", beat_grid(float("nan"), 0.0)),
        ("BeatGrid-2.0", b"\x0a\xff\xff\xff\xff\x0f"),
        ("BeatMap-1.0", beat_map([1, 1, 1])),
        ("BeatMap-1.0", beat_map([1, 2, 3])),
        ("Beats-9", b"x"),
    ],
)
def test_wrong_beats_cost_the_grid_alone(database, version, data):
    add(database[1], title="T", beats=data, beats_version=version)
    track, found = only(database)
    assert (track.title, track.grid) == ("T", None)
    assert [loss.what for loss in found.losses] == ["grid"]


def test_a_view_that_never_ends_is_interrupted(tmp_path, monkeypatch):
    monkeypatch.setattr("sfa_engine.interchange.sqlite_copy.QUERY_LIMIT_S", 0.1)
    path = tmp_path / "x.sqlite"
    connection = sqlite3.connect(path)
    connection.executescript(
        "CREATE TABLE track_locations (id INTEGER, location TEXT, filesize INTEGER);"
        "CREATE TABLE cues (id INTEGER);"
        "CREATE VIEW library AS WITH RECURSIVE n(id) AS (SELECT 1 UNION ALL SELECT id + 1 FROM n)"
        " SELECT id, id AS location, 0 AS mixxx_deleted FROM n;"
    )
    connection.close()
    with pytest.raises(MediaError, match="too long"):
        mixxx.read(path)


@given(st.binary(max_size=300), st.sampled_from(["BeatMap-1.0", "BeatGrid-2.0"]))
def test_any_bytes_are_beats_or_refused(data, version):
    losses = []
    mixxx._grid("x", data, version, 44_100.0, losses)
    for part in (field(1, data), field(1, double(1, 120.0)) + field(2, data)):
        assert is_read_or_refused(mixxx.parse_beat_grid, part, 44_100.0)
