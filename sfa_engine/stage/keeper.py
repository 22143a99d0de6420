"""Keeps what the performer marks: every hot cue set or cleared goes to the library, for good.

::

    kernel ──changed──► Keeper ──► pending file (fsynced) ──► backstage: library.keep ──► forget

What backstage has not taken yet lies in the pending file, so that neither its absence, nor the
death of the stage, nor a power cut loses a mark. Sent twice is sent once: the newest counts.
"""

from __future__ import annotations

import logging
import re
from pathlib import Path
from typing import Any

import trio

from sfa_engine.audio.command import Source
from sfa_engine.audio.memory import Memory
from sfa_engine.desk import DESK
from sfa_engine.errors import EngineError, SfaError
from sfa_engine.stage.backstage_link import ask_backstage
from sfa_engine.stage.conductor import Conductor
from sfa_engine.stage.outbox import Outbox

logger = logging.getLogger(__name__)
AGAIN_S = 1.0  # while backstage is not there
UNSET_S = DESK.deck[1].hotcue[1].position.scale.rest
_HOTCUE = re.compile(r"deck([12])\.hotcue([1-8])\.position")

Marks = dict[str, float | None]  # hot cue's number as text, seconds; None: cleared


class Keeper:
    """Keeps what the performer marks.

    Parameters
    ----------
    runtime : pathlib.Path
    pending : pathlib.Path
        The file of what the library does not know yet.
    conductor : Conductor
    """

    def __init__(self, runtime: Path, pending: Path, conductor: Conductor) -> None:
        self._runtime = runtime
        self._outbox = Outbox(pending)
        self._conductor = conductor
        self._wake = trio.Event()
        self._pending: dict[str, Marks] = self._outbox.read(_is_marks)
        conductor.listen(self._hear)
        self._look_at_decks()

    def _look_at_decks(self) -> None:
        """Take over what the last stage may not have seen: cues that are set, never clears."""
        for deck in (1, 2):
            for number in range(1, 9):
                path = f"deck{deck}.hotcue{number}.position"
                place_s = self._conductor.memory.value(path)
                if place_s > UNSET_S:
                    self._mark(deck, number, place_s)

    # ------------------------------------------------------------------ hearing

    def pending(self, deck: int) -> Marks:
        """Return what the library does not know yet of the track on a deck."""
        return self._pending.get(bundle_of(self._conductor.memory, deck), {})

    def _hear(self, path: str, value: float, source: int) -> None:
        found = _HOTCUE.fullmatch(path)
        # Of the host's are those that come and go with a track: they are no marks.
        if found and source != Source.HOST:
            self._mark(int(found[1]), int(found[2]), value)

    def _mark(self, deck: int, number: int, place_s: float) -> None:
        bundle = bundle_of(self._conductor.memory, deck)
        if bundle:
            marks = self._pending.setdefault(bundle, {})
            marks[str(number)] = place_s if place_s > UNSET_S else None
            self._wake.set()

    # ------------------------------------------------------------------ keeping

    async def run(self) -> None:
        """Hand marks over for as long as the stage lives."""
        if self._pending:
            self._wake.set()
        while True:
            await self._wake.wait()
            self._wake = trio.Event()
            while self._pending:
                await self._outbox.save(self._pending)
                await self._hand_over()
            await self._outbox.save(self._pending)

    async def _hand_over(self) -> None:
        """Give all that is pending to the library; wait a little if it cannot take some now."""
        left = False
        for bundle, marks in list(self._pending.items()):
            sent = dict(marks)
            try:
                await ask_backstage(self._runtime, "library.keep", bundle=bundle, hotcues=sent)
            except EngineError:  # these wait, the others do not
                left = True
                continue
            except SfaError as error:  # it will never take these: say so, once
                logger.warning("cues of %s not kept: %s", bundle, error)
            for number, place_s in sent.items():
                if marks.get(number, ...) == place_s:
                    del marks[number]
            if not marks:
                del self._pending[bundle]
        if left:
            await trio.sleep(AGAIN_S)


def _is_marks(said: dict[str, Any]) -> bool:
    return all(isinstance(marks, dict) for marks in said.values())


def bundle_of(memory: Memory, deck: int) -> str:
    """Return the folder of the track that is on a deck; empty if there is none."""
    return bytes(memory.engine["transport"][deck - 1]["bundle"]).decode("utf-8", "replace")
