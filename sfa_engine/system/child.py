"""Child processes that live for a block, and polling for a condition."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from sfa_engine.errors import EngineError

START_TIMEOUT_S = 20.0
END_TIMEOUT_S = 10.0


@contextmanager
def spawned(
    command: list[str], environment: dict[str, str], log: Path = Path(os.devnull)
) -> Iterator[subprocess.Popen[bytes]]:
    """Run a program with its output in a file; terminate it at the end of the block."""
    with log.open("wb") as output:
        process = subprocess.Popen(
            command,
            env={**os.environ, **environment},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
        )
    try:
        yield process
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(END_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def wait_for(condition: Callable[[], bool], what: str, timeout_s: float = START_TIMEOUT_S) -> None:
    """Poll a condition until it holds.

    Raises
    ------
    EngineError
        It does not hold in time.
    """
    deadline = time.monotonic() + timeout_s
    while not condition():
        if time.monotonic() > deadline:
            raise EngineError(f"timeout after {timeout_s:g} s: {what}")
        time.sleep(0.001)
