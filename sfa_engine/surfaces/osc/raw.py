"""OSC as an end of routes: see `stage.raw_bus`."""

from __future__ import annotations

import ipaddress
import socket
from contextlib import suppress

from sfa_engine.stage.raw_bus import Message, Named, RawBus, fits
from sfa_engine.surfaces.osc import packet
from sfa_engine.surfaces.osc.address import message
from sfa_engine.surfaces.osc.peer import Peer, Peers


def origin_of(peer: Peer) -> str:
    """Return the name by which routes match a peer: its name and receiving address."""
    return f"{peer.name} {peer.host}:{peer.target[1]}"


def publish(bus: RawBus, peer: Peer, request: packet.Message) -> bool:
    """Publish a message to the routes; return whether one takes it."""
    return bus.is_routed("osc") and bus.publish(
        "osc", origin_of(peer), Named(request.address, request.arguments)
    )


class RawEnd:
    """Sends the output of routes: to peers with feedback, or to the address in a route.

    Parameters
    ----------
    peers : Peers
    line : socket.socket
        UDP.
    """

    def __init__(self, peers: Peers, line: socket.socket) -> None:
        self._peers = peers
        self._line = line

    def send(self, target: str, named: Message) -> None:
        """Send a message; one that cannot be sent is dropped, as by the network."""
        assert isinstance(named, Named)
        data = message(named.address, *named.arguments)
        peers = [each for each in self._peers if each.gets_feedback]
        peers = [each for each in peers if fits(origin_of(each), target)]
        for peer in peers:
            peer.send([data])
        if not peers:
            self._send_to(target, data)

    def _send_to(self, target: str, data: bytes) -> None:
        """Send to ``192.168.1.5:9000``, which need not have sent anything."""
        host, _, port = target.rpartition(":")
        with suppress(ValueError, OSError, OverflowError):
            address = ipaddress.IPv4Address(host)
            prefix = "::ffff:" if self._line.family == socket.AF_INET6 else ""
            self._line.sendto(data, (f"{prefix}{address}", int(port)))
