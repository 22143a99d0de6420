"""Engine DJ's library: its blobs, its tables, both ways."""

import os
import sqlite3
import struct
import zlib

import numpy as np
import pytest
from drawn_marks import is_read_or_refused, pads, sound_file, whole_grids
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sfa_engine.errors import MediaError
from sfa_engine.interchange import engine_blobs as blobs
from sfa_engine.interchange import engine_dj
from sfa_engine.interchange.engine_schema import VERSION
from sfa_engine.interchange.record import GRID_RATE, Collection, List, Record
from sfa_engine.library.cues import Cue
from sfa_engine.track.grid import Anchor, Grid
from sfa_engine.track.key import KEYS

GRID = Grid((Anchor(0.25 * GRID_RATE, 0.0), Anchor(8.25 * GRID_RATE, 16.0)), 128.0)
DATABASE = "Engine Library/Database2/m.db"


def unzipped(blob):
    assert struct.unpack(">I", blob[:4])[0] == len(zlib.decompress(blob[4:]))
    return zlib.decompress(blob[4:])


def test_track_data_is_as_documented():
    data = unzipped(blobs.track_data(44_100.0, 5_000_000, 3))
    assert struct.unpack(">dqi3d", data) == (44_100.0, 5_000_000, 3, 0.0, 0.0, 0.0)


def test_a_grid_goes_from_beat_minus_four_to_beyond_the_end():
    data = unzipped(blobs.beat_data(Grid((Anchor(24_000.0, 0.0),), 120.0), 44_100.0, 60.0)[0])
    assert struct.unpack_from(">ddBq", data) == (44_100.0, 60.0 * 44_100, 1, 2)
    first, last = (struct.unpack_from("<dqii", data, at) for at in (25, 49))
    assert first == (pytest.approx((0.5 - 2.0) * 44_100), -4, 4 + 120, 0)
    assert last == (pytest.approx(60.5 * 44_100), 120, 0, 0)
    assert data[17:73] == data[73:]  # as analysed and as adjusted


def test_unset_places_are_minus_one():
    data = unzipped(blobs.quick_cues({1: blobs.Pad(1000.0, None, "é", 0x102030)}, None))
    assert data[:8] == struct.pack(">q", 8)
    assert struct.unpack_from(">BdI", data, 8) == (0, -1.0, 0)
    assert data[21:23] == b"\1\xe9"
    assert struct.unpack_from(">dI", data, 23) == (1000.0, 0xFF102030)
    assert struct.unpack_from(">dBd", data, len(data) - 17) == (0.0, 0, 0.0)
    loops = blobs.loops({})
    assert loops[:8] == struct.pack("<q", 8)
    assert struct.unpack_from("<BddBB4s", loops, 8) == (0, -1.0, -1.0, 0, 0, bytes(4))
    assert len(loops) == 8 + 8 * 23


def test_keys_go_round_the_fifths():
    assert [engine_dj._KEYS[code] for code in (0, 1, 2, 3, 22, 23)] == [
        "C major", "A minor", "G major", "E minor", "F major", "D minor",
    ]  # fmt: skip
    assert sorted(engine_dj._KEYS.values()) == sorted(KEYS)


@given(whole_grids(), st.sampled_from([44_100.0, 48_000.0, 96_000.0]))
def test_a_grid_comes_back_in_every_beat(grid, rate):
    data, exact = blobs.beat_data(grid, rate, 480.0)
    made = blobs.parse_beat_data(data)
    at = float(grid.frame_of(0, GRID_RATE))
    shift = round(float(made.beat_of(at, GRID_RATE)))
    beats = np.arange(max(0, -shift), grid.beat_of(480 * GRID_RATE, GRID_RATE))
    apart = made.frame_of(beats + shift, GRID_RATE) - grid.frame_of(beats, GRID_RATE)
    assert exact
    assert shift % 4 == 0  # downbeats stay downbeats
    assert np.abs(apart).max() < 0.01


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "stick").mkdir()
    sound_file(tmp_path / "stick" / "a.flac", rate=48_000)
    return tmp_path / "stick"


def collection(folder, **values):
    return Collection((Record("1", str(folder / "a.flac"), **values),))


