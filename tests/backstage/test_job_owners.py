"""For whom jobs are: accounts that wait for one job, leaving it, what the machine asks for too."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest
from house import prep_context

from sfa_engine.backstage.access import JobOwners
from sfa_engine.backstage.job import Kind, Plan, State
from sfa_engine.backstage.queue import Event, Queue
from sfa_engine.backstage.verbs.jobs import JobVerbs
from sfa_engine.errors import Absent, Forbidden, Refused
from sfa_engine.library.ownership import MACHINE
from sfa_engine.wire.rights import SYSTEM, Actor
from sfa_engine.wire.verbs import SCOPES

ANN, BOB, MOD = 7, 8, 9
PLAN = Plan(Kind.IMPORT, title="a", unique="link:a")
AFTER = Plan(Kind.ANALYSE, title="a", unique="analyse:1", needs_last=True)


def actor(account: int, role: Any = "user") -> Actor:
    return Actor(account, role, SCOPES)


class Waker:
    """In place of the dispatcher: no job runs here."""

    def wake(self) -> None:
        """Do nothing."""


def run(tmp_path: Path, scenario: Any) -> None:
    async def main() -> None:
        async with prep_context(tmp_path) as context:
            await scenario(context.queue, JobVerbs(context.queue, Waker()))  # type: ignore[arg-type]

    asyncio.run(main())


async def add(queue: Queue, account: int, *plans: Plan, after: int | None = None) -> list[int]:
    async with queue.database.transaction() as connection:
        return await queue.add_chain(connection, plans or (PLAN,), "b", after, account)


async def owners(queue: Queue, number: int) -> tuple[int, set[int]]:
    job = await queue.get(number)
    return job.account, set(job.accounts)


@pytest.mark.parametrize("by", ["chain", "all"])
def test_two_accounts_wait_for_one_job_and_each_may_leave(tmp_path: Path, by: str) -> None:
    async def scenario(queue: Queue, verbs: JobVerbs) -> None:
        async def ask(account: int) -> int:
            if by == "chain":
                return (await add(queue, account))[0]
            async with queue.database.transaction() as connection:
                return (await queue.add_all(connection, [PLAN], f"b{account}", account))[0]

        number = await ask(ANN)
        assert await owners(queue, number) == (ANN, {ANN})
        assert await ask(BOB) == number
        assert await owners(queue, number) == (ANN, {ANN, BOB})
        assert (await verbs.jobs_cancel([number], actor=actor(ANN)))["count"] == 0
        assert await owners(queue, number) == (BOB, {BOB})
        with pytest.raises(Absent, match=f"no job {number}"):
            await verbs.jobs_cancel([number], actor=actor(ANN))
        assert (await queue.get(number)).state is State.WAITING
        assert (await verbs.jobs_cancel([number], actor=actor(BOB)))["jobs"] == [number]
        assert (await queue.get(number)).state is State.CANCELLED

    run(tmp_path, scenario)


@pytest.mark.parametrize("by", ["chain", "all"])
def test_what_the_machine_asks_for_too_is_the_machines(tmp_path: Path, by: str) -> None:
    async def scenario(queue: Queue, verbs: JobVerbs) -> None:
        (number,) = await add(queue, ANN)
        if by == "chain":
            await add(queue, 0)
        else:
            async with queue.database.transaction() as connection:
                await queue.add_all(connection, [PLAN], "c")
        assert await owners(queue, number) == (0, {ANN})
        assert (await verbs.jobs_show(number, actor=actor(BOB)))["account"] == 0
        with pytest.raises(Forbidden, match="the machine's"):
            await verbs.jobs_cancel([number], actor=actor(BOB))
        await verbs.jobs_cancel([number], actor=actor(ANN))  # leaves it
        assert await owners(queue, number) == (0, set())
        assert (await queue.get(number)).state is State.WAITING

    run(tmp_path, scenario)


def test_none_is_left_where_one_may_not_be_cancelled(tmp_path: Path) -> None:
    async def scenario(queue: Queue, verbs: JobVerbs) -> None:
        (shared,) = await add(queue, ANN)
        await add(queue, BOB)
        (machines,) = await add(queue, MACHINE, Plan(Kind.IMPORT, title="m", unique="link:m"))
        with pytest.raises(Forbidden, match=f"job {machines} is the machine's"):
            await verbs.jobs_cancel([shared, machines], actor=actor(ANN))
        with pytest.raises(Refused, match="no job 99"):
            await verbs.jobs_cancel([shared, 99], actor=actor(ANN, "admin"))
        assert await owners(queue, shared) == (ANN, {ANN, BOB})

    run(tmp_path, scenario)


def test_what_comes_after_a_job_is_for_the_same_accounts(tmp_path: Path) -> None:
    async def scenario(queue: Queue, verbs: JobVerbs) -> None:
        first, second = await add(queue, ANN, PLAN, AFTER)
        await add(queue, BOB)
        (third,) = await add(queue, 0, Plan(Kind.CUE, unique="cue:1"), after=first)
        assert await owners(queue, second) == (ANN, {ANN})
        assert await owners(queue, third) == (ANN, {ANN, BOB})
        await verbs.jobs_cancel([first], actor=actor(ANN))
        assert await owners(queue, third) == (BOB, {BOB})

    run(tmp_path, scenario)


def test_all_means_ones_own(tmp_path: Path) -> None:
    async def scenario(queue: Queue, verbs: JobVerbs) -> None:
        jobs = {
            account: (await add(queue, account, Plan(Kind.IMPORT, unique=f"link:{account}")))[0]
            for account in (0, ANN, BOB)
        }
        done = await verbs.jobs_cancel(everything=True, actor=actor(ANN))
        assert done["jobs"] == [jobs[ANN]]
        done = await verbs.jobs_cancel(everything=True, actor=actor(MOD, "moderator"))
        assert done["jobs"] == []
        with pytest.raises(Forbidden, match="another account's"):
            await verbs.jobs_cancel([jobs[BOB]], actor=actor(MOD, "moderator"))
        done = await verbs.jobs_cancel(everything=True, actor=SYSTEM)
        assert done["jobs"] == [jobs[0], jobs[BOB]]
        done = await verbs.jobs_retry([jobs[ANN]], actor=actor(ANN))
        assert done["jobs"] == [jobs[ANN]]

    run(tmp_path, scenario)


def test_events_name_the_accounts_of_a_job(tmp_path: Path) -> None:
    async def scenario(queue: Queue, _verbs: JobVerbs) -> None:
        heard: list[Event] = []
        queue.listen(heard.append)
        (number,) = await add(queue, ANN)
        await add(queue, BOB)
        await queue.cancel([number])
        (event,) = heard
        of = JobOwners(event.account, event.accounts)
        seen = [of.seen_by(each) for each in (actor(ANN), actor(BOB), actor(6), SYSTEM)]
        assert seen == [True, True, False, True]
        assert of.seen_by(actor(MOD, "moderator"))

    run(tmp_path, scenario)
