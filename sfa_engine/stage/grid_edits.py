"""Corrections of the grids of tracks that are on the decks, and may be playing.

::

    press ──► position ──► new grid ──► Outbox: file (fsynced) ──► library.save_grid
                                  └───► host: the deck has it within a block, inaudibly

The arithmetic is `sfa_engine.track.correction`, the library's own. The deck gets a grid that is on
the disk already, so that none is played which a power cut would take back. What the outbox has not
delivered is newer than the bundle.
"""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

import msgspec
import trio
from msgspec import Struct

from sfa_engine.desk import DECK_NUMBERS
from sfa_engine.errors import EngineError, MediaError, Refused
from sfa_engine.stage.conductor import Conductor
from sfa_engine.stage.hotcues import bundle_of
from sfa_engine.stage.outbox import Outbox
from sfa_engine.stage.place import place_s
from sfa_engine.track import correction
from sfa_engine.track.grid import TEMPOS, Grid
from sfa_engine.track.media import check_drifts

SAVE_TIMEOUT_S = 1.0  # while a disk hangs
GIVE_TIMEOUT_S = 2.0  # to the deck; a track that is still being read gets it at the next refresh
GIVE_RETRY_S = 0.01
TAPS = 4  # of which a tempo is made
MAX_TAPS = 64  # the last ones
TAP_GAP_S = 3.0  # a longer pause begins anew: 20 BPM
MAX_UNDO = 100

Ask = Callable[..., Awaitable[Any]]  # name of a request, and its parameters
Make = Callable[[Grid | None, int], Grid]  # grid and its rate -> the corrected one


class GridChange(Struct, frozen=True):
    """A grid by hand to save; without anchors the one by hand is deleted."""

    bundle: str
    rate: int
    anchors: list[tuple[float, float]] | None = None
    bpm: float = 120.0
    beats_per_bar: int = 4

    @classmethod
    def of(cls, bundle: str, rate: int, grid: Grid | None) -> GridChange:
        """Return the change that saves a grid."""
        if grid is None:
            return cls(bundle, rate)
        anchors = [(float(each.frame), float(each.beat)) for each in grid.anchors]
        return cls(bundle, rate, anchors, grid.bpm, grid.beats_per_bar)


@dataclass
class _Taps:
    """Taps in a row: positions in seconds, and when the last one was."""

    places_s: list[float] = field(default_factory=list)
    at_s: float = 0.0


@dataclass
class _Deck:
    """What is known of a deck.

    Attributes
    ----------
    before : list of (Grid or None, bool)
        Grids that a correction replaced, and whether each was by hand.
    series : _Taps or None
        Taps that made the last correction: all of a series are one correction.
    """

    lock: trio.Lock = field(default_factory=trio.Lock)
    bundle: str = ""
    before: list[tuple[Grid | None, bool]] = field(default_factory=list)
    series: _Taps | None = None
    taps: _Taps = field(default_factory=_Taps)


