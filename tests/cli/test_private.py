"""Who else can read or change what the product writes: nobody, whatever the umask is."""

import asyncio
import os
import re
import stat
import subprocess
import sys

import numpy as np
import pytest
import soundfile

from sfa_engine.errors import Refused
from sfa_engine.library.database import Database
from sfa_engine.library.places import Places
from sfa_engine.run.config import load_config
from sfa_engine.run.folders import closed_folder, private_folder, runtime_path

SFA = [sys.executable, "-m", "sfa_engine.cli.main"]


@pytest.fixture
def open_umask():
    """Let every file be written by everybody, as some machines do."""
    before = os.umask(0)
    yield
    os.umask(before)


def mode(path):
    return stat.S_IMODE(path.stat().st_mode)


def open_to_others(folder):
    """Whatever is in a folder that others may read or change, with its mode."""
    return [
        f"{path} {mode(path):04o}"
        for path in (folder, *folder.rglob("*"))
        if not path.is_symlink() and mode(path) & 0o077
    ]


@pytest.mark.usefixtures("open_umask")
@pytest.mark.parametrize("make", [private_folder, closed_folder])
def test_a_private_folder_and_those_above_it_are_made_closed(tmp_path, make):
    made = make(tmp_path / "a" / "b" / "c")
    assert [mode(folder) for folder in (made, *made.parents[:2])] == [0o700] * 3


@pytest.mark.parametrize("make", [private_folder, closed_folder])
def test_a_private_folder_that_was_open_is_closed(tmp_path, make):
    (tmp_path / "a").mkdir()
    (tmp_path / "a").chmod(0o777)
    assert mode(make(tmp_path / "a")) == 0o700


def test_a_link_in_the_place_of_the_runtime_folder_is_refused(tmp_path, monkeypatch):
    (tmp_path / "theirs").mkdir(mode=0o755)
    (tmp_path / "run").symlink_to(tmp_path / "theirs")
    monkeypatch.setenv("SFA_RUNTIME", str(tmp_path / "run"))
    with pytest.raises(Refused, match="run is a symbolic link; set SFA_RUNTIME"):
        runtime_path()
    assert mode(tmp_path / "theirs") == 0o755


def test_a_link_that_leads_nowhere_is_refused_too(tmp_path, monkeypatch):
    (tmp_path / "run").symlink_to(tmp_path / "nowhere")
    monkeypatch.setenv("SFA_RUNTIME", str(tmp_path / "run"))
    with pytest.raises(Refused, match=r"run.*; set SFA_RUNTIME"):
        runtime_path()
    assert not (tmp_path / "nowhere").exists()


@pytest.mark.skipif(os.getuid() != 0, reason="only root gives a folder to another user")
def test_a_runtime_folder_of_another_user_is_refused(tmp_path, monkeypatch):
    (tmp_path / "run").mkdir()
    os.chown(tmp_path / "run", 65534, 65534)
    monkeypatch.setenv("SFA_RUNTIME", str(tmp_path / "run"))
    with pytest.raises(Refused, match="belongs to another user"):
        runtime_path()


def test_a_data_folder_may_be_a_link_to_a_larger_disk(tmp_path):
    (tmp_path / "disk").mkdir()
    (tmp_path / "data").symlink_to(tmp_path / "disk")
    assert closed_folder(tmp_path / "data") == tmp_path / "disk"
    assert mode(tmp_path / "disk") == 0o700


@pytest.mark.parametrize(("rights", "warns"), [(0o644, True), (0o640, True), (0o600, False)])
def test_a_configuration_with_a_secret_that_others_read_draws_a_warning(
    tmp_path, capsys, rights, warns
):
    path = tmp_path / "config.toml"
    path.write_text('[spotify]\nclient_id = "a"\nclient_secret = "b"\n')
    path.chmod(rights)
    load_config(path)
    load_config(path)
    said = capsys.readouterr().err
    assert said.count("client_secret and can be read by others") == warns


def test_a_configuration_without_a_secret_may_be_read(tmp_path, capsys):
    path = tmp_path / "config.toml"
    path.write_text('[spotify]\nclient_id = "a"\n')
    path.chmod(0o644)
    load_config(path)
    assert capsys.readouterr().err == ""


