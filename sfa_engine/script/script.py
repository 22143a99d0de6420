"""A mix as text: actions and their times. Played live over the socket, or rendered offline.

::

    # seconds  verb   what                      value       how long a ramp takes
    0          load   1 quicksilver.sfa              or words that the library knows
    0          kit    drums                          or its folder; `pad 1 kick.wav` for one
    0.5        set    deck1.play                on
    8          ramp   crossfader                -100 100    over 4
    16         press  deck1.hotcue1.press
    20         set    deck2.play                on          at bar deck1
    60         end

Parses without I/O; knows the desk, so that an invalid name is found before the start.
"""

from __future__ import annotations

import math
import shlex
from dataclasses import dataclass
from pathlib import Path

from sfa_engine.desk import CONTROLS, DECK_NUMBERS, DECKS, Button, Value, find
from sfa_engine.desk.control import Meter
from sfa_engine.desk.desk import PADS
from sfa_engine.engine.intents import Moment
from sfa_engine.errors import Refused, SfaError, did_you_mean
from sfa_engine.stage.derived import DERIVED

VERBS = ("load", "eject", "kit", "pad", "set", "press", "ramp", "mark", "end")
RAMP_STEP_S = 0.01  # finer than a hand turns a knob; the engine glides in between
MAX_LENGTH_S = 86_400.0


@dataclass(frozen=True)
class Event:
    """One action.

    Attributes
    ----------
    time_s : float
        From the script's start.
    verb : str
        ``load``, ``eject``, ``kit``, ``pad``, ``set``, ``press`` or ``mark``.
    path : str
        Control, or for ``load`` the bundle, for ``kit`` its folder, for ``pad`` the sound file, or
        for ``mark`` its words.
    value : float or str
        In the control's unit; for a button its number; a text.
    deck : int
        For ``load`` and ``eject``, and the pad for ``pad``, from 1.
    when : str or None
        A moment of a clock, as in ``bar deck1``; None is at `time_s` itself.
    words : str
        For ``load`` and ``kit``, as in the script: a path, or words that the library knows, or
        the name of a kit.
    """

    time_s: float
    verb: str
    path: str = ""
    value: Value = 0.0
    deck: int = 0
    when: str | None = None
    words: str = ""

    @property
    def is_at_once(self) -> bool:
        """Whether it is a control of the stage, which takes no moment but now."""
        return (
            self.verb in {"set", "press"}
            and CONTROLS[self.path].owner == "stage"
            and self.path not in DERIVED
        )


@dataclass(frozen=True)
class Script:
    """Events in order of time, and the end."""

    events: tuple[Event, ...]
    end_s: float


def parse_script(text: str, folder: Path = Path()) -> Script:
    """Parse a script.

    Parameters
    ----------
    text : str
    folder : pathlib.Path
        Folder that bundles' names are relative to.

    Raises
    ------
    Refused
        A line is invalid; the error has its number and the reason.
    """
    events: list[Event] = []
    end_s: float | None = None
    for number, line in enumerate(text.splitlines(), 1):
        try:
            words = shlex.split(line, comments=True)
            if not words:
                continue
            if end_s is not None:
                raise Refused("a line follows the end", "move `end` to the last line")
            time_s = _time(words[0])
            made = _parse_line(time_s, words[1:], folder)
            if made is None:
                end_s = time_s
            events += made or []
        except (SfaError, ValueError) as error:
            message = error.message if isinstance(error, SfaError) else str(error)
            hint = error.hint if isinstance(error, SfaError) else "close the quotes"
            raise Refused(f"line {number}: {message}", hint) from None
    if end_s is None:
        raise Refused("the script has no end", "write `60 end` as its last line")
    late = [event for event in events if event.time_s > end_s]
    if late:
        raise Refused(f"{late[0].verb} {late[0].path} at {late[0].time_s:g} s is after the end")
    return Script(tuple(sorted(events, key=lambda event: event.time_s)), end_s)


