"""Bind and read the UDP socket, and read its error queue."""

from __future__ import annotations

import errno
import socket
import sys
from collections.abc import Iterator
from contextlib import suppress

from sfa_engine.errors import Refused
from sfa_engine.surfaces.osc.packet import MAX_PACKET
from sfa_engine.surfaces.osc.peer import Address
from sfa_engine.system.receive_buffer import widen

DATAGRAM_BYTES = 768  # of the buffer that a small datagram takes
# Bytes queued while other processes have the CPU; the kernel doubles the number: 0.7 s of 15,000
# a second. An unprivileged user's limit, net.core.rmem_max, is usually 208 kB: 36 ms.
RECEIVE_BUFFER = 1 << 22
IP_RECVERR, IPV6_RECVERR = 11, 25  # linux/in.h, linux/in6.h: the module `socket` lacks them
MAX_NOTES = 512
_GONE = {errno.ECONNREFUSED, errno.EHOSTUNREACH, errno.ENETUNREACH}


def bind(host: str, port: int) -> socket.socket:
    """Return a socket bound to a port, of IPv4 and IPv6 if no host is given.

    Raises
    ------
    Refused
        The host is not an address of this machine, or the port is in use.
    """
    error = OSError()
    for family, place in ((socket.AF_INET6, host or "::"), (socket.AF_INET, host or "0.0.0.0")):  # noqa: S104 - who may play is checked
        try:
            found = socket.getaddrinfo(place, port, family, socket.SOCK_DGRAM)
            made = socket.socket(family, socket.SOCK_DGRAM)
        except OSError as why:
            error = why
            continue
        try:
            made.setblocking(False)
            widen(made, RECEIVE_BUFFER)
            made.setsockopt(socket.IPPROTO_IP, IP_RECVERR, 1)
            if family == socket.AF_INET6:
                made.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
                made.setsockopt(socket.IPPROTO_IPV6, IPV6_RECVERR, 1)
            made.bind(found[0][4])
        except OSError as why:
            made.close()
            error = why
            if why.errno == errno.EADDRINUSE:
                break
        else:
            return made
    raise Refused(
        f"port {port} of {host or 'this machine'}: {error.strerror or error}",
        "set osc.port or osc.host",
    )


def receive(line: socket.socket) -> tuple[bytes, Address] | None:
    """Return a datagram and its sender; None if the socket is empty.

    Raises
    ------
    OSError
        An earlier datagram was not delivered: see `unreachable`.
    """
    try:
        return line.recvfrom(MAX_PACKET + 1)
    except BlockingIOError:
        return None


def unreachable(line: socket.socket) -> Iterator[Address]:
    """Yield the addresses that the error queue reports as unreachable."""
    with suppress(OSError):  # the queue is empty
        while True:
            _, notes, _, address = line.recvmsg(0, MAX_NOTES, socket.MSG_ERRQUEUE)
            # struct sock_extended_err begins with the error's number.
            if any(int.from_bytes(note[:4], sys.byteorder) in _GONE for _, _, note in notes):
                yield address
