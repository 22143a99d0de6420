"""Map engine frames to Link's clock. Pure but for reading the system's clocks.

::

    block: frame ─ began at (monotonic) ─► the earliest of late blocks ─► + latency ─► Link's µs

A block may begin late, never early. So the line through the earliest of the last two seconds is
the device's time.
"""

from __future__ import annotations

import time
from collections import deque

KEPT = 60  # blocks: two seconds of polls


def link_ahead_ns() -> int:
    """Return by how much Link's clock (`CLOCK_MONOTONIC_RAW`) is ahead of the monotonic one."""
    before = time.clock_gettime_ns(time.CLOCK_MONOTONIC_RAW)
    here = time.monotonic_ns()
    after = time.clock_gettime_ns(time.CLOCK_MONOTONIC_RAW)
    return (before + after) // 2 - here


class FrameTime:
    """The line from frames to times.

    Parameters
    ----------
    rate : float
        Frames a second.
    latency_s : float
        From the beginning of a block to when its first frame is audible.
    """

    def __init__(self, rate: float, latency_s: float) -> None:
        self.rate = rate
        self.latency_s = latency_s
        self._starts: deque[float] = deque(maxlen=KEPT)  # when frame 0 would have been, ns
        self._frame = -1

    def add(self, frame: int, monotonic_ns: int) -> None:
        """Add the start of a block; a repeated block counts once."""
        if frame == self._frame:
            return
        if frame < self._frame:
            self._starts.clear()
        self._frame = frame
        self._starts.append(monotonic_ns - frame * 1e9 / self.rate)

    def micros(self, frame: float, ahead_ns: int) -> int:
        """Return when a frame is audible, in microseconds of a clock that is `ahead_ns` ahead."""
        start = min(self._starts)
        return round((start + frame * 1e9 / self.rate + ahead_ns) / 1e3 + self.latency_s * 1e6)
