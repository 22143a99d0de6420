"""Hot cues of the tracks on the decks: the stage owns them, and the library stores them.

::

    stored, changed or cleared, on any ring ──► reports ──► HotCues ──► Outbox ──► library
    a label or a colour that was set ──────────► listener ────┘       (library.save_hotcues)
    loaded, or edited elsewhere ───► put_on_deck ──► commands of source HOST, not recorded

A report stays in the report ring until the outbox has its change on the disk, so no change is lost
when the stage dies, or while none runs. What the outbox has not delivered is newer than the
library. Knows bundles, no tracks.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import partial
from typing import Any

from msgspec import Struct

from sfa_engine.desk import DECK_NUMBERS, HOT_CUES, Value
from sfa_engine.desk.deck import CUE_KINDS
from sfa_engine.desk.scale import NOT_SET
from sfa_engine.engine.command import Handover, Op, ReportKind, Source
from sfa_engine.engine.intents import path_of
from sfa_engine.engine.layout import REPORTS, VALUE_INDEX, VALUE_PATHS
from sfa_engine.engine.memory import Memory
from sfa_engine.engine.ring import Report
from sfa_engine.errors import Refused
from sfa_engine.stage.conductor import Conductor
from sfa_engine.stage.outbox import Outbox
from sfa_engine.stage.track_cues import TrackCue
from sfa_engine.track.cue_kind import deck_kind

ROUNDING_S = 0.001  # a bundle counts frames

Change = Mapping[str, Any]  # of a hot cue; see `library.save_hotcues`
HotCueMap = Mapping[int, Change]  # by number
_NUMBERS = range(1, HOT_CUES + 1)
# The names of a hot cue's values on the desk, and in the library.
_FIELDS = {"position": "position_s", "end": "end_s", "kind": "kind", "on_load": "on_load"}
_TEXTS = ("label", "color")
_PLACES = {
    f"deck{deck}.hotcue{number}.{name}": (deck, number, name)
    for deck in DECK_NUMBERS
    for number in _NUMBERS
    for name in (*_FIELDS, *_TEXTS)
}
_STORES = frozenset({int(Op["HOTCUE_STORE"]), int(Op["HOTCUE_PRESS"])})
CLEARED: Change = {"position_s": None}


class HotCueChange(Struct, frozen=True):
    """What a performer changed of a hot cue.

    Earlier versions wrote a position, or None for cleared.
    """

    bundle: str
    hotcues: dict[str, dict[str, float | bool | str | None] | float | None]


class HotCues:
    """Records a performer's changes of hot cues, and sets a deck's from its track.

    Parameters
    ----------
    outbox : Outbox
        Takes the changes, for `VERB`.
    conductor : Conductor
    """

    VERB = "library.save_hotcues"

    def __init__(self, outbox: Outbox[HotCueChange], conductor: Conductor) -> None:
        self.outbox = outbox
        self.run = self.outbox.run
        self._conductor = conductor
        self._bundles: dict[int, str] = {}  # by deck; empty: see the engine's memory
        self._lost = 0  # reports, at the last check
        for path, (deck, number, name) in _PLACES.items():
            if name in _TEXTS:
                conductor.stage.checks[path] = partial(self._check_set, deck, number)
        conductor.listen(self._on_change)
        conductor.record(self._record, lambda: self.outbox.is_saved)
        if self.outbox.is_damaged:
            self._record_all()

    # ------------------------------------------------------------------ recording

    async def wait_saved(self, timeout_s: float) -> None:
        """Wait until all changes are on the disk; no longer than that while the disk hangs.

        Their reports are released at once: the next stage would take a store from before a text
        for a new hot cue, which has none.
        """
        await self.outbox.wait_saved(timeout_s)
        self._conductor.release_recorded()

    def loaded(self, deck: int) -> None:
        """Note that a deck's track was loaded or ejected."""
        self._conductor.pump()  # what was stored before is of the previous track
        self._bundles[deck] = bundle_of(self._conductor.memory, deck)
        for number in _NUMBERS:
            self._show_texts(deck, number, {})

    def pending(self) -> dict[str, HotCueMap]:
        """Return the changes that the library does not have yet, by bundle."""
        found: dict[str, dict[int, Change]] = {}
        for message in self.outbox.messages.values():
            changes = {int(number): _as_change(each) for number, each in message.hotcues.items()}
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
            elif report.source != Source.HOST and (found := _change(report)) is not None:
                self._put(*found)
        if lost > before:
            self._record_all()

    def _record_all(self) -> None:
        """Record all hot cues that are set: reports were lost, and no clear is inferred."""
        value = self._conductor.memory.value
        for deck in DECK_NUMBERS:
            for number in _NUMBERS:
                if value(_path(deck, number)) != NOT_SET:
                    change = {
                        field: _in_words(name, value(_path(deck, number, name)))
                        for name, field in _FIELDS.items()
                    }
                    self._put(deck, number, change)

    def _check_set(self, deck: int, number: int, text: Any) -> None:
        """Refuse a text of a hot cue that is not set: it would be nowhere."""
        self._conductor.pump()  # what was stored until now is older, and would clear the text
        if text and self._conductor.get(_path(deck, number)) == NOT_SET:
            raise Refused(
                f"hot cue {number} of deck {deck} is not set",
                f"store it first: `sfa press deck{deck}.hotcue{number}.store`",
            )

    def _on_change(self, path: str, value: Value, source: int) -> None:
        deck, number, name = _PLACES.get(path, (0, 0, ""))
        is_performers = name in _TEXTS and source != Source.HOST
        if is_performers and self._conductor.get(_path(deck, number)) != NOT_SET:
            self._put(deck, number, {name: value})

    def _put(self, deck: int, number: int, change: Change) -> None:
        bundle = self._bundles[deck] or self._bundle(deck)
        if "is_new" in change or change.get("position_s", 0.0) is None:
            self._show_texts(deck, number, {})
        if not bundle:
            return
        key = f"{number} {bundle}"
        before = self.outbox.messages.get(key)
        if before is not None:
            change = _merged(_as_change(before.hotcues.get(str(number))), change)
        self.outbox.put(key, HotCueChange(bundle, {str(number): dict(change)}))

    def _bundle(self, deck: int) -> str:
        return bundle_of(self._conductor.memory, deck)

    # ------------------------------------------------------------------ on the deck

    def has_any(self, deck: int) -> bool:
        """Return whether any hot cue of a deck is set."""
        return any(self._conductor.get(_path(deck, number)) != NOT_SET for number in _NUMBERS)

    def on_deck(self, deck: int) -> list[TrackCue]:
        """Return the hot cues of a deck that are set, by number."""
        get = self._conductor.get
        found = []
        for number in _NUMBERS:
            if (place_s := get(_path(deck, number))) == NOT_SET:
                continue
            values = {
                name: _in_words(name, get(_path(deck, number, name)))
                for name in ("end", "kind", "on_load", *_TEXTS)
            }
            end_s = values.pop("end")
            found.append(TrackCue(max(0.0, place_s), end_s, slot=number, **values))
        return found

    def put_on_deck(
        self, deck: int, cues: Iterable[TrackCue], pending: Mapping[str, HotCueMap]
    ) -> None:
        """Set a deck's hot cues to those of its track.

        Parameters
        ----------
        deck : int
            From 1.
        cues : iterable of TrackCue
            From the library or the bundle.
        pending : mapping
            Result of `pending` from before they were requested: it may be delivered by now.
        """
        self._conductor.pump()  # what was stored on the deck until now is newer
        bundle = self._bundle(deck)
        current = {cue.slot: _fields(cue) for cue in cues if cue.slot is not None}
        for changes in (pending.get(bundle, {}), self.pending().get(bundle, {})):
            for number, change in changes.items():
                current[number] = _merged(current.get(number), change)
        for number in _NUMBERS:
            self._show(deck, number, current.get(number, CLEARED))

    def _show(self, deck: int, number: int, wanted: Change) -> None:
        """Set the values and texts of one hot cue, as far as they differ."""
        if wanted.get("position_s") is None:
            wanted = CLEARED
        for name, field in _FIELDS.items():  # the end before the kind, which would choose one
            path, value = _path(deck, number, name), _in_engine(name, wanted.get(field))
            if not _is_same(self._conductor.get(path), value, name):
                self._conductor.set_nowait(path, value, source=Source.HOST)
        self._show_texts(deck, number, wanted)

    def _show_texts(self, deck: int, number: int, wanted: Change) -> None:
        for name in _TEXTS:
            text = str(wanted.get(name) or "")
            self._conductor.stage.put(_path(deck, number, name), text, Source.HOST)

    def stand_on(self, deck: int) -> None:
        """Put a deck that was just loaded on the first hot cue that asks for it."""
        for cue in self.on_deck(deck):
            if cue.on_load:
                path = f"deck{deck}.hotcue{cue.slot}.press"
                self._conductor.press_nowait(path, source=Source.HOST)
                return


