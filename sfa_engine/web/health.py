"""``/health``: whether the processes answer, for monitors; open to all, so it gives no reasons."""

from __future__ import annotations

import asyncio

from starlette.responses import Response

from sfa_engine import __version__
from sfa_engine.errors import SfaError
from sfa_engine.web.endpoint import Endpoint
from sfa_engine.web.exchange import Exchange, answer
from sfa_engine.web.link import Link

TIMEOUT_S = 2.0  # for both together


class Health:
    """Asks the stage and backstage.

    Parameters
    ----------
    engine, backstage : Link
    build : str
        Of the web UI; a page of another one offers to load this.
    """

    def __init__(self, engine: Link, backstage: Link, build: str = "") -> None:
        self._engine = engine
        self._backstage = backstage
        self._build = build

    def endpoints(self) -> list[Endpoint]:
        """Return its endpoints."""
        sentence = "Return whether the engine and backstage answer; 503 without an engine."
        return [Endpoint("GET", "/health", sentence, self._show, statuses=(503,))]

    async def _show(self, _exchange: Exchange) -> Response:
        word, backstage = await asyncio.gather(self._word(), self._has_backstage())
        shown = {
            "health": word,
            "backstage": backstage,
            "version": __version__,
            "page": self._build,
        }
        return answer(shown, 503 if word == "down" else 200)

    async def _word(self) -> str:
        try:
            said = await self._engine.call("health", {}, TIMEOUT_S)
        except SfaError:
            return "down"
        return str(said["health"])

    async def _has_backstage(self) -> bool:
        try:
            await self._backstage.call("prep.watched", {}, TIMEOUT_S)
        except SfaError:
            return False
        return True
