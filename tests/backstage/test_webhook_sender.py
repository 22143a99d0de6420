"""Messages of webhooks: signed, retried by the clock, bounded, and queued with what they report."""

import asyncio
import json
import random
import re
import time
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

import msgspec
import pytest
from house import prep_context
from standardwebhooks import Webhook as Reader
from standardwebhooks import WebhookVerificationError
from webhook_receiver import LOOPBACK, endless, hang_up, nonsense, receiver, slowly

from sfa_engine.backstage.context import PrepContext
from sfa_engine.backstage.dispatcher import Dispatcher, Outcome
from sfa_engine.backstage.job import Kind, Plan, State
from sfa_engine.backstage.steps.clean import Clean
from sfa_engine.backstage.verbs.webhooks import WebhookVerbs
from sfa_engine.backstage.webhooks import store
from sfa_engine.backstage.webhooks.address import networks_of
from sfa_engine.backstage.webhooks.event import EVENTS, body_of
from sfa_engine.backstage.webhooks.post import MAX_BYTES, Poster
from sfa_engine.backstage.webhooks.sender import DELAYS_S, JITTER, Sender
from sfa_engine.backstage.webhooks.signature import headers_of, new_secret
from sfa_engine.errors import LibraryError, MediaError, Refused
from sfa_engine.library.database import change
from sfa_engine.library.secret import KEY_FILE, Secrets
from sfa_engine.library.tags import Tags
from sfa_engine.library.tracks import add
from sfa_engine.wire.verbs import Verb

NETWORKS = networks_of(LOOPBACK)


@dataclass
class Clock:
    """Time that passes when a test says so."""

    passed_s: float = 0.0

    def __call__(self):
        return time.time() + self.passed_s


@dataclass
class Post:
    """A queue of jobs, its webhooks and their sender, at work."""

    context: PrepContext
    sender: Sender
    verbs: WebhookVerbs
    clock: Clock
    failed: list

    async def until(self, state, count=1):
        """Return the deliveries when so many are in a state and nothing is in flight."""
        async with asyncio.timeout(20):
            while True:
                said = await self.verbs.webhooks_deliveries(state=state)
                if len(said["deliveries"]) == count and not self.sender.is_sending:
                    return said["deliveries"]
                await asyncio.sleep(0.005)

    async def tried(self, count):
        """Return the newest delivery when it has had so many tries."""
        async with asyncio.timeout(20):
            while True:
                found = (await self.verbs.webhooks_deliveries())["deliveries"][0]
                if len(found["tries"]) >= count and not self.sender.is_sending:
                    return found
                await asyncio.sleep(0.005)

    def pass_time(self, seconds):
        self.clock.passed_s += seconds
        self.sender.wake()

    async def end(self, kind=Kind.SEPARATE, error=None, track=None, result=None, **of):
        """Have a job end; return its number."""
        queue = self.context.queue
        plan = Plan(kind, title="Halcyon", track=track, max_attempts=1, **of)
        async with self.context.database.transaction() as connection:
            (number,) = await queue.add_chain(connection, [plan])
        ended = asyncio.Event()
        stop = queue.listen(
            lambda e: ended.set() if e.job == number and e.state in {"done", "failed"} else None
        )

        async def step(_job, _progress):
            if error is not None:
                raise error
            return Outcome(result or {})

        dispatcher = Dispatcher(queue, dict.fromkeys(Kind, step), dict.fromkeys(QUEUES, 1))
        running = asyncio.create_task(dispatcher.run())
        await ended.wait()
        stop()
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
        self.sender.wake()
        return number


QUEUES = ("import", "download", "separation", "analysis")


@asynccontextmanager
async def posting(folder, *, at_work=True, timeout_s=10.0):
    async with prep_context(folder) as context:
        clock, failed = Clock(), []

        async def on_failed(_connection, webhook, delivery, error):
            failed.append((webhook.id, delivery.event, error))

        poster = Poster(NETWORKS, timeout_s=timeout_s)
        secrets = Secrets(folder)
        sender = Sender(context.database, secrets, poster, clock, random.Random(1), on_failed)
        context.queue.on_end.append(sender.on_end)
        verbs = WebhookVerbs(sender, NETWORKS)
        running = asyncio.create_task(sender.run()) if at_work else None
        try:
            yield Post(context, sender, verbs, clock, failed)
        finally:
            if running is not None:
                running.cancel()
                await asyncio.gather(running, return_exceptions=True)


