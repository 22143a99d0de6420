"""The steps that bring a library of any age to the present, each of them whole or not at all.

``PRAGMA user_version`` counts the steps that were taken. A new one is a line at the end of
`MIGRATIONS`, and its text a constant of SQL statements; one that was released is never changed.
Knows the connection it is given; no file, no event loop.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass

from sfa_engine.library.folding import FUNCTION, fold
from sfa_engine.library.schema import (
    BATCHES,
    COLLECTION,
    FOLDED_WORDS,
    HELD,
    JOBS,
    LIBRARY,
    SETTINGS,
    UNWANTED,
)

APPLICATION = 0x5346414C  # "SFAL", in the file's header: other programs' databases are left alone

# Triggers call our function: SQLite is built without trust in schemas by some distributions.
TRUSTED = "PRAGMA trusted_schema = ON"


@dataclass(frozen=True, slots=True)
class Migration:
    """A step: `name` says what it brings, `script` is its SQL."""

    name: str
    script: str


MIGRATIONS: tuple[Migration, ...] = (
    Migration("tracks, what is known of them, cues and playlists", LIBRARY),
    Migration("jobs", JOBS),
    Migration("batches that have jobs in common", BATCHES),
    Migration("automatic cues that are not wanted", UNWANTED),
    Migration("what is next in the queue, in one step", HELD),
    Migration("words folded for the search index; comments", FOLDED_WORDS),
    Migration("ratings, colours, plays, places of files, owners", COLLECTION),
    Migration("what the library remembers of itself", SETTINGS),
)


def version_of(connection: sqlite3.Connection) -> int:
    """Return how many migrations a database has behind it."""
    return int(connection.execute("PRAGMA user_version").fetchone()[0])


def migrate(
    connection: sqlite3.Connection, migrations: tuple[Migration, ...] = MIGRATIONS
) -> list[str]:
    """Take the steps that are missing, each in a transaction of its own.

    Parameters
    ----------
    connection : sqlite3.Connection
        With ``isolation_level=None``, outside any transaction.
    migrations : tuple of Migration
        From the first on.

    Returns
    -------
    list of str
        The names of the steps that were taken; none if the library is of today.
    """
    connection.create_function(FUNCTION, 1, fold, deterministic=True)
    connection.execute(TRUSTED)
    taken = []
    for number, migration in enumerate(migrations, 1):
        connection.execute("BEGIN IMMEDIATE")
        try:
            if version_of(connection) < number:  # another process may have been faster
                for statement in statements(migration.script):
                    connection.execute(statement)
                connection.execute(f"PRAGMA application_id = {APPLICATION}")
                connection.execute(f"PRAGMA user_version = {number}")
                taken.append(migration.name)
            connection.execute("COMMIT")
        except BaseException:
            if connection.in_transaction:
                connection.execute("ROLLBACK")
            raise
    return taken


def statements(script: str) -> Iterator[str]:
    """Yield the statements of a script; a trigger is one, with the semicolons in it."""
    statement = ""
    for piece in script.split(";"):
        statement += piece + ";"
        if sqlite3.complete_statement(statement):
            yield statement
            statement = ""