@pytest.mark.slow
@pytest.mark.usefixtures("open_umask")
def test_what_is_written_beside_the_user_is_closed_with_an_open_umask(tmp_path):
    noise = np.random.default_rng(1).standard_normal((2 * 48_000, 2)) * 0.1
    soundfile.write(tmp_path / "song.flac", noise, 48_000)
    (tmp_path / "config.toml").touch(0o600)
    environment = {
        **os.environ,
        "SFA_RUNTIME": str(tmp_path / "run"),
        "SFA_CONFIG": str(tmp_path / "config.toml"),
        "XDG_DATA_HOME": str(tmp_path / "data"),
        "XDG_STATE_HOME": str(tmp_path / "state"),
    }

    def sfa(*words, **extra):
        subprocess.run([*SFA, *words], env=environment, cwd=tmp_path, check=True, **extra)

    sfa("secret", "set", "lalalai", input=b"key")
    sfa("bundle", "song.flac", "--quiet")
    sfa("prep", "song.flac", "--no-stems", "--quiet")
    sfa("library", "backup")
    kinds = {path.suffix for path in (tmp_path / "data").rglob("*")}
    assert {".db", ".key", ".json", ".wav", ".sfa"} <= kinds
    assert (tmp_path / "state" / "sfa" / "log" / "backstage.log").exists()
    assert open_to_others(tmp_path / "state" / "sfa") == []
    assert open_to_others(tmp_path / "data") == []
    assert open_to_others(tmp_path / "run") == []
    # What the user asks for by name is as the user's umask has it.
    (tmp_path / "x.mix").write_text("1 end\n")
    sfa("render", "x.mix", "-o", "x.wav", "--quiet")
    assert mode(tmp_path / "x.wav") & 0o044


@pytest.mark.slow
@pytest.mark.usefixtures("open_umask")
def test_sockets_memory_and_logs_of_the_engine_are_closed_with_an_open_umask(silent_engine):
    names = {path.name for path in silent_engine.runtime.iterdir()}
    assert {"engine.sock", "engine.memory", "sfa.lock", "host.lock"} <= names
    assert silent_engine.log("stage")
    # The log of the test itself lies there, too.
    beside = ("start.log", f"{silent_engine.runtime / 'state'} ")
    found = open_to_others(silent_engine.runtime)
    assert [line for line in found if not any(name in line for name in beside)] == []


@pytest.mark.slow
@pytest.mark.parametrize(
    "words",
    [["secret", "list"], ["secret", "set", "lalalai"], ["spotify", "logout"], ["library", "stats"]],
    ids=" ".join,
)
def test_a_data_folder_that_cannot_be_made_is_one_line(sfa, tmp_path, words):
    (tmp_path / "file").touch()
    status, _, err = sfa(*words, stdin="x", XDG_DATA_HOME=str(tmp_path / "file"))
    assert (status, len(err.splitlines())) == (1, 1)
    assert "Not a directory; check its permissions and the free space" in err


@pytest.mark.slow
def test_sfa_secret_keeps_spotifys_too(sfa):
    assert sfa("secret", "set", "spotify", stdin="s3cret")[0] == 0
    assert re.fullmatch(r"spotify\n", sfa("secret", "list")[1])


@pytest.mark.slow
@pytest.mark.usefixtures("open_umask")
def test_a_library_that_is_restored_is_closed_to_others(tmp_path):
    env = {
        **os.environ,
        "XDG_DATA_HOME": str(tmp_path / "data"),
        "SFA_RUNTIME": str(tmp_path / "r"),
    }
    env |= {"XDG_CONFIG_HOME": str(tmp_path / "config"), "XDG_STATE_HOME": str(tmp_path / "state")}
    places = Places(tmp_path / "made", tmp_path / "made" / "tracks")

    async def make():
        async with await Database.open(places.database) as database:
            return await database.back_up(places.backups)

    backup = asyncio.run(make())
    restore = [*SFA, "library", "restore", backup, "--yes"]
    for _ in range(2):  # the second backs the first up
        done = subprocess.run(restore, env=env, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
    assert (tmp_path / "data" / "sfa" / "backups").is_dir()
    assert open_to_others(tmp_path / "data" / "sfa") == []
