"""Raw messages between surfaces, by configured routes that bypass the desk.

`Core.raw_bus`. A surface publishes what it received and sends the output of routes, which the bus
never publishes again. A message is `bytes` of kind ``midi``, or a `Named` of kinds ``osc`` and
``control``. Without a route `publish` costs one lookup; a surface whose messages are expensive to
get checks `is_routed` first.

::

    surface ── publish(kind, origin, message) ──► routes
    surface ◄─ callback(target, message) ─ send ─ routes
"""

from __future__ import annotations

import fnmatch
from collections.abc import Callable
from typing import Any, NamedTuple


class Named(NamedTuple):
    """An OSC message; or a control of the desk, with travel 0..1 and value in its unit.

    To set a control, one of the two is None.
    """

    address: str
    arguments: tuple[Any, ...]


Message = bytes | Named
Sender = Callable[[str, Message], None]  # target: see `fits`
Router = Callable[[str, str, Message], bool]  # kind, origin, message -> whether a route takes it


def fits(name: str, target: str) -> bool:
    """Return whether a route's target matches a device or peer: part of its name, or a pattern."""
    name, target = name.lower(), target.lower()
    if any(each in target for each in "*?["):
        return fnmatch.fnmatchcase(name, target)
    return target in name


class RawBus:
    """Connects surfaces and routes."""

    def __init__(self) -> None:
        self._router: Router = lambda _kind, _origin, _message: False
        self._kinds: frozenset[str] = frozenset()
        self._senders: dict[str, list[Sender]] = {}

    def is_routed(self, kind: str) -> bool:
        """Return whether a route begins at this kind: ``midi`` slots are monitored then."""
        return kind in self._kinds

    def publish(self, kind: str, origin: str, message: Message) -> bool:
        """Pass a received message to the routes; return whether one begins there.

        Parameters
        ----------
        kind : str
            ``midi``, ``osc`` or ``control``.
        origin : str
            Name of the device or address of the peer that sent it.
        message : bytes or Named
            One complete message.
        """
        return kind in self._kinds and self._router(kind, origin, message)

    def listen(self, kind: str, sender: Sender) -> Callable[[], None]:
        """Add a surface as sender of a kind; return a function that removes it."""
        senders = self._senders.setdefault(kind, [])
        senders.append(sender)
        return lambda: senders.remove(sender)

    def send(self, kind: str, target: str, message: Message) -> None:
        """Send the output of a route."""
        for sender in self._senders.get(kind, ()):
            sender(target, message)

    def set_router(self, router: Router, kinds: frozenset[str]) -> None:
        """Pass messages of these kinds to a router."""
        self._router, self._kinds = router, kinds
