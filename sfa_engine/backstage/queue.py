"""The job queue: rows of the library's database, so that nothing queued is ever lost.

Every change of state is one transaction, and names the state and the attempt that it starts from:
a worker that comes back after its job was cancelled, rescued or run again has no effect.
"""

from __future__ import annotations

import asyncio
import json
import random
import time
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sfa_engine.backstage.job import (
    GOOD,
    LONGEST_WAIT_S,
    QUEUES,
    Job,
    Plan,
    State,
    wait_before,
)
from sfa_engine.backstage.ledger import Ledger
from sfa_engine.backstage.services.fault import ServiceError
from sfa_engine.errors import MediaError, Refused, SfaError
from sfa_engine.library import tracks
from sfa_engine.library.database import Connection, Row, change, insert, row, rows

KEPT_S = 7 * 86_400.0
DUE = 0.0  # due at once, whatever the clock says
LOOK_S = 0.1
_FINAL = (Refused, MediaError)  # trying again would end alike
_LASTING = frozenset(  # the same, of what workers and services say
    {"no-result", "wrong-length", "unsound", "drm", "geo-blocked", "login-needed"}
    | {"engine-missing", "tool-missing", "ffmpeg-missing", "model-missing"}
    | {"disk-full", "refused", "media", "taken"}
)


@dataclass(frozen=True)
class Event:
    """Something that happened to a job."""

    job: int
    kind: str
    state: State
    title: str
    track: int | None = None
    batches: tuple[str, ...] = ()
    progress: float = 0.0
    doing: str = ""
    error: Mapping[str, str] | None = None


Listener = Callable[[Event], None]

# Nothing waits longer than a back-off: what is due later was put off before the clock was set back.
_IS_DUE = f"(due_s <= :now OR due_s > :now + {LONGEST_WAIT_S})"
_ALONE = (
    "NOT EXISTS (SELECT 1 FROM jobs AS other"
    " WHERE other.track_id = jobs.track_id AND other.state = 'running')"
)
_INSERT = (
    "INSERT INTO jobs (kind, queue, state, priority, most_attempts, title, args, track_id,"
    " after_id, needs_last, unique_key, due_s, created_s, time_limit_s)"
    " VALUES (?, ?, 'waiting', ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
)
_RAISE = (
    "UPDATE jobs SET priority = max(priority, ?1) WHERE unique_key = ?2"
    " AND state IN ('waiting', 'running') AND state = 'waiting' AND priority < ?1"
)


