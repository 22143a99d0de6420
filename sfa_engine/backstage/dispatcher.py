"""The dispatcher: claims jobs, runs their steps, records how they ended.

Each queue has as many worker loops as its limit says. A job's effects on the library and its end
are one transaction; writing files comes after it, is idempotent, and `library check` finds where
a crash prevented it.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from sfa_engine.backstage.job import LIVE, MAX_RETRY_S, Job, Kind, State
from sfa_engine.backstage.queue import Event, Queue, StaleError
from sfa_engine.errors import SfaError, WorkerError
from sfa_engine.library.database import Connection

logger = logging.getLogger(__name__)
PROGRESS_PERIOD_S = 0.1
DATABASE_RETRY_S = 5.0

Progress = Callable[[float, str], None]
Effect = Callable[[Connection], Awaitable[None]]


async def _no_effect(_connection: Connection) -> None:
    """Change nothing."""


async def _no_follow_up() -> None:
    """Do nothing."""


@dataclass(frozen=True)
class Outcome:
    """The result of a step.

    Parameters
    ----------
    result : mapping
        Plain values, shown to the user.
    effect : callable
        Writes to the library, in the transaction that ends the job.
    after_commit : callable
        Called after the commit; idempotent.
    skipped : bool
        Whether there was nothing to do.
    """

    result: Mapping[str, Any] = field(default_factory=dict)
    effect: Effect = _no_effect
    after_commit: Callable[[], Awaitable[None]] = _no_follow_up
    skipped: bool = False


Step = Callable[[Job, Progress], Awaitable[Outcome]]


class Dispatcher:
    """Runs the jobs of a queue.

    Parameters
    ----------
    queue : Queue
    steps : mapping
        The step of each kind of job.
    limits : mapping
        How many jobs of each queue run at once.
    """

    def __init__(self, queue: Queue, steps: Mapping[Kind, Step], limits: Mapping[str, int]) -> None:
        self._queue = queue
        self._stages = steps
        self.limits = limits
        self._running: dict[int, asyncio.Task[None]] = {}
        self._changed = asyncio.Event()
        self.drains = False  # whether a temporary process empties the queue before it ends
        queue.listen(self._on_event)

    @property
    def running(self) -> tuple[int, ...]:
        """Numbers of the running jobs."""
        return tuple(self._running)

    async def has_work_left(self) -> bool:
        """Return whether the queue is to be drained and is not empty."""
        return self.drains and bool(await self._queue.numbers(LIVE))

    def wake(self) -> None:
        """Look at the queue again: a job was added or has ended."""
        self._changed.set()
        self._changed = asyncio.Event()

    async def run(self) -> None:
        """Run until cancelled."""
        async with asyncio.TaskGroup() as group:
            for queue, limit in self.limits.items():
                for _ in range(limit):
                    group.create_task(self._worker_loop(queue))

    async def cancel_track(self, track: int) -> None:
        """Cancel the jobs of a track; return when none of them is running any more."""
        numbers = await self._queue.live_of(track)
        await self._queue.cancel(numbers)
        tasks = [self._running[number] for number in numbers if number in self._running]
        if tasks:
            await asyncio.wait(tasks)

    def _on_event(self, event: Event) -> None:
        """Cancel the task of a cancelled job."""
        if event.state is State.CANCELLED and (task := self._running.get(event.job)):
            task.cancel()

    async def _worker_loop(self, queue: str) -> None:
        """Claim and run one job after another."""
        while True:
            changed = self._changed
            try:
                # A job that was cancelled and retried must first have ended here.
                job = await self._queue.claim(queue, but=self._running)
                wait_s = None if job else await self._wait_s(queue)
            except SfaError as error:  # the disk is full or the file locked: temporary
                logger.warning("%s", error)
                job, wait_s = None, DATABASE_RETRY_S
            if job is None:
                # Not `wait_for`: in Python 3.11 that may swallow a cancellation.
                with suppress(TimeoutError):
                    async with asyncio.timeout(wait_s):
                        await changed.wait()
                continue
            task = asyncio.create_task(self._run(job))
            self._running[job.id] = task
            try:
                await task
            except asyncio.CancelledError:
                if _is_cancelling():
                    task.cancel()
                    with suppress(asyncio.CancelledError):
                        await task
                    raise
            finally:
                del self._running[job.id]
                self.wake()
            if _is_cancelling():  # the job itself ended otherwise
                raise asyncio.CancelledError

    async def _wait_s(self, queue: str) -> float | None:
        """Return the time until the next job is due, None if none is scheduled."""
        due = await self._queue.next_due_s(queue)
        if due is None:
            return None
        # Never longer than a back-off: the clock may be set back during the wait.
        return min(max(0.05, due - self._queue.now()), MAX_RETRY_S)

    async def _run(self, job: Job) -> None:
        """Run a job and record how it ended."""
        reported_s = -1.0

        def progress(share: float, doing: str) -> None:
            nonlocal reported_s
            now = time.monotonic()
            if now - reported_s >= PROGRESS_PERIOD_S:
                reported_s = now
                self._queue.notify_progress(job, share, doing)

        try:
            outcome = await self._stages[job.kind](job, progress)
            async with self._queue.database.transaction(durable=False) as connection:
                await outcome.effect(connection)
                ended = await self._queue.finish(
                    connection, job, outcome.result, skipped=outcome.skipped
                )
        except StaleError:
            return
        except SfaError as error:
            await self._record_failure(job, error)
        except Exception as error:
            logger.exception("job %d", job.id)
            message = f"internal error: {type(error).__name__}: {error}"
            fault = WorkerError(message, "see `sfa log backstage`; report it")
            await self._record_failure(job, fault)
        else:
            await self._after_commit(ended, outcome)

    async def _after_commit(self, job: Job, outcome: Outcome) -> None:
        """Do what follows a job that is committed; an error in it does not fail the job."""
        try:
            await outcome.after_commit()
        except SfaError as error:
            logger.warning("after job %d: %s", job.id, error)
        except Exception:
            logger.exception("after job %d", job.id)
        self._queue.notify_ended(job)

    async def _record_failure(self, job: Job, error: SfaError) -> None:
        """Record that a job failed; retry while the library cannot be written."""
        while True:
            try:
                await self._queue.fail(job, error)
            except SfaError as worse:  # the disk is full or the file locked: temporary
                logger.warning("job %d: %s; not recorded: %s", job.id, error, worse)
                await asyncio.sleep(DATABASE_RETRY_S)
            else:
                return


def _is_cancelling() -> bool:
    """Return whether this task is being cancelled, not the one that it awaits."""
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0
