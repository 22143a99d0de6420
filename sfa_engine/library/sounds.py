"""What tracks sound like, as numbers, and the library's columns: what a search in words ranks.

A row of `sounds` has two lists of float32: a vector to compare, and measures to rank by. What they
mean is `sfa_engine.mix.sound`, and ``version`` is its. Rows are never changed but replaced, with a
new number, so that `Sounds` reads what is new alone. The table `sound_tags` of
`sfa_engine.library.sound_tags` has the same columns. All functions take a connection of `Database`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from sfa_engine.library.database import Connection, change, row, rows
from sfa_engine.library.folding import fold
from sfa_engine.library.ownership import EVERYTHING
from sfa_engine.library.query import Query
from sfa_engine.library.search import select

Vectors = NDArray[np.float32]
Indices = NDArray[np.int64]
Values = tuple[float | None, ...]
AT_ONCE = 2000  # rows: 20 ms, in which other readers wait
_NAMES = "{title artist album}"

# Of each track that is there: number, tempo, energy, year, length, age, plays, place on the wheel,
# mode, and when it changed.
_COLUMNS = """
SELECT id, bpm, energy, year, duration_s, added_at, play_count, CAST(camelot AS INTEGER),
    CASE WHEN camelot IS NULL THEN NULL ELSE camelot LIKE '%A' END, changed_at
