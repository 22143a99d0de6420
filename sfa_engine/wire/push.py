"""Notifications of a verb to its client, in batches. Pure.

A verb takes it as a parameter that the server sets (``push: Annotated[Push, GIVEN]``), and goes on
putting items after it has answered. A client that does not read gets the newest ones when it does,
and the number that it missed; it delays no other.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from contextlib import suppress
from typing import Any

MAX_ITEMS = 500  # queued for a client; of 1 kB each they fit in half a message


class Push:
    """The notifications of one client.

    Parameters
    ----------
    wake : callable
        Called when there is something to send.
    """

    def __init__(self, wake: Callable[[], None]) -> None:
        self._wake = wake
        self._items: dict[str, deque[Any]] = {}
        self._missed: dict[str, int] = {}
        self._closers: list[Callable[[], None]] = []
        self.is_closed = False

    def put(self, method: str, item: Any) -> None:
        """Queue an item for the next notification of a method."""
        items = self._items.setdefault(method, deque(maxlen=MAX_ITEMS))
        if len(items) == MAX_ITEMS:
            self._missed[method] = self._missed.get(method, 0) + 1
        items.append(item)
        self._wake()

    def take(self) -> list[tuple[str, dict[str, Any]]]:
        """Return what to send: methods with their ``items``, and how many were missed."""
        items, self._items = self._items, {}
        missed, self._missed = self._missed, {}
        return [
            (method, {"items": list(some), "missed": missed.get(method, 0)})
            for method, some in items.items()
        ]

    def on_close(self, closer: Callable[[], None]) -> Callable[[], None]:
        """Call a function when the client disconnects; return a function that removes it."""
        self._closers.append(closer)

        def forget() -> None:
            with suppress(ValueError):
                self._closers.remove(closer)

        return forget

    def close(self) -> None:
        """Call those functions: the client has disconnected."""
        self.is_closed = True
        closers, self._closers = self._closers, []
        for closer in closers:
            closer()