def test_fields_cues_loops_and_grid_come_back(folder):
    cues = (
        Cue(0.5, on_load=True, slot=2, label="x", color="#112233"),
        Cue(1.25, kind="loop", end_s=2.0, slot=9, color="#445566"),
    )
    written = collection(
        folder, title="T", artist="A", album="B", genre="G", label="L", comment="C", year=2011,
        bpm=128.25, musical_key="F# minor", duration_s=200.0, rating=4, played_at=1e9,
        added_at=2e9, grid=GRID, cues=cues,
    )  # fmt: skip
    assert engine_dj.write(written, folder) == []
    found = engine_dj.read(folder)
    assert found.losses == ()
    track, wrote = found.tracks[0], written.tracks[0]
    for name in (
        "title", "artist", "album", "genre", "label", "comment", "year", "bpm", "musical_key",
        "duration_s", "rating", "played_at", "added_at", "location",
    ):  # fmt: skip
        assert getattr(track, name) == getattr(wrote, name), name
    assert track.size_bytes == (folder / "a.flac").stat().st_size
    assert [cue for cue in track.cues if cue.slot] == [
        Cue(0.5, slot=2, label="x", color="#112233"), cues[1],
    ]  # fmt: skip
    assert [cue for cue in track.cues if cue.on_load] == [Cue(0.5, on_load=True)]
    at = track.grid.frame_of([4, 12, 36], GRID_RATE) - GRID.frame_of([4, 12, 36], GRID_RATE)
    assert np.abs(at).max() < 0.01


def test_the_tables_are_those_of_the_program(folder):
    engine_dj.write(collection(folder, grid=GRID), folder)
    with sqlite3.connect(folder / DATABASE) as connection:
        row = connection.execute(
            "SELECT path, filename, fileType, isAnalyzed, originTrackId = id,"
            " originDatabaseUuid = (SELECT uuid FROM Information) FROM Track"
        ).fetchone()
        version = connection.execute(
            "SELECT schemaVersionMajor, schemaVersionMinor, schemaVersionPatch FROM Information"
        ).fetchone()
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        assert connection.execute("SELECT COUNT(*) FROM PlaylistPath").fetchone() == (0,)
        # A row of the program's own comes after ours, with its performance data.
        connection.execute("INSERT INTO Track (path) VALUES ('x')")
        assert connection.execute("SELECT trackId FROM PerformanceData").fetchall() == [(1,), (2,)]
        connection.rollback()
    connection.close()
    assert row == ("../a.flac", "a.flac", "flac", 1, 1, 1)
    assert version == VERSION


def test_playlists_keep_order_and_folders(folder):
    tracks = tuple(Record(str(index), f"/m/{index}.mp3") for index in range(5))
    lists = (
        List("B", ("F",), ("3", "1", "4", "1")),
        List("A", ("F",), ("0",)),
        List("F", (), ("2",)),
        List("A", ("F",), ("1",)),
        List("Z", (), ("9",)),
    )
    losses = engine_dj.write(Collection(tracks, lists), folder)
    found = engine_dj.read(folder / "Engine Library")
    keys = {track.location: str(index) for index, track in enumerate(tracks)}
    back = {track.key: keys[track.location] for track in found.tracks}
    assert [
        (each.folders, each.name, [back[key] for key in each.keys]) for each in found.playlists
    ] == [
        ((), "F", ["2"]),
        (("F",), "B", ["3", "1", "4"]),
        (("F",), "A", ["0"]),
        (("F",), "A (2)", ["1"]),
        ((), "Z", []),
    ]
    assert len([loss for loss in losses if loss.what == "playlist"]) == 3


