"""What a server pushes, kept up while it is needed, and over restarts."""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from collections.abc import Coroutine
from pathlib import Path
from typing import Any

from sfa_engine.errors import EngineError, SfaError
from sfa_engine.web.link import Link
from sfa_engine.wire.verbs import Scope

RETRY_S = 0.25
LINGER_S = 1.0  # connected after the last one left: a page that is loaded again is back at once


class Feed(ABC):
    """A connection that watches a server; derived classes say what, and get what is pushed.

    Parameters
    ----------
    path : pathlib.Path
        Of the socket.
    name : str
        Of the server.
    scopes : frozenset of Scope
    """

    def __init__(
        self, path: Path, name: str, scopes: frozenset[Scope] = frozenset({"read"})
    ) -> None:
        self.link = Link(path, name, scopes, self.on_push)
        self.is_there = False
        self.is_away = False  # known to be
        self._is_needed = asyncio.Event()
        self._is_unneeded = asyncio.Event()
        self._tasks: set[asyncio.Task[None]] = set()

    @abstractmethod
    async def begin(self) -> None:
        """Ask for what is to be pushed."""

    @abstractmethod
    def on_push(self, method: str, params: Any) -> None:
        """Take what was pushed."""

    @abstractmethod
    def on_there(self) -> None:
        """Take note that it pushes now: what was missed is to be asked for."""

    @abstractmethod
    def on_away(self) -> None:
        """Take note that the server is away."""

    def need(self, *, needed: bool) -> None:
        """Connect, or disconnect."""
        if needed:
            self._is_unneeded.clear()
            self._is_needed.set()
        else:
            self.is_away = False
            self._is_needed.clear()
            self._is_unneeded.set()

    def spawn(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        """Do something beside; it ends with the feed."""
        task = asyncio.ensure_future(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    async def run(self) -> None:
        """Run until cancelled."""
        try:
            while True:
                await self._is_needed.wait()
                try:
                    await self._begin()
                except SfaError:
                    self._be_away()
                    await asyncio.sleep(RETRY_S)
                    continue
                self.is_there, self.is_away = True, False
                self.on_there()
                is_lost = await self._wait()
                self.is_there = False
                if is_lost:
                    self._be_away()
                else:
                    await self.link.close()
        finally:
            for task in self._tasks:
                task.cancel()
            await asyncio.gather(*self._tasks, return_exceptions=True)
            await self.link.close()

    def _be_away(self) -> None:
        if not self.is_away:
            self.is_away = True
            self.on_away()

    async def _begin(self) -> None:
        before = self.link.opened
        await self.begin()
        if self.link.opened > before + 1:  # lost between two requests
            await self.link.close()
            raise EngineError(f"{self.link.name} closed the connection")

    async def _wait(self) -> bool:
        """Return whether the server is away; not, if it is not needed any more."""
        lost = asyncio.ensure_future(self.link.wait_closed())
        unneeded = asyncio.ensure_future(self._wait_unneeded())
        try:
            await asyncio.wait([lost, unneeded], return_when=asyncio.FIRST_COMPLETED)
            return lost.done()
        finally:
            lost.cancel()
            unneeded.cancel()

    async def _wait_unneeded(self) -> None:
        while not self._is_unneeded.is_set():
            await self._is_unneeded.wait()
            await asyncio.sleep(LINGER_S)
