"""Translates errors of the environment to `LibraryError`.

A full disk, a locked or damaged file, a folder without write permission. Every other error of
SQLite is a bug in our SQL and is not translated. Knows no table.
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
        "check the free space and the system's log; nothing was changed",
    ),
    sqlite3.SQLITE_BUSY: ("another program is writing to it", "end that program, or try again"),
    sqlite3.SQLITE_LOCKED: ("another program is writing to it", "end that program, or try again"),
    sqlite3.SQLITE_READONLY: ("it may not be written", "give its folder to the user who runs this"),
    sqlite3.SQLITE_PERM: ("it may not be read", "give its folder to the user who runs this"),
    sqlite3.SQLITE_CANTOPEN: (
        "it, or its folder, cannot be opened",
        "check the permissions and the free space of the folder",
    ),
    sqlite3.SQLITE_CORRUPT: ("it is damaged", "restore the newest backup"),
    sqlite3.SQLITE_NOTADB: ("it is not a database, or damaged", "restore the newest backup"),
}


@contextmanager
def translate_sqlite_errors(path: Path) -> Iterator[None]:
    """Raise errors of SQLite in the block as a LibraryError."""
    try:
        yield
    except sqlite3.Error as problem:
        code = getattr(problem, "sqlite_errorcode", None)
        if code is None or code & 0xFF not in _FAULTS:  # the low byte is the kind
            raise
        what, hint = _FAULTS[code & 0xFF]
        raise LibraryError(f'library "{path}": {what}', hint) from problem


@contextmanager
def os_errors_as(what: str) -> Iterator[None]:
    """Raise an OSError of the block as a LibraryError.

    Parameters
    ----------
    what : str
        What failed: ``cannot write backup "…"``.
    """
    try:
        yield
    except OSError as problem:
        raise LibraryError(
            f"{what}: {problem.strerror or problem}",
            "check the free space and the permissions there",
        ) from problem
