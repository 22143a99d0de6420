"""The job queue: rows of the library's database, so that no queued job is ever lost.

Every change of state is one transaction, conditional on the state and the attempt before it: a
worker that ends after its job was cancelled, rescued or run again has no effect.
"""

from __future__ import annotations

import asyncio
import json
import random
import time
from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sfa_engine.backstage.job import (
    CHAIN,
    GOOD,
    MAX_RETRY_S,
    QUEUES,
    Job,
    Plan,
    State,
    backoff_s,
)
from sfa_engine.backstage.job_store import JobStore
from sfa_engine.backstage.services.errors import ServiceError
from sfa_engine.errors import MediaError, Refused, SfaError
from sfa_engine.library import notifications, ownership, tracks
from sfa_engine.library.database import Connection, Row, change, insert, row, rows
from sfa_engine.library.notifications import Level, News
from sfa_engine.library.ownership import MACHINE
from sfa_engine.wire.frames import sayable

KEEP_S = 7 * 86_400.0
DUE_NOW = 0.0  # whatever the clock says
POLL_S = 0.1
_PERMANENT = (Refused, MediaError)  # a retry would fail alike
_PERMANENT_CODES = frozenset(  # of workers and services
    {"no-result", "wrong-length", "unsound", "drm", "geo-blocked", "login-needed"}
    | {"engine-missing", "tool-missing", "ffmpeg-missing", "model-missing"}
    | {"disk-full", "refused", "media", "taken"}
)


@dataclass(frozen=True)
class Event:
    """A change of a job, for listeners."""

    job: int
    kind: str
    state: State
    title: str
    track: int | None = None
    batches: tuple[str, ...] = ()
    account: int = MACHINE
    accounts: tuple[int, ...] = ()
    progress: float = 0.0
    doing: str = ""
    error: Mapping[str, str] | None = None
    why: str = ""  # it was skipped


Listener = Callable[[Event], None]
OnEnd = Callable[[Connection, Job], Awaitable[None]]

# No back-off is longer: what is due later was scheduled before the clock was set back.
_IS_DUE = f"(due_s <= :now OR due_s > :now + {MAX_RETRY_S})"
_TRACK_IS_FREE = (
    "NOT EXISTS (SELECT 1 FROM jobs AS other"
    " WHERE other.track_id = jobs.track_id AND other.state = 'running')"
)
_INSERT = (
    "INSERT INTO jobs (kind, queue, state, priority, most_attempts, title, args, track_id,"
    " after_id, needs_last, unique_key, due_s, created_s, time_limit_s, account)"
    " VALUES (?, ?, 'waiting', ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
)
_LIVE_KEY = "unique_key = ? AND state IN ('waiting', 'running')"
_RAISE_PRIORITY = (
    "UPDATE jobs SET priority = max(priority, ?1) WHERE unique_key = ?2"
    " AND state IN ('waiting', 'running') AND state = 'waiting' AND priority < ?1"
)


