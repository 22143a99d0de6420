"""Eight hot cues and eight loops: what Serato and Engine DJ have on their pads.

Our hot cues 1 to 8 are their cues, and 9 to 16, the second bank, their loops: both programs
number the two apart. Pure.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from sfa_engine.interchange.record import Loss, Record, cue_name
from sfa_engine.library.cues import Cue
from sfa_engine.track.cue_kind import deck_kind

PADS = 8
LOOPS_FROM = PADS + 1  # our number of their first loop


@dataclass(frozen=True, slots=True)
class Pads:
    """Cues and loops by their number from 0, and what found no place."""

    cues: dict[int, Cue] = field(default_factory=dict)
    loops: dict[int, Cue] = field(default_factory=dict)
    losses: tuple[Loss, ...] = ()


def pads_of(record: Record) -> Pads:
    """Give the cues of a track their places: its own number, else the first that is free.

    Numbered ones come first, then the user's by position; those of an analysis have no place.
    """
    cues: dict[int, Cue] = {}
    loops: dict[int, Cue] = {}
    losses: list[Loss] = []
    for cue in sorted(record.cues, key=_order):
        kind = deck_kind(cue.kind, cue.end_s, cue.stem)
        if cue.slot is None and not cue.by_hand:
            losses.append(Loss(record.name, "cue", "it was found by an analysis and has no number"))
            continue
        if cue.end_s is not None and kind != "loop":
            why = "only its start: there are no loops of one stem, and no fades"
            losses.append(Loss(record.name, cue_name(cue), why))
        places, base = (loops, LOOPS_FROM) if kind == "loop" else (cues, 1)
        place = _place(places, cue.slot, base)
        if place is None:
            losses.append(Loss(record.name, cue_name(cue), f"all {PADS} places are taken"))
        else:
            places[place] = cue
    return Pads(cues, loops, tuple(losses))


def _order(cue: Cue) -> tuple[bool, int, float]:
    return cue.slot is None, cue.slot or 0, cue.position_s


def _place(places: dict[int, Cue], slot: int | None, base: int) -> int | None:
    own = None if slot is None else slot - base
    if own is not None and 0 <= own < PADS and own not in places:
        return own
    return next(_free(places), None)


def _free(places: Iterable[int]) -> Iterator[int]:
    return (place for place in range(PADS) if place not in set(places))
