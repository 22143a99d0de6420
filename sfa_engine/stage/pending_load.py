"""Loads of tracks that are being prepared: done when they are ready, the last one of each deck.

The deck is free meanwhile: any other load or eject takes the place of one that waits.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import trio

from sfa_engine.audio.layout import DECKS
from sfa_engine.errors import EngineError, Refused, SfaError
from sfa_engine.stage.backstage_link import ask_backstage

logger = logging.getLogger(__name__)
LOOK_S = 0.5
ENDED = frozenset({"done", "skipped", "failed", "cancelled"})

Load = Callable[[int, str, float], Awaitable[None]]


@dataclass(frozen=True)
class _Pending:
    """A load that waits for a job, of a track if the library knows it already."""

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
        Puts a bundle on a deck, from 0, at a position in seconds.
    """

    def __init__(self, runtime: Path, load: Load) -> None:
        self._runtime = runtime
        self._load = load
        self._waiting: list[_Pending | None] = [None] * DECKS
        self._wake = trio.Event()

    def forget(self, deck: int) -> None:
        """Load nothing more on a deck, counted from 0."""
        self._waiting[deck] = None

    def add(self, deck: int, found: dict[str, Any], position_s: float) -> None:
        """Load what ``library.find`` prepares on a deck when it is ready."""
        self._waiting[deck] = _Pending(
            int(found["preparing"]), str(found["name"]), found.get("track"), position_s
        )
        self._wake.set()

    async def run(self) -> None:
        """Load what gets ready, until the stage ends."""
        while True:
            await self._wake.wait()
            self._wake = trio.Event()
            while any(self._waiting):
                for deck, pending in enumerate(self._waiting):
                    if pending is not None:
                        await self._look(deck, pending)
                await trio.sleep(LOOK_S)

    async def _look(self, deck: int, pending: _Pending) -> None:
        """Load a track whose job has ended well; give up one whose job has not."""
        try:
            job = await ask_backstage(self._runtime, "jobs.show", job=pending.job)
            if job["state"] not in ENDED:
                return
            found = {}
            if pending.track is not None and job["track"] not in {None, pending.track}:
                raise Refused("another track is at its place now", f"load #{job['track']} for it")
            if job["track"] is not None:
                found = await ask_backstage(self._runtime, "library.find", words=f"#{job['track']}")
            if self._waiting[deck] is not pending:
                return
            if found:
                await self._load(deck, found["bundle"], pending.position_s)
            self._done(deck, pending)
        except EngineError:  # backstage or the host is due again
            return
        except SfaError as error:
            self._done(deck, pending)
            said = f"deck {deck + 1}: {pending.name} was not loaded: {error}"
            logger.warning("%s", said)

    def _done(self, deck: int, pending: _Pending) -> None:
        """Wait no more for a load, unless another took its place."""
        if self._waiting[deck] is pending:
            self._waiting[deck] = None
