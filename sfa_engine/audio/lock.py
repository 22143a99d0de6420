"""Lock files: one process of a kind in a runtime folder, and who it is.

The kernel names the holder (``F_GETLK``), not a number in the file: that could be of a process
which has ended, and by now be another's. Whoever asks takes no lock, and so is in nobody's way.
"""

from __future__ import annotations

import fcntl
import os
import struct
from pathlib import Path

from sfa_engine.errors import EngineError

_FLOCK = "hhqqi4x"  # struct flock: type, whence, start, length, pid


def take_lock(path: Path, what: str, hint: str) -> int:
    """Hold a lock for as long as this process lives.

    Parameters
    ----------
    path : pathlib.Path
        This process must not open it again: closing that would give up its name.
    what : str
        What holds it, for the error: ``a host``.
    hint : str
        What to do if another process does.

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
        handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    except OSError as error:
        raise _unwritten(path, error) from None
    try:
        fcntl.lockf(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)  # has an owner, whom F_GETLK names
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)  # holds within this process, too
    except (BlockingIOError, PermissionError):
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
    """Return the process that holds a lock, 0 if no other does."""
    try:
        handle = os.open(path, os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW)
    except OSError:
        return 0
    try:
        asked = struct.pack(_FLOCK, fcntl.F_WRLCK, os.SEEK_SET, 0, 0, 0)
        kind, *_, pid = struct.unpack(_FLOCK, fcntl.fcntl(handle, fcntl.F_GETLK, asked))
    except OSError:
        return 0
    finally:
        os.close(handle)
    return 0 if kind == fcntl.F_UNLCK else int(pid)


def open_holder(path: Path) -> tuple[int, int] | None:
    """Return the process that holds a lock and a pidfd of it; None if no other does.

    The pidfd is that process, even if it ends meanwhile and its number goes to another: it
    still held the lock after the pidfd was opened.
    """
    while pid := lock_holder(path):
        try:
            pidfd = os.pidfd_open(pid)
        except OSError:
            continue  # it has just ended
        if lock_holder(path) == pid:
            return pid, pidfd
        os.close(pidfd)
    return None
