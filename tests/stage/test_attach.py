"""The stage is with the memory that is at its path, whenever a host replaced it."""

import pytest
import trio

from sfa_engine.engine.memory import Memory
from sfa_engine.stage.core import Core


@pytest.fixture
def path(tmp_path):
    return tmp_path / "engine.memory"


def create(path):
    made = Memory.create(path)
    made.engine["sample_rate"] = 48_000.0
    made.engine["block"] = 128
    return made


def test_memory_knows_the_file_that_it_maps_though_another_takes_its_place(path):
    made = create(path)
    opened = Memory.open(path)
    assert opened.inode == made.inode == path.stat().st_ino
    create(path)
    assert opened.inode == made.inode != path.stat().st_ino


def test_a_stage_follows_a_host_that_replaced_the_memory_as_it_was_opened(path, monkeypatch):
    create(path)
    whole = Memory.open

    def overtaken(where):
        opened = whole(where)
        monkeypatch.undo()
        create(where)
        return opened

    monkeypatch.setattr(Memory, "open", overtaken)
    core = Core(path.parent, "default", path.parent)
    assert core.conductor.memory.inode != path.stat().st_ino
    trio.run(core._poll_host)
    assert core.conductor.memory.inode == path.stat().st_ino
