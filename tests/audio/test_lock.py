"""Lock files: who holds one, and what is said of one that cannot be had."""

import os

import pytest

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
