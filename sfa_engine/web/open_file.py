"""Files of the library, opened without following a link, and read outside the event loop."""

from __future__ import annotations

import asyncio
import errno
import os
import stat
from concurrent.futures import Executor
from pathlib import PurePosixPath

from sfa_engine.web.problem import Problem
from sfa_engine.web.ranges import State

PIECE_BYTES = 256 * 1024
_ABSENT = (errno.ENOENT, errno.ENOTDIR, errno.ELOOP, errno.EMLINK)
_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
_FILE = os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW | os.O_CLOEXEC  # a FIFO would block


class OpenFile:
    """A file that is open, until `close`.

    Parameters
    ----------
    descriptor : int
        Its own from here on.

    Attributes
    ----------
    state : State
    """

    def __init__(self, descriptor: int) -> None:
        self._file = os.fdopen(descriptor, "rb", buffering=0)
        about = os.fstat(descriptor)
        tag = f'"{about.st_ino:x}-{about.st_mtime_ns:x}-{about.st_size:x}"'
        self.state = State(about.st_size, about.st_mtime, tag)

    def read(self, at: int, count: int) -> bytes:
        """Return some bytes; blocks.

        Raises
        ------
        OSError
            The disk fails, or the file was cut meanwhile.
        """
        found = os.pread(self._file.fileno(), count, at)
        if not found:
            raise OSError(errno.EIO, "the file is shorter than it was")
        return found

    @property
    def descriptor(self) -> int:
        """Its descriptor, for a program that reads it."""
        return self._file.fileno()

    def close(self) -> None:
        """Close it."""
        self._file.close()


def open_below(folder: str, path: str) -> OpenFile:
    """Open a file below a folder; no link below it is followed. Blocks.

    Raises
    ------
    Problem
        404 if there is no such file, 503 if it cannot be read.
    """
    try:
        return OpenFile(_descriptor(folder, PurePosixPath(path).parts))
    except (OSError, ValueError) as error:
        name = PurePosixPath(path).name
        if isinstance(error, ValueError) or error.errno in _ABSENT:
            raise Problem(404, f'no file "{name:.100}"', "see `sfa library check`") from None
        hint = "check its permissions and its disk"
        raise Problem(503, f'"{name:.100}" cannot be read: {error.strerror}', hint) from None


def _descriptor(folder: str, parts: tuple[str, ...]) -> int:
    """Return the descriptor of a regular file."""
    if not parts or {"/", "..", "."} & set(parts):
        raise ValueError(parts)
    handle = os.open(folder, _FOLDER)
    try:
        for part in parts[:-1]:
            inner = os.open(part, _FOLDER | os.O_NOFOLLOW, dir_fd=handle)
            os.close(handle)
            handle = inner
        found = os.open(parts[-1], _FILE, dir_fd=handle)
    finally:
        os.close(handle)
    if not stat.S_ISREG(os.fstat(found).st_mode):
        os.close(found)
        raise ValueError(parts)
    return found


async def in_thread(threads: Executor, folder: str, path: str) -> OpenFile:
    """Open a file as `open_below` does, outside the event loop."""
    return await asyncio.get_running_loop().run_in_executor(threads, open_below, folder, path)
