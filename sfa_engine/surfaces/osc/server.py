"""The OSC surface: UDP and TCP, feedback, and the verb ``osc.peers``.

::

    datagrams ── drain ──► last value of each fader, every press ──► dispatch ──► conductor
                                                                                     │ listener
    tablets ◄── bundles, at most 60 a second ◄── feedback, one a subscriber ◄────────┘

On each wake-up the socket is drained; of consecutive values of a fader only the last is parsed,
which handles 15,000 messages a second instead of 9,000 (measured). A press is never dropped, and
no value is moved past a press.
"""

from __future__ import annotations

import logging
import math
import socket
import time
from contextlib import suppress
from functools import partial
from typing import Any

import trio

from sfa_engine.desk import Value
from sfa_engine.errors import ProtocolError, Refused, SfaError
from sfa_engine.stage.core import Core
from sfa_engine.surfaces.osc import subscribers
from sfa_engine.surfaces.osc.address import CONTINUOUS, TARGETS
from sfa_engine.surfaces.osc.batch import Batch
from sfa_engine.surfaces.osc.datagrams import bind, receive, unreachable
from sfa_engine.surfaces.osc.discovery import Tablets
from sfa_engine.surfaces.osc.dispatch import Dispatcher
from sfa_engine.surfaces.osc.feedback import MAX_RATE_HZ
from sfa_engine.surfaces.osc.line import Line
from sfa_engine.surfaces.osc.packet import address_in, float_in, parse, split
from sfa_engine.surfaces.osc.peer import EXPIRY_S, PRESSES_A_SECOND, Address, Peer, Peers
from sfa_engine.surfaces.osc.raw import RawEnd
from sfa_engine.surfaces.osc.settings import OscConfig
from sfa_engine.system.allow_list import AllowList, is_loopback, plain
from sfa_engine.system.runtime_files import OSC_SUBSCRIBERS
from sfa_engine.wire.verbs import verb

logger = logging.getLogger(__name__)
MAX_DRAIN = 2048  # datagrams, and messages, before they are applied
SLICE_S = 0.0005  # of work between two checkpoints
HOLD_S = 0.004  # between two values of a fader: it glides for longer, and no screen sends faster
MAX_LINES = 16  # TCP connections
MAX_HOST_LINES = 4  # of another host, so that one cannot take them all
LINE_BUFFER = 4096
MAX_REFUSED = 100  # hosts counted
TOO_MANY = Refused("too many messages", f"send at most {PRESSES_A_SECOND:.0f} a second")
RELEASE_S = 1.0  # how often is looked for peers that are gone and hold something
RETRY_S = 5.0  # from an unreachable port to the next feedback to a configured or discovered peer


async def start_osc(core: Core, nursery: trio.Nursery, config: OscConfig) -> None:
    """Serve OSC in a nursery, unless it is off; a failure is reported in `sfa health`."""
    if not config.enabled:
        return
    try:
        server = Server(core, config)
        await nursery.start(server.run)
    except SfaError as error:
        core.surface_errors.append(f"OSC is off: {error}")
    else:
        core.add_verbs(server)


