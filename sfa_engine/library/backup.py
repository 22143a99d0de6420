"""Backups of the database: whole, proved, and not too many.

::

    library.db ── one snapshot, while others write ──► .part ── integrity, rows counted ──► name

    library-20261121-031500-123456.db            the last ten are kept, and the last of each of
                                                 7 days and 4 weeks
    before-version-3-20261121-031500-123456.db   before a migration or a restore: the last 3 are

A backup is a database of one file. Nothing here awaits: call it in a thread. Knows no table by
name, and no bundle: sound is not in it.
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

from sfa_engine.durable import sync
from sfa_engine.errors import LibraryError
from sfa_engine.library.draft import alone
from sfa_engine.library.fault import blamed, blamed_files
from sfa_engine.library.migrations import APPLICATION, MIGRATIONS, version_of

LAST = 10  # whatever their day: a second one of a day removes none
DAYS = 7
WEEKS = 4
STEPS = 3  # backups before a migration or a restore
BUSY_S = 5.0

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
    """Write a backup of a database that may be in use, and drop those that are too many.

    Parameters
    ----------
    database : Path
        The file.
    folder : Path
        Of the backups; made if it is not there.
    reason : str
        The beginning of the name: ``library``, or ``before-…``.
    keep : collection of Path
        Backups that are not dropped, however many there are.

    Returns
    -------
    Path
        The backup, which has been read again and found whole.

    Raises
    ------
    LibraryError
        The database cannot be read, or the backup cannot be written or is not whole.
    """
    with blamed_files(f'cannot write a backup to "{folder}"'):
        folder.mkdir(parents=True, exist_ok=True)
        with alone(folder):  # another would clear ours away
            for left in folder.glob("*.part*"):  # by a run that was killed
                left.unlink(missing_ok=True)
            target = folder / f"{reason}-{datetime.now(UTC).strftime(_STAMP)}.db"
            part = target.with_name(f"{target.name}.part")
            try:
                counts = _copy(database, part)
                with blamed(part):
                    found = _proved(part)
                if found != counts:
                    raise LibraryError(
                        f'backup "{part}" has {found} rows and the library {counts}',
                        "look at the disk's health, then try again",
                    )
                _take_place(part, target)
            finally:
                part.unlink(missing_ok=True)
            rotate(folder, {target, *keep})
    return target


def is_at_work(folder: Path) -> bool:
    """Return whether a backup is being written into a folder right now."""
    try:
        with alone(folder, fcntl.LOCK_NB):
            return False
    except BlockingIOError:
        return True


def backups(folder: Path) -> list[Backup]:
    """Return the backups of a folder, the newest first."""
    found = []
    for path in folder.glob("*.db"):
        if match := _NAME.fullmatch(path.name):
            with suppress(ValueError, FileNotFoundError):  # no date; gone meanwhile
                made = datetime.strptime(match[2], _STAMP).replace(tzinfo=UTC)
                found.append(Backup(path, match[1], made, path.stat().st_size))
    return sorted(found, key=lambda backup: (backup.made, backup.path.name), reverse=True)


def rotate(folder: Path, keep: Collection[Path] = ()) -> list[Path]:
    """Drop the backups that are too many, but none of those to `keep`; return them.

    Those of a later time than now are counted apart: whether the clock was ahead when they were
    made, or is behind now, neither take the place of the others.
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
    """Return the newest backup by its name, or by its file where all names say a later time."""
    now = datetime.now(UTC) + timedelta(minutes=1)
    past = [backup for backup in found if backup.made <= now]
    if past:
        return max(past, key=lambda backup: backup.made)
    return max(found, key=lambda backup: backup.path.stat().st_mtime, default=None)


