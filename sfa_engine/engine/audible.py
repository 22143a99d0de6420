"""Which decks are audible, by a rule that a DJ can check at a glance.

A deck is *audible* while it plays, its channel fader and the master are up, and the crossfader is
not on the other side. The sound of the track does not count: a silent break is part of the set.
"""

from __future__ import annotations

from collections.abc import Callable

from sfa_engine.desk import DECK_NUMBERS, DESK
from sfa_engine.desk.scale import OFF
from sfa_engine.engine.memory import Memory

CUT_AWAY = 0.98  # of the crossfader's travel to the other side: from here on a deck is silent

Get = Callable[[str], float]


def is_up(volume: float) -> bool:
    """Return whether a fader is above silence."""
    return volume > OFF


def audible_sides(crossfader: float) -> tuple[bool, bool]:
    """Return whether the left and the right side are audible, without reverse."""
    return _way_left(crossfader) < CUT_AWAY, _way_left(-crossfader) < CUT_AWAY


def is_playing(memory: Memory, deck: int, get: Get) -> bool:
    """Return whether a deck, from 1, plays, or its start is pending."""
    return bool(memory.engine["transport"][deck - 1]["playing"] or get(f"deck{deck}.play"))


def is_audible(memory: Memory, deck: int, get: Get) -> bool:
    """Return whether a deck, from 1, is audible; `get` returns a control's value."""
    return is_playing(memory, deck, get) and is_open(deck, get)


def is_open(deck: int, get: Get) -> bool:
    """Return whether a deck, from 1, would be audible if it played."""
    return (
        is_up(get(f"deck{deck}.fader"))
        and is_up(get("master.volume"))
        and _way_off(deck, get) < CUT_AWAY
    )


def audible_decks(memory: Memory, get: Get) -> list[int]:
    """Return the audible decks, from 1."""
    return [deck for deck in DECK_NUMBERS if is_audible(memory, deck, get)]


def _way_off(deck: int, get: Get) -> float:
    """Return how far the crossfader is from a deck's side: 0 to 1."""
    side = DESK.deck[deck].assign.options[int(get(f"deck{deck}.assign"))]
    if side == "through":
        return 0.0
    left = side == "left" or (side == "auto" and deck % 2 == 1)
    position = get("crossfader") * (-1.0 if get("crossfader_reverse") else 1.0)
    return _way_left(position if left else -position)


def _way_left(position: float) -> float:
    """Return how far the crossfader is from the left side: 0 to 1."""
    return (1.0 + position / 100.0) / 2.0
