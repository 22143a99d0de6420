"""Priority of workers: low always, lowest and off one core while a deck plays.

======== ========= ============ =========================
decks    nice      disk         cores
======== ========= ============ =========================
stopped  10        idle class   all
playing  19        idle class   all but the first
======== ========= ============ =========================
"""

from __future__ import annotations

import ctypes
import os
import platform
from contextlib import suppress
from pathlib import Path

NICE, NICE_PLAYING = 10, 19
IOPRIO_WHO_PGRP = 2
IOPRIO_IDLE = 3 << 13
_IOPRIO_SET = {"x86_64": 251, "aarch64": 30}  # number of the system call, from the kernel's tables


class Niceness:
    """Applies the priority to all running workers."""

    def __init__(self) -> None:
        self.groups: set[int] = set()
        self._playing = False
        self._cores = os.sched_getaffinity(0)

    @property
    def playing(self) -> bool:
        """Whether a deck is playing, as far as is known."""
        return self._playing

    @playing.setter
    def playing(self, playing: bool) -> None:
        if playing != self._playing:
            self._playing = playing
            for group in self.groups:
                self._apply(group)

    def add(self, group: int) -> None:
        """Apply the priority to a process group, now and when it changes."""
        self.groups.add(group)
        _set_idle_disk(group)
        self._apply(group)

    def remove(self, group: int) -> None:
        """Forget a process group that has ended."""
        self.groups.discard(group)

    @property
    def cores(self) -> set[int]:
        """The cores that workers may use now."""
        spare = self._cores - {min(self._cores)}
        return spare if self._playing and spare else self._cores

    def _apply(self, group: int) -> None:
        nice = NICE_PLAYING if self._playing else NICE
        with suppress(OSError):  # it has ended, or a lower nice is not permitted
            os.setpriority(os.PRIO_PGRP, group, nice)
        for thread in _threads(group):
            with suppress(OSError):
                os.sched_setaffinity(thread, self.cores)


def _threads(group: int) -> list[int]:
    """Return every thread of a process group."""
    threads = []
    for process in Path("/proc").iterdir():
        if not process.name.isdigit():
            continue
        with suppress(OSError):
            if os.getpgid(int(process.name)) == group:
                threads += [int(task.name) for task in (process / "task").iterdir()]
    return threads


def _set_idle_disk(group: int) -> None:
    """Put a process group in the idle class of disk access."""
    number = _IOPRIO_SET.get(platform.machine())
    if number is not None:
        ctypes.CDLL(None).syscall(number, IOPRIO_WHO_PGRP, group, IOPRIO_IDLE)
