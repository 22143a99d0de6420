"""The library's database: one writer, readers beside it, and no committed row lost.

::

    async with await Database.open(path) as database:
        async with database.transaction() as connection:              a person's work: on the disk
            await cues.add(connection, …)                             when the block is left
        async with database.transaction(durable=False) as connection: can be computed again: safe
            await analysis.store(connection, …)                       from a crash, not from a
        async with database.reading() as connection:                  power cut of this second
            found = await search(connection, "bpm:120-128")           one moment of everything

SQLite in WAL mode: who reads never waits for who writes. Functions on tracks, cues and so on take
the connection, so that what belongs together is written together. Knows no table.
"""

from __future__ import annotations

import asyncio
import sqlite3
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager, closing, suppress
from pathlib import Path
from types import TracebackType
from typing import Any, Self
from urllib.parse import quote

import aiosqlite

from sfa_engine.errors import LibraryError
from sfa_engine.finished import finished
from sfa_engine.library.backup import back_up
from sfa_engine.library.fault import blamed, blamed_files
from sfa_engine.library.folding import FUNCTION, fold
from sfa_engine.library.migrations import (
    APPLICATION,
    MIGRATIONS,
    TRUSTED,
    Migration,
    migrate,
    version_of,
)

BUSY_S = 5.0  # how long another program's transaction is waited for

Connection = aiosqlite.Connection
Row = sqlite3.Row
Arguments = Sequence[Any] | Mapping[str, Any]


class Database:
    """An open library; made by `open`, closed by `close` or by leaving ``async with``.

    Parameters
    ----------
    path : Path
        The file.
    writer, reader : aiosqlite.Connection
        Each has a thread of its own.
    """

    def __init__(self, path: Path, writer: Connection, reader: Connection) -> None:
        self.path = path
        self._writer = writer
        self._reader = reader
        self._writing = _Turn("transaction()")
        self._looking = _Turn("reading()")
        self._durable: bool | None = None

    @classmethod
    async def open(
        cls,
        path: str | Path,
        *,
        backups: str | Path | None = None,
        busy_s: float = BUSY_S,
        migrations: tuple[Migration, ...] = MIGRATIONS,
    ) -> Database:
        """Open a library, making it if it is not there, and bring it to the present.

        Parameters
        ----------
        path : str or Path
            The file; its folder is made too.
        backups : str or Path, optional
            Where the backup before a migration goes; ``backups`` beside the file if left out.
        busy_s : float
            Seconds that another program's transaction is waited for.
        migrations : tuple of Migration
            All there are.

        Raises
        ------
        LibraryError
            The file is damaged, locked, of a newer release or another program, or its folder
            cannot be written.
        """
        file = Path(path)
        folder = Path(backups) if backups is not None else file.parent / "backups"
        await asyncio.to_thread(_prepare, file, folder, busy_s, migrations)
        opened: list[Connection] = []
        with blamed(file):
            try:
                for pragma in ("PRAGMA foreign_keys = ON", "PRAGMA query_only = ON"):
                    connection = await aiosqlite.connect(file, isolation_level=None, timeout=busy_s)
                    opened.append(connection)
                    connection.row_factory = Row
                    await connection.create_function(FUNCTION, 1, fold, deterministic=True)
                    await connection.execute(TRUSTED)
                    await connection.execute(pragma)
            except BaseException:
                for connection in opened:
                    await connection.close()
                raise
        return cls(file, *opened)

    async def close(self) -> None:
        """Wait for the transaction under way, and close."""
        async with self._writing, self._looking:
            try:
                # It only makes later queries faster: a disk that is full now shall not matter.
                with suppress(LibraryError), blamed(self.path):
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
        """Lend the writing connection; all that is done with it counts, or nothing.

        An exception in the block, or its cancellation, takes everything back.

        Parameters
        ----------
        durable : bool
            Whether it survives a power cut as soon as the block is left: say False only for what
            can be computed again. A killed process loses neither.

        Yields
        ------
        connection : aiosqlite.Connection

        Raises
        ------
        LibraryError
            The disk is full or failed, or another program writes for too long; nothing was
            changed.
        """
        async with self._writing:
            with blamed(self.path):
                try:
                    if durable != self._durable:
                        level = "FULL" if durable else "NORMAL"
                        await self._writer.execute(f"PRAGMA synchronous = {level}")
                        self._durable = durable
                    await self._writer.execute("BEGIN IMMEDIATE")
                    yield self._writer
                    if not self._writer.in_transaction:
                        raise LibraryError(  # noqa: TRY301 - there is nothing left to roll back
                            f'library "{self.path}": a fault ended the transaction',
                            "look at the space there, then try again",
                        )
                    await finished(self._writer.commit())
                except BaseException:
                    await finished(self._writer.rollback())
                    raise

    @asynccontextmanager
    async def reading(self) -> AsyncIterator[Connection]:
        """Lend the reading connection; everything read in the block is of one moment.

        Yields
        ------
        connection : aiosqlite.Connection
        """
        async with self._looking:
            with blamed(self.path):
                try:
                    await self._reader.execute("BEGIN")
                    yield self._reader
                finally:
                    await finished(self._reader.rollback())

    async def fetch(self, sql: str, arguments: Arguments = ()) -> list[Row]:
        """Return the rows of one query."""
        async with self.reading() as connection:
            return await rows(connection, sql, arguments)

    async def back_up(self, folder: Path) -> Path:
        """Write a proved backup into a folder while others go on; see `backup.back_up`."""
        return await asyncio.to_thread(back_up, self.path, folder)