def restore(database: Path, backup: Path, folder: Path) -> Path | None:
    """Bring a database back to what a backup has.

    A database that can still be read is backed up first and then overwritten in one transaction,
    so that nothing is lost if this is killed; one that cannot is moved aside. End whatever works
    with the library first: it would not know that its rows have changed.

    Parameters
    ----------
    database, backup : Path
        What is replaced, by what.
    folder : Path
        Of backups.

    Returns
    -------
    Path or None
        Where the present state went; None if there was none.

    Raises
    ------
    LibraryError
        The backup is damaged, or the database is in use or cannot be written.
    """
    if not backup.is_file():
        raise LibraryError(f'no backup "{backup}"', f'look what there is in "{folder}"')
    with blamed(backup):
        counts = _proved(backup)
        _check_ours(backup)
    aside: Path | None = None
    if database.exists():
        try:
            aside = back_up(database, folder, "before-restore", keep=[backup])
        except LibraryError:
            aside = _moved_aside(database)
    with blamed_files(f'cannot restore "{database}"'), blamed(database):
        database.parent.mkdir(parents=True, exist_ok=True)
        with (
            closing(_open(backup, "ro")) as source,
            closing(_open(database, "rwc")) as target,
        ):
            source.backup(target)
        if _proved(database) != counts:
            raise LibraryError(f'"{database}" is not what was restored', "try another backup")
    return aside


@contextmanager
def _snapshot(connection: sqlite3.Connection) -> Iterator[None]:
    """Keep what a connection sees as it is."""
    connection.execute("BEGIN")
    try:
        yield
    finally:
        connection.execute("ROLLBACK")


def _copy(database: Path, part: Path) -> dict[str, int]:
    """Copy one snapshot into a file; return the rows of each table in it."""
    with blamed(database), closing(_open(database, "rw")) as source, _snapshot(source):
        counts = _counts(source)
        with blamed(part), closing(_open(part, "rwc")) as target:
            source.backup(target)
            target.execute("PRAGMA journal_mode = DELETE")  # one file
    return counts


def _proved(path: Path) -> dict[str, int]:
    """Return the rows of each table, after a check of the whole file."""
    with closing(_open(path, "rw")) as connection:
        said = [row[0] for row in connection.execute("PRAGMA integrity_check(3)")]
        if said != ["ok"]:
            raise LibraryError(f'"{path}" is damaged: {"; ".join(said)}', "take another backup")
        return _counts(connection)


def _check_ours(path: Path) -> None:
    """Refuse a database that is none of this program's, or of a newer release."""
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
        f"{path.absolute().as_uri()}?mode={mode}", uri=True, timeout=BUSY_S, isolation_level=None
    )


def _take_place(part: Path, target: Path) -> None:
    """Give a file its name when it is on the disk."""
    sync(part)
    part.rename(target)
    sync(part.parent)


def _moved_aside(database: Path) -> Path:
    """Move a damaged database away, with what belongs to it."""
    aside = database.with_name(f"{database.name}.damaged-{time.time_ns()}")
    with blamed_files(f'cannot move "{database}" aside'):
        for end in ("-wal", "-shm", ""):
            with suppress(FileNotFoundError):
                Path(f"{database}{end}").rename(f"{aside}{end}")
    return aside


def _worth_keeping(group: Sequence[Backup]) -> set[Path]:
    """Return those of a group, the newest first, that are the last of their day and so on."""
    regular = [b for b in group if b.reason == "library"]
    kept = {b.path for b in regular[:LAST]}
    kept |= _newest(((b.path, b.made.date()) for b in regular), DAYS)
    kept |= _newest(((b.path, b.made.isocalendar()[:2]) for b in regular), WEEKS)
    kept |= {b.path for b in [b for b in group if b.reason != "library"][:STEPS]}
    return {path.resolve() for path in kept}


def _newest(backups: Iterable[tuple[Path, object]], most: int) -> set[Path]:
    """Return the first of each of the first `most` groups."""
    groups: dict[object, Path] = {}
    for path, group in backups:
        groups.setdefault(group, path)
    return set(list(groups.values())[:most])
