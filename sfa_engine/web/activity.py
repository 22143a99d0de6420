"""The topics that come from backstage: jobs, tracks, workers, notifications."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Collection, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from sfa_engine.errors import EngineError, SfaError
from sfa_engine.web.feed import Feed
from sfa_engine.web.member import Member
from sfa_engine.web.problem import Problem, described
from sfa_engine.web.rights import Actor, Right, may
from sfa_engine.web.topics import (
    STATE,
    Topic,
    job_data,
    job_event,
    owners_of,
    track_events,
)

RETRY_S = 0.5
WORKERS_PERIOD_S = 0.5
MAX_TRIES = 5  # of a state that changes while it is asked for
MAX_JOBS = 200  # of a state

READ = Right("read", is_owned=True)

Call = Callable[[Actor, str, Mapping[str, Any]], Awaitable[Any]]


class Activity(Feed):
    """Passes on what backstage pushes, to those who joined its topics.

    Parameters
    ----------
    path : pathlib.Path
        Of backstage's socket.
    call : callable
        Calls a verb with a sender's rights.
    """

    def __init__(self, path: Path, call: Call) -> None:
        super().__init__(path, "backstage")
        self._call = call
        self._members: dict[Topic, set[Member]] = {}
        self._changes: Counter[Topic] = Counter()  # of topics with members
        self._asking: dict[tuple[Member, Topic], asyncio.Task[None]] = {}
        # Of pipelines, by job: each member has those that it may see.
        self._steps: dict[tuple[Member, Topic], dict[int, dict[str, Any]]] = {}
        self._workers_due = False

    # ---------------------------------------------------------------- members

    def join(self, member: Member, topic: Topic) -> None:
        """Send a topic's state, now or when backstage is there, and what happens from then on."""
        self._members.setdefault(topic, set()).add(member)
        self.need(needed=True)
        if self.is_there:
            self._ask(member, topic)
        elif self.is_away:
            member.send_away(topic)

    def leave(self, member: Member, topic: Topic) -> None:
        """Send no more of a topic."""
        if asking := self._asking.pop((member, topic), None):
            asking.cancel()
        self._remove(member, topic)

    def _remove(self, member: Member, topic: Topic) -> None:
        members = self._members.get(topic, set())
        members.discard(member)
        self._steps.pop((member, topic), None)
        if not members:
            self._members.pop(topic, None)
            self._changes.pop(topic, None)
        self.need(needed=bool(self._members))

    # ---------------------------------------------------------------- the feed

    async def begin(self) -> None:
        for method in ("jobs.watch", "library.watch", "notifications.watch"):
            await self.link.call(method, {})

    def on_there(self) -> None:
        for topic, members in self._members.items():
            for member in members:
                self._ask(member, topic)

    def on_away(self) -> None:
        for topic, members in self._members.items():
            for member in members:
                member.send_away(topic)

    def on_push(self, method: str, params: Any) -> None:
        if method == "job":
            self._on_job(params)
        elif method == "track":
            event = "track:updated" if params["bundle"] else "track:deleted"
            self._tell_track(event, params["track"], params["owners"])
        elif method == "notification":
            owners = params.pop("owners")
            self._tell(Topic("notifications"), "notification", params, params["id"], owners)

    def _on_job(self, job: dict[str, Any]) -> None:
        data = job_data(job)
        event = job_event(job["state"])
        owners = owners_of(job)
        for topic in (Topic("jobs", job["job"]), Topic("jobs")):
            self._tell(topic, event, data, job["job"], owners)
        if job["track"] is not None:
            self._on_step(Topic("pipeline", job["track"]), data, owners)
        if Topic("workers") in self._members and not self._workers_due:
            self._workers_due = True
            self.spawn(self._tell_workers())
        for name, track in track_events(job):
            if name == "track:added":
                self.spawn(self._tell_import(job["job"], track, job["owners"]))
            else:
                self._tell_track(name, track, job["owners"])

    def _on_step(self, topic: Topic, data: dict[str, Any], owners: Collection[int]) -> None:
        """Send the steps of a track, to each member with those that it may see."""
        if topic not in self._members:
            return
        self._changes[topic] += 1
        for member in self._members[topic]:
            if _sees(member.actor, owners):
                steps = self._steps.setdefault((member, topic), {})
                steps[data["job"]] = data
                member.send(topic, STATE, _pipeline(topic, steps), STATE)

    def _tell(
        self,
        topic: Topic,
        event: str,
        data: Any,
        key: Any,
        owners: Collection[int],
    ) -> None:
        """Send a message to those of a topic who may see what one of some accounts owns."""
        if topic in self._members:
            self._changes[topic] += 1
            for member in self._members[topic]:
                if _sees(member.actor, owners):
                    member.send(topic, event, data, key)

    def _tell_track(self, event: str, track: int, owners: Collection[int]) -> None:
        self._tell(Topic("tracks"), event, {"track": track}, (event, track), owners)

    async def _tell_import(self, job: int, track: int, owners: Collection[int]) -> None:
        """Tell of an imported track: new, or there already."""
        if Topic("tracks") not in self._members:
            return
        is_new = True
        with suppress(SfaError):  # the job is gone: the track is here all the same
            is_new = (await self.link.call("jobs.show", {"job": job}))["result"].get("is_new", True)
        self._tell_track("track:added" if is_new else "track:updated", track, owners)

    async def _tell_workers(self) -> None:
        await asyncio.sleep(WORKERS_PERIOD_S)
        topic = Topic("workers")
        # A backstage that needs longer than the period is not asked anew before it has answered:
        # no member would be sent anything while jobs advance.
        asking = [each for (_, of), each in self._asking.items() if of == topic]
        if asking:
            await asyncio.wait(asking)
        self._workers_due = False
        for member in list(self._members.get(topic, ())):
            self._ask(member, topic)

    # ---------------------------------------------------------------- states

    def _ask(self, member: Member, topic: Topic) -> None:
        """Send a topic's state to a member, as soon as backstage gives it."""
        if before := self._asking.pop((member, topic), None):
            before.cancel()
        task = self.spawn(self._send_state(member, topic))
        self._asking[member, topic] = task

        def forget(done: asyncio.Task[None]) -> None:
            if self._asking.get((member, topic)) is done:
                del self._asking[member, topic]

        task.add_done_callback(forget)

    async def _send_state(self, member: Member, topic: Topic) -> None:
        is_away = False
        while True:
            try:
                event, data, key = await self._state(member, topic)
            except EngineError:
                if not is_away:
                    is_away = True
                    member.send_away(topic)
                await asyncio.sleep(RETRY_S)
            except (SfaError, Problem) as error:
                self._refuse(member, topic, error)
                return
            else:
                member.send(topic, event, data, key)
                return

    async def _state(self, member: Member, topic: Topic) -> tuple[str, Any, Any]:
        """Return event, data and key; asked for again if it changed meanwhile."""
        for _ in range(MAX_TRIES):
            before = self._changes[topic]
            found = await self._asked_state(member, topic)
            if self._changes[topic] == before:
                break
        return found

    async def _asked_state(self, member: Member, topic: Topic) -> tuple[str, Any, Any]:
        actor = member.actor
        if topic.kind == "jobs" and topic.number:
            job = await self._call(actor, "jobs.show", {"job": topic.number})
            return job_event(job["state"]), job_data(job), topic.number
        if topic.kind == "jobs":
            live = {"states": ["waiting", "running"], "limit": MAX_JOBS}
            return STATE, _listing(await self._call(actor, "jobs.list", live)), STATE
        if topic.kind == "workers":
            running = {"states": ["running"], "limit": MAX_JOBS}
            return STATE, _workers(await self._call(actor, "jobs.list", running)), STATE
        if topic.kind == "pipeline":
            wanted = {"track": topic.number, "limit": MAX_JOBS}
            found = await self._call(actor, "jobs.list", wanted)
            steps = {job["id"]: job_data(job) for job in reversed(found["jobs"])}
            if member in self._members.get(topic, ()):
                self._steps[member, topic] = steps
            return STATE, _pipeline(topic, steps), STATE
        if topic.kind == "tracks":
            found = await self._call(actor, "library.search", {"limit": 1})
            return STATE, {"count": found["count"]}, STATE
        return STATE, await self._call(actor, "notifications.list", {"unread": True}), STATE

    def _refuse(self, member: Member, topic: Topic, error: SfaError | Problem) -> None:
        member.joined.pop(topic, None)
        self._remove(member, topic)
        member.send(topic, "error", described(error))


def _sees(actor: Actor, owners: Collection[int]) -> bool:
    """Return whether an actor may see what one of some accounts owns."""
    return any(may(actor, READ, owner) for owner in owners)


def _listing(found: dict[str, Any]) -> dict[str, Any]:
    return {"jobs": [job_data(job) for job in found["jobs"]], "counts": found["counts"]}


def _workers(found: dict[str, Any]) -> dict[str, Any]:
    counts = found["counts"]
    jobs = [job_data(job) for job in found["jobs"]]
    return {"running": counts["running"], "waiting": counts["waiting"], "jobs": jobs}


def _pipeline(topic: Topic, steps: dict[int, dict[str, Any]]) -> dict[str, Any]:
    return {"track": topic.number, "steps": [steps[job] for job in sorted(steps)]}
