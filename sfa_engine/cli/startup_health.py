"""The engine's health, reported once by `sfa start` when it plays or should.

Knows the control socket only; the processes are `sfa_engine.run.supervise`'s.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from pathlib import Path

from sfa_engine.errors import SfaError
from sfa_engine.system.runtime_files import ENGINE_SOCKET
from sfa_engine.wire.blocking import SocketClient

START_TIMEOUT_S = 15.0  # for the engine to play: the slowest card and device
POLL_S = 0.1

Say = Callable[[str], None]


def report_health(runtime: Path, say: Say) -> None:
    """Report, from a thread, the health of an engine that starts; nothing if it is ok.

    Parameters
    ----------
    runtime : pathlib.Path
        Folder of its socket.
    say : callable
        Called with the line, from another thread.
    """
    threading.Thread(target=_report, args=(runtime, say), name="health", daemon=True).start()


def _report(runtime: Path, say: Say) -> None:
    give_up = time.monotonic() + START_TIMEOUT_S
    while True:
        try:
            with SocketClient(runtime / ENGINE_SOCKET) as client:
                said = client.call("health")
        except SfaError as error:
            said = {"health": "down", "reasons": [error.message]}
        if said["health"] != "down" or time.monotonic() > give_up:
            break
        time.sleep(POLL_S)
    if said["reasons"]:
        say(f"health {said['health']}: {'; '.join(said['reasons'])}")
