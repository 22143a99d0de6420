"""``web.sock``: what the supervisor and the command line ask the web process."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

from sfa_engine import __version__
from sfa_engine.wire import aio
from sfa_engine.wire.session import Session
from sfa_engine.wire.verbs import exported, verb

logger = logging.getLogger(__name__)


class Control(aio.Server):
    """Serves `web.status`.

    Parameters
    ----------
    path : pathlib.Path
        Of the socket.
    status : callable
        Returns the answer.
    """

    def __init__(self, path: Path, status: Callable[[], dict[str, Any]]) -> None:
        super().__init__(path, self._attend)
        self._status = status

    @verb(scope="read")
    def web_status(self) -> dict[str, Any]:
        """Return the address that is listened on, and whether there is a first user."""
        return self._status()

    async def _attend(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        session = Session("the web process", __version__, exported(self), on_fault=_log_fault)
        await aio.Peer(reader, writer, session).run()


def _log_fault(method: str, error: Exception) -> None:
    logger.error("%s", method, exc_info=error)
