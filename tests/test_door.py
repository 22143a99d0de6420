"""A door is there when somebody answers, and is this user's alone."""

from __future__ import annotations

import os
import socket
import stat
import threading
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


def test_who_finds_a_new_door_is_never_refused(tmp_path: Path) -> None:
    path = tmp_path / "engine.sock"
    refused: list[int] = []
    for turn in range(50):

        def visit(turn: int = turn) -> None:
            while not path.exists():
                pass
            try:
                knock(path)
            except ConnectionRefusedError:
                refused.append(turn)

        visitor = threading.Thread(target=visit)
        visitor.start()
        with open_door(path, 4):
            visitor.join(20)
            path.unlink()
    assert refused == []


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
    with pytest.raises(OSError, match="too long"):
        open_door(tmp_path / ("x" * 200) / "engine.sock", 4)
    assert not (tmp_path / f".{os.getpid()}").exists()
