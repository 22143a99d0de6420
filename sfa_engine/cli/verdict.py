"""What `sfa start` says of the engine's health, once, as soon as it plays or should.

Knows the control socket only; the processes are `sfa_engine.cli.supervise`'s.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from pathlib import Path

from sfa_engine.errors import SfaError
from sfa_engine.surfaces.socket.client import SocketClient
from sfa_engine.wire import ENGINE

PATIENCE_S = 15.0  # for the engine to play: the slowest card and device
STEP_S = 0.1

Say = Callable[[str], None]


def tell_health(runtime: Path, say: Say) -> None:
    """Say in the background what is not well with an engine that begins; nothing if all is.

    Parameters
    ----------
    runtime : pathlib.Path
        Where its socket will be.
    say : callable
        Is told the line; from another thread.
    """
    threading.Thread(target=_tell, args=(runtime, say), name="health", daemon=True).start()


def _tell(runtime: Path, say: Say) -> None:
    give_up = time.monotonic() + PATIENCE_S
    while True:
        try:
            with SocketClient(runtime / ENGINE) as client:
                said = client.call("health")
        except SfaError as error:
            said = {"health": "down", "reasons": [error.message]}
        if said["health"] != "down" or time.monotonic() > give_up:
            break
        time.sleep(STEP_S)
    if said["reasons"]:
        say(f"health {said['health']}: {'; '.join(said['reasons'])}")