class Server:
    """Serves OSC.

    Parameters
    ----------
    core : Core
    config : OscConfig
    """

    def __init__(self, core: Core, config: OscConfig) -> None:
        self._core = core
        self._config = config
        self._allowed = AllowList("osc.allow", config.allow)
        self._file = core.runtime / OSC_SUBSCRIBERS
        self._peers = Peers()
        self._tablets = Tablets(config.port) if config.zeroconf else None
        self._socket: socket.socket
        self._dispatcher: Dispatcher
        self._wake = trio.Event()
        self._refused: dict[str, int] = {}  # hosts that are not allowed, and their attempts
        self._held_until_s = 0.0
        self._subscribed: list[Peer] = []

    async def run(self, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Serve until cancelled.

        Raises
        ------
        Refused
            The configuration is invalid, or the port is in use.
        """
        self._socket = bind(self._config.host, self._config.port)
        with self._socket:
            async with trio.open_nursery() as nursery:
                rate_hz = self._config.rate_hz
                self._dispatcher = Dispatcher(self._core, self._peers, nursery, rate_hz)
                self._dispatcher.on_subscribe = self._new_subscriber
                self._subscribe_known()
                nursery.start_soon(self._receive)
                nursery.start_soon(self._send_feedback)
                nursery.start_soon(self._release_gone)
                if self._config.tcp:
                    await self._listen(nursery)
                if self._tablets:
                    nursery.start_soon(self._tablets.run)
                self._core.raw_bus.listen("osc", RawEnd(self._peers, self._socket).send)
                end = self._core.conductor.listen(self._on_change)
                try:
                    task_status.started()
                    await trio.sleep_forever()
                finally:
                    end()

    async def _listen(self, nursery: trio.Nursery) -> None:
        serve = partial(trio.serve_tcp, self._serve_connection, self._config.port)
        try:
            await nursery.start(partial(serve, host=self._config.host or None))
        except OSError as error:
            logger.warning("OSC by TCP is off: port %d: %s", self._config.port, error)

    @verb(scope="read")
    def osc_peers(self) -> dict[str, Any]:
        """Return the OSC peers, discovered tablets, and refused hosts."""
        now_s = time.monotonic()
        peers = [
            {
                "address": f"{peer.host}:{peer.address[1]}",
                "name": peer.name,
                "transport": peer.transport,
                "port": peer.target[1] if peer.transport == "udp" else None,
                "rate_hz": peer.feedback.rate_hz if peer.feedback and peer.gets_feedback else 0.0,
                "messages": peer.messages,
                "errors": peer.errors,
                "last_received_ago_s": peer.silence_s(now_s),
            }
            for peer in self._peers
        ]
        tablets = self._tablets.by_host if self._tablets else {}
        return {
            "peers": peers,
            "tablets": [
                {"host": host, "name": name, "port": port}
                for host, (name, port) in sorted(tablets.items())
            ],
            "refused": dict(self._refused),
        }

    # ------------------------------------------------------------------ UDP

    async def _receive(self) -> None:
        """Drain the socket; apply presses at once, faders every `HOLD_S` at most."""
        batch, due_s = Batch(), math.inf
        while True:
            with trio.move_on_at(trio.current_time() + due_s - time.monotonic()):
                await trio.lowlevel.wait_readable(self._socket)
                if not await self._drain(batch):
                    self._pause_unreachable()
            if not len(batch):
                continue
            now_s = time.monotonic()
            if batch.is_urgent or now_s >= self._held_until_s:
                await self._apply(batch)
                batch, due_s = Batch(), math.inf
                self._held_until_s = now_s + HOLD_S
            else:
                due_s = self._held_until_s

    async def _drain(self, batch: Batch) -> int:
        """Read the socket into a batch; return the number of datagrams."""
        count, began_s = 0, time.monotonic()
        while count < MAX_DRAIN and len(batch) < MAX_DRAIN:
            try:
                received = receive(self._socket)
            except OSError:
                self._pause_unreachable()
                continue
            if received is None:
                break
            packet, address = received
            peer = self._peers.at(address) or self._new_peer(address)
            if peer is not None:
                self._collect(batch, peer, packet)
            count += 1
            if time.monotonic() - began_s > SLICE_S:
                await trio.lowlevel.checkpoint()
                began_s = time.monotonic()
        return count

    def _new_peer(self, address: Address) -> Peer | None:
        """Return the peer of a new address; None if it is not allowed."""
        if not self._permits(address[0]):
            return None
        return self._peers.add(address, self._send)

    def _permits(self, host: str) -> bool:
        if self._allowed.permits(host):
            return True
        shown = plain(host)
        if shown not in self._refused and len(self._refused) < MAX_REFUSED:
            self._refused[shown] = 0
            logger.warning("OSC from %s is refused: not in osc.allow", shown)
        if shown in self._refused:
            self._refused[shown] += 1
        return False

    def _collect(self, batch: Batch, peer: Peer, packet: bytes) -> None:
        """Add a packet's messages to a batch."""
        peer.messages += 1
        try:
            messages = split(packet)
        except Refused as error:
            self._dispatcher.refuse(peer, "#bundle", error)
            return
        for at_s, each in messages:
            address = b"" if at_s else address_in(each)
            if address not in CONTINUOUS and not peer.presses.take(1.0, time.monotonic()):
                self._dispatcher.refuse(peer, "", TOO_MANY)
            else:
                batch.put(peer, address, each, at_s)

    async def _apply(self, batch: Batch) -> None:
        """Apply a batch, with checkpoints for other tasks."""
        now_s = began_s = time.monotonic()
        for peer, address, data, at_s in batch.messages():
            self._note_received(peer, now_s)
            target = TARGETS.get(address)
            number = float_in(data, address) if target is not None else None
            if target is not None and number is not None:
                self._dispatcher.move(peer, target, number)
            else:
                await self._parse(peer, data, at_s)
            if time.monotonic() - began_s > SLICE_S:
                await trio.lowlevel.checkpoint()
                began_s = time.monotonic()

    async def _parse(self, peer: Peer, data: bytes, at_s: float) -> None:
        try:
            message = parse(data, at_s)
        except Refused as error:
            self._dispatcher.refuse(peer, address_in(data)[:40].decode("ascii", "replace"), error)
        else:
            await self._dispatcher.do(peer, message)

    def _note_received(self, peer: Peer, now_s: float) -> None:
        """Note that a peer has sent; resume expired feedback with a full dump."""
        peer.last_received_s = now_s
        if peer.feedback is not None:
            if not peer.feedback.is_active:
                peer.feedback.is_active = True
                peer.feedback.resync()
                self._wake.set()
        elif found := self._tablet(peer):
            peer.name, peer.port = found
            with suppress(Refused):  # too many
                self._dispatcher.subscribe(peer, self._config.rate_hz)

    def _tablet(self, peer: Peer) -> tuple[str, int] | None:
        """Return name and port of a peer's discovered tablet, unless it has unsubscribed."""
        if self._tablets is None or peer.transport != "udp" or peer.is_unsubscribed:
            return None
        return self._tablets.by_host.get(peer.host)

    def _send(self, peer: Peer, packets: list[bytes]) -> bool:
        for packet in packets:
            try:
                self._socket.sendto(packet, peer.target)
            except BlockingIOError:
                return False  # the network is too slow; the next dump makes up for it
            except OSError:
                self._pause_unreachable()
        return True

    def _pause_unreachable(self) -> None:
        """Pause the feedback to peers whose port is unreachable.

        What a peer holds is released, unless its port never was reachable: it only sends, then.
        """
        for address in unreachable(self._socket):
            for peer in self._peers:
                if peer.transport != "udp" or peer.target[:2] != address[:2]:
                    continue
                if not peer.silent_until_s:
                    self._core.conductor.release(peer.source)
                peer.silent_until_s = time.monotonic() + RETRY_S
                if peer.feedback is not None:
                    peer.feedback.is_active = False

    async def _release_gone(self) -> None:
        """Release what peers hold that are silent for too long, or forgotten."""
        conductor = self._core.conductor
        while True:
            await trio.sleep(RELEASE_S)
            holders = conductor.holds.sources()
            for source in self._peers.gone(holders, time.monotonic()):
                conductor.release(source)

    # ------------------------------------------------------------------ TCP

    async def _serve_connection(self, stream: trio.SocketStream) -> None:
        """Serve a TCP connection: one peer, with feedback on the same connection."""
        async with stream:
            try:
                address = stream.socket.getpeername()
            except OSError:  # closed already
                return
            if not self._permits(address[0]) or not self._has_line(address[0]):
                return
            stream.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)  # one that vanished
            line = Line(stream)
            peer = self._peers.add(
                address, line.send, transport="tcp", is_ready=lambda: line.is_idle
            )
            try:
                async with trio.open_nursery() as nursery:
                    nursery.start_soon(line.run, nursery.cancel_scope)
                    await self._read(stream, line, peer)
                    nursery.cancel_scope.cancel()
            finally:
                self._peers.forget(peer)
                self._core.conductor.release(peer.source)

    def _has_line(self, host: str) -> bool:
        """Return whether a host may open one more connection."""
        lines = [peer.address[0] for peer in self._peers if peer.transport == "tcp"]
        most = MAX_LINES if is_loopback(host) else MAX_HOST_LINES
        return len(lines) < MAX_LINES and lines.count(host) < most

    async def _read(self, stream: trio.SocketStream, line: Line, peer: Peer) -> None:
        try:
            while data := await stream.receive_some(LINE_BUFFER):
                batch = Batch()
                for packet in line.framing.feed(data):
                    self._collect(batch, peer, packet)
                await self._apply(batch)
        except ProtocolError as error:
            logger.debug("OSC from %s: %s", peer.host, error)
        except (trio.BrokenResourceError, trio.ClosedResourceError):
            pass

    # ------------------------------------------------------------------ feedback

    def _subscribe_known(self) -> None:
        """Subscribe the configured peers, and those of the stage before a restart."""
        for address, port, rate_hz, form in subscribers.load(self._file):
            if self._permits(address[0]):
                peer = self._peers.add(address, self._send)
                peer.port, peer.last_received_s = port, time.monotonic()
                with suppress(Refused):  # too many
                    self._dispatcher.subscribe(peer, rate_hz, form)
        for word in self._config.subscribers:
            host, _, number = word.rpartition(":")
            try:
                address = socket.getaddrinfo(
                    host.strip("[]"),
                    int(number), self._socket.family, socket.SOCK_DGRAM,
                    flags=socket.AI_NUMERICHOST | socket.AI_V4MAPPED,
                )[0][4]  # fmt: skip
            except (OSError, ValueError):
                logger.warning("osc.subscribers: %r is not host:port, with numbers alone", word)
                continue
            peer = self._peers.add(address, self._send, is_fixed=True)
            self._dispatcher.subscribe(peer, self._config.rate_hz)

    def _on_change(self, path: str, _value: Value, source: int) -> None:
        for peer in self._subscribed:
            if peer.feedback is not None:
                if source == peer.source:
                    peer.feedback.knows(path)
                else:
                    peer.feedback.changed(path)

    def _new_subscriber(self) -> None:
        self._subscribed = [peer for peer in self._peers if peer.feedback is not None]
        self._wake.set()
        subscribers.save(self._file, self._subscribed)

    async def _send_feedback(self) -> None:
        """Send changes to the subscribers."""
        while True:
            self._subscribed = [peer for peer in self._peers if peer.feedback is not None]
            if not self._subscribed:
                self._wake = trio.Event()
                await self._wake.wait()
            for peer in self._subscribed:
                self._send_feedback_to(peer, time.monotonic())
                await trio.lowlevel.checkpoint()
            await trio.sleep(1 / MAX_RATE_HZ)

    def _send_feedback_to(self, peer: Peer, now_s: float) -> None:
        feedback = peer.feedback
        if feedback is None:
            return
        known = self._tablets is not None and peer.host in self._tablets.by_host
        if peer.is_fixed or known:
            if not feedback.is_active and now_s > peer.silent_until_s:
                feedback.is_active = True
                feedback.resync()
        elif now_s - peer.last_received_s > EXPIRY_S and peer.transport == "udp":
            feedback.is_active = False
        if feedback.is_active and peer.is_ready():
            packets = feedback.take(now_s, self._core.conductor.readings())
            if packets and not peer.send(packets):
                feedback.resync()
