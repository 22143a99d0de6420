"""Whether a process that lives still answers: one that hangs is ended and started again.

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

A machine that is short of memory stands still for a second or two, so that is no sign. A host that
is silent already has nothing to lose by a restart; one that plays loses half a second of music, so
it gets longer; if nobody can reach it any more, as when its socket was removed, that is only said.
The music needs no stage, and one that was swapped out needs a while to come back. Backstage loses
the work of its workers, and nobody waits for it in time with the music. A host may have to build
the kernel before it listens, backstage to check a large library.

What cannot be seen is no sign of a hang: a count of blocks that cannot be read is never "still".

Time is counted in looks: each adds what went by since the last one, a second at most. If the whole
machine stood still or slept, or everything was stopped, we were too, and that is one look.
`CLOCK_MONOTONIC` leaves a suspended machine's time out, but not that of a stopped process.
"""

from __future__ import annotations

import json
import socket
from contextlib import suppress
from pathlib import Path
from typing import Any

from sfa_engine.errors import EngineError
from sfa_engine.wire import BACKSTAGE, ENGINE, frames
from sfa_engine.wire.messages import REQUEST

LOOK_S = 0.5  # between two looks
MAX_STEP_S = 1.0  # that a look counts
CHUNK = 1 << 16
HOST_SOCKET = "host.sock"
MEMORY = "engine.memory"
HOST_SILENT_S = 5.0
HOST_PLAYS_S = 30.0
NO_BLOCK_S = 10.0


class Watch:
    """Asks one process again and again, and waits for nothing.

    Parameters
    ----------
    path : pathlib.Path
        Of its socket.
    request : bytes
        What any answer shows that it lives.
    answer_s, begin_s, listen_s : float
        Without an answer, without the first one, without a socket that listens.
    """

    def __init__(
        self, path: Path, request: bytes, answer_s: float, begin_s: float, listen_s: float
    ) -> None:
        self._path = path
        self._request = request
        self._answer_s, self._begin_s, self._listen_s = answer_s, begin_s, listen_s
        self._line: socket.socket | None = None
        self._is_listening = False
        self.has_answered = False
        self.is_useful = False  # it has answered once
        self.silent_s = 0.0
        self.remark = ""  # what is wrong, but no reason to end it; whoever says it empties this

    def close(self) -> None:
        """Let go of it."""
        if self._line is not None:
            self._line.close()
            self._line = None

    def look(self, step_s: float) -> str:
        """Return why the process is taken for hung; empty while it is not.

        Parameters
        ----------
        step_s : float
            Since the last look.
        """
        self.silent_s += step_s
        answer = self._read()
        if answer:
            self.has_answered = self.is_useful = True
            if not self._is_stuck(answer):
                self.silent_s = 0.0
        if self._line is None:
            self._ask()
        return self._judge(step_s)

    def _judge(self, _step_s: float) -> str:
        if self.has_answered:
            limit_s, what = self._answer_s, "no answer"
        elif self._is_listening:
            limit_s, what = self._begin_s, "no first answer"
        else:
            limit_s, what = self._listen_s, "nobody listened"
        return f"hung: {what} for {self.silent_s:.0f} s" if self.silent_s >= limit_s else ""

    def _is_stuck(self, _answer: bytes) -> bool:
        """Return whether an answer tells that something else in the process hangs."""
        return False

    def _ask(self) -> None:
        try:
            line = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        except OSError:  # we have no descriptor or memory left, which says nothing of the process
            self.silent_s = 0.0
            return
        line.setblocking(False)
        try:
            line.connect(str(self._path))
            line.sendall(self._request)
        except BlockingIOError:  # too many wait to be accepted
            line.close()
        except OSError:  # it begins, also anew in the same process, or is about to end
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

    def _read(self) -> bytes:
        """Return what came of an answer; empty if nothing has yet."""
        if self._line is None:
            return b""
        try:
            data = self._line.recv(CHUNK)
        except BlockingIOError:
            return b""
        except OSError:
            data = b""
        self.close()
        if not data:
            self._begin_again(is_listening=self._is_listening)
        return data


class HostWatch(Watch):
    """Looks at the host's blocks too.

    Parameters
    ----------
    runtime : pathlib.Path
    """

    def __init__(self, runtime: Path) -> None:
        request = json.dumps({"do": "ping"}).encode() + b"\n"
        super().__init__(runtime / HOST_SOCKET, request, HOST_PLAYS_S, 30.0, 300.0)
        self._memory_path = runtime / MEMORY
        self._memory: Any = None
        self._blocks: int | None = None
        self._has_remarked = False
        self._since_block_s = float("inf")
        self.still_s = 0.0

    def _is_stuck(self, answer: bytes) -> bool:
        """Return whether the main thread, which watches the device, has not been round lately."""
        with suppress(ValueError, KeyError, TypeError):
            return float(json.loads(answer)["ok"]["idle_s"]) > HOST_SILENT_S
        return False

    def _judge(self, step_s: float) -> str:
        before, self._blocks = self._blocks, self._count_blocks()
        is_known = self._blocks is not None and before is not None
        is_still = is_known and self._blocks == before and self.has_answered
        self.still_s = self.still_s + step_s if is_still else 0.0
        is_playing = is_known and self._blocks != before
        self._since_block_s = 0.0 if is_playing else self._since_block_s + step_s
        if min(self.still_s, self.silent_s) >= HOST_SILENT_S:
            return f"hung: no sound and no answer for {self.silent_s:.0f} s"
        if self.still_s >= NO_BLOCK_S:
            return f"hung: no sound for {self.still_s:.0f} s"
        why = super()._judge(step_s)
        if self.has_answered:
            self._has_remarked = False
        elif why and self._since_block_s < NO_BLOCK_S:
            if not self._has_remarked:
                self.remark = f"plays, but cannot be reached ({why.removeprefix('hung: ')})"
                self._has_remarked = True
            return ""
        return why

    def _count_blocks(self) -> int | None:
        """Return how many blocks there were; None where that cannot be known or tells nothing."""
        from sfa_engine.audio.memory import Memory

        try:
            inode = self._memory_path.stat().st_ino
        except OSError:  # somebody removed it, but a host that lives goes on writing there
            if self._memory is None or not _is_alive(int(self._memory.engine["host_pid"])):
                return None
        else:
            if self._memory is None or inode != self._memory.inode:
                self._memory = None
                with suppress(OSError, EngineError):  # such as another version's
                    self._memory = Memory.open(self._memory_path)
        if self._memory is None:
            return None
        engine = self._memory.engine
        # Where a file takes the device's place, time passes when somebody wants it to.
        return None if engine["driver"] == b"file" else int(engine["blocks"])


def _is_alive(pid: int) -> bool:
    return pid > 0 and Path(f"/proc/{pid}").exists()


def watch_of(name: str, runtime: Path) -> Watch:
    """Return the watch over a process."""
    if name == "host":
        return HostWatch(runtime)
    if name == "stage":
        request = frames.pack([REQUEST, 1, "health", {}])
        return Watch(runtime / ENGINE, request, 15.0, 30.0, 60.0)
    request = frames.pack([REQUEST, 1, "prep.watched", {}])
    return Watch(runtime / BACKSTAGE, request, 30.0, 120.0, 300.0)


def is_traced(pid: int) -> bool:
    """Return whether a debugger holds a process."""
    with suppress(OSError):
        return "\nTracerPid:\t0\n" not in Path(f"/proc/{pid}/status").read_text()
    return False
