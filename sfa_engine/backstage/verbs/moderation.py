"""Flags of tracks, and what admins do with many tracks at once.

::

    library.flag      a moderator names a track and a reason; admins list them
    library.assign    ┐
    library.separate  ├ the tracks of a query, a page at a time, with an answer for each
    library.delete    ┘
"""

from __future__ import annotations

import re
import uuid
from collections.abc import Awaitable, Callable
from dataclasses import asdict
from typing import Annotated, Any

from msgspec import Meta

from sfa_engine.backstage.access import FLAG, By, find
from sfa_engine.backstage.audit import part
from sfa_engine.backstage.context import PrepContext
from sfa_engine.backstage.dispatcher import Dispatcher
from sfa_engine.backstage.steps.plans import PrepOptions, prepare
from sfa_engine.backstage.verbs.library import TrackWord
from sfa_engine.backstage.verbs.paging import fit_in_frame
from sfa_engine.backstage.verbs.removal import remove_track
from sfa_engine.errors import Forbidden, Refused, SfaError
from sfa_engine.library import ownership, search, tracks
from sfa_engine.library.ownership import MAX_REASON
from sfa_engine.library.track import Track
from sfa_engine.wire.rights import SYSTEM, Actor, may
from sfa_engine.wire.verbs import NO_NUL, Count, Text, verb

MAX_AT_ONCE = 200  # tracks in a request
MAX_FLAGS = 500  # in an answer
Reason = Annotated[str, Meta(min_length=1, max_length=MAX_REASON, pattern=NO_NUL)]
Words = Annotated[str, Meta(min_length=1, max_length=1000, pattern=NO_NUL)]
Account = Annotated[int, Meta(ge=0, le=1 << 62)]
Work = Callable[[Track], Awaitable[dict[str, Any]]]


class ModerationVerbs:
    """The verbs of moderators and admins.

    Parameters
    ----------
    context : PrepContext
    dispatcher : Dispatcher
    """

    def __init__(self, context: PrepContext, dispatcher: Dispatcher) -> None:
        self._context = context
        self._dispatcher = dispatcher

    # ------------------------------------------------------------------ flags

    @verb(scope="library", owned=True)
    async def library_flag(
        self, track: TrackWord, reason: Reason, actor: By = SYSTEM
    ) -> dict[str, Any]:
        """Flag a track for the admins, with a reason; for moderators."""
        _check_moderator(actor)
        async with self._context.database.transaction() as connection:
            found = await find(connection, actor, track)
            await ownership.flag(connection, found.id, actor.account, actor.name, reason)
        return {"track": found.id, "name": found.name, "reason": reason}

    @verb(scope="library", owned=True)
    async def library_unflag(self, track: TrackWord, actor: By = SYSTEM) -> dict[str, Any]:
        """Delete the flags of a track; for moderators."""
        _check_moderator(actor)
        async with self._context.database.transaction() as connection:
            found = await find(connection, actor, track)
            count = await ownership.unflag(connection, found.id)
        return {"track": found.id, "name": found.name, "flags": count}

    @verb(scope="admin", owned=True)
    async def library_flags(self, offset: Count = 0) -> dict[str, Any]:
        """Return a page of all flags, the latest first, and their number."""
        async with self._context.database.reading() as connection:
            found = await ownership.flags(connection, MAX_FLAGS, offset)
            count = await ownership.count_flags(connection)
        return {"count": count, "flags": fit_in_frame(asdict(each) for each in found)}

    # ------------------------------------------------------------------ many tracks

    @verb(scope="admin", slow=True, owned=True)
    async def library_delete(
        self, words: Words, dry_run: bool = False, force: bool = False, after: Count = 0
    ) -> dict[str, Any]:
        """Move a query's tracks to the trash, for all accounts; a page at a time.

        With `dry_run` nothing is changed: ``tracks`` says how many there are. The answer has an
        item for each track, and in ``after`` where the next page begins, 0 after the last.
        ``force`` overrules ``session.lock``.
        """
        if not dry_run:
            self._context.session.check("deleting tracks", force=force)

        async def delete(track: Track) -> dict[str, Any]:
            await remove_track(self._context, self._dispatcher, track.id)
            return {}

        return await self._each(words, after, None if dry_run else delete)

    @verb(scope="admin", slow=True, owned=True)
    async def library_assign(
        self,
        words: Words,
        account: Account,
        dry_run: bool = False,
        force: bool = False,
        after: Count = 0,
    ) -> dict[str, Any]:
        """Give a query's tracks to one account alone, or by 0 to the machine; a page at a time.

        See ``library.delete``.
        """
        if not dry_run:
            self._context.session.check("assigning tracks", force=force)

        async def assign(track: Track) -> dict[str, Any]:
            async with self._context.database.transaction() as connection:
                await ownership.assign(connection, track.id, account)
            return {}

        return await self._each(words, after, None if dry_run else assign)

    @verb(scope="admin", slow=True, owned=True)
    async def library_separate(
        self,
        words: Words,
        engine: Text = "",
        model: Text = "",
        dry_run: bool = False,
        after: Count = 0,
        batch: Text = "",
        actor: By = SYSTEM,
    ) -> dict[str, Any]:
        """Queue the separation of a query's tracks as one batch of jobs; a page at a time.

        `batch` is that of the page before. See ``library.delete``.
        """
        options = PrepOptions(engine, model, again=True)
        batch = batch or uuid.uuid4().hex[:12]

        async def separate(track: Track) -> dict[str, Any]:
            if track.bundle is None or track.duration_s is None:
                raise Refused(f'"{track.name}" is not imported yet', "see `sfa jobs`")
            plans = prepare(track.id, track.name, options)
            async with self._context.database.transaction(durable=False) as connection:
                jobs = await self._context.queue.add_chain(
                    connection, plans, batch, account=actor.account
                )
            return {"jobs": jobs}

        answer = await self._each(words, after, None if dry_run else separate, changes=False)
        self._dispatcher.wake()
        return {**answer, "batch": batch}

    async def _each(
        self, words: str, after: int, work: Work | None, *, changes: bool = True
    ) -> dict[str, Any]:
        """Do something with a page of a query's tracks; what fails with one stops no other.

        `changes` says whether it changes the tracks themselves. Each has a row of the audit log.
        """
        async with self._context.database.reading() as connection:
            if re.fullmatch(r"\s*#[0-9]{1,18}\s*", words):
                numbers = [(await search.find_one(connection, words)).id]
            else:
                numbers = sorted(await search.numbers(connection, words))
            wanted = [each for each in numbers if each > after]
            page = await tracks.listed(connection, wanted[:MAX_AT_ONCE])
        items = []
        for track in page:
            item: dict[str, Any] = {"track": track.id, "name": track.name, "error": None}
            if work is not None:
                try:
                    async with part(
                        track.id if changes else None, numbers=[] if changes else [track.id]
                    ):
                        item |= await work(track)
                except SfaError as error:
                    item["error"] = error.to_wire()
            items.append(item)
        more = len(wanted) > len(page) and page
        return {
            "tracks": len(numbers),
            "dry_run": work is None,
            "items": items,
            "after": page[-1].id if more else 0,
        }


def _check_moderator(actor: Actor) -> None:
    if not may(actor, FLAG):
        raise Forbidden("flags are for moderators", "ask one")
