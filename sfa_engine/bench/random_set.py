"""A performance at random: what two hands do to two decks, from a fixed seed. Pure.

Controls that are not built yet are left out, so that each is exercised from the day it is.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from sfa_engine.desk import CONTROLS
from sfa_engine.desk.control import Button, Choice, Switch
from sfa_engine.desk.scale import NOT_SET
from sfa_engine.engine.intents import family

HOT_CUES = 8  # of each deck, that are set before and pressed
LOOPS_BEATS = (1.0, 2.0, 4.0, 8.0)  # with a part of a beat no beat could be compared
ROLLS_BEATS = (1 / 32, 1 / 8, 1 / 4, 1 / 2, 1.0, 4.0)  # these end before beats are compared
HOLD_S = (0.1, 0.9)  # how long a button is held, a pause lasts, or a platter turns by itself
STEM = "vocals"  # loops alone, and goes to the other deck and back
BEND_S = 0.5
SYNC_OFF_S = 0.25
FIRST_S, LAST_S = 60.0, 0.8  # where a deck is sent to: from a second up to a share of its track
LEADER, FOLLOWER = 1, 2  # numbers of the decks
PADS = 8  # that are played: the first ones
# Clocks of other programs, which do not come.
NOT_DRAWN = frozenset({"clock.source", "clock.midi_in", "clock.midi_out"})
SHARE = 0.5  # of the gestures that move any control, in a set of every control


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
    every : bool
        Move every control of the engine too, and play the first `PADS` pads, which have sounds.
    """

    def __init__(self, seed: int, length_s: float, *, every: bool = False) -> None:
        self._rng = np.random.default_rng(seed)
        self._length_s = length_s
        self._families = list(families().values()) if every else []
        self._moved: dict[str, float] = {}  # what each control is set back to
        self._looping: set[str] = set()  # loops that the next gesture leaves
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
            "bar": self._bar,
            "roll": self._roll,
            "censor": self._censor,
            "slip loop": self._slip_loop,
            "slip reverse": self._slip_reverse,
            "brake": self._brake,
            "spin-back": self._spin_back,
            "scratch": self._scratch,
            "stem loop": self._stem_loop,
            "stem roll": self._stem_roll,
            "stem exchange": self._stem_exchange,
            "stem held": self._stem_held,
            "stem undo": self._stem_undo,
            "stem key": self._stem_key,
        }
        if every:
            self._gestures |= {
                "pad hits": self._pad_hits,
                "pad": self._pad,
                "sampler": self._sampler,
                "clock": self._clock,
                "tidy": self._tidy,
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
        actions = [Action(path, 0.0) for path in sorted(self._looping)]
        self._looping.clear()
        nearly_out = [
            deck
            for deck, position_s in positions_s.items()
            if not FIRST_S / 2 < position_s < self._length_s * (LAST_S + 0.1)
        ]
        if nearly_out:
            self._count("turned back")
            return actions + [action for deck in nearly_out for action in self._seek(deck)]
        if self._families and self._rng.random() < SHARE:
            return actions + self._any()
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
        self._looping.add(f"deck{deck}.loop.active")
        beats = float(self._rng.choice(LOOPS_BEATS))
        return [Action(f"deck{deck}.loop.length", beats), Action(f"deck{deck}.loop.beatloop", 1.0)]

    def _rate(self, _: int) -> list[Action]:
        return [Action(f"deck{LEADER}.rate", float(self._rng.uniform(0.92, 1.08)))]

    def _bend(self, deck: int) -> list[Action]:
        path = f"deck{deck}.bend"
        return [Action(path, float(self._rng.uniform(-4.0, 4.0))), Action(path, 0.0, BEND_S)]

    def _restart(self, deck: int) -> list[Action]:
        path = f"deck{deck}.play"
        return [Action(path, 0.0), Action(path, 1.0, self._pause_s())]

    def _pause_s(self) -> float:
        return float(self._rng.uniform(*HOLD_S))

    def _held(self, path: str, value: float = 1.0) -> list[Action]:
        """Return the press of a button, and its release."""
        return [Action(path, value), Action(path, 0.0, self._pause_s())]

    def _slipping(self, deck: int, actions: list[Action]) -> list[Action]:
        """Return what is done on top of a track, which goes on underneath."""
        path = f"deck{deck}.slip"
        return [Action(path, 1.0), *actions, Action(path, 0.0)]

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

    def _bar(self, deck: int) -> list[Action]:
        """Choose what is aligned from now on, and jump to the bar that is followed."""
        return [
            Action(f"deck{deck}.sync_align", float(self._rng.integers(0, 2))),
            Action(f"deck{FOLLOWER}.sync_bar", 1.0),
        ]

    def _roll(self, deck: int) -> list[Action]:
        beats = float(self._rng.choice(ROLLS_BEATS))
        return [Action(f"deck{deck}.loop.length", beats), *self._held(f"deck{deck}.loop.roll")]

    def _censor(self, deck: int) -> list[Action]:
        return self._held(f"deck{deck}.censor")

    def _slip_loop(self, deck: int) -> list[Action]:
        beats = float(self._rng.choice(ROLLS_BEATS))
        press = f"deck{deck}.loop.beatloop"
        loops = [Action(press, 1.0), Action(press, 1.0, self._pause_s())]
        return [Action(f"deck{deck}.loop.length", beats), *self._slipping(deck, loops)]

    def _slip_reverse(self, deck: int) -> list[Action]:
        return self._slipping(deck, self._held(f"deck{deck}.reverse"))

    def _brake(self, deck: int) -> list[Action]:
        """Brake, and start again before or after the platter stands."""
        time_s = float(self._rng.uniform(*HOLD_S))
        return [
            Action(f"deck{deck}.brake_time", time_s),
            Action(f"deck{deck}.brake", 1.0),
            Action(f"deck{deck}.play", 1.0, self._pause_s()),
        ]

    def _spin_back(self, deck: int) -> list[Action]:
        return [
            Action(f"deck{deck}.spinback_time", float(self._rng.uniform(0.2, HOLD_S[1]))),
            Action(f"deck{deck}.spinback", 1.0),
            Action(f"deck{deck}.play", 1.0, self._pause_s()),
        ]

    def _scratch(self, deck: int) -> list[Action]:
        """Scratch, with slip or without."""
        speed = float(self._rng.uniform(-300.0, 300.0))
        touch, scratch = f"deck{deck}.touch", f"deck{deck}.scratch"
        hand = [
            Action(touch, 1.0),
            Action(scratch, speed),
            Action(scratch, 0.0, self._pause_s()),
            Action(touch, 0.0),
        ]
        return self._slipping(deck, hand) if self._rng.integers(0, 2) else hand

    def _stem_loop(self, deck: int) -> list[Action]:
        path = f"deck{deck}.stem.{STEM}.loop"
        self._looping.add(path)
        beats = float(self._rng.choice(LOOPS_BEATS))
        return [Action(f"{path}_length", beats), Action(path, 1.0)]

    def _stem_roll(self, deck: int) -> list[Action]:
        name = f"deck{deck}.stem.{STEM}"
        beats = float(self._rng.choice(ROLLS_BEATS))
        return [Action(f"{name}.loop_length", beats), *self._held(f"{name}.roll")]

    def _stem_exchange(self, deck: int) -> list[Action]:
        """Swap the stem, move it to the other deck, or take it from there or from nowhere."""
        name = f"deck{deck}.stem.{STEM}"
        what = str(self._rng.choice(("swap", "hand_over", "source")))
        value = float(self._rng.integers(0, FOLLOWER + 1)) if what == "source" else 1.0
        return [Action(f"{name}.{what}", value)]

    def _stem_held(self, deck: int) -> list[Action]:
        what = str(self._rng.choice(("swap_hold", "lend")))
        return self._held(f"deck{deck}.stem.{STEM}.{what}")

    def _stem_undo(self, _: int) -> list[Action]:
        return [Action("stems_undo", 1.0)]

    def _stem_key(self, deck: int) -> list[Action]:
        return [Action(f"deck{deck}.stem_key", float(self._rng.integers(0, 2)))]

    def _any(self) -> list[Action]:
        """Move a control, whichever it is."""
        paths = self._families[int(self._rng.integers(len(self._families)))]
        path = paths[int(self._rng.integers(len(paths)))]
        self._count(family(path))
        control, scale = CONTROLS[path], CONTROLS[path].scale
        if scale.high > self._length_s:
            value = float(self._rng.uniform(FIRST_S, self._length_s * LAST_S))
        elif isinstance(control, Choice):
            value = float(self._rng.integers(len(control.options)))
        elif isinstance(control, Switch):
            value = float(self._rng.integers(0, 2))
        elif isinstance(control, Button) and not control.range_text():
            value = 1.0
        else:
            value = scale.value(float(self._rng.random()))
        if control.held:
            return self._held(path, value)
        if control.settable and scale.rest != NOT_SET:
            self._moved[path] = scale.rest
        return [Action(path, value)]

    def _clock(self, _: int) -> list[Action]:
        return [Action("clock.source", float(self._rng.integers(0, FOLLOWER + 2)))]

    def _tidy(self, _: int) -> list[Action]:
        """Set back what was moved, and let both decks play."""
        actions = [Action(path, rest) for path, rest in self._moved.items()]
        self._moved.clear()
        return actions + [Action(f"deck{deck}.play", 1.0) for deck in (LEADER, FOLLOWER)]

    def _any_pad(self) -> str:
        return f"pad{self._rng.integers(1, PADS + 1)}"

    def _pad_hits(self, _: int) -> list[Action]:
        """Hit some pads, each as hard as it comes, and let them go."""
        hits = [(self._any_pad(), float(self._rng.integers(1, 128))) for _ in range(4)]
        pressed = [Action(f"{pad}.hit", force) for pad, force in hits]
        released = [Action(f"{pad}.hit", 0.0, self._pause_s() / 4) for pad, _ in hits]
        return [*pressed, *released]

    def _pad(self, _: int) -> list[Action]:
        """Change how a pad plays."""
        path = f"{self._any_pad()}."
        draw = self._rng.uniform
        choices = [
            Action(f"{path}mode", float(self._rng.integers(0, 3))),
            Action(f"{path}pitch", float(self._rng.integers(-12, 13))),
            Action(f"{path}reverse", float(self._rng.integers(0, 2))),
            Action(f"{path}choke", float(self._rng.integers(0, 3))),
            Action(f"{path}quantise", float(self._rng.integers(0, 3))),
            Action(f"{path}volume", float(draw(-20.0, 0.0))),
            Action(f"{path}end", float(draw(10.0, 100.0))),
            Action(f"{path}attack", float(draw(0.0, 100.0))),
            Action(f"{path}release", float(draw(0.0, 500.0))),
        ]
        return [choices[int(self._rng.integers(len(choices)))]]

    def _sampler(self, deck: int) -> list[Action]:
        """Choose whose beats the pads wait for, or silence them."""
        clock = Action("sampler.clock", float(self._rng.integers(0, deck + 1)))
        return [clock if self._rng.integers(0, 2) else Action("sampler.stop", 1.0)]


def families() -> dict[str, list[str]]:
    """Return the engine's controls that can be moved, in families that differ in numbers alone."""
    found: dict[str, list[str]] = {}
    for path, control in CONTROLS.items():
        is_moved = control.settable or isinstance(control, Button)
        if is_moved and control.owner == "engine" and not control.planned:
            found.setdefault(family(path), []).append(path)
    return {name: paths for name, paths in found.items() if name not in NOT_DRAWN}


def timed(actions: list[Action]) -> Iterator[tuple[float, Action]]:
    """Yield each action with its time after the first, in seconds."""
    at_s = 0.0
    for action in actions:
        at_s += action.after_s
        yield at_s, action


def request_of(action: Action) -> tuple[str, Any]:
    """Return the method and the value that do an action by the control socket."""
    control = CONTROLS[action.path]
    value: Any = action.value
    if isinstance(control, Choice):
        value = control.options[int(value)]
    elif isinstance(control, Switch):
        value = bool(value)
    return "set" if control.settable else "press", value
