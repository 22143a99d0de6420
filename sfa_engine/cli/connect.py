"""Connections to the engine and to backstage; both import their client when they are called."""

from __future__ import annotations

import time
from typing import Any

from sfa_engine.errors import EngineError, Refused
from sfa_engine.run.folders import runtime_path

RECONNECT_TIMEOUT_S = 10.0  # in which a stage that was killed answers again
RETRY_S = 0.05


def connect() -> Any:
    """Return a connection to the running engine; retry while its supervisor runs."""
    from sfa_engine.system.runtime_files import ENGINE_SOCKET
    from sfa_engine.wire.blocking import SocketClient

    runtime = runtime_path()
    give_up = time.monotonic() + RECONNECT_TIMEOUT_S
    while True:
        try:
            return SocketClient(runtime / ENGINE_SOCKET)
        except EngineError:
            from sfa_engine.system.process_lock import lock_holder
            from sfa_engine.system.runtime_files import SUPERVISOR_LOCK

            if not lock_holder(runtime / SUPERVISOR_LOCK):
                raise
        if time.monotonic() > give_up:
            raise EngineError(
                "the engine is being started and does not answer yet",
                "wait a moment, or see `sfa log`",
            )
        time.sleep(RETRY_S)


def ask_surface(surface: str, method: str, hint: str, **params: Any) -> Any:
    """Call a verb of a surface; say that the surface is off if the engine has no such verb."""
    with connect() as client:
        try:
            return client.call(method, **params)
        except Refused as error:
            if method not in error.message:
                raise
            for reason in client.call("health")["reasons"]:
                if reason.startswith(f"{surface} is off: "):
                    what, _, to_do = reason.rpartition("; ")
                    raise Refused(what, f"{to_do}, and restart the engine") from None
    raise Refused(f"{surface} is off", hint)


def backstage(timeout_s: float = 60.0) -> Any:
    """Return a connection to backstage, in a ``with``; it is started if it does not run."""
    from sfa_engine.cli.backstage import backstage as connected

    return connected(timeout_s)
