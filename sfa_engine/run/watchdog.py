"""Detect processes that hang, to be killed and restarted.

=================================== ======= ======= =========
without                             host    stage   backstage
=================================== ======= ======= =========
an answer, and without sound        5 s     15 s    30 s
an answer, or its main thread,
while the sound goes on             30 s
a block, though it answers          10 s
a first answer, though it listens   30 s    30 s    120 s
a socket that listens               300 s   60 s    300 s
=================================== ======= ======= =========

A machine that is short of memory stalls for a second or two, so that is not a hang. A silent host
loses nothing by a restart; one that plays loses half a second of music, so its timeout is longer;
one that plays but is unreachable, as when its socket was deleted, is only reported. The music does
not need the stage, and a swapped-out one takes a while to respond. A restart of backstage loses the
work of its workers. A host may have to build the kernel before it listens, backstage to check a
large library.

Missing information is not a hang: a count of blocks that cannot be read never counts as unchanged.

Time is counted in checks: each adds the time since the last one, at most a second. If the whole
machine stalled or slept, or everything was stopped, so was this process, and that is one check.
`CLOCK_MONOTONIC` excludes a suspended machine's time, but not that of a stopped process.
"""

from __future__ import annotations

import socket
from contextlib import suppress
from pathlib import Path
from typing import Any

from sfa_engine.errors import EngineError
from sfa_engine.system.runtime_files import (
    BACKSTAGE_SOCKET,
    ENGINE_MEMORY,
    ENGINE_SOCKET,
    HOST_SOCKET,
    WEB_SOCKET,
)
from sfa_engine.wire.caller import Caller
from sfa_engine.wire.stream import Answer

POLL_S = 0.5  # between two checks
MAX_STEP_S = 1.0  # counted by a check
CHUNK = 1 << 16
HOST_SILENT_TIMEOUT_S = 5.0
HOST_PLAYING_TIMEOUT_S = 30.0
BLOCK_TIMEOUT_S = 10.0


class Watch:
    """Pings one process repeatedly, and never blocks.

    Parameters
    ----------
    path : pathlib.Path
        Of its socket.
    method : str
        To request; any answer counts.
    answer_s, begin_s, listen_s : float
        Timeouts: without an answer, without the first one, without a socket that listens.
    """

    def __init__(
        self, path: Path, method: str, answer_s: float, begin_s: float, listen_s: float
    ) -> None:
        self._path = path
        self._method = method
        self._caller = Caller(path.name, "watchdog")
        self._answer_s, self._begin_s, self._listen_s = answer_s, begin_s, listen_s
        self._line: socket.socket | None = None
        self._is_listening = False
        self.has_answered = False
        self.is_useful = False  # it has answered once
        self.silent_s = 0.0
        self.remark = ""  # a warning, not a reason to kill it; the supervisor clears it

    def close(self) -> None:
        """Close the connection."""
        if self._line is not None:
            self._line.close()
            self._line = None

    def check(self, step_s: float) -> str:
        """Return why the process counts as hung; empty while it does not.

        Parameters
        ----------
        step_s : float
            Since the last check.
        """
        self.silent_s += step_s
        answer = self._read()
        if answer is not None:
            self.has_answered = self.is_useful = True
            if not self._is_stuck(answer):
                self.silent_s = 0.0
        if self._line is None:
            self._ping()
        return self._judge(step_s)

    def _judge(self, _step_s: float) -> str:
        if self.has_answered:
            limit_s, what = self._answer_s, "no answer"
        elif self._is_listening:
            limit_s, what = self._begin_s, "no first answer"
        else:
            limit_s, what = self._listen_s, "no socket that listens"
        return f"hung: {what} for {self.silent_s:.0f} s" if self.silent_s >= limit_s else ""

    def _is_stuck(self, _answer: Answer) -> bool:
        """Return whether an answer reports that another thread of the process hangs."""
        return False

    def _ping(self) -> None:
        try:
            line = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        except OSError:  # this process lacks descriptors or memory
            self.silent_s = 0.0
            return
        line.setblocking(False)
        try:
            line.connect(str(self._path))
            self._caller = Caller(self._path.name, "watchdog")
            line.sendall(self._caller.request(self._method, {})[1])
        except BlockingIOError:  # too many wait to be accepted
            line.close()
        except OSError:  # it starts, also after an exec, or exits
            line.close()
            self._begin_again(is_listening=False)
        else:
            if not self._is_listening:
                self._begin_again(is_listening=True)
            self._line = line

    def _begin_again(self, *, is_listening: bool) -> None:
        if is_listening or self._is_listening:
            self.silent_s = 0.0
        self._is_listening = is_listening
        self.has_answered = False

    def _read(self) -> Answer | None:
        """Return the answer; None before it arrives."""
        if self._line is None:
            return None
        try:
            data = self._line.recv(CHUNK)
        except BlockingIOError:
            return None
        except OSError:
            data = b""
        if not data:
            self.close()
            self._begin_again(is_listening=self._is_listening)
            return None
        self._caller.receive_data(data)
        try:
            event = self._caller.next_event()
        except EngineError as error:
            event = Answer(None, error, None)
        if not isinstance(event, Answer):
            return None
        self.close()
        return event


