"""Lock files: who holds one, and what is said of one that cannot be had."""

import fcntl
import os
import subprocess
from threading import Event, Thread, Timer

import pytest

from sfa_engine.audio import lock
from sfa_engine.audio.lock import lock_holder, take_lock
from sfa_engine.errors import EngineError


def test_a_lock_names_its_holder_for_as_long_as_it_is_held(tmp_path):
    path = tmp_path / "host.lock"
    held = take_lock(path, "a host", "stop it")
    assert lock_holder(path) == os.getpid()
    with pytest.raises(EngineError, match=r"a host runs in .* already; stop it"):
        take_lock(path, "a host", "stop it")
    os.close(held)
    assert lock_holder(path) == 0


def test_a_folder_that_cannot_be_written_is_an_error_with_what_to_do(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(EngineError, match="Not a directory; look at the rights and the space"):
        take_lock(tmp_path / "file" / "host.lock", "a host", "stop it")


@pytest.fixture
def held(tmp_path, monkeypatch):
    """Lend a file that is locked, with the number of a process that has ended."""
    monkeypatch.setattr(lock, "PATIENCE_S", 20.0)  # a busy machine's
    with subprocess.Popen(["true"]) as ended:
        pass
    path = tmp_path / "host.lock"
    path.write_text(f"{ended.pid}\n")
    with path.open("rb+") as file:
        yield file


def test_one_who_asks_holds_no_lock_for_another_who_asks(held):
    fcntl.flock(held, fcntl.LOCK_SH)
    assert lock_holder(held.name) == 0


def test_one_who_asks_keeps_nobody_from_a_lock(tmp_path):
    path = tmp_path / "host.lock"
    os.close(take_lock(path, "a host", "stop it"))
    enough = Event()

    def ask():
        while not enough.is_set():
            assert lock_holder(path) in {0, os.getpid()}

    asking = Thread(target=ask)
    asking.start()
    try:
        for _ in range(2_000):
            os.close(take_lock(path, "a host", "stop it"))
    finally:
        enough.set()
        asking.join()


def test_a_lock_just_taken_does_not_name_its_last_holder(held):
    fcntl.flock(held, fcntl.LOCK_EX)
    timer = Timer(0.02, os.pwrite, (held.fileno(), f"{os.getpid()}\n".encode(), 0))
    timer.start()
    assert lock_holder(held.name) == os.getpid()
    timer.join()
