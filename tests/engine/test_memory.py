"""The engine's mapped file: made whole or not at all."""

import errno
import os

import pytest

from sfa_engine.engine.memory import Memory
from sfa_engine.errors import EngineError


def test_a_full_disk_makes_no_memory_that_would_end_whoever_touches_it(tmp_path, monkeypatch):
    def fill(*_):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "posix_fallocate", fill)
    with pytest.raises(EngineError, match=r"engine\.memory cannot be made: No space left .* kB"):
        Memory.create(tmp_path / "engine.memory")
    assert not list(tmp_path.iterdir())


def test_a_folder_that_is_gone_is_told(tmp_path):
    with pytest.raises(EngineError, match="cannot be made: No such file"):
        Memory.create(tmp_path / "gone" / "engine.memory")
