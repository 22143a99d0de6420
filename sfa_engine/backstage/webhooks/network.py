"""Connections to allowed addresses only, for the HTTP client of webhooks.

A name is resolved once, every address of it is checked, and the connection goes to one of those:
between a check and a second lookup a name server could change its answer (DNS rebinding).
"""

from __future__ import annotations

import socket
from collections.abc import Awaitable, Callable, Iterable, Sequence

import httpcore

from sfa_engine.backstage.webhooks.address import Network, is_allowed
from sfa_engine.system.aio import within_time

CONNECT_TIMEOUT_S = 4.0  # to each address: two are tried within a delivery's time
RESOLVE_TIMEOUT_S = 8.0

Resolve = Callable[[str, int], Awaitable[Sequence[str]]]


class AddressError(httpcore.ConnectError):
    """A name resolves to an address that is not allowed."""


async def resolve(host: str, port: int) -> list[str]:
    """Return the addresses of a name, in the order in which to try them.

    Raises
    ------
    OSError, UnicodeError
        The name is unknown, or not a name.
    TimeoutError
        The name server does not answer.
    """
    found = await within_time(
        *(RESOLVE_TIMEOUT_S, socket.getaddrinfo),
        *(host, port, socket.AF_UNSPEC, socket.SOCK_STREAM),
    )
    return list(dict.fromkeys(str(each[4][0]) for each in found))


def check_addresses(host: str, addresses: Iterable[str], networks: Sequence[Network]) -> None:
    """Refuse a name of which an address is not allowed.

    Raises
    ------
    AddressError
        The message says which one, and what to do.
    """
    for address in addresses:
        if not is_allowed(address, networks):
            of = "" if host == address else f"{host:.80} is {address}, "
            raise AddressError(
                f"{of}{address if not of else 'which'} is not an address of the internet; "
                "name its network in `allow` of [webhooks], if it is one of yours"
            )


class Backend(httpcore.AnyIOBackend):
    """The network of an HTTP client that connects to allowed addresses only.

    Parameters
    ----------
    networks : sequence of Network
        Allowed although they are not of the internet.
    resolver : callable
        Returns the addresses of a name.
    """

    def __init__(self, networks: Sequence[Network] = (), resolver: Resolve = resolve) -> None:
        self._networks = networks
        self._resolve = resolver

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ASYNC109 - httpcore's signature
        local_address: str | None = None,
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        """Connect to the first address of a name that answers."""
        addresses = await self._resolve(host, port)
        check_addresses(host, addresses, self._networks)
        failure: Exception = httpcore.ConnectError(f"{host:.80} has no address")
        for address in addresses:
            try:
                return await super().connect_tcp(
                    address, port, timeout or CONNECT_TIMEOUT_S, local_address, socket_options
                )
            except (httpcore.ConnectError, httpcore.ConnectTimeout) as error:
                failure = error
        raise failure
