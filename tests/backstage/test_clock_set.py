"""A clock that is set back or forward neither stops the queue nor deletes anything."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
from house import prep_context

from sfa_engine.backstage import housekeeping
from sfa_engine.backstage.job import MAX_RETRY_S, Kind, Plan, State
from sfa_engine.backstage.queue import Queue
from sfa_engine.backstage.steps.clean import Clean
from sfa_engine.errors import MediaError, WorkerError
from sfa_engine.library import tracks as library_tracks
from sfa_engine.library import trash
from sfa_engine.library.database import Database, change
from sfa_engine.library.trash import MAX_GAP_S

HOUR_S = 3600.0
DAY_S = 86_400.0
IMPORT = Plan(Kind.IMPORT)


class Clock:
    """A clock that a test sets."""

    now_s = 1_700_000_000.0

    def __call__(self) -> float:
        return self.now_s


def with_queue(path: Path, body: Callable[[Queue, Clock], Awaitable[None]]) -> None:
    async def main() -> None:
        clock = Clock()
        async with await Database.open(path / "library.db") as database:
            await body(Queue(database, "one", clock, random.Random(1)), clock)

    asyncio.run(main())


async def put(queue: Queue) -> int:
    async with queue.database.transaction() as connection:
        (number,) = await queue.add_chain(connection, [IMPORT])
    return number


@pytest.mark.parametrize("back_s", [1.0, 60.0, MAX_RETRY_S, 5 * HOUR_S, 3650 * DAY_S])
def test_what_was_queued_before_the_clock_was_set_back_is_due(tmp_path: Path, back_s: float):
    async def body(queue: Queue, clock: Clock) -> None:
        number = await put(queue)
        clock.now_s -= back_s
        job = await queue.claim("import")
        assert job is not None
        assert job.id == number

    with_queue(tmp_path, body)


def test_a_back_off_ends_within_its_longest_time_although_the_clock_is_set_back(tmp_path: Path):
    async def body(queue: Queue, clock: Clock) -> None:
        await put(queue)
        job = await queue.claim("import")
        assert job is not None
        await queue.fail(job, WorkerError("crashed"))
        assert await queue.claim("import") is None
        clock.now_s -= 5 * HOUR_S
        assert await queue.claim("import") is not None

    with_queue(tmp_path, body)


def test_a_job_of_an_older_release_that_is_due_in_hours_is_done(tmp_path: Path):
    async def body(queue: Queue, clock: Clock) -> None:
        await put(queue)
        async with queue.database.transaction() as connection:
            await change(connection, "UPDATE jobs SET due_s = ?", (clock.now_s + 5 * HOUR_S,))
        assert await queue.claim("import") is not None

    with_queue(tmp_path, body)


def test_a_job_that_waits_for_its_next_attempt_can_be_retried_at_once(tmp_path: Path):
    async def body(queue: Queue, _clock: Clock) -> None:
        number = await put(queue)
        job = await queue.claim("import")
        assert job is not None
        await queue.fail(job, WorkerError("crashed"))
        assert 0.0 < queue.wait_s(await queue.get(number)) <= 2.0
        assert await queue.retry([number]) == [number]
        assert queue.wait_s(await queue.get(number)) == 0.0
        assert await queue.claim("import") is not None

    with_queue(tmp_path, body)


def test_a_retried_job_is_due_although_the_clock_is_set_back(tmp_path: Path):
    async def body(queue: Queue, clock: Clock) -> None:
        number = await put(queue)
        job = await queue.claim("import")
        assert job is not None
        await queue.fail(job, MediaError("no sound"))
        await queue.retry([number])
        clock.now_s -= MAX_RETRY_S / 2
        assert await queue.claim("import") is not None

    with_queue(tmp_path, body)


def clean_nights(path: Path, nights: list[float]) -> tuple[int, int]:
    """Clean up at some times of the clock; return how many removed tracks and jobs are left."""

    async def main() -> tuple[int, int]:
        async with prep_context(path) as context:
            clock = Clock()
            context.queue.now = clock
            async with context.database.transaction() as connection:
                track, _ = await library_tracks.add(connection, "/m/x")
                await context.queue.add_chain(connection, [Plan(Kind.ANALYSE)])
            await trash.remove(context.database, context.places, track.id)
            async with context.database.transaction() as connection:
                await change(connection, "UPDATE tracks SET deleted_at = ?", (clock.now_s,))
            job = await context.queue.claim("analysis")
            assert job is not None
            async with context.database.transaction() as connection:
                await context.queue.finish(connection, job, {})
            for now_s in nights:
                clock.now_s = Clock.now_s + now_s
                async with context.database.transaction() as connection:
                    await context.queue.add_chain(connection, [Plan(Kind.CLEAN)])
                cleaning = await context.queue.claim("import")
                assert cleaning is not None
                await Clean(context)(cleaning, lambda _share, _doing: None)
                async with context.database.transaction() as connection:
                    await context.queue.finish(connection, cleaning, {})
            async with context.database.reading() as connection:
                left = await trash.count(connection)
            jobs = await context.queue.list([State.DONE])
            return left, sum(each.kind is Kind.ANALYSE for each in jobs)

    return asyncio.run(main())


@pytest.mark.slow
def test_a_clock_set_forward_by_years_deletes_nothing(tmp_path: Path):
    assert clean_nights(tmp_path, [DAY_S, 3650 * DAY_S]) == (1, 1)


@pytest.mark.slow
def test_a_clock_set_forward_and_back_again_deletes_nothing(tmp_path: Path):
    assert clean_nights(tmp_path, [DAY_S, 3650 * DAY_S, 2 * DAY_S, 3 * DAY_S]) == (1, 1)


@pytest.mark.slow
def test_what_was_in_the_trash_for_a_month_of_nights_goes(tmp_path: Path):
    assert clean_nights(tmp_path, [n * DAY_S for n in range(1, 31)]) == (1, 0)
    assert clean_nights(tmp_path / "more", [n * DAY_S for n in range(1, 32)]) == (0, 0)


@pytest.mark.slow
def test_a_machine_that_runs_at_weekends_empties_its_trash_too(tmp_path: Path):
    assert clean_nights(tmp_path, [n * MAX_GAP_S for n in range(1, 7)]) == (0, 0)


@pytest.mark.parametrize(("last_s", "cleans"), [(-2 * DAY_S, 1), (-HOUR_S, 0), (5 * DAY_S, 1)])
def test_a_clean_up_is_due_when_the_last_was_long_ago_or_by_another_clock(
    monkeypatch: pytest.MonkeyPatch, last_s: float, cleans: int
):
    monkeypatch.setattr(housekeeping, "MISSED_DELAY_S", 0.0)
    monkeypatch.setattr(housekeeping.time, "time", lambda: Clock.now_s)
    cleaned = []

    async def clean() -> None:
        cleaned.append(True)

    async def main() -> None:
        keeping = asyncio.create_task(housekeeping.clean_nightly(Clock.now_s + last_s, clean))
        for _ in range(5):
            await asyncio.sleep(0)
        keeping.cancel()

    asyncio.run(main())
    assert len(cleaned) == cleans
