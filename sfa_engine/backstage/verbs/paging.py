"""Pages that fit into one message, however large the library is. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from sfa_engine.wire import frames, protocol

MAX_LIST_BYTES = protocol.MAX_BYTES // 2
MAX_NUMBERS = 10_000


def fit_in_frame(items: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return as many of the first items as fit into an answer, at least one if there is one.

    The client continues after the last one.
    """
    found: list[dict[str, Any]] = []
    left = MAX_LIST_BYTES
    for each in items:
        left -= len(frames.pack(each))
        if left < 0 and found:
            break
        found.append(each)
    return found


def job_numbers(numbers: list[int]) -> dict[str, Any]:
    """Return the count of jobs, and the numbers of the first ones."""
    return {"count": len(numbers), "jobs": numbers[:MAX_NUMBERS]}
