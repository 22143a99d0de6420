"""The foreman: takes jobs off the queue, has them done, writes down how they ended.

Each queue has as many hands as its limit says. A job's effects and its end are one transaction;
what follows in files comes after, may be repeated, and `library check` finds where it is missing.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from sfa_engine.backstage.job import LIVE, LONGEST_WAIT_S, Job, Kind, State
from sfa_engine.backstage.queue import Event, Queue, StaleError
from sfa_engine.backstage.settings import LIMITS
from sfa_engine.errors import SfaError, WorkerError
from sfa_engine.library.database import Connection

logger = logging.getLogger(__name__)
PROGRESS_PERIOD_S = 0.1
BROKEN_WAIT_S = 5.0  # after the library itself gave an error

Progress = Callable[[float, str], None]
Effect = Callable[[Connection], Awaitable[None]]


async def _nothing(_connection: Connection) -> None:
    """Have no effect."""


async def _no_more() -> None:
    """Have nothing follow."""


@dataclass(frozen=True)
class Outcome:
    """What came of a job's work.

    Parameters
    ----------
    result : mapping
        Plain values, for a person to look at.
    effect : callable
        Writes to the library, in the transaction that ends the job.
    follow : callable
        What is to be done once that is committed; harmless when done again.
    skipped : bool
        Whether there was nothing to do.
    """

    result: Mapping[str, Any] = field(default_factory=dict)
    effect: Effect = _nothing
    follow: Callable[[], Awaitable[None]] = _no_more
    skipped: bool = False


Stage = Callable[[Job, Progress], Awaitable[Outcome]]


class Foreman:
    """Works the queue off.

    Parameters
    ----------
    queue : Queue
    stages : mapping
        How each kind of job is done.
    limits : mapping
        How many jobs of each queue run at once.
    """

    def __init__(
        self, queue: Queue, stages: Mapping[Kind, Stage], limits: Mapping[str, int] = LIMITS
    ) -> None:
        self._queue = queue
        self._stages = stages
        self._limits = limits
        self._running: dict[int, asyncio.Task[None]] = {}
        self._news = asyncio.Event()
        self.finishes = False  # whether the queue is to be emptied before a temporary process ends
        queue.listen(self._hear)

    @property
    def running(self) -> tuple[int, ...]:
        """Numbers of the jobs that are being done."""
        return tuple(self._running)

    async def is_needed(self) -> bool:
        """Return whether there is work that somebody left to this process."""
        return self.finishes and bool(await self._queue.numbers(LIVE))

    def wake(self) -> None:
        """Look at the queue again: something was put in."""
        self._news.set()
        self._news = asyncio.Event()

    async def run(self) -> None:
        """Work until cancelled."""
        async with asyncio.TaskGroup() as group:
            for queue, limit in self._limits.items():
                for _ in range(limit):
                    group.create_task(self._hand(queue))

    async def leave(self, track: int) -> None:
        """Cancel what waits or runs for a track; return when nobody is at work on it any more."""
        numbers = await self._queue.live_of(track)
        await self._queue.cancel(numbers)
        tasks = [self._running[number] for number in numbers if number in self._running]
        if tasks:
            await asyncio.wait(tasks)

    def _hear(self, event: Event) -> None:
        """End what is at work on a job that was cancelled."""
        if event.state is State.CANCELLED and (task := self._running.get(event.job)):
            task.cancel()

    async def _hand(self, queue: str) -> None:
        """Do one job after another."""
        while True:
            news = self._news
            try:
                # What was cancelled and is waited for again first comes to its end here.
                job = await self._queue.claim(queue, but=self._running)
                wait_s = None if job else await self._wait_s(queue)
            except SfaError as error:  # the disk is full, the file locked: it may pass
                logger.warning("%s", error)
                job, wait_s = None, BROKEN_WAIT_S
            if job is None:
                with suppress(TimeoutError):
                    await asyncio.wait_for(news.wait(), wait_s)
                continue
            task = asyncio.create_task(self._do(job))
            self._running[job.id] = task
            try:
                await task
            except asyncio.CancelledError:
                if _is_being_cancelled():
                    task.cancel()
                    with suppress(asyncio.CancelledError):
                        await task
                    raise
            finally:
                del self._running[job.id]
                self.wake()
            if _is_being_cancelled():  # the job came to another end than that
                raise asyncio.CancelledError

    async def _wait_s(self, queue: str) -> float | None:
        """Return how long nothing becomes due; None if nothing waits for a time."""
        due = await self._queue.next_due_s(queue)
        if due is None:
            return None
        # Never longer than a back-off: the clock may be set meanwhile, this wait is not.
        return min(max(0.05, due - self._queue.now()), LONGEST_WAIT_S)

    async def _do(self, job: Job) -> None:
        """Do a job and write down how it ended."""
        told = -1.0

        def progress(share: float, doing: str) -> None:
            nonlocal told
            now = time.monotonic()
            if now - told >= PROGRESS_PERIOD_S:
                told = now
                self._queue.tell_progress(job, share, doing)

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
            await self._give_up(job, error)
        except Exception as error:
            logger.exception("job %d", job.id)
            said = f"a fault in backstage: {type(error).__name__}: {error}"
            await self._give_up(job, WorkerError(said, "see `sfa log backstage`; report it"))
        else:
            await self._follow(ended, outcome)

    async def _follow(self, job: Job, outcome: Outcome) -> None:
        """Do what comes after a job has ended well; it has, whatever becomes of this."""
        try:
            await outcome.follow()
        except SfaError as error:
            logger.warning("after job %d: %s", job.id, error)
        except Exception:
            logger.exception("after job %d", job.id)
        self._queue.tell_ended(job)

    async def _give_up(self, job: Job, error: SfaError) -> None:
        """Write down that a job failed, as soon as the library can be written."""
        while True:
            try:
                await self._queue.fail(job, error)
            except SfaError as worse:  # the disk is full, the file locked: it may pass
                logger.warning("job %d: %s; and then: %s", job.id, error, worse)
                await asyncio.sleep(BROKEN_WAIT_S)
            else:
                return


def _is_being_cancelled() -> bool:
    """Return whether it is this task that is to end, not the one that it waits for."""
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0
