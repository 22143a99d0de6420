"""Play a script over the control socket of a running engine, each event at its exact frame."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, Protocol

from sfa_engine.script.script import Event, Script

AHEAD_S = 0.25  # from sending an event to its time
STEP_S = 0.1
SHORTEST_S = 0.001  # of a wait for the time of a control of the stage
LOADS = frozenset({"load", "eject", "kit", "pad"})  # what is not sent to the kernel

Progress = Callable[[float], None]


class Caller(Protocol):
    """A client of the control socket."""

    def call(self, method: str, **params: Any) -> Any:
        """Call a method, and return its result."""


def play_script(caller: Caller, script: Script, progress: Progress | None = None) -> None:
    """Play a script; return at its end.

    Parameters
    ----------
    caller : Caller
    script : Script
    progress : callable, optional
        Called with the seconds played.
    """
    # Controls of the stage act at once: they are not sent before their time.
    events = [event for event in script.events if not event.is_at_once]
    at_once = [event for event in script.events if event.is_at_once]
    while events and events[0].time_s <= 0 and events[0].verb in LOADS:
        _load(caller, events.pop(0))
    engine = caller.call("status")["engine"]
    rate = engine["rate"]
    start = engine["frame"] + round(AHEAD_S * rate)
    now_s = -AHEAD_S
    while now_s < script.end_s:
        while events and events[0].time_s < now_s + AHEAD_S + STEP_S:
            _do(caller, events.pop(0), start, rate)
        while at_once and at_once[0].time_s <= now_s:
            _do(caller, at_once.pop(0), start, rate)
        left_s = at_once[0].time_s - now_s if at_once else STEP_S
        time.sleep(min(STEP_S, max(SHORTEST_S, left_s)))
        frame = caller.call("status")["engine"]["frame"]
        now_s = (frame - start) / rate
        if progress is not None:
            progress(max(0.0, min(script.end_s, now_s)))


def _load(caller: Caller, event: Event) -> None:
    if event.verb == "load":
        caller.call("deck.load", deck=event.deck, path=event.path)
    elif event.verb == "kit":
        caller.call("kit.load", name=event.words)
    elif event.verb == "pad":
        caller.call("pad.load", pad=event.deck, path=event.path)
    else:
        caller.call("deck.eject", deck=event.deck)


def _do(caller: Caller, event: Event, start: int, rate: float) -> None:
    if event.verb in LOADS:
        _load(caller, event)
    elif event.verb != "mark":
        when = event.when or (None if event.is_at_once else start + round(event.time_s * rate))
        caller.call(event.verb, path=event.path, value=event.value, when=when)
