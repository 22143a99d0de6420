"""``library.numbers`` and ``library.rows``: long lists for surfaces that draw a part of them.

A surface asks once for the numbers of all tracks of a query, and for the rows that it draws by
their numbers. Its rows stay where they are while tracks come and go, and a jump to any of them
costs the same: of 20,000 tracks the page at 15,000 of a sorted ``library.search`` takes 0.1 s
longer than the first one.
"""

from __future__ import annotations

from typing import Annotated, Any

from msgspec import Meta

from sfa_engine.backstage.access import By, sees, visible
from sfa_engine.backstage.context import PrepContext
from sfa_engine.backstage.verbs.paging import fit_in_frame
from sfa_engine.library import search, tracks
from sfa_engine.library.database import Connection, rows
from sfa_engine.library.ownership import View
from sfa_engine.library.track import Track
from sfa_engine.wire.rights import SYSTEM, Actor
from sfa_engine.wire.verbs import Count, Text, verb

MAX_LISTED = 200_000  # numbers: 1 MB of an answer of 2
MAX_ROWS = 500
MAX_SHOWN = 300  # characters of a text in a row

Numbers = Annotated[list[Count], Meta(max_length=MAX_ROWS)]
_COPIED = (
    *("id", "bundle", "year", "duration_s", "state", "bpm", "key", "camelot", "energy", "preview"),
    *("check_grid", "rating", "color", "play_count", "added_at"),
)
_CUT = ("title", "artist", "album", "genre", "problem")


class ListingVerbs:
    """The verbs on long lists.

    Parameters
    ----------
    context : PrepContext
    """

    def __init__(self, context: PrepContext) -> None:
        self._context = context

    @verb(scope="read", owned=True)
    async def library_numbers(
        self, words: Text = "", view: View = "combined", actor: By = SYSTEM
    ) -> dict[str, Any]:
        """Return the numbers of all tracks of a query, in its order: the first 200,000."""
        async with self._context.database.reading() as connection:
            found = await search.ordered(connection, words, visible(actor, view))
        return {"count": len(found), "tracks": found[:MAX_LISTED]}

    @verb(scope="read", owned=True)
    async def library_rows(self, tracks: Numbers, actor: By = SYSTEM) -> dict[str, Any]:
        """Return what a list shows of tracks, by their numbers; those that are gone are left out.

        Long texts are cut; ``job`` is the failed job to retry, null without one.
        """
        async with self._context.database.reading() as connection:
            found = await _rows(connection, tracks, actor)
        return {"tracks": fit_in_frame(found)}


async def _rows(connection: Connection, numbers: list[int], actor: Actor) -> list[dict[str, Any]]:
    found = await tracks.listed(connection, numbers, visible(actor))
    there = [track for track in found if track.deleted_at is None]
    failed = await _failed_jobs(connection, [t.id for t in there if t.state == "failed"])
    return [_row(track, failed.get(track.id), actor) for track in there]


async def _failed_jobs(connection: Connection, numbers: list[int]) -> dict[int, int]:
    """Return the last failed job of each track."""
    slots = ", ".join("?" * len(numbers))
    found = await rows(
        connection,
        "SELECT track_id, max(id) AS job FROM jobs"  # noqa: S608 - question marks
        f" WHERE state = 'failed' AND track_id IN ({slots}) GROUP BY track_id",
        numbers,
    )
    return {int(each["track_id"]): int(each["job"]) for each in found}


def _row(track: Track, failed: int | None, actor: Actor) -> dict[str, Any]:
    account = track.account
    if account is not None and not sees(actor, int(account)):
        account = str(actor.account)
    return {
        **{name: getattr(track, name) for name in _COPIED},
        **{name: getattr(track, name)[:MAX_SHOWN] for name in _CUT},
        "stems": list(track.stems),
        "has_cover": track.cover is not None,
        "account": account,
        "job": failed,
    }