def _fields(cue: TrackCue) -> Change:
    """Return a hot cue of the library as what a deck has of it."""
    kind = deck_kind(cue.kind, cue.end_s, cue.stem)
    return {
        "position_s": cue.position_s,
        "end_s": None if kind == "cue" else cue.end_s,
        "kind": kind,
        "on_load": cue.on_load,
        "label": cue.label,
        "color": cue.color,
    }


def _as_change(change: Change | float | None) -> Change:
    """Return a change; a position alone, as earlier versions had it, is a new hot cue."""
    if change is None:
        return CLEARED
    return change if isinstance(change, Mapping) else {"position_s": change, "is_new": True}


def _merged(before: Change | None, change: Change) -> Change:
    """Return what a hot cue is after another change."""
    if before is None or "is_new" in change or change.get("position_s", 0.0) is None:
        return change
    return {**before, **change}


def _in_words(name: str, value: Any) -> Any:
    """Return a value of the engine as the library has it."""
    if name in {"position", "end"}:
        return None if value == NOT_SET else value
    if name == "kind":
        return CUE_KINDS[int(value)]
    return bool(value) if name == "on_load" else value


def _in_engine(name: str, value: Any) -> float:
    """Return a value of the library as the engine has it; None: as it is when nothing is set."""
    if name in {"position", "end"}:
        return NOT_SET if value is None else float(value)
    if name == "kind":
        return float(CUE_KINDS.index(value or CUE_KINDS[0]))
    return float(bool(value))


def _is_same(now: float, value: float, name: str) -> bool:
    """Return whether a deck's value is the library's, which has none before the first frame."""
    if name not in {"position", "end"} or NOT_SET in {now, value}:
        return now == value
    return abs(max(0.0, now) - max(0.0, value)) < ROUNDING_S


def _path(deck: int, number: int, name: str = "position") -> str:
    return f"deck{deck}.hotcue{number}.{name}"


def _change(report: Report) -> tuple[int, int, Change] | None:
    """Return deck, number and change of the hot cue that a report is about."""
    if report.kind is ReportKind.CHANGED:
        path, value = VALUE_PATHS[report.value_index], report.value
    elif report.kind is ReportKind.APPLIED:
        path, value = path_of(report), report.x
    else:
        return None
    place = _PLACES.get(path)
    if place is None or path not in VALUE_INDEX:
        return None
    deck, number, name = place
    change = {_FIELDS[name]: _in_words(name, value)}
    is_new = report.kind is ReportKind.CHANGED and report.op in _STORES and name == "position"
    return deck, number, {**change, "label": "", "color": "", "is_new": True} if is_new else change


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
