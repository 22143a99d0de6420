"""M3U, CUE sheets and set lists: what others write is read, and what is written is read back."""

from __future__ import annotations

import codecs
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sfa_engine.errors import MediaError, SfaError
from sfa_engine.interchange import cue_sheet, m3u, set_list
from sfa_engine.interchange.record import Collection, List, Record
from sfa_engine.library.cues import Cue

NAMES = st.text(st.characters(exclude_categories=("Cs", "Cc", "Zl", "Zp")), min_size=1, max_size=30)


def written(path: Path, content: str | bytes) -> Path:
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


# ---------------------------------------------------------------------- M3U


@pytest.mark.parametrize(
    ("line", "location"),
    [
        ("a.mp3", "{}/a.mp3"),
        ("../up/b.mp3", "{}/../up/b.mp3"),
        ("/music/c d.mp3", "/music/c d.mp3"),
        ("C:\\Music\\d.mp3", "C:/Music/d.mp3"),
        ("sub\\e.mp3", "{}/sub/e.mp3"),
        ("\\\\nas\\share\\f.mp3", "//nas/share/f.mp3"),
        ("file:///music/g%20h%25.mp3", "/music/g h%.mp3"),
        ("file://localhost/C:/Music/i.mp3", "C:/Music/i.mp3"),
        ("file:///C:/Music/j.mp3", "C:/Music/j.mp3"),
        ("http://radio.example/k.mp3", "http://radio.example/k.mp3"),
        ("100%.mp3", "{}/100%.mp3"),
    ],
)
def test_a_path_of_any_kind_is_read(tmp_path: Path, line: str, location: str) -> None:
    found = m3u.read(written(tmp_path / "list.m3u", f"{line}\n"))
    wanted = location.format(tmp_path)
    if "/../" in wanted:
        wanted = str((tmp_path / "../up/b.mp3").resolve())
    assert [track.location for track in found.tracks] == [wanted]


@pytest.mark.parametrize(
    "content",
    [
        "#EXTM3U\r\n#EXTINF:61,Björk - Jóga\r\nJóga.mp3\r\n".encode(),
        codecs.BOM_UTF8 + "#EXTINF:61,Björk - Jóga\nJóga.mp3\n".encode(),
        "#EXTINF:61,Björk - Jóga\nJóga.mp3\n".encode("cp1252"),
        codecs.BOM_UTF16_LE + "#EXTINF:61,Björk - Jóga\nJóga.mp3\n".encode("utf-16-le"),
        codecs.BOM_UTF16_BE + "#EXTINF:61,Björk - Jóga\nJóga.mp3\n".encode("utf-16-be"),
        "#EXTINF:61,Björk - Jóga\nJóga.mp3\n".encode("utf-16-le"),
        "#EXTINF:61,Björk - Jóga\nJóga.mp3\n".encode("utf-16-be"),
    ],
)
def test_any_encoding_is_read(tmp_path: Path, content: bytes) -> None:
    (track,) = m3u.read(written(tmp_path / "list.m3u", content)).tracks
    assert (track.artist, track.title, track.duration_s) == ("Björk", "Jóga", 61.0)
    assert track.location == f"{tmp_path}/Jóga.mp3"


def test_a_track_that_is_twice_in_a_list_is_one_track(tmp_path: Path) -> None:
    found = m3u.read(written(tmp_path / "Set.m3u8", "#PLAYLIST:Friday\na.mp3\nb.mp3\na.mp3\n"))
    assert len(found.tracks) == 2
    first, second = (track.key for track in found.tracks)
    assert found.playlists == (List("Friday", keys=(first, second, first)),)


@pytest.mark.parametrize("content", [b"", b"#EXTM3U\n", b"\xff\xd8\xff\xe0\0\0\x10JFIF", b"\0" * 9])
def test_what_is_no_playlist_is_refused(tmp_path: Path, content: bytes) -> None:
    with pytest.raises(MediaError) as refused:
        m3u.read(written(tmp_path / "x.m3u", content))
    assert refused.value.hint


def test_paths_below_the_list_are_relative_and_a_name_with_a_hash_is_no_comment(
    tmp_path: Path,
) -> None:
    inside, hashed, outside = (
        Record("1", str(tmp_path / "a b.mp3"), title="A", duration_s=61.4),
        Record("2", str(tmp_path / "#1.mp3"), title="B"),
        Record("3", "/elsewhere/c.mp3", title="C"),
    )
    path = tmp_path / "list.m3u8"
    lists = (List("Friday", keys=("3", "1", "2", "1")),)
    assert m3u.write(Collection((inside, hashed, outside), lists), path) == []
    assert path.read_text().splitlines() == [
        *("#EXTM3U", "#PLAYLIST:Friday", "#EXTINF:-1,C", "/elsewhere/c.mp3"),
        *("#EXTINF:61,A", "a b.mp3", "#EXTINF:-1,B", "./#1.mp3", "#EXTINF:61,A", "a b.mp3"),
    ]


def test_a_track_without_a_file_is_a_loss(tmp_path: Path) -> None:
    tracks = (Record("1", title="A"), Record("2", "/a\nb.mp3", title="B"), Record("3", "/c.mp3"))
    losses = m3u.write(Collection(tracks), tmp_path / "list.m3u8")
    assert [(loss.where, loss.what) for loss in losses] == [("A", "track"), ("B", "track")]


