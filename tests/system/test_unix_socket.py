"""A door is there when somebody answers, and is this user's alone."""

from __future__ import annotations

import os
import re
import socket
import stat
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from sfa_engine.run.folders import memory_path
from sfa_engine.system.unix_socket import listen_unix


@pytest.fixture
def folder() -> Iterator[Path]:
    """A folder with a short name."""
    with tempfile.TemporaryDirectory(prefix="sfa-", dir=memory_path()) as lent:
        yield Path(lent)


def knock(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as visitor:
        visitor.connect(str(path))


def test_a_door_is_this_users_alone_and_nothing_is_left_beside_it(folder: Path) -> None:
    path = folder / "engine.sock"
    with listen_unix(path, 4) as door:
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        knock(path)
        door.accept()[0].close()
    assert [entry.name for entry in folder.iterdir()] == ["engine.sock"]


def test_a_path_exists_only_once_its_server_listens(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = folder / "engine.sock"
    seen: list[bool] = []

    class Listening(socket.socket):
        def listen(self, backlog: int = 0, /) -> None:
            seen.append(path.exists())
            super().listen(backlog)

    monkeypatch.setattr("sfa_engine.system.unix_socket.socket.socket", Listening)
    listen_unix(path, 4).close()
    assert seen == [False]
    assert path.exists()


def test_a_door_takes_the_place_of_one_whose_owner_has_died(folder: Path) -> None:
    path = folder / "engine.sock"
    listen_unix(path, 4).close()
    with pytest.raises(ConnectionRefusedError):
        knock(path)
    with listen_unix(path, 4):
        knock(path)


def test_a_door_that_cannot_be_opened_leaves_nothing_behind(folder: Path) -> None:
    (folder / "engine.sock").mkdir()
    with pytest.raises(IsADirectoryError):
        listen_unix(folder / "engine.sock", 4)
    assert [entry.name for entry in folder.iterdir()] == ["engine.sock"]


def test_a_path_that_no_client_could_name_is_refused_and_the_longest_is_not(
    folder: Path,
) -> None:
    room = 106 - len(os.fsencode(folder)) - 1
    with pytest.raises(OSError, match=f"too long: '{re.escape(str(folder))}/x+'"):
        listen_unix(folder / ("x" * (room + 1)), 4)
    with listen_unix(folder / ("x" * room), 4):
        knock(folder / ("x" * room))
