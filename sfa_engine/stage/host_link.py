"""Requests of the stage to the audio process, for what needs files or devices."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import trio

from sfa_engine.errors import EngineError
from sfa_engine.system.runtime_files import HOST_SOCKET
from sfa_engine.wire.caller import Caller
from sfa_engine.wire.trio_io import ask

ANSWER_TIMEOUT_S = 10.0  # the first seconds of a track from the slowest card
TAKEN_TIMEOUT_S = 2.0  # after the deadline, for the kernel to apply it or the host to refuse it
GIVES_UP = frozenset({"load", "eject"})  # verbs with a deadline, when the caller stops waiting


async def ask_host(
    runtime: Path, verb: str, /, *, handed: Sequence[int] = (), **params: Any
) -> dict[str, Any]:
    """Send a request to the audio process and return the result.

    `handed` are file descriptors sent with the request.

    Raises
    ------
    SfaError
        What the host raised; `EngineError` if it is not running, or does not answer.
    """
    if verb in GIVES_UP:
        params["deadline"] = time.monotonic() + ANSWER_TIMEOUT_S
    absent = EngineError("the audio process is not running", "see `sfa health`")
    lost = EngineError("the audio process did not answer", "see `sfa health`")
    caller = Caller("the audio process", "stage")
    with trio.move_on_after(ANSWER_TIMEOUT_S + TAKEN_TIMEOUT_S):
        path = runtime / HOST_SOCKET
        result: dict[str, Any] = await ask(
            path, caller, verb, params, absent=absent, lost=lost, handed=handed
        )
        return result
    raise lost
