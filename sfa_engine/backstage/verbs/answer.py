"""Answers that fit into a message, however large the library is. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from sfa_engine.wire import frames

MOST_LIST_BYTES = frames.MOST_BYTES // 2
MOST_NUMBERS = 10_000


def fitting(told: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return as many of the first as fit into an answer, and at least one if there is one.

    Who asked goes on after the last one.
    """
    found: list[dict[str, Any]] = []
    left = MOST_LIST_BYTES
    for each in told:
        left -= len(frames.pack(each))
        if left < 0 and found:
            break
        found.append(each)
    return found


def numbered(numbers: list[int]) -> dict[str, Any]:
    """Return how many jobs there are, and the numbers of the first ones."""
    return {"count": len(numbers), "jobs": numbers[:MOST_NUMBERS]}
