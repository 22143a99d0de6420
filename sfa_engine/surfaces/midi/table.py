"""From a profile to the table that the host resolves messages by. Pure.

What the engine owns becomes a command; what the stage owns, an event for the stage. What the desk
plans and has not built yet is left out.
"""

from __future__ import annotations

import itertools
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import numpy as np

from sfa_engine.desk import Choice
from sfa_engine.engine.command import Op
from sfa_engine.engine.intents import OPERATIONS
from sfa_engine.engine.layout import VALUE_INDEX
from sfa_engine.engine.midi import (
    BINDING,
    LIGHT,
    LIGHTS,
    SLOTS,
    Action,
    Encoding,
    LightKind,
    LightSource,
    StateRule,
    Takeover,
    Taper,
    key,
)
from sfa_engine.surfaces.midi.assignment import Assignment
from sfa_engine.surfaces.midi.layers import Force, Layer, combinations
from sfa_engine.surfaces.midi.lights import Lamp, hue_of, is_meter, lamp, shown
from sfa_engine.surfaces.midi.profile import Profile

MAX_DARK = 256  # combinations of states in which a lamp is put out
ENCODINGS = {
    "absolute": Encoding.ABSOLUTE,
    "twos": Encoding.TWOS_COMPLEMENT,
    "offset64": Encoding.OFFSET_64,
    "sign": Encoding.SIGN_BIT,
    "button": Encoding.BUTTON,
}
ACTIONS = {
    "set": Action.SET,
    "toggle": Action.TOGGLE,
    "cycle": Action.CYCLE,
    "press": Action.PRESS,
    "hold": Action.HOLD,
    "bend": Action.BEND,
    "state": Action.STATE,
    "load": Action.STAGE,
    "step": Action.STAGE,
}


@dataclass(frozen=True)
class StageAction:
    """What a binding does: for the monitor, and for the stage where the engine does not do it.

    Attributes
    ----------
    kind : str
        ``set`` (x: travel from 0 to 1, of the range `start` to `end`; of a relative control,
        steps), ``toggle``, ``cycle``, ``step`` (by `value`), ``press``, ``hold``, ``bend``,
        ``state`` (of the slot), or ``load``: the selected track onto the deck of `path`.
    path : str
        Of the control; ``bank = B`` of a state; ``deck1.load`` of a load.
    value, rest : float
        What a press and a hold set, in the control's unit, and what a release sets.
    start, end : float
        Travel at both ends of the physical control.
    step : float
        Travel of one tick of a relative control, of a bend its value; 0 of an absolute one.
    input : str
        Name of the physical control.
    stage : bool
        Whether the stage does it: `Action.STAGE`.
    """

    kind: str
    path: str
    value: float
    rest: float
    start: float
    end: float
    step: float
    input: str
    stage: bool


@dataclass(frozen=True)
class Compiled:
    """A profile as a table.

    Attributes
    ----------
    bindings : ndarray of BINDING
        Not sorted; `number` indexes `actions`.
    lights : ndarray of LIGHT
    actions : tuple of StageAction
        Of all bindings; both halves of a 14-bit pair have the same.
    inputs : tuple of str
        Names of the physical controls; `input` of a binding indexes it.
    layers : tuple of Layer
        Where the bits of each layer are; ``focus`` is the deck's.
    """

    bindings: np.ndarray
    lights: np.ndarray
    actions: tuple[StageAction, ...]
    inputs: tuple[str, ...]
    layers: tuple[Layer, ...]


def compile_profile(
    profile: Profile,
    slot: int,
    model: int | None = None,
    hues: Mapping[str, str] = MappingProxyType({}),
) -> Compiled:
    """Return the table of a profile.

    Parameters
    ----------
    profile : Profile
    slot : int
        Where the device is open, below `SLOTS`.
    model : int, optional
        Number of the device's model; the profile's if left out.
    hues : mapping of str to str
        Colours of hot cues, ``#rrggbb``, by their sections: ``deck1.hotcue3``.
    """
    if not 0 <= slot < SLOTS:
        raise ValueError(f"slot {slot} of {SLOTS}")
    number = profile.model if model is None else model
    actions: list[StageAction] = []
    rows: list[dict[str, Any]] = []
    for each in profile.assignments:
        if each.kind != "light" and not each.is_planned:
            row = _row(each) | {"slot": slot, "input": each.physical, "number": len(actions)}
            name = profile.physicals[each.physical].name
            actions.append(_action(each, name, stage=row["action"] is Action.STAGE))
            rows.extend(_messages(profile, each, row, slot))
    # What puts lamps out comes last, and is left out where there are too many states for it.
    lamps = itertools.islice(_lights(profile, number, hues), LIGHTS)
    lights = [light | {"slot": slot} for light in lamps]
    return Compiled(
        _records(rows, BINDING),
        _records(lights, LIGHT),
        tuple(actions),
        tuple(physical.name for physical in profile.physicals),
        tuple(profile.layers.values()),
    )


def _records(rows: list[dict[str, Any]], dtype: np.dtype[Any]) -> np.ndarray:
    """Return rows as an array of records; what a row does not name is 0."""
    names = dtype.names or ()
    blank = {name: np.zeros((), dtype[name]).tolist() for name in names}
    return np.array([tuple((blank | row).values()) for row in rows], dtype)


