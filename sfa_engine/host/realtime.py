"""What a real-time process asks of the system, and whether it got it. Nothing here insists."""

from __future__ import annotations

import ctypes
import os
import resource
import signal
import threading
import time
from pathlib import Path
from typing import Any

from sfa_engine.system import log

_libc = ctypes.CDLL(None, use_errno=True)
_MCL_CURRENT, _MCL_FUTURE, _MCL_ONFAULT = 1, 2, 4
PRIORITY = 45  # below threaded interrupts, 50: the card's own among them. JACK's clients have 5 up

RETRY_S = 5.0  # until priority is asked for again that an overload took; doubled each time
MAX_RETRIES = 5  # times


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

    Only one of this process: to the system, 0 means the caller.
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
    from sfa_engine.host import rtkit  # takes 15 ms, and is not needed where there are rights

    rtkit.raise_thread(thread, PRIORITY)
    return priority_of(thread)


_RESET = 0x40000000  # SCHED_RESET_ON_FORK, which sched_getscheduler mixes into the policy


def priority_of(thread: int) -> int:
    """Return a thread's real-time priority, 0 if it has none or is gone."""
    try:
        return int(os.sched_getparam(thread).sched_priority)
    except OSError:
        return 0


class Priority:
    """The real-time priority of the audio thread, which an overload takes from it for a while.

    Where RTKit or PipeWire gave it, the system ends a process whose thread runs for 0.2 s without
    a pause, and sends ``SIGXCPU`` before. A block that is late is better than no process.

    Parameters
    ----------
    engine : numpy.void of `ENGINE`
    """

    def __init__(self, engine: Any) -> None:
        self._engine = engine
        self._lost = False
        self._late = 0
        self._again_s = RETRY_S
        self._times_left = MAX_RETRIES
        self._ask_at = float("inf")

    def handle_overload(self) -> None:
        """From now on take the priority away in time. Only the main thread can ask for that."""
        signal.signal(signal.SIGXCPU, self._give_up)

    def ask(self) -> None:
        """Ask for the priority of the thread that plays."""
        thread = int(self._engine["thread"])
        self._engine["realtime"] = raise_thread(thread) or ask_rtkit(thread)
        hard = resource.getrlimit(resource.RLIMIT_RTTIME)[1]
        if hard != resource.RLIM_INFINITY:  # the system raises the soft one each time it tells
            resource.setrlimit(resource.RLIMIT_RTTIME, (hard // 2, hard))

    def look(self) -> None:
        """Tell of an overload, and ask again some time after it."""
        now_s = time.monotonic()
        if self._lost:
            self._lost = False
            self._late = int(self._engine["late"])
            log.write("warning", "overload: the audio thread plays without real-time priority")
            self._ask_at = now_s + self._again_s if self._times_left else float("inf")
        elif now_s >= self._ask_at and not self._is_calm():
            self._ask_at = now_s + RETRY_S
        elif now_s >= self._ask_at:
            self._ask_at = float("inf")
            self._times_left -= 1
            self._again_s *= 2.0
            # D-Bus may take seconds to answer.
            threading.Thread(target=self.ask, name="priority", daemon=True).start()

    def _is_calm(self) -> bool:
        """Return whether the thread pauses again, and no block was late since the last look.

        The system goes on to count where it was until a thread of priority has paused.
        """
        before, self._late = self._late, int(self._engine["late"])
        try:
            stat = Path(f"/proc/self/task/{int(self._engine['thread'])}/stat").read_text()
        except OSError:
            return False
        return before == self._late and stat.rpartition(")")[2].split()[0] == "S"

    def _give_up(self, *_: object) -> None:
        try:
            # A thread without rights may not clear the flag that RTKit sets.
            policy = os.SCHED_OTHER | _RESET
            os.sched_setscheduler(int(self._engine["thread"]), policy, os.sched_param(0))
        except OSError:
            return  # it is gone
        self._engine["realtime"] = 0
        self._lost = True
