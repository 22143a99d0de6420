"""``jobs.*``: waiting, running and ended jobs."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated, Any

from msgspec import Meta

from sfa_engine.backstage.dispatcher import Dispatcher
from sfa_engine.backstage.job import LIVE, Job, State
from sfa_engine.backstage.job_store import LAST, MAX_LISTED
from sfa_engine.backstage.queue import Event, Queue
from sfa_engine.backstage.verbs.paging import fit_in_frame, job_numbers
from sfa_engine.errors import Refused
from sfa_engine.wire.frames import sayable
from sfa_engine.wire.verbs import Count, Text, verb

Numbers = Annotated[list[Count], Meta(max_length=10_000)]


class JobVerbs:
    """The verbs on jobs.

    Parameters
    ----------
    queue : Queue
    dispatcher : Dispatcher
    """

    def __init__(self, queue: Queue, dispatcher: Dispatcher) -> None:
        self._queue = queue
        self._dispatcher = dispatcher
        self._doing: dict[int, tuple[float, str]] = {}
        queue.listen(self._on_event)

    def _on_event(self, event: Event) -> None:
        if event.state is State.RUNNING:
            self._doing[event.job] = (event.progress, event.doing)
        else:
            self._doing.pop(event.job, None)

    @verb(scope="read")
    async def jobs_list(
        self,
        states: list[State] = [],  # noqa: B006 - never changed
        batch: Text = "",
        limit: Annotated[int, Meta(ge=1, le=MAX_LISTED)] = MAX_LISTED,
        before: Count = LAST,
        track: Count | None = None,
    ) -> dict[str, Any]:
        """Return jobs, newest first, of some states, a batch or a track; and the counts of all."""
        found = await self._queue.list(states, batch, limit, before, track)
        return {
            "jobs": fit_in_frame(self._to_dict(job) for job in found),
            "counts": await self._queue.counts(),
        }

    @verb(scope="read")
    async def jobs_show(self, job: Count) -> dict[str, Any]:
        """Return everything about a job."""
        found = await self._queue.get(job)
        known: dict[str, Any] = _sayable({**asdict(found), **self._to_dict(found)})
        return known

    @verb(scope="prepare")
    async def jobs_retry(
        self,
        jobs: Numbers = [],  # noqa: B006 - never changed
        failed: bool = False,
    ) -> dict[str, Any]:
        """Retry failed or cancelled jobs: those named, or all that failed."""
        numbers = list(jobs)
        if failed:
            numbers += await self._queue.numbers([State.FAILED])
        elif not numbers:
            raise Refused("no job is named", "name some, or say that all failed ones are meant")
        again = await self._queue.retry(numbers)
        self._dispatcher.wake()
        return job_numbers(again)

    @verb(scope="prepare")
    async def jobs_cancel(
        self,
        jobs: Numbers = [],  # noqa: B006 - never changed
        everything: bool = False,
    ) -> dict[str, Any]:
        """Cancel waiting or running jobs: those named, or all."""
        numbers = list(jobs)
        if everything:
            numbers += await self._queue.numbers(LIVE)
        elif not numbers:
            raise Refused("no job is named", "name some, or say that all are meant")
        cancelled = await self._queue.cancel(numbers)
        self._dispatcher.wake()
        return job_numbers(cancelled)

    @verb(scope="prepare")
    def jobs_finish(self) -> dict[str, Any]:
        """Empty the queue before ending, even without clients."""
        self._dispatcher.drains = True
        return {}

    def _to_dict(self, job: Job) -> dict[str, Any]:
        """Return a job as an entry of a list."""
        progress, doing = self._doing.get(job.id, (0.0, ""))
        return {
            "id": job.id,
            "kind": job.kind,
            "state": job.state,
            "title": job.title,
            "track": job.track,
            "attempts": job.attempts,
            "error": job.error,
            "wait_s": self._queue.wait_s(job),
            "progress": progress,
            "doing": doing,
            "created_s": job.created_s,
            "started_s": job.started_s,
            "ended_s": job.ended_s,
        }


def _sayable(value: Any) -> Any:
    """Return plain values with all texts valid in UTF-8, also paths."""
    if isinstance(value, str):
        return sayable(value)
    if isinstance(value, dict):
        return {_sayable(name): _sayable(each) for name, each in value.items()}
    if isinstance(value, list | tuple):
        return [_sayable(each) for each in value]
    return value