class HostWatch(Watch):
    """Checks the host's blocks too.

    Parameters
    ----------
    runtime : pathlib.Path
    """

    def __init__(self, runtime: Path) -> None:
        super().__init__(runtime / HOST_SOCKET, "ping", HOST_PLAYING_TIMEOUT_S, 30.0, 300.0)
        self._memory_path = runtime / ENGINE_MEMORY
        self._memory: Any = None
        self._blocks: int | None = None
        self._has_remarked = False
        self._since_block_s = float("inf")
        self.still_s = 0.0

    def _is_stuck(self, answer: Answer) -> bool:
        """Return whether the main thread, which watches the device, has stalled."""
        with suppress(ValueError, KeyError, TypeError):
            return float(answer.result["idle_s"]) > HOST_SILENT_TIMEOUT_S
        return False

    def _judge(self, step_s: float) -> str:
        before, self._blocks = self._blocks, self._count_blocks()
        is_known = self._blocks is not None and before is not None
        is_still = is_known and self._blocks == before and self.has_answered
        self.still_s = self.still_s + step_s if is_still else 0.0
        is_playing = is_known and self._blocks != before
        self._since_block_s = 0.0 if is_playing else self._since_block_s + step_s
        if min(self.still_s, self.silent_s) >= HOST_SILENT_TIMEOUT_S:
            return f"hung: no sound and no answer for {self.silent_s:.0f} s"
        if self.still_s >= BLOCK_TIMEOUT_S:
            return f"hung: no sound for {self.still_s:.0f} s"
        why = super()._judge(step_s)
        if self.has_answered:
            self._has_remarked = False
        elif why and self._since_block_s < BLOCK_TIMEOUT_S:
            if not self._has_remarked:
                self.remark = f"plays, but cannot be reached ({why.removeprefix('hung: ')})"
                self._has_remarked = True
            return ""
        return why

    def _count_blocks(self) -> int | None:
        """Return the number of blocks; None if it is unknown."""
        from sfa_engine.engine.memory import Memory

        try:
            inode = self._memory_path.stat().st_ino
        except OSError:  # it was deleted, but a living host goes on writing there
            if self._memory is None or not _is_alive(int(self._memory.engine["host_pid"])):
                return None
        else:
            if self._memory is None or inode != self._memory.inode:
                self._memory = None
                with suppress(OSError, EngineError):  # such as another version's
                    self._memory = Memory.open(self._memory_path)
        if self._memory is None:
            return None
        return int(self._memory.engine["blocks"])


def _is_alive(pid: int) -> bool:
    return pid > 0 and Path(f"/proc/{pid}").exists()


def watch_of(name: str, runtime: Path) -> Watch:
    """Return the watch of a process."""
    if name == "host":
        return HostWatch(runtime)
    if name == "stage":
        return Watch(runtime / ENGINE_SOCKET, "health", 15.0, 30.0, 60.0)
    if name == "web":
        return Watch(runtime / WEB_SOCKET, "web.status", 30.0, 30.0, 60.0)
    return Watch(runtime / BACKSTAGE_SOCKET, "prep.watched", 30.0, 120.0, 300.0)


def is_traced(pid: int) -> bool:
    """Return whether a debugger is attached to a process."""
    with suppress(OSError):
        return "\nTracerPid:\t0\n" not in Path(f"/proc/{pid}/status").read_text()
    return False
