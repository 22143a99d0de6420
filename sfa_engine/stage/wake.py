"""Wait for the kernel's reports: an eventfd that the audio thread writes to.

The stage makes it and passes it to the host over the host's socket. A write to it takes a spinlock
in the kernel; a write to a pipe, a mutex that the audio thread would sleep on.
"""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

import trio

from sfa_engine.errors import SfaError
from sfa_engine.stage.host_link import ask_host

POLL_S = 0.05  # between two checks for a new host
POLL_ALONE_S = 0.005  # while no host has the eventfd
HAND_OVER_TIMEOUT_S = 2.0


class Wake:
    """The stage's side of the eventfd.

    Parameters
    ----------
    runtime : pathlib.Path
        Where the host's socket is.
    """

    def __init__(self, runtime: Path) -> None:
        self._runtime = runtime
        self._fd = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
        self._host_ns = 0  # start time of the host that needs the eventfd
        self._handed_ns = 0
        self._changed = trio.Event()

    async def wait(self, host_started_ns: int) -> None:
        """Wait until the host with that start time may have reports."""
        if host_started_ns != self._host_ns:
            self._host_ns = host_started_ns
            self._changed.set()
        is_handed = self._handed_ns == host_started_ns
        with trio.move_on_after(POLL_S if is_handed else POLL_ALONE_S):
            await trio.lowlevel.wait_readable(self._fd)
        with suppress(BlockingIOError):
            os.eventfd_read(self._fd)

    async def run(self) -> None:
        """Pass the eventfd to each new host."""
        while True:
            host_ns = self._host_ns
            if host_ns != self._handed_ns and await self._hand_over():
                self._handed_ns = host_ns
            if self._handed_ns == self._host_ns:
                await self._changed.wait()
                self._changed = trio.Event()
            else:
                await trio.sleep(POLL_S)

    async def _hand_over(self) -> bool:
        """Send the eventfd with a request; return whether the host took it."""
        with suppress(SfaError), trio.move_on_after(HAND_OVER_TIMEOUT_S):
            await ask_host(self._runtime, "wake", handed=[self._fd])
            return True
        return False
