"""All sessions: assign datagrams to them, accept and refuse invitations. Pure but for the ports.

::

    datagram ──► whose? ──► Session.receive ──► messages ──► ExternalPorts ──► MIDI surface
                  │ no session's, and IN: accept or refuse
    MIDI surface ──► Session.send ──► outbox
"""

from __future__ import annotations

import logging
import random
from collections import deque
from collections.abc import Callable, Sequence
from itertools import groupby
from typing import Any

import trio

from sfa_engine.stage.midi_ports import ExternalPorts
from sfa_engine.surfaces.rtpmidi.command_section import DamagedError, split
from sfa_engine.surfaces.rtpmidi.packet import Datagram, Invitation, build_invitation, parse
from sfa_engine.surfaces.rtpmidi.session import Channel, Message, Session, State

logger = logging.getLogger(__name__)
MAX_SESSIONS = 8  # of the 16 devices that may be open
# Sessions that peers may begin in BEGUN_S: each one opens a device, and writes to the log.
MAX_BEGUN, BEGUN_S = 16, 10.0
Address = tuple[str, int]
Send = Callable[[Channel, bytes, Address], None]


class Port:
    """A session as a MIDI port.

    Parameters
    ----------
    id : str
        New when the peer reconnects, so that keys it held are released.
    name : str
    play : callable
        Sends bytes to the peer without waiting.
    """

    def __init__(self, id: str, name: str, play: Callable[[bytes], None]) -> None:  # noqa: A002
        self.id = id
        self.name = name
        self.send = play


class Link:
    """A session, its peer's addresses, and its MIDI port.

    Attributes
    ----------
    addresses : list
        Of the peer's control and data channels.
    ended : trio.Event
        Set once the session is closed.
    """

    def __init__(self, session: Session, control: Address) -> None:
        self.session = session
        self.addresses: list[Address] = [control, (control[0], control[1] + 1)]
        self.port: Port | None = None
        self.name = ""
        self.waiting: list[bytes] = []  # messages to send
        self.ended = trio.Event()

    @property
    def host(self) -> str:
        """Address of the peer."""
        return self.addresses[0][0]

    def status(self) -> dict[str, Any]:
        """Return the state of the session as JSON types."""
        session, reception = self.session, self.session.reception
        return {
            "name": self.name or session.peer_name,
            "host": self.host,
            "port": self.addresses[0][1],
            "state": session.state.value,
            "invited_by": "us" if session.is_initiator else "peer",
            "round_trip_ms": session.clock.round_trip_ns / 1e6,
            "received": session.received,
            "sent": session.sent,
            "lost": reception.lost,
            "late": reception.late,
            "duplicates": reception.duplicates,
            "damaged": session.damaged,
        }


