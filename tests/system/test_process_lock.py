"""Lock files: who holds one, and what is said of one that cannot be had."""

import os
import select
import signal
import subprocess
import sys

import pytest

from sfa_engine.errors import EngineError
from sfa_engine.system.process_lock import lock_holder, open_holder, take_lock

HOLDER = """
import sys
from pathlib import Path
from sfa_engine.system.process_lock import take_lock
take_lock(Path(sys.argv[1]), "a host", "stop it")
print("held", flush=True)
sys.stdin.read()
"""

ASKER = """
import sys
from pathlib import Path
from sfa_engine.system.process_lock import lock_holder
print("asking", flush=True)
while True:
    lock_holder(Path(sys.argv[1]))
"""


@pytest.fixture
def path(tmp_path):
    return tmp_path / "host.lock"


@pytest.fixture
def holder(path):
    """A process that holds the lock until its standard input is closed."""
    with subprocess.Popen(
        [sys.executable, "-c", HOLDER, path], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        assert process.stdout.readline() == b"held\n"
        yield process


def test_a_lock_names_its_holder_for_as_long_as_it_is_held(path, holder):
    assert lock_holder(path) == holder.pid
    with pytest.raises(EngineError, match=r"a host runs in .* already; stop it"):
        take_lock(path, "a host", "stop it")
    holder.communicate()
    assert lock_holder(path) == 0
    os.close(take_lock(path, "a host", "stop it"))


def test_a_lock_is_taken_once_in_a_process_too(path):
    held = take_lock(path, "a host", "stop it")
    with pytest.raises(EngineError, match="already"):
        take_lock(path, "a host", "stop it")
    os.close(held)


def test_a_number_in_the_file_names_no_process(path, holder):
    path.write_text(f"{os.getpid()}\n")
    assert lock_holder(path) == holder.pid
    holder.communicate()
    assert lock_holder(path) == 0
    assert open_holder(path) is None


def test_the_holder_is_had_as_a_process_not_as_a_number(path, holder):
    pid, pidfd = open_holder(path)
    assert pid == holder.pid
    signal.pidfd_send_signal(pidfd, signal.SIGTERM)
    assert select.select([pidfd], [], [], 20.0)[0]
    os.close(pidfd)
    assert open_holder(path) is None


def test_a_lock_behind_a_symbolic_link_is_not_taken(path, tmp_path):
    path.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(EngineError, match="cannot be written"):
        take_lock(path, "a host", "stop it")
    assert not (tmp_path / "elsewhere").exists()


def test_a_folder_that_cannot_be_written_is_an_error_with_what_to_do(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(
        EngineError, match="Not a directory; check the permissions and the free space"
    ):
        take_lock(tmp_path / "file" / "host.lock", "a host", "stop it")


def test_a_lookup_keeps_no_process_from_a_lock(path):
    os.close(take_lock(path, "a host", "stop it"))
    with subprocess.Popen(
        [sys.executable, "-c", ASKER, path], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE
    ) as asking:
        assert asking.stdout.readline() == b"asking\n"
        for _ in range(2_000):
            os.close(take_lock(path, "a host", "stop it"))
        asking.terminate()
