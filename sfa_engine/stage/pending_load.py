"""Load tracks that are being prepared when they are ready: the last requested on each deck.

The deck is free meanwhile: any other load or eject replaces a pending one.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import trio

from sfa_engine.desk import DECKS
from sfa_engine.errors import RETRYABLE, Refused, SfaError
from sfa_engine.stage.backstage_link import ask_backstage

logger = logging.getLogger(__name__)
POLL_S = 0.5
ENDED = frozenset({"done", "skipped", "failed", "cancelled"})

Load = Callable[[int, str, float], Awaitable[None]]


@dataclass(frozen=True)
class _Pending:
    """A load that waits for a job; `track` if the library has it already."""

    job: int
    name: str
    track: int | None
    position_s: float


class PendingLoads:
    """Loads that wait for their tracks.

    Parameters
    ----------
    runtime : pathlib.Path
        Where backstage's socket is.
    load : callable
        Loads a bundle on a deck, from 0, at a position in seconds.
    """

    def __init__(self, runtime: Path, load: Load) -> None:
        self._runtime = runtime
        self._load = load
        self._waiting: list[_Pending | None] = [None] * DECKS
        self._wake = trio.Event()

    def forget(self, deck: int) -> None:
        """Cancel the pending load of a deck, from 0."""
        self._waiting[deck] = None

    def add(self, deck: int, found: dict[str, Any], position_s: float) -> None:
        """Queue a load of the track that ``library.find`` prepares."""
        self._waiting[deck] = _Pending(
            int(found["preparing"]), str(found["name"]), found.get("track"), position_s
        )
        self._wake.set()

    async def run(self) -> None:
        """Load tracks as they become ready, until cancelled."""
        while True:
            await self._wake.wait()
            self._wake = trio.Event()
            while any(self._waiting):
                for deck, pending in enumerate(self._waiting):
                    if pending is not None:
                        await self._check(deck, pending)
                await trio.sleep(POLL_S)

    async def _check(self, deck: int, pending: _Pending) -> None:
        """Load a track whose job has succeeded; give up one whose job has failed."""
        try:
            job = await ask_backstage(self._runtime, "jobs.show", job=pending.job)
            if job["state"] not in ENDED:
                return
            found = {}
            if pending.track is not None and job["track"] not in {None, pending.track}:
                raise Refused("another track replaced it", f"load #{job['track']} instead")
            if job["track"] is not None:
                found = await ask_backstage(self._runtime, "library.find", words=f"#{job['track']}")
            if self._waiting[deck] is not pending:
                return
            if found:
                await self._load(deck, found["bundle"], pending.position_s)
            self._done(deck, pending)
        except RETRYABLE:  # backstage or the host restarts
            return
        except SfaError as error:
            self._done(deck, pending)
            logger.warning("deck %d: %s was not loaded: %s", deck + 1, pending.name, error)

    def _done(self, deck: int, pending: _Pending) -> None:
        """Remove a pending load, unless another has replaced it."""
        if self._waiting[deck] is pending:
            self._waiting[deck] = None
