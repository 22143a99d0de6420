"""Work that has to come to its end, whoever is in haste; and work that may never come to one."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Coroutine
from concurrent.futures import Future
from typing import Any, TypeVar

Result = TypeVar("Result")
MAX_HUNG = 32  # threads that wait for a disk which hangs
LOOK_S = 0.05  # between two looks whether one of them has ended

_left: dict[Future[Any], tuple[Any, ...]] = {}  # threads left behind, with their work


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

    While a thread that was left behind with the same work has not ended, and while there are too
    many of any work, no other is begun: that counts as time of this one.

    Raises
    ------
    TimeoutError
        It took longer.
    """
    asked = (work, arguments)
    async with asyncio.timeout(limit_s):
        while len(_left) >= MAX_HUNG or asked in list(_left.values()):  # noqa: ASYNC110 - threads
            await asyncio.sleep(LOOK_S)
        done: Future[Result] = Future()
        done.set_running_or_notify_cancel()
        threading.Thread(target=_do, args=(done, *asked), daemon=True, name="within-time").start()
        try:
            return await asyncio.wrap_future(done)
        finally:
            if not done.done():
                _left[done] = asked
                done.add_done_callback(_forget)  # called at once if it has ended meanwhile


def _do(done: Future[Result], work: Callable[..., Result], arguments: tuple[Any, ...]) -> None:
    """Do some work, and tell what became of it."""
    try:
        result = work(*arguments)
    except BaseException as error:  # noqa: BLE001 - the caller is told of every one
        done.set_exception(error)
    else:
        done.set_result(result)


def _forget(done: Future[Any]) -> None:
    _left.pop(done, None)
