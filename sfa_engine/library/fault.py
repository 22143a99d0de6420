"""What may befall a database that is nobody's mistake, said so that somebody can act on it.

A full disk, a file that another program holds, a damaged file, a folder that may not be written:
each is a `LibraryError`. Everything else that SQLite says is a mistake in our own SQL and stays
what it is. Knows no table.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sfa_engine.errors import LibraryError

_FAULTS = {
    sqlite3.SQLITE_FULL: ("the disk is full", "free some space there; nothing was changed"),
    sqlite3.SQLITE_IOERR: (
        "the disk is full, or failed",
        "look at the space and at the system's log; nothing was changed",
    ),
    sqlite3.SQLITE_BUSY: ("another program is writing to it", "end that program, or try again"),
    sqlite3.SQLITE_LOCKED: ("another program is writing to it", "end that program, or try again"),
    sqlite3.SQLITE_READONLY: ("it may not be written", "give its folder to the user who runs this"),
    sqlite3.SQLITE_PERM: ("it may not be read", "give its folder to the user who runs this"),
    sqlite3.SQLITE_CANTOPEN: (
        "it, or its folder, cannot be opened",
        "look at the rights and at the space of the folder",
    ),
    sqlite3.SQLITE_CORRUPT: ("it is damaged", "restore the newest backup"),
    sqlite3.SQLITE_NOTADB: ("it is no database, or is damaged", "restore the newest backup"),
}


@contextmanager
def blamed(path: Path) -> Iterator[None]:
    """Turn what SQLite reports of a database's file inside the block into a LibraryError."""
    try:
        yield
    except sqlite3.Error as problem:
        code = getattr(problem, "sqlite_errorcode", None)
        if code is None or code & 0xFF not in _FAULTS:  # the low byte is the kind
            raise
        what, hint = _FAULTS[code & 0xFF]
        raise LibraryError(f'library "{path}": {what}', hint) from problem


@contextmanager
def blamed_files(what: str) -> Iterator[None]:
    """Turn what the system reports of files inside the block into a LibraryError.

    Parameters
    ----------
    what : str
        What could not be done: ``cannot write backup "…"``.
    """
    try:
        yield
    except OSError as problem:
        raise LibraryError(
            f"{what}: {problem.strerror or problem}", "look at the space and the rights there"
        ) from problem