def played(folder, play, **of):
    """Run a coroutine of a post and a receiver."""

    async def run():
        with receiver() as here:
            async with posting(folder, **of) as post:
                return await play(post, here)

    return asyncio.run(run())


def test_a_message_is_read_by_another_implementation_of_the_standard(tmp_path):
    async def play(post, here):
        said = await post.verbs.webhooks_add(here.url)
        number = await post.end(result={"engine": "demucs", "model": "htdemucs", "stems": ["bass"]})
        (found,) = await post.until("delivered")
        (message,) = here.messages
        assert message.path == "/hook?of=sfa"
        assert message.headers["content-type"] == "application/json"
        assert message.headers["webhook-id"] == found["uuid"]
        assert message.headers["user-agent"].startswith("sfa-engine/")
        read = Reader(said["secret"]).verify(message.body, message.headers)
        assert read == {
            "type": "track.processed",
            "timestamp": read["timestamp"],
            "data": {
                "job": number,
                "track": None,
                "engine": "demucs",
                "model": "htdemucs",
                "stems": ["bass"],
            },
        }
        at = datetime.fromisoformat(read["timestamp"])
        assert abs((datetime.now(UTC) - at).total_seconds()) < 60
        for changed in (message.body + b" ", message.body.replace(b"bass", b"base")):
            with pytest.raises(WebhookVerificationError):
                Reader(said["secret"]).verify(changed, message.headers)
        with pytest.raises(WebhookVerificationError):
            Reader(new_secret()).verify(message.body, message.headers)
        (made,) = found["tries"]
        assert (made["status"], made["error"]) == (204, "")

    played(tmp_path, play)


def test_each_end_of_a_job_is_the_event_that_the_table_says(tmp_path):
    async def play(post, here):
        async with post.context.database.transaction() as connection:
            tags = Tags(title="Halcyon", artist="Orbital")
            track, _ = await add(connection, "/m/a.flac", tags=tags)
        await post.verbs.webhooks_add(here.url)
        metadata = {"title": "Halcyon", "artist": "Orbital"}
        args = {"url": "https://open.spotify.com/track/1", "metadata": metadata}
        await post.end(Kind.DOWNLOAD, args=args, result={"path": "/music/a"})
        await post.end(Kind.SEPARATE, track=track.id, result={"engine": "demucs", "stems": ["mix"]})
        await post.end(Kind.ANALYSE, track=track.id, result={"bpm": 120.0, "key": "A minor"})
        await post.end(Kind.CUE, track=track.id)
        await post.end(Kind.IMPORT, MediaError("not a sound file", "name another"))
        await post.until("delivered", 4)
        # A busy machine may time out a delivery that came: it is sent again, under its number.
        by_id = {m.headers["webhook-id"]: json.loads(m.body) for m in here.messages}
        bodies = list(by_id.values())
        assert [body["type"] for body in bodies] == list(EVENTS)
        downloaded, processed, analysed, failed = (body["data"] for body in bodies)
        assert downloaded["url"] == args["url"]
        assert (downloaded["title"], downloaded["artist"]) == ("Halcyon", "Orbital")
        for said in (processed, analysed):
            assert said["track"]["id"] == track.id
            assert (said["track"]["title"], said["track"]["artist"]) == ("Halcyon", "Orbital")
        assert (analysed["bpm"], analysed["key"]) == (120.0, "A minor")
        assert failed["error"] == {
            "code": "media",
            "message": "not a sound file",
            "hint": "name another",
        }
        assert (failed["kind"], failed["attempts"]) == ("import", 1)
        assert "/music" not in str(bodies)

    played(tmp_path, play)


