"""``library.statistics``, ``library.daily``, ``library.usage``: how much there is, and whose."""

from __future__ import annotations

import time
from collections import Counter
from dataclasses import asdict
from datetime import date
from typing import Annotated, Any

from msgspec import Meta

from sfa_engine.backstage.access import By, visible
from sfa_engine.backstage.context import PrepContext
from sfa_engine.library import statistics, usage
from sfa_engine.library.statistics import Storage
from sfa_engine.wire.rights import SYSTEM
from sfa_engine.wire.verbs import verb

Days = Annotated[int, Meta(ge=1, le=366)]
Hours = Annotated[int, Meta(ge=0, le=168)]


class UsageVerbs:
    """The verbs that count.

    Parameters
    ----------
    context : PrepContext
    """

    def __init__(self, context: PrepContext) -> None:
        self._context = context
        self._sizes = usage.BundleSizes(context.places)

    @verb(scope="read", slow=True, owned=True)
    async def library_statistics(self, actor: By = SYSTEM) -> dict[str, Any]:
        """Return counts and sizes of the tracks that the sender sees.

        The sizes of the trash, of backups, covers and the database, and the free space are the
        machine's: null for all but admins.
        """
        within = visible(actor)
        numbers = await statistics.numbers(self._context.database, within)
        if actor.has("admin"):
            room = asdict(await statistics.storage(self._context.places))
        else:
            sizes = await self._sizes.get()
            async with self._context.database.reading() as connection:
                names = await usage.bundles_of(connection, within)
            room = dict.fromkeys(Storage.__annotations__)
            room["bundles_bytes"] = sum(sizes.get(name, 0) for name in names)
        return {**asdict(numbers), **room}

    @verb(scope="admin")
    async def library_daily(self, days: Days = 90, hours: Hours = 0) -> dict[str, Any]:
        """Return for each of the last days how many tracks, stems and analyses were made.

        ``jobs_done`` and ``jobs_failed`` are of jobs that are kept. Days are those of the machine's
        time zone, the oldest first; none is left out.
        With ``hours`` also the jobs done and failed in each of the last hours.
        """
        async with self._context.database.reading() as connection:
            found = await usage.daily(connection, days, date.today())  # noqa: DTZ011 - local
            recent = await usage.hourly_jobs(connection, hours, time.time())
        return {"days": found, "hours": recent}

    @verb(scope="admin", slow=True)
    async def library_usage(self) -> dict[str, Any]:
        """Return tracks, hours, bytes and jobs of each account, 0 for the machine; and of all.

        Bytes are at most a minute old. A track of two accounts counts for both, in ``total`` once.
        """
        sizes = await self._sizes.get()
        async with self._context.database.reading() as connection:
            accounts = await usage.by_account(connection, sizes)
            names = await usage.bundles_of(connection, "1")
        numbers = await statistics.numbers(self._context.database)
        jobs: Counter[str] = Counter()
        for each in accounts:
            jobs.update(each.jobs)
        return {
            "accounts": [asdict(each) for each in accounts],
            "total": {
                "tracks": numbers.tracks,
                "removed": numbers.removed,
                "duration_s": numbers.duration_s,
                "bundles_bytes": sum(sizes.get(name, 0) for name in names),
                "free_bytes": statistics.free_bytes(self._context.places),
                "jobs": dict(jobs),
            },
        }
