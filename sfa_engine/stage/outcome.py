"""The outcome of what a button of the stage has started, for a caller that waits for it."""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Callable

import trio

from sfa_engine.errors import SfaError

logger = logging.getLogger(__name__)
QUIET_S = 1.0  # between two lines of a control; a controller sends up to 1500 presses a second


class Failures:
    """Logs why buttons failed, of each a line a second, with the number of those left out before.

    Parameters
    ----------
    now : callable
        Seconds of a clock that does not jump.
    """

    def __init__(self, now: Callable[[], float] = time.monotonic) -> None:
        self._now = now
        self._logged: dict[str, tuple[float, int]] = {}  # by name: when, how many since

    def log(self, name: str, error: SfaError) -> None:
        """Log why a button failed."""
        at_s, since = self._logged.get(name, (-math.inf, 0))
        now = self._now()
        if now - at_s < QUIET_S:
            self._logged[name] = (at_s, since + 1)
            return
        self._logged[name] = (now, 0)
        logger.warning("%s: %s%s", name, error, f" ({since} times more before)" if since else "")


class Outcome:
    """Done or failed, some time after the press.

    An error is raised to the callers that wait, and logged if there are none: a pad has no display.

    Parameters
    ----------
    name : str
        Of the control.
    failures : Failures
    """

    def __init__(self, name: str, failures: Failures) -> None:
        self._name = name
        self._failures = failures
        self._done = trio.Event()
        self._error: SfaError | None = None
        self._is_awaited = False

    def set(self, error: SfaError | None = None) -> None:
        """End with success, or with an error."""
        self._error = error
        self._done.set()
        if error is not None and not self._is_awaited:
            self._failures.log(self._name, error)

    async def wait(self) -> None:
        """Wait for the end; raise the error."""
        self._is_awaited = True
        await self._done.wait()
        if self._error is not None:
            raise self._error
