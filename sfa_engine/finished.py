"""Work that has to come to its end, whoever is in haste; and work that may never come to one."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Coroutine
from contextlib import suppress
from typing import Any, TypeVar

Result = TypeVar("Result")
MAX_HUNG = 32  # threads that wait for a disk which hangs

_hung = 0


async def finished(work: Coroutine[Any, Any, None]) -> None:
    """Wait for the end of some work, and only then let a cancellation have its effect."""
    task = asyncio.ensure_future(work)
    cancelled: asyncio.CancelledError | None = None
    while not task.done():
        try:
            await asyncio.wait([task])
        except asyncio.CancelledError as problem:
            cancelled = problem
    if cancelled is not None:
        raise cancelled from task.exception()
    task.result()


async def within_time(limit_s: float, work: Callable[..., Result], *arguments: Any) -> Result:
    """Do work that may block for ever, as on a mount that hangs, outside the event loop.

    It has a thread of its own, which is left behind when its time is up and is no reason to wait
    at the end of the program. Those of `asyncio.to_thread` are few and shared: six hung ones would
    stop everything else.

    Raises
    ------
    TimeoutError
        It took longer, or too many others hang already.
    """
    if _hung >= MAX_HUNG:
        raise TimeoutError
    loop = asyncio.get_running_loop()
    future: asyncio.Future[Result] = loop.create_future()

    def tell(result: Result | None, problem: BaseException | None) -> None:
        if future.done():
            return
        if problem is not None:
            future.set_exception(problem)
        else:
            future.set_result(result)  # type: ignore[arg-type]

    def run() -> None:
        result, problem = None, None
        try:
            result = work(*arguments)
        except BaseException as error:  # noqa: BLE001 - the caller is told of every one
            problem = error
        _count(-1)
        with suppress(RuntimeError):  # the loop is closed
            loop.call_soon_threadsafe(tell, result, problem)

    _count(+1)
    threading.Thread(target=run, daemon=True, name="within-time").start()
    async with asyncio.timeout(limit_s):
        return await future


_counting = threading.Lock()


def _count(step: int) -> None:
    """Note that a thread began or ended."""
    global _hung  # noqa: PLW0603 - of the process, as threads are
    with _counting:
        _hung += step
