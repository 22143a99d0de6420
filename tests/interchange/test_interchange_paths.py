"""Paths of other machines, and the table of formats."""

from __future__ import annotations

import unicodedata
from importlib import import_module
from pathlib import Path
from pkgutil import iter_modules

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sfa_engine import interchange
from sfa_engine.errors import MediaError, Refused
from sfa_engine.interchange.paths import Finder, Mapping, folded, mapped, plain
from sfa_engine.interchange.registry import FORMATS, OWN, named, recognised


@pytest.mark.parametrize(
    ("rule", "path", "wanted"),
    [
        ("D:/Music=/srv/music", "D:/Music/a/b.mp3", "/srv/music/a/b.mp3"),
        ("d:\\music\\=/m/", "D:/Music/a/b.mp3", "/m/a/b.mp3"),
        ("/Volumes/Ann=/srv/ann", "/volumes/ann/X.mp3", "/srv/ann/X.mp3"),
        ("/Volumes/Ann=/srv/ann", "/Volumes/Anna/X.mp3", "/Volumes/Anna/X.mp3"),
        ("/M/Caf\u00e9=/c", "/M/Cafe\u0301/X.mp3", "/c/X.mp3"),
        ("//nas/music=/mnt/nas", "//NAS/music/x.mp3", "/mnt/nas/x.mp3"),
        ("/a=/a=b", "/a/x.mp3", "/a=b/x.mp3"),
    ],
)
def test_a_folder_of_another_machine_is_mapped(rule: str, path: str, wanted: str) -> None:
    assert mapped(path, [Mapping.parse(rule)]) == wanted


@pytest.mark.parametrize("text", ["", "a", "=", "=/x", "D:/x=", "D:/x=relative"])
def test_what_is_no_mapping_is_refused(text: str) -> None:
    with pytest.raises(Refused) as refused:
        Mapping.parse(text)
    assert "FROM=TO" in refused.value.hint


def test_a_file_is_found_however_its_name_is_spelled(tmp_path: Path) -> None:
    folder = tmp_path / "Caf\u00e9" / "100%"
    folder.mkdir(parents=True)
    (folder / "Song.mp3").touch()
    finder = Finder()
    wanted = str(folder / "Song.mp3")
    spelled = unicodedata.normalize("NFD", wanted).replace("Song", "sONG").replace("100%", "100%25")
    assert finder.found(wanted) == wanted
    assert finder.found(spelled) == wanted
    assert finder.found(f"{tmp_path}/nothing.mp3") is None
    assert finder.found("C:/x.mp3") is None
    assert finder.found("/a\0b") is None


def test_the_exact_name_is_preferred(tmp_path: Path) -> None:
    for name in ("a.mp3", "A.mp3"):
        (tmp_path / name).touch()
    assert [Finder().found(f"{tmp_path}/{name}") for name in ("a.mp3", "A.mp3")] == [
        *(f"{tmp_path}/a.mp3", f"{tmp_path}/A.mp3"),
    ]


@given(st.text(max_size=50), st.text(max_size=20))
def test_no_text_breaks_a_path(text: str, folder: str) -> None:
    assert isinstance(plain(text, f"/{folder}"), str)
    assert folded(text) == folded(folded(text))


# ---------------------------------------------------------------------- the table


@pytest.mark.parametrize(
    ("name", "content", "wanted"),
    [
        ("rekordbox.xml", b'<?xml version="1.0"?>\n<DJ_PLAYLISTS Version="1.0.0">', "rekordbox"),
        ("utf16.xml", "\ufeff<DJ_PLAYLISTS>".encode("utf-16-le"), "rekordbox"),
        ("database.xml", b"<VirtualDJ_Database Version>", "virtualdj"),
        ("Library.XML", b"<?xml?><!DOCTYPE plist><plist>", "apple"),
        ("exported", b"<DJ_PLAYLISTS>", "rekordbox"),
        ("collection.nml", b"", "traktor"),
        ("mixxxdb.sqlite", b"", "mixxx"),
        ("x.m3u", b"", "m3u"),
        ("x.m3u8", b"", "m3u"),
        ("x.cue", b"", "cue"),
        ("x.stem.mp4", b"", "stem"),
        ("x.sfa-library.zip", b"", "sfa"),
    ],
)
def test_a_file_is_recognised(tmp_path: Path, name: str, content: bytes, wanted: str) -> None:
    (tmp_path / name).write_bytes(content)
    assert recognised(tmp_path / name).name == wanted


def test_folders_are_recognised_and_what_is_nothing_is_refused(tmp_path: Path) -> None:
    (tmp_path / "_Serato_").mkdir()
    assert recognised(tmp_path / "_Serato_").name == "serato"
    assert recognised(tmp_path).name == "serato"
    (tmp_path / "e" / "Engine Library").mkdir(parents=True)
    assert recognised(tmp_path / "e").name == "engine"
    (tmp_path / "x.xml").write_bytes(b"<other>")
    for path in (tmp_path / "x.xml", tmp_path / "missing"):
        with pytest.raises(MediaError) as refused:
            recognised(path)
        assert refused.value.hint


MODULES = {each.name for each in iter_modules(interchange.__path__)}


@pytest.mark.parametrize(
    "name", [name for name, each in FORMATS.items() if name != OWN and each.module in MODULES]
)
def test_each_format_has_what_the_table_says(name: str) -> None:
    form = FORMATS[name]
    module = import_module(f"sfa_engine.interchange.{form.module}")
    assert hasattr(module, "read") == form.reads
    assert hasattr(module, "write") == form.writes


def test_an_unknown_format_is_refused_with_the_nearest() -> None:
    with pytest.raises(Refused, match="rekordbox"):
        named("recordbox")
