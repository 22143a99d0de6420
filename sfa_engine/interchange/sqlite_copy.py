"""Another program's SQLite database, read as a copy with its journal or WAL.

The copy is made in a temporary folder, so that nothing beside the original is written or locked,
and what the other program had not finished is rolled back in the copy. The database is untrusted:
queries end after `QUERY_LIMIT_S`, values may be of any type. Blocks.
"""

from __future__ import annotations

import contextlib
import math
import os
import shutil
import sqlite3
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from sfa_engine.errors import MediaError

QUERY_LIMIT_S = 300.0  # of all queries of a database
MAX_BYTES = 8 << 30
MAX_VALUE_BYTES = 64 << 20
_STEPS = 100_000  # of SQLite's machine between two looks at the clock: some ms
_MAGIC = b"SQLite format 3\0"
_JOURNAL_MAGIC = bytes.fromhex("d9d505f920a163d7")
_BESIDE = ("-wal", "-journal")


@contextmanager
def opened_copy(path: Path, program: str) -> Iterator[sqlite3.Connection]:
    """Open a copy of a database for queries.

    Parameters
    ----------
    path : pathlib.Path
    program : str
        Whose database it is, for errors.

    Yields
    ------
    sqlite3.Connection
        Rows are `sqlite3.Row`; text that is not UTF-8 has replacement letters.

    Raises
    ------
    MediaError
        It is not a database, it is damaged, or a query takes too long.
    """
    hint = f"close {program}, and copy its database again"
    try:
        _check(path, program)
        with tempfile.TemporaryDirectory(prefix="sfa-import-") as folder:
            copy = Path(folder) / "copy.db"
            shutil.copyfile(path, copy)
            for suffix in _BESIDE:
                beside = path.with_name(path.name + suffix)
                if beside.is_file():
                    copied = copy.with_name(copy.name + suffix)
                    shutil.copyfile(beside, copied)
                    _forget_super_journal(copied)
            with contextlib.closing(sqlite3.connect(copy)) as connection:
                _prepare(connection)
                yield connection
    except sqlite3.Error as problem:
        reason = "its queries take too long" if "interrupt" in str(problem) else str(problem)
        raise MediaError(f'cannot read "{path}": {reason}', hint) from problem
    except UnicodeDecodeError as problem:  # of SQLite's own message: it quotes a damaged name
        raise MediaError(f'cannot read "{path}": it is damaged', hint) from problem
    except OSError as problem:
        reason = problem.strerror or str(problem)
        raise MediaError(
            f'cannot read "{path}": {reason}',
            "check its permissions, and the free space of the temporary folder",
        ) from problem


def columns(connection: sqlite3.Connection, table: str) -> set[str]:
    """Return the names of a table's columns, in small letters; empty if it does not exist."""
    return {
        str(row[1]).lower()
        for row in connection.execute("SELECT * FROM pragma_table_info(?)", (table,))
    }


def chosen(connection: sqlite3.Connection, table: str, names: tuple[str, ...]) -> str:
    """Return a list of columns to select, with NULL for those that the table lacks."""
    there = columns(connection, table)
    return ", ".join(
        f'{table}."{name}"' if name.lower() in there else f'NULL AS "{name}"' for name in names
    )


def text(value: Any, longest: int = 1000) -> str:
    """Return a value as text; empty if it is none."""
    return value.strip()[:longest] if isinstance(value, str) else ""


def number(value: Any, low: float, high: float) -> float | None:
    """Return a value as a number within limits, or None."""
    if isinstance(value, str):
        with contextlib.suppress(ValueError):
            value = float(value[:40])
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return float(value) if math.isfinite(value) and low <= value <= high else None


def whole(value: Any, low: int, high: int) -> int | None:
    """Return a value as a whole number within limits, or None."""
    found = number(value, low, high)
    return None if found is None else int(found)


def blob(value: Any) -> bytes:
    """Return a value's bytes; empty if it is none."""
    return value if isinstance(value, bytes) else b""


def moment(value: Any) -> float | None:
    """Return a time as seconds since 1970: of a number, or of a text in UTC."""
    seconds = number(value, 1, 1e11)
    if seconds is not None:
        return seconds
    with contextlib.suppress(ValueError):
        parsed = datetime.fromisoformat(text(value, 40))
        return parsed.replace(tzinfo=parsed.tzinfo or UTC).timestamp()
    return None


def _forget_super_journal(path: Path) -> None:
    """Take the name of a super-journal off a journal: SQLite would delete that file.

    A journal of a transaction over several databases ends with it, and with a magic number.
    """
    with path.open("r+b") as file:
        size = file.seek(0, os.SEEK_END)
        if size < len(_JOURNAL_MAGIC):
            return
        file.seek(size - len(_JOURNAL_MAGIC))
        if file.read() == _JOURNAL_MAGIC:
            file.seek(size - len(_JOURNAL_MAGIC))
            file.write(bytes(len(_JOURNAL_MAGIC)))


def _check(path: Path, program: str) -> None:
    if path.exists() and not path.is_file():
        raise MediaError(f'"{path}" is not a file', f"name the database of {program}")
    with path.open("rb") as file:
        head = file.read(len(_MAGIC))
    if head != _MAGIC:
        raise MediaError(f'"{path}" is not an SQLite database', f"name the database of {program}")
    if path.stat().st_size > MAX_BYTES:
        raise MediaError(f'"{path}" has more than {MAX_BYTES >> 30} GB', "name another database")


def _prepare(connection: sqlite3.Connection) -> None:
    end = time.monotonic() + QUERY_LIMIT_S
    connection.row_factory = sqlite3.Row
    connection.text_factory = lambda data: data.decode("utf-8", "replace")
    connection.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, MAX_VALUE_BYTES)
    connection.setlimit(sqlite3.SQLITE_LIMIT_ATTACHED, 0)
    connection.execute("PRAGMA trusted_schema = OFF")
    connection.execute("PRAGMA query_only = ON")
    connection.set_progress_handler(lambda: time.monotonic() > end, _STEPS)
