"""From a control to the command that does it. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from sfa_engine.audio.command import Op, When
from sfa_engine.audio.layout import VALUE_INDEX
from sfa_engine.audio.ring import Command
from sfa_engine.desk import Button, Control
from sfa_engine.errors import Refused, did_you_mean

# What the kernel does by a verb of its own. Everything else that holds a value is just set.
VERBS: dict[str, Op] = {
    "deck.play": Op.PLAY,
    "deck.position": Op.SEEK,
    "deck.jump": Op.JUMP,
    "deck.cue": Op.CUE,
    "deck.hotcue.press": Op.HOTCUE_PRESS,
    "deck.hotcue.store": Op.HOTCUE_STORE,
    "deck.hotcue.clear": Op.HOTCUE_CLEAR,
    "deck.loop.active": Op.LOOP_ACTIVE,
    "deck.loop.enter": Op.LOOP_ENTER,
    "deck.loop.leave": Op.LOOP_LEAVE,
    "deck.loop.auto": Op.LOOP_AUTO,
    "deck.loop.again": Op.LOOP_AGAIN,
    "deck.loop.halve": Op.LOOP_HALVE,
    "deck.loop.double": Op.LOOP_DOUBLE,
    "deck.loop.move": Op.LOOP_MOVE,
    "deck.sync": Op.SYNC,
    "deck.leader": Op.LEADER,
    "clock.align": Op.CLOCK_ALIGN,
    "clock.tempo": Op.CLOCK_TEMPO,
}
# Buttons that are held: only these do something when they are let go.
HELD = frozenset({"deck.cue"})
CLOCKS = ("clock", "deck1", "deck2")
_NUMBER = re.compile(r"\d+")


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
        """Return the moment that a message means.

        ``None`` and ``"now"`` are now; a whole number is an engine frame; ``"beat"``, ``"bar"``
        and ``"phrase"`` are the session's next, ``"bar deck1"`` a deck's.
        """
        if value is None or value == "now":
            return cls()
        if isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 1 << 62:
            return cls(When.FRAME, frame=value)
        words = value.split() if isinstance(value, str) else []
        names = ("beat", "bar", "phrase")
        if 1 <= len(words) <= 2 and words[0] in names:
            clock = words[1] if len(words) == 2 else "clock"
            if clock in CLOCKS:
                return cls(When[words[0].upper()], clock=CLOCKS.index(clock))
        hint = did_you_mean(str(value), ["now", *names, *(f"bar {c}" for c in CLOCKS)])
        raise Refused(
            f'"{value!s:.60}" is not a moment',
            hint or "say now, an engine frame, or beat, bar or phrase and perhaps a deck",
        )


def numbers(path: str) -> list[int]:
    """Return the numbers of a path, from 0."""
    return [int(n) - 1 for n in _NUMBER.findall(path)]


def command_for(control: Control, value: float, moment: Moment, source: int) -> Command:
    """Return the command that sets or presses a control."""
    places = numbers(control.path)
    op = VERBS.get(family(control.path), Op.SET)
    if op is Op.SET:
        assert not isinstance(control, Button), control.path
        whom, what = 0, VALUE_INDEX[control.path]
    else:
        whom = places[0] if places else 0
        what = places[1] if len(places) > 1 else 0
    return Command(
        op,
        whom=whom,
        what=what,
        x=value,
        when=moment.when,
        clock=moment.clock,
        frame=moment.frame,
        source=source,
    )


def may_be_refused(op: Op) -> bool:
    """Return whether the kernel may say no, so that the answer is worth waiting for."""
    return op not in {Op.SET, Op.CLOCK_ALIGN, Op.CLOCK_TEMPO, Op.SYNC, Op.LEADER}
