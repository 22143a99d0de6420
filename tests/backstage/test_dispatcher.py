"""The dispatcher: limits, effects, cancelling, faults, and a library that fails for a while."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Collection
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from pathlib import Path

import pytest

from sfa_engine.backstage.dispatcher import Dispatcher, Outcome, Progress, Step
from sfa_engine.backstage.job import Job, Kind, Plan, State
from sfa_engine.backstage.queue import Event, Queue
from sfa_engine.errors import MediaError, WorkerError
from sfa_engine.library import tracks
from sfa_engine.library.database import Connection, Database, change

ANALYSE = Plan(Kind.ANALYSE, title="song")


class Shop:
    """A dispatcher at work, and what was heard of him."""

    def __init__(self, queue: Queue, dispatcher: Dispatcher) -> None:
        self.queue = queue
        self.dispatcher = dispatcher
        self.heard: list[Event] = []
        self._news = asyncio.Event()
        queue.listen(self._on_event)

    def _on_event(self, event: Event) -> None:
        self.heard.append(event)
        self._news.set()

    async def put(self, *plans: Plan) -> list[int]:
        async with self.queue.database.transaction() as connection:
            numbers = await self.queue.add_chain(connection, plans)
        self.dispatcher.wake()
        return numbers

    async def until(self, number: int, *wanted: State) -> Job:
        async with asyncio.timeout(10):
            while (job := await self.queue.get(number)).state not in wanted:
                self._news.clear()
                with suppress(TimeoutError):
                    await asyncio.wait_for(self._news.wait(), 0.2)
        return job


@asynccontextmanager
async def context(
    path: Path, stage: Step, limit: int = 2, busy_s: float = 5.0
) -> AsyncIterator[Shop]:
    """Lend a dispatcher who does every job in the same way."""
    async with await Database.open(path / "library.db", busy_s=busy_s) as database:
        queue = Queue(database, "me")
        dispatcher = Dispatcher(queue, dict.fromkeys(Kind, stage), {"analysis": limit, "import": 1})
        working = asyncio.create_task(dispatcher.run())
        try:
            yield Shop(queue, dispatcher)
        finally:
            working.cancel()
            with suppress(asyncio.CancelledError):
                await working


async def nothing(_job: Job, _progress: Progress) -> Outcome:
    return Outcome({"fine": True})


def test_jobs_are_done_and_their_results_kept(tmp_path: Path) -> None:
    async def main() -> None:
        async with context(tmp_path, nothing) as here:
            (number,) = await here.put(ANALYSE)
            job = await here.until(number, State.DONE)
            assert job.result == {"fine": True}

    asyncio.run(main())


def test_no_more_run_at_once_than_the_limit(tmp_path: Path) -> None:
    running: set[int] = set()
    most = 0
    full = asyncio.Event()

    async def stage(job: Job, _progress: Progress) -> Outcome:
        nonlocal most
        running.add(job.id)
        most = max(most, len(running))
        if len(running) == 2:
            full.set()
        await full.wait()
        running.discard(job.id)
        return Outcome()

    async def main() -> None:
        async with context(tmp_path, stage) as here:
            numbers = [(await here.put(ANALYSE))[0] for _ in range(6)]
            for number in numbers:
                await here.until(number, State.DONE)

    asyncio.run(main())
    assert most == 2


def test_effects_come_with_the_end_and_what_follows_after_it(tmp_path: Path) -> None:
    async def main() -> None:
        seen: list[State] = []

        async def stage(job: Job, _progress: Progress) -> Outcome:
            async def effect(connection: Connection) -> None:
                await connection.execute("INSERT INTO playlists (name, changed_at) VALUES ('x', 0)")

            async def follow() -> None:
                seen.append((await here.queue.get(job.id)).state)

            return Outcome(effect=effect, after_commit=follow, skipped=True)

        async with context(tmp_path, stage) as here:
            (number,) = await here.put(ANALYSE)
            await here.until(number, State.SKIPPED)
            assert len(await here.queue.database.fetch("SELECT * FROM playlists")) == 1
        assert seen == [State.SKIPPED]

    asyncio.run(main())


def test_a_fault_ends_one_job_and_the_rest_goes_on(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async def stage(job: Job, _progress: Progress) -> Outcome:
        if job.title == "bad":
            raise KeyError("lost")
        return Outcome()

    async def main() -> None:
        async with context(tmp_path, stage) as here:
            (bad,) = await here.put(Plan(Kind.ANALYSE, title="bad", max_attempts=1))
            (good,) = await here.put(ANALYSE)
            assert (await here.until(good, State.DONE)).error is None
            job = await here.until(bad, State.FAILED)
            assert job.error is not None
            assert "KeyError" in job.error["message"]

    asyncio.run(main())
    assert "KeyError" in caplog.text


def test_a_cancelled_job_is_stopped_where_it_is_and_the_next_begins(tmp_path: Path) -> None:
    ended: list[str] = []

    async def stage(job: Job, _progress: Progress) -> Outcome:
        if job.title == "long":
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                ended.append(job.title)
                raise
        return Outcome()

    async def main() -> None:
        async with context(tmp_path, stage, limit=1) as here:
            (long,) = await here.put(Plan(Kind.ANALYSE, title="long"))
            (short,) = await here.put(Plan(Kind.ANALYSE, title="short"))
            await here.until(long, State.RUNNING)
            await here.queue.cancel([long])
            await here.until(short, State.DONE)
            assert (await here.queue.get(long)).state is State.CANCELLED

    asyncio.run(main())
    assert ended == ["long"]


def test_a_cancelled_job_is_done_again_only_when_it_has_come_to_its_end(tmp_path: Path) -> None:
    at_work = 0
    most = 0
    ending = asyncio.Event()
    leave = asyncio.Event()

    async def stage(_job: Job, _progress: Progress) -> Outcome:
        nonlocal at_work, most
        at_work += 1
        most = max(most, at_work)
        try:
            if not ending.is_set():
                try:
                    await asyncio.Event().wait()
                finally:
                    ending.set()
                    await leave.wait()  # a worker that takes back what it asked of a cloud
        finally:
            at_work -= 1
        return Outcome()

    async def main() -> None:
        async with context(tmp_path, stage) as here:
            (number,) = await here.put(ANALYSE)
            await here.until(number, State.RUNNING)
            await here.queue.cancel([number])
            await ending.wait()
            await here.queue.retry([number])
            here.dispatcher.wake()
            (other,) = await here.put(ANALYSE)
            await here.until(other, State.DONE)
            assert (await here.queue.get(number)).state is State.WAITING
            leave.set()
            await here.until(number, State.DONE)
            (last,) = await here.put(ANALYSE)
            await here.until(last, State.DONE)

    asyncio.run(main())
    assert most == 2  # it, and the other


def test_a_track_is_left_when_nobody_is_at_work_on_it_any_more(tmp_path: Path) -> None:
    at_work: set[int] = set()

    async def stage(job: Job, _progress: Progress) -> Outcome:
        at_work.add(job.track or 0)
        try:
            await asyncio.Event().wait()
        finally:
            await asyncio.sleep(0.05)  # a worker does not end at once
            at_work.discard(job.track or 0)
        return Outcome()

    async def main() -> None:
        async with context(tmp_path, stage) as here:
            async with here.queue.database.transaction() as connection:
                one, _ = await tracks.add(connection, "/one.wav")
                two, _ = await tracks.add(connection, "/two.wav")
            plan = Plan(Kind.ANALYSE, track=one.id)
            numbers = await here.put(plan, replace(plan, kind=Kind.CUE, needs_last=False))
            (other,) = await here.put(replace(plan, track=two.id))
            await here.until(numbers[0], State.RUNNING)
            await here.until(other, State.RUNNING)
            await asyncio.sleep(0)
            await here.dispatcher.cancel_track(one.id)
            assert at_work == {two.id}
            for number in numbers:
                assert (await here.queue.get(number)).state is State.CANCELLED

    asyncio.run(main())


@pytest.mark.slow
def test_hands_without_work_rest_while_another_queue_is_full(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    claims: list[str] = []
    claim = Queue.claim

    async def counted(self: Queue, queue: str, but: Collection[int] = ()) -> Job | None:
        claims.append(queue)
        return await claim(self, queue, but)

    async def stage(_job: Job, _progress: Progress) -> Outcome:
        await asyncio.sleep(0.2)
        return Outcome()

    async def main() -> None:
        monkeypatch.setattr(Queue, "claim", counted)
        async with context(tmp_path, stage, limit=1) as here:
            numbers = await here.put(ANALYSE, ANALYSE)
            async with here.queue.database.transaction() as connection:
                await connection.execute("UPDATE jobs SET after_id = NULL")
            await here.until(numbers[1], State.DONE)

    asyncio.run(main())
    assert claims.count("import") <= 4  # at the start, and when there is news


def test_a_failure_is_written_down_once_the_library_can_be_written_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("sfa_engine.backstage.dispatcher.DATABASE_RETRY_S", 0.02)
    held = sqlite3.connect(tmp_path / "library.db", isolation_level=None, check_same_thread=False)

    async def stage(_job: Job, _progress: Progress) -> Outcome:
        await asyncio.to_thread(held.execute, "BEGIN IMMEDIATE")
        raise MediaError("is no sound")

    async def main() -> None:
        async with context(tmp_path, stage, busy_s=0.02) as here:
            (number,) = await here.put(ANALYSE)
            said = ""
            async with asyncio.timeout(10):
                while "not recorded" not in said:
                    await asyncio.sleep(0.02)
                    said = caplog.text
            held.execute("ROLLBACK")
            job = await here.until(number, State.FAILED)
            assert job.error is not None
            assert job.error["message"] == "is no sound"

    asyncio.run(main())
    held.close()


def test_a_failed_job_is_tried_again_by_itself(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sfa_engine.backstage.job.FIRST_RETRY_S", 0.02)
    tries: list[int] = []

    async def stage(job: Job, _progress: Progress) -> Outcome:
        tries.append(job.attempts)
        if job.attempts < 3:
            raise OSError("the card was pulled")
        return Outcome()

    async def main() -> None:
        async with context(tmp_path, stage) as here:
            (number,) = await here.put(ANALYSE)
            await here.until(number, State.DONE)

    asyncio.run(main())
    assert tries == [1, 2, 3]


def test_what_follows_may_fail_without_undoing_what_was_done(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async def stage(_job: Job, _progress: Progress) -> Outcome:
        async def follow() -> None:
            raise MediaError("the folder is read-only")

        return Outcome(after_commit=follow)

    async def main() -> None:
        async with context(tmp_path, stage) as here:
            (number,) = await here.put(ANALYSE)
            await here.until(number, State.DONE)
            (again,) = await here.put(ANALYSE)
            await here.until(again, State.DONE)

    asyncio.run(main())
    assert "read-only" in caplog.text


def test_a_fault_after_one_job_ends_no_other(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async def stage(_job: Job, _progress: Progress) -> Outcome:
        async def follow() -> None:
            raise KeyError("lost")

        return Outcome(after_commit=follow)

    async def main() -> None:
        async with context(tmp_path, stage) as here:
            for _ in range(3):
                (number,) = await here.put(ANALYSE)
                await here.until(number, State.DONE)

    asyncio.run(main())
    assert "KeyError" in caplog.text


def test_an_end_that_a_job_makes_an_error_of_is_an_end_all_the_same(tmp_path: Path) -> None:
    begun: list[int] = []

    async def stage(job: Job, _progress: Progress) -> Outcome:
        begun.append(job.id)
        try:
            await asyncio.sleep(3600)
        except asyncio.CancelledError:
            raise WorkerError("the library is locked") from None
        return Outcome()

    async def main() -> None:
        async with context(tmp_path, stage, limit=1) as here:
            numbers = await here.put(ANALYSE, ANALYSE, ANALYSE)
            await here.until(numbers[0], State.RUNNING)

    asyncio.run(asyncio.wait_for(main(), 60))
    assert len(begun) == 1


def test_it_stops_when_it_is_woken_and_cancelled_at_once(tmp_path: Path) -> None:
    async def main() -> None:
        async with await Database.open(tmp_path / "library.db") as database:
            queue = Queue(database, "me")
            dispatcher = Dispatcher(queue, {Kind.ANALYSE: nothing}, {"analysis": 1})
            async with database.transaction() as connection:
                await queue.add_chain(connection, [ANALYSE])
                await change(connection, "UPDATE jobs SET due_s = ?", (queue.now() + 300.0,))
            running = asyncio.create_task(dispatcher.run())
            await asyncio.sleep(0.1)  # it waits for the job's time
            dispatcher.wake()
            running.cancel()
            done, _ = await asyncio.wait([running], timeout=5.0)
            assert done == {running}

    asyncio.run(main())