def test_an_endpoint_gets_the_events_that_it_wants_and_none_while_inactive(tmp_path):
    async def play(post, here):
        one = await post.verbs.webhooks_add(here.url, ["job.failed"])
        await post.end()
        await post.end(error=MediaError("damaged"))
        (found,) = await post.until("delivered")
        assert found["event"] == "job.failed"
        await post.verbs.webhooks_set(one["id"], active=False)
        await post.end(error=MediaError("damaged"))
        assert len((await post.verbs.webhooks_deliveries())["deliveries"]) == 1
        await post.verbs.webhooks_set(one["id"], active=True, events=["*"])
        await post.end()
        await post.until("delivered", 2)
        assert len(here.messages) == 2

    played(tmp_path, play)


@pytest.mark.slow
def test_what_waits_for_an_inactive_endpoint_is_sent_when_it_is_active(tmp_path):
    async def play(post, here):
        made = await post.verbs.webhooks_add(here.url)
        here.answers = [500]
        await post.end()
        await post.tried(1)
        await post.verbs.webhooks_set(made["id"], active=False)
        post.pass_time(10)
        await asyncio.sleep(0.1)
        assert len(here.messages) == 1
        await post.verbs.webhooks_set(made["id"], active=True)
        await post.until("delivered")

    played(tmp_path, play)


@pytest.mark.slow
def test_a_failed_delivery_is_tried_five_times_with_growing_delays(tmp_path):
    async def play(post, here):
        said = await post.verbs.webhooks_add(here.url)
        here.answers = [500, hang_up, nonsense, 404, 503]
        await post.end()
        found = await post.tried(1)
        for tries, delay_s in enumerate(DELAYS_S, 1):
            assert found["state"] == "waiting"
            left_s = found["next_s"] - post.clock()
            assert (1 - JITTER) * delay_s - 2 <= left_s <= (1 + JITTER) * delay_s
            post.pass_time(left_s - 1)
            await asyncio.sleep(0.05)
            assert len(here.messages) == tries  # not before its time
            post.pass_time(1.1)
            found = await post.tried(tries + 1)
        assert found["state"] == "failed"
        assert [each["status"] for each in found["tries"]] == [500, None, None, 404, 503]
        assert all(each["error"] for each in found["tries"])
        assert post.failed == [(said["id"], "track.processed", "it answered 503")]
        assert {m.headers["webhook-id"] for m in here.messages} == {found["uuid"]}
        assert len({m.body for m in here.messages}) == 1
        times = [int(m.headers["webhook-timestamp"]) for m in here.messages]
        assert times == sorted(times)
        assert times[-1] - times[0] > 9000
        for message in here.messages:  # each try is signed with its own time
            at = datetime.fromtimestamp(int(message.headers["webhook-timestamp"]), UTC)
            expected = Reader(said["secret"]).sign(found["uuid"], at, message.body.decode())
            assert message.headers["webhook-signature"] == expected
        post.pass_time(100_000)
        await asyncio.sleep(0.05)
        assert len(here.messages) == 5
        again = await post.verbs.webhooks_send_again(found["id"])
        assert again["uuid"] == found["uuid"]
        (found,) = await post.until("delivered")
        assert len(found["tries"]) == 6

    played(tmp_path, play)


def test_a_rotated_secret_signs_for_a_day_yet(tmp_path):
    async def play(post, here):
        old = (await post.verbs.webhooks_add(here.url))["secret"]
        new = (await post.verbs.webhooks_rotate(1))["secret"]
        assert new != old
        assert (await post.verbs.webhooks_show(1))["is_rotating"]
        await post.end()
        await post.until("delivered")
        (message,) = here.messages
        assert len(message.headers["webhook-signature"].split()) == 2
        for secret in (old, new):
            Reader(secret).verify(message.body, message.headers)
        post.pass_time(86_401)
        await post.end()
        await post.until("delivered", 2)
        assert len(here.messages[1].headers["webhook-signature"].split()) == 1
        assert not (await post.verbs.webhooks_show(1))["is_rotating"]

    played(tmp_path, play)


