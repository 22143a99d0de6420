"""Memory cues: places of a track without a pad, stored, deleted and visited from the decks.

A memory cue is a cue of the library without a hot cue's number. One that is stored or deleted here
is in the outbox's file before the press is answered, and in the library soon after.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial
from typing import Any

from msgspec import Struct

from sfa_engine.desk.scale import NOT_SET
from sfa_engine.errors import Refused
from sfa_engine.stage.conductor import Conductor, Done
from sfa_engine.stage.hotcues import bundle_of
from sfa_engine.stage.outbox import Outbox
from sfa_engine.stage.place import place_s
from sfa_engine.stage.track_cues import TrackCue, TrackCues
from sfa_engine.system.timecode import clock
from sfa_engine.track.cue_kind import deck_kind
from sfa_engine.track.grid import Grid

SAVE_TIMEOUT_S = 1.0  # while a disk hangs
SAME_S = 0.002  # two memory cues so close are one, as in the library
HERE_S = 0.05  # a deck so little before a cue is on it
# After a jump to a cue `next` goes on from that cue: a playing deck lands up to half a beat beside.
RECENT_S = 1.0


class MemoryCue(Struct, frozen=True):
    """A memory cue that was stored or deleted."""

    bundle: str
    position_s: float
    end_s: float | None = None
    label: str = ""
    color: str = ""
    delete: bool = False


class MemoryCues:
    """Stores, deletes and visits memory cues.

    Parameters
    ----------
    outbox : Outbox
        Takes the changes, for `VERB`.
    conductor : Conductor
    cues : callable
        Returns what the library has of a deck's track, by the deck from 1.
    now : callable
        Returns the time in seconds; that of the sound in a render.
    """

    VERB = "library.save_memory_cue"

    def __init__(
        self,
        outbox: Outbox[MemoryCue],
        conductor: Conductor,
        cues: Callable[[int], TrackCues],
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self.outbox = outbox
        self.run = self.outbox.run
        self._now = now
        self._conductor = conductor
        self._cues = cues
        # Changes that were delivered, until the library's cues are requested again.
        self._recent: dict[str, MemoryCue] = {}
        self._last: dict[int, tuple[float, float]] = {}  # by deck: cue, when it was jumped to

    def loaded(self, deck: int) -> None:
        """Note that a deck, from 1, has another track, or none."""
        self._last.pop(deck, None)
        self._conductor.stage.put(f"deck{deck}.memory.label", "")

    def refreshed(self, deck: int) -> None:
        """Note that a deck, from 1, has what the library has now."""
        bundle = bundle_of(self._conductor.memory, deck)
        waiting = self.outbox.messages
        self._recent = {
            key: each
            for key, each in self._recent.items()
            if each.bundle != bundle or waiting.get(key) is each
        }

    def of(self, deck: int) -> list[TrackCue]:
        """Return the memory cues of a deck's track by position."""
        bundle = bundle_of(self._conductor.memory, deck)
        found = [cue for cue in self._cues(deck).cues if cue.slot is None and cue.stem is None]
        for change in {**self._recent, **self.outbox.messages}.values():
            if change.bundle != bundle:
                continue
            found = [cue for cue in found if abs(cue.position_s - change.position_s) > SAME_S]
            if not change.delete:
                kind = "cue" if change.end_s is None else "loop"
                made = TrackCue(
                    change.position_s, change.end_s, kind, label=change.label, color=change.color
                )
                found.append(made)
        return sorted(found, key=lambda cue: cue.position_s)

    # ------------------------------------------------------------------ changes

    async def store(self, deck: int, here_s: float, grid: Grid | None, rate: int) -> None:
        """Store a memory cue at a position, on the nearest beat if the deck quantises.

        The active loop of a deck is stored instead, if the position is in it.
        """
        get = self._conductor.get
        end_s = None
        if get(f"deck{deck}.loop.active"):
            start_s, until_s = get(f"deck{deck}.loop.start"), get(f"deck{deck}.loop.end")
            if start_s <= here_s <= until_s:
                here_s, end_s = start_s, until_s
        if end_s is None and grid is not None and get(f"deck{deck}.quantise"):
            beat = round(float(grid.beat_of(here_s * rate, rate)))
            here_s = float(grid.frame_of(beat, rate)) / rate
        await self._put(MemoryCue(self._bundle(deck), max(0.0, here_s), end_s))

    async def delete(self, deck: int, here_s: float) -> None:
        """Delete the memory cue at a position, or the last one before it."""
        there = [cue for cue in self.of(deck) if cue.position_s <= here_s + HERE_S]
        if recent := self._recently(deck):
            there = [cue for cue in self.of(deck) if cue.position_s == recent] or there
        if not there:
            raise _none(deck, "before", here_s)
        self._last.pop(deck, None)
        gone = MemoryCue(self._bundle(deck), there[-1].position_s, delete=True)
        await self._put(gone)

    async def _put(self, change: MemoryCue) -> None:
        key = f"{round(change.position_s / SAME_S)} {change.bundle}"
        self._recent[key] = change
        self.outbox.put(key, change)
        await self.outbox.wait_saved(SAVE_TIMEOUT_S)

    def _bundle(self, deck: int) -> str:
        bundle = bundle_of(self._conductor.memory, deck)
        if not bundle:
            raise Refused(f"there is no track on deck {deck}", "load one")
        return bundle

    # ------------------------------------------------------------------ jumps

    def step(self, deck: int, direction: int) -> None:
        """Jump to the next memory cue (1) or the one before (-1)."""
        self._bundle(deck)
        here_s = place_s(self._conductor.memory, deck)
        recent = self._recently(deck)
        from_s = here_s if recent is None else recent
        there = self.of(deck)
        if direction > 0:
            found = [cue for cue in there if cue.position_s > from_s + HERE_S][:1]
        else:
            found = [cue for cue in there if cue.position_s < from_s - HERE_S][-1:]
        if not found:
            raise _none(deck, "after" if direction > 0 else "before", here_s)
        self.jump(deck, found[0])

    def jump(self, deck: int, cue: TrackCue, when: Any = None) -> Done:
        """Jump to a cue, into its loop if it has one; now or at a moment."""
        put = partial(self._conductor.set_nowait, when=when)
        if deck_kind(cue.kind, cue.end_s, cue.stem) == "loop" and cue.end_s is not None:
            put(f"deck{deck}.loop.start", cue.position_s)
            put(f"deck{deck}.loop.end", cue.end_s)
            put(f"deck{deck}.loop.active", 1.0)
        done = put(f"deck{deck}.position", cue.position_s)
        if when is None:
            self._last[deck] = (cue.position_s, self._now())
        name = cue.label or (cue.kind if cue.kind != "cue" else clock(cue.position_s))
        self._conductor.stage.put(f"deck{deck}.memory.label", name)
        return done

    def _recently(self, deck: int) -> float | None:
        """Return the cue that a deck was sent to a moment ago, if it is still near."""
        cue_s, at_s = self._last.get(deck, (NOT_SET, 0.0))
        here_s = place_s(self._conductor.memory, deck)
        is_near = abs(here_s - cue_s) < RECENT_S or self._now() - at_s < RECENT_S / 10
        return cue_s if cue_s != NOT_SET and is_near else None


def _none(deck: int, where: str, here_s: float) -> Refused:
    return Refused(
        f"no memory cue {where} {clock(here_s)}",
        f"store one: `sfa press deck{deck}.memory.store`",
    )