@asynccontextmanager
async def read_only(path: Path) -> AsyncIterator[Connection]:
    """Lend a connection to a library that another process may work with; changes nothing.

    Yields
    ------
    connection : aiosqlite.Connection

    Raises
    ------
    LibraryError
        There is no library, or it is not of this release.
    """
    if not await asyncio.to_thread(path.exists):
        raise LibraryError(f'no library "{path}"', "prepare music with `sfa prep`")
    with blamed(path):
        uri = f"file:{quote(str(await asyncio.to_thread(path.absolute)))}?mode=ro"
        async with aiosqlite.connect(uri, uri=True, isolation_level=None) as connection:
            connection.row_factory = Row
            version = await row(connection, "PRAGMA user_version")
            if version is None or version[0] != len(MIGRATIONS):
                raise LibraryError(
                    f'library "{path}" is of another release', "`sfa library stats` updates it"
                )
            yield connection


async def rows(connection: Connection, sql: str, arguments: Arguments = ()) -> list[Row]:
    """Return the rows of a query on a connection that was lent."""
    return list(await connection.execute_fetchall(sql, arguments))


async def row(connection: Connection, sql: str, arguments: Arguments = ()) -> Row | None:
    """Return the first row of a query on a connection that was lent, or None."""
    found = await rows(connection, sql, arguments)
    return found[0] if found else None


async def change(connection: Connection, sql: str, arguments: Arguments = ()) -> int:
    """Change rows on a connection that was lent; return how many."""
    async with connection.execute(sql, arguments) as cursor:
        return cursor.rowcount


async def insert(connection: Connection, sql: str, arguments: Arguments = ()) -> int:
    """Insert a row on a connection that was lent; return its id."""
    async with connection.execute(sql, arguments) as cursor:
        return cursor.lastrowid or 0


async def setting(connection: Connection, name: str) -> Any:
    """Return what the library remembers under a name, or None."""
    found = await row(connection, "SELECT value FROM settings WHERE name = ?", (name,))
    return None if found is None else found["value"]


async def set_setting(connection: Connection, name: str, value: str | float) -> None:
    """Remember a value under a name."""
    await change(
        connection, "INSERT OR REPLACE INTO settings (name, value) VALUES (?, ?)", (name, value)
    )


class _Turn:
    """A lock that says so where a task would wait for itself."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._lock = asyncio.Lock()
        self._holder: asyncio.Task[Any] | None = None

    async def __aenter__(self) -> None:
        task = asyncio.current_task()
        if self._holder is not None and self._holder is task:
            raise RuntimeError(f"{self._name} inside {self._name}: use the connection it lent")
        await self._lock.acquire()
        self._holder = task

    async def __aexit__(self, *_: object) -> None:
        self._holder = None
        self._lock.release()


def _prepare(path: Path, backups: Path, busy_s: float, migrations: tuple[Migration, ...]) -> None:
    """Make a library, or prove that it is one, and bring it to the present; blocks."""
    with blamed_files(f'cannot make the library "{path}"'):
        path.parent.mkdir(parents=True, exist_ok=True)
    with (
        blamed(path),
        closing(sqlite3.connect(path, timeout=busy_s, isolation_level=None)) as connection,
    ):
        connection.execute("BEGIN")  # what is read here is of one moment: another may make it now
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
                f'library "{path}" lies on a file system without shared memory',
                "put it on a local disk",
            )
        if 0 < version < len(migrations):
            back_up(path, backups, f"before-version-{version + 1}")
        migrate(connection, migrations)


def _journal(connection: sqlite3.Connection, busy_s: float) -> str:
    """Ask for a write-ahead log; return what the database has then.

    Of two that make one library at once SQLite refuses this to the second without waiting,
    whatever its time limit is.
    """
    give_up = time.monotonic() + busy_s
    while True:
        try:
            return str(connection.execute("PRAGMA journal_mode = WAL").fetchone()[0])
        except sqlite3.OperationalError as problem:
            busy = problem.sqlite_errorcode & 0xFF == sqlite3.SQLITE_BUSY
            if not busy or time.monotonic() > give_up:
                raise
        time.sleep(0.005)