class Links:
    """The sessions of the engine.

    Parameters
    ----------
    name : str
        Of the engine, as shown to peers.
    ports : ExternalPorts
    send : callable
        Sends a datagram to an address without waiting.
    frame_of : callable
        Engine frame of a time, given that and now, both of the monotonic clock.
    now_ns : callable
        The monotonic clock.
    """

    def __init__(
        self,
        name: str,
        ports: ExternalPorts,
        send: Send,
        frame_of: Callable[[int, int], int],
        now_ns: Callable[[], int],
    ) -> None:
        self.name = name
        self.ssrc = random.SystemRandom().randrange(1, 1 << 32)
        self.all: list[Link] = []
        self.damaged = self.refused = 0
        self.on_waiting: Callable[[], None] = lambda: None  # requests a call of `send_waiting`
        self._sessions = 0  # opened so far
        self._begun_ns: deque[int] = deque(maxlen=MAX_BEGUN)
        self._is_full = False  # already logged
        self._ports, self._send, self._frame_of = ports, send, frame_of
        self._now_ns = now_ns

    # ------------------------------------------------------------------ sessions

    def find(self, address: Address) -> Link | None:
        """Return the session with the peer of a control address."""
        return next((link for link in self.all if link.addresses[0] == address), None)

    def knows(self, host: str) -> bool:
        """Return whether a session with a host is open or invited."""
        return any(link.host == host for link in self.all)

    def invite(self, address: Address) -> Link | None:
        """Begin a session; return None at `MAX_SESSIONS`."""
        if len(self.all) >= MAX_SESSIONS:
            return None
        token = random.SystemRandom().randrange(1 << 32)
        link = Link(Session(self.name, self.ssrc, token, self._now_ns()), address)
        self.all.append(link)
        self._handle(link, [])
        return link

    def end(self, link: Link, reason: str = "closed here") -> None:
        """End a session with a BY."""
        link.session.close(reason)
        self._handle(link, [])

    def tick(self) -> int:
        """Run what is due; return the nanoseconds until the next deadline."""
        now_ns = self._now_ns()
        for link in tuple(self.all):
            if now_ns >= link.session.deadline_ns:
                self._handle(link, link.session.tick(now_ns))
        soonest_ns = min((link.session.deadline_ns for link in self.all), default=now_ns + 10**9)
        return max(0, soonest_ns - now_ns)

    # ------------------------------------------------------------------ receiving

    def receive(self, channel: Channel, data: bytes, address: Address) -> None:
        """Process a datagram from an allowed host."""
        try:
            datagram = parse(data)
        except DamagedError:
            self.damaged += 1
            return
        now_ns = self._now_ns()
        link = self._of(channel, datagram, address[0])
        if link is None:
            if isinstance(datagram, Invitation) and datagram.command == "IN":
                self._invited(channel, datagram, address, now_ns)
            return
        if channel is Channel.DATA and link.session.state is State.WAITING:
            link.addresses[Channel.DATA] = address
        self._handle(link, link.session.receive(channel, datagram, now_ns))

    def _of(self, channel: Channel, datagram: Datagram, host: str) -> Link | None:
        """Return a datagram's session: by the SSRC, or of an answer to our invitation by token.

        An invitation with the token of a session that has sent MIDI comes from a peer that
        restarted: devices without a source of random numbers choose the same token every time.
        """
        for link in self.all:
            session = link.session
            is_peer = session.peer_ssrc == datagram.ssrc and session.state is not State.INVITING
            is_token, is_new = False, False
            if isinstance(datagram, Invitation):
                is_token = session.token == datagram.token
                has_restarted = channel is Channel.CONTROL and session.has_received
                is_new = datagram.command == "IN" and (not is_token or has_restarted)
            if link.host == host and (
                (is_peer and not is_new) or (is_token and session.is_initiator)
            ):
                return link
        return None

    def _invited(
        self, channel: Channel, invitation: Invitation, address: Address, now_ns: int
    ) -> None:
        if (
            channel is Channel.DATA
            or invitation.ssrc == self.ssrc
            or not self._gives_way(invitation, address)
        ):
            self._refuse(channel, invitation, address)
        elif len(self.all) >= MAX_SESSIONS or self._are_too_many(now_ns):
            if not self._is_full:
                logger.warning("network MIDI: %s is refused: too many sessions", invitation.name)
            self._is_full = True
            self._refuse(channel, invitation, address)
        else:
            self._is_full = False
            self._begun_ns.append(now_ns)
            link = Link(
                Session(self.name, self.ssrc, invitation.token, now_ns, invitation), address
            )
            self.all.append(link)
            self._handle(link, [])

    def _are_too_many(self, now_ns: int) -> bool:
        """Return whether peers begin sessions faster than `MAX_BEGUN` in `BEGUN_S`."""
        begun = self._begun_ns
        return len(begun) == MAX_BEGUN and now_ns - begun[0] < BEGUN_S * 1e9

    def _gives_way(self, invitation: Invitation, address: Address) -> bool:
        """End our session with a peer that begins a new one; return whether to accept it.

        If both invite each other at once, the invitation of the greater SSRC wins.
        """
        for link in tuple(self.all):
            session = link.session
            is_new = session.is_initiator and session.state is not State.OPEN
            is_same = link.host == address[0] and session.peer_ssrc == invitation.ssrc
            if not is_same and not (is_new and link.addresses[0] == address):
                continue
            if is_new and self.ssrc > invitation.ssrc:
                return False
            session.drop("the peer restarted")
            self._handle(link, [])
        return True

    def _refuse(self, channel: Channel, invitation: Invitation, address: Address) -> None:
        self.refused += 1
        no = Invitation("NO", invitation.token, self.ssrc, "")
        self._send(channel, build_invitation(no), address)

    # ------------------------------------------------------------------ output of a session

    def _handle(self, link: Link, messages: Sequence[Message]) -> None:
        """Send a session's datagrams, deliver its messages, and open or close its port."""
        session = link.session
        self._flush(link)
        if session.state is State.OPEN and link.port is None:
            link.name = self._port_name(session.peer_name or link.host)
            self._sessions += 1
            ident = f"rtpmidi:{link.name}@{link.host}#{self._sessions}"
            link.port = Port(ident, link.name, lambda data: self._play(link, data))
            self._ports.add(link.port)
            logger.info("network MIDI: session with %s at %s", link.name, link.host)
        if link.port is not None and messages:
            self._hand_over(link.port, messages)
        if session.state is State.CLOSED and link in self.all:
            self.all.remove(link)
            if link.port is not None:
                self._ports.remove(link.port)
                logger.info("network MIDI: %s disconnected: %s", link.name, session.reason)
            link.ended.set()

    def _hand_over(self, port: Port, messages: Sequence[Message]) -> None:
        """Pass messages to the MIDI surface; short ones of one time together.

        The halves of a 14-bit number then reach the resolver in the same block.
        """
        now_ns = self._now_ns()
        for (at_ns, is_sysex), group in groupby(messages, lambda each: (each.at_ns, each.is_sysex)):
            frame = self._frame_of(at_ns, now_ns)
            parts = [each.data for each in group]
            for data in parts if is_sysex else (b"".join(parts),):
                self._ports.received(port, data, frame)

    def _port_name(self, name: str) -> str:
        """Return a name that no other session's port has."""
        taken = {link.name for link in self.all}
        names = (name, *(f"{name} {number}" for number in range(2, MAX_SESSIONS + 1)))
        return next((each for each in names if each not in taken), name)

    def _play(self, link: Link, data: bytes) -> None:
        """Queue messages of the MIDI surface; those of one event-loop turn share a packet."""
        link.waiting += split(data)
        self.on_waiting()

    def send_waiting(self) -> None:
        """Send the messages queued since the last call."""
        for link in tuple(self.all):
            if link.waiting:
                link.session.send(link.waiting, self._now_ns())
                link.waiting = []
                self._flush(link)

    def _flush(self, link: Link) -> None:
        outbox = link.session.outbox
        for channel, data in outbox:
            self._send(channel, data, link.addresses[channel])
        outbox.clear()
