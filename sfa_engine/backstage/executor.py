"""Where orders are carried out: here, unless the user has a cluster.

An executor is given an order and gives its result. Whatever becomes of it, an order that was
cancelled or failed leaves no process behind, and its output folder is there whole or not at all.
"""

from __future__ import annotations

from typing import Any, Protocol

from sfa_engine.backstage.courtesy import Courtesy
from sfa_engine.backstage.runner import Order, Progress, end_marked, run_worker


class Executor(Protocol):
    """Carries orders out."""

    async def run(self, order: Order, progress: Progress) -> dict[str, Any]:
        """Return an order's result, or raise what the worker says."""
        ...

    async def end(self, marks: str) -> None:
        """End whatever is left of orders whose marks begin so."""
        ...

    async def close(self) -> None:
        """Let go of what is held."""
        ...


class Local:
    """Runs workers on this machine, out of the music's way.

    Parameters
    ----------
    courtesy : Courtesy
    """

    def __init__(self, courtesy: Courtesy) -> None:
        self._courtesy = courtesy

    async def run(self, order: Order, progress: Progress) -> dict[str, Any]:
        """Run the worker program."""
        return await run_worker(order, progress, self._courtesy)

    async def end(self, marks: str) -> None:
        """Kill every process with such a mark."""
        end_marked(marks)

    async def close(self) -> None:
        """Nothing is held."""
