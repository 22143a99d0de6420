"""Work that must not be cancelled halfway, calls that may never return, and a process's end."""

from __future__ import annotations

import asyncio
import signal
import threading
from collections.abc import Callable, Coroutine
from concurrent.futures import Future
from typing import Any, TypeVar

Result = TypeVar("Result")
MAX_HUNG = 32  # threads waiting for a hung disk
POLL_S = 0.05

_abandoned: dict[Future[Any], tuple[Any, ...]] = {}  # threads that timed out, with their call


async def run_to_completion(work: Coroutine[Any, Any, None]) -> None:
    """Await some work to its end, and cancel the caller only then."""
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


async def run_until_stopped(*work: Coroutine[Any, Any, None]) -> None:
    """Run coroutines until SIGTERM or SIGINT, or until one of them ends; cancel the others."""
    stopping = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stopping.set)
    waits: set[asyncio.Task[Any]] = {asyncio.create_task(each) for each in work}
    waits.add(asyncio.create_task(stopping.wait()))
    done, others = await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
    for task in others:
        task.cancel()
    await asyncio.gather(*others, return_exceptions=True)
    for task in done:
        task.result()


async def within_time(limit_s: float, work: Callable[..., Result], *arguments: Any) -> Result:
    """Run a call that may block for ever, as on a hung mount, outside the event loop.

    It has a thread of its own, which is abandoned at the timeout and does not delay the end of
    the program. The threads of `asyncio.to_thread` are few and shared: six hung ones would stop
    everything else.

    While an abandoned thread of the same call has not ended, or while there are too many, no new
    one is started: that wait counts against the limit.

    Raises
    ------
    TimeoutError
        The call takes longer.
    """
    call = (work, arguments)
    async with asyncio.timeout(limit_s):
        while len(_abandoned) >= MAX_HUNG or call in list(_abandoned.values()):  # noqa: ASYNC110 - threads
            await asyncio.sleep(POLL_S)
        done: Future[Result] = Future()
        done.set_running_or_notify_cancel()
        threading.Thread(target=_run, args=(done, *call), daemon=True, name="within-time").start()
        try:
            return await asyncio.wrap_future(done)
        finally:
            if not done.done():
                _abandoned[done] = call
                done.add_done_callback(_forget)  # called at once if it has ended


def _run(done: Future[Result], work: Callable[..., Result], arguments: tuple[Any, ...]) -> None:
    """Run a call and set its result or exception."""
    try:
        result = work(*arguments)
    except BaseException as error:  # noqa: BLE001 - raised in the caller
        done.set_exception(error)
    else:
        done.set_result(result)


def _forget(done: Future[Any]) -> None:
    _abandoned.pop(done, None)
