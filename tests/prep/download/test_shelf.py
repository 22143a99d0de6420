"""The folder where files go: names, neighbours, and what the dead leave behind."""

from __future__ import annotations

import errno
from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sfa_engine.errors import Refused
from sfa_engine.prep.download.failure import DownloadError
from sfa_engine.prep.download.shelf import file_name, part_folder, put, unwritable


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("The Band - Song", "The Band - Song"),
        ("AC/DC - T.N.T.", "AC DC - T.N.T"),
        ("../../etc/passwd", "etc passwd"),
        (" - A Title", "A Title"),
        ("...hidden", "hidden"),
        ("Björk: \x07Jóga?", "Björk Jóga"),
        ("", "untitled"),
        ("///", "untitled"),
        ("ü" * 200, "ü" * 90),
    ],
)
def test_a_text_becomes_a_name_that_every_disk_takes(text, name):
    assert file_name(text) == name


@given(st.text(max_size=300))
def test_any_text_becomes_one_visible_name(text):
    name = file_name(text)
    assert 0 < len(name.encode()) <= 180
    assert "/" not in name
    assert "\0" not in name
    assert name[0] != "."
    assert file_name(name) == name


def test_many_who_put_at_once_replace_nothing(tmp_path):
    def put_one(number):
        with part_folder(tmp_path) as part:
            file = part / "sound.mp3"
            file.write_text(str(number))
            return put(file, tmp_path, "Same")

    with ThreadPoolExecutor(8) as pool:
        placed = list(pool.map(put_one, range(40)))
    assert len(set(placed)) == 40
    assert sorted(int(path.read_text()) for path in placed) == list(range(40))
    assert {path.name for path in tmp_path.iterdir()} == {path.name for path in placed}


def test_a_hidden_folder_lives_as_long_as_its_worker(tmp_path):
    dead = tmp_path / ".sfa-part-0123456789ab-download"
    dead.mkdir()
    (dead / "half.part").write_text("x")
    (tmp_path / ".mine").mkdir()
    with part_folder(tmp_path) as first, part_folder(tmp_path) as second:
        assert not dead.exists()
        assert first.is_dir()
        assert second.is_dir()
    assert [path.name for path in tmp_path.iterdir()] == [".mine"]


def test_a_folder_that_cannot_be_made_is_refused(tmp_path):
    (tmp_path / "file").write_text("x")
    with pytest.raises(Refused, match="cannot write into"), part_folder(tmp_path / "file/music"):
        pass


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT])
def test_a_full_disk_is_reported_as_that(tmp_path, number):
    told = unwritable(tmp_path, OSError(number, "full"))
    assert isinstance(told, DownloadError)
    assert told.code == "disk-full"
