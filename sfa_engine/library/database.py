"""The library's database: one writer, one reader beside it, no committed row lost.

::

    async with await Database.open(path) as database:
        async with database.transaction() as connection:              the user's work: on the disk
            await cues.add(connection, …)                             when the block ends
        async with database.transaction(durable=False) as connection: can be computed again: safe
            await analysis.store(connection, …)                       from a crash, not from a
        async with database.reading() as connection:                  power cut of this second
            found = await search(connection, "bpm:120-128")           one snapshot

SQLite in WAL mode: a reader never waits for the writer. There is one reading connection, so a
block of `reading` must not wait for files or the network: a load waits for it. Functions on
tracks, cues and so on take the connection, so that several form one transaction. Knows no table.
"""

from __future__ import annotations

import asyncio
import sqlite3
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager, closing, suppress
from contextvars import ContextVar
from pathlib import Path
from types import TracebackType
from typing import Any, Protocol, Self
from urllib.parse import quote

import aiosqlite

from sfa_engine.errors import LibraryError
from sfa_engine.library.backup import back_up
from sfa_engine.library.folding import FUNCTION, fold
from sfa_engine.library.migrations import (
    APPLICATION,
    MIGRATIONS,
    TRUSTED,
    Migration,
    migrate,
    version_of,
)
from sfa_engine.library.sqlite_errors import os_errors_as, translate_sqlite_errors
from sfa_engine.system.aio import run_to_completion

BUSY_TIMEOUT_S = 5.0  # for another program's transaction

Connection = aiosqlite.Connection
Row = sqlite3.Row
Arguments = Sequence[Any] | Mapping[str, Any]


class Watcher(Protocol):
    """Sees the transactions of a task, and may refuse them or add to them."""

    async def begun(self, connection: Connection) -> None:
        """Look at what is there before a transaction changes it."""

    async def committing(self, connection: Connection) -> None:
        """Look at what a transaction has changed, before its commit."""


WATCHER: ContextVar[Watcher | None] = ContextVar("watcher", default=None)