def test_secrets_are_encrypted_and_shown_once(tmp_path):
    async def play(post, here):
        secret = (await post.verbs.webhooks_add(here.url))["secret"]
        assert secret.startswith("whsec_")
        listed = await post.verbs.webhooks_list()
        for said in (listed, await post.verbs.webhooks_show(1)):
            assert "secret" not in str(said)
            assert secret not in str(said)
        for file in tmp_path.glob("library.db*"):
            assert secret.encode() not in file.read_bytes()
        (tmp_path / KEY_FILE).unlink()
        await post.end()
        found = await post.tried(1)
        assert KEY_FILE in found["tries"][0]["error"]
        assert here.messages == []

    played(tmp_path, play)


def test_an_endpoint_that_is_gone_is_disabled_and_says_why(tmp_path):
    async def play(post, here):
        await post.verbs.webhooks_add(here.url)
        here.answers = [410]
        await post.end()
        (found,) = await post.until("failed")
        assert len(found["tries"]) == 1
        shown = await post.verbs.webhooks_show(1)
        assert (shown["active"], shown["problem"]) == (False, "it wants no more messages (410)")
        assert [error for *_, error in post.failed] == ["it wants no more messages (410)"]
        await post.end()
        assert len((await post.verbs.webhooks_deliveries())["deliveries"]) == 1
        with pytest.raises(Refused, match="webhook 1 is not active"):
            await post.verbs.webhooks_send_again(found["id"])
        shown = await post.verbs.webhooks_set(1, active=True)
        assert (shown["active"], shown["problem"]) == (True, "")

    played(tmp_path, play)


def test_what_ends_while_the_queues_are_read_is_not_sent_again(tmp_path, monkeypatch):
    read = store.next_of_each

    async def play(post, here):
        ended = asyncio.Event()
        may_end = asyncio.Event()
        deliver = post.sender.poster.send

        async def held(*of):
            answer = await deliver(*of)
            await may_end.wait()
            return answer

        async def read_before_the_end(connection):
            found = await read(connection)
            if post.sender.is_sending and not ended.is_set():
                may_end.set()
                await asyncio.gather(*post.sender._at_work.values())
                ended.set()
            return found

        monkeypatch.setattr(post.sender.poster, "send", held)
        await post.verbs.webhooks_add(here.url)
        await post.end()
        await asyncio.to_thread(here.wait, 1)
        monkeypatch.setattr(store, "next_of_each", read_before_the_end)
        post.sender.wake()
        async with asyncio.timeout(20):
            await ended.wait()
        await post.end()  # what comes after it
        await asyncio.to_thread(here.wait, 2)
        await post.until("delivered", 2)
        ids = [each.headers["webhook-id"] for each in here.messages]
        assert len(ids) == len(set(ids)) == 2

    played(tmp_path, play)


@pytest.mark.parametrize(
    ("word", "least_s", "most_s"),
    [
        ("600", 590, 600),
        ("1", 3, 5.6),  # less than the schedule: that holds
        ("999999999", 7190, 7200),
        ("-5", 3, 5.6),
        ("soon", 3, 5.6),
        ("Wed, 21 Oct 2015 07:28:00 GMT", 3, 5.6),
        ("²", 3, 5.6),
        ("9" * 5000, 7190, 7200),
    ],
)
def test_retry_after_is_honoured_within_bounds(tmp_path, word, least_s, most_s):
    async def play(post, here):
        await post.verbs.webhooks_add(here.url)
        here.answers = [(429, {"Retry-After": word})]
        await post.end()
        found = await post.tried(1)
        assert least_s <= found["next_s"] - post.clock() <= most_s

    played(tmp_path, play)


@pytest.mark.slow
def test_a_slow_endpoint_is_given_up_and_delays_no_other(tmp_path):
    async def play(post, here):
        with receiver() as slow:
            slow.answers = [slowly(20.0)]
            await post.verbs.webhooks_add(slow.url, description="slow")
            await post.verbs.webhooks_add(here.url)
            began_s = time.monotonic()
            await post.end()
            await asyncio.to_thread(here.wait, 1)
            assert time.monotonic() - began_s < 0.5
            assert post.sender.is_sending  # the slow one
            await post.until("delivered")
            (found,) = await post.until("waiting")
            assert found["tries"][0]["error"] == "no answer within 0.6 s"
            assert 0.5 < found["tries"][0]["seconds"] < 5.0

    played(tmp_path, play, timeout_s=0.6)


