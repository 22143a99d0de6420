"""Hot cues of the tracks on the decks: the stage owns them, and the library stores them.

::

    stored or cleared, on any ring ──► reports ──► HotCues ──► Outbox ──► library.save_hotcues
    loaded, or edited elsewhere ───► put_on_deck ──► commands of source HOST, not recorded

A report stays in the report ring until the outbox has its change on the disk, so no change is lost
when the stage dies, or while none runs. What the outbox has not delivered is newer than the
library. Knows bundles, no tracks.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from msgspec import Struct

from sfa_engine.desk import DECK_NUMBERS, HOT_CUES
from sfa_engine.desk.scale import NOT_SET
from sfa_engine.engine.command import Handover, Op, ReportKind, Source
from sfa_engine.engine.layout import REPORTS, VALUE_INDEX
from sfa_engine.engine.memory import Memory
from sfa_engine.engine.ring import Report
from sfa_engine.stage.conductor import Conductor
from sfa_engine.stage.outbox import Outbox

ROUNDING_S = 0.001  # a bundle counts frames

HotCueMap = Mapping[int, float | None]  # by number, in seconds; None: cleared
_NUMBERS = range(1, HOT_CUES + 1)
_PLACES = {
    VALUE_INDEX[f"deck{deck}.hotcue{number}.position"]: (deck, number)
    for deck in DECK_NUMBERS
    for number in _NUMBERS
}


class HotCueChange(Struct, frozen=True):
    """A hot cue that a performer stored, or cleared (None)."""

    bundle: str
    hotcues: dict[str, float | None]


class HotCues:
    """Records a performer's changes of hot cues, and sets a deck's from its track.

    Parameters
    ----------
    runtime : pathlib.Path
        Folder of backstage's socket.
    pending : pathlib.Path
        File of the outbox.
    conductor : Conductor
    """

    def __init__(self, runtime: Path, pending: Path, conductor: Conductor) -> None:
        self.outbox = Outbox(runtime, pending, "library.save_hotcues", HotCueChange)
        self.run = self.outbox.run
        self._conductor = conductor
        self._bundles: dict[int, str] = {}  # by deck; empty: see the engine's memory
        self._lost = 0  # reports, at the last check
        conductor.record(self._record, lambda: self.outbox.is_saved)
        if self.outbox.is_damaged:
            self._record_all()

    # ------------------------------------------------------------------ recording

    def loaded(self, deck: int) -> None:
        """Note that a deck's track was loaded or ejected."""
        self._conductor.pump()  # what was stored before is of the previous track
        self._bundles[deck] = bundle_of(self._conductor.memory, deck)

    def pending(self) -> dict[str, HotCueMap]:
        """Return the changes that the library does not have yet, by bundle."""
        found: dict[str, dict[int, float | None]] = {}
        for message in self.outbox.messages.values():
            changes = {int(number): place_s for number, place_s in message.hotcues.items()}
            found.setdefault(message.bundle, {}).update(changes)
        return dict(found)

    def _record(self, reports: Sequence[Report], is_first: bool) -> None:
        lost, before = int(self._conductor.memory.engine["reports_lost"]), self._lost
        self._lost = lost
        if is_first:
            self._bundles = {deck: self._bundle(deck) for deck in DECK_NUMBERS}
            before = 0
            lost += len(reports) == REPORTS  # the ring was full, and a new host counts from 0
            reports = _of_present_tracks(reports)
        for report in reports:
            if _is_load(report):
                if not is_first:  # `loaded` sets it, when the host has answered
                    self._bundles[report.deck + 1] = ""
            elif report.source != Source.HOST and (change := _change(report)) is not None:
                self._put(*change)
        if lost > before:
            self._record_all()

    def _record_all(self) -> None:
        """Record all hot cues that are set: reports were lost, and no clear is inferred."""
        for deck, number in _PLACES.values():
            place_s = self._conductor.memory.value(_path(deck, number))
            if place_s != NOT_SET:
                self._put(deck, number, place_s)

    def _put(self, deck: int, number: int, place_s: float) -> None:
        bundle = self._bundles[deck] or self._bundle(deck)
        if bundle:
            change = HotCueChange(bundle, {str(number): None if place_s == NOT_SET else place_s})
            self.outbox.put(f"{number} {bundle}", change)

    def _bundle(self, deck: int) -> str:
        return bundle_of(self._conductor.memory, deck)

    # ------------------------------------------------------------------ on the deck

    def has_any(self, deck: int) -> bool:
        """Return whether any hot cue of a deck is set."""
        return any(self._conductor.get(_path(deck, number)) != NOT_SET for number in _NUMBERS)

    def put_on_deck(self, deck: int, hotcues: HotCueMap, pending: Mapping[str, HotCueMap]) -> None:
        """Set a deck's hot cues to those of its track.

        Parameters
        ----------
        deck : int
            From 1.
        hotcues : mapping
            From the library or the bundle.
        pending : mapping
            Result of `pending` from before they were requested: it may be delivered by now.
        """
        self._conductor.pump()  # what was stored on the deck until now is newer
        bundle = self._bundle(deck)
        current = {**hotcues, **pending.get(bundle, {}), **self.pending().get(bundle, {})}
        for number in _NUMBERS:
            path, place_s = _path(deck, number), current.get(number)
            if not _is_same(self._conductor.get(path), place_s):
                self._conductor.set_nowait(path, place_s, source=Source.HOST)


def _is_same(now_s: float, place_s: float | None) -> bool:
    """Return whether a deck's position is the library's, which has none before the first frame."""
    if place_s is None or now_s == NOT_SET:
        return place_s is None and now_s == NOT_SET
    return abs(max(0.0, now_s) - max(0.0, place_s)) < ROUNDING_S


def _path(deck: int, number: int) -> str:
    return f"deck{deck}.hotcue{number}.position"


def _change(report: Report) -> tuple[int, int, float] | None:
    """Return deck, number and position of the hot cue that a report changes."""
    if report.kind is ReportKind.CHANGED:
        index, place_s = report.value_index, report.value
    elif report.kind is ReportKind.APPLIED and report.op == Op.SET:
        index, place_s = report.target, report.x
    else:
        return None
    place = _PLACES.get(index)
    return None if place is None else (*place, place_s)


def _is_load(report: Report) -> bool:
    """Return whether a report is of a load or eject."""
    is_load = report.op == Op.LOAD and report.kind is ReportKind.APPLIED
    return is_load and report.y == Handover.NEW


def _of_present_tracks(reports: Sequence[Report]) -> list[Report]:
    """Leave out reports of a deck from before the load of its present track."""
    loads = {report.deck: place for place, report in enumerate(reports) if _is_load(report)}
    return [report for place, report in enumerate(reports) if place >= loads.get(report.deck, 0)]


def bundle_of(memory: Memory, deck: int) -> str:
    """Return the folder of the track on a deck; empty without one."""
    return bytes(memory.engine["transport"][deck - 1]["bundle"]).decode("utf-8", "replace")
