"""Waits for a job that a tool has asked for."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Any

from sfa_engine.agents.tools.tool import Workbench
from sfa_engine.errors import Refused, WorkerError

POLL_S = 0.2
MAX_MEASURING_S = 60.0
MAX_AUDITION_S = 60.0
MAX_ROUNDS = 3  # the track may be changed meanwhile
FAILED = frozenset({"failed", "cancelled"})


async def ended(
    bench: Workbench,
    ask: Callable[[], Awaitable[dict[str, Any]]],
    doing: str,
    limit_s: float,
) -> dict[str, Any]:
    """Return the answer of a verb that queues a job, once that is done.

    Parameters
    ----------
    bench : Workbench
    ask : callable
        Calls the verb: ``done`` says whether the answer is there, ``batch`` is that of its job.
    doing : str
        What the job does, for errors: ``measuring``.
    limit_s : float

    Raises
    ------
    Refused
        It takes longer: it goes on, and is there when it is asked for again.
    WorkerError
        The job has failed.
    """
    give_up_s = time.monotonic() + limit_s
    asked, rounds = await ask(), 1
    while not asked["done"]:
        states = await _states(bench, asked["batch"])
        if failed := [each for each in states if each["state"] in FAILED]:
            why = failed[0].get("error") or {}
            raise WorkerError(
                f"{doing} failed: {why.get('message') or failed[0]['state']}", why.get("hint", "")
            )
        if not [each for each in states if each["state"] in {"waiting", "running"}]:
            if rounds == MAX_ROUNDS:
                raise WorkerError(f"{doing} ends without a result", "see `sfa jobs list --all`")
            asked, rounds = await ask(), rounds + 1
            continue
        if time.monotonic() > give_up_s:
            raise Refused(f"{doing} takes longer than {limit_s:g} s", "ask again in a minute")
        await asyncio.sleep(POLL_S)
    return asked


async def _states(bench: Workbench, batch: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = (await bench.call("jobs.list", batch=batch))["jobs"]
    return found
