"""Messages received in one drain of the socket, coalesced. Pure."""

from __future__ import annotations

from collections.abc import Collection
from typing import NamedTuple

from sfa_engine.surfaces.osc.address import CONTINUOUS
from sfa_engine.surfaces.osc.peer import Peer


class Pending(NamedTuple):
    """An unparsed message; its address if it is continuous, and when it is due."""

    peer: Peer
    address: bytes
    message: bytes
    at_s: float


class Batch:
    """Messages in the order in which to apply them.

    Of consecutive values of a fader only a peer's last is kept, in the place of the last. A press,
    or any other message that is not continuous, is always kept, and nothing is moved past it.
    """

    def __init__(self) -> None:
        self._pending: dict[tuple[int, int, bytes], Pending] = {}
        self._presses = 0

    def __len__(self) -> int:
        return len(self._pending)

    @property
    def is_urgent(self) -> bool:
        """Whether it has a press, or any other message that must not wait."""
        return self._presses > 0

    def put(self, peer: Peer, address: bytes, message: bytes, at_s: float = 0.0) -> None:
        """Add a message; an empty address marks one that must be kept."""
        if address in CONTINUOUS:
            key = (self._presses, peer.number, address)
            self._pending.pop(key, None)
        else:
            self._presses += 1
            key = (self._presses, 0, b"")
        self._pending[key] = Pending(peer, key[2], message, at_s)

    def messages(self) -> Collection[Pending]:
        """Return the messages that are left to apply."""
        return self._pending.values()
