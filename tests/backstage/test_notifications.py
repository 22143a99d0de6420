"""Notifications: made by failed jobs, ended batches and bad health; bounded, kept, pushed."""

from __future__ import annotations

import asyncio
import sqlite3
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from house import House, prep_context, prepared, song

from sfa_engine.backstage import health_watcher
from sfa_engine.backstage.health_watcher import Watched, watch_health
from sfa_engine.backstage.job import Kind, Plan
from sfa_engine.backstage.notifier import Notifier
from sfa_engine.backstage.verbs.notifications import NotificationVerbs
from sfa_engine.errors import Forbidden, Refused
from sfa_engine.library import notifications
from sfa_engine.library.database import Database
from sfa_engine.library.notifications import Level, News
from sfa_engine.library.ownership import MACHINE
from sfa_engine.run.folders import memory_path
from sfa_engine.system.runtime_files import BACKSTAGE_SOCKET, ENGINE_SOCKET
from sfa_engine.wire import aio
from sfa_engine.wire.blocking import SocketClient
from sfa_engine.wire.rights import SYSTEM, Actor
from sfa_engine.wire.session import Session
from sfa_engine.wire.verbs import SCOPES, exported, verb

WAIT_S = 30.0


def listed(client: SocketClient, **params: Any) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = client.call("notifications.list", **params)["notifications"]
    return found


def next_news(news: Iterator[tuple[str, Any]]) -> dict[str, Any]:
    method, params = next(news)
    assert method == "notification"
    found: dict[str, Any] = params
    return found


@pytest.mark.slow
def test_an_ended_batch_is_one_notification_with_its_counts(here: House, tmp_path: Path) -> None:
    with here.start() as client, here.connect() as watcher:
        watcher.call("notifications.watch")
        news = watcher.notifications()
        folder = tmp_path / "music"
        for number in range(3):
            song(folder / f"{number}.wav", seconds=2.0 + number)
        prepared(client, folder)
        done = next_news(news)
        assert (done["kind"], done["level"]) == ("batch.done", "info")
        assert done["sentence"] == "3 tracks are ready"
        assert done["track"] is None
        assert not done["read"]
        prepared(client, song(tmp_path / "alone.wav", seconds=9.0))
        alone = next_news(news)
        assert alone["sentence"] == "1 track is ready"
        assert alone["track"] == client.call("library.find", words="alone")["id"]
        assert [each["id"] for each in listed(client)] == [alone["id"], done["id"]]


@pytest.mark.slow
def test_a_failed_job_is_kept_over_a_kill_and_says_why(here: House, tmp_path: Path) -> None:
    bad = tmp_path / "no sound.wav"
    bad.write_bytes(b"RIFF, but nothing else")
    with here.start() as client, here.connect() as watcher:
        watcher.call("notifications.watch")
        news = watcher.notifications()
        prepared(client, bad)
        by_kind = {each["kind"]: each for each in (next_news(news), next_news(news))}
        failed = by_kind["job.failed"]
        assert failed["level"] == "error"
        assert "no sound" in failed["sentence"]
        assert client.call("jobs.show", job=failed["job"])["state"] == "failed"
        assert by_kind["batch.done"]["sentence"] == "0 tracks are ready, 1 failed"
    here.kill()
    with here.start() as client:
        assert {each["kind"] for each in listed(client)} == {"job.failed", "batch.done"}


@pytest.mark.slow
def test_reading_is_kept_and_pushed_to_others(here: House) -> None:
    with here.start() as client, here.connect() as watcher:
        for word in ("one", "two", "three"):
            client.call("notifications.add", level="info", kind="test.word", sentence=word)
        watcher.call("notifications.watch")
        news = watcher.notifications()
        assert [each["sentence"] for each in listed(client, limit=2)] == ["three", "two"]
        assert [each["id"] for each in listed(client, before=3)] == [2, 1]
        assert client.call("notifications.read", notifications=[2]) == {"count": 1}
        pushed = next_news(news)
        while not pushed["read"]:  # those that were just added are passed on within 0.2 s
            pushed = next_news(news)
        assert pushed["sentence"] == "two"
        assert [each["id"] for each in listed(client, unread=True)] == [3, 1]
        assert client.call("notifications.list", limit=1)["unread"] == 2
        assert client.call("notifications.read", everything=True) == {"count": 2}
        assert client.call("notifications.read", everything=True) == {"count": 0}
        watcher.call("notifications.unwatch")
        with pytest.raises(Refused, match="no notification 9"):
            client.call("notifications.read", notifications=[1, 9])
        with pytest.raises(Refused, match="no notification is named"):
            client.call("notifications.read")
        with pytest.raises(Refused, match="limit"):
            client.call("notifications.list", limit=0)
        with pytest.raises(Refused, match="kind"):
            client.call("notifications.add", level="info", kind="no dots", sentence="x")
        with pytest.raises(Refused, match="level"):
            client.call("notifications.add", level="loud", kind="a.b", sentence="x")


