"""Secrets come back, and are not to be read by anybody else."""

from __future__ import annotations

import subprocess
import sys

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sfa_engine.errors import LibraryError, Refused
from sfa_engine.library.secret import KEY_FILE, SECRETS_FILE, Secrets


@pytest.fixture
def secrets(tmp_path):
    return Secrets(tmp_path / "data")


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=25)
@given(st.text(st.characters(exclude_categories=["C", "Z"]), min_size=1, max_size=200))
def test_what_is_kept_comes_back(secrets, value):
    secrets.set("lalalai", value)
    assert secrets.get("lalalai") == value


def test_nothing_is_kept_that_was_not_given(secrets, tmp_path):
    assert secrets.get("lalalai") is None
    assert not (tmp_path / "data").exists()


def test_the_files_are_the_owners_and_do_not_show_the_value(secrets, tmp_path):
    secrets.set("lalalai", "14abcde0")
    for name in (KEY_FILE, SECRETS_FILE):
        file = tmp_path / "data" / name
        assert file.stat().st_mode & 0o777 == 0o600
        assert b"14abcde0" not in file.read_bytes()
    assert sorted(p.name for p in (tmp_path / "data").iterdir()) == [KEY_FILE, SECRETS_FILE]


def test_secrets_live_side_by_side_and_go_one_by_one(secrets):
    secrets.set("lalalai", "a")
    secrets.set("spotify.client", "b")
    assert secrets.names() == ["lalalai", "spotify.client"]
    assert secrets.remove("lalalai")
    assert not secrets.remove("lalalai")
    assert secrets.get("spotify.client") == "b"


@pytest.mark.slow
def test_processes_that_write_at_once_lose_nothing_of_each_other(secrets, tmp_path):
    program = (
        "import sys\nfrom pathlib import Path\nfrom sfa_engine.library.secret import Secrets\n"
        "sys.stdin.read(1)\n"
        "for n in range(30): Secrets(Path(sys.argv[1])).set(f'{sys.argv[2]}.{n}', 'x')\n"
    )
    writers = [
        subprocess.Popen(
            [sys.executable, "-c", program, str(tmp_path / "data"), name], stdin=subprocess.PIPE
        )
        for name in ("a", "b")
    ]
    for writer in writers:
        assert writer.stdin
        writer.stdin.write(b"!")
        writer.stdin.close()
    for writer in writers:
        writer.wait(60)
        assert writer.returncode == 0
    assert len(secrets.names()) == 60


def test_a_key_that_others_can_read_is_not_used(secrets, tmp_path):
    secrets.set("lalalai", "a")
    (tmp_path / "data" / KEY_FILE).chmod(0o644)
    with pytest.raises(LibraryError, match=r"0644.*chmod 600"):
        secrets.get("lalalai")


def test_with_another_key_the_secret_is_to_be_given_again(secrets, tmp_path):
    secrets.set("lalalai", "a")
    (tmp_path / "data" / KEY_FILE).unlink()
    with pytest.raises(LibraryError, match=r"is gone.*sfa secret set lalalai"):
        secrets.get("lalalai")
    secrets.set("other", "b")
    with pytest.raises(LibraryError, match="not encrypted with"):
        secrets.get("lalalai")


@pytest.mark.parametrize("text", ["", "[]", '{"a": 1}', "\0"])
def test_a_file_that_holds_no_secrets_is_told(secrets, tmp_path, text):
    secrets.set("lalalai", "a")
    (tmp_path / "data" / SECRETS_FILE).write_text(text)
    with pytest.raises(LibraryError):
        secrets.get("lalalai")


@pytest.mark.parametrize(("name", "value"), [("", "a"), ("../x", "a"), ("A", "a"), ("a", " \n")])
def test_odd_names_and_empty_values_are_refused(secrets, name, value):
    with pytest.raises(Refused):
        secrets.set(name, value)
