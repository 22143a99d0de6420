"""Lock files: one process of a kind in a runtime folder, and who it is."""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Iterator
from pathlib import Path

from sfa_engine.errors import EngineError

PATIENCE_S = 0.2  # with one who only asks, or has not written its number yet: microseconds
STEP_S = 0.001


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
    number = f"{os.getpid()}\n".encode()
    try:
        if any(_locks(handle, fcntl.LOCK_EX) for _ in _moments()):
            os.pwrite(handle, number, 0)
            os.ftruncate(handle, len(number))
            return handle
    except OSError as error:
        os.close(handle)
        raise _unwritten(path, error) from None
    os.close(handle)
    raise EngineError(f"{what} runs in {path.parent} already", hint)


def _unwritten(path: Path, error: OSError) -> EngineError:
    return EngineError(
        f"{path} cannot be written: {error.strerror}",
        "look at the rights and the space of its folder",
    )


def lock_holder(path: Path) -> int:
    """Return the process that holds a lock, 0 if none does or it cannot be told."""
    try:
        handle = os.open(path, os.O_RDWR | os.O_CLOEXEC)
    except OSError:
        return 0
    pid = 0
    try:
        for _ in _moments():
            if _locks(handle, fcntl.LOCK_SH):
                return 0
            pid = _number(handle)
            if pid and Path(f"/proc/{pid}").exists():
                break  # else it is the last holder's
    except OSError:
        return 0
    finally:
        os.close(handle)
    return pid


def _moments() -> Iterator[None]:
    """Go round now, and then again and again for a little while.

    Yields
    ------
    None
    """
    give_up = time.monotonic() + PATIENCE_S
    yield
    while time.monotonic() < give_up:
        time.sleep(STEP_S)
        yield


def _locks(handle: int, how: int) -> bool:
    """Lock a file if nobody else has; return whether it is locked now."""
    try:
        fcntl.flock(handle, how | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _number(handle: int) -> int:
    """Return the number that stands in a lock's first line, 0 if none does."""
    line = os.pread(handle, 32, 0).partition(b"\n")[0]
    return int(line) if line.isdigit() else 0
