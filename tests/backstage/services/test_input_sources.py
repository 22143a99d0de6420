"""What words mean, and what a folder has, on real folders."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sfa_engine.backstage.services.input_sources import (
    LocalFile,
    LocalFolder,
    WebLink,
    is_sound_file,
    parse_source,
    sound_files,
)
from sfa_engine.backstage.services.spotify_link import SpotifyLink
from sfa_engine.errors import Refused

ID = "4uLU6hMCjMI75M1A2tKUQC"


def put(folder, *names):
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"sound")


def names(folder):
    return [str(path.relative_to(folder)) for path in sound_files(folder).paths]


# ---------------------------------------------------------------- words


def test_a_file_a_folder_and_their_addresses_are_told_apart(tmp_path, monkeypatch):
    put(tmp_path, "My Song.flac")
    song = tmp_path / "My Song.flac"
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    assert parse_source("My Song.flac") == LocalFile(song)
    assert parse_source("~/My Song.flac") == LocalFile(song)
    assert parse_source(song.as_uri()) == LocalFile(song)
    assert parse_source(".") == LocalFolder(tmp_path)
    assert parse_source(tmp_path.as_uri()) == LocalFolder(tmp_path)


def test_a_file_that_looks_like_an_address_is_a_file(tmp_path, monkeypatch):
    put(tmp_path, "mix: part 2.wav")
    monkeypatch.chdir(tmp_path)
    assert parse_source("mix: part 2.wav") == LocalFile(tmp_path / "mix: part 2.wav")


def test_addresses_go_to_whom_they_belong():
    assert parse_source(f"spotify:track:{ID}") == SpotifyLink("track", ID)
    assert parse_source(f"https://open.spotify.com/intl-de/album/{ID}?si=1") == SpotifyLink(
        "album", ID
    )
    youtube = "https://www.youtube.com/watch?v=dQw4w9WgXcQ&list=x"
    assert parse_source(youtube) == WebLink(youtube)
    assert parse_source("HTTP://example.com") == WebLink("HTTP://example.com")


@pytest.mark.parametrize(
    ("word", "said"),
    [
        ("", "is not a valid source"),
        ("  ", "is not a valid source"),
        ("a\0b", "is not a valid source"),
        ("x" * 5000, "is not a valid source"),
        ("\ud800", "no file or folder"),
        ("x" * 300, "no file or folder"),
        ("no such song.mp3", 'no file or folder "no such song.mp3"'),
        ("ftp://example.com/a.mp3", "unsupported kind of address"),
        ("javascript:alert(1)", "unsupported kind of address"),
        ("file://elsewhere/song.mp3", "unsupported kind of address"),
        ("https://", "has no host"),
        ("https://a b/", "has no host"),
        ("https://[x", "is not a valid address"),
        ("www.youtube.com/watch?v=1", "write https://www.youtube.com"),
        (f"open.spotify.com/track/{ID}", "write https://open.spotify.com"),
        (f"https://open.spotify.com/artist/{ID}", "but 'artist'"),
        ("/dev/null", "neither a file nor a folder"),
        ("~nobody-of-that-name/x", "no file or folder"),
    ],
)
def test_what_means_nothing_is_refused_with_a_hint(word, said, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(Refused) as refused:
        parse_source(word)
    assert said in str(refused.value)
    assert refused.value.hint


@given(st.text(max_size=60).map(lambda text: "https:" + text) | st.text(max_size=60))
def test_any_word_means_something_or_is_refused(word):
    try:
        assert parse_source(word)
    except Refused as refused:
        assert "\n" not in refused.hint  # noqa: PT017 - either is right


# ---------------------------------------------------------------- folders


def test_a_folder_gives_its_sound_files_however_deep_in_the_order_of_their_names(tmp_path):
    put(tmp_path, "10 Ten.mp3", "2 Two.MP3", "b/one.flac", "B/two.opus", "a/deep/er/x.m4a")
    put(tmp_path, "cover.jpg", "notes.txt", "list.m3u")
    assert names(tmp_path) == [
        "2 Two.MP3",
        "10 Ten.mp3",
        "a/deep/er/x.m4a",
        "b/one.flac",
        "B/two.opus",
    ]


@pytest.mark.parametrize(
    "name",
    [
        ".hidden.mp3",
        "a.mp3.part",
        "a.part.mp3",
        "a.temp.m4a",
        "a.f251.webm.ytdl",
        "a.tmp",
        "mp3",
        "a.mp3.crdownload",
        "a.download",
        "~$a.mp3",
        ".part-1/a.mp3",
        ".git/a.wav",
        "._a.mp3",
    ],
)
def test_what_is_hidden_or_not_whole_is_left_out(tmp_path, name):
    songs = ["Body.Temp.wav", "Pink.Floyd.-.Part.2.wav", "Song feat. Mr. X.mp3"]
    put(tmp_path, name, *songs)
    assert names(tmp_path) == songs


def test_empty_files_and_bundles_are_left_out(tmp_path):
    put(tmp_path, "Song.sfa/track.json", "Song.sfa/drums.wav", "Song.sfa/deep/x.wav", "a.wav")
    (tmp_path / "empty.wav").touch()
    assert names(tmp_path) == ["a.wav"]


def test_links_are_followed_and_circles_end(tmp_path):
    put(tmp_path, "music/a.mp3", "elsewhere/b.mp3")
    (tmp_path / "music/up").symlink_to(tmp_path / "music")
    (tmp_path / "music/other").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "elsewhere/back").symlink_to(tmp_path / "music")
    (tmp_path / "music/same.mp3").symlink_to("a.mp3")
    (tmp_path / "music/lost.mp3").symlink_to("nothing.mp3")
    assert names(tmp_path / "music") == ["a.mp3", "other/b.mp3"]


def test_what_only_looks_like_a_sound_file_is_left_out(tmp_path):
    (tmp_path / "folder.mp3").mkdir()
    os.mkfifo(tmp_path / "pipe.mp3")
    put(tmp_path, "folder.mp3/a.mp3")
    assert names(tmp_path) == ["folder.mp3/a.mp3"]


def test_a_folder_that_is_not_there_is_refused(tmp_path):
    with pytest.raises(Refused, match="No such file"):
        sound_files(tmp_path / "no")


def test_a_folder_inside_that_cannot_be_read_is_told(tmp_path, monkeypatch):
    put(tmp_path, "a.mp3", "closed/b.mp3")
    real = Path.iterdir

    def iterdir(path):  # root may read everything, so rights cannot make the case
        if path.name == "closed":
            raise PermissionError(13, "Permission denied")
        return real(path)

    monkeypatch.setattr(Path, "iterdir", iterdir)
    found = sound_files(tmp_path)
    assert found.paths == (tmp_path / "a.mp3",)
    assert found.unread == (tmp_path / "closed",)


@given(st.text(st.characters(exclude_characters="/\0"), min_size=1, max_size=20))
def test_no_hidden_name_is_a_sound_file_and_none_without_an_ending(name):
    assert not is_sound_file(Path("." + name + ".mp3"))
    assert not is_sound_file(Path(name + ".txt"))
