"""A project on the disk: its log, undo and redo, cuts at any byte, damage, two writers."""

from __future__ import annotations

import json
import random
import shutil
from pathlib import Path

import pytest
from random_edits import random_edit

from sfa_engine.errors import BusyError, MediaError, Refused
from sfa_engine.studio.arrangement import Arrangement, check, decode, encode
from sfa_engine.studio.project import LOG, STATE, Project


def play_with(project: Project, seed: int, steps: int) -> int:
    """Edit at random; return how many edits were possible."""
    choose = random.Random(seed)
    done = 0
    for _ in range(steps):
        before = encode(project.arrangement)
        try:
            project.edit(*random_edit(project.arrangement, choose), who="ann")
        except Refused:
            assert encode(project.arrangement) == before
        else:
            done += 1
            check(project.arrangement)
    return done


@pytest.fixture
def project(tmp_path):
    with Project.create(tmp_path / "Friday.sfaproject") as made:
        yield made


@pytest.mark.parametrize("seed", range(6))
def test_random_edits_and_their_undoing_give_the_same_bytes(project, seed):
    states = [encode(project.arrangement)]
    choose = random.Random(seed)
    while len(states) < 120:
        try:
            project.edit(*random_edit(project.arrangement, choose))
        except Refused:
            continue
        states.append(encode(project.arrangement))
    for state in reversed(states[:-1]):
        project.undo()
        assert encode(project.arrangement) == state
    with pytest.raises(Refused, match="nothing to undo"):
        project.undo()
    for state in states[1:]:
        project.redo()
        assert encode(project.arrangement) == state
    with pytest.raises(Refused, match="nothing to redo"):
        project.redo()


@pytest.mark.parametrize("seed", range(4))
def test_the_log_played_again_is_the_state_with_all_that_can_be_undone(project, seed):
    assert play_with(project, seed, 150) > 60
    for _ in range(7):
        project.undo()
    project.redo()
    state = encode(project.arrangement)
    project.close()
    with Project(project.folder) as again:
        assert encode(again.arrangement) == state
        assert [edit.number for edit in again.edits] == list(range(1, len(project.edits) + 1))
        for _ in range(6):
            again.redo()
        with pytest.raises(Refused):
            again.redo()


def test_the_state_of_a_project_is_read_as_it_was_written(project):
    play_with(project, 11, 100)
    assert decode(encode(project.arrangement)) == project.arrangement


def cut(folder: Path, to: Path, size: int) -> Path:
    shutil.copytree(folder, to)
    content = (to / LOG).read_bytes()
    (to / LOG).write_bytes(content[:size])
    return to


def test_a_log_that_is_cut_anywhere_opens_with_the_edits_that_are_whole(project, tmp_path):
    play_with(project, 3, 40)
    content = (project.folder / LOG).read_bytes()
    states = [encode(Arrangement())]
    for k in range(1, len(project.edits) + 1):  # by the log alone
        folder = cut(project.folder, tmp_path / f"whole-{k}", 0)
        (folder / LOG).write_bytes(b"".join(content.splitlines(keepends=True)[:k]))
        states.append(encode(Project(folder, writable=False).arrangement))
    choose = random.Random(1)
    for place in [*sorted(choose.sample(range(len(content)), 60)), len(content)]:
        folder = cut(project.folder, tmp_path / f"cut-{place}", place)
        with Project(folder) as opened:
            whole = content[:place].count(b"\n")
            assert encode(opened.arrangement) == states[whole]
            assert opened.edit("lane.add", {"name": "after"}).number == whole + 1
        with Project(folder) as again:
            assert len(again.edits) == whole + 1


def test_a_log_that_ends_before_the_state_costs_the_undo_alone(project):
    play_with(project, 5, 60)
    project.save()
    state, edits = encode(project.arrangement), len(project.edits)
    log = project.folder / LOG
    log.write_bytes(b"".join(log.read_bytes().splitlines(keepends=True)[:4]))
    project.close()
    with Project(project.folder) as opened:
        assert encode(opened.arrangement) == state
        assert "ends at edit 4" in opened.notes[0]
        with pytest.raises(Refused, match="nothing to undo"):
            opened.undo()
        assert opened.edit("lane.add", {"name": "after"}).number == edits + 1
        opened.undo()
        assert encode(opened.arrangement) == state
    assert (project.folder / "edits-damaged-1.jsonl").read_bytes().count(b"\n") == 4
    with Project(project.folder) as again:
        assert encode(again.arrangement) == state
        assert not again.notes


