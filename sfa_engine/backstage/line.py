"""The connection that a request came by, for verbs that push while they work."""

from __future__ import annotations

import asyncio
from typing import Annotated, Any, Protocol

from sfa_engine.wire.verbs import GIVEN


class Line(Protocol):
    """A client's connection."""

    async def push(self, method: str, params: dict[str, Any]) -> None:
        """Send a notification; wait while the client does not read.

        Raises
        ------
        ConnectionError
            The client has disconnected.
        """

    async def wait_gone(self) -> None:
        """Return when the client has disconnected, and not only stopped sending."""


class NoLine:
    """Of a request that came by no connection."""

    async def push(self, method: str, params: dict[str, Any]) -> None:
        """Push nothing."""

    async def wait_gone(self) -> None:
        """Never return."""
        await asyncio.Event().wait()


NO_LINE: Line = NoLine()
Asking = Annotated[Line, GIVEN]  # a verb's parameter: the connection of its request
