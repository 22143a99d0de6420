"""The doors of the processes: Unix sockets of this user alone.

A path that is there leads to somebody who answers, or who has died; never to one who is not ready.
"""

from __future__ import annotations

import errno
import os
import socket
from contextlib import suppress
from pathlib import Path

MOST_BYTES = 107  # of a path, in `struct sockaddr_un`


def open_door(path: Path, backlog: int) -> socket.socket:
    """Return a socket that listens at a path, in the place of what was there.

    Parameters
    ----------
    path : pathlib.Path
    backlog : int
        How many may wait to be let in.

    Raises
    ------
    OSError
        The folder cannot be written, the path is too long for a socket, or a folder is there.
    """
    begun = path.with_name(f".{path.name}")  # who opens holds a lock: nobody else begins it
    if len(os.fsencode(begun)) > MOST_BYTES:
        raise OSError(errno.ENAMETOOLONG, os.strerror(errno.ENAMETOOLONG), str(path))
    door = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        with suppress(FileNotFoundError):
            begun.unlink()
        door.bind(str(begun))
        begun.chmod(0o600)
        door.listen(backlog)
        begun.replace(path)
    except BaseException:
        door.close()
        begun.unlink(missing_ok=True)
        raise
    return door
