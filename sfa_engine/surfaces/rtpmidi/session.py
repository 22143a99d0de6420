"""One AppleMIDI session, either side. Pure: datagrams and times in, datagrams and messages out.

::

    initiator                        listener
    INVITING ── IN, control ───────► invited          both ports, the same token
             ◄─ OK ─────────────────
    JOINING  ── IN, data ──────────► WAITING
             ◄─ OK ─────────────────
    OPEN     ── CK0 ───────────────► OPEN             0.5 s apart, later 10 s
             ◄─ CK1 ────────────────
             ── CK2 ───────────────►
             ◄─ RTP packets, RS ───►
             ── BY ────────────────►                  either side
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from enum import Enum, IntEnum
from typing import NamedTuple

from sfa_engine.engine.midi import MAX_SYSEX
from sfa_engine.surfaces.rtpmidi.command_section import Sysex
from sfa_engine.surfaces.rtpmidi.packet import (
    Datagram,
    Feedback,
    Invitation,
    Packet,
    Sync,
    build_feedback,
    build_invitation,
    build_packets,
    build_sync,
)
from sfa_engine.surfaces.rtpmidi.peer_clock import UNIT_NS, PeerClock
from sfa_engine.surfaces.rtpmidi.reception import Arrived, Reception

SECOND_NS = 1_000_000_000
INVITE_S = 1.0  # between two invitations
INVITES = 12  # on one channel, before the session is given up
WAIT_S = 15.0  # of a listener for the data channel: longer than all those invitations
FIRST_SYNC_S = 0.5  # between the first clock exchanges, of which the best is used
FIRST_SYNCS = 6
SYNC_S = 10.0
TIMEOUT_S = 60.0  # of a silent peer: it sends CK0 every 10 s
FEEDBACK_S = 1.0  # between two RS, if there is something to acknowledge


class Channel(IntEnum):
    """The two ports of a session."""

    CONTROL = 0
    DATA = 1


class State(Enum):
    """State of a session; see the diagram above."""

    INVITING = "inviting"
    JOINING = "joining"
    WAITING = "waiting"
    OPEN = "open"
    CLOSED = "closed"


class Message(NamedTuple):
    """A complete MIDI message, and its time by our clock."""

    data: bytes
    at_ns: int

    @property
    def is_sysex(self) -> bool:
        """Whether it is delivered by itself."""
        return self.data[0] == 0xF0


class Session:
    """A session with one peer.

    Parameters
    ----------
    name : str
        Ours.
    ssrc : int
        Ours.
    token : int
        Identifies the session; chosen by the initiator.
    now_ns : int
        Of the monotonic clock, as everywhere in this module.
    invitation : Invitation, optional
        The peer's; without one this side invites.

    Attributes
    ----------
    outbox : list
        Datagrams to send, each with its channel.
    reason : str
        Why it is closed.
    """

    def __init__(
        self, name: str, ssrc: int, token: int, now_ns: int, invitation: Invitation | None = None
    ) -> None:
        self.name, self.ssrc, self.token = name, ssrc, token
        self.is_initiator = invitation is None
        self.peer_name = invitation.name if invitation else ""
        self.peer_ssrc = invitation.ssrc if invitation else 0
        self.state = State.INVITING if self.is_initiator else State.WAITING
        self.reason = ""
        self.outbox: list[tuple[Channel, bytes]] = []
        self.clock = PeerClock()
        self.reception = Reception()
        self.sent = self.received = self.damaged = 0
        self._sysex = Sysex(MAX_SYSEX)
        self._sequence = ssrc & 0xFFFF  # of the next packet: any start will do
        self._began_ns = self._received_ns = now_ns
        self._due_ns = now_ns  # of the next invitation or CK0
        self._tries = 0
        self._syncing_ns = 0  # our time in the current exchange
        self._acknowledged: int | None = None  # by our last RS
        self._feedback_ns = now_ns
        if invitation:
            self._answer(Channel.CONTROL)
        else:
            self.tick(now_ns)

    @property
    def has_received(self) -> bool:
        """Whether a packet of MIDI has come."""
        return self.reception.last is not None

    # ------------------------------------------------------------------ time

    @property
    def deadline_ns(self) -> int:
        """When `tick` is due."""
        if self.state is State.WAITING:
            return self._began_ns + int(WAIT_S * SECOND_NS)
        due_ns = self._received_ns + int(TIMEOUT_S * SECOND_NS)
        if self.is_initiator or self.state is not State.OPEN:
            due_ns = min(due_ns, self._due_ns)
        if self._is_unacknowledged:
            due_ns = min(due_ns, self._feedback_ns + int(FEEDBACK_S * SECOND_NS))
        return min(due_ns, self.reception.deadline_ns or due_ns)

    @property
    def _is_unacknowledged(self) -> bool:
        return self.reception.last not in {None, self._acknowledged}

    def tick(self, now_ns: int) -> list[Message]:
        """Run what is due; return messages that no longer wait for earlier ones."""
        if self.state is State.CLOSED:
            return []
        if self.state is State.WAITING:
            if now_ns >= self.deadline_ns:
                self._end("it did not open the data channel")
            return []
        if self.state is State.OPEN:
            return self._tick_open(now_ns)
        if now_ns >= self._due_ns:
            if self._tries >= INVITES:
                self._end("it does not answer")
                return []
            self._tries += 1
            self._due_ns = now_ns + int(INVITE_S * SECOND_NS)
            is_control = self.state is State.INVITING
            self._say(Channel.CONTROL if is_control else Channel.DATA, "IN")
        return []

    def _tick_open(self, now_ns: int) -> list[Message]:
        if now_ns >= self._received_ns + int(TIMEOUT_S * SECOND_NS):
            self.close("nothing received for a minute")
            return []
        if self.is_initiator and now_ns >= self._due_ns:
            self._tries += 1
            pause_s = FIRST_SYNC_S if self._tries < FIRST_SYNCS else SYNC_S
            self._due_ns = now_ns + int(pause_s * SECOND_NS)
            self._syncing_ns = now_ns
            self._sync(0, (now_ns // UNIT_NS, 0, 0))
        messages = self._deliver(self.reception.expire(now_ns))
        if self._is_unacknowledged and now_ns >= self._feedback_ns + int(FEEDBACK_S * SECOND_NS):
            self._feedback_ns, self._acknowledged = now_ns, self.reception.last
            last = self._acknowledged or 0
            self.outbox.append((Channel.CONTROL, build_feedback(Feedback(self.ssrc, last))))
        return messages

    # ------------------------------------------------------------------ receiving

    def receive(self, channel: Channel, datagram: Datagram, now_ns: int) -> list[Message]:
        """Process a datagram of the peer; return its messages."""
        if isinstance(datagram, Invitation):
            self._receive_invitation(channel, datagram, now_ns)
            return []
        if self.state is not State.OPEN or datagram.ssrc != self.peer_ssrc:
            return []
        self._received_ns = now_ns
        if isinstance(datagram, Sync):
            self._receive_sync(datagram, now_ns)
        elif isinstance(datagram, Packet):
            if not datagram.is_whole:
                self.damaged += 1
            return self._deliver(self.reception.take(datagram, now_ns))
        return []  # no journal is kept for RS to trim, and less is sent than RL could request

    def _receive_invitation(self, channel: Channel, invitation: Invitation, now_ns: int) -> None:
        if invitation.command == "BY":
            if invitation.ssrc == self.peer_ssrc or invitation.token == self.token:
                self._end("it left")
            return
        if invitation.token != self.token:
            return
        if (
            invitation.command == "IN"
            and not self.is_initiator
            and invitation.ssrc == self.peer_ssrc
        ):
            self._answer(channel)  # again, if our last one was lost
            if channel is Channel.DATA and self.state is State.WAITING:
                self._open(now_ns)
        elif invitation.command == "NO" and self.state in {State.INVITING, State.JOINING}:
            self._end("it refused")
        elif (
            invitation.command == "OK"
            and channel is Channel.CONTROL
            and self.state is State.INVITING
        ):
            self.peer_ssrc, self.peer_name = invitation.ssrc, invitation.name
            self.state, self._tries, self._due_ns = State.JOINING, 0, now_ns
            self.tick(now_ns)
        elif invitation.command == "OK" and channel is Channel.DATA and self.state is State.JOINING:
            self.peer_ssrc = invitation.ssrc  # pymidi has another on each channel
            self._open(now_ns)
            self.tick(now_ns)

    def _open(self, now_ns: int) -> None:
        self.state, self._tries = State.OPEN, 0
        self._received_ns = self._due_ns = now_ns

    def _receive_sync(self, sync: Sync, now_ns: int) -> None:
        first, second, third = sync.times
        if sync.step == 0:
            self._syncing_ns = now_ns
            self._sync(1, (first, now_ns // UNIT_NS, 0))
        elif sync.step == 1 and self.is_initiator and first == self._syncing_ns // UNIT_NS:
            sent_ns, self._syncing_ns = self._syncing_ns, 0
            if sent_ns:
                self.clock.learn((sent_ns + now_ns) // 2, second, now_ns - sent_ns, now_ns)
                self._sync(2, (first, second, now_ns // UNIT_NS))
        elif sync.step == 2 and self._syncing_ns and second == self._syncing_ns // UNIT_NS:
            round_trip_ns = (third - first) * UNIT_NS
            self.clock.learn(self._syncing_ns, (first + third) // 2, round_trip_ns, now_ns)
            self._syncing_ns = 0

    def _deliver(self, arrived: Sequence[Arrived]) -> list[Message]:
        messages = []
        for packet, at_ns, follows_loss in arrived:
            if follows_loss:
                self._sysex.forget()
            timestamp = packet.timestamp
            for delta, data in packet.commands:
                timestamp += delta
                whole = self._sysex.take(data)
                if whole:
                    event_ns = self.clock.event_ns(timestamp & 0xFFFFFFFF, at_ns)
                    messages.append(Message(whole, event_ns))
        self.received += len(messages)
        return messages

    # ------------------------------------------------------------------ sending

    def send(self, messages: Iterable[bytes], now_ns: int) -> None:
        """Send complete messages; they are dropped while the session is not open."""
        if self.state is not State.OPEN:
            return
        messages = list(messages)
        packets = build_packets(messages, self._sequence, now_ns // UNIT_NS, self.ssrc)
        self._sequence = (self._sequence + len(packets)) & 0xFFFF
        self.sent += len(messages)
        self.outbox += [(Channel.DATA, packet) for packet in packets]

    def close(self, reason: str = "closed here") -> None:
        """Close with a BY."""
        if self.state is not State.CLOSED:
            self._say(Channel.CONTROL, "BY")
            self._end(reason)

    def drop(self, reason: str) -> None:
        """Close without a BY: the peer has closed, or restarted."""
        self._end(reason)

    def _end(self, reason: str) -> None:
        self.state, self.reason = State.CLOSED, reason

    def _say(self, channel: Channel, command: str) -> None:
        invitation = Invitation(command, self.token, self.ssrc, self.name)
        self.outbox.append((channel, build_invitation(invitation)))

    def _answer(self, channel: Channel) -> None:
        self._say(channel, "OK")

    def _sync(self, step: int, times: tuple[int, int, int]) -> None:
        self.outbox.append((Channel.DATA, build_sync(Sync(self.ssrc, step, times))))
