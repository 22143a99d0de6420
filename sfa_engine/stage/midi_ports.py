"""MIDI ports of the stage itself, without the host: those of network MIDI.

`Core.external_ports` connects surfaces that may not import each other. A network surface adds a
port for each session. The MIDI surface listens: for each port it opens a slot without host ports
(``midi_open(slot, name)``), feeds received messages with `FeedKind.IN`, and sends those of
`EventKind.OUT` to the port.

::

    network ── add, remove, received ──► ExternalPorts ──► MIDI surface ── feed ───► resolver
            ◄───────────────── port.send ───────────────── MIDI surface ◄─ events ──
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from sfa_engine.engine.memory import Memory

MAX_PAST_S = 1.0  # of a time before now: an older one means a wrong clock


class ExternalPort(Protocol):
    """One device, both directions."""

    @property
    def id(self) -> str:
        """Unique, and new when the device reconnects, so that keys it held are released."""

    @property
    def name(self) -> str:
        """Readable name; two ports may share one."""

    def send(self, data: bytes) -> None:
        """Send one or several complete messages; never waits and never raises."""


class PortListener(Protocol):
    """Is called in the stage's thread; must not wait."""

    def port_added(self, port: ExternalPort) -> None:
        """Handle a new port; also called for the present ports, first."""

    def port_removed(self, port: ExternalPort) -> None:
        """Handle the removal of a port: release the keys it holds."""

    def port_received(self, port: ExternalPort, data: bytes, frame: int) -> None:
        """Handle messages: one of sysex, or short ones of one time.

        Parameters
        ----------
        port : ExternalPort
        data : bytes
            Complete messages, each with its status byte; sysex from F0 to F7, `MAX_SYSEX` at most.
        frame : int
            Engine frame by the sender's timestamp, never in the future; 0 if unknown.
        """


class ExternalPorts:
    """The external ports, and their listeners."""

    def __init__(self) -> None:
        self._ports: dict[str, ExternalPort] = {}
        self._listeners: list[PortListener] = []

    @property
    def ports(self) -> tuple[ExternalPort, ...]:
        """All ports, in the order in which they were added."""
        return tuple(self._ports.values())

    def add(self, port: ExternalPort) -> None:
        """Add a port; one with the same id is removed first."""
        if (old := self._ports.get(port.id)) is not None:
            self.remove(old)
        self._ports[port.id] = port
        for listener in tuple(self._listeners):
            listener.port_added(port)

    def remove(self, port: ExternalPort) -> None:
        """Remove a port, unless it was removed before."""
        if self._ports.get(port.id) is port:
            del self._ports[port.id]
            for listener in tuple(self._listeners):
                listener.port_removed(port)

    def received(self, port: ExternalPort, data: bytes, frame: int = 0) -> None:
        """Pass messages to the listeners; see `PortListener.port_received`."""
        for listener in self._listeners:
            listener.port_received(port, data, frame)

    def listen(self, listener: PortListener) -> Callable[[], None]:
        """Add a listener; return a function that removes it."""
        self._listeners.append(listener)
        for port in self.ports:
            listener.port_added(port)
        return lambda: self._listeners.remove(listener)


def frame_at(memory: Memory, monotonic_ns: int, now_ns: int) -> int:
    """Return the engine frame of a time in the past; 0 before the first block.

    Parameters
    ----------
    memory : Memory
    monotonic_ns, now_ns : int
        The time, and now, by the monotonic clock.
    """
    snapshot = memory.snapshot()
    block_ns, rate = int(snapshot["monotonic_ns"]), float(memory.engine["sample_rate"])
    if not block_ns or rate <= 0.0:
        return 0
    moment_ns = min(now_ns, max(monotonic_ns, now_ns - int(MAX_PAST_S * 1e9)))
    return max(0, int(snapshot["frame"]) + round((moment_ns - block_ns) * rate / 1e9))
