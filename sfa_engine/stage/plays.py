"""Count plays: a track that was audible for long enough is reported to the library, once a load.

::

    every POLL_S: audible and loud? ──► audible_s ──► enough ──► Outbox ──► library.played

Loud is a deck whose level after its fader is over `AUDIBLE_DB`; for audible see `audible`. Enough
is 30 s, or half of the track where that is shorter. The outbox keeps undelivered plays, and the
bundle that was counted last on each deck, so that a new stage counts none twice. Knows no track,
only bundles.
"""

from __future__ import annotations

import time
import uuid
from dataclasses import dataclass
from pathlib import Path

import trio
from msgspec import Struct

from sfa_engine.desk import DECKS
from sfa_engine.engine.audible import is_audible
from sfa_engine.stage.conductor import Conductor, readings_of
from sfa_engine.stage.hotcues import bundle_of
from sfa_engine.stage.outbox import Outbox

ENOUGH_S = 30.0
ENOUGH_SHARE = 0.5  # of the track
POLL_S = 0.5
AUDIBLE_DB = -50.0  # mean level: a silent passage or a closed fader is below


@dataclass
class _Load:
    """A deck's bundle, and for how long it was audible."""

    bundle: str = ""
    audible_s: float = 0.0
    started_at: float = 0.0  # seconds since 1970
    counted: bool = False


class Play(Struct, frozen=True):
    """A play to count."""

    bundle: str
    play: str
    deck: int
    played_at: float


class Plays:
    """Counts plays, and reports them to the library.

    Parameters
    ----------
    runtime : pathlib.Path
        Where backstage's socket is.
    pending : pathlib.Path
        The file of undelivered plays.
    conductor : Conductor
    """

    def __init__(self, runtime: Path, pending: Path, conductor: Conductor) -> None:
        self.outbox = Outbox(runtime, pending, "library.played", Play)
        self._conductor = conductor
        self._loads = [_Load(bundle_of(conductor.memory, deck + 1)) for deck in range(DECKS)]
        for deck, load in enumerate(self._loads, 1):
            load.counted = bool(load.bundle) and self.outbox.state.get(str(deck)) == load.bundle
        self._frame = self._now_frame()

    # ------------------------------------------------------------------ counting

    def loaded(self, deck: int) -> None:
        """Restart the count of a deck, from 1: a track was loaded or ejected."""
        self._loads[deck - 1] = _Load(bundle_of(self._conductor.memory, deck))
        self._keep_counted()

    def _keep_counted(self) -> None:
        counted = {str(n): load.bundle for n, load in enumerate(self._loads, 1) if load.counted}
        self.outbox.put_state(counted)

    def poll(self) -> None:
        """Add the time since the last poll to each audible deck."""
        memory = self._conductor.memory
        frame, self._frame = self._frame, self._now_frame()
        passed_s = (self._frame - frame) / max(1.0, float(memory.engine["sample_rate"]))
        readings = readings_of(memory)
        for deck, load in enumerate(self._loads, 1):
            bundle = bundle_of(memory, deck)
            if bundle != load.bundle:
                self.loaded(deck)
            elif bundle and not load.counted and passed_s > 0 and self._is_loud(deck, readings):
                load.started_at = load.started_at or time.time() - passed_s
                load.audible_s += passed_s
                if load.audible_s >= self._enough_s(deck):
                    load.counted = True
                    play = Play(bundle, str(uuid.uuid4()), deck, load.started_at)
                    self.outbox.put(play.play, play)
                    self._keep_counted()

    def _is_loud(self, deck: int, readings: dict[str, float]) -> bool:
        memory = self._conductor.memory
        return is_audible(memory, deck, memory.value) and readings[f"deck{deck}.rms"] > AUDIBLE_DB

    def _enough_s(self, deck: int) -> float:
        transport = self._conductor.memory.engine["transport"][deck - 1]
        length_s = int(transport["track_frames"]) / (float(transport["track_rate"]) or 1.0)
        return min(ENOUGH_S, ENOUGH_SHARE * length_s)

    def _now_frame(self) -> int:
        return int(self._conductor.memory.engine["emitted"])

    async def run(self) -> None:
        """Count and deliver plays until cancelled."""
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self.outbox.run)
            while True:
                self.poll()
                await trio.sleep(POLL_S)
