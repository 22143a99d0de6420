"""Backstage killed while it delivers: no message is lost, and one in flight is sent again."""

import json
import random
import sqlite3
import time
from contextlib import closing

import pytest
from house import house, until_ended
from standardwebhooks import Webhook as Reader
from webhook_receiver import hang_up, receiver, slowly

pytestmark = [pytest.mark.slow, pytest.mark.timeout(120)]
ALLOWED = '[webhooks]\nallow = ["127.0.0.0/8"]\n'


@pytest.fixture
def here(tmp_path):
    with house(tmp_path) as lent:
        lent.configure(ALLOWED)
        yield lent


def damaged(folder, number):
    """Write what is not a sound file: its import fails for good."""
    path = folder / f"damaged {number}.wav"
    path.write_bytes(b"RIFF and no more")
    return str(path)


def pass_time(here):
    """Let the time of all next tries come, while backstage is dead."""
    with closing(sqlite3.connect(here.data / "library.db")) as connection, connection:
        connection.execute("UPDATE deliveries SET due_s = 0")


def fail_jobs(client, folder, *numbers):
    sources = [damaged(folder, number) for number in numbers]
    until_ended(client, client.call("prep.add", sources=sources, engine="none")["batch"])


def until(client, state, count):
    give_up = time.monotonic() + 30
    while True:
        found = client.call("webhooks.deliveries", state=state)["deliveries"]
        if len(found) == count:
            return found
        assert time.monotonic() < give_up, repr(
            [
                (each["id"], each["state"], each["next_s"], each["tries"])
                for each in client.call("webhooks.deliveries")["deliveries"]
            ]
        )
        time.sleep(0.01)


def test_a_message_in_flight_at_a_kill_is_sent_again(here, tmp_path):
    with receiver() as receiving:
        receiving.answers = [slowly(20.0)]
        with here.start() as client:
            secret = client.call("webhooks.add", url=receiving.url)["secret"]
            fail_jobs(client, tmp_path, 1)
        receiving.wait(1)
        here.kill()
        with here.start() as client:
            (found,) = until(client, "delivered", 1)
        assert len(found["tries"]) == 1  # the one that was cut off does not count
        first, second = receiving.messages
        assert first.headers["webhook-id"] == second.headers["webhook-id"] == found["uuid"]
        assert first.body == second.body
        assert Reader(secret).verify(second.body, second.headers)["type"] == "job.failed"
        here.stop()
    assert "Traceback" not in here.log


def test_no_message_is_lost_however_often_backstage_is_killed(here, tmp_path):
    rng = random.Random(5)
    with receiver() as receiving:
        with here.start() as client:
            secret = client.call("webhooks.add", url=receiving.url, events=["job.failed"])["secret"]
        jobs = 0
        for _ in range(4):  # less than a delivery has tries
            receiving.answers = [rng.choice([500, hang_up, slowly(1.0), 204]) for _ in range(2)]
            with here.connect() as client:
                fail_jobs(client, tmp_path, jobs + 1, jobs + 2)
                jobs += 2
            time.sleep(rng.uniform(0.0, 0.05))
            here.kill()
            pass_time(here)
            here.start().close()
        receiving.answers = []
        here.kill()
        pass_time(here)
        with here.start() as client:
            found = until(client, "delivered", jobs)
            assert client.call("webhooks.show", webhook=1)["deliveries"]["waiting"] == 0
        sent = {}
        for message in receiving.messages:
            read = Reader(secret).verify(message.body, message.headers)
            sent[message.headers["webhook-id"]] = read["data"]["job"]
        assert sent.keys() == {each["uuid"] for each in found}
        assert len(set(sent.values())) == jobs
        here.stop()
    assert "Traceback" not in here.log


def test_what_a_temporary_backstage_has_queued_is_sent_before_it_ends(here, tmp_path):
    with receiver() as receiving:
        with here.start() as client:
            client.call("webhooks.add", url=receiving.url)
        here.stop()
        with here.start(temporary=True) as client:
            receiving.answers = [slowly(1.5)]
            fail_jobs(client, tmp_path, 1)
            receiving.wait(1)
        assert here.process.wait(30) == 0
        with here.start() as client:
            (found,) = client.call("webhooks.deliveries")["deliveries"]
        assert json.loads(found["body"])["type"] == "job.failed"
        assert [each["status"] for each in found["tries"]] == [None]
        assert found["state"] == "waiting"  # cut after 1.5 s, recorded, and due later