def _messages(
    profile: Profile, each: Assignment, row: dict[str, Any], slot: int
) -> Iterator[dict[str, Any]]:
    """Yield a row for each message of the control: one a channel, two for a 14-bit pair."""
    for message in profile.physicals[each.physical].messages:
        halves = [row["encoding"]] if message.lsb is None else [Encoding.MSB, Encoding.LSB]
        for encoding, (kind, channel, number) in zip(halves, message.keys, strict=True):
            yield row | {"key": key(slot, kind, channel, number), "encoding": encoding}


def _row(each: Assignment) -> dict[str, Any]:
    """Return the fields of a binding that do not depend on its message."""
    row: dict[str, Any] = {
        "mask": each.force.mask,
        "want": each.force.want,
        "encoding": ENCODINGS[each.encoding],
        "action": ACTIONS[each.kind],
        "index": -1,
        "range_index": -1,
        "takeover": Takeover.PICKUP if each.pickup else Takeover.JUMP,
        "by_velocity": int(each.velocity),
        "start": each.start,
        "end": each.end,
        "x": each.value or 0.0,
        "rest": _rest(each),
        "step": each.step,
    }
    if each.kind == "state":
        return row | {
            "state_mask": each.change.mask,
            "state_value": each.change.want,
            "state_rule": StateRule[each.rule.upper()],
        }
    return row | _operation(each)


def _operation(each: Assignment) -> dict[str, Any]:
    """Return what a binding does to a control: a command, or an event for the stage."""
    control = each.control
    if control is None:
        return {}
    scale = control.scale
    fields: dict[str, Any] = {
        "taper": Taper[scale.taper.upper()],
        "whole": int(scale.whole),
        "low": scale.low,
        "high": scale.high,
        "options": len(control.options) if isinstance(control, Choice) else 0,
    }
    deck, _, name = control.path.partition(".")
    path = control.path
    if name == "tempo_fader" and each.kind == "set" and not each.step:
        path = f"{deck}.rate"
        fields |= {
            "action": Action.TEMPO_FADER,
            "range_index": VALUE_INDEX[f"{deck}.rate_range"],
        }
    made = OPERATIONS.get(path)
    if made is None:
        return fields | {"action": Action.STAGE}
    command = {"op": made.op, "deck": made.deck, "target": made.target, "index": made.index}
    if each.kind == "step" or (each.kind == "cycle" and not isinstance(control, Choice)):
        return fields | {"action": Action.STAGE}
    assert made.op != Op.SET or made.index >= 0
    return fields | command


def _rest(each: Assignment) -> float:
    """Return what the release of a hold sets, and a bend that has come to rest."""
    control = each.control
    if control is None or each.kind not in {"hold", "bend"}:
        return 0.0
    if control.momentary or control.held:
        return 0.0 if control.held else control.scale.rest
    if control.scale.whole and control.scale.high == 1:  # a switch: the other way
        return 1.0 - (each.value or 0.0)
    return control.scale.rest


def _action(each: Assignment, name: str, *, stage: bool) -> StageAction:
    return StageAction(
        each.kind, each.path, each.value or 0.0, _rest(each), each.start, each.end, each.step,
        name, stage,
    )  # fmt: skip


def _lights(profile: Profile, model: int, hues: Mapping[str, str]) -> Iterator[dict[str, Any]]:
    """Yield all lamps; one that is lit in some states is put out in the others."""
    forces: dict[int, list[Force]] = defaultdict(list)
    made: dict[int, Lamp] = {}
    for each in profile.assignments:
        if each.light is None or each.is_planned:
            continue
        physical = profile.physicals[each.physical]
        found = shown(each, is_meter(each.light))
        if found is None:
            continue
        control, hue = each.control or found.control, hue_of(each, hues)
        messages = lamp(each, physical, profile.document.palette, control, model, hue)
        is_state = found.kind is LightKind.STATE
        forces[each.physical].append(Force() if is_state else each.force)
        made[each.physical] = messages
        yield _light(each.force, messages) | {
            "kind": found.kind,
            "source": found.source,
            "index": found.index,
            "low": found.low,
            "high": found.high,
            "taper": Taper[found.control.scale.taper.upper()] if found.control else 0,
            "mask": each.change.mask if is_state else each.force.mask,
            "want": each.change.want if is_state else each.force.want,
        }
    for place, lit in forces.items():
        for force in _dark(profile.layers, lit):
            dark = made[place].dark
            yield _light(force, Lamp(dark, dark, dark, -1)) | {"low": 1e300, "high": 1e300}


def _light(force: Force, messages: Lamp) -> dict[str, Any]:
    pad = [0] * LIGHT["on"].shape[0]
    return {
        "mask": force.mask,
        "want": force.want,
        "kind": LightKind.SWITCH,
        "source": LightSource.VALUE,
        "level_at": messages.level_at,
        "length": len(messages.on),
        "on": (list(messages.on) + pad)[: len(pad)],
        "off": (list(messages.off) + pad)[: len(pad)],
    }


def _dark(layers: dict[str, Layer], lit: list[Force]) -> Iterator[Force]:
    """Yield the states of the layers that some lamp names, in which none of its lights is."""
    masks = 0
    for force in lit:
        masks |= force.mask
    named = [layer for layer in layers.values() if layer.mask & masks]
    for count, force in enumerate(combinations(named)):
        if count == MAX_DARK:
            return
        if not any(force.meets(other) for other in lit):
            yield force