@pytest.mark.slow
def test_an_endless_answer_is_cut(tmp_path):
    async def play(post, here):
        sent = []
        await post.verbs.webhooks_add(here.url)
        here.answers = [endless(sent)]
        await post.end()
        (found,) = await post.until("delivered")
        assert found["tries"][0]["status"] == 200
        for _ in range(200):  # until the server has seen the end
            await asyncio.sleep(0.005)
        assert sum(sent) < MAX_BYTES + (16 << 20)  # what the system's buffers hold

    played(tmp_path, play)


def test_a_full_queue_takes_no_more_and_counts_what_it_leaves_out(tmp_path, monkeypatch):
    monkeypatch.setattr(store, "MAX_WAITING", 3)

    async def play(post, here):
        await post.verbs.webhooks_add(here.url)
        for _ in range(5):
            await post.end()
        shown = await post.verbs.webhooks_show(1)
        assert shown["dropped"] == 2
        assert shown["deliveries"] == {"waiting": 3, "delivered": 0, "failed": 0}
        async with asyncio.timeout(20), asyncio.TaskGroup() as group:
            running = group.create_task(post.sender.run())
            await post.until("delivered", 3)
            running.cancel()
        await post.end()
        shown = await post.verbs.webhooks_show(1)
        assert (shown["dropped"], shown["deliveries"]["waiting"]) == (2, 1)

    played(tmp_path, play, at_work=False)


def test_an_event_is_queued_if_and_only_if_the_job_has_ended(tmp_path):
    async def play(post, here):
        await post.verbs.webhooks_add(here.url)
        queue, database = post.context.queue, post.context.database
        async with database.transaction() as connection:
            await queue.add_chain(connection, [Plan(Kind.SEPARATE)])
        job = await queue.claim("separation")

        async def end():
            async with database.transaction() as connection:
                await queue.finish(connection, job, {})
                raise LibraryError("the disk is full")

        with pytest.raises(LibraryError):
            await end()
        assert (await queue.get(job.id)).state is State.RUNNING
        assert (await post.verbs.webhooks_deliveries())["deliveries"] == []
        async with database.transaction() as connection:
            await queue.finish(connection, job, {})
        assert len((await post.verbs.webhooks_deliveries())["deliveries"]) == 1
        async with database.transaction() as connection:
            await queue.add_chain(connection, [Plan(Kind.SEPARATE)])
        job = await queue.claim("separation")
        async with database.transaction() as connection:
            await queue.finish(connection, job, {}, skipped=True)
        assert len((await post.verbs.webhooks_deliveries())["deliveries"]) == 1

    played(tmp_path, play, at_work=False)


def test_a_retry_of_a_job_is_no_failure_yet(tmp_path):
    async def play(post, here):
        await post.verbs.webhooks_add(here.url)
        queue = post.context.queue
        async with post.context.database.transaction() as connection:
            await queue.add_chain(connection, [Plan(Kind.SEPARATE, max_attempts=2)])
        job = await queue.claim("separation")
        await queue.fail(job, LibraryError("busy"))
        assert (await post.verbs.webhooks_deliveries())["deliveries"] == []

    played(tmp_path, play, at_work=False)


def test_the_track_of_an_event_may_have_been_deleted(tmp_path):
    async def play(post, here):
        async with post.context.database.transaction() as connection:
            track, _ = await add(connection, "/m/a.flac", tags=Tags(title="Halcyon"))
        await post.verbs.webhooks_add(here.url)
        queue, database = post.context.queue, post.context.database
        async with database.transaction() as connection:
            await queue.add_chain(connection, [Plan(Kind.SEPARATE, track=track.id)])
        job = await queue.claim("separation")
        async with database.transaction() as connection:
            await change(connection, "DELETE FROM tracks WHERE id = ?", (track.id,))
            await queue.finish(connection, job, {})
        (found,) = (await post.verbs.webhooks_deliveries())["deliveries"]
        assert json.loads(found["body"])["data"]["track"] is None

    played(tmp_path, play, at_work=False)