@pytest.mark.slow
def test_a_reader_may_list_and_mark_nothing(here: House) -> None:
    with here.start(), SocketClient(here.runtime / BACKSTAGE_SOCKET, 30.0, "reader") as reader:
        reader.call("hello", name="reader", protocol=1, scopes=["read"])
        assert listed(reader) == []
        with pytest.raises(Forbidden):
            reader.call("notifications.read", everything=True)
        with pytest.raises(Forbidden):
            reader.call("notifications.add", level="info", kind="a.b", sentence="x")


def test_the_oldest_beyond_a_thousand_go(tmp_path: Path) -> None:
    async def main() -> None:
        async with await Database.open(tmp_path / "library.db") as database:
            async with database.transaction() as connection:
                for number in range(1, 1201):
                    news = News(Level.INFO, "test.number", str(number), track=77, job=88)
                    assert await notifications.add(connection, news, 5.0) == number
            async with database.reading() as connection:
                found = await notifications.list_notifications(connection)
        assert [found[0].id, found[-1].id, len(found)] == [1200, 201, notifications.MAX_KEPT]
        assert (found[0].track, found[0].job) == (None, None)  # neither exists

    asyncio.run(main())


def test_a_removed_job_leaves_its_notification(tmp_path: Path) -> None:
    async def main() -> None:
        async with await Database.open(tmp_path / "library.db"):
            pass
        with closing(sqlite3.connect(tmp_path / "library.db")) as plain:
            plain.execute("PRAGMA foreign_keys = ON")
            plain.execute(
                "INSERT INTO jobs (id, kind, queue, state, priority, most_attempts, args, due_s,"
                " created_s, time_limit_s) VALUES (5, 'import', 'import', 'failed', 0, 3, '{}', 0,"
                " 0, 60)"
            )
            plain.execute(
                "INSERT INTO notifications (created_s, level, kind, sentence, hint, job_id)"
                " VALUES (0, 'error', 'job.failed', 'x', '', 5)"
            )
            plain.execute("DELETE FROM jobs")
            assert plain.execute("SELECT job_id FROM notifications").fetchall() == [(None,)]

    asyncio.run(main())


def test_what_an_accounts_job_reported_goes_with_the_job(tmp_path: Path) -> None:
    async def main() -> None:
        async with prep_context(tmp_path) as context:
            queue = context.queue
            verbs = NotificationVerbs(context.database, Notifier(queue))
            for account in (7, MACHINE):
                plan = Plan(Kind.IMPORT, title=f"of {account}", unique=f"link:{account}")
                async with queue.database.transaction() as connection:
                    await queue.add_chain(connection, [plan], "b", account=account)
                job = await queue.claim("import")
                assert job is not None
                await queue.fail(job, Refused("no such file"))
            hers, his = Actor(7, "user", SCOPES), Actor(8, "user", SCOPES)
            assert [each["sentence"][:14] for each in await kinds(verbs, hers)] == [
                *("import of of 0", "import of of 7"),
            ]
            (seen,) = await kinds(verbs, his)
            assert seen["sentence"].startswith("import of of 0")
            assert not {"account", "accounts"} & seen.keys()
            assert await queue.prune(older_than_s=-1.0) == 2
            for actor in (hers, his):
                (left,) = await kinds(verbs, actor)
                assert (left["id"], left["job"]) == (seen["id"], None)

    asyncio.run(main())


