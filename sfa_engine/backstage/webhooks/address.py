"""Which addresses a webhook may have: those of the internet, and networks of the configuration.

An endpoint inside the network would let its author send requests to a router or another program
of this machine (server-side request forgery). So a name is no criterion, only what it resolves to:
``2130706433`` and ``0x7f.1`` are 127.0.0.1 too. Pure.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence
from urllib.parse import urlsplit

from sfa_engine.errors import Refused

MAX_URL = 2048

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network
# `is_global` alone passes NAT64 (64:ff9b::/96) and site-local addresses, which lie outside.
_GLOBAL_UNICAST = ipaddress.IPv6Network("2000::/3")


def is_allowed(word: str, networks: Sequence[Network] = ()) -> bool:
    """Return whether an address may be connected to.

    Parameters
    ----------
    word : str
        As a resolver returns it.
    networks : sequence of Network
        That are allowed although they are not of the internet.
    """
    try:
        address = _plain(ipaddress.ip_address(word.partition("%")[0]))
    except ValueError:
        return False
    if any(address in network for network in networks):
        return True
    if isinstance(address, ipaddress.IPv4Address):
        return address.is_global and not address.is_multicast
    is_tunnel = address.sixtofour is not None or address.teredo is not None
    return address in _GLOBAL_UNICAST and address.is_global and not is_tunnel


def _plain(address: Address) -> Address:
    """Return the IPv4 address that an IPv6 address maps."""
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return mapped or address


def check_url(url: str) -> None:
    """Refuse what is not an address that can be sent to.

    Raises
    ------
    Refused
        It has another scheme, a password, spaces, or no host.
    """
    if len(url) > MAX_URL:
        raise Refused(f"the URL has {len(url)} characters", f"give one of at most {MAX_URL}")
    if not url.isascii() or not url.isprintable() or " " in url:
        raise Refused(f'"{url:.80}" is not a URL', "write other characters as %XX or xn--…")
    try:
        parts = urlsplit(url)
        port, host = parts.port, parts.hostname
    except ValueError as error:
        raise Refused(f'"{url:.80}" is not a URL: {error}', "as https://example.org/hook") from None
    if parts.scheme not in {"http", "https"} or not host or port == 0:
        raise Refused(f'"{url:.80}" is not a URL of the web', "as https://example.org/hook")
    if parts.username is not None or parts.password is not None:
        raise Refused("a URL with a password", "the signature says who sends: leave it out")
    if parts.fragment:
        raise Refused(f'"{url:.80}" has a fragment', "it is not sent: leave out # and the rest")


def networks_of(words: Sequence[str]) -> tuple[Network, ...]:
    """Return networks from their texts, as ``192.168.1.0/24``.

    Raises
    ------
    ValueError
        One is not a network.
    """
    return tuple(ipaddress.ip_network(word) for word in words)
