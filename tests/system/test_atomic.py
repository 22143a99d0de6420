"""Files and folders appear whole or not at all, and what the dead leave is cleaned up."""

import fcntl
import os
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import pytest

from sfa_engine.errors import MediaError
from sfa_engine.system import atomic
from sfa_engine.system.atomic import (
    atomic_file,
    clean_leftovers,
    replace_directory,
    temporary_directory,
    write_durably,
)

HOLDER = """
import sys
from pathlib import Path
from sfa_engine.system.atomic import atomic_file, temporary_directory
target = Path(sys.argv[2])
with {"file": atomic_file, "folder": temporary_directory}[sys.argv[1]](target) as part:
    print(part, flush=True)
    sys.stdin.read()
"""


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def held(kind, target):
    command = [sys.executable, "-c", HOLDER, kind, str(target)]
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


def test_a_file_is_replaced_whole_with_its_mode(tmp_path):
    target = tmp_path / "a.json"
    write_durably(target, "one", mode=0o600)
    assert target.stat().st_mode & 0o777 == 0o600
    write_durably(target, b"two")
    assert target.read_text() == "two"
    assert names(tmp_path) == ["a.json"]


def test_a_block_that_raises_leaves_the_file_as_it_was(tmp_path):
    target = tmp_path / "a.json"
    target.write_text("one")
    with suppress(ZeroDivisionError), atomic_file(target) as part:
        part.write_text(str(1 / 0))
    assert target.read_text() == "one"
    assert names(tmp_path) == ["a.json"]


def test_content_is_on_the_disk_before_the_name_and_the_name_before_the_return(
    tmp_path, monkeypatch
):
    done = []
    fsync, rename = os.fsync, Path.rename

    def noted_fsync(descriptor):
        done.append(("fsync", Path(f"/proc/self/fd/{descriptor}").readlink()))
        fsync(descriptor)

    def noted_rename(self, to):
        done.append(("rename", Path(to)))
        return rename(self, to)

    monkeypatch.setattr(os, "fsync", noted_fsync)
    monkeypatch.setattr(Path, "rename", noted_rename)
    with atomic_file(tmp_path / "a") as part:
        part.write_text("x")
    assert done == [("fsync", part), ("rename", tmp_path / "a"), ("fsync", tmp_path)]
    done.clear()
    with atomic_file(tmp_path / "a", durable=False):
        pass
    assert done == [("rename", tmp_path / "a")]
    done.clear()
    (tmp_path / "new").mkdir()
    replace_directory(tmp_path / "new", tmp_path / "b")
    assert done[-2:] == [("rename", tmp_path / "b"), ("fsync", tmp_path)]


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["file", "folder"])
def test_a_part_is_a_leftover_from_the_moment_its_writer_dies(tmp_path, kind):
    with held(kind, tmp_path / "x") as writer:
        part = Path(writer.stdout.readline().rstrip())
        part = part.parent if kind == "folder" else part
        assert clean_leftovers(tmp_path) == 0
        assert part.exists()
        writer.kill()
    assert names(tmp_path) == [part.name]
    assert clean_leftovers(tmp_path) == 1
    assert names(tmp_path) == []


@pytest.mark.slow
def test_the_next_write_of_a_file_cleans_what_a_killed_one_left(tmp_path):
    target = tmp_path / "[x] *.json"
    with held("file", target) as writer:
        assert writer.stdout.readline()
        writer.kill()
    write_durably(target, "{}")
    assert names(tmp_path) == [target.name]


@pytest.mark.parametrize("mark", ["0123456789ab", "01234567-99-0"])  # the second: earlier releases
def test_an_old_folder_comes_back_unless_the_new_one_is_there(tmp_path, mark):
    for name in ("lost.sfa", "replaced.sfa"):
        (tmp_path / f".sfa-old-{mark}-{name}").mkdir()
    (tmp_path / "replaced.sfa").mkdir()
    (tmp_path / f".sfa-part-{mark}-x.sfa").mkdir()
    assert clean_leftovers(tmp_path) == 3
    assert names(tmp_path) == ["lost.sfa", "replaced.sfa"]
    assert clean_leftovers(tmp_path / "none") == 0


def test_on_a_disk_without_locks_nothing_is_taken_for_a_leftover(tmp_path, monkeypatch):
    def flock(*_):
        raise OSError(95, "Operation not supported")

    monkeypatch.setattr(fcntl, "flock", flock)
    with temporary_directory(tmp_path / "x") as part:
        assert clean_leftovers(tmp_path) == 0
        assert part.exists()
        write_durably(tmp_path / "a", "x")
    assert names(tmp_path) == ["a"]


def test_a_part_that_was_cleaned_before_it_was_locked_is_made_again(tmp_path, monkeypatch):
    flock, made = fcntl.flock, []

    def late(handle, how):
        path = Path(f"/proc/self/fd/{handle}").readlink()
        if not made and path.name.startswith(".sfa-part-"):
            made.append(path)
            path.unlink()
        flock(handle, how)

    monkeypatch.setattr(atomic.fcntl, "flock", late)
    write_durably(tmp_path / "a", "x")
    assert made
    assert (tmp_path / "a").read_text() == "x"


@pytest.mark.slow
def test_another_process_may_write_atomically_into_a_temporary_folder(tmp_path):
    program = (
        "import sys\nfrom pathlib import Path\n"
        "from sfa_engine.system.atomic import atomic_directory\n"
        "with atomic_directory(Path(sys.argv[1]), 'track.json', 'bundle') as folder:\n"
        "    (folder / 'track.json').write_text('{}')\n"
    )
    with temporary_directory(tmp_path / "x.sfa") as folder:
        subprocess.run([sys.executable, "-c", program, folder / "x.sfa"], check=True, timeout=60)
        assert names(folder) == ["x.sfa"]
    assert names(tmp_path) == []


def test_a_folder_that_cannot_be_made_is_reported(tmp_path):
    (tmp_path / "file").write_text("x")
    with (
        pytest.raises(MediaError, match="cannot write beside"),
        temporary_directory(tmp_path / "file" / "x"),
    ):
        pass
