"""The topics of backstage, beside a server that pushes what a test wants."""

import asyncio
import tempfile
from contextlib import asynccontextmanager
from pathlib import Path

import msgspec

from sfa_engine.errors import Refused
from sfa_engine.run.folders import memory_path
from sfa_engine.web import activity as web_activity
from sfa_engine.web.activity import Activity
from sfa_engine.web.form import JSON
from sfa_engine.web.member import Member
from sfa_engine.web.rights import SCOPES_OF, Actor
from sfa_engine.web.topics import Topic
from sfa_engine.wire import aio, connection
from sfa_engine.wire.session import Session

WAIT_S = 20.0
JOB = {
    "job": 5,
    "kind": "import",
    "state": "running",
    "title": "x",
    "track": 3,
    "batches": [],
    "progress": 0.5,
    "doing": "",
    "error": None,
    "owners": [0],
}


class Pusher(aio.Server):
    """Takes any request for a watch, and pushes to all."""

    def __init__(self, path):
        super().__init__(path, self._attend)
        self.peers = {}
        self.asked = []

    async def _attend(self, reader, writer):
        session = Session("pusher", "0", {}, prefixes=("",), forward=self._answer)
        peer = aio.Peer(reader, writer, session)
        self.peers[peer] = writer
        try:
            await peer.run()
        finally:
            del self.peers[peer]

    def _answer(self, method, _params, _actor):
        self.asked.append(method)
        return {}

    async def push(self, method, **params):
        for peer in list(self.peers):
            await peer.send(connection.notification(method, params))

    def cut(self):
        for writer in self.peers.values():
            writer.transport.abort()


@asynccontextmanager
async def activity(call):
    with tempfile.TemporaryDirectory(prefix="sfa-w-", dir=memory_path()) as folder:
        pusher = Pusher(Path(folder) / "backstage.sock")
        listens = asyncio.Event()
        made = Activity(pusher.path, call)
        running = [asyncio.create_task(pusher.run(listens.set)), asyncio.create_task(made.run())]
        try:
            await listens.wait()
            yield made, pusher
        finally:
            for each in running:
                each.cancel()
            await asyncio.gather(*running, return_exceptions=True)


def member(account=1, role="user"):
    return Member(Actor(account, role, SCOPES_OF[role]), JSON)


async def taken(one, count=1):
    async with asyncio.timeout(WAIT_S):
        return [msgspec.json.decode(await one.outbox.take()) for _ in range(count)]


async def listed(_actor, method, _params):
    if method == "jobs.list":
        return {"jobs": [], "counts": {"running": 0, "waiting": 0}}
    if method == "library.search":
        return {"count": 2}
    raise Refused("no such job")


def test_a_job_of_another_account_is_sent_to_its_owner_and_those_who_read_all():
    async def main():
        async with activity(listed) as (made, pusher):
            hers, other, moderator = member(7), member(8), member(9, "moderator")
            for each in (hers, other, moderator):
                made.join(each, Topic("jobs"))
                assert (await taken(each))[0]["event"] == "state"
            await pusher.push("job", **JOB, account=7, accounts=[7])
            await pusher.push("job", **{**JOB, "job": 6})
            for each, numbers in ((hers, [5, 6]), (moderator, [5, 6]), (other, [6])):
                found = await taken(each, len(numbers))
                assert [m["data"]["job"] for m in found] == numbers

    asyncio.run(main())


def test_a_change_of_a_track_is_sent_to_those_who_see_the_track():
    async def main():
        async with activity(listed) as (made, pusher):
            hers, other, moderator = member(7), member(8), member(9, "moderator")
            for each in (hers, other, moderator):
                made.join(each, Topic("tracks"))
                assert (await taken(each))[0]["event"] == "state"
            await pusher.push("track", track=3, bundle="a.sfa", owners=[7])
            # An admin's job, of a track of hers.
            done = {
                **JOB,
                "kind": "separate",
                "state": "done",
                "account": 1,
                "accounts": [1],
                "owners": [7],
            }
            await pusher.push("job", **done)
            await pusher.push("track", track=4, bundle="", owners=[0])
            events = {"track:updated": 3, "track:stems": 3, "track:deleted": 4}
            for each, wanted in (
                (hers, events),
                (moderator, events),
                (other, {"track:deleted": 4}),
            ):
                found = await taken(each, len(wanted))
                assert {m["event"]: m["data"]["track"] for m in found} == wanted

    asyncio.run(main())


