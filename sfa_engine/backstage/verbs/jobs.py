"""``jobs.*``: waiting, running and ended jobs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from types import MappingProxyType
from typing import Annotated, Any

from msgspec import Meta

from sfa_engine.backstage.access import (
    PREPARE,
    By,
    JobOwners,
    changeable_jobs,
    sees,
    visible_jobs,
)
from sfa_engine.backstage.audit import note_jobs
from sfa_engine.backstage.dispatcher import Dispatcher
from sfa_engine.backstage.job import LIVE, Job, State
from sfa_engine.backstage.job_store import LAST, MAX_LISTED
from sfa_engine.backstage.queue import Event, Queue
from sfa_engine.backstage.verbs.paging import MAX_LIST_BYTES, fit_in_frame, job_numbers
from sfa_engine.errors import Forbidden, Refused
from sfa_engine.library.ownership import EVERYTHING, MACHINE, View
from sfa_engine.wire.frames import sayable
from sfa_engine.wire.rights import SYSTEM, Actor, may
from sfa_engine.wire.verbs import Count, Text, verb

Numbers = Annotated[list[Count], Meta(max_length=10_000)]
NO_PLACES: Mapping[int, int] = MappingProxyType({})


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

    @verb(scope="read", owned=True)
    async def jobs_list(
        self,
        states: list[State] = [],  # noqa: B006 - never changed
        batch: Text = "",
        limit: Annotated[int, Meta(ge=1, le=MAX_LISTED)] = MAX_LISTED,
        before: Count = LAST,
        track: Count | None = None,
        view: View = "combined",
        words: Annotated[str, Meta(max_length=200)] = "",
        whole: bool = False,
        actor: By = SYSTEM,
    ) -> dict[str, Any]:
        """Return jobs, newest first, of a state, batch, track or title; and the counts of all.

        ``place`` is that of a waiting job in the line of its queue, from 1; 0 without one. With
        ``whole`` also ``steps``, the newest job of each kind of the tracks of those jobs, and
        ``queues``: how many jobs of each wait, run, and run at most.
        """
        within = visible_jobs(actor, view)
        found = await self._queue.list(states, batch, limit, before, track, within, words)
        places = await self._queue.places()
        shown = {
            "jobs": fit_in_frame(self._to_dict(job, actor, places) for job in found),
            "counts": await self._queue.counts(within),
        }
        if whole:
            tracks = {job.track for job in found if job.track is not None}
            steps = await self._queue.steps_of(tracks, within)
            shown["steps"] = fit_in_frame(
                (self._to_dict(job, actor, places) for job in steps), MAX_LIST_BYTES // 2
            )
            lines = await self._queue.lines()
            shown["queues"] = {
                name: {"waiting": 0, "running": 0, **lines.get(name, {}), "most": most}
                for name, most in self._dispatcher.limits.items()
            }
        return shown

    @verb(scope="read", owned=True)
    async def jobs_show(self, job: Count, actor: By = SYSTEM) -> dict[str, Any]:
        """Return everything about a job."""
        found = await self._queue.get(job, visible_jobs(actor))
        places = await self._queue.places()
        accounts = [each for each in found.accounts if sees(actor, each) or each == actor.account]
        shown = {**asdict(found), **self._to_dict(found, actor, places), "accounts": accounts}
        known: dict[str, Any] = _sayable(shown)
        return known

    @verb(scope="prepare", owned=True)
    async def jobs_retry(
        self,
        jobs: Numbers = [],  # noqa: B006 - never changed
        failed: bool = False,
        actor: By = SYSTEM,
    ) -> dict[str, Any]:
        """Retry failed or cancelled jobs: those named, or all that failed."""
        numbers = list(jobs)
        if failed:
            numbers += await self._queue.numbers([State.FAILED], changeable_jobs(actor))
        elif not numbers:
            raise Refused("no job is named", "name some, or say that all failed ones are meant")
        await self._check(jobs, actor)
        note_jobs(numbers)
        again = await self._queue.retry(numbers)
        self._dispatcher.wake()
        return job_numbers(again)

    @verb(scope="prepare", owned=True)
    async def jobs_cancel(
        self,
        jobs: Numbers = [],  # noqa: B006 - never changed
        everything: bool = False,
        actor: By = SYSTEM,
    ) -> dict[str, Any]:
        """Cancel waiting or running jobs: those named, or all.

        An account leaves those that others wait for too, and they go on.
        """
        numbers = list(jobs)
        if everything:
            numbers += await self._queue.numbers(LIVE, changeable_jobs(actor))
        elif not numbers:
            raise Refused("no job is named", "name some, or say that all are meant")
        await self._check(jobs, actor, leaves=True)
        note_jobs(numbers)
        cancelled = await self._queue.cancel(numbers, actor.account)
        self._dispatcher.wake()
        return job_numbers(cancelled)

    async def _check(self, jobs: Numbers, actor: Actor, *, leaves: bool = False) -> None:
        """Refuse jobs that are not an actor's; one that waits for a job may leave it."""
        if changeable_jobs(actor) == EVERYTHING:
            return
        there = [await self._queue.get(each, visible_jobs(actor)) for each in jobs]
        for found in there:
            if leaves and actor.account in found.accounts:
                continue
            owner = JobOwners(found.account, found.accounts).owner_for(actor.account)
            if not may(actor, PREPARE, owner):
                whose = "the machine's" if owner == MACHINE else "another account's"
                raise Forbidden(f"job {found.id} is {whose}", "ask an admin")

    @verb(scope="prepare")
    def jobs_finish(self) -> dict[str, Any]:
        """Empty the queue before ending, even without clients."""
        self._dispatcher.drains = True
        return {}

    def _to_dict(
        self, job: Job, actor: Actor, places: Mapping[int, int] = NO_PLACES
    ) -> dict[str, Any]:
        """Return a job as an entry of a list; another account only where that is seen."""
        progress, doing = self._doing.get(job.id, (0.0, ""))
        return {
            "id": job.id,
            "kind": job.kind,
            "state": job.state,
            "title": job.title,
            "track": job.track,
            "account": job.account if sees(actor, job.account) else actor.account,
            "attempts": job.attempts,
            "error": job.error,
            "wait_s": self._queue.wait_s(job),
            "place": places.get(job.id, 0),
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
