"""Which requests are served at all: the rules on Host and Origin, and the security headers. Pure.

Against DNS rebinding the Host header has to name this machine in a way that no public name can.
Against cross-site requests a browser has to say that its page is ours; cookies alone prove nothing,
as they are sent to every port of a host.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Collection, Mapping
from enum import Enum

SAFE = frozenset({"GET", "HEAD", "OPTIONS"})
# Headers of which a request has one: of two that differ, a proxy and this process may read another.
SINGLE = (
    *("origin", "sec-fetch-site", "authorization", "content-type", "content-length"),
    *("range", "if-range", "if-match", "if-none-match", "if-modified-since"),
)
_LABEL = re.compile(r"[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?")
_PORT = re.compile(r":\d{1,5}")
_NUMBER = re.compile(r"\d+|0x[0-9a-f]*")  # an IPv4 address in another form, as 2130706433

POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; "
    "media-src 'self'; connect-src 'self'; worker-src 'self'; manifest-src 'self'; "
    "font-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'self'; "
    "require-trusted-types-for 'script'"
)
HEADERS: Mapping[str, str] = {
    "content-security-policy": POLICY,
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
}


class Sender(Enum):
    """What a request's headers say of where it comes from."""

    OURS = "a page of ours, or a method that changes nothing"
    OTHER = "a page of another site"
    PROGRAM = "no browser, or one that does not say"


def host_name(host: str) -> str:
    """Return the name or address in a Host header, without the port; empty if it is invalid."""
    host = host.strip().lower()
    if host.startswith("["):
        inside, bracket, rest = host[1:].partition("]")
        is_valid = bracket and ":" in inside and (not rest or _PORT.fullmatch(rest))
        return inside if is_valid else ""
    name, colon, port = host.partition(":")
    return "" if colon and not _PORT.fullmatch(f":{port}") else name.removesuffix(".")


def is_address(name: str) -> bool:
    """Return whether a name is an IP address; ``127.0.0.1.example.org`` is not."""
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True


def is_ours(host: str, names: Collection[str]) -> bool:
    """Return whether a Host header names this machine.

    Parameters
    ----------
    host : str
        The header.
    names : collection of str
        Configured names, in lower case.
    """
    name = host_name(host)
    if not name or is_address(name) or name in names:
        return bool(name)
    labels = name.split(".")
    if not all(_LABEL.fullmatch(label) for label in labels):
        return False
    return labels[-1] == "local" or (len(labels) == 1 and not _NUMBER.fullmatch(name))


def is_loopback(address: str) -> bool:
    """Return whether a peer's address is this machine's own."""
    try:
        peer = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return False
    mapped = getattr(peer, "ipv4_mapped", None)
    return bool((mapped or peer).is_loopback)


def sender(method: str, headers: Mapping[str, str]) -> Sender:
    """Return where a request comes from, as far as its browser says.

    Browsers send ``Sec-Fetch-Site`` to secure contexts only: over plain HTTP in a network, Origin
    decides.

    Parameters
    ----------
    method : str
    headers : mapping
        With names in lower case.
    """
    if method in SAFE:
        return Sender.OURS
    site = headers.get("sec-fetch-site")
    if site is not None:
        return Sender.OURS if site in {"same-origin", "none"} else Sender.OTHER
    if "origin" not in headers:
        return Sender.PROGRAM
    return Sender.OURS if is_same_origin(headers) else Sender.OTHER


def is_same_origin(headers: Mapping[str, str]) -> bool:
    """Return whether Origin is there, and names the host that the request is sent to."""
    _, separator, host = headers.get("origin", "").lower().partition("://")
    return bool(separator) and host == headers.get("host", "").lower()
