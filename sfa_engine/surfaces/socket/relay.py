"""Hands a client's requests that are backstage's business on, and the answers back.

Each client has a connection of its own, so that what is pushed finds its way, and a slow client
delays itself alone. It has the client's scopes; backstage checks them.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection
from pathlib import Path
from typing import Any

import trio

from sfa_engine.stage.backstage_link import absent, silent
from sfa_engine.system.runtime_files import BACKSTAGE_SOCKET
from sfa_engine.wire import connection
from sfa_engine.wire.caller import Caller
from sfa_engine.wire.frames import Raw
from sfa_engine.wire.rights import MACHINE, SYSTEM, Actor
from sfa_engine.wire.stream import Notification
from sfa_engine.wire.trio_io import Client
from sfa_engine.wire.verbs import SCOPES, Scope

PREFIXES = (
    *("account.", "library.", "jobs.", "prep.", "spotify.", "notifications."),
    *("profiles.", "kits.", "chains.", "presets.", "webhooks.", "audit.", "mix."),
    *("loops.", "llm.", "agents.", "proposals."),
)
UNNAMED = "socket"  # kind of a client that does not say it
STAGE = "stage"
SEND_TIMEOUT_S = 10.0  # for backstage to take a request

Send = Callable[[bytes], Awaitable[None]]


class Relay:
    """One client's connection to backstage, opened when it is first needed.

    Parameters
    ----------
    runtime : pathlib.Path
        Folder of backstage's socket.
    nursery : trio.Nursery
        Where answers are waited for.
    send : callable
        Sends a message to the client.
    scopes : callable
        Returns those of the client.
    kind : callable
        Returns what kind of client it says it is: the surface in the audit log.
    """

    def __init__(
        self,
        runtime: Path,
        nursery: trio.Nursery,
        send: Send,
        scopes: Callable[[], Collection[Scope]] = lambda: SCOPES,
        kind: Callable[[], str] = lambda: "",
    ) -> None:
        self._send = send
        self._scopes = scopes
        self._kind = kind
        self._said: tuple[Collection[Scope], str] = ((), "")  # to backstage
        self._client = Client(
            runtime / BACKSTAGE_SOCKET,
            self._open_caller,
            nursery,
            self._hear,
            absent=absent,
            hung=silent,
            send_timeout_s=SEND_TIMEOUT_S,
        )

    async def call(self, method: str, params: Any, actor: Actor = SYSTEM) -> Raw:
        """Hand a request on and return its answer, however long backstage works on it.

        It goes on for the actor that it came for.

        Raises
        ------
        SfaError
            What backstage raised; `EngineError` if it is not there, or takes no request.
        """
        if self._said[0] and self._said != self._now():  # the client has given some scopes up
            hello = self._open_caller().hello()
            await self._client.call("hello", hello)
        named = None if actor.account == MACHINE else actor.to_wire()
        result: Raw = await self._client.call(method, params, named)
        return result

    def _now(self) -> tuple[Collection[Scope], str]:
        kind = self._kind()
        # Backstage does not wait for the stage, so no other client may pass for it.
        return self._scopes(), UNNAMED if kind in {"", STAGE} else kind

    def _open_caller(self) -> Caller:
        self._said = self._now()
        scopes, kind = self._said
        return Caller("backstage", kind, scopes, connection)

    async def _hear(self, pushed: Notification) -> None:
        await self._send(connection.notification(pushed.method, pushed.params))