def test_each_member_of_a_pipeline_gets_the_jobs_that_it_may_see():
    async def by_account(actor, _method, _params):
        jobs = [{**JOB, "id": 5}] if actor.account != 8 else []
        return {"jobs": jobs, "counts": {}}

    async def main():
        async with activity(by_account) as (made, pusher):
            hers, other = member(7), member(8)
            for each, numbers in ((hers, [5]), (other, [])):
                made.join(each, Topic("pipeline", 3))
                (said,) = await taken(each)
                assert [step["job"] for step in said["data"]["steps"]] == numbers
            await pusher.push("job", **{**JOB, "job": 6, "account": 7, "accounts": [7, 8]})
            for each, numbers in ((hers, [5, 6]), (other, [6])):
                (said,) = await taken(each)
                assert [step["job"] for step in said["data"]["steps"]] == numbers

    asyncio.run(main())


def test_a_state_that_changes_while_it_is_asked_for_is_asked_for_again():
    async def main():
        asked = 0

        async def slow(_actor, _method, _params):
            nonlocal asked
            asked += 1
            if asked == 1:
                await pusher.push("job", **{**JOB, "state": "done"})
                await asyncio.sleep(0.2)
                return {**JOB, "id": 5}
            return {**JOB, "id": 5, "state": "done"}

        async with activity(slow) as (made, pusher):
            one = member()
            made.join(one, Topic("jobs", 5))
            found = await taken(one)
            await asyncio.sleep(0.3)
            assert asked == 2
            assert [m["event"] for m in found] == ["job:completed"]
            await pusher.push("job", **{**JOB, "state": "done"})
            assert [m["event"] for m in await taken(one)] == ["job:completed"]

    asyncio.run(main())


def test_a_lost_connection_is_away_once_and_then_the_state_comes_again():
    async def main():
        async with activity(listed) as (made, pusher):
            one = member()
            made.join(one, Topic("workers"))
            assert (await taken(one))[0]["event"] == "state"
            pusher.cut()
            events = [m["event"] for m in await taken(one, 2)]
            assert events == ["away", "state"]

    asyncio.run(main())


def test_it_watches_only_while_a_topic_is_joined():
    async def main():
        async with activity(listed) as (made, pusher):
            one = member()
            made.join(one, Topic("jobs"))
            await taken(one)
            assert "jobs.watch" in pusher.asked
            made.leave(one, Topic("jobs"))
            made.join(one, Topic("jobs"))  # at once: the connection is kept
            await taken(one)
            assert pusher.asked.count("jobs.watch") == 1
            made.leave(one, Topic("jobs"))
            async with asyncio.timeout(WAIT_S):
                while pusher.peers:  # noqa: ASYNC110
                    await asyncio.sleep(0.02)
            made.join(one, Topic("jobs"))
            assert [m["event"] for m in await taken(one)] == ["state"]
            assert pusher.asked.count("jobs.watch") == 2

    asyncio.run(main())


def test_what_is_refused_is_left_and_others_stay():
    async def main():
        async with activity(listed) as (made, pusher):
            one = member()
            for topic in (Topic("jobs", 5), Topic("jobs")):
                one.joined[topic] = None
                made.join(one, topic)
            found = {m["topic"]: m for m in await taken(one, 2)}
            assert found["jobs:5"]["event"] == "error"
            assert found["jobs:5"]["data"]["message"] == "no such job"
            assert list(one.joined) == [Topic("jobs")]
            await pusher.push("job", **JOB)
            assert [m["topic"] for m in await taken(one)] == ["jobs"]

    asyncio.run(main())


def test_workers_are_sent_while_jobs_advance_faster_than_backstage_answers(monkeypatch):
    """Each change asked anew, and gave up the request before it."""
    monkeypatch.setattr(web_activity, "WORKERS_PERIOD_S", 0.001)

    async def main():
        calls = []
        begun, answers = asyncio.Event(), asyncio.Event()

        async def slow(_actor, _method, _params):
            calls.append("asked")
            try:
                if len(calls) > 1:
                    begun.set()
                    await answers.wait()
            except asyncio.CancelledError:
                calls.append("given up")
                raise
            return {"jobs": [], "counts": {"running": len(calls), "waiting": 0}}

        async with activity(slow) as (made, pusher):
            one = member(9, "moderator")
            made.join(one, Topic("workers"))
            await taken(one)
            await pusher.push("job", **JOB)
            async with asyncio.timeout(WAIT_S):
                await begun.wait()
            for _ in range(20):
                await pusher.push("job", **JOB)
                await asyncio.sleep(0.005)
            assert calls == ["asked", "asked"]
            answers.set()
            found = await taken(one, 2)  # what was asked for, and what has changed since
            assert [m["data"]["running"] for m in found] == [2, 3]

    asyncio.run(main())
