"""The stage is with the memory that is at its path, whenever a host replaced it."""

from sfa_engine.audio.memory import Memory


def test_memory_knows_the_file_that_it_maps_though_another_takes_its_place(tmp_path):
    path = tmp_path / "engine.memory"
    made = Memory.create(path)
    opened = Memory.open(path)
    assert opened.inode == made.inode == path.stat().st_ino
    Memory.create(path)
    assert opened.inode == made.inode != path.stat().st_ino
