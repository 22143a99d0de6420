"""Where worker programs run: on this machine, unless the user has a cluster.

A request that was cancelled or failed leaves no process behind, and its output folder exists
whole or not at all.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, Protocol

from sfa_engine.backstage.niceness import Niceness
from sfa_engine.backstage.runner import Progress, WorkerRequest, kill_tagged, run_worker


class Executor(Protocol):
    """Runs worker programs."""

    async def run(self, request: WorkerRequest, progress: Progress) -> dict[str, Any]:
        """Return the worker's result, or raise its error."""
        ...

    async def kill(self, prefix: str) -> None:
        """Kill the workers whose tags have a prefix."""
        ...

    async def close(self) -> None:
        """Release what it holds."""
        ...


class Local:
    """Runs workers on this machine, at low priority.

    Parameters
    ----------
    niceness : Niceness
    """

    def __init__(self, niceness: Niceness) -> None:
        self._niceness = niceness

    async def run(self, request: WorkerRequest, progress: Progress) -> dict[str, Any]:
        """Run the worker program."""
        return await run_worker(request, progress, self._niceness)

    async def kill(self, prefix: str) -> None:
        """Kill every process whose tag has a prefix."""
        await asyncio.to_thread(kill_tagged, prefix)

    async def close(self) -> None:
        """Do nothing."""


class Remote:
    """Runs workers on a cluster; connects with the first request, so that a start never waits.

    Parameters
    ----------
    connect : callable
        Returns the cluster's executor, or raises why it cannot be reached: the next request
        retries.
    """

    def __init__(self, connect: Callable[[], Awaitable[Executor]]) -> None:
        self._connect = connect
        self._connecting = asyncio.Lock()
        self._executor: Executor | None = None
        self._to_kill: list[str] = []

    async def run(self, request: WorkerRequest, progress: Progress) -> dict[str, Any]:
        """Run the worker program there."""
        executor = await self._connected()
        return await executor.run(request, progress)

    async def kill(self, prefix: str) -> None:
        """Kill what has such tags; not connected yet, once it is."""
        if self._executor:
            await self._executor.kill(prefix)
        else:
            self._to_kill.append(prefix)

    async def close(self) -> None:
        """Disconnect."""
        if self._executor:
            await self._executor.close()

    async def _connected(self) -> Executor:
        """Return the cluster's executor; of many requests, one connects."""
        async with self._connecting:
            if self._executor is None:
                executor = await self._connect()
                try:
                    for prefix in self._to_kill:
                        await executor.kill(prefix)
                except BaseException:
                    await executor.close()
                    raise
                self._executor = executor
            return self._executor
