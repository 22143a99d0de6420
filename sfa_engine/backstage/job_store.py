"""Reads stored jobs. Changes nothing."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from sfa_engine.backstage.job import ENDED, LIVE, Job, Kind, State
from sfa_engine.errors import Absent
from sfa_engine.library.database import Connection, Database, row, rows
from sfa_engine.library.ownership import EVERYTHING

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

    async def get(self, number: int, within: str = EVERYTHING) -> Job:
        """Return a job.

        Raises
        ------
        Absent
            There is no such job, or a condition leaves it out.
        """
        async with self.database.reading() as connection:
            return await self._get(connection, number, within)

    @staticmethod
    async def _get(connection: Connection, number: int, within: str = EVERYTHING) -> Job:
        found = await row(
            connection,
            f"SELECT * FROM told_jobs WHERE id = ? AND {within}",  # noqa: S608 - ours
            (number,),
        )
        if found is None:
            raise Absent(f"no job {number}", _LOOK)
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
            raise Absent(f"no job {missing['value']}", _LOOK)

    async def numbers(self, states: Iterable[State], within: str = EVERYTHING) -> list[int]:
        """Return the numbers of all jobs in some states."""
        wanted = json.dumps([*states])
        found = await self.database.fetch(
            "SELECT id FROM jobs WHERE state IN (SELECT value FROM json_each(?))"  # noqa: S608
            f" AND {within} ORDER BY id",
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

    async def steps_of(self, tracks: Iterable[int], within: str = EVERYTHING) -> list[Job]:
        """Return the newest job of each kind of some tracks, newest first."""
        found = await self.database.fetch(
            "SELECT * FROM told_jobs WHERE id IN (SELECT max(id) FROM jobs WHERE track_id IN"  # noqa: S608 - ours
            f" (SELECT value FROM json_each(?)) AND {within} GROUP BY track_id, kind)"
            " ORDER BY id DESC",
            (json.dumps([*tracks]),),
        )
        return [Job.of(each) for each in found]

    async def list(
        self,
        states: Iterable[State] = (),
        batch: str = "",
        limit: int = MAX_LISTED,
        before: int = LAST,
        track: int | None = None,
        within: str = EVERYTHING,
        words: str = "",
    ) -> list[Job]:
        """Return jobs, newest first, of some states, one batch, one track or a condition.

        The title of each has all of the words.
        """
        wanted = [State(state) for state in states] or [*LIVE, *ENDED]
        slots = ", ".join("?" * len(wanted))
        titled = words.split()
        found = await self.database.fetch(
            f"SELECT * FROM told_jobs WHERE state IN ({slots}) AND {within}"  # noqa: S608 - ours
            " AND (? = '' OR id IN (SELECT job_id FROM batch_jobs WHERE batch = ?))"
            " AND (? IS NULL OR track_id = ?) AND id < ?"
            f"{' AND instr(lower(title), lower(?))' * len(titled)} ORDER BY id DESC LIMIT ?",
            (*wanted, batch, batch, track, track, before, *titled, limit),
        )
        return [Job.of(each) for each in found]

    async def places(self, most: int = MAX_LISTED) -> dict[int, int]:
        """Return the places of waiting jobs in the line of their queue, from 1, by job.

        Those that wait for another job have none, nor has what is further back than `most`.
        """
        found = await self.database.fetch(
            "SELECT id, place FROM (SELECT id, row_number() OVER"
            " (PARTITION BY queue ORDER BY priority DESC, id) AS place FROM jobs"
            " WHERE state = 'waiting' AND held = 0) WHERE place <= ?",
            (most,),
        )
        return {each["id"]: each["place"] for each in found}

    async def lines(self) -> dict[str, dict[str, int]]:
        """Return how many jobs of each queue wait and run."""
        found = await self.database.fetch(
            "SELECT queue, state, count(*) AS n FROM jobs WHERE state IN ('waiting', 'running')"
            " GROUP BY queue, state"
        )
        lines: dict[str, dict[str, int]] = {}
        for each in found:
            lines.setdefault(each["queue"], {})[each["state"]] = each["n"]
        return lines

    async def counts(self, within: str = EVERYTHING) -> dict[str, int]:
        """Return how many jobs there are in each state."""
        found = await self.database.fetch(
            f"SELECT state, count(*) FROM jobs WHERE {within} GROUP BY state"  # noqa: S608 - ours
        )
        return {state.value: 0 for state in State} | {each[0]: each[1] for each in found}
