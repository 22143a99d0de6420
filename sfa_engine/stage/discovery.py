"""Advertise a service by zeroconf, and discover those of others.

Zeroconf has a thread of its own and takes 2 s to register: nothing waits for it, neither at start
nor at exit. When the machine's addresses change (Wi-Fi that connects late) it restarts.
"""

from __future__ import annotations

import ipaddress
import logging
import socket
import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import TYPE_CHECKING, NamedTuple

import trio

from sfa_engine.system.allow_list import own_interfaces

if TYPE_CHECKING:
    from concurrent.futures import Future

    from zeroconf import ServiceStateChange, Zeroconf

logger = logging.getLogger(__name__)
LOOK_UP_MS = 3000  # for a service's address
ADDRESS_POLL_S = 5.0  # between two checks of the machine's addresses
CLOSE_TIMEOUT_S = 0.5  # for the goodbye; without it others list the service for two minutes
MAX_FOUND = 64
MAX_LABEL = 63 - 5  # bytes of a name in DNS, and " (12)" if another has it


class Found(NamedTuple):
    """A discovered service; its IPv4 addresses come first."""

    name: str
    hosts: tuple[str, ...]
    port: int


class Discovery:
    """One kind of service: the engine's, and those of others.

    Parameters
    ----------
    kind : str
        As ``_osc._udp.local.``
    name : str
        Of the engine's service; zeroconf appends a number to a name in use.
    port : int
    text : mapping of str to str, optional
        Properties that are advertised.
    delay_s : float, optional
        Before the start: importing the library takes 0.3 s of the interpreter.

    Attributes
    ----------
    found : dict of str to Found
        By the service's full name.
    """

    def __init__(
        self,
        kind: str,
        name: str,
        port: int,
        text: Mapping[str, str] | None = None,
        delay_s: float = 0.0,
    ) -> None:
        self.found: dict[str, Found] = {}
        self.on_change: Callable[[], None] = lambda: None
        self.kind, self.port = kind, port
        self.name = name.encode()[:MAX_LABEL].decode(errors="ignore").replace(".", " ")
        self.text, self._delay_s = dict(text or {}), delay_s

    async def run(self) -> None:
        """Advertise and discover until cancelled."""
        await trio.sleep(self._delay_s)
        while True:
            addresses = _addresses()
            session = _Session(self, addresses)
            try:
                await trio.to_thread.run_sync(session.start, abandon_on_cancel=True)
            except Exception as error:  # noqa: BLE001 - of the library, which raises many types
                logger.info("%s is not advertised: %s", self.kind, error)
            try:
                while _addresses() == addresses:  # noqa: ASYNC110 - nothing to wait for
                    await trio.sleep(ADDRESS_POLL_S)
            finally:
                with trio.move_on_after(CLOSE_TIMEOUT_S, shield=True):
                    await trio.to_thread.run_sync(session.close, abandon_on_cancel=True)
            self.found.clear()
            self.on_change()

    def note(self, name: str, found: Found | None) -> None:
        """Add, update or remove a service."""
        self.found.pop(name, None)
        if found is not None and len(self.found) < MAX_FOUND:
            self.found[name] = found
        self.on_change()


class _Session:
    """A run of the library while the machine's addresses are unchanged; its methods may block."""

    def __init__(self, owner: Discovery, addresses: list[bytes]) -> None:
        self._owner, self._addresses = owner, addresses
        self._token = trio.lowlevel.current_trio_token()
        self._zeroconf: Zeroconf | None = None
        self._registering: Future[None] | None = None
        self._lock = threading.Lock()  # a start that is abandoned may still run when it is closed
        self._is_closed = False

    def start(self) -> None:
        import asyncio  # with zeroconf, of which it is the larger half

        from zeroconf import IPVersion, ServiceBrowser, Zeroconf

        with self._lock:
            if self._is_closed:
                return
            self._zeroconf = zeroconf = Zeroconf(ip_version=IPVersion.V4Only)
            assert zeroconf.loop is not None
            self._registering = asyncio.run_coroutine_threadsafe(
                self._register(zeroconf), zeroconf.loop
            )
            ServiceBrowser(zeroconf, self._owner.kind, handlers=[self._changed])

    async def _register(self, zeroconf: Zeroconf) -> None:
        """Register, in the library's thread."""
        from zeroconf import ServiceInfo

        owner = self._owner
        here = ServiceInfo(
            owner.kind,
            f"{owner.name}.{owner.kind}",
            port=owner.port,
            addresses=self._addresses,
            properties=owner.text,
            server=f"{socket.gethostname().partition('.')[0]}-sfa.local.",
        )
        # The library's own call blocks a thread meanwhile, and cannot be cancelled.
        await (await zeroconf.async_register_service(here, allow_name_change=True))

    def close(self) -> None:
        with self._lock:
            self._is_closed = True
            if self._zeroconf is None:
                return
            if self._registering is not None:
                self._registering.cancel()
            assert self._zeroconf.loop is not None
            # The process may exit before the library does, which asyncio would report.
            self._zeroconf.loop.set_exception_handler(lambda _loop, _context: None)
            self._zeroconf.close()

    def _changed(
        self, zeroconf: Zeroconf, service_type: str, name: str, state_change: ServiceStateChange
    ) -> None:
        from zeroconf import ServiceStateChange

        info = None
        if state_change is not ServiceStateChange.Removed:
            try:
                info = zeroconf.get_service_info(service_type, name, LOOK_UP_MS)
            except Exception as error:  # noqa: BLE001 - of the library, which is being closed
                logger.debug("%s: %s", name, error)
        found = None
        if info is not None and info.port and (hosts := info.parsed_addresses()):
            hosts.sort(key=lambda host: (":" in host, ipaddress.ip_address(host)))
            found = Found(_shown(name.removesuffix("." + service_type)), tuple(hosts), info.port)
        with suppress(trio.RunFinishedError):
            self._token.run_sync_soon(self._owner.note, name, found)


def _shown(name: str) -> str:
    """Return a name that is safe to show in a terminal."""
    return "".join(each if each.isprintable() else "?" for each in name)


def _addresses() -> list[bytes]:
    """Return this machine's IPv4 addresses: loopback only if it has no other."""
    ours = [each.ip for each in own_interfaces() if isinstance(each.ip, ipaddress.IPv4Address)]
    return [each.packed for each in ours if not each.is_loopback] or [each.packed for each in ours]
