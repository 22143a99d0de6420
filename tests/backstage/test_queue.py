"""The job queue on a real database: order, chains, retries, cancelling, rescue."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sfa_engine.backstage.job import (
    FIRST_RETRY_S,
    MAX_RETRY_S,
    Job,
    Kind,
    Plan,
    State,
    backoff_s,
)
from sfa_engine.backstage.queue import Event, Queue, StaleError
from sfa_engine.backstage.runner import error_of
from sfa_engine.errors import LibraryError, MediaError, Refused, SfaError, WorkerError
from sfa_engine.library import tracks
from sfa_engine.library.database import Database

IMPORT, SEPARATE, ANALYSE, CUE = (
    Plan(Kind.IMPORT, title="song"),
    Plan(Kind.SEPARATE),
    Plan(Kind.ANALYSE),
    Plan(Kind.CUE, needs_last=True),
)


@dataclass
class Clock:
    """Time that passes when a test says so."""

    now_s: float = 1_000_000.0

    def __call__(self) -> float:
        return self.now_s


@asynccontextmanager
async def opened(path: Path, owner: str = "one") -> AsyncIterator[tuple[Queue, Clock]]:
    clock = Clock()
    async with await Database.open(path / "library.db") as database:
        yield Queue(database, owner, clock, random.Random(1)), clock


def with_queue(path: Path, body: Callable[[Queue, Clock], Awaitable[None]]) -> None:
    async def main() -> None:
        async with opened(path) as (queue, clock):
            await body(queue, clock)

    asyncio.run(main())


async def put(queue: Queue, *plans: Plan, batch: str = "") -> list[int]:
    async with queue.database.transaction() as connection:
        return await queue.add_chain(connection, plans, batch)


async def take(queue: Queue, name: str) -> Job:
    job = await queue.claim(name)
    assert job is not None
    return job


async def finish(queue: Queue, job: Job, **result: Any) -> None:
    async with queue.database.transaction(durable=False) as connection:
        await queue.finish(connection, job, result)


async def insert_and_finish(queue: Queue, job: Job) -> None:
    async with queue.database.transaction() as connection:
        await connection.execute("INSERT INTO playlists (name, changed_at) VALUES ('x', 0)")
        await queue.finish(connection, job, {})


async def states(queue: Queue, numbers: list[int]) -> list[State]:
    return [(await queue.get(number)).state for number in numbers]


def test_a_chain_is_worked_off_in_its_order(tmp_path: Path) -> None:
    async def body(queue: Queue, _: Clock) -> None:
        numbers = await put(queue, IMPORT, SEPARATE, ANALYSE, CUE)
        assert await queue.claim("analysis") is None
        for name, number in zip(
            ("import", "separation", "analysis", "import"), numbers, strict=True
        ):
            job = await take(queue, name)
            assert (job.id, job.state, job.attempts) == (number, State.RUNNING, 1)
            assert await queue.claim(name) is None
            await finish(queue, job, fine=True)
        assert await states(queue, numbers) == [State.DONE] * 4
        assert (await queue.get(numbers[0])).result == {"fine": True}

    with_queue(tmp_path, body)


def test_the_higher_priority_is_earlier_and_equals_are_in_order(tmp_path: Path) -> None:
    async def body(queue: Queue, _: Clock) -> None:
        (low,) = await put(queue, IMPORT)
        (first,) = await put(queue, replace(IMPORT, priority=5))
        (second,) = await put(queue, replace(IMPORT, priority=5))
        assert [(await take(queue, "import")).id for _ in range(3)] == [first, second, low]

    with_queue(tmp_path, body)


def test_a_job_that_an_older_program_queued_has_its_arguments_by_their_present_names(
    tmp_path: Path,
) -> None:
    async def body(queue: Queue, _: Clock) -> None:
        await put(queue, replace(IMPORT, args={"path": "/a.mp3", "told": {"title": "A"}}))
        job = await take(queue, "import")
        assert job.args == {"path": "/a.mp3", "metadata": {"title": "A"}}

    with_queue(tmp_path, body)


def test_a_unique_job_is_there_once_while_it_lives(tmp_path: Path) -> None:
    async def body(queue: Queue, _: Clock) -> None:
        once = replace(IMPORT, unique="import:/song.wav")
        (first,) = await put(queue, once)
        assert await put(queue, once) == [first]
        job = await take(queue, "import")
        assert await put(queue, once) == [first]
        await finish(queue, job)
        (again,) = await put(queue, once)
        assert again != first

    with_queue(tmp_path, body)


def test_a_failed_attempt_waits_longer_each_time_and_the_last_ends_it(tmp_path: Path) -> None:
    async def body(queue: Queue, clock: Clock) -> None:
        (number,) = await put(queue, replace(IMPORT, max_attempts=3))
        waits = []
        for attempt in (1, 2, 3):
            job = await take(queue, "import")
            assert job.attempts == attempt
            await queue.fail(job, WorkerError("crashed", "try again"))
            job = await queue.get(number)
            assert job.error == {"code": "worker", "message": "crashed", "hint": "try again"}
            if attempt < 3:
                assert job.state is State.WAITING
                assert await queue.claim("import") is None
                assert await queue.next_due_s("import") == job.due_s
                waits.append(job.due_s - clock.now_s)
                clock.now_s = job.due_s
        assert job.state is State.FAILED
        assert FIRST_RETRY_S / 2 <= waits[0] <= FIRST_RETRY_S
        assert FIRST_RETRY_S <= waits[1] <= 2 * FIRST_RETRY_S

    with_queue(tmp_path, body)


@given(st.integers(2, 1000), st.integers())
def test_a_wait_is_within_its_bounds(attempt: int, seed: int) -> None:
    wait_s = backoff_s(attempt, random.Random(seed))
    assert FIRST_RETRY_S / 2 <= wait_s <= MAX_RETRY_S


@pytest.mark.parametrize(
    "error",
    [
        Refused("no such engine"),
        MediaError("is no sound"),
        error_of({"code": "taken", "message": "LALAL.AI could not do it"}),
    ],
)
def test_what_would_fail_again_is_not_tried_again(tmp_path: Path, error: SfaError) -> None:
    async def body(queue: Queue, _: Clock) -> None:
        (number,) = await put(queue, IMPORT)
        await queue.fail(await take(queue, "import"), error)
        assert (await queue.get(number)).state is State.FAILED

    with_queue(tmp_path, body)


def test_a_failure_cancels_what_needs_it_and_nothing_else(tmp_path: Path) -> None:
    async def body(queue: Queue, _: Clock) -> None:
        numbers = await put(queue, SEPARATE, ANALYSE, CUE)
        await queue.fail(await take(queue, "separation"), MediaError("no model"))
        job = await take(queue, "analysis")  # goes on with the whole mix
        await queue.fail(job, MediaError("no sound"))
        assert await states(queue, numbers) == [State.FAILED, State.FAILED, State.CANCELLED]
        error = (await queue.get(numbers[2])).error
        assert error is not None
        assert error["message"] == f"job {numbers[1]} did not succeed"

    with_queue(tmp_path, body)


def test_retry_brings_back_what_was_cancelled_with_it(tmp_path: Path) -> None:
    async def body(queue: Queue, _: Clock) -> None:
        numbers = await put(queue, ANALYSE, CUE)
        await queue.fail(await take(queue, "analysis"), MediaError("no sound"))
        assert await queue.retry([numbers[0]]) == numbers
        assert await states(queue, numbers) == [State.WAITING] * 2
        assert (await queue.get(numbers[0])).attempts == 0
        with pytest.raises(Refused, match="is waiting"):
            await queue.retry([numbers[0]])
        with pytest.raises(Refused, match="no job 999"):
            await queue.retry([999])

    with_queue(tmp_path, body)


def test_jobs_are_cancelled_and_retried_all_or_none(tmp_path: Path) -> None:
    async def body(queue: Queue, _: Clock) -> None:
        numbers = await put(queue, ANALYSE, CUE)
        with pytest.raises(Refused, match="no job 999"):
            await queue.cancel([*numbers, 999])
        assert await states(queue, numbers) == [State.WAITING] * 2
        assert await queue.cancel(numbers) == numbers
        with pytest.raises(Refused, match="no job 999"):
            await queue.retry([numbers[0], 999])
        assert await states(queue, numbers) == [State.CANCELLED] * 2
        assert await queue.retry([*numbers, numbers[0]]) == numbers  # the second with the first
        assert await states(queue, numbers) == [State.WAITING] * 2

    with_queue(tmp_path, body)


def test_what_is_cancelled_together_comes_back_together(tmp_path: Path) -> None:
    async def body(queue: Queue, _: Clock) -> None:
        numbers = await put(queue, ANALYSE, CUE)
        assert await queue.cancel(numbers) == numbers
        assert await queue.retry([numbers[0]]) == numbers
        assert await queue.cancel([numbers[1]]) == [numbers[1]]
        assert await queue.cancel([numbers[0]]) == [numbers[0]]
        assert await queue.retry([numbers[0]]) == [numbers[0]]  # the other was not meant

    with_queue(tmp_path, body)


def test_a_failure_is_noted_on_its_track_in_the_same_transaction(tmp_path: Path) -> None:
    async def body(queue: Queue, _: Clock) -> None:
        async with queue.database.transaction() as connection:
            track, _is_new = await tracks.add(connection, "/song.wav")
        (number,) = await put(queue, replace(ANALYSE, track=track.id))
        await queue.fail(await take(queue, "analysis"), MediaError("half \ud800 a letter"))
        async with queue.database.reading() as connection:
            told = await tracks.get(connection, track.id)
        assert (told.state, told.problem) == ("failed", "analyse: half ? a letter")
        assert (await queue.get(number)).state is State.FAILED

    with_queue(tmp_path, body)


def test_two_jobs_are_never_at_work_on_one_track(tmp_path: Path) -> None:
    async def body(queue: Queue, _: Clock) -> None:
        async with queue.database.transaction() as connection:
            one, _is_new = await tracks.add(connection, "/one.wav")
            two, _is_new = await tracks.add(connection, "/two.wav")
        await put(queue, replace(SEPARATE, track=one.id))
        (later,) = await put(queue, replace(ANALYSE, track=one.id))
        separating = await take(queue, "separation")
        assert await queue.claim("analysis") is None
        assert await queue.next_due_s("analysis") is None
        (other,) = await put(queue, replace(ANALYSE, track=two.id))
        assert (await take(queue, "analysis")).id == other
        await finish(queue, separating)
        assert await queue.next_due_s("analysis") is not None
        assert (await take(queue, "analysis")).id == later

    with_queue(tmp_path, body)


def test_only_what_waits_in_its_own_queue_becomes_due_for_a_hand(tmp_path: Path) -> None:
    async def body(queue: Queue, _: Clock) -> None:
        await put(queue, SEPARATE)
        assert await queue.next_due_s("import") is None
        assert await queue.next_due_s("separation") is not None

    with_queue(tmp_path, body)


def test_a_cancelled_attempt_has_no_effect_when_it_comes_back(tmp_path: Path) -> None:
    async def body(queue: Queue, _: Clock) -> None:
        (number,) = await put(queue, IMPORT)
        job = await take(queue, "import")
        assert await queue.cancel([number]) == [number]
        with pytest.raises(StaleError):
            await finish(queue, job)
        await queue.fail(job, WorkerError("killed"))
        assert await states(queue, [number]) == [State.CANCELLED]
        assert await queue.cancel([number]) == []

    with_queue(tmp_path, body)


def test_an_effect_and_the_end_of_its_job_are_one(tmp_path: Path) -> None:
    async def body(queue: Queue, _: Clock) -> None:
        (number,) = await put(queue, IMPORT)
        job = await take(queue, "import")
        await queue.cancel([number])
        with pytest.raises(StaleError):
            await insert_and_finish(queue, job)
        assert not await queue.database.fetch("SELECT * FROM playlists")

    with_queue(tmp_path, body)


def test_jobs_of_a_backstage_that_died_wait_again_and_lose_no_attempt(tmp_path: Path) -> None:
    async def main() -> None:
        async with opened(tmp_path, "before") as (queue, _):
            numbers = await put(queue, IMPORT)
            lost = await take(queue, "import")
            assert await queue.rescue() == []
        async with opened(tmp_path, "after") as (queue, _):
            assert [job.id for job in await queue.rescue()] == numbers
            job = await take(queue, "import")
            assert (job.id, job.attempts) == (lost.id, 1)
            await finish(queue, job)

    asyncio.run(main())


def test_old_jobs_are_forgotten_and_young_or_needed_ones_kept(tmp_path: Path) -> None:
    async def body(queue: Queue, clock: Clock) -> None:
        (old,) = await put(queue, IMPORT)
        await finish(queue, await take(queue, "import"))
        (needed, _) = await put(queue, replace(IMPORT, unique="x"), SEPARATE)
        await finish(queue, await take(queue, "import"))
        clock.now_s += 8 * 86_400
        (young,) = await put(queue, IMPORT)
        await finish(queue, await take(queue, "import"))
        assert await queue.prune() == 1
        with pytest.raises(Refused):
            await queue.get(old)
        assert await states(queue, [needed, young]) == [State.DONE] * 2

    with_queue(tmp_path, body)


def test_listeners_hear_of_every_change(tmp_path: Path) -> None:
    async def body(queue: Queue, _: Clock) -> None:
        heard: list[Event] = []
        end = queue.listen(heard.append)
        await put(queue, IMPORT, batch="b")
        job = await take(queue, "import")
        queue.notify_progress(job, 0.5, "reading")
        await finish(queue, job)
        queue.notify_ended(await queue.get(job.id))
        end()
        await put(queue, IMPORT)
        await take(queue, "import")
        assert [(e.state, e.progress, e.doing, e.batches) for e in heard] == [
            (State.RUNNING, 0.0, "", ("b",)),
            (State.RUNNING, 0.5, "reading", ("b",)),
            (State.DONE, 1.0, "", ("b",)),
        ]

    with_queue(tmp_path, body)


def test_lists_are_by_state_and_batch(tmp_path: Path) -> None:
    async def body(queue: Queue, _: Clock) -> None:
        numbers = await put(queue, IMPORT, SEPARATE, batch="a")
        await put(queue, IMPORT)
        await take(queue, "import")
        assert [job.id for job in await queue.list(batch="a")] == numbers[::-1]
        assert [job.id for job in await queue.list([State.RUNNING])] == numbers[:1]
        assert (await queue.counts())["waiting"] == 2
        assert [job.id for job in await queue.list(before=numbers[1])] == numbers[:1]
        assert await queue.list(before=numbers[0]) == []

    with_queue(tmp_path, body)


def test_two_who_ask_for_the_same_wait_for_the_same_jobs(tmp_path: Path) -> None:
    async def body(queue: Queue, _: Clock) -> None:
        asked = replace(IMPORT, unique="import:one")
        (number,) = await put(queue, asked, batch="a")
        assert await put(queue, asked, batch="b") == [number]
        async with queue.database.transaction() as connection:
            await queue.add_chain(connection, [SEPARATE], after=number)
        for batch in ("a", "b"):
            assert len(await queue.list(batch=batch)) == 2
        assert (await queue.get(number)).batches == ("a", "b")

    with_queue(tmp_path, body)


def test_two_claimers_never_get_the_same_job(tmp_path: Path) -> None:
    async def main() -> None:
        async with opened(tmp_path, "one") as (one, _), opened(tmp_path, "two") as (two, _):
            await put(one, *(replace(IMPORT, unique=None) for _ in range(1)))
            for _ in range(19):
                await put(one, IMPORT)
            claimed = await asyncio.gather(*(q.claim("import") for q in (one, two) * 12))
            numbers = [job.id for job in claimed if job is not None]
            assert len(numbers) == len(set(numbers)) == 20

    asyncio.run(main())


def test_many_at_once_are_taken_as_one_by_one(tmp_path: Path) -> None:
    async def body(queue: Queue, _: Clock) -> None:
        plans = [replace(IMPORT, unique=f"import:{name}") for name in "abca"]
        (there,) = await put(queue, plans[1], batch="before")
        await take(queue, "import")
        async with queue.database.transaction() as connection:
            numbers = await queue.add_all(connection, plans, "all")
            assert await queue.add_all(connection, [], "none") == []
        assert len(numbers) == 3
        assert numbers == [job.id for job in (await queue.list(batch="all"))[::-1]]
        assert (await queue.get(there)).batches == ("all", "before")
        assert (await queue.get(numbers[-1])).args == dict(plans[0].args)

    with_queue(tmp_path, body)


def test_of_two_that_are_the_same_one_is_retried(tmp_path: Path) -> None:
    async def body(queue: Queue, _: Clock) -> None:
        asked = replace(ANALYSE, unique="analyse:1")
        (first,) = await put(queue, asked)
        await queue.cancel([first])
        second, cue = await put(queue, asked, CUE)
        await queue.cancel([second])
        assert await queue.retry([second, first]) == [first, cue]
        assert await states(queue, [first, second, cue]) == [
            State.WAITING, State.CANCELLED, State.WAITING,
        ]  # fmt: skip

    with_queue(tmp_path, body)


async def is_told_who_is_held(queue: Queue) -> bool:
    """Return whether each job is held exactly while the one before it waits or runs."""
    wrong = await queue.database.fetch(
        "SELECT jobs.id FROM jobs LEFT JOIN jobs AS last ON last.id = jobs.after_id"
        " WHERE jobs.held != (last.id IS NOT NULL AND last.state IN ('waiting', 'running'))"
    )
    return not wrong


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(8))
def test_a_job_is_held_while_the_one_before_it_has_not_ended(tmp_path: Path, seed: int) -> None:
    rng = random.Random(seed)

    async def body(queue: Queue, clock: Clock) -> None:
        seen: set[str] = set()
        await put(queue, IMPORT)
        for _ in range(120):
            known = [int(row[0]) for row in await queue.database.fetch("SELECT id FROM jobs")]
            some = rng.sample(known, min(3, len(known)))
            what = rng.choice(
                ["put", "finish", "fail", "cancel", "retry", "prune", "again", "forget"]
            )
            if what == "put":
                await put(queue, *rng.sample([IMPORT, SEPARATE, ANALYSE, CUE], 3))
            elif what in {"finish", "fail"}:
                job = await queue.claim(rng.choice(["import", "separation", "analysis"]))
                if job and what == "finish":
                    await finish(queue, job)
                elif job:
                    why = rng.choice([WorkerError("killed"), MediaError("no sound")])
                    await queue.fail(job, why)
            elif what == "cancel":
                await queue.cancel(some)
            elif what == "retry":
                with suppress(Refused):
                    await queue.retry(some)
            elif what == "prune":
                await queue.prune(5.0)
            elif what == "forget":
                async with queue.database.transaction() as connection:
                    await connection.execute(
                        "DELETE FROM jobs WHERE id = ?", (rng.choice([*known, 0]),)
                    )
            elif await queue.claim("import"):
                queue.owner += "'"
                await queue.rescue()
            clock.now_s += 3.0
            assert await is_told_who_is_held(queue)
            seen |= {state for state, count in (await queue.counts()).items() if count}
        assert seen >= {"waiting", "done", "cancelled"}

    with_queue(tmp_path, body)


async def work_of(queue: Queue, asked: Callable[[], Awaitable[Any]]) -> int:
    """Return how many hundreds of instructions of SQLite's machine something takes."""
    steps = 0

    def count() -> int:
        nonlocal steps
        steps += 1
        return 0

    connections = (queue.database._reader, queue.database._writer)
    for connection in connections:
        await connection.set_progress_handler(count, 100)
    await asked()
    for connection in connections:
        await connection.set_progress_handler(None, 0)
    return steps


