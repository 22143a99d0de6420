"""Run a worker program from a command, without backstage.

The program ends when this process does. Its output is complete or absent.
"""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Callable, Mapping
from typing import Any

from sfa_engine.backstage.runner import WorkerRequest
from sfa_engine.backstage.runner import run_worker as run_order

MAX_LENGTH_S = 86_400.0

Report = Callable[[float, str], None]


def run_worker(module: str, request: Mapping[str, Any], report: Report) -> dict[str, Any]:
    """Run a worker program, and return its result.

    Parameters
    ----------
    module : str
        The program, as in ``python -m``.
    request : mapping
        Plain values.
    report : callable
        Called with the share that is done, 0..1, and the current step.

    Raises
    ------
    SfaError
        The worker's error; WorkerError if it ended without an answer.
    """
    mark = f"command-{os.getpid()}-{time.monotonic_ns()}"
    return asyncio.run(
        run_order(WorkerRequest(("-m", module), request, mark, MAX_LENGTH_S), report)
    )
