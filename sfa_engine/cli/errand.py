"""Work that a command gives to a worker program and waits for, without backstage.

The program is on a leash: it ends when this process does. What it makes is whole or not there.
"""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Callable, Mapping
from typing import Any

from sfa_engine.backstage.runner import Order, run_worker

LONGEST_S = 86_400.0

Report = Callable[[float, str], None]


def ask(module: str, request: Mapping[str, Any], report: Report) -> dict[str, Any]:
    """Have a worker program do something, and return its result.

    Parameters
    ----------
    module : str
        The program, as in ``python -m``.
    request : mapping
        Plain values.
    report : callable
        Told the part that is done, 0..1, and what is being done.

    Raises
    ------
    SfaError
        What the worker says; WorkerError if it ended without a word.
    """
    mark = f"errand-{os.getpid()}-{time.monotonic_ns()}"
    return asyncio.run(run_worker(Order(("-m", module), request, mark, LONGEST_S), report))
