"""From a control to the command that does it, and back. Pure.

Everything about a control that does not depend on the value is worked out at import: a surface
that sets a fader looks up one row.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from typing import Any

from sfa_engine.desk import CONTROLS, DECK_NAMES, Button, Control, deck
from sfa_engine.desk.deck import STEMS
from sfa_engine.engine.command import NO_DECK, Op, When
from sfa_engine.engine.layout import VALUE_INDEX, VALUE_PATHS
from sfa_engine.engine.ring import Command, Report
from sfa_engine.errors import Refused, did_you_mean

CLOCKS = ("clock", *DECK_NAMES)
_NUMBER = re.compile(r"\d+")
_DECK = re.compile(r"deck(\d+)\.")

MOVING = frozenset(f"deck.{name}" for name in deck.MOVING)  # families of values

_BEATS = ("beat", "bar", "phrase")


def family(path: str) -> str:
    """Return a path without its numbers: ``deck2.hotcue3.press`` is ``deck.hotcue.press``."""
    return _NUMBER.sub("", path)


@dataclass(frozen=True)
class Moment:
    """When something is to be done: now, at an engine frame, or on a beat of a clock."""

    when: When = When.NOW
    clock: int = 0
    frame: int = 0

    @classmethod
    def parse(cls, value: Any) -> Moment:
        """Return the moment that a message means; `text` is the inverse.

        ``None`` and ``"now"`` are now; a whole number is an engine frame; ``"beat"``, ``"bar"``
        and ``"phrase"`` are the session's next, ``"bar deck1"`` a deck's.
        """
        if value is None or value == "now":
            return NOW
        if isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 1 << 62:
            return cls(When.FRAME, frame=value)
        words = value.split() if isinstance(value, str) else []
        if 1 <= len(words) <= 2 and words[0] in _BEATS:
            clock = words[1] if len(words) == 2 else "clock"
            if clock in CLOCKS:
                return cls(When[words[0].upper()], clock=CLOCKS.index(clock))
        hint = did_you_mean(str(value), ["now", *_BEATS, *(f"bar {c}" for c in CLOCKS)])
        raise Refused(
            f'"{value!s:.60}" is not a moment',
            hint or "say now, an engine frame, or beat, bar or phrase and perhaps a deck",
        )

    def text(self) -> str | int:
        """Return the moment as a message has it."""
        if self.when is When.FRAME:
            return self.frame
        if self.when is When.NOW:
            return "now"
        return f"{self.when.name.lower()} {CLOCKS[self.clock]}".removesuffix(" clock")


NOW = Moment()


def deck_of(path: str) -> int:
    """Return the deck that a control belongs to, from 0; `NO_DECK` if to none."""
    found = _DECK.match(path)
    return int(found[1]) - 1 if found else NO_DECK


@dataclass(frozen=True, slots=True)
class Operation:
    """What setting or pressing a control asks of the kernel, made ready.

    Attributes
    ----------
    op, deck, target : int
        As in `Command`.
    index : int
        Of its value in the engine's memory; -1 for a button.
    low, high : float
        Between which any float may be sent as it is; the wrong way round where none may.
    may_refuse : bool
        Whether the answer to one that is due now is worth waiting for.
    springs_back : bool
        Whether who does it also lets it go.
    """

    control: Control
    op: int
    deck: int
    target: int
    index: int
    low: float
    high: float
    may_refuse: bool
    springs_back: bool


def _operation(control: Control) -> Operation:
    """Return the operation of a control that may be set or pressed."""
    path, scale = control.path, control.scale
    deck = deck_of(path)
    index = VALUE_INDEX.get(path, -1)
    op, target = Op.SET, index
    if control.verb:
        op = Op[control.verb.upper()]
        target = next((int(n) - 1 for n in _NUMBER.findall(_DECK.sub("", path))), 0)
        target = next((n for n, stem in enumerate(STEMS) if f".stem.{stem}." in path), target)
    assert op is not Op.SET or index >= 0, path
    is_plain = not scale.whole and not scale.optional
    low, high = (scale.low, scale.high) if is_plain else (math.inf, -math.inf)
    may_refuse = bool(control.verb) and control.refusable
    springs_back = control.springs_back
    return Operation(control, int(op), deck, target, index, low, high, may_refuse, springs_back)


OPERATIONS = {
    path: _operation(control)
    for path, control in CONTROLS.items()
    if path in VALUE_INDEX or (isinstance(control, Button) and control.verb)
}
_PATHS: dict[tuple[int, int, int], str] = {}
for _path, _made in OPERATIONS.items():
    _PATHS.setdefault((_made.op, _made.deck, _made.target), _path)


def path_of(command: Command | Report) -> str:
    """Return the control that a command is about; empty if about none (a load, a cancel)."""
    if command.op == Op.SET:
        return VALUE_PATHS[command.target] if 0 <= command.target < len(VALUE_PATHS) else ""
    return _PATHS.get((command.op, command.deck, command.target), "")


def command_for(control: Control, value: float, moment: Moment, source: int) -> Command:
    """Return the command that sets or presses a control."""
    made = OPERATIONS[control.path]
    return Command(
        made.op,
        deck=made.deck,
        target=made.target,
        x=value,
        when=moment.when,
        clock=moment.clock,
        frame=moment.frame,
        source=source,
    )
