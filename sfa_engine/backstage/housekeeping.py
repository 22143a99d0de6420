"""When the daily clean-up is due. Pure but for the wait; what it does is a job like any other."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta

HOUR = 3  # of the night, local time
FIRST_S = 60.0  # after the start, when a night was missed
LOOK_S = 3600.0  # between two looks at the clock, which may be set while we sleep
DAY_S = 86_400.0


def seconds_until_night(now: datetime, hour: int = HOUR) -> float:
    """Return how long it is to the next full hour of the night.

    Parameters
    ----------
    now : datetime.datetime
        Local time, with its zone: a night may have 23 or 25 hours.
    hour : int
    """
    tonight = now.replace(hour=hour, minute=0, second=0, microsecond=0)
    if tonight <= now:
        tonight += timedelta(days=1)
    return tonight.replace(tzinfo=None).astimezone().timestamp() - now.timestamp()


async def keep_house(last_s: float, clean: Callable[[], Awaitable[object]]) -> None:
    """Ask for a clean-up each night, and soon if the last one is more than a day ago.

    Parameters
    ----------
    last_s : float
        When the last one ended, in seconds since 1970.
    clean : callable
        Puts the job in the queue.
    """
    if not 0.0 <= time.time() - last_s <= DAY_S:  # or the clock was ahead then
        await asyncio.sleep(FIRST_S)
        await clean()
    while True:
        left_s = seconds_until_night(datetime.now().astimezone())
        await asyncio.sleep(min(left_s, LOOK_S))
        if left_s <= LOOK_S:
            await clean()
