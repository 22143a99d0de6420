"""``library.reanalyse``: tracks are analysed again, in the background; then, what has changed."""

from __future__ import annotations

import json
import re
import uuid
from collections.abc import Callable
from typing import Any

from sfa_engine.backstage.access import (
    PREPARE,
    By,
    changeable,
    check_track,
    find,
    visible,
)
from sfa_engine.backstage.audit import part
from sfa_engine.backstage.context import PrepContext
from sfa_engine.backstage.dispatcher import Dispatcher
from sfa_engine.backstage.job import Kind, Plan
from sfa_engine.backstage.steps.plans import reanalyse, tag_again
from sfa_engine.backstage.verbs.paging import batch_tracks, fit_in_frame, job_numbers
from sfa_engine.library import cues, search, sound_tags, tracks
from sfa_engine.library.database import Connection, Row, change, rows
from sfa_engine.prep.options import ANALYSIS_VERSION
from sfa_engine.wire.rights import SYSTEM, Actor
from sfa_engine.wire.verbs import Count, Text, verb

Plans = Callable[[int, str], list[Plan]]  # of a track by its number and name
AT_ONCE = 200  # tracks in a transaction: a load waits for none longer than a quarter of a second


class ReanalyseVerbs:
    """The verbs on analysing again.

    Parameters
    ----------
    context : PrepContext
    dispatcher : Dispatcher
    """

    def __init__(self, context: PrepContext, dispatcher: Dispatcher) -> None:
        self._context = context
        self._dispatcher = dispatcher

    @verb(scope="prepare", slow=True, owned=True)
    async def library_reanalyse(
        self,
        words: Text = "",
        outdated: bool = False,
        dry_run: bool = False,
        actor: By = SYSTEM,
    ) -> dict[str, Any]:
        """Queue another analysis of a query's tracks; what was set by hand stays.

        With `outdated` only of those that an older version analysed, or none; those that lack
        nothing but tags, or have older ones, are tagged alone. With `dry_run` nothing is queued.
        The answer has the number of ``tracks``, the batch and its jobs.
        """
        numbers = await self._wanted(words, outdated, actor)
        untagged = await self._untagged(words, numbers, actor) if outdated else []
        batch = uuid.uuid4().hex[:12]
        jobs: list[int] = []
        if not dry_run:
            for plans, each in ((reanalyse, numbers), (tag_again, untagged)):
                for first in range(0, len(each), AT_ONCE):
                    part_of = each[first : first + AT_ONCE]
                    jobs += await self._queue(plans, part_of, batch, actor.account)
            self._dispatcher.wake()
        return {"tracks": len(numbers) + len(untagged), "batch": batch, **job_numbers(jobs)}

    @verb(scope="read", owned=True)
    async def library_reanalysed(
        self, batch: Text, after: Count = 0, actor: By = SYSTEM
    ) -> dict[str, Any]:
        """Return a page of a batch's tracks, after a number, with what their analysis changed.

        ``changes`` has those of bpm, key, confidence, drops (before and now), grid_moved_ms,
        bar_later_beats, cues_new and cues_gone that differ; ``by_hand`` what was kept.
        """
        async with self._context.database.reading() as connection:
            found = await batch_tracks(
                connection,
                batch,
                after,
                "json_group_array(json_object('kind', kind, 'state', state, 'result',"
                " json(coalesce(result, '{}')), 'error', json(error))) AS jobs",
                (Kind.ANALYSE, Kind.CUE, Kind.TAG),
            )
            seen = await tracks.listed(
                connection, [each["track_id"] for each in found], visible(actor)
            )
            shown = {track.id for track in seen}
            answer = [
                await _report(connection, each) for each in found if each["track_id"] in shown
            ]
        return {"tracks": fit_in_frame(answer)}

    async def _wanted(self, words: str, outdated: bool, actor: Actor) -> list[int]:
        """Return the numbers of the actor's tracks of a query that have a bundle."""
        from_version = ANALYSIS_VERSION if outdated else None
        async with self._context.database.reading() as connection:
            if re.fullmatch(r"\s*#[0-9]{1,18}\s*", words):
                one = await find(connection, actor, words)
                await check_track(connection, actor, PREPARE, one)
                named = [one.id]
            else:
                named = await search.numbers(connection, words, changeable(actor, PREPARE))
            found = await rows(
                connection,
                "SELECT id FROM tracks LEFT JOIN analyses ON analyses.track_id = tracks.id"
                " WHERE id IN (SELECT value FROM json_each(?1)) AND bundle IS NOT NULL"
                " AND duration_s IS NOT NULL"
                # what is no number, as of a manifest, is 0
                " AND (?2 IS NULL OR CAST(coalesce(version, '0') AS INTEGER) < ?2) ORDER BY id",
                (json.dumps(named), from_version),
            )
        return [int(each["id"]) for each in found]

    async def _untagged(self, words: str, others: list[int], actor: Actor) -> list[int]:
        """Return the numbers of the query's other tracks whose tags are missing, or older."""
        if not self._context.settings.analysis.tags:
            return []
        numbers = set(await self._wanted(words, False, actor)) - set(others)
        async with self._context.database.reading() as connection:
            return await sound_tags.missing(connection, sorted(numbers))

    async def _queue(self, plans: Plans, numbers: list[int], batch: str, account: int) -> list[int]:
        jobs: list[int] = []
        async with part(numbers=numbers), self._context.database.transaction() as connection:
            for track in await tracks.listed(connection, numbers):
                jobs += await self._context.queue.add_chain(
                    connection, plans(track.id, track.name), batch, account=account
                )
            # One that waited before would be skipped.
            await change(
                connection,
                "UPDATE jobs SET args = json_set(args, '$.options.again', json('true'))"
                " WHERE state = 'waiting' AND kind = ? AND id IN (SELECT value FROM json_each(?))",
                (Kind.ANALYSE, json.dumps(jobs)),
            )
        return jobs


async def _report(connection: Connection, found: Row) -> dict[str, Any]:
    """Return what the jobs of a track in a batch changed."""
    track = await tracks.get(connection, found["track_id"])
    jobs = {each["kind"]: each for each in json.loads(found["jobs"])}
    changes: dict[str, Any] = {}
    for job in jobs.values():
        changes |= job["result"].get("changes", {})
    ended = jobs.get(Kind.ANALYSE, next(iter(jobs.values())))
    by_hand = [cue for cue in await cues.cues_of(connection, track.id) if cue.by_hand]
    return {
        "id": track.id,
        "name": track.name,
        "state": ended["state"],
        "error": ended["error"],
        "bpm": track.bpm,
        "key": track.key,
        "check_grid": track.check_grid,
        "changes": changes,
        "by_hand": {
            "grid": track.grid_by_hand,
            "key": await tracks.has_hand_key(connection, track.id),
            "cues": len(by_hand),
        },
    }
