"""A circuit breaker: a service that keeps failing is not called for a while. Never waits itself.

::

    closed ──failures in a row──► open ──rest is over──► trial ──success──► closed
                                   ▲                       │
                                   └────────failure────────┘
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable

from sfa_engine.backstage.services.errors import ServiceError

MAX_FAILURES = 5  # in a row
REST_S = 30.0


class Breaker:
    """Guards one service. Each `admit` is followed by one of the three outcomes.

    Parameters
    ----------
    service : str
        Its name, for errors.
    failures : int
        So many in a row open it.
    rest_s : float
        Seconds for which it stays open.
    clock : callable
        Returns monotonic seconds.
    """

    def __init__(
        self,
        service: str,
        failures: int = MAX_FAILURES,
        rest_s: float = REST_S,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.service = service
        self._max_failures = failures
        self._rest_s = rest_s
        self._clock = clock
        self._failures = 0
        self._opened_s = -math.inf
        self._on_trial = False

    @property
    def state(self) -> str:
        """``closed``, ``open``, or ``trial`` while one call is allowed."""
        if self._failures < self._max_failures:
            return "closed"
        return "open" if self._clock() < self._opened_s + self._rest_s else "trial"

    def admit(self) -> None:
        """Allow a call.

        Raises
        ------
        ServiceError
            The breaker is open, or another call is the trial.
        """
        state = self.state
        if state == "closed":
            return
        if state == "trial" and not self._on_trial:
            self._on_trial = True
            return
        left_s = max(0.0, self._opened_s + self._rest_s - self._clock())
        raise ServiceError(
            f"{self.service} failed {self._failures} times in a row",
            f"retried in {math.ceil(left_s)} s" if left_s else "being retried now",
            retry_after_s=left_s or 1.0,
        )

    def succeeded(self) -> None:
        """Record that a call was answered."""
        self._failures = 0
        self._on_trial = False

    def failed(self) -> None:
        """Record that a call failed by the service's fault."""
        self._failures += 1
        self._on_trial = False
        if self._failures >= self._max_failures:
            self._opened_s = self._clock()

    def abandoned(self) -> None:
        """Record that a call was cancelled, which says nothing about the service."""
        self._on_trial = False
