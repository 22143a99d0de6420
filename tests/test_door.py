"""A door is there when somebody answers, and is this user's alone."""

from __future__ import annotations

import os
import socket
import stat
from pathlib import Path

import pytest

from sfa_engine.door import open_door


def knock(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as visitor:
        visitor.connect(str(path))


def test_a_door_is_this_users_alone_and_nothing_is_left_beside_it(tmp_path: Path) -> None:
    path = tmp_path / "engine.sock"
    with open_door(path, 4) as door:
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        knock(path)
        door.accept()[0].close()
    assert [entry.name for entry in tmp_path.iterdir()] == ["engine.sock"]


def test_nobody_finds_a_door_before_somebody_listens(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "engine.sock"
    seen: list[bool] = []

    class Listening(socket.socket):
        def listen(self, backlog: int = 0, /) -> None:
            seen.append(path.exists())
            super().listen(backlog)

    monkeypatch.setattr("sfa_engine.door.socket.socket", Listening)
    open_door(path, 4).close()
    assert seen == [False]
    assert path.exists()


def test_a_door_takes_the_place_of_one_whose_owner_has_died(tmp_path: Path) -> None:
    path = tmp_path / "engine.sock"
    open_door(path, 4).close()
    with pytest.raises(ConnectionRefusedError):
        knock(path)
    with open_door(path, 4):
        knock(path)


def test_a_door_that_cannot_be_opened_leaves_nothing_behind(tmp_path: Path) -> None:
    (tmp_path / "engine.sock").mkdir()
    with pytest.raises(IsADirectoryError):
        open_door(tmp_path / "engine.sock", 4)
    assert [entry.name for entry in tmp_path.iterdir()] == ["engine.sock"]


def test_a_path_that_no_client_could_name_is_refused_and_the_longest_is_not(
    tmp_path: Path,
) -> None:
    room = 106 - len(os.fsencode(tmp_path)) - 1
    with pytest.raises(OSError, match=f"too long: '{tmp_path}/x+'"):
        open_door(tmp_path / ("x" * (room + 1)), 4)
    with open_door(tmp_path / ("x" * room), 4):
        knock(tmp_path / ("x" * room))
