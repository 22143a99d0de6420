"""``jobs.*``: what is being done, was done, and could not be done."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from sfa_engine.backstage.foreman import Foreman
from sfa_engine.backstage.job import LIVE, Job, State
from sfa_engine.backstage.ledger import LAST, MOST_LISTED
from sfa_engine.backstage.queue import Event, Queue
from sfa_engine.backstage.verbs import given
from sfa_engine.backstage.verbs.answer import fitting, numbered
from sfa_engine.errors import Refused, did_you_mean
from sfa_engine.wire.frames import sayable


class JobVerbs:
    """The verbs on jobs.

    Parameters
    ----------
    queue : Queue
    foreman : Foreman
    """

    def __init__(self, queue: Queue, foreman: Foreman) -> None:
        self._queue = queue
        self._foreman = foreman
        self._doing: dict[int, tuple[float, str]] = {}
        queue.listen(self._hear)

    def _hear(self, event: Event) -> None:
        if event.state is State.RUNNING:
            self._doing[event.job] = (event.progress, event.doing)
        else:
            self._doing.pop(event.job, None)

    async def jobs_list(
        self, states: Any = (), batch: Any = "", limit: Any = MOST_LISTED, before: Any = LAST
    ) -> dict[str, Any]:
        """Return jobs, the newest first, of some states or of one batch, and how many there are."""
        names = [*State]
        wanted = given.texts("states", states)
        for name in wanted:
            if name not in names:
                raise Refused(f'no state "{name:.40}"', did_you_mean(name, names))
        found = await self._queue.list(
            [State(name) for name in wanted],
            given.text("batch", batch),
            given.whole("limit", limit, 1, MOST_LISTED),
            given.whole("before", before),
        )
        return {
            "jobs": fitting(self._told(job) for job in found),
            "counts": await self._queue.counts(),
        }

    async def jobs_show(self, job: Any) -> dict[str, Any]:
        """Return all that is known of a job."""
        found = await self._queue.get(given.whole("job", job))
        known: dict[str, Any] = _sayable({**asdict(found), **self._told(found)})
        return known

    async def jobs_retry(self, jobs: Any = (), failed: Any = False) -> dict[str, Any]:
        """Let failed or cancelled jobs wait again: those named, or all that failed."""
        numbers = given.wholes("jobs", jobs)
        if given.switch("failed", failed):
            numbers += await self._queue.numbers([State.FAILED])
        elif not numbers:
            raise Refused("no job is named", "name some, or say that all failed ones are meant")
        again = await self._queue.retry(numbers)
        self._foreman.wake()
        return numbered(again)

    async def jobs_cancel(self, jobs: Any = (), everything: Any = False) -> dict[str, Any]:
        """Cancel jobs that wait or run: those named, or all."""
        numbers = given.wholes("jobs", jobs)
        if given.switch("everything", everything):
            numbers += await self._queue.numbers(LIVE)
        elif not numbers:
            raise Refused("no job is named", "name some, or say that all are meant")
        cancelled = await self._queue.cancel(numbers)
        self._foreman.wake()
        return numbered(cancelled)

    def jobs_finish(self) -> dict[str, Any]:
        """Go on until nothing waits or runs, although the last client may leave before."""
        self._foreman.finishes = True
        return {}

    def _told(self, job: Job) -> dict[str, Any]:
        """Return what a list shows of a job."""
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
    """Return plain values of which every text can be told, also a path that is no UTF-8."""
    if isinstance(value, str):
        return sayable(value)
    if isinstance(value, dict):
        return {_sayable(name): _sayable(each) for name, each in value.items()}
    if isinstance(value, list | tuple):
        return [_sayable(each) for each in value]
    return value
