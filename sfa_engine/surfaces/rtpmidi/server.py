"""Network MIDI on trio: the two UDP ports, invitations, and the verbs of ``sfa midi connect``."""

from __future__ import annotations

import logging
import socket
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import trio

from sfa_engine.errors import DeviceError, Refused, SfaError, did_you_mean
from sfa_engine.stage.core import Core
from sfa_engine.stage.discovery import Discovery
from sfa_engine.stage.midi_ports import ExternalPorts, frame_at
from sfa_engine.surfaces.rtpmidi.links import Address, Link, Links
from sfa_engine.surfaces.rtpmidi.packet import MAX_DATAGRAM
from sfa_engine.surfaces.rtpmidi.session import Channel
from sfa_engine.surfaces.rtpmidi.settings import RtpMidiConfig
from sfa_engine.surfaces.rtpmidi.target import Target, parse_target
from sfa_engine.system.allow_list import AllowList
from sfa_engine.system.receive_buffer import widen
from sfa_engine.wire.verbs import Text, verb

logger = logging.getLogger(__name__)
SERVICE = "_apple-midi._udp.local."
BATCH = 16  # datagrams between two checkpoints
SLICE_S = 0.0005  # between them, plus the last datagram: 4 kB of commands take 2 ms
RECEIVE_BUFFER = 1 << 20  # bytes: a thousand small datagrams, if the system allows it
RETRY_S = 5.0  # from the end of a session, or an unknown host name, to the next invitation
MAX_TARGETS = 16


