"""Enlarge the receive buffer of a socket, for bursts while other processes have the CPU."""

from __future__ import annotations

import socket
from contextlib import suppress

SO_RCVBUFFORCE = 33  # asm-generic/socket.h


def widen(line: socket.socket, size: int) -> int:
    """Set the receive buffer of a socket; return the size that the system allows.

    The limit is ``net.core.rmem_max``; root, or CAP_NET_ADMIN, may exceed it.
    """
    line.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, size)
    with suppress(OSError):
        line.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, size)
    return line.getsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF) // 2  # the system doubles it
