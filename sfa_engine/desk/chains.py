"""Chains of effects: what a unit's slots are set to, under a name. Pure.

A chain is saved as a JSON object; values are those of the controls, in their units::

    {"mix": 40.0, "mode": "send", "slots": [{"kind": "echo", "knobs": [50.0, 52.6, 40.0]}, …]}
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from sfa_engine.desk.effects import KIND_NAMES, KINDS, LETTERS, SLOTS, Unit
from sfa_engine.errors import Refused, did_you_mean

Chain = dict[str, Any]
MODES = Unit.mode.options
MAX_PATCH = 40  # characters of a patch's name


def _knob(kind: str, label: str, value: float) -> float:
    """Return the travel of a parameter at a value, in percent."""
    parameters = KINDS[KIND_NAMES.index(kind)].parameters
    (parameter,) = (each for each in parameters if each.label == label)
    at = parameter.steps.index(value) if parameter.steps else value
    return round(100.0 * parameter.scale.travel(at), 3)


def slot(kind: str, *, on: bool = True, mix: float = 100.0, **values: float) -> Chain:
    """Return a slot of a chain; parameters that are not given are where the kind begins."""
    parameters = KINDS[KIND_NAMES.index(kind)].parameters
    knobs = [
        _knob(kind, each.label, values[each.label]) if each.label in values else round(each.rest, 3)
        for each in parameters
    ]
    return {"kind": kind, "on": on, "mix": mix, "knobs": knobs, "patch": ""}


def chain(mode: str, mix: float, *slots: Chain) -> Chain:
    """Return a chain; slots that are not given are empty."""
    empty = [slot("none")] * (len(SLOTS) - len(slots))
    return {"mode": mode, "mix": mix, "slots": [*slots, *empty]}


BUILT_IN: dict[str, Chain] = {
    "echo-out": chain("insert", 100.0, slot("echo", TIME=0.75, FEEDBACK=75, TONE=-15)),
    "dub": chain(
        "send",
        50.0,
        slot("pingpong", TIME=0.75, FEEDBACK=65, TONE=-30),
        slot("reverb", mix=35.0, SIZE=3.0, DAMP=55),
    ),
    "hall": chain("send", 35.0, slot("reverb", SIZE=4.0, DAMP=45, PREDELAY=25)),
    "wash": chain(
        "insert",
        100.0,
        slot("reverb", SIZE=12.0, DAMP=30, PREDELAY=0),
        slot("flanger", mix=50.0, CYCLE=16),
    ),
    "stutter": chain("insert", 100.0, slot("repeat", on=False, LENGTH=0.25)),
    "trance-gate": chain(
        "insert",
        100.0,
        slot("gate", LENGTH=0.25, WIDTH=50),
        slot("echo", mix=40.0, TIME=0.75, FEEDBACK=40),
    ),
    "jet": chain("insert", 100.0, slot("flanger", CYCLE=8, FEEDBACK=80)),
    "radio": chain(
        "insert",
        100.0,
        slot("crush", BITS=7, RATE=8000, DRIVE=6),
        slot("compress", THRESH=-24, RATIO=6),
    ),
    "slow-sweep": chain(
        "insert", 100.0, slot("sweep", CYCLE=16, DEPTH=75), slot("phaser", mix=50.0)
    ),
    "tape-stop": chain("insert", 100.0, slot("tapestop", on=False, STOP=2, START=0.5)),
}


def check_chain(given: Any) -> Chain:
    """Return a chain with all of its values, or refuse it.

    Raises
    ------
    Refused
        A key is unknown, or a value of the wrong type or out of range.
    """
    made = _keys(given, {"mode", "mix", "slots"}, "a chain")
    slots = made.get("slots", [])
    if not isinstance(slots, list) or len(slots) > len(SLOTS):
        raise Refused("slots of a chain: not a list", f"give up to {len(SLOTS)} slots")
    checked = [_check_slot(each, number) for number, each in enumerate(slots, 1)]
    return chain(
        _word(made.get("mode", MODES[0]), MODES, "mode"),
        _percent(made.get("mix", 50.0), "mix"),
        *checked,
    )


def _check_slot(given: Any, number: int) -> Chain:
    what = f"slot {number}"
    made = _keys(given, {"kind", "on", "mix", "knobs", "patch"}, what)
    kind = _word(made.get("kind", KIND_NAMES[0]), KIND_NAMES, f"{what}: kind")
    rest = slot(kind)
    knobs = made.get("knobs", rest["knobs"])
    if not isinstance(knobs, list) or len(knobs) != len(LETTERS):
        raise Refused(f"{what}: knobs are not a list of three", "give three numbers, 0 to 100")
    on, patch = made.get("on", True), made.get("patch", "")
    if not isinstance(on, bool):
        raise Refused(f"{what}: on is neither true nor false", "give one of them")
    if not isinstance(patch, str) or len(patch) > MAX_PATCH:
        raise Refused(f"{what}: {patch!r:.60} is not a patch's name", "see `sfa fx patches`")
    return {
        "kind": kind,
        "on": on,
        "mix": _percent(made.get("mix", 100.0), f"{what}: mix"),
        "knobs": [_percent(each, f"{what}: knob") for each in knobs],
        "patch": patch,
    }


def _keys(given: Any, known: set[str], what: str) -> Mapping[str, Any]:
    if not isinstance(given, Mapping):
        raise Refused(f"{what} is not an object", "see docs/effects.md")
    for key in given:
        if key not in known:
            hint = did_you_mean(str(key), sorted(known)) or ", ".join(sorted(known))
            raise Refused(f'{what} has no "{key!s:.40}"', hint)
    return given


def _word(given: Any, words: tuple[str, ...], what: str) -> str:
    if given not in words:
        hint = did_you_mean(str(given), words) or ", ".join(words)
        raise Refused(f'{what}: "{given!s:.40}" is not one', hint)
    return str(given)


def _percent(given: Any, what: str) -> float:
    is_number = isinstance(given, int | float) and not isinstance(given, bool)
    if not is_number or not math.isfinite(given) or not 0 <= given <= 100:
        raise Refused(f"{what}: {given!r:.40} is not a share", "give 0 to 100 %")
    return float(given)
