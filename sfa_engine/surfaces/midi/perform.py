"""Does what bindings ask of the stage: controls that it owns, and loads.

What is the engine's the host does by itself. Lists are turned through by whole entries, and end
where they end.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from sfa_engine.desk import CONTROLS, DESK, Choice, Control, Switch
from sfa_engine.engine.midi_rings import Event
from sfa_engine.errors import EngineError, Refused
from sfa_engine.stage.conductor import Conductor
from sfa_engine.surfaces.midi.controllers import Controller
from sfa_engine.surfaces.midi.table import StageAction

logger = logging.getLogger(__name__)
_LISTS = frozenset({DESK.browse.position.path, DESK.browse.selected.path})


class Performer:
    """Does the stage's part of what controllers ask for.

    Parameters
    ----------
    conductor : Conductor
    """

    def __init__(self, conductor: Conductor) -> None:
        self._conductor = conductor

    def take(self, controller: Controller, event: Event) -> None:
        """Do what a binding asks; what is refused is left out, as a press that has no effect."""
        actions = controller.compiled.actions if controller.compiled is not None else ()
        if not 0 <= event.number < len(actions):  # of a profile that was replaced meanwhile
            return
        with self._errors_logged(controller):
            self._do(actions[event.number], event.x, controller.source)

    def recall(self, controller: Controller, program: int) -> None:
        """Recall the preset of a program change that is bound to nothing."""
        with self._errors_logged(controller):
            self._put(DESK.preset.recall, program, controller.source)

    @staticmethod
    @contextmanager
    def _errors_logged(controller: Controller) -> Iterator[None]:
        try:
            yield
        except Refused as error:
            logger.debug("%s: %s", controller.title, error)
        except EngineError as error:
            logger.warning("%s: %s", controller.title, error)

    def _do(self, action: StageAction, x: float, source: int) -> None:
        kind, path = action.kind, action.path
        is_press = x > 0.0
        if kind == "load":
            if is_press:
                self._conductor.press_nowait(f"{path}_selected", source=source)
            return
        control = CONTROLS[path]
        if kind == "set":
            self._set(control, action, x, source)
        elif kind == "hold":
            self._put(control, action.value if is_press else action.rest, source)
        elif kind == "cycle":
            low = control.scale.low
            steps = round(x) if abs(x) >= 1.0 else float(is_press)  # of a knob; of a button
            place = (self._conductor.get(path) - low + steps) % _count(control)
            self._put(control, low + place, source)
        elif not is_press:
            return
        elif kind == "toggle":
            is_on = self._conductor.get(path) == action.value
            self._put(control, action.rest if is_on else action.value, source)
        elif kind == "step":
            value = self._conductor.get(path) + action.value
            self._put(control, min(self._top(control), max(control.scale.low, value)), source)
        elif kind == "press":
            self._put(control, action.value, source)

    def _set(self, control: Control, action: StageAction, x: float, source: int) -> None:
        """Set a value by travel, or move it by steps."""
        scale = control.scale
        if not action.step:
            self._put(control, scale.value(x), source)
            return
        now = self._conductor.get(control.path)
        if scale.whole:
            step = max(1, round(action.step * (scale.high - scale.low)))
            if control.path in _LISTS:
                step = 1
            value = now + round(x) * step
        else:
            if scale.optional and not scale.low <= now <= scale.high:
                return  # the position is not set: there is nothing to step from
            value = scale.value(scale.travel(now) + x * action.step)
        self._put(control, min(self._top(control), max(scale.low, value)), source)

    def _top(self, control: Control) -> float:
        """Return the highest value that a step may reach: the last entry of a list."""
        if control.path in _LISTS:
            return max(0.0, float(self._conductor.get(DESK.browse.length.path)) - 1)
        return control.scale.high

    def _put(self, control: Control, value: Any, source: int) -> None:
        if control.settable:
            self._conductor.set_nowait(control.path, float(value), source)
        else:
            self._conductor.press_nowait(control.path, float(value), source)


def _count(control: Control) -> int:
    """Return how many values a control steps through."""
    if isinstance(control, Choice):
        return len(control.options)
    return 2 if isinstance(control, Switch) else int(control.scale.high - control.scale.low) + 1