class Server:
    """Serves sessions with peers as MIDI ports.

    Parameters
    ----------
    config : RtpMidiConfig
    ports : ExternalPorts
    frame_of : callable
        Engine frame of a time, given that and now, both of the monotonic clock.

    Raises
    ------
    Refused
        A configured host or network is invalid.
    """

    def __init__(
        self,
        config: RtpMidiConfig,
        ports: ExternalPorts,
        frame_of: Callable[[int, int], int],
        now_ns: Callable[[], int] = time.monotonic_ns,
    ) -> None:
        self._config = config
        self._allowed = AllowList("rtpmidi.allow", config.allow)
        self._configured = [parse_target(each) for each in config.connect]
        self.links = Links(config.name, ports, self._send, frame_of, now_ns)
        self.discovery = Discovery(SERVICE, config.name, config.port)
        self.unsent = self.faults = 0
        self._sockets: list[socket.socket] = []
        self._targets: dict[Target, trio.CancelScope] = {}
        self._nursery: trio.Nursery | None = None
        self._changed = trio.Event()
        self._waiting = trio.Event()
        self.links.on_waiting = self._wake_sender

    async def run(self, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Serve until cancelled.

        Raises
        ------
        DeviceError
            The ports are in use.
        """
        self._open()
        try:
            async with trio.open_nursery() as nursery:
                self._nursery = nursery
                for channel in Channel:
                    nursery.start_soon(self._receive, channel)
                nursery.start_soon(self._keep_time)
                nursery.start_soon(self._send_waiting)
                if self._config.zeroconf:
                    nursery.start_soon(self.discovery.run)
                for target in self._configured:
                    self._connect(target)
                task_status.started()
        finally:
            self._nursery = None
            for link in tuple(self.links.all):
                self.links.end(link)
            for each in self._sockets:
                each.close()

    def _open(self) -> None:
        host = self._config.host or "0.0.0.0"  # noqa: S104 - who may play is the allow-list's
        for channel in Channel:
            port = self._config.port + channel
            opened = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            self._sockets.append(opened)
            opened.setblocking(False)
            widen(opened, RECEIVE_BUFFER)
            try:
                opened.bind((host, port))
            except OSError as error:
                for each in self._sockets:
                    each.close()
                raise DeviceError(
                    f"network MIDI: UDP port {port} of {host}: {error.strerror}",
                    "set rtpmidi.port to another, or end the program that uses it",
                ) from None

    # ------------------------------------------------------------------ datagrams

    async def _receive(self, channel: Channel) -> None:
        ours = self._sockets[channel]
        while True:
            await trio.lowlevel.wait_readable(ours)
            slice_ends_s = time.monotonic() + SLICE_S
            for _ in range(BATCH):
                try:
                    data, address = ours.recvfrom(MAX_DATAGRAM)
                except BlockingIOError:
                    break
                except OSError:  # an earlier datagram could not be delivered
                    continue
                if self._allowed.permits(address[0]) or self.links.knows(address[0]):
                    self._take(channel, data, address)
                if time.monotonic() > slice_ends_s:
                    break
            self._changed.set()

    def _take(self, channel: Channel, data: bytes, address: Address) -> None:
        try:
            self.links.receive(channel, data, address)
        except Exception:  # a bug must not let a peer end the stage
            if not self.faults:
                logger.exception("network MIDI: a datagram of %s; later ones are counted", address)
            self.faults += 1

    def _send(self, channel: Channel, data: bytes, address: Address) -> None:
        try:
            self._sockets[channel].sendto(data, address)
        except OSError:  # no route, or no buffer space: counted, like losses on the network
            self.unsent += 1

    async def _keep_time(self) -> None:
        while True:
            self._changed = trio.Event()
            wait_ns = self.links.tick()
            with trio.move_on_after(max(0.001, wait_ns / 1e9)):
                await self._changed.wait()
            await trio.lowlevel.checkpoint()

    def _wake_sender(self) -> None:
        self._waiting.set()

    async def _send_waiting(self) -> None:
        while True:
            await self._waiting.wait()
            self._waiting = trio.Event()
            self.links.send_waiting()

    # ------------------------------------------------------------------ invitations

    def _connect(self, target: Target) -> None:
        if target not in self._targets and self._nursery is not None:
            self._targets[target] = scope = trio.CancelScope()
            self._nursery.start_soon(self._keep_inviting, target, scope)

    async def _keep_inviting(self, target: Target, scope: trio.CancelScope) -> None:
        """Keep a session with a peer, invited by either side, until cancelled."""
        logged = ""
        with scope:
            while True:
                link, problem = await self._begin(target)
                if link is not None:
                    await link.ended.wait()
                    problem = link.session.reason
                if problem != logged:
                    logger.info("network MIDI: %s: %s; invited again", target, problem)
                    logged = problem
                await trio.sleep(RETRY_S)

    async def _begin(self, target: Target) -> tuple[Link | None, str]:
        """Return the session with a peer, or the reason for its lack."""
        address = await _resolve(target)
        if address is None:
            return None, "unknown host"
        link = self.links.find(address) or self.links.invite(address)
        self._changed.set()
        return link, "" if link else "too many sessions"

    # ------------------------------------------------------------------ verbs

    @verb(scope="admin")
    def midi_connect(self, host: Text) -> dict[str, Any]:
        """Invite a network MIDI peer, ``host:port``, whenever it has no session."""
        target = parse_target(host)
        if len(self._targets) >= MAX_TARGETS and target not in self._targets:
            raise Refused(f"{MAX_TARGETS} peers are invited already", "disconnect one")
        self._connect(target)
        return {"host": target.host, "port": target.port}

    @verb(scope="admin", slow=True)
    async def midi_disconnect(self, host: Text) -> dict[str, Any]:
        """End a network MIDI session, by its name or host, and stop inviting the peer."""
        ended = [link for link in self.links.all if host in {link.name, link.host}]
        scope = None
        with suppress(Refused):  # a session's name need not be a host
            target = parse_target(host)
            scope = self._targets.pop(target, None)
            address = await _resolve(target)
            if address and (link := self.links.find(address)) and link not in ended:
                ended.append(link)
        if scope is not None:
            scope.cancel()
        elif not ended:
            names = [link.name for link in self.links.all]
            raise Refused(
                f'network MIDI: no session with "{host:.80}"',
                did_you_mean(host, names) or "see `sfa midi network`",
            )
        for link in ended:
            self.links.end(link)
        return {"ended": len(ended)}

    def _found(self) -> list[dict[str, Any]]:
        return [
            {"name": each.name, "host": host, "port": each.port}
            for each in self.discovery.found.values()
            if (host := next((host for host in each.hosts if ":" not in host), ""))
        ]

    @verb(scope="read")
    def midi_network(self) -> dict[str, Any]:
        """Return the network MIDI sessions, invited peers, and discovered ones."""
        return {
            "name": self._config.name,
            "port": self._config.port,
            "sessions": [link.status() for link in self.links.all],
            "invited": [str(target) for target in self._targets],
            "found": self._found(),
            "damaged": self.links.damaged,
            "refused": self.links.refused,
            "unsent": self.unsent,
            "faults": self.faults,
        }


async def _resolve(target: Target) -> Address | None:
    """Return a peer's address; None if its name does not resolve."""
    try:
        found = await trio.socket.getaddrinfo(
            target.host, target.port, family=socket.AF_INET, type=socket.SOCK_DGRAM
        )
    except (OSError, UnicodeError):
        return None
    host, port = found[0][4][:2]
    return str(host), int(port)


async def start_rtpmidi(core: Core, nursery: trio.Nursery, config: RtpMidiConfig) -> None:
    """Start network MIDI if it is enabled; a failure is reported in `sfa health`."""
    if not config.enabled:
        return
    try:
        server = Server(
            config,
            core.external_ports,
            lambda moment_ns, now_ns: frame_at(core.conductor.memory, moment_ns, now_ns),
        )
        await nursery.start(server.run)
    except SfaError as error:
        core.surface_errors.append(f"network MIDI is off: {error}")
    else:
        core.add_verbs(server)