@pytest.mark.slow
def test_the_next_job_takes_the_same_work_however_many_wait(tmp_path: Path) -> None:
    async def body(queue: Queue, _: Clock) -> None:
        work: dict[str, list[int]] = {}
        for many in (20, 2000):
            async with queue.database.transaction(durable=False) as connection:
                for _ in range(many):
                    await queue.add_chain(connection, [SEPARATE, ANALYSE, CUE])
            job = await take(queue, "separation")
            (late,) = await put(queue, SEPARATE)
            for name, asked in {
                "what is there": lambda: queue.claim("separation"),
                "what is held": lambda: queue.claim("analysis"),
                "when": lambda: queue.next_due_s("import"),
                "the end": lambda done=job: finish(queue, done),
                "what follows": lambda: queue.claim("analysis"),
                "taken back": lambda number=late: queue.cancel([number]),
                "again": lambda number=late: queue.retry([number]),
            }.items():
                work.setdefault(name, []).append(await work_of(queue, asked))
        assert {name: few for name, (few, many) in work.items() if many > few + 10} == {}

    with_queue(tmp_path, body)


def test_a_library_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    async def main() -> None:
        (tmp_path / "library.db").write_bytes(b"no database at all, but long enough to be one" * 40)
        with pytest.raises(LibraryError):
            async with opened(tmp_path):
                pass

    asyncio.run(main())


def test_a_job_that_waits_is_raised_to_the_priority_that_it_is_asked_for_with(tmp_path: Path):
    async def body(queue: Queue, _clock: Clock) -> None:
        first, second = [replace(IMPORT, unique=name) for name in "ab"]
        a, b = await put(queue, first) + await put(queue, second)
        assert await put(queue, replace(second, priority=100)) == [b]
        assert await put(queue, second) == [b]  # lowers nothing
        async with queue.database.transaction() as connection:
            await queue.add_all(connection, [replace(first, priority=3)], "batch")
        found = {job.id: job.priority for job in await queue.list()}
        assert found == {a: 3, b: 100}
        assert (await take(queue, "import")).id == b
        await put(queue, replace(second, priority=101))
        assert (await queue.get(b)).priority == 100  # it runs already

    with_queue(tmp_path, body)
