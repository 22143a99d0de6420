"""Lock files: one process of a kind in a runtime folder, and who it is."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path

from sfa_engine.errors import EngineError


def take_lock(path: Path, what: str, hint: str) -> int:
    """Hold a lock for as long as this process lives, and write its number there.

    Parameters
    ----------
    path : pathlib.Path
    what : str
        What holds it, for the error: ``a host``.
    hint : str
        What to do if somebody else does.

    Returns
    -------
    handle : int
        Keep it open.

    Raises
    ------
    EngineError
        Another process holds it, or the file cannot be written.
    """
    try:
        handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise _unwritten(path, error) from None
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        os.ftruncate(handle, 0)
        os.pwrite(handle, str(os.getpid()).encode(), 0)
    except BlockingIOError:
        os.close(handle)
        raise EngineError(f"{what} runs in {path.parent} already", hint) from None
    except OSError as error:
        os.close(handle)
        raise _unwritten(path, error) from None
    return handle


def _unwritten(path: Path, error: OSError) -> EngineError:
    return EngineError(
        f"{path} cannot be written: {error.strerror}",
        "look at the rights and the space of its folder",
    )


def lock_holder(path: Path) -> int:
    """Return the process that holds a lock, 0 if none does."""
    try:
        handle = os.open(path, os.O_RDWR | os.O_CLOEXEC)
    except OSError:
        return 0
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        try:
            return int(os.pread(handle, 32, 0) or 0)
        except ValueError:
            return 0
    else:
        return 0
    finally:
        os.close(handle)
