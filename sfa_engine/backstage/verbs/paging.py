"""Pages that fit into one message, however large the library is."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from typing import Any, LiteralString

from sfa_engine.library.database import Connection, Row, rows
from sfa_engine.wire import frames, protocol

MAX_LIST_BYTES = protocol.MAX_BYTES // 2
MAX_NUMBERS = 10_000
MAX_LISTED = 500  # tracks in an answer


async def batch_tracks(
    connection: Connection,
    batch: str,
    after: int,
    columns: LiteralString,
    kinds: Sequence[str] = (),
) -> list[Row]:
    """Return a page of a batch's tracks, in the order of their numbers.

    Parameters
    ----------
    connection : Connection
    batch : str
    after : int
        Number of the last track of the page before.
    columns : str
        SQL of what to return of the jobs of each, beside ``track_id``: aggregates.
    kinds : sequence of str
        Of the jobs; all if empty.
    """
    return await rows(
        connection,
        f"SELECT track_id, {columns} FROM batch_jobs JOIN jobs ON jobs.id = job_id"  # noqa: S608
        " WHERE batch = ?1 AND track_id > ?2"
        " AND (?3 = '[]' OR kind IN (SELECT value FROM json_each(?3)))"
        " GROUP BY track_id ORDER BY track_id LIMIT ?4",
        (batch, after, json.dumps(list(kinds)), MAX_LISTED),
    )


def fit_in_frame(
    items: Iterable[dict[str, Any]], room: int = MAX_LIST_BYTES
) -> list[dict[str, Any]]:
    """Return as many of the first items as fit into an answer, at least one if there is one.

    The client continues after the last one.
    """
    found: list[dict[str, Any]] = []
    left = room
    for each in items:
        left -= len(frames.pack(each))
        if left < 0 and found:
            break
        found.append(each)
    return found


def job_numbers(numbers: list[int]) -> dict[str, Any]:
    """Return the count of jobs, and the numbers of the first ones."""
    return {"count": len(numbers), "jobs": numbers[:MAX_NUMBERS]}
