"""Time and chance, in one place for tests that replace them."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import date


@dataclass(frozen=True)
class Clock:
    """Time and chance.

    Attributes
    ----------
    now : callable
        Seconds that pass evenly.
    wall : callable
        Seconds since 1970.
    sleep : callable
        Waits for seconds.
    rng : callable
        Returns 0..1.
    """

    now: Callable[[], float] = time.monotonic
    wall: Callable[[], float] = time.time
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep
    rng: Callable[[], float] = random.random

    @property
    def today(self) -> date:
        """The day, in the machine's time zone."""
        return date.fromtimestamp(self.wall())  # noqa: DTZ012 - as the user's days are
