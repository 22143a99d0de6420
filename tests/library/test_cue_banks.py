"""A library of eight hot cues a track becomes one of 32, and keeps all that it had."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest

from sfa_engine.desk import HOT_CUES
from sfa_engine.library.migrations import MIGRATIONS, migrate

BEFORE = next(k for k, step in enumerate(MIGRATIONS) if "banks" in step.name)
CUE = (
    "INSERT INTO cues (track_id, origin, kind, position_s, slot, label, changed_at)"
    " VALUES (1, 'hand', 'cue', ?, ?, ?, 0)"
)


@pytest.fixture
def old(tmp_path: Path) -> Iterator[sqlite3.Connection]:
    connection = sqlite3.connect(tmp_path / "x.db", isolation_level=None)
    connection.execute("PRAGMA foreign_keys = ON")
    migrate(connection, MIGRATIONS[:BEFORE])
    connection.execute("INSERT INTO tracks (uuid, added_at, changed_at) VALUES ('u', 0, 0)")
    yield connection
    connection.close()


def test_cues_and_their_numbers_are_kept(old: sqlite3.Connection) -> None:
    old.executemany(
        CUE, [(1.0, 1, "one"), (2.0, 8, "eight"), (3.0, None, "none"), (4.0, 2, "gone")]
    )
    old.execute("DELETE FROM cues WHERE label = 'gone'")
    before = old.execute("SELECT * FROM cues ORDER BY id").fetchall()
    migrate(old)
    after = old.execute("SELECT * FROM cues ORDER BY id").fetchall()
    assert [row[: len(before[0])] for row in after] == before
    assert {row[len(before[0]) :] for row in after} == {(0,)}  # a deck stands on none when loaded
    old.execute(CUE, (5.0, 9, "new"))
    assert old.execute("SELECT id FROM cues WHERE label = 'new'").fetchall() == [(5,)]


def test_the_number_of_a_deleted_cue_is_not_given_again_if_it_was_the_only_one(
    old: sqlite3.Connection,
) -> None:
    old.execute(CUE, (1.0, 1, "one"))
    old.execute("DELETE FROM cues")
    migrate(old)
    old.execute(CUE, (1.0, 1, "new"))
    assert old.execute("SELECT id FROM cues").fetchall() == [(2,)]


def test_the_banks_have_so_many_cues_each_once(old: sqlite3.Connection) -> None:
    migrate(old)
    old.executemany(CUE, [(float(n), n, "") for n in range(1, HOT_CUES + 1)])
    for slot in (0, HOT_CUES + 1, 1):
        with pytest.raises(sqlite3.IntegrityError):
            old.execute(CUE, (1.0, slot, ""))


def test_cues_still_go_with_their_track(old: sqlite3.Connection) -> None:
    old.execute(CUE, (1.0, 1, "one"))
    migrate(old)
    old.execute("DELETE FROM tracks")
    assert old.execute("SELECT count(*) FROM cues").fetchone() == (0,)
