"""Calls of verbs over the engine's sockets: a connection for each.

The engine's socket hands on what is backstage's. Without an engine backstage may run alone, so that
tracks can be searched and drafts made all the same.
"""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

from sfa_engine.errors import EngineError, Refused
from sfa_engine.system.runtime_files import BACKSTAGE_SOCKET, ENGINE_SOCKET
from sfa_engine.wire import aio
from sfa_engine.wire.caller import Caller
from sfa_engine.wire.verbs import Scope

ANSWER_TIMEOUT_S = 120.0  # an audition of a long mix
KIND = "mcp"  # as the audit log names it


class EngineCall:
    """Calls verbs.

    Parameters
    ----------
    runtime : pathlib.Path
        Folder of the sockets.
    scopes : frozenset of Scope
        Of the connections.
    """

    def __init__(self, runtime: Path, scopes: frozenset[Scope]) -> None:
        self._runtime = runtime
        self._scopes = scopes

    async def __call__(self, verb: str, **params: Any) -> Any:
        """Return the result of a verb.

        Raises
        ------
        SfaError
            What the verb raised; `EngineError` if its process is away.
        """
        try:
            return await self._ask(ENGINE_SOCKET, "the engine", verb, params)
        except OSError:
            absent = EngineError("the engine is not running", "start it with `sfa start`")
        try:
            return await self._ask(BACKSTAGE_SOCKET, "backstage", verb, params)
        except OSError:
            raise absent from None
        except Refused as error:
            if error.message.startswith(f'no method "{verb}'):  # it is the stage's
                raise absent from None
            raise

    async def _ask(self, socket: str, name: str, verb: str, params: dict[str, Any]) -> Any:
        caller = Caller(name, KIND, self._scopes)
        try:
            async with (
                asyncio.timeout(ANSWER_TIMEOUT_S),
                aio.connect(self._runtime / socket, caller) as client,
            ):
                return await client.call(verb, **params)
        except TimeoutError:
            raise EngineError(f"{name} does not answer", "see `sfa health`") from None
