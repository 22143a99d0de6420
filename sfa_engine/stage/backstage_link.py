"""Requests of the stage to backstage, one connection each. The music never waits for them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import trio

from sfa_engine.errors import EngineError
from sfa_engine.system.runtime_files import BACKSTAGE_SOCKET
from sfa_engine.wire.caller import Caller
from sfa_engine.wire.trio_io import ask

ANSWER_TIMEOUT_S = 10.0


def absent() -> EngineError:
    """Return the error for a backstage that is not running."""
    return EngineError("backstage is not running", "start it with `sfa start`")


def silent() -> EngineError:
    """Return the error for a backstage that does not answer."""
    return EngineError("backstage does not answer", "see `sfa log backstage`")


async def ask_backstage(
    runtime: Path, method: str, /, *, timeout_s: float = ANSWER_TIMEOUT_S, **params: Any
) -> Any:
    """Send a request to backstage and return the result.

    Raises
    ------
    SfaError
        What backstage raised; `errors.RETRYABLE` are those that may pass: it is not running, its
        disk is full, its library locked.
    """
    caller = Caller("backstage", "stage")
    with trio.move_on_after(timeout_s):
        path = runtime / BACKSTAGE_SOCKET
        return await ask(path, caller, method, params, absent=absent(), lost=silent())
    raise silent()