@dataclass
class Queue(JobStore):
    """Adds, claims and ends jobs.

    Parameters
    ----------
    owner : str
        Identifies this process among all before it.
    now : callable
        Seconds since 1970.
    rng : random.Random
        For the jitter of retries.
    on_end : list of callable
        Called with each job that was done, skipped or failed for good, in the transaction that
        ends it: what they write is there if, and only if, the job has ended.
    """

    owner: str
    now: Callable[[], float] = time.time
    rng: random.Random = field(default_factory=random.Random)
    on_end: list[OnEnd] = field(default_factory=list)
    _listeners: list[Listener] = field(default_factory=list)

    # ------------------------------------------------------------------ adding

    async def add_chain(
        self,
        connection: Connection,
        plans: Sequence[Plan],
        batch: str = "",
        after: int | None = None,
        account: int = MACHINE,
    ) -> list[int]:
        """Add jobs that run one after another, within a transaction; return their numbers.

        Where a job of the same unique key waits or runs, that one is used, with the higher of
        the two priorities if it waits. They belong to the batch, and to those of the job that
        they come after; they are for the account, or for those of that job.
        """
        numbers = []
        if after is not None:
            found = await row(connection, "SELECT account FROM jobs WHERE id = ?", (after,))
            account = int(found["account"] or MACHINE) if found else MACHINE
        for plan in plans:
            number = await self._find_live(connection, plan.unique)
            if number is None:
                number = await self._insert(connection, plan, after, account)
            else:
                await change(connection, _RAISE_PRIORITY, (plan.priority, plan.unique))
            await self._join(connection, number, batch, after)
            await self._join_accounts(connection, number, account, after)
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
    async def _join_accounts(
        connection: Connection, number: int, account: int, after: int | None
    ) -> None:
        """Add the accounts of a request to a job; for the machine it becomes the machine's."""
        await change(
            connection,
            "INSERT OR IGNORE INTO job_accounts SELECT ?1, account FROM job_accounts"
            " WHERE job_id = ?2 UNION SELECT ?1, CAST(?3 AS TEXT) WHERE ?3 != 0",
            (number, after, account),
        )
        if account == MACHINE:
            await change(connection, "UPDATE jobs SET account = NULL WHERE id = ?", (number,))

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

    async def _insert(
        self, connection: Connection, plan: Plan, after: int | None, account: int
    ) -> int:
        return await insert(connection, _INSERT, self._values(plan, after, account))

    def _values(
        self, plan: Plan, after: int | None = None, account: int = MACHINE
    ) -> tuple[Any, ...]:
        """Return the values of `_INSERT`."""
        return (
            *(plan.kind, QUEUES[plan.kind], plan.priority, plan.max_attempts, plan.title),
            *(json.dumps(plan.args), plan.track, after, plan.needs_last, plan.unique),
            *(DUE_NOW, self.now(), plan.time_limit_s, str(account) if account else None),
        )

    async def add_all(
        self,
        connection: Connection,
        plans: Sequence[Plan],
        batch: str,
        account: int = MACHINE,
    ) -> list[int]:
        """Add independent jobs; return the batch's numbers.

        As `add_chain` for each, at a hundredth of the cost: a whole collection at once.
        """
        await connection.executemany(
            f"{_INSERT} ON CONFLICT (unique_key)"
            " WHERE unique_key IS NOT NULL AND state IN ('waiting', 'running') DO NOTHING",
            [self._values(plan, account=account) for plan in plans],
        )
        await connection.executemany(
            _RAISE_PRIORITY, [(plan.priority, plan.unique) for plan in plans if plan.priority > 0]
        )
        await connection.executemany(
            f"INSERT OR IGNORE INTO batch_jobs SELECT ?, id FROM jobs WHERE {_LIVE_KEY}",  # noqa: S608
            [(batch, plan.unique) for plan in plans],
        )
        if account == MACHINE:
            await connection.executemany(
                f"UPDATE jobs SET account = NULL WHERE {_LIVE_KEY} AND account IS NOT NULL",  # noqa: S608
                [(plan.unique,) for plan in plans],
            )
        else:
            await connection.executemany(
                f"INSERT OR IGNORE INTO job_accounts SELECT id, ? FROM jobs WHERE {_LIVE_KEY}",  # noqa: S608
                [(str(account), plan.unique) for plan in plans],
            )
        found = await rows(
            connection, "SELECT job_id FROM batch_jobs WHERE batch = ? ORDER BY job_id", (batch,)
        )
        return [int(each["job_id"]) for each in found]

    # ------------------------------------------------------------------ running

    async def claim(self, queue: str, but: Collection[int] = ()) -> Job | None:
        """Claim the next due job of a queue, except some; None if there is none.

        Two jobs never run for one track at once: one may replace what the other reads.
        """
        async with self.database.transaction(durable=False) as connection:
            found = await row(
                connection,
                "SELECT id FROM jobs INDEXED BY jobs_next"  # noqa: S608 - a constant
                f" WHERE state = 'waiting' AND held = 0 AND queue = :queue AND {_IS_DUE}"
                f" AND id NOT IN (SELECT value FROM json_each(:but)) AND {_TRACK_IS_FREE}"
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
        self._notify(job)
        return job

    async def next_due_s(self, queue: str) -> float | None:
        """Return when the next waiting job of a queue is due, in seconds since 1970.

        A time further away than a back-off means that the clock was set back: it is due now.
        """
        found = await self.database.fetch(
            "SELECT due_s FROM jobs INDEXED BY jobs_due"  # noqa: S608 - a constant
            f" WHERE state = 'waiting' AND held = 0 AND queue = ? AND {_TRACK_IS_FREE}"
            " ORDER BY due_s LIMIT 1",
            (queue,),
        )
        return float(found[0]["due_s"]) if found else None

    def wait_s(self, job: Job) -> float:
        """Return how long a waiting job is still delayed after a failed attempt."""
        left_s = job.due_s - self.now()
        return left_s if 0.0 < left_s <= MAX_RETRY_S and job.state is State.WAITING else 0.0

    async def finish(
        self,
        connection: Connection,
        job: Job,
        result: Mapping[str, Any],
        *,
        skipped: bool = False,
    ) -> Job:
        """Mark a job as done, in the transaction of its effects; return it.

        Raises
        ------
        StaleError
            The job is not this attempt's any more; the transaction must be rolled back.
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
        ended = await self._get(connection, job.id)
        await self._record_end(connection, ended)
        return ended

    async def _record_end(self, connection: Connection, job: Job) -> None:
        for each in self.on_end:
            await each(connection, job)

    @staticmethod
    async def join_track(
        connection: Connection, job: Job, track: int, *, is_new: bool = False
    ) -> None:
        """Give a track to the accounts that a job is for by now."""
        found = await row(connection, "SELECT account FROM jobs WHERE id = ?", (job.id,))
        members = await rows(
            connection,
            "SELECT account FROM job_accounts WHERE job_id = ?1 ORDER BY account <>"
            " coalesce((SELECT account FROM jobs WHERE id = ?1), '')",
            (job.id,),
        )
        shared = found is None or found["account"] is None
        accounts = [int(each["account"]) for each in members]
        await ownership.join(connection, track, accounts, shared=shared, is_new=is_new)

    @staticmethod
    async def set_track(connection: Connection, job: Job, track: int) -> None:
        """Set the track of a job."""
        await change(connection, "UPDATE jobs SET track_id = ? WHERE id = ?", (track, job.id))

    @staticmethod
    async def is_only(connection: Connection, job: Job, track: int) -> bool:
        """Return whether no other job of the same kind runs for a track."""
        other = await row(
            connection,
            "SELECT 1 FROM jobs WHERE track_id = ? AND id != ? AND kind = ? AND state = 'running'",
            (track, job.id, job.kind),
        )
        return other is None

    @staticmethod
    async def force_rerun(connection: Connection, track: int) -> None:
        """Have a track's waiting jobs run although they ran for its previous sound."""
        await change(
            connection,
            "UPDATE jobs SET args = json_set(args, '$.options.again', json('true'))"
            " WHERE track_id = ? AND state = 'waiting'",
            (track,),
        )

    async def wait_exclusive(self, job: Job, track: int) -> None:
        """Wait until no job of another kind runs for a job's new track."""
        asked = (
            "SELECT 1 FROM jobs WHERE track_id = ? AND id != ? AND kind != ? AND state = 'running'"
        )
        while await self.database.fetch(asked, (track, job.id, job.kind)):  # noqa: ASYNC110
            await asyncio.sleep(POLL_S)

    def notify_ended(self, job: Job) -> None:
        """Notify listeners of a job's end, after the transaction."""
        self._notify(job)

    async def fail(self, job: Job, error: SfaError) -> None:
        """Record that an attempt failed: schedule a retry, or fail the job and its track."""
        permanent = isinstance(error, _PERMANENT) or error.code in _PERMANENT_CODES
        final = permanent or job.attempts >= job.max_attempts
        described = error.to_wire()
        wait_s = backoff_s(job.attempts + 1, self.rng)
        if isinstance(error, ServiceError):
            wait_s = max(wait_s, min(error.retry_after_s or 0.0, MAX_RETRY_S))
        due = self.now() + (0.0 if final else wait_s)
        async with self.database.transaction(durable=False) as connection:
            changed = await change(
                connection,
                "UPDATE jobs SET state = ?, error = ?, due_s = ?, ended_s = ?, owner = NULL"
                " WHERE id = ? AND state = 'running' AND attempts = ? AND owner = ?",
                (
                    State.FAILED if final else State.WAITING,
                    json.dumps(described),
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
                if changed_jobs[0].track is not None and job.kind in CHAIN:
                    why = f"{job.kind}: {error.message}".encode("utf-8", "replace").decode()
                    await tracks.set_state(connection, changed_jobs[0].track, "failed", why)
                await notifications.add(connection, _news_of(changed_jobs[0]), self.now())
                await self._record_end(connection, changed_jobs[0])
        for each in changed_jobs:
            self._notify(each)

    async def _cancel_needing(self, connection: Connection, numbers: Sequence[int]) -> list[Job]:
        """Cancel the waiting jobs that need some failed ones; return them."""
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
        """Cancel jobs by ``id``, because of a ``root``: a retry of that one retries them too."""
        await connection.executemany(
            "UPDATE jobs SET state = 'cancelled', ended_s = ?, error = json_object('code', 'needs',"
            " 'message', 'job ' || ? || ' did not succeed', 'hint', 'retry that one')"
            " WHERE id = ?",
            [(self.now(), each["root"], each["id"]) for each in found],
        )

    # ------------------------------------------------------------------ by request

    @staticmethod
    async def _leave(connection: Connection, numbers: Iterable[int], account: int) -> set[int]:
        """Take an account from the jobs that others wait for too; return those.

        What comes after them is left too.
        """
        found = await rows(
            connection,
            "SELECT job_id FROM job_accounts JOIN jobs ON jobs.id = job_id"
            " WHERE job_accounts.account = ?1 AND job_id IN (SELECT value FROM json_each(?2))"
            " AND (jobs.account IS NULL OR EXISTS (SELECT 1 FROM job_accounts AS other"
            " WHERE other.job_id = jobs.id AND other.account <> ?1))",
            (str(account), json.dumps([*numbers])),
        )
        left = [int(each["job_id"]) for each in found]
        gone = await rows(
            connection,
            "WITH RECURSIVE lost(id) AS (SELECT value FROM json_each(?)"
            " UNION SELECT jobs.id FROM lost JOIN jobs ON jobs.after_id = lost.id)"
            " DELETE FROM job_accounts WHERE account = ? AND job_id IN (SELECT id FROM lost)"
            " RETURNING job_id",
            (json.dumps(left), str(account)),
        )
        await change(
            connection,
            "UPDATE jobs SET account = (SELECT account FROM job_accounts"
            " WHERE job_id = jobs.id ORDER BY account LIMIT 1)"
            " WHERE account = ? AND id IN (SELECT value FROM json_each(?))",
            (str(account), json.dumps([each["job_id"] for each in gone])),
        )
        return {*left}

    async def cancel(self, numbers: Iterable[int], account: int = MACHINE) -> list[int]:
        """Cancel waiting and running jobs; return which. If one does not exist, cancel none.

        An account only leaves those that others wait for too.
        Listeners are notified before anything else can happen to one: the dispatcher ends it.
        """
        named = [*numbers]
        async with self.database.transaction(durable=True) as connection:
            await self._check_there(connection, named)
            if account != MACHINE:
                left = await self._leave(connection, named, account)
                named = [each for each in named if each not in left]
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
            self._notify(job)
        return [job.id for job in cancelled]

    async def retry(self, numbers: Iterable[int]) -> list[int]:
        """Queue failed or cancelled jobs again, and those that were cancelled with them.

        One that waits for a retry is due now. If one cannot be retried, none is. Where a job of
        the same unique key waits or runs already, that one is left to do it.
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
                state = f"job {wrong['id']} is {wrong['state']}"
                raise Refused(state, "only failed and cancelled ones can be retried")
            found = await rows(
                connection,
                "WITH RECURSIVE lost(id) AS (SELECT value FROM json_each(?)"
                " UNION SELECT jobs.id FROM lost CROSS JOIN jobs INDEXED BY jobs_after"
                " ON jobs.after_id = lost.id WHERE jobs.state = 'cancelled'"
                " AND json_extract(jobs.error, '$.code') = 'needs')"
                " UPDATE OR IGNORE jobs SET state = 'waiting', attempts = 0, due_s = ?,"
                " error = NULL, ended_s = 0 WHERE id IN (SELECT id FROM lost) RETURNING id",
                (named, DUE_NOW),
            )
            again = await self._of(connection, sorted(each["id"] for each in found))
        for job in again:
            self._notify(job)
        return [job.id for job in again]

    # ------------------------------------------------------------------ maintenance

    async def rescue(self) -> list[Job]:
        """Requeue the running jobs of a dead backstage; that attempt does not count."""
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

    async def prune(self, older_than_s: float = KEEP_S) -> int:
        """Delete jobs that ended long ago, whole chains at a time; return how many."""
        async with self.database.transaction(durable=False) as connection:
            return await change(
                connection,
                "DELETE FROM jobs WHERE state NOT IN ('waiting', 'running') AND ended_s < ?"
                " AND id NOT IN (SELECT after_id FROM jobs WHERE after_id IS NOT NULL"
                " AND state IN ('waiting', 'running'))",
                (self.now() - older_than_s,),
            )

    # ------------------------------------------------------------------ notifying

    def listen(self, listener: Listener) -> Callable[[], None]:
        """Call a listener with every event; return a function that stops it."""
        self._listeners.append(listener)
        return lambda: self._listeners.remove(listener)

    def notify_progress(self, job: Job, share: float, doing: str) -> None:
        """Notify listeners of a job's progress."""
        self._notify(job, share, doing)

    def _notify(self, job: Job, share: float = 0.0, doing: str = "") -> None:
        progress = 1.0 if job.state in GOOD else share
        event = Event(
            *(job.id, job.kind, job.state, job.title, job.track),
            *(job.batches, job.account, job.accounts),
            progress=progress,
            doing=doing,
            error=job.error,
            why=str((job.result or {}).get("why", "")) if job.state is State.SKIPPED else "",
        )
        for listener in list(self._listeners):
            listener(event)


def _news_of(job: Job) -> News:
    """Return what is said of a job that failed for good."""
    error = job.error or {}
    kind = "disk.full" if error.get("code") == "disk-full" else "job.failed"
    name = f"{job.kind} of {job.title}" if job.title else f"{job.kind} job {job.id}"
    sentence = sayable(f"{name} failed: {error.get('message', '')}")
    return News(Level.ERROR, kind, sentence, sayable(error.get("hint", "")), job.track, job.id)


class StaleError(SfaError):
    """An attempt ended whose job was cancelled, rescued or run again meanwhile."""

    code = "stale"

    def __init__(self, job: Job) -> None:
        super().__init__(f"job {job.id} no longer belongs to attempt {job.attempts}")