class GridEdits:
    """Corrects the grids of tracks on decks.

    Parameters
    ----------
    outbox : Outbox
        Takes the changes, for `VERB`.
    conductor : Conductor
    ask : callable
        Calls ``grid`` and ``grid.set`` of the host.
    refresh : callable
        Requests a refresh of a deck, from 0.
    now : callable
        Returns the time in seconds; that of the sound in a render.
    """

    VERB = "library.save_grid"

    def __init__(
        self,
        outbox: Outbox[GridChange],
        conductor: Conductor,
        ask: Ask,
        refresh: Callable[[int], None],
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self.outbox = outbox
        self.run = self.outbox.run
        self._ask = ask
        self._now = now
        self._conductor = conductor
        self._refresh = refresh
        self._decks = {deck: _Deck() for deck in DECK_NUMBERS}

    def lock(self, deck: int) -> trio.Lock:
        """Return what is held while a deck's grid, from 1, is replaced."""
        return self._decks[deck].lock

    def is_pending(self, bundle: str) -> bool:
        """Return whether the library does not have the grid of a bundle yet."""
        return bundle in self.outbox.messages

    # ------------------------------------------------------------------ corrections

    def make(self, deck: int, name: str, number: float) -> tuple[Make, _Taps | None] | None:
        """Return the correction that a button of a deck asks for; None: nothing yet.

        The deck's position is that of this moment.
        """
        if not bundle_of(self._conductor.memory, deck):
            raise Refused(f"there is no track on deck {deck}", "load one")
        if name in {"nudge", "shift"} and number == 0.0:
            return None
        here_s = max(0.0, place_s(self._conductor.memory, deck))
        if name == "tap":
            return self._tap(deck)
        corrections: dict[str, Callable[[Grid, int], Grid]] = {
            "nudge": lambda grid, rate: correction.moved(grid, number / 1000.0 * rate),
            "shift": lambda grid, _: correction.shifted(grid, number),
            "downbeat": lambda grid, rate: correction.with_downbeat(
                grid, _beat_s(grid, here_s, rate), rate
            ),
            "tempo_here": lambda grid, rate: correction.with_tempo_from(
                grid, here_s, number if number >= TEMPOS[0] else None, rate
            ),
            "halve": lambda grid, _: correction.halved(grid),
            "double": lambda grid, _: correction.doubled(grid),
        }
        change = corrections[name]

        def corrected(grid: Grid | None, rate: int) -> Grid:
            if grid is None:
                raise Refused(
                    f"the track on deck {deck} has no beat grid", "tap its tempo, or analyse it"
                )
            return change(grid, rate)

        return corrected, None

    def _tap(self, deck: int) -> tuple[Make, _Taps] | None:
        there = self._decks[deck]
        if not self._conductor.memory.engine["transport"][deck - 1]["playing"]:
            raise Refused(f"deck {deck} is not playing", "play it, and tap along")
        heard_s, now_s = place_s(self._conductor.memory, deck, heard=True), self._now()
        taps = there.taps
        is_on = taps.places_s and now_s - taps.at_s < TAP_GAP_S and heard_s > taps.places_s[-1]
        self._note_bundle(deck, bundle_of(self._conductor.memory, deck))
        if not is_on or taps is not there.taps:
            taps = there.taps = _Taps()
        taps.places_s.append(heard_s)
        taps.at_s = now_s
        if len(taps.places_s) < TAPS:
            return None
        places_s = taps.places_s[-MAX_TAPS:]
        return (
            lambda grid, rate: correction.tapped(grid, [each * rate for each in places_s], rate)
        ), taps

    async def correct(self, deck: int, make: Make, series: object = None) -> None:
        """Correct the grid of a deck, from 1.

        Raises
        ------
        Refused
            The deck has no track, or the track no grid to correct, or the result is no grid.
        """
        index, there = deck - 1, self._decks[deck]
        async with there.lock:
            now = await self._ask("grid", deck=index)
            if not now:
                raise Refused(f"there is no track on deck {deck}", "load one")
            old, rate = _grid(now), int(now["rate"])
            try:
                new = make(old, rate)
                check_drifts(new, rate)
            except MediaError as problem:
                raise Refused(problem.message, problem.hint) from problem
            self._note_bundle(deck, str(now["path"]))
            if series is None or series is not there.series:
                there.before.append((old, bool(now["by_hand"])))
                del there.before[:-MAX_UNDO]
            there.series = series if isinstance(series, _Taps) else None
            await self._put(deck, now, new, by_hand=True)

    async def undo(self, deck: int) -> None:
        """Take the last correction of a deck's grid back."""
        there = self._decks[deck]
        async with there.lock:
            now = await self._ask("grid", deck=deck - 1)
            if now:
                self._note_bundle(deck, str(now["path"]))
            if not now or not there.before:
                raise Refused(
                    f"no correction of the grid on deck {deck} can be undone",
                    "see `sfa library grid` for the analysed one",
                )
            grid, by_hand = there.before.pop()
            there.series, there.taps = None, _Taps()
            await self._put(deck, now, grid, by_hand=by_hand)

    def _note_bundle(self, deck: int, bundle: str) -> None:
        there = self._decks[deck]
        if there.bundle != bundle:
            there.bundle, there.before, there.series, there.taps = bundle, [], None, _Taps()

    async def _put(
        self, deck: int, now: dict[str, Any], grid: Grid | None, *, by_hand: bool
    ) -> None:
        """Save a grid, then give it to the deck."""
        bundle = str(now["path"])
        self.outbox.put(bundle, GridChange.of(bundle, now["rate"], grid if by_hand else None))
        await self.outbox.wait_saved(SAVE_TIMEOUT_S)
        await self._give(deck, now["digest"], grid, by_hand=by_hand)

    # ------------------------------------------------------------------ on the deck

    async def put_on_deck(self, deck: int) -> None:
        """Give a deck, from 1, the grid that the library does not have yet; hold its lock."""
        change = self.outbox.messages.get(bundle_of(self._conductor.memory, deck))
        if change is None or change.anchors is None:
            return
        now = await self._ask("grid", deck=deck - 1)
        if now and now["path"] == change.bundle:
            fields = {"bpm": change.bpm, "beats_per_bar": change.beats_per_bar}
            anchors = [{"frame": frame, "beat": beat} for frame, beat in change.anchors]
            grid = msgspec.convert({"anchors": anchors, **fields}, Grid)
            await self._give(deck, now["digest"], grid, by_hand=True)

    async def _give(self, deck: int, digest: str, grid: Grid | None, *, by_hand: bool) -> None:
        """Give a deck a grid; a refresh does it later if the track is still being read."""
        params = {"digest": digest, "grid": msgspec.to_builtins(grid), "by_hand": by_hand}
        with trio.move_on_after(GIVE_TIMEOUT_S):
            while True:
                try:
                    said = await self._ask("grid.set", deck=deck - 1, **params)
                except EngineError:  # it is saved, and in the bundle when the host is back
                    break
                if said["is_current"]:
                    return
                await trio.sleep(GIVE_RETRY_S)
        self._refresh(deck - 1)


def _grid(now: dict[str, Any]) -> Grid | None:
    return None if now["grid"] is None else msgspec.convert(now["grid"], Grid)


def _beat_s(grid: Grid, here_s: float, rate: int) -> float:
    """Return the beat nearest to a position, in seconds."""
    beat = round(float(grid.beat_of(here_s * rate, rate)))
    return float(grid.frame_of(beat, rate)) / rate
