"""Maintain ``session.locked``, and enforce ``session.lock`` in the stage."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from sfa_engine.desk import DECK_NUMBERS, DESK, Value, session_lock
from sfa_engine.engine.audible import audible_decks, audible_sides, is_playing, is_up
from sfa_engine.stage.conductor import Conductor

_LOCK, _LOCKED = DESK.session.lock, DESK.session.locked
# Controls that decide whether a deck is audible, and the decisive part of their values: a moving
# fader changes 250 times a second.
_DECIDES: dict[str, Callable[[Any], Any]] = {
    path: decisive
    for paths, decisive in (
        ((_LOCK.path, "crossfader_reverse"), lambda value: value),
        (("crossfader",), audible_sides),
        (("master.volume",), is_up),
        ((f"deck{deck}.fader" for deck in DECK_NUMBERS), is_up),
        (
            (f"deck{deck}.{name}" for deck in DECK_NUMBERS for name in ("play", "assign")),
            lambda value: value,
        ),
    )
    for path in paths
}


class SessionLock:
    """The session's lock.

    Parameters
    ----------
    conductor : Conductor
    """

    def __init__(self, conductor: Conductor) -> None:
        self._conductor = conductor
        self._known: dict[str, Any] = {}
        conductor.listen(self._on_change)
        self.update()

    def update(self) -> None:
        """Set ``session.locked``."""
        self._conductor.stage.put(_LOCKED.path, float(self.is_locked))

    @property
    def is_locked(self) -> bool:
        """Whether actions that affect the whole set are refused."""
        return session_lock.is_locked(self._lock, audible=bool(self._audible))

    def check_deck(self, deck: int, doing: str, *, force: bool) -> None:
        """Refuse to change the track of a playing deck, from 1, as the lock requires."""
        session_lock.check_deck(
            deck,
            doing,
            self._lock,
            playing=is_playing(self._conductor.memory, deck, self._conductor.get),
            audible=deck in self._audible,
            force=force,
        )

    @property
    def _lock(self) -> str:
        return _LOCK.text(self._conductor.get(_LOCK.path))

    @property
    def _audible(self) -> list[int]:
        return audible_decks(self._conductor.memory, self._conductor.get)

    def _on_change(self, path: str, value: Value, _source: int) -> None:
        decisive = _DECIDES.get(path)
        if decisive is not None:
            is_so = decisive(value)
            if self._known.get(path) != is_so:
                self._known[path] = is_so
                self.update()