UNDO = {"number": 3, "at": 0, "who": "", "verb": "x", "values": {}, "changes": []}
DAMAGED = {
    "no edit": b"{}",
    "no text": b"\xff\xfe",
    "deep": b"[" * 100_000,
    "another number": json.dumps(UNDO | {"number": 7}).encode(),
    "the undo of nothing": json.dumps(UNDO | {"kind": "undo", "of": 99}).encode(),
    "no place": json.dumps(UNDO | {"changes": [["clips.x", None, 1]]}).encode(),
    "nowhere": json.dumps(UNDO | {"changes": [["rooms.1", None, 1]]}).encode(),
    "no clip": json.dumps(UNDO | {"changes": [["clips.1", None, 1]]}).encode(),
    "something else": json.dumps(UNDO | {"changes": [["next_number", 77, 78]]}).encode(),
}


@pytest.mark.parametrize("line", DAMAGED.values(), ids=DAMAGED)
def test_a_damaged_line_is_an_error_and_a_repair_keeps_what_is_before_it(project, line):
    for name in ("A", "B", "C", "D"):
        project.edit("lane.add", {"name": name})
    project.close()
    log = project.folder / LOG
    lines = log.read_bytes().splitlines(keepends=True)
    lines[2] = line + b"\n"
    log.write_bytes(b"".join(lines))
    with pytest.raises(MediaError, match="project repair"):
        Project(project.folder)
    with Project(project.folder, repair=True) as repaired:
        assert [lane.name for lane in repaired.arrangement.lanes.values()] == ["A", "B"]
        repaired.undo()
    with Project(project.folder) as again:
        assert [lane.name for lane in again.arrangement.lanes.values()] == ["A"]
    assert (project.folder / "edits-damaged-1.jsonl").read_bytes() == b"".join(lines)


@pytest.mark.parametrize("content", [b"", b"{}", b"[1]", b"\xff", b'{"number":0}', b"[" * 9999])
def test_a_damaged_state_is_an_error(project, content):
    project.close()
    (project.folder / STATE).write_bytes(content)
    with pytest.raises(MediaError, match="damaged"):
        Project(project.folder)


def test_two_processes_do_not_edit_at_once(project):
    with pytest.raises(BusyError, match="another process"):
        Project(project.folder)
    reader = Project(project.folder, writable=False)
    assert reader.arrangement == project.arrangement
    reader.close()


def test_an_edit_that_cannot_be_written_has_not_happened(project, monkeypatch):
    project.edit("lane.add", {"name": "A"})
    before, content = project.arrangement, (project.folder / LOG).read_bytes()

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("sfa_engine.studio.project.os.write", full)
    with pytest.raises(MediaError, match="No space left"):
        project.edit("lane.add", {"name": "B"})
    monkeypatch.undo()
    assert project.arrangement == before
    assert (project.folder / LOG).read_bytes() == content
    assert project.edit("lane.add", {"name": "B"}).number == 2


def test_what_is_no_project_is_an_error(tmp_path):
    with pytest.raises(MediaError, match="not a project"):
        Project(tmp_path)
    (tmp_path / "there").mkdir()
    with pytest.raises(Refused, match="exists"):
        Project.create(tmp_path / "there")


def test_a_snapshot_is_written_now_and_then(tmp_path, monkeypatch):
    monkeypatch.setattr("sfa_engine.studio.project.EVERY", 5)
    with Project.create(tmp_path / "a.sfaproject") as project:
        for k in range(12):
            project.edit("lane.add", {"name": str(k)})
    (project.folder / LOG).write_bytes(b"")
    with Project(project.folder) as again:
        assert len(again.arrangement.lanes) == 10
