"""Where orders are carried out: here, unless the user has a cluster.

An executor is given an order and gives its result. Whatever becomes of it, an order that was
cancelled or failed leaves no process behind, and its output folder is there whole or not at all.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, Protocol

from sfa_engine.backstage.courtesy import Courtesy
from sfa_engine.backstage.runner import Order, Progress, end_marked, run_worker


class Executor(Protocol):
    """Carries orders out."""

    async def run(self, order: Order, progress: Progress) -> dict[str, Any]:
        """Return an order's result, or raise what the worker says."""
        ...

    async def end(self, marks: str) -> None:
        """End whatever is left of orders whose marks begin so."""
        ...

    async def close(self) -> None:
        """Let go of what is held."""
        ...


class Local:
    """Runs workers on this machine, out of the music's way.

    Parameters
    ----------
    courtesy : Courtesy
    """

    def __init__(self, courtesy: Courtesy) -> None:
        self._courtesy = courtesy

    async def run(self, order: Order, progress: Progress) -> dict[str, Any]:
        """Run the worker program."""
        return await run_worker(order, progress, self._courtesy)

    async def end(self, marks: str) -> None:
        """Kill every process with such a mark."""
        await asyncio.to_thread(end_marked, marks)

    async def close(self) -> None:
        """Nothing is held."""


class Remote:
    """Carries orders out elsewhere; goes there with the first one, so that nothing else waits.

    Parameters
    ----------
    connect : callable
        Returns the executor there, or raises why it cannot be reached: the next order tries again.
    """

    def __init__(self, connect: Callable[[], Awaitable[Executor]]) -> None:
        self._connect = connect
        self._connecting = asyncio.Lock()
        self._there: Executor | None = None
        self._left: list[str] = []

    async def run(self, order: Order, progress: Progress) -> dict[str, Any]:
        """Carry an order out there."""
        there = await self._reach()
        return await there.run(order, progress)

    async def end(self, marks: str) -> None:
        """End what has such marks; what is left of earlier days, before the first order."""
        if self._there:
            await self._there.end(marks)
        else:
            self._left.append(marks)

    async def close(self) -> None:
        """Leave it."""
        if self._there:
            await self._there.close()

    async def _reach(self) -> Executor:
        """Return the executor there; of many orders, one connects."""
        async with self._connecting:
            if self._there is None:
                there = await self._connect()
                try:
                    for marks in self._left:
                        await there.end(marks)
                except BaseException:
                    await there.close()
                    raise
                self._there = there
            return self._there
