"""What a real-time process asks of the system, and whether it got it. Nothing here insists."""

from __future__ import annotations

import ctypes
import os
import resource
from pathlib import Path

_libc = ctypes.CDLL(None, use_errno=True)
_MCL_CURRENT, _MCL_FUTURE, _MCL_ONFAULT = 1, 2, 4
PRIORITY = 45  # below threaded interrupts, 50: the card's own among them. JACK's clients have 5 up


def lock_memory() -> bool:
    """Keep this process's pages in memory as they are first used; return whether allowed.

    Where there is a limit, only what is mapped now is locked: one beyond it that is mapped later
    would be refused, not left unlocked.
    """
    flags = _MCL_CURRENT | _MCL_ONFAULT
    if resource.getrlimit(resource.RLIMIT_MEMLOCK)[0] == resource.RLIM_INFINITY:
        flags |= _MCL_FUTURE
    return int(_libc.mlockall(flags)) == 0


def raise_thread(thread: int, priority: int = PRIORITY) -> int:
    """Give a thread a real-time priority unless it has one; return what it has, 0 for none.

    Only one of this process: to the system, 0 means whoever asks.
    """
    if not Path(f"/proc/self/task/{thread}").exists():
        return 0
    try:
        if os.sched_getscheduler(thread) & ~_RESET not in {os.SCHED_FIFO, os.SCHED_RR}:
            os.sched_setscheduler(thread, os.SCHED_FIFO, os.sched_param(priority))
    except OSError:
        pass  # not permitted: `sfa doctor` tells how to get it
    return priority_of(thread)


def ask_rtkit(thread: int) -> int:
    """Have RTKit give a thread of this process a real-time priority; return it, 0 for none."""
    if not thread:
        return 0
    from sfa_engine.audio import rtkit  # takes 15 ms, and where there are rights nobody asks

    rtkit.raise_thread(thread, PRIORITY)
    return priority_of(thread)


_RESET = 0x40000000  # SCHED_RESET_ON_FORK, which sched_getscheduler mixes into the policy


def priority_of(thread: int) -> int:
    """Return a thread's real-time priority, 0 if it has none or is gone."""
    try:
        return int(os.sched_getparam(thread).sched_priority)
    except OSError:
        return 0
