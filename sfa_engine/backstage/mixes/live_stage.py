"""The stage as a live mix uses it: what it plays, loads, and commands that wait in the engine."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol

import msgspec

from sfa_engine.backstage.mixes.live_state import Stand
from sfa_engine.errors import Refused


class Engine(Protocol):
    """The stage."""

    async def call(self, method: str, **params: Any) -> Any:
        """Call a verb, and return its result."""


class LiveStage:
    """The verbs of the stage that a live mix uses; there may be no stage for a while."""

    def __init__(self) -> None:
        self._engine: Engine | None = None

    def connected(self, engine: Engine | None) -> None:
        """Use a stage from now on; None: it is gone."""
        self._engine = engine

    async def stand(self, since: int) -> Stand:
        """Return what it plays, and what performers have set after a count of commands.

        Raises
        ------
        Refused
            There is none.
        """
        if self._engine is None:
            raise Refused("the engine does not run", "start it: `sfa start`")
        found = await self._engine.call("automation.status", since=since)
        return msgspec.convert(found, Stand)

    async def queue(self, items: Sequence[dict[str, Any]]) -> None:
        """Queue commands; those without a frame are carried out at once."""
        assert self._engine is not None
        await self._engine.call("automation.queue", commands=list(items))

    async def cancel(self) -> None:
        """Cancel what waits."""
        if self._engine is not None:
            await self._engine.call("automation.cancel")

    async def load(self, deck: int, bundle: Path, position_s: float) -> None:
        """Load a track."""
        assert self._engine is not None
        await self._engine.call("deck.load", deck=deck, path=str(bundle), position_s=position_s)
