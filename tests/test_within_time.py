"""Work that may block for ever, as on a mount that hangs, stops neither loop nor program."""

from __future__ import annotations

import asyncio
import threading
import time

import pytest

from sfa_engine.system import aio
from sfa_engine.system.aio import within_time


def test_its_result_and_its_errors_are_told() -> None:
    assert asyncio.run(within_time(5.0, divmod, 7, 2)) == (3, 1)
    with pytest.raises(ZeroDivisionError):
        asyncio.run(within_time(5.0, divmod, 7, 0))


def test_what_hangs_is_left_behind_in_time_and_others_go_on() -> None:
    leave = threading.Event()

    async def main() -> None:
        hung = [asyncio.create_task(within_time(0.2, leave.wait)) for _ in range(12)]
        assert await within_time(5.0, divmod, 7, 2) == (3, 1)
        for task in hung:
            with pytest.raises(TimeoutError):
                await task

    began = time.monotonic()
    asyncio.run(main())
    assert time.monotonic() - began < 5.0
    leave.set()


def test_of_those_that_hang_there_are_not_more_and_more(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(aio, "MAX_HUNG", 3)
    monkeypatch.setattr(aio, "_abandoned", {})  # what other tests left behind may still hang
    leave = threading.Event()

    async def main() -> None:
        for number in range(3):
            with pytest.raises(TimeoutError):
                await within_time(0.01, leave.wait, 60.0 + number)
        before = threading.active_count()
        with pytest.raises(TimeoutError):
            await within_time(0.1, divmod, 7, 2)
        assert threading.active_count() == before
        waiting = asyncio.create_task(within_time(5.0, divmod, 7, 2))
        await asyncio.sleep(0)
        leave.set()
        assert await waiting == (3, 1)  # as soon as one of them has ended

    asyncio.run(main())


@pytest.mark.parametrize("cancelled", [False, True])
def test_what_hangs_is_not_begun_a_second_time(*, cancelled: bool) -> None:
    leave = threading.Event()

    async def main() -> None:
        before = threading.active_count()
        for _ in range(5):
            look = asyncio.create_task(within_time(5.0 if cancelled else 0.02, leave.wait))
            if cancelled:
                await asyncio.sleep(0.01)
                look.cancel()
            with pytest.raises((TimeoutError, asyncio.CancelledError)):
                await look
        assert threading.active_count() == before + 1
        leave.set()
        assert await within_time(5.0, leave.wait)

    asyncio.run(main())


def test_what_is_within_its_time_takes_no_place_of_what_hangs() -> None:
    leave = threading.Event()

    async def main() -> None:
        at_work = [asyncio.create_task(within_time(5.0, leave.wait)) for _ in range(40)]
        assert await within_time(5.0, divmod, 7, 2) == (3, 1)
        leave.set()
        assert all(await asyncio.gather(*at_work))

    asyncio.run(main())
