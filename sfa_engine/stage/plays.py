"""Counts plays: a track that was heard long enough on a deck is told to the library, once a load.

::

    every LOOK_S: playing and audible? ──► heard_s ──► enough ──► outbox file (fsynced)
                                                                     └─► backstage: library.played

Audible is a deck whose level after its fader is over `AUDIBLE_DB`, that the crossfader does not
cut, while the master is up. Enough is 30 s, or half of the track where that is shorter. The
outbox keeps plays that backstage has not taken, and which load was counted last on each deck, so
that neither backstage's absence nor a new stage loses a play or counts one twice. Knows no track,
only bundles.
"""

from __future__ import annotations

import logging
import time
import uuid
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import trio

from sfa_engine.audio.layout import DECKS
from sfa_engine.desk import DESK
from sfa_engine.desk.scale import OFF
from sfa_engine.errors import EngineError, SfaError
from sfa_engine.stage.backstage_link import ask_backstage
from sfa_engine.stage.conductor import Conductor, readings_of
from sfa_engine.stage.keeper import bundle_of
from sfa_engine.stage.outbox import Outbox

logger = logging.getLogger(__name__)
ENOUGH_S = 30.0
ENOUGH_SHARE = 0.5  # of the track
LOOK_S = 0.5
AUDIBLE_DB = -50.0  # mean level: below it is what a silent passage or a closed fader leaves
CUT_AWAY = 0.98  # of the crossfader's way to the other side: from here on nothing is heard
RETRY_S = 2.0  # while backstage is not there


@dataclass
class _Load:
    """What is on a deck, and how much of it was heard."""

    bundle: str = ""
    heard_s: float = 0.0
    first_heard: float = 0.0  # seconds since 1970
    counted: bool = False


@dataclass(frozen=True)
class Play:
    """A play that the library is to count."""

    bundle: str
    play: str
    deck: int
    played_at: float


class Plays:
    """Counts plays, and hands them to the library.

    Parameters
    ----------
    runtime : pathlib.Path
        Where backstage's socket is.
    pending : pathlib.Path
        The file of plays that backstage has not taken.
    conductor : Conductor
    """

    def __init__(self, runtime: Path, pending: Path, conductor: Conductor) -> None:
        self._runtime = runtime
        self._outbox = Outbox(pending)
        self._conductor = conductor
        self._wake = trio.Event()
        left = self._outbox.read(_is_content)
        self._waiting = [Play(**play) for play in left.get("plays", [])]
        self._loads = [_Load(bundle_of(conductor.memory, deck + 1)) for deck in range(DECKS)]
        for deck, bundle in left.get("counted", {}).items():
            load = self._loads[int(deck) - 1]
            load.counted = load.bundle == bundle
        self._frame = self._now_frame()

    # ------------------------------------------------------------------ counting

    def loaded(self, deck: int) -> None:
        """Begin anew with a deck, from 1: a track was loaded or ejected."""
        self._loads[deck - 1] = _Load(bundle_of(self._conductor.memory, deck))

    def look(self) -> None:
        """Add the time since the last look to what was heard on each deck."""
        memory = self._conductor.memory
        frame, self._frame = self._frame, self._now_frame()
        passed_s = (self._frame - frame) / max(1.0, float(memory.engine["sample_rate"]))
        readings = readings_of(memory)
        for deck, load in enumerate(self._loads, 1):
            bundle = bundle_of(memory, deck)
            if bundle != load.bundle:
                self.loaded(deck)
            elif bundle and not load.counted and passed_s > 0 and self._is_heard(deck, readings):
                load.first_heard = load.first_heard or time.time() - passed_s
                load.heard_s += passed_s
                if load.heard_s >= self._enough_s(deck):
                    load.counted = True
                    play = Play(bundle, str(uuid.uuid4()), deck, load.first_heard)
                    self._waiting.append(play)
                    self._wake.set()

    def _is_heard(self, deck: int, readings: dict[str, float]) -> bool:
        memory = self._conductor.memory
        return (
            bool(memory.engine["transport"][deck - 1]["playing"])
            and readings[f"deck{deck}.rms"] > AUDIBLE_DB
            and memory.value("master.volume") > OFF
            and self._way_off(deck) < CUT_AWAY
        )

    def _way_off(self, deck: int) -> float:
        """Return how far the crossfader is on the other side of a deck: 0 to 1."""
        value = self._conductor.memory.value
        side = DESK.deck[deck].assign.options[int(value(f"deck{deck}.assign"))]
        if side == "through":
            return 0.0
        left = side == "left" or (side == "auto" and deck % 2 == 1)
        place = value("crossfader") * (-1.0 if value("crossfader_reverse") else 1.0)
        return (1.0 + place / 100.0) / 2.0 if left else (1.0 - place / 100.0) / 2.0

    def _enough_s(self, deck: int) -> float:
        transport = self._conductor.memory.engine["transport"][deck - 1]
        length_s = int(transport["track_frames"]) / (float(transport["track_rate"]) or 1.0)
        return min(ENOUGH_S, ENOUGH_SHARE * length_s)

    def _now_frame(self) -> int:
        return int(self._conductor.memory.engine["emitted"])

    # ------------------------------------------------------------------ handing over

    async def run(self) -> None:
        """Count for as long as the stage lives."""
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._deliver)
            while True:
                self.look()
                await trio.sleep(LOOK_S)

    async def _deliver(self) -> None:
        """Hand plays over, until the stage ends."""
        if self._waiting:
            self._wake.set()
        while True:
            await self._wake.wait()
            self._wake = trio.Event()
            while self._waiting:
                await self._outbox.save(self._content())
                if not await self._give(self._waiting[0]):
                    await trio.sleep(RETRY_S)
            await self._outbox.save(self._content())

    async def _give(self, play: Play) -> bool:
        """Give a play to the library; return False if it cannot take it now."""
        try:
            await ask_backstage(self._runtime, "library.played", **vars(play))
        except EngineError:
            return False
        except SfaError as error:  # it never will: a bundle that is no track of the library
            logger.warning("play of %s not counted: %s", play.bundle, error)
        self._waiting.remove(play)
        return True

    # ------------------------------------------------------------------ the outbox

    def _content(self) -> dict[str, Any]:
        """Return what the next stage has to know."""
        counted = {
            str(deck): load.bundle for deck, load in enumerate(self._loads, 1) if load.counted
        }
        if not counted and not self._waiting:
            return {}
        return {"counted": counted, "plays": [vars(play) for play in self._waiting]}


def _is_content(said: dict[str, Any]) -> bool:
    try:
        [Play(**play) for play in said["plays"]]
        return all(0 < int(deck) <= DECKS for deck in said["counted"])
    except (KeyError, TypeError, ValueError):
        return False