@settings(max_examples=12, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(pads(milliseconds=False))
def test_any_cues_and_loops_come_back(folder, cues):
    database = folder / DATABASE
    database.unlink(missing_ok=True)
    losses = engine_dj.write(collection(folder, cues=cues), folder)
    found = engine_dj.read(folder).tracks[0].cues
    assert sorted(cue.slot for cue in found) == sorted(cue.slot for cue in cues)
    theirs = {cue.slot: cue for cue in found}
    for cue in cues:
        made = theirs[cue.slot]
        assert made.position_s == pytest.approx(cue.position_s, abs=1e-9)
        assert (made.end_s or 0) == pytest.approx(cue.end_s or 0, abs=1e-9)
        assert made.color == cue.color
        is_lost = any(loss.what == "label" for loss in losses)
        assert made.label == cue.label or is_lost


def test_a_library_that_exists_is_not_touched(folder):
    engine_dj.write(collection(folder), folder)
    before = (folder / DATABASE).read_bytes()
    with pytest.raises(MediaError, match="exists"):
        engine_dj.write(collection(folder, title="other"), folder)
    assert (folder / DATABASE).read_bytes() == before
    assert os.listdir(folder / "Engine Library" / "Database2") == ["m.db"]  # noqa: PTH208


@pytest.mark.parametrize("version", [(1, 18), (3, 9), (4, 0), (None, None)])
def test_an_unknown_schema_is_refused(folder, version):
    engine_dj.write(collection(folder), folder)
    connection = sqlite3.connect(folder / DATABASE)
    connection.execute(
        "UPDATE Information SET schemaVersionMajor = ?, schemaVersionMinor = ?", version
    )
    connection.commit()
    connection.close()
    with pytest.raises(MediaError, match="schema") as caught:
        engine_dj.read(folder)
    assert caught.value.hint


def test_the_schema_before_performance_data_is_read(folder):
    engine_dj.write(collection(folder, title="T", grid=GRID, cues=(Cue(1.0, slot=1),)), folder)
    connection = sqlite3.connect(folder / DATABASE)
    for name in ("trackData", "beatData", "quickCues", "loops"):
        connection.execute(f"ALTER TABLE Track ADD COLUMN {name} BLOB")
        connection.execute(f"UPDATE Track SET {name} = (SELECT {name} FROM PerformanceData)")  # noqa: S608
    connection.executescript(
        "DROP TRIGGER trigger_PerformanceData_after_update_Track_timestamp;"
        "DROP TRIGGER trigger_after_insert_Track_insert_performance_data;"
        "DROP TABLE PerformanceData;"
        "UPDATE Information SET schemaVersionMajor = 2, schemaVersionMinor = 21;"
    )
    connection.commit()
    connection.close()
    track = engine_dj.read(folder).tracks[0]
    assert (track.title, track.cues[0].position_s) == ("T", 1.0)
    assert track.grid is not None


@pytest.mark.parametrize("name", ["trackData", "beatData", "quickCues", "loops"])
def test_a_damaged_blob_costs_no_track(folder, name):
    engine_dj.write(collection(folder, title="T", grid=GRID, cues=(Cue(1.0, slot=1),)), folder)
    connection = sqlite3.connect(folder / DATABASE)
    connection.execute(f"UPDATE PerformanceData SET {name} = X'00000010FFFFFFFFFFFFFFFF'")  # noqa: S608
    connection.commit()
    connection.close()
    found = engine_dj.read(folder)
    assert found.tracks[0].title == "T"
    assert len(found.losses) == (name != "trackData")  # the rate is in another one too


def test_playlists_that_are_linked_in_a_ring_end(folder):
    tracks = tuple(Record(str(index), f"/m/{index}.mp3") for index in range(3))
    lists = (List("A", (), ("0", "1", "2")), List("B", (), ("0",)))
    engine_dj.write(Collection(tracks, lists), folder)
    connection = sqlite3.connect(folder / DATABASE)
    connection.executescript(
        "DROP TRIGGER trigger_after_update_isPersistParent;"
        "UPDATE PlaylistEntity SET nextEntityId = 1 WHERE id = 3;"
        "UPDATE Playlist SET parentListId = id;"
    )
    connection.commit()
    connection.close()
    assert engine_dj.read(folder).playlists == ()
    connection = sqlite3.connect(folder / DATABASE)
    connection.execute("UPDATE Playlist SET parentListId = 0")
    connection.commit()
    connection.close()
    found = engine_dj.read(folder).playlists
    assert sorted((each.name, sorted(each.keys)) for each in found) == [
        ("A", ["1", "2", "3"]), ("B", ["1"]),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("parse", "data"),
    [
        (blobs.parse_beat_data, blobs.packed(struct.pack(">ddBq", 44_100, 1, 1, 1 << 40))),
        (blobs.parse_beat_data, blobs.packed(struct.pack(">ddBqq", 0, 1, 1, 0, 0))),
        (blobs.parse_quick_cues, blobs.packed(struct.pack(">q", 4 << 30))),
        (blobs.parse_quick_cues, blobs.packed(struct.pack(">q", -1))),
        (blobs.parse_loops, struct.pack("<q", 4 << 30) + bytes(50)),
        (blobs.unpacked, b"\0\0\0\x09" + zlib.compress(b"12345678")),
        (blobs.unpacked, struct.pack(">I", 1 << 30) + zlib.compress(bytes(1 << 25))),
        (blobs.unpacked, b"\0\0\0\1abc"),
    ],
)
def test_wrong_counts_and_bombs_are_refused(parse, data):
    with pytest.raises(MediaError) as caught:
        parse(data)
    assert caught.value.hint


@given(st.binary(max_size=300))
def test_any_bytes_are_a_blob_or_refused(data):
    parsers = (blobs.parse_beat_data, blobs.parse_quick_cues, blobs.rate_of)
    for content in (
        data,
        blobs.packed(data),
        blobs.packed(struct.pack(">ddB", 44_100, 1, 1) + data),
    ):
        assert all(is_read_or_refused(parse, content) for parse in parsers)
    assert is_read_or_refused(blobs.parse_loops, data)