@settings(max_examples=60, deadline=None)
@given(st.lists(NAMES.filter(lambda name: name.strip() == name and "/" not in name), min_size=1))
def test_what_is_written_is_read_back(tmp_path_factory, names: list[str]) -> None:
    folder = tmp_path_factory.getbasetemp()
    names = [name for name in names if name not in {".", ".."} and "\\" not in name] or ["x"]
    tracks = tuple(
        Record(str(number), f"/music/{name}.mp3", title=f"t{number}", duration_s=float(number + 1))
        for number, name in enumerate(names)
    )
    m3u.write(Collection(tracks), folder / "back.m3u8")
    found = m3u.read(folder / "back.m3u8")
    places = {track.key: track.location for track in found.tracks}
    assert [places[key] for key in found.playlists[0].keys] == [t.location for t in tracks]


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=300))
def test_no_bytes_break_the_readers(tmp_path_factory, content: bytes) -> None:
    path = tmp_path_factory.getbasetemp() / "any"
    for module in (m3u, cue_sheet):
        for start in (b"", b'FILE "a.wav" WAVE\nTRACK 01 AUDIO\n', b"#EXTM3U\n#EXTINF:"):
            path.write_bytes(start + content)
            with suppress(MediaError):
                module.read(path)


# ---------------------------------------------------------------------- CUE sheets

SHEET = """REM GENRE "Techno"
REM DATE 2024
PERFORMER "Ann"
TITLE "Live at \u00c9lan"
FILE "mix one.wav" WAVE
  TRACK 01 AUDIO
    TITLE "Intro"
    PERFORMER "Bo"
    INDEX 01 00:00:00
  TRACK 02 AUDIO
    TITLE Second SONG
    INDEX 00 04:58:00
    INDEX 01 05:00:37
  TRACK 03 AUDIO
    INDEX 01 99:99:99
"""


def test_a_sheet_has_a_cue_for_each_track_of_a_recording(tmp_path: Path) -> None:
    found = cue_sheet.read(written(tmp_path / "mix.cue", SHEET.encode("cp1252")))
    (track,) = found.tracks
    assert (track.artist, track.title, track.genre, track.year) == (
        *("Ann", "Live at Élan", "Techno", 2024),
    )
    assert track.location == str(tmp_path / "mix one.wav")
    assert [(cue.position_s, cue.label) for cue in track.cues] == [
        (0.0, "Bo - Intro"),
        (300 + 37 / 75, "Second SONG"),
    ]
    assert [loss.what for loss in found.losses] == ["cue"]


def test_a_sheet_of_several_files_is_a_playlist(tmp_path: Path) -> None:
    text = 'TITLE "Album"\n' + "".join(
        f'FILE "{n}.mp3" MP3\nTRACK {n:02} AUDIO\nTITLE "Song {n}"\nINDEX 01 00:00:00\n'
        for n in (1, 2)
    )
    found = cue_sheet.read(written(tmp_path / "album.cue", text))
    assert [(track.title, track.cues) for track in found.tracks] == [("Song 1", ()), ("Song 2", ())]
    assert [(each.name, len(each.keys)) for each in found.playlists] == [("Album", 2)]


def test_a_text_without_a_file_is_no_sheet(tmp_path: Path) -> None:
    with pytest.raises(MediaError, match="not a CUE sheet"):
        cue_sheet.read(written(tmp_path / "x.cue", "TITLE x\n"))


@settings(max_examples=60, deadline=None)
@given(
    st.lists(
        st.tuples(st.integers(0, 75 * 7200), st.text("abc \u00e9", max_size=5)),
        max_size=98,
        unique_by=lambda pair: pair[0],
    )
)
def test_cues_are_written_to_a_frame_of_a_cd(tmp_path_factory, points) -> None:
    path = tmp_path_factory.getbasetemp() / "back.cue"
    cues = tuple(Cue(frame / 75, label=label.strip()) for frame, label in sorted(points))
    track = Record("1", "/music/a.wav", title="A", artist='B "C"', cues=cues)
    assert cue_sheet.write(Collection((track,)), path) == []
    (back,) = cue_sheet.read(path).tracks
    found = {round(cue.position_s * 75): cue.label for cue in back.cues}
    if len(back.cues) > 1:
        wanted = {frame: label.strip() or "cue" for frame, label in points}
        assert wanted.items() <= found.items()
    assert (back.title, back.artist) == ("A", "B 'C'")


def test_more_points_than_a_sheet_has_are_losses(tmp_path: Path) -> None:
    cues = tuple(Cue(float(second)) for second in range(1, 121))
    track = Record("1", "/music/a.wav", title="A", cues=cues)
    losses = cue_sheet.write(Collection((track,)), tmp_path / "a.cue")
    assert {loss.what for loss in losses} == {"cue"}
    (back,) = cue_sheet.read(tmp_path / "a.cue").tracks
    assert len(back.cues) == 99
    assert len(losses) == 120 - 98


# ---------------------------------------------------------------------- set lists


def test_a_set_list_has_the_times_at_which_tracks_begin(tmp_path: Path) -> None:
    tracks = (
        Record("1", title="A", artist="X", duration_s=3599.6, bpm=124.0, musical_key="A minor"),
        Record("2", title="B"),
        Record("3", title="C", duration_s=60.0),
    )
    losses = set_list.write(
        Collection(tracks, (List("Friday", keys=("1", "2", "3")),)), tmp_path / "set.txt"
    )
    assert (tmp_path / "set.txt").read_text().splitlines() == [
        *("Friday", "", "0:00:00  X - A  (124.0 BPM, A minor)", "1:00:00  B"),
        *("1:00:00  C", "1:01:00  end"),
    ]
    assert [(loss.where, loss.what) for loss in losses] == [("B", "time")]


@pytest.mark.parametrize("module", [m3u, cue_sheet, set_list])
def test_a_folder_that_is_not_there_is_an_error_with_a_hint(tmp_path: Path, module) -> None:
    track = Record("1", "/a.mp3", title="A")
    with pytest.raises(SfaError) as refused:
        module.write(Collection((track,)), tmp_path / "nowhere" / "x")
    assert refused.value.hint
