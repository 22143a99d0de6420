"""Follows the stage: whether a set is playing, and whether the session is locked.

Workers keep out of the way of a set that plays. Without a stage nothing plays, and nothing is
locked; but one that died is back within a second, and until then all stays as it was.
"""

from __future__ import annotations

import asyncio
import math
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

from sfa_engine.backstage.niceness import Niceness
from sfa_engine.backstage.session import Session
from sfa_engine.desk import DECK_NAMES, DESK
from sfa_engine.errors import SfaError
from sfa_engine.system.runtime_files import ENGINE_SOCKET
from sfa_engine.wire import aio
from sfa_engine.wire.caller import Caller

RETRY_S = 2.0
SHORT_RETRY_S = 0.1  # just after it has gone
RESTART_TIMEOUT_S = 5.0  # a killed stage is back after 0.3 s, on a busy Pi after some seconds
PLAYS = tuple(f"{deck}.play" for deck in DECK_NAMES)
LOCKED = DESK.session.locked.path
LOCK = DESK.session.lock


async def listen(runtime: Path, niceness: Niceness, session: Session) -> None:
    """Follow the stage until cancelled; connect again whenever it has gone."""
    gone_at_s = -math.inf
    while True:
        if await _follow(runtime / ENGINE_SOCKET, niceness, session):
            gone_at_s = time.monotonic()
        if time.monotonic() - gone_at_s < RESTART_TIMEOUT_S:
            await asyncio.sleep(SHORT_RETRY_S)
            continue
        niceness.playing = session.locked = False
        session.lock = "off"
        await asyncio.sleep(RETRY_S)


async def _follow(path: Path, niceness: Niceness, session: Session) -> bool:
    """Follow one stage for as long as it lives; return whether there was one."""
    was_there = False
    with suppress(OSError, SfaError):
        async with aio.connect(path, Caller("the stage", "backstage")) as client:
            known = (await client.call("watch", paths=[*PLAYS, LOCKED, LOCK.path], rate_hz=5))[
                "values"
            ]
            was_there = True
            _take_over(known, niceness, session)
            async for _, params in client.notifications():
                known |= params["values"]
                _take_over(known, niceness, session)
    return was_there


def _take_over(known: dict[str, Any], niceness: Niceness, session: Session) -> None:
    niceness.playing = any(known.get(path) for path in PLAYS)
    session.locked = bool(known.get(LOCKED))
    session.lock = LOCK.text(known.get(LOCK.path, 0))