class Database:
    """An open library; made by `open`, closed by `close` or at the end of ``async with``.

    Parameters
    ----------
    path : Path
        The file.
    writer, reader : aiosqlite.Connection
        Each has a thread of its own.

    Attributes
    ----------
    manifests : asyncio.Lock
        Held while a bundle's manifest is brought up to date, see `manifest.update`.
    before_commit : callable, optional
        Called with the connection before each commit of a change, to add to the transaction.
    """

    def __init__(self, path: Path, writer: Connection, reader: Connection) -> None:
        self.path = path
        self._writer = writer
        self._reader = reader
        self._writing = _Turn("transaction()")
        self._looking = _Turn("reading()")
        self.manifests = asyncio.Lock()
        self.before_commit: Callable[[Connection], Awaitable[None]] | None = None
        self._durable: bool | None = None

    @classmethod
    async def open(
        cls,
        path: str | Path,
        *,
        backups: str | Path | None = None,
        busy_s: float = BUSY_TIMEOUT_S,
        migrations: tuple[Migration, ...] = MIGRATIONS,
    ) -> Database:
        """Open a library, creating and migrating it as needed.

        Parameters
        ----------
        path : str or Path
            The file; its folder is created too.
        backups : str or Path, optional
            Folder of the backup before a migration; by default ``backups`` beside the file.
        busy_s : float
            Timeout for another program's transaction, in seconds.
        migrations : tuple of Migration

        Raises
        ------
        LibraryError
            The file is damaged, locked, from a newer release or another program, or its folder
            is not writable.
        """
        file = Path(path)
        folder = Path(backups) if backups is not None else file.parent / "backups"
        await asyncio.to_thread(_prepare, file, folder, busy_s, migrations)
        with translate_sqlite_errors(file):
            writer = await _connect(file, "rw", "PRAGMA foreign_keys = ON", busy_s)
            try:
                reader = await _connect(file, "rw", "PRAGMA query_only = ON", busy_s)
            except BaseException:
                await writer.close()
                raise
        return cls(file, writer, reader)

    async def close(self) -> None:
        """Wait for the current transaction, and close."""
        async with self._writing, self._looking:
            try:
                # It only makes later queries faster: a full disk must not matter here.
                with suppress(LibraryError), translate_sqlite_errors(self.path):
                    await self._writer.execute("PRAGMA optimize")
            finally:
                await self._reader.close()
                await self._writer.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.close()

    @asynccontextmanager
    async def transaction(self, *, durable: bool = True) -> AsyncIterator[Connection]:
        """Yield the writing connection in a transaction; roll back if the block raises.

        Parameters
        ----------
        durable : bool
            Whether the commit survives a power cut: False only for what can be computed again.
            A killed process loses neither.

        Yields
        ------
        connection : aiosqlite.Connection

        Raises
        ------
        LibraryError
            The disk is full or failed, or another program holds the lock for too long; nothing
            was changed.
        """
        async with self._writing:
            with translate_sqlite_errors(self.path):
                try:
                    if durable != self._durable:
                        level = "FULL" if durable else "NORMAL"
                        await self._writer.execute(f"PRAGMA synchronous = {level}")
                        self._durable = durable
                    await self._writer.execute("BEGIN IMMEDIATE")
                    watcher = WATCHER.get()
                    if watcher is not None:
                        await watcher.begun(self._writer)
                    before = self._writer.total_changes
                    yield self._writer
                    has_changed = self._writer.total_changes != before
                    if watcher is not None and has_changed:
                        await watcher.committing(self._writer)
                    if self.before_commit is not None and has_changed:
                        await self.before_commit(self._writer)
                    if not self._writer.in_transaction:
                        raise LibraryError(  # noqa: TRY301 - there is nothing left to roll back
                            f'library "{self.path}": a fault ended the transaction',
                            "check the free space there, then retry",
                        )
                    await run_to_completion(self._writer.commit())
                except BaseException:
                    await run_to_completion(self._writer.rollback())
                    raise

    @asynccontextmanager
    async def reading(self) -> AsyncIterator[Connection]:
        """Yield the reading connection; the block sees one snapshot.

        Yields
        ------
        connection : aiosqlite.Connection
        """
        async with self._looking:
            with translate_sqlite_errors(self.path):
                try:
                    await self._reader.execute("BEGIN")
                    yield self._reader
                finally:
                    await run_to_completion(self._reader.rollback())

    async def fetch(self, sql: str, arguments: Arguments = ()) -> list[Row]:
        """Return the rows of one query."""
        async with self.reading() as connection:
            return await rows(connection, sql, arguments)

    async def back_up(self, folder: Path) -> Path:
        """Write a verified backup while others use the library; see `backup.back_up`."""
        return await asyncio.to_thread(back_up, self.path, folder)


async def _connect(path: Path, mode: str, pragma: str, busy_s: float) -> Connection:
    """Open a connection with rows by name and our function for the triggers."""
    uri = f"file:{quote(str(await asyncio.to_thread(path.absolute)))}?mode={mode}"
    connection = await aiosqlite.connect(uri, uri=True, isolation_level=None, timeout=busy_s)
    try:
        connection.row_factory = Row
        await connection.create_function(FUNCTION, 1, fold, deterministic=True)
        for statement in (TRUSTED, pragma):
            await connection.execute(statement)
    except BaseException:
        await connection.close()
        raise
    return connection


@asynccontextmanager
async def read_only(path: Path) -> AsyncIterator[Connection]:
    """Yield a read-only connection to a library that another process may have open.

    Yields
    ------
    connection : aiosqlite.Connection

    Raises
    ------
    LibraryError
        There is no library, or it is from another release.
    """
    if not await asyncio.to_thread(path.exists):
        raise LibraryError(f'no library "{path}"', "prepare music with `sfa prep`")
    with translate_sqlite_errors(path):
        connection = await _connect(path, "ro", "PRAGMA query_only = ON", BUSY_TIMEOUT_S)
        try:
            version = await row(connection, "PRAGMA user_version")
            if version is None or version[0] != len(MIGRATIONS):
                raise LibraryError(
                    f'library "{path}" is from another release', "`sfa library stats` updates it"
                )
            yield connection
        finally:
            await connection.close()


