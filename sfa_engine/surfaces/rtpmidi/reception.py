"""Reorder received packets, and count losses. Pure.

A missing packet is awaited for `REORDER_S`; one that arrives later is dropped, as a note-off that
overtakes its note-on would leave the note held. Without a gap nothing is delayed.
"""

from __future__ import annotations

from typing import NamedTuple

from sfa_engine.surfaces.rtpmidi.packet import Packet

REORDER_S = 0.005  # neighbours overtake each other by less, on Wi-Fi too
MAX_HELD = 64
MAX_JUMP = 512  # sequence numbers: further means that the sender restarted


class Arrived(NamedTuple):
    """A packet, in order.

    Attributes
    ----------
    at_ns : int
        When it arrived.
    follows_loss : bool
        Whether packets before it were lost.
    """

    packet: Packet
    at_ns: int
    follows_loss: bool


class Reception:
    """The receiving side of one sender.

    Attributes
    ----------
    lost, late, duplicates : int
        Packets that did not arrive in time, that arrived later, and that arrived again.
    """

    def __init__(self) -> None:
        self.lost = self.late = self.duplicates = 0
        self._next: int | None = None
        self._held: dict[int, tuple[Packet, int]] = {}
        self._missing: set[int] = set()

    @property
    def last(self) -> int | None:
        """Sequence number of the last delivered packet."""
        return None if self._next is None else (self._next - 1) & 0xFFFF

    @property
    def deadline_ns(self) -> int | None:
        """When `expire` is due; None while no packet is awaited."""
        if not self._held:
            return None
        return min(at_ns for _, at_ns in self._held.values()) + int(REORDER_S * 1e9)

    def take(self, packet: Packet, now_ns: int) -> list[Arrived]:
        """Add a packet; return the packets that are now in order."""
        if self._next is None:
            self._next = packet.sequence
        ahead = self._ahead(packet.sequence)
        if abs(ahead) > MAX_JUMP:
            arrived = self._release_all()
            self._next = (packet.sequence + 1) & 0xFFFF
            self._missing.clear()
            return [*arrived, Arrived(packet, now_ns, follows_loss=True)]
        if ahead < 0 or packet.sequence in self._held:
            if packet.sequence in self._missing:
                self._missing.discard(packet.sequence)
                self.late += 1
            else:
                self.duplicates += 1
            return []
        self._held[packet.sequence] = packet, now_ns
        arrived = self._in_order(follows_loss=False)
        while len(self._held) > MAX_HELD:
            arrived += self._skip()
        return arrived

    def expire(self, now_ns: int) -> list[Arrived]:
        """Give up overdue packets; return the packets that are now in order."""
        arrived: list[Arrived] = []
        while (deadline_ns := self.deadline_ns) is not None and now_ns >= deadline_ns:
            arrived += self._skip()
        return arrived

    def _ahead(self, sequence: int) -> int:
        assert self._next is not None
        return ((sequence - self._next + 0x8000) & 0xFFFF) - 0x8000

    def _in_order(self, *, follows_loss: bool) -> list[Arrived]:
        arrived: list[Arrived] = []
        assert self._next is not None
        while self._next in self._held:
            packet, at_ns = self._held.pop(self._next)
            arrived.append(Arrived(packet, at_ns, follows_loss and not arrived))
            self._next = (self._next + 1) & 0xFFFF
        return arrived

    def _skip(self) -> list[Arrived]:
        """Skip the gap before the next held packet."""
        assert self._next is not None
        following = min(self._held, key=self._ahead)
        gap = self._ahead(following)
        self.lost += gap
        skipped = {(self._next + k) & 0xFFFF for k in range(gap)}
        near = {each for each in self._missing if self._ahead(each) > -MAX_JUMP}
        self._missing = near | skipped
        self._next = following
        return self._in_order(follows_loss=True)

    def _release_all(self) -> list[Arrived]:
        arrived: list[Arrived] = []
        while self._held:
            arrived += self._skip()
        return arrived
