"""Watches what turns bad while nothing is asked: free space, and the engine's health.

A state is reported once when it has lasted for two looks, and again after it was good meanwhile.
"""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

from sfa_engine.errors import SfaError
from sfa_engine.library.notifications import Level, News
from sfa_engine.system.runtime_files import ENGINE_SOCKET
from sfa_engine.wire import aio
from sfa_engine.wire.caller import Caller
from sfa_engine.wire.frames import sayable

PERIOD_S = 15.0
ANSWER_TIMEOUT_S = 5.0
LOW_BYTES = 512 << 20  # some five tracks with stems
ENOUGH_BYTES = 1 << 30  # not reported again before
BAD = ("failing", "down")
LASTING = 2  # looks: a device that is replugged, an audio process that is restarted


class Watched:
    """Something that is good or bad. Pure."""

    def __init__(self) -> None:
        self._looks = 0

    def is_news(self, *, bad: bool, good: bool) -> bool:
        """Return whether it is to be reported now; what is neither bad nor good changes nothing."""
        if good:
            self._looks = 0
        elif bad:
            self._looks += 1
            return self._looks == LASTING
        return False


async def watch_health(folder: Path, runtime: Path, report: Callable[[News], None]) -> None:
    """Watch until cancelled.

    Parameters
    ----------
    folder : pathlib.Path
        Of the bundles.
    runtime : pathlib.Path
        Where the stage's socket is.
    report : callable
        Called with what turned bad.
    """
    disk, engine = Watched(), Watched()
    while True:
        for news in (await _disk_news(folder, disk), await _engine_news(runtime, engine)):
            if news is not None:
                report(news)
        await asyncio.sleep(PERIOD_S)


async def _disk_news(folder: Path, disk: Watched) -> News | None:
    free = await asyncio.to_thread(_free_bytes, folder)
    if free is None or not disk.is_news(bad=free < LOW_BYTES, good=free >= ENOUGH_BYTES):
        return None
    sentence = sayable(f'the disk of "{folder}" has {free >> 20} MiB left')
    return News(Level.ERROR, "disk.full", sentence, "free some, or empty the trash")


async def _engine_news(runtime: Path, engine: Watched) -> News | None:
    health = await _engine_health(runtime)
    if health is None:
        return None
    word = health["health"]
    if not engine.is_news(bad=word in BAD, good=word not in BAD):
        return None
    reason = next(iter(health["reasons"]), word)
    return News(Level.ERROR, f"engine.{word}", f"engine: {reason:.500}", "see `sfa health`")


def _free_bytes(folder: Path) -> int | None:
    """Return the free space of a folder's disk; None if it cannot be known. Blocks."""
    existing = next((each for each in (folder, *folder.parents) if each.is_dir()), folder)
    try:
        return shutil.disk_usage(existing).free
    except OSError:
        return None


async def _engine_health(runtime: Path) -> dict[str, Any] | None:
    """Return the engine's health; None without a stage: it may just not have been started."""
    with suppress(OSError, SfaError, TimeoutError):
        async with (
            asyncio.timeout(ANSWER_TIMEOUT_S),
            aio.connect(runtime / ENGINE_SOCKET, Caller("the stage", "backstage")) as client,
        ):
            health: dict[str, Any] = await client.call("health")
            return health
    return None
