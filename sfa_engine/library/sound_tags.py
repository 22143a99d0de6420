"""Tags of how tracks sound, as `sfa_engine.track.sound_tags` names them, in the database.

A row has the vector of a track and the probabilities of all labels. It is made again when the
version rises or the sound of the track is another. All functions take a connection of `Database`.
"""

from __future__ import annotations

import json
from collections.abc import Sequence

import numpy as np

from sfa_engine.library.database import Connection, change, row, rows
from sfa_engine.track.sound_tags import VERSION, top

TABLE = "sound_tags"


async def store(
    connection: Connection,
    track_id: int,
    digest: str,
    vector: Sequence[float],
    labels: Sequence[float],
) -> None:
    """Store the tags of a track; both lists are empty for a silent one."""
    await change(connection, "DELETE FROM sound_tags WHERE track_id = ?", (track_id,))
    await change(
        connection,
        "INSERT INTO sound_tags (track_id, version, digest, vector, measures)"
        " SELECT id, ?, ?, ?, ? FROM tracks WHERE id = ?",  # it may be gone meanwhile
        (
            *(VERSION, digest),
            *(np.asarray(each, "<f4").tobytes() for each in (vector, labels)),
            track_id,
        ),
    )


async def is_current(connection: Connection, track_id: int, digest: str) -> bool:
    """Return whether a track has the tags of this sound, in this version."""
    found = await row(
        connection,
        "SELECT 1 FROM sound_tags WHERE track_id = ? AND version = ? AND digest = ?",
        (track_id, VERSION, digest),
    )
    return found is not None


async def tags_of(connection: Connection, track_id: int) -> list[tuple[str, float]]:
    """Return the most probable tags of a track, each with its probability; empty if unknown."""
    found = await row(
        connection,
        "SELECT measures FROM sound_tags WHERE track_id = ? AND version = ?",
        (track_id, VERSION),
    )
    return top(np.frombuffer(found["measures"], "<f4")) if found else []


async def missing(connection: Connection, numbers: Sequence[int]) -> list[int]:
    """Return which of some tracks have no tags in this version, in rising order."""
    found = await rows(
        connection,
        "SELECT value FROM json_each(?) WHERE value NOT IN"
        " (SELECT track_id FROM sound_tags WHERE version = ?) ORDER BY value",
        (json.dumps(numbers), VERSION),
    )
    return [int(each[0]) for each in found]
