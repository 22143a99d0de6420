"""Tracks for words: candidates of a search, what they lack, and the jobs that make it.

::

    search ─► candidates, best first ─┬─ ready
                                      ├─ lacks stems or an analysis ─► jobs of one batch
                                      └─ failed in the batch, or may not be prepared: passed over

Of recipes and sets of loops.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from msgspec.structs import replace as changed

from sfa_engine.backstage.access import PREPARE, check_track, visible_jobs
from sfa_engine.backstage.context import PrepContext
from sfa_engine.backstage.job import LIVE, Kind, Plan, State
from sfa_engine.backstage.steps.plans import PrepOptions, prepare
from sfa_engine.backstage.verbs.words import WordVerbs
from sfa_engine.errors import Absent, Forbidden
from sfa_engine.library.database import Connection, rows
from sfa_engine.library.track import Track
from sfa_engine.mix.wanted import Wanted
from sfa_engine.mix.words import Reading
from sfa_engine.track.media import WHOLE
from sfa_engine.wire.rights import Actor

SPARE, SPARE_SHARE = 20, 3  # candidates beyond those that are needed
MAX_FOUND = 1000
MAX_WHY = 300  # characters of why a track was found
NEEDS: tuple[Kind, ...] = (Kind.SEPARATE, Kind.ANALYSE)
Need = Literal["", "stems", "analysis"]


@dataclass(frozen=True)
class Known:
    """What is known of candidates, by the number of the track.

    Parameters
    ----------
    analysed : set of int
    live : mapping of int to set of str
        Kinds of jobs that wait or run.
    failed : mapping of int to str
        Why a track's jobs in the batch did not make what it lacks.
    """

    analysed: set[int]
    live: Mapping[int, set[str]]
    failed: Mapping[int, str]


async def search_words(
    words: WordVerbs,
    reading: Reading,
    wider: Wanted,
    count: int,
    notes: list[str],
    actor: Actor,
) -> dict[int, str]:
    """Return the numbers of tracks, best first, each with why it was found.

    Parameters
    ----------
    words : WordVerbs
    reading : Reading
    wider : Wanted
        A search for more of them, if it is another.
    count : int
        Of tracks that are needed.
    notes : list of str
        What was not done is added.
    actor : Actor
    """
    wanted, unknown = reading.wanted, reading.unknown
    limit = min(MAX_FOUND, count * SPARE_SHARE + SPARE)
    said = await words.found(reading, limit, actor)
    if not said["count"] and unknown and not wanted.is_plain:
        text = tuple(each for each in wanted.text if each not in unknown)
        said = await words.found(Reading(changed(wanted, text=text)), limit, actor)
    notes += said["notes"]
    left_out = " ".join(notes)
    notes += [f'"{word:.40}" was not understood' for word in unknown if word not in wanted.text]
    notes += [
        f'"{word:.40}" was not understood: looked for in names'
        for word in unknown
        if word in wanted.text and f'"{word:.40}"' not in left_out
    ]
    hits = said["tracks"]
    if len(hits) < limit and wider != wanted:
        more = await words.found(Reading(wider, unknown), limit, actor)
        hits = [*hits, *more["tracks"]][:limit]
    found: dict[int, str] = {}
    for track in hits:
        found.setdefault(track["id"], "; ".join(track["reasons"])[:MAX_WHY])
    return found


async def known_of(
    connection: Connection, numbers: Sequence[int], batch: str, actor: Actor
) -> Known:
    """Return what is known of tracks, and of their jobs in a batch."""
    listed = json.dumps(list(numbers))
    analysed = await rows(
        connection,
        "SELECT track_id FROM analyses WHERE track_id IN (SELECT value FROM json_each(?))",
        (listed,),
    )
    jobs = await rows(
        connection,
        "SELECT track_id, kind, state, error, id IN (SELECT job_id FROM batch_jobs"  # noqa: S608
        f" WHERE batch = ?1 AND {visible_jobs(actor)}) AS is_ours FROM jobs"
        " WHERE track_id IN (SELECT value FROM json_each(?2))"
        " AND kind IN (SELECT value FROM json_each(?3)) ORDER BY id",
        (batch, listed, json.dumps(NEEDS)),
    )
    live: dict[int, set[str]] = {}
    failed: dict[int, str] = {}
    for job in jobs:
        number = int(job["track_id"])
        if job["state"] in LIVE:
            live.setdefault(number, set()).add(job["kind"])
        elif batch and job["is_ours"]:
            failed.setdefault(number, _why_not(job["state"], job["error"]))
    failed = {number: why for number, why in failed.items() if number not in live}
    return Known({int(each["track_id"]) for each in analysed}, live, failed)


def _why_not(state: str, error: str | None) -> str:
    if state == State.CANCELLED:
        return "is passed over: its preparation was cancelled"
    message = json.loads(error)["message"] if error and state == State.FAILED else ""
    return f"could not be prepared: {message}" if message else "could not be prepared"


def need_of(track: Track, known: Known, *, stems: bool) -> Need:
    """Return what a track lacks: stems, if they are needed, or an analysis."""
    if stems and (track.preview or not set(track.stems) - {WHOLE}):
        return "stems"
    return "" if track.id in known.analysed else "analysis"


def why_unfit(track: Track, need: Need, known: Known, *, ready: bool) -> str:
    """Return why a track cannot be used, nor prepared; empty if it can."""
    if track.bundle is None or not track.duration_s:
        return "is not imported yet"
    if need and ready:
        return f"is not ready: it has no {need}"
    if need and track.id in known.failed:
        return known.failed[track.id]
    return ""


async def why_not_allowed(connection: Connection, actor: Actor, track: Track, need: Need) -> str:
    """Return why an actor may not have a track prepared; empty if they may."""
    try:
        await check_track(connection, actor, PREPARE, track)
    except (Absent, Forbidden):
        return f"has no {need}, and may not be prepared by this account"
    return ""


def plans_of(track: Track, need: Need, live: set[str]) -> list[Plan]:
    """Return the jobs that make what a track lacks; of those that wait or run, only these."""
    plans = prepare(track.id, track.name, PrepOptions(again=True))
    if live:
        return [plan for plan in plans if plan.kind in live]
    return [plan for plan in plans if need == "stems" or plan.kind is not Kind.SEPARATE]


async def queue_missing(
    context: PrepContext, lacking: Sequence[tuple[Track, Need]], batch: str, actor: Actor
) -> None:
    """Queue what makes stems and analyses; where jobs do so already, the batch has them."""
    async with context.database.transaction() as connection:
        known = await known_of(connection, [track.id for track, _ in lacking], batch, actor)
        for track, need in lacking:
            plans = plans_of(track, need, known.live.get(track.id, set()))
            await context.queue.add_chain(connection, plans, batch, account=actor.account)


def shown(lacking: Sequence[tuple[Track, Need]]) -> list[dict[str, str | int]]:
    """Return tracks that are being prepared as plain values."""
    return [{"id": track.id, "name": track.name, "lacks": need} for track, need in lacking]
