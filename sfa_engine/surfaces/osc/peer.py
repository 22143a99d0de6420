"""OSC peers, their addresses and rate limits. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from sfa_engine.engine.command import Source
from sfa_engine.surfaces.osc.feedback import Feedback
from sfa_engine.system.allow_list import is_loopback, plain

Address = tuple[Any, ...]  # of a socket: host, port, and two more of IPv6
MAX_PEERS = 64  # beyond it the one that was silent for longest is dropped
EXPIRY_S = 60.0  # of silence, after which a peer gets no feedback
ERRORS_A_SECOND, MAX_ERRORS = 5.0, 20.0  # that are answered; the second is the burst
# Messages that are not a fader's and cannot be coalesced: each takes 60 us. A whole desk is 400.
PRESSES_A_SECOND, MAX_PRESSES = 2000.0, 1000.0
# To a host, whose address may be spoofed; all of /sfa/describe is 0.3 MB.
ANSWER_BYTES_A_SECOND, MAX_ANSWER_BYTES = 65_536.0, 524_288.0

Sender = Callable[["Peer", list[bytes]], bool]


class Allowance:
    """A token bucket."""

    __slots__ = ("_a_second", "_left", "_most", "_when_s")

    def __init__(self, a_second: float, most: float) -> None:
        self._a_second, self._most, self._left = a_second, most, most
        self._when_s = 0.0

    def take(self, amount: float, now_s: float) -> bool:
        """Take an amount; return False, and take nothing, if less is left."""
        self._left = min(self._most, self._left + (now_s - self._when_s) * self._a_second)
        self._when_s = now_s
        if self._left < amount:
            return False
        self._left -= amount
        return True


@dataclass(eq=False)
class Peer:
    """A sender of OSC.

    Parameters
    ----------
    number : int
        From 1; determines its source.
    address : tuple
        That its messages come from.
    sender : callable
        Sends it packets; returns False if it accepts none now.
    transport : {"udp", "tcp"}
    is_fixed : bool
        Whether it is configured: its feedback does not expire.
    is_ready : callable
        Returns whether everything sent to it has left the queue.

    Attributes
    ----------
    source : int
        Of its commands.
    presses : Allowance
        Rate limit of messages that are not a fader's.
    port : int
        That it receives on; 0 if it is the port that it sends from.
    is_unsubscribed : bool
        Whether it has unsubscribed: a discovered tablet is subscribed otherwise.
    uses_aliases : bool
        Whether it uses, and gets, the aliases of the focused deck.
    last_resync_s : float
        When its last full dump began, before it unsubscribed.
    silent_until_s : float
        Until when nothing is sent, after its port was unreachable.
    """

    number: int
    address: Address
    sender: Sender
    transport: str = "udp"
    is_fixed: bool = False
    is_ready: Callable[[], bool] = lambda: True
    is_unsubscribed: bool = False
    uses_aliases: bool = False
    silent_until_s: float = 0.0
    name: str = ""
    port: int = 0
    messages: int = 0
    errors: int = 0
    last_received_s: float = 0.0
    feedback: Feedback | None = None
    last_resync_s: float = -60.0
    source: int = field(init=False)
    presses: Allowance = field(init=False, repr=False)
    _answers: Allowance = field(init=False, repr=False)

    def __post_init__(self) -> None:
        self.source = int(Source.OSC) + self.number
        self.presses = Allowance(PRESSES_A_SECOND, MAX_PRESSES)
        self._answers = Allowance(ERRORS_A_SECOND, MAX_ERRORS)

    @property
    def host(self) -> str:
        """Its host, readable."""
        return plain(self.address[0])

    @property
    def target(self) -> Address:
        """The address that it receives on."""
        return (self.address[0], self.port or self.address[1], *self.address[2:])

    @property
    def gets_feedback(self) -> bool:
        """Whether it gets feedback."""
        return self.feedback is not None and self.feedback.is_active

    def silence_s(self, now_s: float) -> float | None:
        """Return the seconds since its last message; None before the first."""
        return round(now_s - self.last_received_s, 1) if self.last_received_s else None

    def send(self, packets: list[bytes]) -> bool:
        """Send it packets; return False if it accepts none now."""
        return self.sender(self, packets)

    def may_be_answered(self, now_s: float) -> bool:
        """Return whether it may be sent an error: their rate is limited."""
        return self._answers.take(1.0, now_s)


class Peers:
    """All peers, by the address that they send from.

    On this machine each port is a peer. Elsewhere a host whose tablet subscribed is that tablet,
    whichever port it sends from.
    """

    def __init__(self) -> None:
        self._by_address: dict[Address, Peer] = {}
        self._peers: dict[int, Peer] = {}
        self._last = 0
        self._answers: dict[str, Allowance] = {}  # of each host

    def __iter__(self) -> Iterator[Peer]:
        return iter(list(self._peers.values()))

    def at(self, address: Address) -> Peer | None:
        """Return the known peer of an address."""
        return self._by_address.get(address)

    def add(self, address: Address, sender: Sender, **more: Any) -> Peer:
        """Return the peer of a new address: a known tablet, or a new peer."""
        peer = None if more.get("transport") == "tcp" else self._tablet_of(address[0])
        if peer is None:
            if len(self._peers) >= MAX_PEERS:
                self._forget_one()
            self._last = self._last % ((1 << 29) - 1) + 1
            peer = self._peers[self._last] = Peer(self._last, address, sender, **more)
        if len(self._by_address) >= 4 * MAX_PEERS:  # a host that keeps changing its port
            for known, its in list(self._by_address.items()):
                if known != its.address:
                    del self._by_address[known]
        self._by_address[address] = peer
        return peer

    def _tablet_of(self, host: str) -> Peer | None:
        if is_loopback(host):
            return None
        found = [p for p in self if p.feedback and p.transport == "udp" and p.address[0] == host]
        return found[0] if len(found) == 1 else None

    def _forget_one(self) -> None:
        candidates = [p for p in self if not p.is_fixed and p.transport == "udp"] or list(self)
        self.forget(min(candidates, key=lambda p: (p.gets_feedback, p.last_received_s)))

    def forget(self, peer: Peer) -> None:
        """Remove a peer."""
        self._peers.pop(peer.number, None)
        self._by_address = {a: p for a, p in self._by_address.items() if p is not peer}

    def gone(self, sources: set[int], now_s: float) -> set[int]:
        """Return those of some sources that are of peers forgotten, or silent for too long."""
        there = {
            peer.source
            for peer in self
            if peer.transport == "tcp" or now_s - peer.last_received_s <= EXPIRY_S
        }
        return {source for source in sources if source >= Source.OSC} - there

    def may_send(self, peer: Peer, size: int, now_s: float) -> bool:
        """Return whether an answer of `size` bytes may be sent to a peer's host."""
        host = peer.address[0]
        if host not in self._answers:
            if len(self._answers) >= MAX_PEERS:
                del self._answers[next(iter(self._answers))]
            self._answers[host] = Allowance(ANSWER_BYTES_A_SECOND, MAX_ANSWER_BYTES)
        return self._answers[host].take(size, now_s)

    def free_target(self, peer: Peer) -> None:
        """End other subscriptions to a peer's target: a tablet may have reconnected."""
        for other in self:
            same = other.transport == peer.transport == "udp" and other.target == peer.target
            if other is not peer and same and not other.is_fixed:
                other.feedback = None
