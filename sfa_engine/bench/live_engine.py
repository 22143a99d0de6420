"""A kernel that renders faster than real time, behind the verbs of the stage that a live mix uses.

::

    LiveMix ── deck.load · automation.queue · cancel · status ──► LiveEngine ──► sound
                                                                       ▲
                                                        run(seconds) ──┘   time passes only here
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import trio
import trio.testing

from sfa_engine.errors import MediaError
from sfa_engine.host.offline import Audio, Offline
from sfa_engine.stage.automation import Automation
from sfa_engine.stage.conductor import Conductor

RATE = 48_000.0
LOADED_S = 0.01  # after which the kernel has a track that was given to it
CANCELLED_S = 0.001


class LiveEngine:
    """A kernel, and what a live mix asks the stage for.

    Parameters
    ----------
    folder : pathlib.Path
        For the values that a stage keeps.
    heard : callable
        Called with each piece of the master: float32[frames, 2].
    block : int
        Frames a call of the kernel.

    Attributes
    ----------
    loads : list of (float, int, str)
        Time in seconds, deck and bundle of each load.
    time_s : float
        That has passed.
    """

    def __init__(
        self, folder: Path, heard: Callable[[Audio], None] = lambda _: None, block: int = 480
    ) -> None:
        self.offline = Offline(RATE, 2, block)
        self.conductor = Conductor(self.offline.memory, folder / "values.json")
        self.automation = Automation(self.conductor)
        self.loads: list[tuple[float, int, str]] = []
        self.time_s = 0.0
        self._heard = heard

    async def call(self, method: str, **params: Any) -> Any:
        """Call a verb, as over the stage's socket."""
        self.conductor.pump()
        if method == "deck.load":
            return self.load(**params)
        if method == "automation.queue":
            return self.automation.automation_queue(**params)
        if method == "automation.status":
            return self.automation.automation_status(**params)
        assert method == "automation.cancel"
        return await asyncio.to_thread(trio.run, self._cancel)

    def load(self, deck: int, path: str, position_s: float) -> dict[str, Any]:
        """Load a bundle on a deck, from 1; MediaError if it cannot be read."""
        folder = Path(path)
        if not folder.is_dir():
            raise MediaError(f"{path} is not there", "prepare it again")
        self.offline.load(deck - 1, folder, position_s=position_s)
        self.run(LOADED_S)
        self.offline.memory.engine["transport"][deck - 1]["bundle"] = str(folder).encode()
        self.loads.append((self.time_s, deck, folder.name))
        return {}

    async def _cancel(self) -> None:
        """Cancel what waits: the kernel has to run for it."""
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self.automation.automation_cancel)
            await trio.testing.wait_all_tasks_blocked()
            self.run(CANCELLED_S)

    def run(self, seconds: float) -> None:
        """Play on."""
        self._heard(self.offline.render(round(seconds * self.offline.rate)))
        self.conductor.pump()
        self.time_s += seconds

    def playing(self) -> list[int]:
        """Return the numbers of the decks that play."""
        transport = self.offline.memory.engine["transport"]
        return [n + 1 for n in range(2) if transport[n]["playing"]]
