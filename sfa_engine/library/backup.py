"""Backups of the database: verified and rotated.

::

    library.db ── one snapshot, while others write ──► .part ── integrity, row counts ──► name

    library-20261121-031500-123456.db            the last ten are kept, and the last of each of
                                                 7 days and 4 weeks
    before-version-3-20261121-031500-123456.db   before a migration or a restore: the last 3

A backup is a database in one file. All functions block: call them in a thread. Knows no table by
name, and no bundle: sound is not backed up.
"""

from __future__ import annotations

import fcntl
import re
import sqlite3
import time
from collections.abc import Collection, Iterable, Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from sfa_engine.errors import LibraryError
from sfa_engine.library.migrations import APPLICATION, MIGRATIONS, version_of
from sfa_engine.library.sqlite_errors import os_errors_as, translate_sqlite_errors
from sfa_engine.system.atomic import folder_lock, sync

KEEP_LAST = 10  # whatever their day
KEEP_DAYS = 7
KEEP_WEEKS = 4
KEEP_STEPS = 3  # before a migration or a restore
BUSY_TIMEOUT_S = 5.0

_NAME = re.compile(r"(library|before-[a-z0-9-]+?)-(\d{8}-\d{6}-\d{6})\.db")
_STAMP = "%Y%m%d-%H%M%S-%f"


@dataclass(frozen=True, slots=True)
class Backup:
    """A backup: its file, the reason in its name, when it was made (UTC), and its size."""

    path: Path
    reason: str
    made: datetime
    size_bytes: int


def back_up(
    database: Path, folder: Path, reason: str = "library", keep: Collection[Path] = ()
) -> Path:
    """Write a backup of a database that may be in use, and delete old backups.

    Parameters
    ----------
    database : Path
        The file.
    folder : Path
        Of the backups; created if missing.
    reason : str
        Prefix of the name: ``library``, or ``before-…``.
    keep : collection of Path
        Backups that are not deleted.

    Returns
    -------
    Path
        The backup, read back and verified.

    Raises
    ------
    LibraryError
        The database cannot be read, or the backup cannot be written or is damaged.
    """
    with os_errors_as(f'cannot write a backup to "{folder}"'):
        folder.mkdir(parents=True, exist_ok=True)
        with folder_lock(folder):  # else another process deletes our part
            for left in folder.glob("*.part*"):  # of a killed process
                left.unlink(missing_ok=True)
            target = folder / f"{reason}-{datetime.now(UTC).strftime(_STAMP)}.db"
            part = target.with_name(f"{target.name}.part")
            try:
                counts = _copy(database, part)
                with translate_sqlite_errors(part):
                    found = _verified(part)
                if found != counts:
                    raise LibraryError(
                        f'backup "{part}" has {found} rows and the library {counts}',
                        "check the disk's health, then retry",
                    )
                sync(part)  # not `atomic_file`: its lock and SQLite's exclude each other over NFS
                part.rename(target)
                sync(folder)
            finally:
                part.unlink(missing_ok=True)
            rotate(folder, {target, *keep})
    return target


def is_backing_up(folder: Path) -> bool:
    """Return whether a backup is being written into a folder right now."""
    if not folder.exists():
        return False
    try:
        with folder_lock(folder, fcntl.LOCK_NB):
            return False
    except BlockingIOError:
        return True


def backups(folder: Path) -> list[Backup]:
    """Return the backups of a folder, newest first."""
    found = []
    for path in folder.glob("*.db"):
        if match := _NAME.fullmatch(path.name):
            with suppress(ValueError, FileNotFoundError):  # invalid date; deleted meanwhile
                made = datetime.strptime(match[2], _STAMP).replace(tzinfo=UTC)
                found.append(Backup(path, match[1], made, path.stat().st_size))
    return sorted(found, key=lambda backup: (backup.made, backup.path.name), reverse=True)


def rotate(folder: Path, keep: Collection[Path] = ()) -> list[Path]:
    """Delete old backups, except those to `keep`; return which.

    Backups from the future are counted apart: whether the clock was ahead then or is behind now,
    they must not displace the others.
    """
    found = backups(folder)
    now = datetime.now(UTC) + timedelta(minutes=1)
    kept = {path.resolve() for path in keep}
    for group in ([b for b in found if b.made <= now], [b for b in found if b.made > now]):
        kept |= _worth_keeping(group)
    gone = [b.path for b in found if b.path.resolve() not in kept]
    for path in gone:
        path.unlink(missing_ok=True)
    return gone


def newest(found: Sequence[Backup]) -> Backup | None:
    """Return the newest backup by name, or by file time if all names are in the future."""
    now = datetime.now(UTC) + timedelta(minutes=1)
    past = [backup for backup in found if backup.made <= now]
    if past:
        return max(past, key=lambda backup: backup.made)
    return max(found, key=lambda backup: backup.path.stat().st_mtime, default=None)


