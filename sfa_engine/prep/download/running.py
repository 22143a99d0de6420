"""A tool under way: its lines as they come, and its end with all that it started.

It stays in the worker's process group, so that who kills that leaves nothing alive. To end a
tool alone, the worker adopts its orphans (prctl PR_SET_CHILD_SUBREAPER) and ends them too: an
ffmpeg left behind would write into a folder that is gone.
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
LONGEST_LINE = 1 << 16
LINGER_S = 2.0  # for the rest of a line, when the tool has ended and somebody holds its output


def adopt_orphans() -> None:
    """Become the parent of whatever our children leave behind."""
    ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def end_children() -> None:
    """End all our children, and theirs, until there are none."""
    while children := _children():
        for child in children:
            with suppress(ProcessLookupError):
                os.kill(child, signal.SIGKILL)
        for child in children:
            with suppress(ChildProcessError):
                os.waitpid(child, 0)


class Running:
    """A tool that has been started; leave its block, and it has ended.

    Parameters
    ----------
    command : list of str
        Program and arguments.
    folder : Path
        Where it works.
    environment : mapping of str to str
        The whole of it.
    stall_s : float
        Seconds without a word after which it is given up.
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
        """Yield its lines, without their ends, as they come.

        Raises
        ------
        DownloadError
            If it says nothing for too long.
        """
        output = self._process.stdout
        assert output is not None
        rest = b""
        for chunk in self._chunks(output):
            *whole, rest = (rest + chunk).replace(b"\r", b"\n").split(b"\n")
            for line in whole:
                if line.strip():
                    yield line.decode("utf-8", "replace").rstrip()
            rest = rest[:LONGEST_LINE]
        if rest.strip():
            yield rest.decode("utf-8", "replace").rstrip()

    def _chunks(self, output: IO[bytes]) -> Iterator[bytes]:
        """Yield what is written, until nobody can write any more."""
        heard_s = time.monotonic()
        with selectors.DefaultSelector() as selector:
            selector.register(output, selectors.EVENT_READ)
            while True:
                ready = selector.select(min(self._stall_s, LINGER_S / 4))
                now_s = time.monotonic()
                if ready:
                    chunk = os.read(output.fileno(), 1 << 16)
                    if not chunk:
                        return
                    heard_s = now_s
                    yield chunk
                elif self._process.poll() is not None and now_s - heard_s > LINGER_S:
                    return
                elif now_s - heard_s >= self._stall_s:
                    raise DownloadError(
                        "stalled",
                        f"{self._name} has said nothing for {self._stall_s:g} s",
                        "is the network on? try again",
                    )


def _children() -> list[int]:
    """Return the processes whose parent we are."""
    found = []
    for task in Path("/proc/self/task").iterdir():
        with suppress(OSError):
            found += [int(child) for child in (task / "children").read_text().split()]
    return found
