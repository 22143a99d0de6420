"""Reads stored jobs. Changes nothing."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from sfa_engine.backstage.job import ENDED, LIVE, Job, Kind, State
from sfa_engine.errors import Refused
from sfa_engine.library.database import Connection, Database, row, rows

MAX_LISTED = 500
LAST = 1 << 62  # above any number of a job
_LOOK = "see `sfa jobs list --all`"


@dataclass
class JobStore:
    """Queries on the jobs of a library.

    Parameters
    ----------
    database : Database
    """

    database: Database

    async def get(self, number: int) -> Job:
        """Return a job.

        Raises
        ------
        Refused
            There is no such job.
        """
        async with self.database.reading() as connection:
            return await self._get(connection, number)

    @staticmethod
    async def _get(connection: Connection, number: int) -> Job:
        found = await row(connection, "SELECT * FROM told_jobs WHERE id = ?", (number,))
        if found is None:
            raise Refused(f"no job {number}", _LOOK)
        return Job.of(found)

    @staticmethod
    async def _of(connection: Connection, numbers: Sequence[int]) -> list[Job]:
        """Return jobs by their numbers, in chunks, so that other tasks run between."""
        found: list[Job] = []
        for first in range(0, len(numbers), MAX_LISTED):
            part = json.dumps(numbers[first : first + MAX_LISTED])
            asked = "SELECT * FROM told_jobs WHERE id IN (SELECT value FROM json_each(?))"
            found += map(Job.of, await rows(connection, asked, (part,)))
        return found

    @staticmethod
    async def _check_there(connection: Connection, numbers: Sequence[int]) -> None:
        missing = await row(
            connection,
            "SELECT value FROM json_each(?) WHERE value NOT IN (SELECT id FROM jobs) LIMIT 1",
            (json.dumps(numbers),),
        )
        if missing:
            raise Refused(f"no job {missing['value']}", _LOOK)

    async def numbers(self, states: Iterable[State]) -> list[int]:
        """Return the numbers of all jobs in some states."""
        wanted = json.dumps([*states])
        found = await self.database.fetch(
            "SELECT id FROM jobs WHERE state IN (SELECT value FROM json_each(?)) ORDER BY id",
            (wanted,),
        )
        return [int(each["id"]) for each in found]

    async def last_done_s(self, kind: Kind) -> float | None:
        """Return when a job of a kind last succeeded, in seconds since 1970; None if never."""
        found = await self.database.fetch(
            "SELECT max(ended_s) FROM jobs WHERE state = 'done' AND kind = ?", (kind,)
        )
        return None if found[0][0] is None else float(found[0][0])

    async def live_of(self, track: int) -> list[int]:
        """Return the numbers of the waiting and running jobs of a track."""
        found = await self.database.fetch(
            "SELECT id FROM jobs WHERE track_id = ? AND state IN ('waiting', 'running')", (track,)
        )
        return [int(each["id"]) for each in found]

    async def list(
        self,
        states: Iterable[State] = (),
        batch: str = "",
        limit: int = MAX_LISTED,
        before: int = LAST,
        track: int | None = None,
    ) -> list[Job]:
        """Return jobs, newest first, optionally of some states, one batch or one track."""
        wanted = [State(state) for state in states] or [*LIVE, *ENDED]
        slots = ", ".join("?" * len(wanted))
        found = await self.database.fetch(
            f"SELECT * FROM told_jobs WHERE state IN ({slots})"  # noqa: S608 - question marks
            " AND (? = '' OR id IN (SELECT job_id FROM batch_jobs WHERE batch = ?))"
            " AND (? IS NULL OR track_id = ?) AND id < ? ORDER BY id DESC LIMIT ?",
            (*wanted, batch, batch, track, track, before, limit),
        )
        return [Job.of(each) for each in found]

    async def counts(self) -> dict[str, int]:
        """Return how many jobs there are in each state."""
        found = await self.database.fetch("SELECT state, count(*) FROM jobs GROUP BY state")
        return {state.value: 0 for state in State} | {each[0]: each[1] for each in found}