def _time(word: str) -> float:
    try:
        value = float(word)
    except ValueError:
        raise Refused(f'"{word}" is not a time', "begin a line with seconds") from None
    if not (math.isfinite(value) and 0 <= value <= MAX_LENGTH_S):
        raise Refused(f"{word} s is not a valid time", f"give seconds from 0 to {MAX_LENGTH_S:g}")
    return value


def _parse_line(time_s: float, words: list[str], folder: Path) -> list[Event] | None:
    """Return a line's events, or None for the end."""
    if not words or words[0] not in VERBS:
        word = words[0] if words else ""
        raise Refused(f'no verb "{word}"', did_you_mean(word, VERBS) or f"say {', '.join(VERBS)}")
    verb, *rest = words
    if verb == "end":
        return None
    if verb == "mark":
        return [Event(time_s, verb, " ".join(rest))]
    if verb in {"load", "eject"}:
        return [_deck_event(time_s, verb, rest, folder)]
    if verb in {"kit", "pad"}:
        return [_sampler_event(time_s, verb, rest, folder)]
    when = None
    if "at" in rest:
        at = rest.index("at")
        when = " ".join(rest[at + 1 :])
        Moment.parse(when)
        rest = rest[:at]
    if not rest:
        raise Refused(f"{verb} names no control", "see `sfa describe`")
    control = find(rest[0])
    if isinstance(control, Meter) and not control.settable:
        raise Refused(f"{control.path} is a reading and cannot be set")
    if isinstance(control, Button) != (verb == "press"):
        right = "press" if isinstance(control, Button) else "set"
        raise Refused(f"{control.path} cannot be {verb}", f"use {right}")
    if verb == "ramp":
        return _ramp(time_s, control.path, rest[1:])
    if verb == "press":
        value = control.check(rest[1]) if len(rest) > 1 else control.scale.rest
    elif len(rest) == 1:
        raise Refused(f"{control.path} needs a value", "add one")
    else:
        value = control.check(" ".join(rest[1:]))
    return [Event(time_s, verb, control.path, value, when=when)]


def _deck_event(time_s: float, verb: str, words: list[str], folder: Path) -> Event:
    """Return the load of a track, or its ejection."""
    if not words or words[0] not in {str(number) for number in DECK_NUMBERS}:
        raise Refused(f"{verb} names no deck", f"give one from 1 to {DECKS}")
    if verb == "load" and len(words) != 2:
        raise Refused("load needs a deck and a track", "quote a name with spaces")
    if verb == "eject":
        return Event(time_s, verb, deck=int(words[0]))
    return Event(time_s, verb, str(folder / words[1]), deck=int(words[0]), words=words[1])


def _sampler_event(time_s: float, verb: str, words: list[str], folder: Path) -> Event:
    """Return the load of a kit, or of a pad."""
    if verb == "kit":
        if len(words) != 1:
            raise Refused("kit needs the name of a kit", "quote a name with spaces")
        return Event(time_s, verb, str(folder / words[0]), words=words[0])
    if len(words) != 2 or not words[0].isdecimal() or not 1 <= int(words[0]) <= PADS:
        raise Refused("pad needs a pad and a sound file", f"write `pad 1 kick.wav`, up to {PADS}")
    return Event(time_s, verb, str(folder / words[1]), deck=int(words[0]))


def _ramp(time_s: float, path: str, words: list[str]) -> list[Event]:
    """Return the steps of a ramp, one each `RAMP_STEP_S`."""
    if len(words) != 4 or words[2] != "over":
        raise Refused(
            f"the ramp of {path} is incomplete", f"write `ramp {path} FROM TO over SECONDS`"
        )
    control = find(path)
    first, last = control.check(words[0]), control.check(words[1])
    length_s = _time(words[3])
    steps = max(1, round(length_s / RAMP_STEP_S))
    return [
        Event(time_s + length_s * k / steps, "set", path, first + (last - first) * k / steps)
        for k in range(steps + 1)
    ]
