"""Serato's folder: database, crates, tagged copies, both ways."""

import struct
import unicodedata

import pytest
from drawn_marks import is_read_or_refused, sound_file
from hypothesis import given
from hypothesis import strategies as st

from sfa_engine.errors import MediaError
from sfa_engine.interchange import serato
from sfa_engine.interchange import serato_crates as crates
from sfa_engine.interchange.record import GRID_RATE, Collection, List, Record
from sfa_engine.library.cues import Cue
from sfa_engine.track.grid import Anchor, Grid

GRID = Grid((Anchor(0.25 * GRID_RATE, 0.0),), 120.0)
NAMES = st.text(
    st.characters(codec="utf-8", exclude_categories=("C", "Z"), exclude_characters='<>:"/\\|?*%.'),
    min_size=1,
    max_size=20,
)


@pytest.fixture
def drive(tmp_path):
    """Two files, and the folder of a drive that takes their copies."""
    (tmp_path / "music").mkdir()
    (tmp_path / "other").mkdir()
    (tmp_path / "drive").mkdir()
    sound_file(tmp_path / "music" / "é one.flac")
    sound_file(tmp_path / "other" / "é one.flac", 2.0)
    return tmp_path


def collection(folder):
    tracks = (
        Record(
            *("1", str(folder / "music" / "é one.flac")),
            title="One",
            artist="A",
            bpm=120.0,
            grid=GRID,
            cues=(Cue(0.5, slot=1, label="x", color="#c02626"),),
        ),
        Record("2", str(folder / "other" / "é one.flac"), title="Two"),
        Record("3", "/nowhere/x.mp3", title="Three"),
        Record("4", title="Four"),
    )
    lists = (List("Set", ("Folder",), ("2", "1", "2")), List("A/B", (), ("1", "3")))
    return Collection(tracks, lists)


def test_tracks_cues_and_crates_come_back(drive):
    losses = serato.write(collection(drive), drive / "drive")
    found = serato.read(drive / "drive")
    assert [(track.key, track.title) for track in found.tracks] == [
        ("é one.flac", "One"),
        ("é one (2).flac", "Two"),
    ]
    assert found.tracks[0].cues[0].label == "x"
    assert found.tracks[0].grid.bpm == 120.0
    assert found.tracks[0].location == str(drive / "drive" / "é one.flac")
    assert found.playlists == (
        List("A-B", (), ("é one.flac",)),
        List("Set", ("Folder",), ("é one (2).flac", "é one.flac")),
    )
    assert sorted((loss.where, loss.what) for loss in losses) == [
        ("A/B", "playlist"),
        ("Four", "track"),
        ("Set", "playlist"),
        ("Three", "track"),
    ]
    # The sources are as they were.
    assert serato.read(drive / "music").tracks[0].cues == ()


def test_the_same_export_again_changes_nothing_and_keeps_what_serato_added(drive):
    serato.write(collection(drive), drive / "drive")
    crate = drive / "drive" / "_Serato_" / "Subcrates" / "A-B.crate"
    crate.write_bytes(crates.crate(["mine.mp3", "é one.flac"]))
    database = drive / "drive" / "_Serato_" / "database V2"
    before = database.read_bytes()
    serato.write(collection(drive), drive / "drive")
    assert crates.parse_crate(crate.read_bytes()) == ["mine.mp3", "é one.flac"]
    assert sorted(each.name for each in (drive / "drive").iterdir()) == [
        "_Serato_",
        "é one (2).flac",
        "é one.flac",
    ]
    assert database.read_bytes() == before


def test_a_file_is_never_its_own_copy(drive):
    source = drive / "music" / "é one.flac"
    before = source.read_bytes()
    with pytest.raises(MediaError, match="no track can be written"):
        serato.write(Collection(collection(drive).tracks[:1]), drive / "music")
    assert source.read_bytes() == before


def test_another_sound_of_the_same_name_stays(drive):
    stranger = drive / "drive" / "é one.flac"
    sound_file(stranger, 0.5)
    before = stranger.read_bytes()
    serato.write(Collection(collection(drive).tracks[:1]), drive / "drive")
    assert stranger.read_bytes() == before
    assert (drive / "drive" / "é one (2).flac").exists()


