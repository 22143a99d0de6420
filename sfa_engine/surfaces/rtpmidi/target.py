"""Parse a peer's address. Pure."""

from __future__ import annotations

from typing import NamedTuple

from sfa_engine.errors import Refused

PORT = 5004  # AppleMIDI's default
MAX_PORT = 65_534  # the data channel has the next one
MAX_HOST = 253  # characters of a name, as DNS has it


class Target(NamedTuple):
    """Host and control port."""

    host: str
    port: int

    def __str__(self) -> str:
        return self.host if self.port == PORT else f"{self.host}:{self.port}"


def parse_target(text: str) -> Target:
    """Return the peer that ``host`` or ``host:port`` names.

    Raises
    ------
    Refused
        It is neither.
    """
    host, colon, number = text.strip().rpartition(":")
    if not colon:
        host, number = number, str(PORT)
    remedy = "give a host's name or IPv4 address, and perhaps :port"
    if not 0 < len(host) <= MAX_HOST or not host.isprintable() or set(host) & set(": /[]"):
        raise Refused(f"network MIDI: {text!r:.80} is not a host", remedy)
    port = int(number) if number.isascii() and number.isdecimal() and len(number) <= 5 else 0
    if not 1 <= port <= MAX_PORT:
        raise Refused(f"network MIDI: port {number!r:.20}", f"give one from 1 to {MAX_PORT}")
    return Target(host, port)