def test_a_clock_that_was_set_back_delays_no_delivery(tmp_path):
    async def play(post, here):
        await post.verbs.webhooks_add(here.url)
        post.clock.passed_s = 30 * 86_400
        await post.end()
        await post.until("delivered")
        here.answers = [500]
        await post.end()
        await post.tried(1)
        post.clock.passed_s = 0.0
        post.sender.wake()
        await post.until("delivered", 2)

    played(tmp_path, play)


@pytest.mark.slow
def test_removing_an_endpoint_removes_what_waits_for_it_also_in_flight(tmp_path):
    async def play(post, here):
        await post.verbs.webhooks_add(here.url)
        here.answers = [slowly(0.5)]
        await post.end()
        await asyncio.to_thread(here.wait, 1)
        assert (await post.verbs.webhooks_remove(1))["removed"] == here.url
        await post.until("waiting", 0)
        assert (await post.verbs.webhooks_deliveries())["deliveries"] == []
        with pytest.raises(Refused, match="no webhook 1"):
            await post.verbs.webhooks_show(1)
        await post.verbs.webhooks_add(here.url)  # the sender is still at work
        await post.end()
        await post.until("delivered")

    played(tmp_path, play)


def test_a_test_message_is_sent_at_once_and_once(tmp_path):
    async def play(post, here):
        secret = (await post.verbs.webhooks_add(here.url))["secret"]
        here.answers = [200, 500]
        said = await post.verbs.webhooks_test(1)
        assert (said["status"], said["error"]) == (200, "")
        (message,) = here.messages
        read = Reader(secret).verify(message.body, message.headers)
        assert (read["type"], read["data"]) == ("webhook.test", {"webhook": 1})
        said = await post.verbs.webhooks_test(1)
        assert (said["status"], said["error"]) == (500, "it answered 500")
        assert (await post.verbs.webhooks_deliveries())["deliveries"] == []
        with pytest.raises(Refused, match="no webhook 7"):
            await post.verbs.webhooks_test(7)

    played(tmp_path, play)


def test_old_deliveries_are_deleted_by_age_and_by_number(tmp_path, monkeypatch):
    monkeypatch.setattr(store, "MAX_KEPT", 2)

    async def play(post, here):
        await post.verbs.webhooks_add(here.url)
        for _ in range(4):
            await post.end()
        await post.until("delivered", 4)
        database = post.context.database
        done = await Clean(post.context)(None, lambda *_: None)
        assert done.result["deliveries_forgotten"] == 2
        kept = (await post.verbs.webhooks_deliveries())["deliveries"]
        assert [each["id"] for each in kept] == [4, 3]
        async with database.transaction() as connection:
            later_s = post.clock() + 31 * 86_400
            assert await store.prune(connection, later_s, by_age=False) == 0
            assert await store.prune(connection, later_s) == 2
        left = await database.fetch("SELECT count(*) FROM delivery_tries")
        assert left[0][0] == 0

    played(tmp_path, play)


def test_an_address_inside_the_network_is_refused_when_it_is_given(tmp_path):
    async def play(post, _here):
        verbs = WebhookVerbs(post.sender, ())
        for url in ("http://127.0.0.1/", "http://2130706433/", "http://localhost:8080/x"):
            with pytest.raises(Refused, match="not an address of the internet") as refused:
                await verbs.webhooks_add(url)
            assert "[webhooks]" in refused.value.hint
        made = await verbs.webhooks_add("http://no-such-host.invalid/")  # it may come yet
        with pytest.raises(Refused, match="not an address of the internet"):
            await verbs.webhooks_set(made["id"], url="http://10.0.0.1/")
        assert (await verbs.webhooks_show(made["id"]))["url"] == "http://no-such-host.invalid/"
        said = await verbs.webhooks_test(made["id"])
        assert said["status"] is None
        assert said["error"]

    played(tmp_path, play)


