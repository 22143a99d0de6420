"""Unix sockets that only this user can connect to.

A socket appears at its path when it listens: an existing path belongs to a process that answers, or
to a dead one.
"""

from __future__ import annotations

import errno
import os
import select
import socket
import struct
from contextlib import suppress
from pathlib import Path
from typing import Protocol

MAX_BYTES = 107  # of a path, in `struct sockaddr_un`
_CREDENTIALS = struct.Struct("3i")  # `struct ucred`: pid, uid, gid


def listen_unix(path: Path, backlog: int) -> socket.socket:
    """Return a socket that listens at a path, replacing an existing one.

    Parameters
    ----------
    path : pathlib.Path
    backlog : int
        Of connections to accept.

    Raises
    ------
    OSError
        The folder cannot be written, the path is too long for a socket, or it is a folder.
    """
    # Not `atomic_file`: bind makes the file, and a path has 107 bytes at most. The caller holds a
    # lock, so the name is not in use.
    part = path.with_name(f".{path.name}")
    if len(os.fsencode(part)) > MAX_BYTES:
        raise OSError(errno.ENAMETOOLONG, os.strerror(errno.ENAMETOOLONG), str(path))
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        with suppress(FileNotFoundError):
            part.unlink()
        listener.bind(str(part))
        part.chmod(0o600)
        listener.listen(backlog)
        part.replace(path)
    except BaseException:
        listener.close()
        part.unlink(missing_ok=True)
        raise
    return listener


class Line(Protocol):
    """A socket of any library."""

    @property
    def family(self) -> int:
        """Its address family."""

    def getsockopt(self, level: int, option: int, size: int, /) -> bytes:
        """Return an option's value."""


class Open(Protocol):
    """A socket of any library, which may be closed."""

    def fileno(self) -> int:
        """Return its number; negative if it is closed."""


def is_own_peer(line: Line) -> bool:
    """Return whether a connection is a Unix socket's whose other end runs as our user.

    The kernel says so; other kinds of sockets have no credentials.
    """
    if line.family != socket.AF_UNIX:
        return False
    said = line.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size)
    uid: int = _CREDENTIALS.unpack(said)[1]
    return uid == os.geteuid()


def has_hung_up(line: Open) -> bool:
    """Return whether a peer has closed its socket, and not only stopped sending."""
    number = line.fileno()
    if number < 0:
        return True
    poll = select.poll()
    poll.register(number, 0)
    return any(events & (select.POLLHUP | select.POLLERR) for _, events in poll.poll(0))