async def rows(connection: Connection, sql: str, arguments: Arguments = ()) -> list[Row]:
    """Return the rows of a query."""
    return list(await connection.execute_fetchall(sql, arguments))


async def row(connection: Connection, sql: str, arguments: Arguments = ()) -> Row | None:
    """Return the first row of a query, or None."""
    found = await rows(connection, sql, arguments)
    return found[0] if found else None


async def change(connection: Connection, sql: str, arguments: Arguments = ()) -> int:
    """Change rows; return how many."""
    async with connection.execute(sql, arguments) as cursor:
        return cursor.rowcount


async def insert(connection: Connection, sql: str, arguments: Arguments = ()) -> int:
    """Insert a row; return its id."""
    async with connection.execute(sql, arguments) as cursor:
        return cursor.lastrowid or 0


async def setting(connection: Connection, name: str) -> Any:
    """Return a stored setting, or None."""
    found = await row(connection, "SELECT value FROM settings WHERE name = ?", (name,))
    return None if found is None else found["value"]


async def set_setting(connection: Connection, name: str, value: str | float) -> None:
    """Store a setting."""
    await change(
        connection, "INSERT OR REPLACE INTO settings (name, value) VALUES (?, ?)", (name, value)
    )


class _Turn:
    """A lock that raises where a task would deadlock with itself."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._lock = asyncio.Lock()
        self._holder: asyncio.Task[Any] | None = None

    async def __aenter__(self) -> None:
        task = asyncio.current_task()
        if self._holder is not None and self._holder is task:
            raise RuntimeError(f"{self._name} inside {self._name}: use the connection it yields")
        await self._lock.acquire()
        self._holder = task

    async def __aexit__(self, *_: object) -> None:
        self._holder = None
        self._lock.release()


def _prepare(path: Path, backups: Path, busy_s: float, migrations: tuple[Migration, ...]) -> None:
    """Create a library, or check that it is one, and migrate it. Blocks."""
    with os_errors_as(f'cannot create the library "{path}"'):
        path.parent.mkdir(parents=True, exist_ok=True)
    with (
        translate_sqlite_errors(path),
        closing(sqlite3.connect(path, timeout=busy_s, isolation_level=None)) as connection,
    ):
        connection.execute("BEGIN")  # one snapshot: another process may be creating it
        version = version_of(connection)
        application = connection.execute("PRAGMA application_id").fetchone()[0]
        tables = connection.execute("SELECT count(*) FROM sqlite_schema").fetchone()[0]
        connection.execute("ROLLBACK")
        if (tables or version) and application != APPLICATION:
            raise LibraryError(
                f'"{path}" is a database of another program', "name another file, or move it away"
            )
        if version > len(migrations):
            raise LibraryError(
                f'library "{path}" was written by a newer release '
                f"(version {version}; this one knows {len(migrations)})",
                "update this program, or restore a backup from before",
            )
        if _journal(connection, busy_s) != "wal":
            raise LibraryError(
                f'library "{path}" is on a file system without shared memory',
                "put it on a local disk",
            )
        if 0 < version < len(migrations):
            back_up(path, backups, f"before-version-{version + 1}")
        migrate(connection, migrations)


def _journal(connection: sqlite3.Connection, busy_s: float) -> str:
    """Switch to a write-ahead log; return the journal mode then.

    Of two processes that create a library at once SQLite refuses this to the second without
    waiting, whatever its timeout is.
    """
    deadline = time.monotonic() + busy_s
    while True:
        try:
            return str(connection.execute("PRAGMA journal_mode = WAL").fetchone()[0])
        except sqlite3.OperationalError as problem:
            busy = problem.sqlite_errorcode & 0xFF == sqlite3.SQLITE_BUSY
            if not busy or time.monotonic() > deadline:
                raise
        time.sleep(0.005)
