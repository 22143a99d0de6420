"""The accounts' database: ``accounts.db`` in the data folder.

::

    with closing(open_database(path)) as connection:
        with transaction(connection):
            users.add(connection, …)

SQLite in WAL mode, `synchronous=FULL`: what was answered is on the disk. The web process reads on
its event loop, a few microseconds each, and writes in a thread; the command line opens the file by
itself. Functions on users, sessions and so on take the connection.
"""

from __future__ import annotations

import asyncio
import json
import sqlite3
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Concatenate, ParamSpec, TypeVar

from sfa_engine.errors import LibraryError
from sfa_engine.web.audit_rows import ACTING, FUNCTION, OUTBOX, described
from sfa_engine.web.rights import SYSTEM

FILE = "accounts.db"
APPLICATION = 0x53464157  # "SFAW"
BUSY_TIMEOUT_S = 5.0

Given = ParamSpec("Given")
Result = TypeVar("Result")

_SCHEMA = """
CREATE TABLE users (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    name TEXT NOT NULL,
    key TEXT NOT NULL UNIQUE, -- the name without case
    password TEXT, -- Argon2id; NULL until a link is used
    role TEXT NOT NULL CHECK (role IN ('user', 'moderator', 'admin', 'super_admin')),
    status TEXT NOT NULL DEFAULT 'active' CHECK (status IN ('active', 'suspended')),
    created_s REAL NOT NULL
) STRICT;
CREATE TABLE links (
    hash BLOB PRIMARY KEY,
    user_id INTEGER REFERENCES users ON DELETE CASCADE, -- NULL: the first user is made
    expires_s REAL NOT NULL
) STRICT;
CREATE TABLE sessions (
    hash BLOB PRIMARY KEY,
    id TEXT NOT NULL UNIQUE, -- by which it is listed and ended
    user_id INTEGER NOT NULL REFERENCES users ON DELETE CASCADE,
    created_s REAL NOT NULL,
    seen_s REAL NOT NULL,
    address TEXT NOT NULL,
    agent TEXT NOT NULL
) STRICT;
CREATE INDEX sessions_user ON sessions (user_id);
CREATE TABLE tokens (
    hash BLOB PRIMARY KEY,
    id TEXT NOT NULL UNIQUE,
    user_id INTEGER NOT NULL REFERENCES users ON DELETE CASCADE,
    name TEXT NOT NULL,
    scopes TEXT NOT NULL, -- words with spaces between
    created_s REAL NOT NULL,
    expires_s REAL,
    seen_s REAL
) STRICT;
CREATE INDEX tokens_user ON tokens (user_id);
"""

_SETTINGS = """
CREATE TABLE settings (
    user_id INTEGER NOT NULL REFERENCES users ON DELETE CASCADE,
    name TEXT NOT NULL,
    value TEXT NOT NULL, -- JSON
    PRIMARY KEY (user_id, name)
) STRICT, WITHOUT ROWID;
"""

_MIGRATIONS = (_SCHEMA, _SETTINGS, OUTBOX)  # a released one is never changed
VERSION = len(_MIGRATIONS)


class Connection(sqlite3.Connection):
    """A connection that knows who acts.

    Attributes
    ----------
    acting : dict or None
        As `audit_rows.described` returns it; None for what is not written down.
    """

    acting: dict[str, Any] | None

    def prepare(self) -> None:
        """Act as the machine's user, and define the triggers' function."""
        self.acting = described(SYSTEM)
        self.execute("PRAGMA trusted_schema = ON")
        self.create_function(FUNCTION, 0, self._said)

    def _said(self) -> str | None:
        return None if self.acting is None else json.dumps(self.acting)

    @contextmanager
    def unrecorded(self) -> Iterator[None]:
        """Write nothing down of the block: it changes nothing that a person would see."""
        acting, self.acting = self.acting, None
        try:
            yield
        finally:
            self.acting = acting


def open_database(path: Path) -> Connection:
    """Open the accounts, and make them if they do not exist.

    Raises
    ------
    LibraryError
        The file is damaged, locked, of a newer release or of another program, or cannot be written.
    """
    with _translated(path):
        connection = sqlite3.connect(
            path,
            BUSY_TIMEOUT_S,
            isolation_level=None,
            check_same_thread=False,
            factory=Connection,
        )
        try:
            connection.prepare()
            connection.row_factory = sqlite3.Row
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute("PRAGMA synchronous = FULL")
            connection.execute("PRAGMA foreign_keys = ON")
            with transaction(connection):
                _migrate(connection, path)
        except BaseException:
            connection.close()
            raise
    return connection


def _migrate(connection: Connection, path: Path) -> None:
    version = connection.execute("PRAGMA user_version").fetchone()[0]
    application = connection.execute("PRAGMA application_id").fetchone()[0]
    if version > VERSION:
        raise LibraryError(f"{path} is of a newer release", "update this one")
    if version and application != APPLICATION:
        raise LibraryError(f"{path} is of another program", "move it away")
    if version == 0 and connection.execute("SELECT 1 FROM sqlite_master LIMIT 1").fetchone():
        raise LibraryError(f"{path} is of another program", "move it away")
    for script in _MIGRATIONS[version:]:
        for statement in script.split(";\n"):
            connection.execute(statement)
    if version < VERSION:
        connection.execute(f"PRAGMA application_id = {APPLICATION}")
        connection.execute(f"PRAGMA user_version = {VERSION}")


@contextmanager
def transaction(connection: Connection) -> Iterator[None]:
    """Commit what the block writes; nothing of it if it fails."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise


@contextmanager
def _translated(path: Path) -> Iterator[None]:
    try:
        yield
    except sqlite3.Error as error:
        hint = "check its permissions and the free space"
        raise LibraryError(f"{path}: {error}", hint) from None


class Database:
    """The accounts as the web process uses them.

    Parameters
    ----------
    path : pathlib.Path
        Of the file.

    Attributes
    ----------
    reader : sqlite3.Connection
        For the event loop; it cannot write.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._writer = open_database(path)
        self.reader = open_database(path)
        self.reader.execute("PRAGMA query_only = ON")
        self._thread = ThreadPoolExecutor(1, "accounts")

    async def write(
        self,
        function: Callable[Concatenate[Connection, Given], Result],
        *arguments: Given.args,
        **named: Given.kwargs,
    ) -> Result:
        """Call a function with a connection, in a transaction of its own.

        Raises
        ------
        LibraryError
            The disk is full, or the file locked or damaged; nothing was written.
        """
        acting = described(*ACTING.get())

        def work() -> Any:
            self._writer.acting = acting
            with _translated(self._path), transaction(self._writer):
                return function(self._writer, *arguments, **named)

        result: Result = await asyncio.get_running_loop().run_in_executor(self._thread, work)
        return result

    def close(self) -> None:
        """Close it; what is being written is written."""
        self._thread.shutdown()
        self.reader.close()
        self._writer.close()
