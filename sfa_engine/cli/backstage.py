"""How the command line reaches backstage: the one that runs, or one for its own duration."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from sfa_engine.errors import EngineError
from sfa_engine.run.folders import PRIVATE_UMASK, closed_folder, runtime_path
from sfa_engine.system.log import last_message
from sfa_engine.system.process_lock import lock_holder
from sfa_engine.system.runtime_files import BACKSTAGE_LOCK, BACKSTAGE_SOCKET
from sfa_engine.wire.blocking import SocketClient

START_TIMEOUT_S = 20.0  # the first time compiles Python files, on a slow card
MAX_TRIES = 2  # another process may have been quicker, and ended again


@contextmanager
def backstage(
    timeout_s: float = 60.0,
    runtime: Path | None = None,
    environment: Mapping[str, str] | None = None,
) -> Iterator[SocketClient]:
    """Connect to backstage; start it if it does not run.

    A backstage started here ends when its last client disconnects; unfinished jobs wait for
    the next one.

    Parameters
    ----------
    timeout_s : float
        Of an answer.
    runtime : pathlib.Path, optional
        Folder of its socket, if not the user's own.
    environment : mapping, optional
        Added to ours if it is started.

    Raises
    ------
    EngineError
        It does not start; its last log message is quoted.
    """
    runtime = runtime or runtime_path()
    client = _connect(runtime, timeout_s) or _start(runtime, timeout_s, environment or {})
    with client:
        yield client


def _connect(runtime: Path, timeout_s: float) -> SocketClient | None:
    """Return a connection if backstage answers; it does not end while a client is connected."""
    try:
        client = SocketClient(runtime / BACKSTAGE_SOCKET, timeout_s, "backstage")
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
    """Start backstage, and wait until one answers: ours, or another that was quicker."""
    from sfa_engine.run.config import log_path

    log = log_path() / "backstage.log"
    process: subprocess.Popen[bytes] | None = None
    tries = 0
    give_up = time.monotonic() + START_TIMEOUT_S
    while time.monotonic() < give_up:
        client = _connect(runtime, timeout_s)
        if client is not None:
            return client
        if process is not None and process.poll() not in (None, 0):
            process = None
        if process is None and not lock_holder(
            runtime / BACKSTAGE_LOCK
        ):  # else one is starting or ending
            if tries == MAX_TRIES:
                break
            tries += 1
            process = _launch(runtime, log, environment)
        time.sleep(0.02)
    raise _not_started(log)


def _not_started(log: Path) -> EngineError:
    """Return why backstage did not start: a folder that it cannot use, or what it logged last."""
    from sfa_engine.run.config import data_path

    for folder in (data_path(), log.parent):
        if why := _unusable(folder):
            return EngineError(
                f"backstage did not start: {folder}: {why}",
                "check its permissions and the free space",
            )
    words = last_message(log) or "it logged nothing"
    return EngineError(f"backstage did not start: {words}", "see `sfa log backstage`")


def _unusable(folder: Path) -> str:
    """Return why no file can be made in a folder; empty if one can."""
    try:
        with tempfile.TemporaryFile(dir=closed_folder(folder)):
            return ""
    except OSError as error:
        return error.strerror or str(error)


def _launch(runtime: Path, log: Path, environment: Mapping[str, str]) -> subprocess.Popen[bytes]:
    """Start a backstage that ends with its last client."""
    try:
        closed_folder(log.parent)
        output = os.fdopen(os.open(log, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600), "ab")
    except OSError:  # it works without a log too
        output = Path(os.devnull).open("ab")  # noqa: SIM115 - closed below
    with output as file:
        return subprocess.Popen(
            [
                *(sys.executable, "-m", "sfa_engine.run.backstage_process"),
                *("--runtime", str(runtime), "--temporary"),
            ],
            stdin=subprocess.DEVNULL,
            stdout=file,
            stderr=file,
            env={**os.environ, **environment},
            start_new_session=True,
            umask=PRIVATE_UMASK,
        )
