"""How the command line reaches backstage: the one that runs, or one for its own duration."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from sfa_engine.audio.lock import lock_holder
from sfa_engine.cli.folders import PRIVATE_UMASK, closed_folder, runtime_path
from sfa_engine.cli.log import last_words
from sfa_engine.errors import EngineError
from sfa_engine.surfaces.socket.client import SocketClient
from sfa_engine.wire import BACKSTAGE

START_S = 20.0  # the first time compiles Python files, on a slow card
LOCK = "backstage.lock"
TRIES = 2  # another may have been quicker, and gone again


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
    runtime = runtime or runtime_path()
    client = _connect(runtime, timeout_s) or _start(runtime, timeout_s, environment or {})
    with client:
        yield client


def _connect(runtime: Path, timeout_s: float) -> SocketClient | None:
    """Return a connection if somebody answers; who has answered once does not end before us."""
    try:
        client = SocketClient(runtime / BACKSTAGE, timeout_s, "backstage")
    except EngineError:
        return None
    try:
        client.call("prep.watched")
    except EngineError:  # it was about to end
        client.close()
        return None
    except BaseException:
        client.close()
        raise
    return client


def _start(runtime: Path, timeout_s: float, environment: Mapping[str, str]) -> SocketClient:
    """Start one, and wait until it answers; another may be quicker, and is as good."""
    from sfa_engine.cli.config import log_path

    log = log_path() / "backstage.log"
    process: subprocess.Popen[bytes] | None = None
    tries = 0
    give_up = time.monotonic() + START_S
    while time.monotonic() < give_up:
        client = _connect(runtime, timeout_s)
        if client is not None:
            return client
        if process is not None and process.poll() not in (None, 0):
            process = None
        if process is None and not lock_holder(runtime / LOCK):  # or one is beginning, or ending
            if tries == TRIES:
                break
            tries += 1
            process = _launch(runtime, log, environment)
        time.sleep(0.02)
    words = last_words(log) or "it said nothing"
    raise EngineError(f"backstage did not start: {words}", "see `sfa log backstage`")


def _launch(runtime: Path, log: Path, environment: Mapping[str, str]) -> subprocess.Popen[bytes]:
    """Start one that ends with its last client."""
    try:
        closed_folder(log.parent)
        output = os.fdopen(os.open(log, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600), "ab")
    except OSError:  # it works without a log too
        output = Path(os.devnull).open("ab")  # noqa: SIM115 - closed below
    with output as file:
        return subprocess.Popen(
            [
                *(sys.executable, "-m", "sfa_engine.cli.backstage_process"),
                *("--runtime", str(runtime), "--temporary"),
            ],
            stdin=subprocess.DEVNULL,
            stdout=file,
            stderr=file,
            env={**os.environ, **environment},
            start_new_session=True,
            umask=PRIVATE_UMASK,
        )
