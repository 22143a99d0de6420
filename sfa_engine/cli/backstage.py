"""How the command line reaches backstage: the one that runs, or one for its own duration."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from sfa_engine.cli import config as configuration
from sfa_engine.errors import EngineError
from sfa_engine.surfaces.socket.client import SocketClient
from sfa_engine.wire import BACKSTAGE

START_S = 20.0  # the first time compiles Python files, on a slow card
LOG = "backstage.log"


@contextmanager
def backstage(
    timeout_s: float = 60.0,
    runtime: Path | None = None,
    environment: Mapping[str, str] | None = None,
) -> Iterator[SocketClient]:
    """Lend a connection to backstage; start it if it does not run.

    One that was started so ends when the last of its clients has gone; what it had not done
    then waits for the next.

    Parameters
    ----------
    timeout_s : float
        For an answer to come.
    runtime : pathlib.Path, optional
        Where its socket is, if it is not the user's own.
    environment : mapping, optional
        Of one that is started, beside ours.

    Raises
    ------
    EngineError
        It does not start; its last words are told.
    """
    runtime = runtime or configuration.runtime_path()
    client = _connect(runtime, timeout_s) or _start(runtime, timeout_s, environment or {})
    with client:
        yield client


def _connect(runtime: Path, timeout_s: float) -> SocketClient | None:
    """Return a connection if somebody answers."""
    try:
        return SocketClient(runtime / BACKSTAGE, timeout_s, "backstage")
    except EngineError:
        return None


def _start(runtime: Path, timeout_s: float, environment: Mapping[str, str]) -> SocketClient:
    """Start one, and wait until it answers; another may be quicker, and is as good."""
    log = runtime / LOG
    with log.open("ab") as file:
        process = subprocess.Popen(
            [
                *(sys.executable, "-m", "sfa_engine.cli.backstage_process"),
                *("--runtime", str(runtime), "--temporary"),
            ],
            stdin=subprocess.DEVNULL,
            stdout=file,
            stderr=file,
            env={**os.environ, **environment},
            start_new_session=True,
        )
    give_up = time.monotonic() + START_S
    while time.monotonic() < give_up:
        client = _connect(runtime, timeout_s)
        if client is not None:
            return client
        if process.poll() not in (None, 0):
            break
        time.sleep(0.02)
    lines = log.read_text(errors="replace").strip().splitlines()
    words = lines[-1].removeprefix("sfa backstage: ") if lines else "it said nothing"
    raise EngineError(f"backstage did not start: {words}", f"see {log}")