FROM tracks WHERE deleted_at IS NULL AND changed_at >= ? ORDER BY id
"""


async def store(
    connection: Connection, track_id: int, version: int, vector: bytes, measures: bytes
) -> None:
    """Store what a track sounds like; empty: that cannot be found out."""
    await change(connection, "DELETE FROM sounds WHERE track_id = ?", (track_id,))
    await change(
        connection,
        "INSERT INTO sounds (track_id, version, vector, measures) SELECT id, ?, ?, ? FROM tracks"
        " WHERE id = ?",  # it may be gone meanwhile
        (version, vector, measures, track_id),
    )


async def missing(connection: Connection, version: int, limit: int) -> list[tuple[int, str]]:
    """Return numbers and bundles of analysed tracks that are not described in this version."""
    found = await rows(
        connection,
        "SELECT tracks.id, bundle FROM tracks JOIN analyses ON analyses.track_id = tracks.id"
        " WHERE deleted_at IS NULL AND bundle IS NOT NULL AND NOT EXISTS"
        " (SELECT 1 FROM sounds WHERE sounds.track_id = tracks.id AND version = ?)"
        " ORDER BY tracks.id LIMIT ?",
        (version, limit),
    )
    return [(int(each["id"]), str(each["bundle"])) for each in found]


async def missing_bundle(connection: Connection, version: int, track_id: int) -> str | None:
    """Return the bundle of an analysed track that is not described in this version, or None."""
    found = await row(
        connection,
        "SELECT bundle FROM tracks JOIN analyses ON analyses.track_id = tracks.id"
        " WHERE tracks.id = ?1 AND NOT EXISTS"
        " (SELECT 1 FROM sounds WHERE sounds.track_id = ?1 AND version = ?2)",
        (track_id, version),
    )
    return found["bundle"] if found else None


async def count_missing(connection: Connection, version: int) -> int:
    """Return how many tracks `missing` would return without a limit."""
    found = await row(
        connection,
        "SELECT count(*) FROM analyses JOIN tracks ON tracks.id = track_id"
        " WHERE deleted_at IS NULL AND bundle IS NOT NULL"
        " AND track_id NOT IN (SELECT track_id FROM sounds WHERE version = ?)",
        (version,),
    )
    return int(found[0]) if found else 0


@dataclass
class Sounds:
    """The rows of one version, read as they come.

    Parameters
    ----------
    version : int
    width, measures : int
        Numbers in a vector, and measures.
    table : str
        ``sounds``, or ``sound_tags``.

    Attributes
    ----------
    rows : int64[n]
        Their own numbers, rising.
    ids : int64[n]
        Of the tracks; some may be removed.
    vectors, measured : float32[n, width], float32[n, measures]
    """

    version: int
    width: int
    measures: int
    table: str = "sounds"
    rows: Indices = field(default_factory=lambda: np.zeros(0, np.int64))
    ids: Indices = field(default_factory=lambda: np.zeros(0, np.int64))
    vectors: Vectors = field(init=False)
    measured: Vectors = field(init=False)
    _last: int = 0

    def __post_init__(self) -> None:
        self.vectors = np.zeros((0, self.width), np.float32)
        self.measured = np.zeros((0, self.measures), np.float32)

    async def update(self, connection: Connection) -> bool:
        """Read what is new, up to `AT_ONCE` rows, behind the rest; return whether there is more."""
        found = await rows(
            connection,
            f"SELECT id, track_id, vector, measures FROM {self.table}"  # noqa: S608 - ours
            " WHERE version = ? AND id > ? ORDER BY id LIMIT ?",
            (self.version, self._last, AT_ONCE),
        )
        if not found:
            return False
        sizes = (4 * self.width, 4 * self.measures)
        whole = [r for r in found if (len(r["vector"]), len(r["measures"])) == sizes]
        vectors = np.frombuffer(b"".join(r["vector"] for r in whole), "<f4")
        measured = np.frombuffer(b"".join(r["measures"] for r in whole), "<f4")
        kept = ~np.isin(self.ids, [r["track_id"] for r in found])
        new_rows = np.array([r["id"] for r in whole], np.int64)
        new_ids = np.array([r["track_id"] for r in whole], np.int64)
        self.rows = np.concatenate([self.rows[kept], new_rows])
        self.ids = np.concatenate([self.ids[kept], new_ids])
        self.vectors = np.concatenate([self.vectors[kept], vectors.reshape(-1, self.width)])
        self.measured = np.concatenate([self.measured[kept], measured.reshape(-1, self.measures)])
        self._last = found[-1]["id"]
        return len(found) == AT_ONCE


async def state_of(connection: Connection) -> tuple[float, float, float]:
    """Return the number of tracks, and the sums of when they changed and of their plays.

    One of them differs when anything of `columns` does.
    """
    found = await row(
        connection,
        "SELECT count(*), total(changed_at), total(play_count) FROM tracks"
        " INDEXED BY tracks_state_of WHERE deleted_at IS NULL",
    )
    assert found is not None
    return found[0], found[1], found[2]


async def columns(connection: Connection, since: float = 0.0) -> list[Values]:
    """Return the columns of tracks that are there and changed since a time, by rising numbers.

    Each row is the number, BPM, energy, year, length in seconds, time of addition, plays, number on
    the Camelot wheel, whether the key is minor, and the time of the last change.
    """
    return [tuple(each) for each in await rows(connection, _COLUMNS, (since,))]


async def matching(connection: Connection, query: Query, within: str = EVERYTHING) -> Indices:
    """Return the numbers of all tracks of a query, in no order: int64[n]."""
    sql, arguments = select(query, ordered=False, within=within)
    return await _numbers(connection, sql, arguments)


async def seen(connection: Connection, within: str) -> Indices:
    """Return the numbers of the tracks that a condition shows: int64[n]."""
    return await _numbers(
        connection,
        f"SELECT id FROM tracks WHERE deleted_at IS NULL AND {within}",  # noqa: S608 - ours
        (),
    )


async def with_phrases(connection: Connection, phrases: Sequence[str]) -> tuple[Indices, Indices]:
    """Return the numbers of tracks whose genre has one of some phrases, and whose name has one."""
    match = " OR ".join(f'"{fold(phrase)}"' for phrase in phrases if fold(phrase))
    if not match:
        return np.zeros(0, np.int64), np.zeros(0, np.int64)
    found = [
        await _numbers(
            connection,
            "SELECT rowid AS id FROM track_words WHERE track_words MATCH ?",
            (f"{columns} : ({match})",),
        )
        for columns in ("{genre}", _NAMES)
    ]
    return found[0], found[1]


async def named(connection: Connection, words: str) -> Indices:
    """Return the numbers of tracks that have all words in their title, artist and album."""
    folded = list(dict.fromkeys(fold(words).split()))
    if not folded:
        return np.zeros(0, np.int64)
    match = " AND ".join(f'"{word}"' for word in folded)
    return await _numbers(
        connection,
        "SELECT rowid AS id FROM track_words WHERE track_words MATCH ?",
        (f"{_NAMES} : ({match})",),
    )


async def _numbers(connection: Connection, sql: str, arguments: Sequence[object]) -> Indices:
    """Return the ids of a query as one text: 20,000 rows would take 20 ms, this takes 6."""
    found = await row(
        connection,
        f"SELECT group_concat(id) AS ids FROM ({sql})",  # noqa: S608 - built by `select`
        tuple(arguments),
    )
    if found is None or not found["ids"]:
        return np.zeros(0, np.int64)
    numbers: Indices = np.fromstring(found["ids"], np.int64, sep=",")
    return numbers
