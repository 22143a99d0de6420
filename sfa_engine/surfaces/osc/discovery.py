"""Find tablets by zeroconf (``_osc._udp``), and advertise the engine."""

from __future__ import annotations

import socket

from sfa_engine.stage import discovery
from sfa_engine.system.allow_list import plain

OURS = "Sound Forge Alchemy"
KIND = "_osc._udp.local."
DELAY_S = 2.0  # after the start, which has more urgent work
TEXT = {"txtvers": "1", "version": "1.1", "types": "ifsbhdTFN"}  # OSC 1.1


class Tablets:
    """The OSC receivers on the network.

    Parameters
    ----------
    port : int
        The engine's own, to advertise.

    Attributes
    ----------
    by_host : dict of str to tuple of str and int
        Name and port of the OSC receiver on each host.
    """

    def __init__(self, port: int) -> None:
        self.by_host: dict[str, tuple[str, int]] = {}
        name = f"{OURS} ({socket.gethostname().partition('.')[0][:30]})"
        self._discovery = discovery.Discovery(KIND, name, port, TEXT, DELAY_S)
        self._discovery.on_change = self._list
        self.run = self._discovery.run

    def _list(self) -> None:
        self.by_host = {
            plain(host): (each.name, each.port)
            for each in self._discovery.found.values()
            if not each.name.startswith(OURS)  # an engine would obey feedback as commands
            for host in each.hosts
        }
