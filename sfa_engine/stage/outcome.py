"""The outcome of what a button of the stage has started, for a caller that waits for it."""

from __future__ import annotations

import logging

import trio

from sfa_engine.errors import SfaError

logger = logging.getLogger(__name__)


class Outcome:
    """Done or failed, some time after the press.

    An error is raised to the callers that wait, and logged if there are none: a pad has no display.

    Parameters
    ----------
    name : str
        Of the control.
    """

    def __init__(self, name: str) -> None:
        self._name = name
        self._done = trio.Event()
        self._error: SfaError | None = None
        self._is_awaited = False

    def set(self, error: SfaError | None = None) -> None:
        """End with success, or with an error."""
        self._error = error
        self._done.set()
        if error is not None and not self._is_awaited:
            logger.warning("%s: %s", self._name, error)

    async def wait(self) -> None:
        """Wait for the end; raise the error."""
        self._is_awaited = True
        await self._done.wait()
        if self._error is not None:
            raise self._error