@dataclass
class Queue(Ledger):
    """Jobs, and who is at work on them.

    Parameters
    ----------
    owner : str
        Tells this process from all that were before it.
    now : callable
        Seconds since 1970.
    chance : random.Random
        For the jitter of retries.
    """

    owner: str
    now: Callable[[], float] = time.time
    chance: random.Random = field(default_factory=random.Random)
    _listeners: list[Listener] = field(default_factory=list)

    # ------------------------------------------------------------------ putting in

    async def add_chain(
        self,
        connection: Connection,
        plans: Sequence[Plan],
        batch: str = "",
        after: int | None = None,
    ) -> list[int]:
        """Put jobs in that come one after another, within a transaction; return their numbers.

        Where a job of the same unique key waits or runs, that one is taken instead; if it waits,
        it does so with the higher priority of the two. They belong to the batch, and to those of
        the job that they come after.
        """
        numbers = []
        for plan in plans:
            number = await self._find_live(connection, plan.unique)
            if number is None:
                number = await self._insert(connection, plan, after)
            else:
                await change(connection, _RAISE, (plan.priority, plan.unique))
            await self._join(connection, number, batch, after)
            numbers.append(number)
            after = number
        return numbers

    @staticmethod
    async def _join(connection: Connection, number: int, batch: str, after: int | None) -> None:
        await change(
            connection,
            "INSERT OR IGNORE INTO batch_jobs SELECT batch, ? FROM batch_jobs WHERE job_id = ?"
            " UNION SELECT ?, ? WHERE ? != ''",
            (number, after, batch, number, batch),
        )

    @staticmethod
    async def _find_live(connection: Connection, unique: str | None) -> int | None:
        if unique is None:
            return None
        found = await row(
            connection,
            "SELECT id FROM jobs WHERE unique_key = ? AND state IN ('waiting', 'running')",
            (unique,),
        )
        return found["id"] if found else None

    async def _insert(self, connection: Connection, plan: Plan, after: int | None) -> int:
        return await insert(connection, _INSERT, self._values(plan, after))

    def _values(self, plan: Plan, after: int | None = None) -> tuple[Any, ...]:
        """Return what `_INSERT` wants."""
        return (
            *(plan.kind, QUEUES[plan.kind], plan.priority, plan.most_attempts, plan.title),
            *(json.dumps(plan.args), plan.track, after, plan.needs_last, plan.unique),
            *(DUE, self.now(), plan.time_limit_s),
        )

    async def add_all(self, connection: Connection, plans: Sequence[Plan], batch: str) -> list[int]:
        """Put jobs in that have nothing to do with each other; return the batch's numbers.

        As `add_chain` for each, at a hundredth of the cost: somebody's whole music at once.
        """
        await connection.executemany(
            f"{_INSERT} ON CONFLICT (unique_key)"
            " WHERE unique_key IS NOT NULL AND state IN ('waiting', 'running') DO NOTHING",
            [self._values(plan) for plan in plans],
        )
        await connection.executemany(
            _RAISE, [(plan.priority, plan.unique) for plan in plans if plan.priority > 0]
        )
        await connection.executemany(
            "INSERT OR IGNORE INTO batch_jobs SELECT ?, id FROM jobs"
            " WHERE unique_key = ? AND state IN ('waiting', 'running')",
            [(batch, plan.unique) for plan in plans],
        )
        found = await rows(
            connection, "SELECT job_id FROM batch_jobs WHERE batch = ? ORDER BY job_id", (batch,)
        )
        return [int(each["job_id"]) for each in found]

    # ------------------------------------------------------------------ working off

    async def claim(self, queue: str, but: Collection[int] = ()) -> Job | None:
        """Take the next job of a queue that is due, but none of some; None if there is none.

        Two are never at work on one track: what one reads, the other may put something else in
        the place of.
        """
        async with self.database.transaction(durable=False) as connection:
            found = await row(
                connection,
                "SELECT id FROM jobs INDEXED BY jobs_next"  # noqa: S608 - a constant
                f" WHERE state = 'waiting' AND held = 0 AND queue = :queue AND {_IS_DUE}"
                f" AND id NOT IN (SELECT value FROM json_each(:but)) AND {_ALONE}"
                " ORDER BY priority DESC, id LIMIT 1",
                {"queue": queue, "now": self.now(), "but": json.dumps([*but])},
            )
            if not found:
                return None
            number = int(found["id"])
            await change(
                connection,
                "UPDATE jobs SET state = 'running', attempts = attempts + 1, owner = ?,"
                " started_s = ?, ended_s = 0 WHERE id = ?",
                (self.owner, self.now(), number),
            )
            job = await self._get(connection, number)
        self._tell(job)
        return job

    async def next_due_s(self, queue: str) -> float | None:
        """Return when the next waiting job of a queue may be claimed, in seconds since 1970.

        A time further off than a back-off says that the clock was set back: it is due now.
        """
        found = await self.database.fetch(
            "SELECT due_s FROM jobs INDEXED BY jobs_due"  # noqa: S608 - a constant
            f" WHERE state = 'waiting' AND held = 0 AND queue = ? AND {_ALONE}"
            " ORDER BY due_s LIMIT 1",
            (queue,),
        )
        return float(found[0]["due_s"]) if found else None

    def wait_s(self, job: Job) -> float:
        """Return how long a waiting job is put off yet, after an attempt that failed."""
        left_s = job.due_s - self.now()
        return left_s if 0.0 < left_s <= LONGEST_WAIT_S and job.state is State.WAITING else 0.0

    async def finish(
        self,
        connection: Connection,
        job: Job,
        result: Mapping[str, Any],
        *,
        skipped: bool = False,
    ) -> Job:
        """End a job well, in the transaction of its effects; return it as it is then.

        Raises
        ------
        StaleError
            It is not this attempt's any more: leave the transaction, so that nothing has effect.
        """
        state = State.SKIPPED if skipped else State.DONE
        changed = await change(
            connection,
            "UPDATE jobs SET state = ?, result = ?, error = NULL, ended_s = ?, owner = NULL"
            " WHERE id = ? AND state = 'running' AND attempts = ? AND owner = ?",
            (state, json.dumps(result), self.now(), job.id, job.attempts, self.owner),
        )
        if changed != 1:
            raise StaleError(job)
        return await self._get(connection, job.id)

    @staticmethod
    async def set_track(connection: Connection, job: Job, track: int) -> None:
        """Say which track a job turned out to be about."""
        await change(connection, "UPDATE jobs SET track_id = ? WHERE id = ?", (track, job.id))

    @staticmethod
    async def is_only(connection: Connection, job: Job, track: int) -> bool:
        """Return whether no other job of the same kind is at work on a track."""
        other = await row(
            connection,
            "SELECT 1 FROM jobs WHERE track_id = ? AND id != ? AND kind = ? AND state = 'running'",
            (track, job.id, job.kind),
        )
        return other is None

    @staticmethod
    async def do_again(connection: Connection, track: int) -> None:
        """Have what waits for a track done even if that was done for its sound of before."""
        await change(
            connection,
            "UPDATE jobs SET args = json_set(args, '$.wish.again', json('true'))"
            " WHERE track_id = ? AND state = 'waiting'",
            (track,),
        )

    async def wait_alone(self, job: Job, track: int) -> None:
        """Return when no job of another kind is at work on a track that a job is about now."""
        asked = (
            "SELECT 1 FROM jobs WHERE track_id = ? AND id != ? AND kind != ? AND state = 'running'"
        )
        while await self.database.fetch(asked, (track, job.id, job.kind)):  # noqa: ASYNC110
            await asyncio.sleep(LOOK_S)

    def tell_ended(self, job: Job) -> None:
        """Tell listeners how a job ended, after the transaction."""
        self._tell(job)

    async def fail(self, job: Job, error: SfaError) -> None:
        """Note that an attempt failed: it waits for another, or that was the last.

        Its track says so too, in the same transaction.
        """
        lasting = isinstance(error, _FINAL) or error.code in _LASTING
        final = lasting or job.attempts >= job.most_attempts
        said = {"code": error.code, "message": error.message, "hint": error.hint}
        wait_s = wait_before(job.attempts + 1, self.chance)
        if isinstance(error, ServiceError):
            wait_s = max(wait_s, min(error.retry_after_s or 0.0, LONGEST_WAIT_S))
        due = self.now() + (0.0 if final else wait_s)
        async with self.database.transaction(durable=False) as connection:
            changed = await change(
                connection,
                "UPDATE jobs SET state = ?, error = ?, due_s = ?, ended_s = ?, owner = NULL"
                " WHERE id = ? AND state = 'running' AND attempts = ? AND owner = ?",
                (
                    State.FAILED if final else State.WAITING,
                    json.dumps(said),
                    due,
                    self.now() if final else 0.0,
                    *(job.id, job.attempts, self.owner),
                ),
            )
            if changed != 1:
                return
            changed_jobs = [await self._get(connection, job.id)]
            if final:
                changed_jobs += await self._cancel_needing(connection, [job.id])
                if changed_jobs[0].track is not None:
                    why = f"{job.kind}: {error.message}".encode("utf-8", "replace").decode()
                    await tracks.set_state(connection, changed_jobs[0].track, "failed", why)
        for each in changed_jobs:
            self._tell(each)

    async def _cancel_needing(self, connection: Connection, numbers: Sequence[int]) -> list[Job]:
        """Cancel what makes no sense without some jobs; return what was."""
        found = await rows(
            connection,
            "WITH RECURSIVE lost(id, root) AS (SELECT value, value FROM json_each(?)"
            " UNION SELECT jobs.id, lost.root FROM lost CROSS JOIN jobs INDEXED BY jobs_after"
            " ON jobs.after_id = lost.id WHERE jobs.needs_last AND jobs.state = 'waiting')"
            " SELECT id, root FROM lost WHERE id != root",
            (json.dumps(numbers),),
        )
        await self._cancel_as_needing(connection, found)
        return await self._of(connection, [each["id"] for each in found])

    async def _cancel_as_needing(self, connection: Connection, found: Iterable[Row]) -> None:
        """Cancel jobs by ``id``, because of a ``root`` with which a retry brings them back."""
        await connection.executemany(
            "UPDATE jobs SET state = 'cancelled', ended_s = ?, error = json_object('code', 'needs',"
            " 'message', 'job ' || ? || ' did not succeed', 'hint', 'retry that one')"
            " WHERE id = ?",
            [(self.now(), each["root"], each["id"]) for each in found],
        )

    # ------------------------------------------------------------------ by hand

    async def cancel(self, numbers: Iterable[int]) -> list[int]:
        """Cancel jobs that wait or run; return those that were. None, if one is not there at all.

        Listeners hear of it before anything else can happen to one: who runs it ends the worker.
        """
        named = [*numbers]
        async with self.database.transaction(durable=True) as connection:
            await self._check_there(connection, named)
            found = await rows(
                connection,
                "UPDATE jobs SET state = 'cancelled', ended_s = ?, owner = NULL"
                " WHERE id IN (SELECT value FROM json_each(?))"
                " AND state IN ('waiting', 'running') RETURNING id",
                (self.now(), json.dumps(named)),
            )
            ended = sorted(each["id"] for each in found)
            needing = await rows(
                connection,
                "SELECT id, after_id AS root FROM jobs WHERE needs_last"
                " AND id IN (SELECT value FROM json_each(?1))"
                " AND after_id IN (SELECT value FROM json_each(?1))",
                (json.dumps(ended),),
            )
            await self._cancel_as_needing(connection, needing)
            cancelled = await self._of(connection, ended)
            cancelled += await self._cancel_needing(connection, ended)
        for job in cancelled:
            self._tell(job)
        return [job.id for job in cancelled]

    async def retry(self, numbers: Iterable[int]) -> list[int]:
        """Let jobs that failed or were cancelled wait again, and what was cancelled with them.

        One that waits for its next attempt is due now. All of them, or none if one cannot be.
        Where a job of the same unique key waits or runs already, that one will do.
        """
        wanted = [*numbers]
        named = json.dumps(wanted)
        async with self.database.transaction(durable=True) as connection:
            await self._check_there(connection, wanted)
            wrong = await row(
                connection,
                "SELECT id, state FROM jobs WHERE id IN (SELECT value FROM json_each(?))"
                " AND state NOT IN ('failed', 'cancelled')"
                " AND NOT (state = 'waiting' AND due_s > 0) LIMIT 1",
                (named,),
            )
            if wrong:
                said = f"job {wrong['id']} is {wrong['state']}"
                raise Refused(said, "only failed ones can be retried")
            found = await rows(
                connection,
                "WITH RECURSIVE lost(id) AS (SELECT value FROM json_each(?)"
                " UNION SELECT jobs.id FROM lost CROSS JOIN jobs INDEXED BY jobs_after"
                " ON jobs.after_id = lost.id WHERE jobs.state = 'cancelled'"
                " AND json_extract(jobs.error, '$.code') = 'needs')"
                " UPDATE OR IGNORE jobs SET state = 'waiting', attempts = 0, due_s = ?,"
                " error = NULL, ended_s = 0 WHERE id IN (SELECT id FROM lost) RETURNING id",
                (named, DUE),
            )
            again = await self._of(connection, sorted(each["id"] for each in found))
        for job in again:
            self._tell(job)
        return [job.id for job in again]

    # ------------------------------------------------------------------ keeping order

    async def rescue(self) -> list[Job]:
        """Let jobs wait again whose backstage died; the attempt that was cut off does not count."""
        async with self.database.transaction(durable=False) as connection:
            found = await rows(
                connection,
                "SELECT * FROM told_jobs WHERE state = 'running' AND owner IS NOT ?",
                (self.owner,),
            )
            lost = [Job.of(each) for each in found]
            await connection.executemany(
                "UPDATE jobs SET state = 'waiting', owner = NULL, attempts = max(0, attempts - 1)"
                " WHERE id = ?",
                [(job.id,) for job in lost],
            )
        return lost

    async def prune(self, older_than_s: float = KEPT_S) -> int:
        """Forget jobs that ended long ago, whole chains at a time; return how many."""
        async with self.database.transaction(durable=False) as connection:
            return await change(
                connection,
                "DELETE FROM jobs WHERE state NOT IN ('waiting', 'running') AND ended_s < ?"
                " AND id NOT IN (SELECT after_id FROM jobs WHERE after_id IS NOT NULL"
                " AND state IN ('waiting', 'running'))",
                (self.now() - older_than_s,),
            )

    # ------------------------------------------------------------------ telling

    def listen(self, listener: Listener) -> Callable[[], None]:
        """Call a listener with every event; return what ends it."""
        self._listeners.append(listener)
        return lambda: self._listeners.remove(listener)

    def tell_progress(self, job: Job, share: float, doing: str) -> None:
        """Tell listeners how far a job is."""
        self._tell(job, share, doing)

    def _tell(self, job: Job, share: float = 0.0, doing: str = "") -> None:
        progress = 1.0 if job.state in GOOD else share
        event = Event(
            *(job.id, job.kind, job.state, job.title, job.track, job.batches),
            *(progress, doing, job.error),
        )
        for listener in list(self._listeners):
            listener(event)


class StaleError(SfaError):
    """A job was taken away from the attempt that wanted to end it."""

    code = "stale"

    def __init__(self, job: Job) -> None:
        super().__init__(f"job {job.id} is not attempt {job.attempts}'s any more")