def restore(database: Path, backup: Path, folder: Path) -> Path | None:
    """Restore a database from a backup.

    A readable database is backed up first and then overwritten in one transaction, so that a
    crash loses nothing; an unreadable one is moved aside. Stop all users of the library first:
    they would not notice that its rows have changed.

    Parameters
    ----------
    database, backup : Path
        What is replaced, and by what.
    folder : Path
        Of backups.

    Returns
    -------
    Path or None
        Where the previous state is; None if there was none.

    Raises
    ------
    LibraryError
        The backup is damaged, or the database is in use or cannot be written.
    """
    if not backup.is_file():
        raise LibraryError(f'no backup "{backup}"', f'list the backups in "{folder}"')
    with translate_sqlite_errors(backup):
        counts = _verified(backup)
        _check_ours(backup)
    aside: Path | None = None
    if database.exists():
        try:
            aside = back_up(database, folder, "before-restore", keep=[backup])
        except LibraryError:
            aside = _move_aside(database)
    with os_errors_as(f'cannot restore "{database}"'), translate_sqlite_errors(database):
        database.parent.mkdir(parents=True, exist_ok=True)
        with (
            closing(_open(backup, "ro")) as source,
            closing(_open(database, "rwc")) as target,
        ):
            source.backup(target)
        if _verified(database) != counts:
            raise LibraryError(f'"{database}" differs from the backup', "try another backup")
    return aside


@contextmanager
def _snapshot(connection: sqlite3.Connection) -> Iterator[None]:
    """Hold one snapshot of a connection."""
    connection.execute("BEGIN")
    try:
        yield
    finally:
        connection.execute("ROLLBACK")


def _copy(database: Path, part: Path) -> dict[str, int]:
    """Copy one snapshot into a file; return its row counts by table."""
    with (
        translate_sqlite_errors(database),
        closing(_open(database, "rw")) as source,
        _snapshot(source),
    ):
        counts = _counts(source)
        with translate_sqlite_errors(part), closing(_open(part, "rwc")) as target:
            source.backup(target)
            target.execute("PRAGMA journal_mode = DELETE")  # one file
    return counts


def _verified(path: Path) -> dict[str, int]:
    """Check the integrity of a file; return its row counts by table."""
    with closing(_open(path, "rw")) as connection:
        problems = [row[0] for row in connection.execute("PRAGMA integrity_check(3)")]
        if problems != ["ok"]:
            raise LibraryError(f'"{path}" is damaged: {"; ".join(problems)}', "use another backup")
        return _counts(connection)


def _check_ours(path: Path) -> None:
    """Raise LibraryError for a database of another program or a newer release."""
    with closing(_open(path, "ro")) as connection:
        if connection.execute("PRAGMA application_id").fetchone()[0] != APPLICATION:
            raise LibraryError(f'"{path}" is not a backup of a library', "name another file")
        version = version_of(connection)
    if version > len(MIGRATIONS):
        raise LibraryError(
            f'"{path}" was written by a newer release (version {version})', "update this program"
        )


def _counts(connection: sqlite3.Connection) -> dict[str, int]:
    names = connection.execute(
        "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite%'"
    ).fetchall()
    return {
        name: connection.execute(f'SELECT count(*) FROM "{name}"').fetchone()[0]  # noqa: S608
        for (name,) in names
    }


def _open(path: Path, mode: str) -> sqlite3.Connection:
    return sqlite3.connect(
        f"{path.absolute().as_uri()}?mode={mode}",
        uri=True,
        timeout=BUSY_TIMEOUT_S,
        isolation_level=None,
    )


def _move_aside(database: Path) -> Path:
    """Rename a damaged database with its log files."""
    aside = database.with_name(f"{database.name}.damaged-{time.time_ns()}")
    with os_errors_as(f'cannot move "{database}" aside'):
        for end in ("-wal", "-shm", ""):
            with suppress(FileNotFoundError):
                Path(f"{database}{end}").rename(f"{aside}{end}")
    return aside


def _worth_keeping(group: Sequence[Backup]) -> set[Path]:
    """Return the backups of a group, newest first, that the rotation keeps."""
    regular = [b for b in group if b.reason == "library"]
    kept = {b.path for b in regular[:KEEP_LAST]}
    kept |= _newest(((b.path, b.made.date()) for b in regular), KEEP_DAYS)
    kept |= _newest(((b.path, b.made.isocalendar()[:2]) for b in regular), KEEP_WEEKS)
    kept |= {b.path for b in [b for b in group if b.reason != "library"][:KEEP_STEPS]}
    return {path.resolve() for path in kept}


def _newest(backups: Iterable[tuple[Path, object]], most: int) -> set[Path]:
    """Return the first of each of the first `most` groups."""
    groups: dict[object, Path] = {}
    for path, group in backups:
        groups.setdefault(group, path)
    return set(list(groups.values())[:most])
