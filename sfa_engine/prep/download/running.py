"""A running tool: its lines as they arrive, and its end with all its children.

It stays in the worker's process group, so that a kill of the group leaves nothing alive. To end
only a tool, the worker adopts its orphans (prctl PR_SET_CHILD_SUBREAPER) and ends them too: a
leftover ffmpeg would write into a deleted folder.
"""

from __future__ import annotations

import ctypes
import os
import selectors
import signal
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import IO, Self

from sfa_engine.prep.download.failure import DownloadError

PR_SET_CHILD_SUBREAPER = 36  # of prctl(2)
MAX_LINE = 1 << 16
LINGER_S = 2.0  # for the rest of a line, when the tool has ended and a child holds its output


def adopt_orphans() -> None:
    """Become the parent of the orphans of this process's children."""
    ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def end_children() -> None:
    """Kill all children of this process, and theirs, until none are left."""
    while children := _children():
        for child in children:
            with suppress(ProcessLookupError):
                os.kill(child, signal.SIGKILL)
        for child in children:
            with suppress(ChildProcessError):
                os.waitpid(child, 0)


class Running:
    """A started tool; it is killed at the end of the block.

    Parameters
    ----------
    command : list of str
        Program and arguments.
    folder : Path
        Its working folder.
    environment : mapping of str to str
        Complete.
    stall_s : float
        Seconds without output after which it is given up.
    """

    def __init__(
        self, command: list[str], folder: Path, environment: Mapping[str, str], stall_s: float
    ) -> None:
        self._name = Path(command[0]).name
        self._stall_s = stall_s
        try:
            self._process = subprocess.Popen(
                command,
                cwd=folder,
                env=dict(environment),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
            )
        except OSError as problem:
            raise DownloadError(
                "tool-missing", f"cannot start {command[0]}: {problem.strerror}", "install it again"
            ) from problem

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        with self._process:
            self._process.kill()
        end_children()

    @property
    def status(self) -> int:
        """Its exit status, once its lines have ended; below 0: the signal that ended it."""
        return self._process.wait()

    def lines(self) -> Iterator[str]:
        """Yield its lines, without line ends, as they arrive.

        Raises
        ------
        DownloadError
            There was no output for too long.
        """
        output = self._process.stdout
        assert output is not None
        rest = b""
        for chunk in self._chunks(output):
            *whole, rest = (rest + chunk).replace(b"\r", b"\n").split(b"\n")
            for line in whole:
                if line.strip():
                    yield line.decode("utf-8", "replace").rstrip()
            rest = rest[:MAX_LINE]
        if rest.strip():
            yield rest.decode("utf-8", "replace").rstrip()

    def _chunks(self, output: IO[bytes]) -> Iterator[bytes]:
        """Yield the output until every writer has closed it."""
        received_s = time.monotonic()
        with selectors.DefaultSelector() as selector:
            selector.register(output, selectors.EVENT_READ)
            while True:
                ready = selector.select(min(self._stall_s, LINGER_S / 4))
                now_s = time.monotonic()
                if ready:
                    chunk = os.read(output.fileno(), 1 << 16)
                    if not chunk:
                        return
                    received_s = now_s
                    yield chunk
                elif self._process.poll() is not None and now_s - received_s > LINGER_S:
                    return
                elif now_s - received_s >= self._stall_s:
                    raise DownloadError(
                        "stalled",
                        f"no output from {self._name} for {self._stall_s:g} s",
                        "is the network on? try again",
                    )


def _children() -> list[int]:
    """Return the children of this process."""
    found = []
    for task in Path("/proc/self/task").iterdir():
        with suppress(OSError):
            found += [int(child) for child in (task / "children").read_text().split()]
    return found
