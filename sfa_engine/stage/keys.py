"""The key of each deck as it is heard, and the button that fits it to the other deck.

::

    heard = key of the track + pitch + (0 with keylock, else the semitones of the rate)

``deckN.audible_key`` follows the key, the rate, the pitch and keylock; ``deckN.key_match`` sets the
pitch. Knows no file and no host: the texts of the tracks are the conductor's.
"""

from __future__ import annotations

import math
from functools import partial

from sfa_engine.desk import DECK_NUMBERS, DESK, Value
from sfa_engine.errors import MediaError, Refused
from sfa_engine.stage.conductor import Conductor
from sfa_engine.track.key import match, parse_key, shifted

IN_TUNE_CENTS = 5  # out of tune by less is not heard
LOCKED_RATES = (0.5, 2.0)  # keylock holds between these: see `host.kernel.stretch`
_PITCH = DESK.deck[1].pitch.scale


def audible_key(key: str, semitones: float) -> str:
    """Return a key shifted, and the cents that it is out of tune: ``Bb minor +32 ct``."""
    if not key:
        return ""
    nearest = round(semitones)
    name, cents = shifted(key, nearest), round(100.0 * (semitones - nearest))
    return f"{name} {cents:+d} ct" if abs(cents) >= IN_TUNE_CENTS else name


class Keys:
    """Keeps the audible keys up to date, and fits one to another.

    Parameters
    ----------
    conductor : Conductor
    """

    def __init__(self, conductor: Conductor) -> None:
        self._conductor = conductor
        self._deck_of: dict[str, int] = {}
        for number, deck in DESK.deck.items():
            for control in (deck.key, deck.rate, deck.pitch, deck.keylock):
                self._deck_of[control.path] = number
            conductor.on_press(deck.key_match.path, partial(self.match, number))
            self._show(number)
        conductor.listen(self._on_change)

    def _on_change(self, path: str, _value: Value, _source: int) -> None:
        number = self._deck_of.get(path)
        if number is not None:
            self._show(number)

    def _show(self, number: int) -> None:
        heard = audible_key(self.key(number), self.heard_above(number))
        self._conductor.stage.put(DESK.deck[number].audible_key.path, heard)

    def key(self, number: int) -> str:
        """Return the key of the track on a deck, from 1; empty if it is not known."""
        try:
            return parse_key(str(self._conductor.get(DESK.deck[number].key.path)))
        except MediaError:
            return ""

    def heard_above(self, number: int) -> float:
        """Return by how many semitones a deck is heard above the key of its track."""
        pitch = float(self._conductor.get(DESK.deck[number].pitch.path))
        return self._by_rate(number) + pitch

    def _by_rate(self, number: int) -> float:
        """Return by how many semitones a deck's rate raises what is heard."""
        deck = DESK.deck[number]
        rate = float(self._conductor.get(deck.rate.path))
        low, high = LOCKED_RATES
        is_locked = self._conductor.get(deck.keylock.path) and low <= rate <= high
        return 0.0 if is_locked else 12.0 * math.log2(rate)

    def other(self, number: int) -> int | None:
        """Return the deck whose key another should fit: the one it follows, else the leader.

        Without these it is the first one that plays, else the first one whose key is known.
        """
        engine = self._conductor.memory.engine
        others = [n for n in DECK_NUMBERS if n != number and self.key(n)]
        playing = [n for n in others if engine["transport"][n - 1]["playing"]]
        followed = int(engine["transport"][number - 1]["following"])
        wanted = [followed, int(engine["lead"]), *playing, *others]
        return next((n for n in wanted if n in others), None)

    def match(self, number: int, _pressed: float = 1.0) -> None:
        """Set the pitch of a deck so that its key fits that of the other deck.

        Raises
        ------
        Refused
            No key is known of the deck, or of any other.
        """
        path = DESK.deck[number].key_match.path
        key, other = self.key(number), self.other(number)
        if not key:
            raise Refused(f"{path}: deck {number} has no track whose key is known", "analyse it")
        if other is None:
            raise Refused(
                f"{path}: no other deck has a track whose key is known", "load an analysed one"
            )
        by_rate = self._by_rate(number)
        shift = match(key, self.key(other), self.heard_above(other), by_rate) - by_rate
        pitch = min(_PITCH.high, max(_PITCH.low, round(shift, 9)))
        self._conductor.set_nowait(DESK.deck[number].pitch.path, pitch)
