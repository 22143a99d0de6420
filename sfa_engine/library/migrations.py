"""Migrations of the database, each in one transaction.

``PRAGMA user_version`` counts them. A new one is a line at the end of `MIGRATIONS` and a constant
of SQL statements; a released one is never changed. Knows no file and no event loop.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass

from sfa_engine.library.audit_schema import AUDIT
from sfa_engine.library.folding import FUNCTION, fold
from sfa_engine.library.llm_schema import LLM
from sfa_engine.library.proposal_schema import PROPOSALS
from sfa_engine.library.schema import (
    BATCHES,
    COLLECTION,
    CUE_BANKS,
    CUES_ON_LOAD,
    EXCHANGE,
    FOLDED_WORDS,
    FOLLOWED,
    HELD,
    JOBS,
    LIBRARY,
    NOTIFICATIONS,
    OWNERS,
    SETTINGS,
    SOUND_TAGS,
    SOUNDS,
    UNWANTED,
)
from sfa_engine.library.webhook_schema import WEBHOOKS

APPLICATION = 0x5346414C  # "SFAL", in the file's header: other programs' databases are left alone

# Triggers call our function: SQLite is built without trust in schemas by some distributions.
TRUSTED = "PRAGMA trusted_schema = ON"


@dataclass(frozen=True, slots=True)
class Migration:
    """A migration: its name and its SQL."""

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
    Migration("four banks of eight hot cues", CUE_BANKS),
    Migration("playlists that follow those of a service", FOLLOWED),
    Migration("cues that a deck stands on when it is loaded", CUES_ON_LOAD),
    Migration("notifications", NOTIFICATIONS),
    Migration("webhooks and their deliveries", WEBHOOKS),
    Migration("the audit log", AUDIT),
    Migration("accounts of jobs, flags of tracks", OWNERS),
    Migration("what tracks sound like", SOUNDS),
    Migration("tags of how tracks sound", SOUND_TAGS),
    Migration("language models: providers and usage", LLM),
    Migration("what agents propose", PROPOSALS),
    Migration("folders of playlists, labels of tracks", EXCHANGE),
)


def version_of(connection: sqlite3.Connection) -> int:
    """Return the number of migrations of a database."""
    return int(connection.execute("PRAGMA user_version").fetchone()[0])


def migrate(
    connection: sqlite3.Connection, migrations: tuple[Migration, ...] = MIGRATIONS
) -> list[str]:
    """Run the missing migrations, each in its own transaction.

    Parameters
    ----------
    connection : sqlite3.Connection
        With ``isolation_level=None``, outside any transaction.
    migrations : tuple of Migration
        All of them.

    Returns
    -------
    list of str
        The names of those that ran.
    """
    connection.create_function(FUNCTION, 1, fold, deterministic=True)
    connection.execute(TRUSTED)
    done = []
    for number, migration in enumerate(migrations, 1):
        connection.execute("BEGIN IMMEDIATE")
        try:
            if version_of(connection) < number:  # else another process was faster
                for statement in statements(migration.script):
                    connection.execute(statement)
                connection.execute(f"PRAGMA application_id = {APPLICATION}")
                connection.execute(f"PRAGMA user_version = {number}")
                done.append(migration.name)
            connection.execute("COMMIT")
        except BaseException:
            if connection.in_transaction:
                connection.execute("ROLLBACK")
            raise
    return done


def statements(script: str) -> Iterator[str]:
    """Yield the statements of a script; a trigger with its semicolons is one."""
    statement = ""
    for piece in script.split(";"):
        statement += piece + ";"
        if sqlite3.complete_statement(statement):
            yield statement
            statement = ""
