"""A performance at random: what two hands do to two decks, from a fixed seed. Pure.

Controls that are not built yet are left out, so that each is exercised from the day it is.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

HOT_CUES = 8  # of each deck, that are set before and pressed
LOOPS_BEATS = (1.0, 2.0, 4.0, 8.0)  # with a part of a beat no beat could be compared
BEND_S = 0.5
SYNC_OFF_S = 0.25
FIRST_S, LAST_S = 60.0, 0.8  # where a deck is sent to: from a second up to a share of its track
LEADER, FOLLOWER = 1, 2  # numbers of the decks


@dataclass(frozen=True)
class Action:
    """One thing that is done: ``value`` is set, or the button pressed with it."""

    path: str
    value: float
    after_s: float = 0.0  # the action before it


class RandomSet:
    """Draws gestures, one after the other.

    Parameters
    ----------
    seed : int
    length_s : float
        Of both tracks.
    """

    def __init__(self, seed: int, length_s: float) -> None:
        self._rng = np.random.default_rng(seed)
        self._length_s = length_s
        self._looping: set[int] = set()
        self.counts: dict[str, int] = {}
        self._gestures: dict[str, Callable[[int], list[Action]]] = {
            "jump": self._jump,
            "seek": self._seek,
            "hot cue": self._hot_cue,
            "loop": self._loop,
            "rate": self._rate,
            "bend": self._bend,
            "restart": self._restart,
            "sync": self._sync,
            "keylock": self._keylock,
            "pitch": self._pitch,
        }

    def begin(self) -> list[Action]:
        """Return what sets the two decks up: both play, and one follows the other's beats."""
        actions = [Action("deck1.leader", 1.0)]
        for deck in (LEADER, FOLLOWER):
            span_s = self._length_s * LAST_S - FIRST_S
            for cue in range(1, HOT_CUES + 1):
                place_s = FIRST_S + span_s * cue / (HOT_CUES + 1)
                actions.append(Action(f"deck{deck}.hotcue{cue}.position", place_s))
            actions.append(Action(f"deck{deck}.quantise", 1.0))
            actions.append(Action(f"deck{deck}.position", FIRST_S))
        actions += [Action("deck1.play", 1.0), Action("deck2.sync", 2.0), Action("deck2.play", 1.0)]
        return actions

    def draw(self, positions_s: dict[int, float]) -> list[Action]:
        """Return the next gesture, given where each deck is.

        A loop is left by the gesture after it; a deck that comes near an end of its track is sent
        away from there.
        """
        actions = [Action(f"deck{deck}.loop.active", 0.0) for deck in sorted(self._looping)]
        self._looping.clear()
        for deck, position_s in positions_s.items():
            if not FIRST_S / 2 < position_s < self._length_s * (LAST_S + 0.1):
                self._count("turned back")
                return actions + self._seek(deck)
        name = list(self._gestures)[int(self._rng.integers(len(self._gestures)))]
        self._count(name)
        return actions + self._gestures[name](int(self._rng.integers(LEADER, FOLLOWER + 1)))

    def _count(self, name: str) -> None:
        self.counts[name] = self.counts.get(name, 0) + 1

    def _jump(self, deck: int) -> list[Action]:
        beats = float(self._rng.choice((-32.0, -4.0, -1.0, 1.0, 4.0, 16.0, 32.0)))
        return [Action(f"deck{deck}.jump", beats)]

    def _seek(self, deck: int) -> list[Action]:
        """Go anywhere: with quantise off a deck that leads then has another phase."""
        place_s = float(self._rng.uniform(FIRST_S, self._length_s * LAST_S))
        return [
            Action(f"deck{deck}.quantise", 0.0),
            Action(f"deck{deck}.position", place_s),
            Action(f"deck{deck}.quantise", 1.0),
        ]

    def _hot_cue(self, deck: int) -> list[Action]:
        cue = int(self._rng.integers(1, HOT_CUES + 1))
        return [Action(f"deck{deck}.hotcue{cue}.press", 1.0)]

    def _loop(self, deck: int) -> list[Action]:
        self._looping.add(deck)
        beats = float(self._rng.choice(LOOPS_BEATS))
        return [Action(f"deck{deck}.loop.length", beats), Action(f"deck{deck}.loop.beatloop", 1.0)]

    def _rate(self, _: int) -> list[Action]:
        return [Action(f"deck{LEADER}.rate", float(self._rng.uniform(0.92, 1.08)))]

    def _bend(self, deck: int) -> list[Action]:
        path = f"deck{deck}.bend"
        return [Action(path, float(self._rng.uniform(-4.0, 4.0))), Action(path, 0.0, BEND_S)]

    def _restart(self, deck: int) -> list[Action]:
        path = f"deck{deck}.play"
        pause_s = float(self._rng.uniform(0.05, 0.9))
        return [Action(path, 0.0), Action(path, 1.0, pause_s)]

    def _sync(self, _: int) -> list[Action]:
        path = f"deck{FOLLOWER}.sync"
        return [
            Action(path, 0.0),
            Action(f"deck{FOLLOWER}.rate", float(self._rng.uniform(0.92, 1.08))),
            Action(path, 2.0, SYNC_OFF_S),
        ]

    def _keylock(self, deck: int) -> list[Action]:
        return [Action(f"deck{deck}.keylock", float(self._rng.integers(0, 2)))]

    def _pitch(self, deck: int) -> list[Action]:
        return [Action(f"deck{deck}.pitch", float(self._rng.integers(-3, 4)))]


def timed(actions: list[Action]) -> Iterator[tuple[float, Action]]:
    """Yield each action with its time after the first, in seconds."""
    at_s = 0.0
    for action in actions:
        at_s += action.after_s
        yield at_s, action
