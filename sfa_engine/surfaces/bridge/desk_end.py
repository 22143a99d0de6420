"""The desk as an end of routes: set controls, and publish their changes."""

from __future__ import annotations

import logging
from collections.abc import Iterable

from sfa_engine.desk import DESK, Switch, Value, find
from sfa_engine.engine.command import Source
from sfa_engine.errors import SfaError
from sfa_engine.stage.conductor import Conductor
from sfa_engine.stage.raw_bus import Message, Named, RawBus
from sfa_engine.surfaces.bridge.endpoint import FOCUS, paths_of

logger = logging.getLogger(__name__)
DESK_ORIGIN = "desk:"  # of a change not made by a route
_FOCUS = DESK.session.focus.path


class DeskEnd:
    """Sets the controls that routes end at, and publishes those that routes begin at.

    Parameters
    ----------
    conductor : Conductor
    bus : RawBus
    paths : iterable of str
        Of the ends that routes begin at.
    """

    def __init__(self, conductor: Conductor, bus: RawBus, paths: Iterable[str]) -> None:
        self._conductor, self._bus = conductor, bus
        self._ends: dict[str, list[str]] = {}  # control -> ends that name it
        for end in paths:
            for path in paths_of(end):
                self._ends.setdefault(path, []).append(end)
        self._cause = DESK_ORIGIN  # origin of the change in progress
        self._refused: set[str] = set()  # already logged
        bus.listen("control", self.set)
        if self._ends:
            conductor.listen(self.on_change)

    def set(self, target: str, message: Message) -> None:
        """Set a control for a route that begins at `target`, as ``midi:name``."""
        assert isinstance(message, Named)
        path = self._focused(message.address)
        control = find(path)
        travel, value = message.arguments
        before, self._cause = self._cause, target
        try:
            number = control.scale.value(travel) if value is None else value
            on = number > 0.0 if value is not None else travel >= 0.5
            self._conductor.set_nowait(
                path, on if isinstance(control, Switch) else number, Source.STAGE
            )
        except SfaError as error:
            if path not in self._refused:  # once, not for each step of a fader
                self._refused.add(path)
                logger.warning("a route cannot set %s: %s", path, error)
        finally:
            self._cause = before

    def on_change(self, path: str, value: Value, _source: int) -> None:
        """Publish a change."""
        if path == _FOCUS:
            focused = [each for ends in self._ends.values() for each in ends if each[:6] == FOCUS]
            for end in dict.fromkeys(focused):
                now = self._focused(end)
                self._publish(end, now, self._conductor.get(now))
        for end in self._ends.get(path, ()):
            if self._focused(end) == path:
                self._publish(end, path, value)

    def _publish(self, end: str, path: str, value: Value) -> None:
        if isinstance(value, int | float):
            number = float(value)
            travel = find(path).scale.travel(number)
            self._bus.publish("control", self._cause, Named(end, (travel, number)))

    def _focused(self, end: str) -> str:
        """Return the control that an end names now."""
        if not end.startswith(FOCUS):
            return end
        return f"deck{int(self._conductor.get(_FOCUS)) + 1}.{end.removeprefix(FOCUS)}"
