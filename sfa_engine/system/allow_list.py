"""Decide which hosts may send: loopback, the machine's own subnets, named networks."""

from __future__ import annotations

import ctypes
import ipaddress
import socket
import time
from collections.abc import Sequence

from sfa_engine.errors import Refused

Network = ipaddress.IPv4Network | ipaddress.IPv6Network
OWN = "own"  # word for the machine's own subnets
POLL_S = 2.0  # between two reads of the interfaces
MAX_KNOWN = 1024  # hosts in the cache
_OFFSETS = {socket.AF_INET: (4, 4), socket.AF_INET6: (8, 16)}  # of an address in its sockaddr


class _Interface(ctypes.Structure):
    """``struct ifaddrs``, up to the fields in use."""


_Interface._fields_ = [
    ("next", ctypes.POINTER(_Interface)),
    ("name", ctypes.c_char_p),
    ("flags", ctypes.c_uint),
    ("address", ctypes.c_void_p),
    ("netmask", ctypes.c_void_p),
]


def own_interfaces() -> list[ipaddress.IPv4Interface | ipaddress.IPv6Interface]:
    """Return this machine's addresses, each with the subnet it is in."""
    libc = ctypes.CDLL(None, use_errno=True)
    first = ctypes.POINTER(_Interface)()
    if libc.getifaddrs(ctypes.byref(first)):
        return []
    try:
        found, here = [], first
        while here:
            interface = _interface(here.contents)
            if interface is not None:
                found.append(interface)
            here = here.contents.next
        return found
    finally:
        libc.freeifaddrs(first)


def _interface(raw: _Interface) -> ipaddress.IPv4Interface | ipaddress.IPv6Interface | None:
    if not raw.address or not raw.netmask:
        return None
    family = ctypes.c_ushort.from_address(raw.address).value
    if family not in _OFFSETS:
        return None
    offset, size = _OFFSETS[socket.AddressFamily(family)]
    address = ipaddress.ip_address(ctypes.string_at(raw.address + offset, size))
    mask = int.from_bytes(ctypes.string_at(raw.netmask + offset, size), "big")
    return ipaddress.ip_interface((address, mask.bit_count()))


def plain(host: str) -> str:
    """Return a readable host: an IPv4 address on an IPv6 socket without its prefix."""
    return host.removeprefix("::ffff:").partition("%")[0]


def is_loopback(host: str) -> bool:
    """Return whether a host is a loopback address."""
    return ipaddress.ip_address(plain(host)).is_loopback


class AllowList:
    """Decides whether a host may send.

    Parameters
    ----------
    key : str
        Of the configuration, for errors.
    allowed : sequence of str
        Networks, hosts, and the word ``own``.

    Raises
    ------
    Refused
        An entry is not a network.
    """

    def __init__(self, key: str, allowed: Sequence[str]) -> None:
        self._own = OWN in allowed
        self._named: list[Network] = []
        for word in allowed:
            if word != OWN:
                try:
                    self._named.append(ipaddress.ip_network(word, strict=False))
                except ValueError:
                    raise Refused(
                        f"{key}: {word!r:.60} is not a network", 'give 192.168.1.0/24, or "own"'
                    ) from None
        self._networks: list[Network] = []
        self._polled_s = -POLL_S
        self._known: dict[str, bool] = {}

    def permits(self, host: str) -> bool:
        """Return whether a host may send; changes of the interfaces are followed."""
        now_s = time.monotonic()
        if now_s - self._polled_s >= POLL_S or len(self._known) > MAX_KNOWN:
            self._polled_s = now_s
            self._networks = [each.network for each in own_interfaces()] if self._own else []
            self._known.clear()
        answer = self._known.get(host)
        if answer is None:
            answer = self._known[host] = self._permits(host)
        return answer

    def _permits(self, host: str) -> bool:
        try:
            address = ipaddress.ip_address(plain(host))
        except ValueError:
            return False
        if address.is_loopback:
            return True
        return any(address in network for network in (*self._named, *self._networks))