def test_a_database_of_serato_is_read_with_files_that_are_missing(tmp_path):
    home = tmp_path / "_Serato_"
    home.mkdir()
    row = {
        "ttyp": "mp3", "pfil": "Music/a.mp3", "tsng": "A ♪", "tart": "B", "tlen": "03:45.12",
        "tbpm": "127.99", "tkey": "8A", "ttyr": "2011", "tadd": "1600000000", "ufsb": 1234,
        "ulbl": 0xFF99DD, "bmis": 1, "sxyz": 3,
    }  # fmt: skip
    (home / "database V2").write_bytes(crates.database([row, {"tsng": "no path"}]))
    found = serato.read(home)
    assert len(found.tracks) == 1
    track = found.tracks[0]
    assert (track.key, track.location) == ("Music/a.mp3", "/Music/a.mp3")
    assert (track.title, track.musical_key, track.year, track.bpm) == (
        "A ♪",
        "A minor",
        2011,
        127.99,
    )
    assert (track.duration_s, track.size_bytes, track.color) == (225.12, 1234, "#993377")
    assert [loss.what for loss in found.losses] == ["cue"]
    assert next(crates.parse_database((home / "database V2").read_bytes())) == row


def test_a_name_is_found_in_either_form_of_unicode(tmp_path):
    (tmp_path / "_Serato_").mkdir()
    two, one = unicodedata.normalize("NFD", "é.flac"), "é.flac"
    sound_file(tmp_path / two)
    (tmp_path / "_Serato_" / "database V2").write_bytes(crates.database([{"pfil": one}]))
    assert serato.read(tmp_path).tracks[0].location == str(tmp_path / two)


def test_paths_that_lead_out_of_the_drive_are_not_opened(tmp_path):
    home = tmp_path / "drive" / "_Serato_"
    (home / "Subcrates").mkdir(parents=True)
    sound_file(tmp_path / "secret.flac")
    (home / "Subcrates" / "x.crate").write_bytes(crates.crate(["../secret.flac"]))
    assert serato.read(home).tracks[0].location == "/../secret.flac"


@given(st.lists(NAMES, min_size=1, max_size=4))
def test_names_of_crates_come_back(parts):
    name = crates.CrateName(parts[-1], tuple(parts[:-1]))
    assert name.is_exact or len(name.file) > 200
    assert not name.is_exact or crates.crate_name(name.file.removesuffix(".crate")) == name


@given(st.lists(st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=60)))
def test_paths_of_crates_come_back(paths):
    assert crates.parse_crate(crates.crate(paths)) == paths


@pytest.mark.parametrize("name", ["../../x", "a%%b", "..", "CON", "a" * 300, "a\nb", " "])
def test_a_name_of_a_crate_stays_in_its_folder(name):
    file = crates.CrateName(name, (name,)).file
    assert "/" not in file
    assert not file.startswith(".")
    assert len(file.encode()) < 255


@given(st.binary(max_size=300))
def test_any_bytes_are_a_database_or_refused(data):
    head = b"vrsn" + struct.pack(">I", 20) + "2.0/Database".encode("utf-16-be")[:20]
    for content in (data, head + data):
        for parse in (lambda each: list(crates.parse_database(each)), crates.parse_crate):
            assert is_read_or_refused(parse, content)


def test_a_cut_database_is_read_up_to_there(tmp_path):
    home = tmp_path / "_Serato_"
    home.mkdir()
    data = crates.database([{"pfil": f"{index}.mp3"} for index in range(5)])
    (home / "database V2").write_bytes(data[:-3])
    found = serato.read(tmp_path)
    assert len(found.tracks) == 4
    assert "cut" in found.losses[0].why


def test_what_is_not_of_serato_is_refused(tmp_path):
    (tmp_path / "x.txt").write_text("x")
    for path in (tmp_path, tmp_path / "x.txt", tmp_path / "nowhere"):
        with pytest.raises(MediaError) as caught:
            serato.read(path)
        assert caught.value.hint
