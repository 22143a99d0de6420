"""A script over the control socket, on a running engine: every event at its exact frame."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, Protocol

from sfa_engine.studio.script import Event, Script

AHEAD_S = 0.25  # events are sent so long before their time
STEP_S = 0.1

Progress = Callable[[float], None]


class Caller(Protocol):
    """What can ask the engine: the socket's client."""

    def call(self, method: str, **params: Any) -> Any:
        """Ask, and return the answer."""


def play_script(
    caller: Caller, script: Script, progress: Progress | None = None, *, wait: bool = True
) -> None:
    """Play a script.

    Parameters
    ----------
    caller : Caller
    script : Script
    progress : callable, optional
        Is told the seconds that have passed.
    wait : bool
        Whether time passes by itself; else the engine's file is told to go on.
    """
    events = list(script.events)
    while events and events[0].time_s <= 0 and events[0].verb in {"load", "eject"}:
        _load(caller, events.pop(0))
    engine = caller.call("status")["engine"]
    rate = engine["rate"]
    start = engine["frame"] + (round(AHEAD_S * rate) if wait else 0)
    now_s = -AHEAD_S if wait else 0.0
    while now_s < script.end_s:
        while events and events[0].time_s < now_s + AHEAD_S + STEP_S:
            _do(caller, events.pop(0), start, rate)
        if wait:
            time.sleep(STEP_S)
        else:
            caller.call("engine.advance", frames=round(STEP_S * rate))
        frame = caller.call("status")["engine"]["frame"]
        now_s = (frame - start) / rate
        if progress is not None:
            progress(max(0.0, min(script.end_s, now_s)))
    if not wait:
        caller.call("engine.finish")


def _load(caller: Caller, event: Event) -> None:
    if event.verb == "load":
        caller.call("deck.load", deck=event.deck, path=event.path)
    else:
        caller.call("deck.eject", deck=event.deck)


def _do(caller: Caller, event: Event, start: int, rate: float) -> None:
    if event.verb in {"load", "eject"}:
        _load(caller, event)
    elif event.verb != "mark":
        when = event.when or start + round(event.time_s * rate)
        caller.call(event.verb, path=event.path, value=event.value, when=when)