def test_there_is_a_most_of_webhooks(tmp_path):
    async def play(post, here):
        for _ in range(store.MAX_WEBHOOKS):
            await post.verbs.webhooks_add(here.url)
        with pytest.raises(Refused, match="there are 32 webhooks"):
            await post.verbs.webhooks_add(here.url)

    played(tmp_path, play)


@pytest.mark.parametrize(
    ("name", "params", "why"),
    [
        ("webhooks_add", {}, "needs url"),
        ("webhooks_add", {"url": "x", "events": []}, "events is"),
        ("webhooks_add", {"url": "x", "events": ["track.lost"]}, "events is"),
        ("webhooks_add", {"url": "x", "secret": "whsec_x"}, 'takes no "secret"'),
        ("webhooks_show", {"webhook": 0}, "webhook is 0"),
        ("webhooks_show", {"webhook": 1 << 60}, "webhook is"),
        ("webhooks_deliveries", {"state": "lost"}, "state is"),
        ("webhooks_deliveries", {"limit": 100_000}, "limit is"),
    ],
)
def test_wrong_parameters_are_refused_with_their_names(name, params, why):
    with pytest.raises(Refused, match=why):
        Verb(name.replace("_", ".", 1), getattr(WebhookVerbs, name)).parse(
            msgspec.msgpack.encode(params)
        )


def test_a_signature_is_that_of_the_reader_for_any_body():
    rng = random.Random(3)
    for _ in range(50):
        secret = new_secret()
        body = body_of("webhook.test", time.time(), {"text": chr(rng.randrange(0x20, 0xD7FF))})
        headers = headers_of("msg_1", time.time(), body.encode(), [new_secret(), secret])
        assert Reader(secret).verify(body, headers)["type"] == "webhook.test"


def test_the_example_of_the_guide_verifies_a_message():
    guide = (Path(__file__).parents[2] / "docs" / "web.md").read_text()
    blocks = re.findall(r"```python\n(.*?)```", guide, re.DOTALL)
    (code,) = [block for block in blocks if "def is_genuine" in block]
    space = {}
    exec(code, space)  # noqa: S102 - our own document
    is_genuine = space["is_genuine"]
    secret, old, now_s = new_secret(), new_secret(), time.time()
    headers = headers_of("msg_1", now_s, b"{}", [secret, old])
    assert is_genuine(secret, headers, b"{}")
    assert is_genuine(old, headers, b"{}")
    assert not is_genuine(secret, headers, b"{} ")
    assert not is_genuine(new_secret(), headers, b"{}")
    assert not is_genuine(secret, headers_of("msg_1", now_s - 400, b"{}", [secret]), b"{}")


def test_a_body_is_small_and_valid_whatever_a_job_says(tmp_path):
    async def play(post, here):
        await post.verbs.webhooks_add(here.url)
        text = "\udcff\x00" + "x" * 100_000
        await post.end(error=MediaError(text, text))
        await post.until("delivered")
        (message,) = here.messages
        assert len(message.body) < 20_000
        assert json.loads(message.body)["data"]["error"]["code"] == "media"

    played(tmp_path, play)


def test_a_webhook_has_no_field_that_a_list_forgets(tmp_path):
    async def play(post, here):
        said = await post.verbs.webhooks_add(here.url, ["*", "job.failed"], "lamp")
        assert (said["events"], said["description"]) == (["*"], "lamp")
        said.pop("secret")
        assert await post.verbs.webhooks_show(1) == said
        assert (await post.verbs.webhooks_list())["webhooks"] == [said]
        changed = await post.verbs.webhooks_set(
            1, url=here.url + "2", events=["job.failed"], description="x", active=False
        )
        assert changed == {
            **said,
            "url": here.url + "2",
            "events": ["job.failed"],
            "description": "x",
            "active": False,
        }
        async with post.context.database.reading() as connection:
            stored = await store.get(connection, 1, post.clock())
        assert replace(stored, secrets=()) == store.Webhook(
            *(1, here.url + "2", ("job.failed",), "x", ()),
            *(False, "", 0, stored.created_s),
        )

    played(tmp_path, play)
