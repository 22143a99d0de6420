"""A circuit breaker: a service that fails is left alone for a while. It never waits itself.

::

    closed ──failures in a row──► open ──rest is over──► trial ──success──► closed
                                   ▲                       │
                                   └────────failure────────┘
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable

from sfa_engine.backstage.services.fault import ServiceError

FAILURES = 5  # in a row
REST_S = 30.0


class Breaker:
    """Stands before one service. Each `admit` is followed by one of the three outcomes.

    Parameters
    ----------
    service : str
        The service's name, for the error.
    failures : int
        As many in a row open it.
    rest_s : float
        Seconds for which it stays open.
    clock : callable
        Returns monotonic seconds.
    """

    def __init__(
        self,
        service: str,
        failures: int = FAILURES,
        rest_s: float = REST_S,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.service = service
        self._most = failures
        self._rest_s = rest_s
        self._clock = clock
        self._failures = 0
        self._opened_s = -math.inf
        self._on_trial = False

    @property
    def state(self) -> str:
        """``closed``, ``open``, or ``trial`` while one call may, or does, find out."""
        if self._failures < self._most:
            return "closed"
        return "open" if self._clock() < self._opened_s + self._rest_s else "trial"

    def admit(self) -> None:
        """Let a call through.

        Raises
        ------
        ServiceError
            If the service is resting, or another call is finding out whether it is back.
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
            f"it is tried again in {math.ceil(left_s)} s" if left_s else "it is being tried now",
            retry_after_s=left_s or 1.0,
        )

    def succeeded(self) -> None:
        """Note that a call was answered."""
        self._failures = 0
        self._on_trial = False

    def failed(self) -> None:
        """Note that a call failed by the service's fault."""
        self._failures += 1
        self._on_trial = False
        if self._failures >= self._most:
            self._opened_s = self._clock()

    def abandoned(self) -> None:
        """Note that a call was given up before its end: it tells nothing of the service."""
        self._on_trial = False
