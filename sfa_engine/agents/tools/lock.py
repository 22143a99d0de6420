"""The rule of ``session.lock`` for agents, models and MCP clients: while it is on, only reading.

===== ==================================================
lock  tools
===== ==================================================
off   all of the scopes that were given
auto  the same: what they call has the lock's own rules
on    those of the scope ``read``
===== ==================================================
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from sfa_engine.desk import DESK
from sfa_engine.errors import Locked, SfaError

LOCK = DESK.session.lock.path
ON = "on"


async def check_lock(call: Callable[..., Awaitable[Any]], name: str, scope: str) -> None:
    """Refuse a tool while ``session.lock`` is on, unless it only reads.

    Parameters
    ----------
    call : Call
        Calls a verb.
    name, scope : str
        Of the tool.

    Raises
    ------
    Locked
        It is.
    """
    if scope != "read" and await _lock(call) == ON:
        raise Locked(
            f"{LOCK} is on: it refuses {name}, and leaves what only reads",
            "switch it off, or ask later",
        )


async def _lock(call: Callable[..., Awaitable[Any]]) -> str:
    """Return what ``session.lock`` is set to; ``off`` without an engine, as there is no set."""
    try:
        found = await call("get", path=LOCK)
    except SfaError:
        return "off"
    return str(found["text"])
