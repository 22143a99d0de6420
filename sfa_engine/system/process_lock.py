"""Lock files: one process of a kind in a runtime folder, and its pid.

The kernel names the holder (``F_GETLK``), not a number in the file, which could be of a process
that has ended, and be reused by another. The lookup takes no lock, so it blocks no process.
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
        This process must not open it again: closing that would release the POSIX lock.
    what : str
        The kind of process, for the error: ``a host``.
    hint : str
        What to do if another process holds it.

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
        raise _not_writable(path, error) from None
    try:
        fcntl.lockf(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)  # has an owner, for F_GETLK
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)  # excludes this process, too
    except (BlockingIOError, PermissionError):
        os.close(handle)
        raise EngineError(f"{what} runs in {path.parent} already", hint) from None
    except OSError as error:
        os.close(handle)
        raise _not_writable(path, error) from None
    return handle


def _not_writable(path: Path, error: OSError) -> EngineError:
    return EngineError(
        f"{path} cannot be written: {error.strerror}",
        "check the permissions and the free space of its folder",
    )


def lock_holder(path: Path) -> int:
    """Return the process that holds a lock, 0 if no other does."""
    try:
        handle = os.open(path, os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW)
    except OSError:
        return 0
    try:
        query = struct.pack(_FLOCK, fcntl.F_WRLCK, os.SEEK_SET, 0, 0, 0)
        kind, *_, pid = struct.unpack(_FLOCK, fcntl.fcntl(handle, fcntl.F_GETLK, query))
    except OSError:
        return 0
    finally:
        os.close(handle)
    return 0 if kind == fcntl.F_UNLCK else int(pid)


def open_holder(path: Path) -> tuple[int, int] | None:
    """Return the process that holds a lock and a pidfd of it; None if no other does.

    The pidfd refers to that process even if it ends and its pid is reused: it still held the
    lock after the pidfd was opened.
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
