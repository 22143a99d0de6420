"""What is to be sent to one client: bounded, however slowly it reads. Pure but for its event."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Hashable

from sfa_engine.web.form import Data

MAX_ITEMS = 1000
MAX_ANSWER_BYTES = 4 << 20  # of answers that wait; one alone may have more

Make = Callable[[], Data]


class TooSlowError(Exception):
    """The client reads more slowly than events arrive."""


class Outbox:
    """Messages in order; of those with the same key only the newest, in the place of the first.

    A message is made when it is sent: what is replaced before costs nothing.
    """

    def __init__(self) -> None:
        self._items: dict[Hashable, Make] = {}
        self._sizes: dict[Hashable, int] = {}
        self._number = 0
        self._is_full = False
        self._ready = asyncio.Event()

    def put(self, make: Make, key: Hashable = None) -> None:
        """Add a message; one that waits under the same key is replaced."""
        if key is None:
            self._number += 1
            key = self._number
        if key not in self._items and len(self._items) >= MAX_ITEMS:
            self._is_full = True
        else:
            self._items[key] = make
        self._ready.set()

    def put_answer(self, data: Data) -> None:
        """Add an answer."""
        if self._sizes and sum(self._sizes.values()) + len(data) > MAX_ANSWER_BYTES:
            self._is_full = True
        else:
            self._sizes[self._number + 1] = len(data)
            self.put(lambda: data)
        self._ready.set()

    def drop(self, key: Hashable) -> None:
        """Remove the message under a key, if one waits."""
        self._items.pop(key, None)

    async def take(self) -> Data:
        """Return the next message, when there is one.

        Raises
        ------
        TooSlowError
            There were too many.
        """
        while not self._items and not self._is_full:
            self._ready.clear()
            await self._ready.wait()
        if self._is_full:
            raise TooSlowError
        key = next(iter(self._items))
        self._sizes.pop(key, None)
        return self._items.pop(key)()
