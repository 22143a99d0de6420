"""The send queue of a TCP connection: a slow peer blocks no other."""

from __future__ import annotations

from contextlib import suppress

import trio

from sfa_engine.surfaces.osc.framing import Framing
from sfa_engine.surfaces.osc.peer import Peer

MAX_WAITING = 64  # packets; a peer that reads none of them gets no more answers
SEND_TIMEOUT_S = 10.0  # then the connection is closed


class Line:
    """A connection.

    Parameters
    ----------
    stream : trio.SocketStream
    """

    def __init__(self, stream: trio.SocketStream) -> None:
        self.framing = Framing()
        self._stream = stream
        self._waiting: list[bytes] = []
        self._wake = trio.Event()

    @property
    def is_idle(self) -> bool:
        """Whether the peer has taken everything."""
        return not self._waiting

    def send(self, _peer: Peer, packets: list[bytes]) -> bool:
        """Queue packets; return False if the queue is full."""
        if len(self._waiting) >= MAX_WAITING:
            return False
        self._waiting += packets
        self._wake.set()
        return True

    async def run(self, end: trio.CancelScope) -> None:
        """Send the queue; cancel `end` when the connection breaks."""
        with suppress(trio.TooSlowError, trio.BrokenResourceError, trio.ClosedResourceError):
            await self._run()
        end.cancel()

    async def _run(self) -> None:
        while True:
            await self._wake.wait()
            self._wake = trio.Event()
            while self._waiting:
                data = b"".join(map(self.framing.frame, self._waiting))
                count = len(self._waiting)
                with trio.fail_after(SEND_TIMEOUT_S):
                    await self._stream.send_all(data)
                del self._waiting[:count]
