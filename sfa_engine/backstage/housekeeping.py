"""Queues the daily clean-up, which is a job like any other."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta

HOUR = 3  # local time
MISSED_DELAY_S = 60.0  # after the start, when a night was missed
POLL_S = 3600.0  # the clock may be set during the wait
DAY_S = 86_400.0


def seconds_until_night(now: datetime, hour: int = HOUR) -> float:
    """Return the time until the next night's clean-up.

    Parameters
    ----------
    now : datetime.datetime
        Local time with zone: a day may have 23 or 25 hours.
    hour : int
    """
    tonight = now.replace(hour=hour, minute=0, second=0, microsecond=0)
    if tonight <= now:
        tonight += timedelta(days=1)
    return tonight.replace(tzinfo=None).astimezone().timestamp() - now.timestamp()


async def clean_nightly(last_s: float, clean: Callable[[], Awaitable[object]]) -> None:
    """Queue a clean-up each night, and soon if the last one is more than a day ago.

    Parameters
    ----------
    last_s : float
        When the last one ended, in seconds since 1970.
    clean : callable
        Queues the job.
    """
    if not 0.0 <= time.time() - last_s <= DAY_S:  # negative: the clock was ahead
        await asyncio.sleep(MISSED_DELAY_S)
        await clean()
    while True:
        left_s = seconds_until_night(datetime.now().astimezone())
        await asyncio.sleep(min(left_s, POLL_S))
        if left_s <= POLL_S:
            await clean()
