"""Merges two tracks that turn out to be one: what was made by hand comes together.

Functions on a connection of `Database`. Knows rows alone: a bundle stays where it is.
"""

from __future__ import annotations

from sfa_engine.library.database import Connection
from sfa_engine.library.ownership import merge

# Two cues so close are one; as `sfa_engine.library.cues` has it, which needs this module.
_SAME_S = 0.002
_FILLED = {
    "title": "''", "artist": "''", "album": "''", "genre": "''", "label": "''", "comment": "''",
    "color": "''", "rating": "0", "year": "NULL", "tag_bpm": "NULL", "tag_key": "NULL",
    "hand_key": "NULL",
}  # fmt: skip
_OTHER = "(SELECT {name} FROM tracks WHERE id = :other)"
_FILL = ", ".join(
    f"{name} = CASE WHEN {name} IS {nothing} THEN {_OTHER.format(name=name)} ELSE {name} END"
    for name, nothing in _FILLED.items()
)
_MOVES = (
    # The entries of playlists, and plays.
    "UPDATE playlist_entries SET track_id = :into WHERE track_id = :other",
    "UPDATE plays SET track_id = :into WHERE track_id = :other",
    # The grid by hand, unless there is one.
    "UPDATE OR IGNORE grids SET track_id = :into WHERE track_id = :other AND origin = 'hand'",
    # Cues by hand: the same ones once, a hot cue where its number is not taken by hand.
    (
        "DELETE FROM cues WHERE track_id = :other AND (origin <> 'hand' OR EXISTS (SELECT 1"
        " FROM cues AS kept WHERE kept.track_id = :into AND kept.origin = 'hand'"
        " AND abs(kept.position_s - cues.position_s) <= :same_s"
        " AND (kept.end_s IS NULL) = (cues.end_s IS NULL)))"
    ),
    (
        "UPDATE cues SET slot = NULL WHERE track_id = :into AND origin <> 'hand' AND slot IN"
        " (SELECT slot FROM cues WHERE track_id = :other AND slot IS NOT NULL)"
    ),
    (
        "UPDATE cues SET slot = NULL WHERE track_id = :other AND slot IN"
        " (SELECT slot FROM cues WHERE track_id = :into AND slot IS NOT NULL)"
    ),
    "UPDATE cues SET track_id = :into WHERE track_id = :other",
    (
        f"UPDATE tracks SET {_FILL},"  # noqa: S608
        f" play_count = play_count + {_OTHER.format(name='play_count')},"
        f" played_at = nullif(max(coalesce(played_at, 0),"
        f" coalesce({_OTHER.format(name='played_at')}, 0)), 0) WHERE id = :into"
    ),
)


async def move_into(connection: Connection, track_id: int, into: int) -> None:
    """Give a track what another one has: cues and grid by hand, playlists, plays, fields, members.

    Where both have something by hand, the first one's stays. The other track keeps its row and its
    places; the caller settles the first one.
    """
    for sql in _MOVES:
        await connection.execute(sql, {"into": into, "other": track_id, "same_s": _SAME_S})
    await merge(connection, track_id, into)
