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

import json
import sys
import time
import uuid
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import trio

from sfa_engine.audio.layout import DECKS
from sfa_engine.desk import DESK
from sfa_engine.desk.scale import OFF
from sfa_engine.durable import write_durably
from sfa_engine.errors import EngineError, SfaError
from sfa_engine.stage.backstage_link import ask_backstage
from sfa_engine.stage.conductor import Conductor, readings_of
from sfa_engine.stage.keeper import bundle_of

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


@dataclass
class Plays:
    """Counts plays, and hands them to the library.

    Parameters
    ----------
    runtime : pathlib.Path
        Where backstage's socket is.
    outbox : pathlib.Path
        The file of plays that backstage has not taken.
    conductor : Conductor
    """

    runtime: Path
    outbox: Path
    conductor: Conductor
    _waiting: list[Play] = field(default_factory=list)
    _loads: list[_Load] = field(default_factory=lambda: [_Load() for _ in range(DECKS)])
    _frame: int = 0

    def __post_init__(self) -> None:
        counted = self._read()
        for deck, load in enumerate(self._loads, 1):
            load.bundle = bundle_of(self.conductor.memory, deck)
            load.counted = bool(load.bundle) and counted.get(str(deck)) == load.bundle
        self._frame = self._now_frame()
        self._wake = trio.Event()
        self._saved = self._text()

    # ------------------------------------------------------------------ counting

    def loaded(self, deck: int) -> None:
        """Begin anew with a deck, from 1: a track was loaded or ejected."""
        self._loads[deck - 1] = _Load(bundle_of(self.conductor.memory, deck))

    def look(self) -> None:
        """Add the time since the last look to what was heard on each deck."""
        memory = self.conductor.memory
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
        memory = self.conductor.memory
        return (
            bool(memory.engine["transport"][deck - 1]["playing"])
            and readings[f"deck{deck}.rms"] > AUDIBLE_DB
            and memory.value("master.volume") > OFF
            and self._way_off(deck) < CUT_AWAY
        )

    def _way_off(self, deck: int) -> float:
        """Return how far the crossfader is on the other side of a deck: 0 to 1."""
        value = self.conductor.memory.value
        side = DESK.deck[deck].assign.options[int(value(f"deck{deck}.assign"))]
        if side == "through":
            return 0.0
        left = side == "left" or (side == "auto" and deck % 2 == 1)
        place = value("crossfader") * (-1.0 if value("crossfader_reverse") else 1.0)
        return (1.0 + place / 100.0) / 2.0 if left else (1.0 - place / 100.0) / 2.0

    def _enough_s(self, deck: int) -> float:
        transport = self.conductor.memory.engine["transport"][deck - 1]
        length_s = int(transport["track_frames"]) / (float(transport["track_rate"]) or 1.0)
        return min(ENOUGH_S, ENOUGH_SHARE * length_s)

    def _now_frame(self) -> int:
        return int(self.conductor.memory.engine["emitted"])

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
                await self._save()
                if not await self._give(self._waiting[0]):
                    await trio.sleep(RETRY_S)
            await self._save()

    async def _give(self, play: Play) -> bool:
        """Give a play to the library; return False if it cannot take it now."""
        try:
            await ask_backstage(self.runtime, "library.played", **vars(play))
        except EngineError:
            return False
        except SfaError as error:  # it never will: a bundle that is no track of the library
            print(f"sfa stage: {play.bundle} not counted: {error}", file=sys.stderr, flush=True)
        self._waiting.remove(play)
        return True

    # ------------------------------------------------------------------ the outbox

    def _text(self) -> str:
        counted = {
            str(deck): load.bundle for deck, load in enumerate(self._loads, 1) if load.counted
        }
        return json.dumps({"counted": counted, "plays": [vars(play) for play in self._waiting]})

    def _read(self) -> dict[str, Any]:
        """Take over what the last stage could not hand over; return what it had counted."""
        try:
            said = json.loads(self.outbox.read_text())
            self._waiting += [Play(**play) for play in said["plays"]]
            return dict(said["counted"])
        except FileNotFoundError:
            pass
        except (OSError, ValueError, TypeError, KeyError) as error:
            print(f"sfa stage: {self.outbox} cannot be read: {error}", file=sys.stderr)
            with suppress(OSError):
                self.outbox.rename(self.outbox.with_suffix(".damaged"))
        return {}

    async def _save(self) -> None:
        text = self._text()
        if text == self._saved:
            return
        try:
            await trio.to_thread.run_sync(self._write, text)
            self._saved = text
        except OSError as error:
            print(f"sfa stage: {self.outbox}: {error}", file=sys.stderr, flush=True)

    def _write(self, text: str) -> None:
        self.outbox.parent.mkdir(parents=True, exist_ok=True)
        write_durably(self.outbox, text)