def test_a_batch_is_reported_to_those_who_wait_for_it(tmp_path: Path) -> None:
    async def main() -> None:
        async with prep_context(tmp_path) as context:
            queue = context.queue
            notifier = Notifier(queue)
            verbs = NotificationVerbs(context.database, notifier)
            running = asyncio.create_task(notifier.run())
            plans = [Plan(Kind.IMPORT, title=name, unique=f"link:{name}") for name in "ab"]
            async with queue.database.transaction() as connection:
                await queue.add_all(connection, plans, "hers", 7)
                await queue.add_all(connection, plans[:1], "his", 8)
            for _ in plans:
                job = await queue.claim("import")
                assert job is not None
                await queue.fail(job, Refused("no such file"))
            counts = {"batch.done": 0}
            async with asyncio.timeout(WAIT_S):
                while counts["batch.done"] < 2:
                    counts = Counter(each["kind"] for each in await kinds(verbs, SYSTEM))
                    await asyncio.sleep(0.02)
            of = {
                account: Counter(
                    each["sentence"] for each in await kinds(verbs, Actor(account, "user", SCOPES))
                )
                for account in (7, 8, 9)
            }
            two, one = "0 tracks are ready, 2 failed", "0 tracks are ready, 1 failed"
            assert (of[7][two], of[7][one]) == (1, 1)  # she waits for his one, too
            assert (of[8][two], of[8][one]) == (0, 1)
            assert not of[9]
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)

    asyncio.run(main())


async def kinds(verbs: NotificationVerbs, actor: Actor) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = (await verbs.notifications_list(actor=actor))["notifications"]
    return found


def test_failed_webhooks_are_for_those_who_see_everything(tmp_path: Path) -> None:
    async def main() -> None:
        async with prep_context(tmp_path) as context:
            verbs = NotificationVerbs(context.database, Notifier(context.queue))
            async with context.database.transaction() as connection:
                news = News(Level.WARNING, "webhook.failed", "webhook 1: refused")
                await notifications.add(connection, news, 5.0)
            user, admin = Actor(7, "user", SCOPES), Actor(8, "admin", SCOPES)
            assert await kinds(verbs, user) == []
            assert (await verbs.notifications_read(everything=True, actor=user)) == {"count": 0}
            assert len(await kinds(verbs, admin)) == len(await kinds(verbs, SYSTEM)) == 1

    asyncio.run(main())


def test_a_bad_state_is_news_once_it_lasts_and_again_after_a_good_one() -> None:
    watched = Watched()
    looks = (
        [(True, False)] * 4 + [(False, False), (True, False), (False, True)] + [(True, False)] * 3
    )
    news = [watched.is_news(bad=bad, good=good) for bad, good in looks]
    assert [at for at, is_news in enumerate(news) if is_news] == [1, 8]


class Stage(aio.Server):
    """A stage whose health is what a test sets."""

    def __init__(self, path: Path) -> None:
        super().__init__(path, self._attend)
        self.word = "ok"

    @verb(scope="read")
    def health(self) -> dict[str, Any]:
        """Return one word and its reasons."""
        return {"health": self.word, "reasons": [f"it is {self.word}"]}

    async def _attend(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await aio.Peer(reader, writer, Session("stage", "0", exported(self))).run()


def test_a_failing_engine_and_a_full_disk_are_reported_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(health_watcher, "PERIOD_S", 0.01)
    monkeypatch.setattr(health_watcher, "LOW_BYTES", 1 << 62)
    monkeypatch.setattr(health_watcher, "ENOUGH_BYTES", 1 << 63)
    reported: list[News] = []

    async def main() -> None:
        runtime = Path(memory_path()) / f"sfa-n-{tmp_path.name}"
        runtime.mkdir(exist_ok=True)
        stage = Stage(runtime / ENGINE_SOCKET)
        running = [
            asyncio.create_task(stage.run()),
            asyncio.create_task(watch_health(tmp_path / "none yet", runtime, reported.append)),
        ]
        try:
            for word, count in (("ok", 1), ("failing", 2), ("ok", 2), ("down", 3)):
                stage.word = word
                async with asyncio.timeout(WAIT_S):
                    while len(reported) < count:  # noqa: ASYNC110
                        await asyncio.sleep(0.01)
                await asyncio.sleep(0.3)
        finally:
            for each in running:
                each.cancel()
            await asyncio.gather(*running, return_exceptions=True)
            runtime.rmdir()

    asyncio.run(main())
    assert [each.kind for each in reported] == ["disk.full", "engine.failing", "engine.down"]
    assert reported[1].sentence == "engine: it is failing"
