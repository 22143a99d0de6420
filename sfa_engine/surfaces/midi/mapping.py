"""What a profile maps, in words: for the terminal, the documents and the picture. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass

from sfa_engine.desk import DECK_NAMES, Control, Switch
from sfa_engine.surfaces.midi.assignment import Assignment, Physical
from sfa_engine.surfaces.midi.layers import FOCUS, Force
from sfa_engine.surfaces.midi.profile import Profile

_DECK = re.compile(r"^deck(\d+)\.")
LAST_GROUP = "other"


@dataclass(frozen=True)
class Line:
    """What a control does in some states.

    Attributes
    ----------
    when : str
        States, in words: ``B``, ``B + shift``; empty where it does it always, or at the start.
    does : str
        In the desk's labels: ``CUE 1``; with the deck's number where it is not the one in focus.
    path : str
        Of the control, with ``{focus}`` for the deck in focus.
    color : str
        One of the desk's colours.
    is_planned : bool
        Whether it works in a later release only.
    """

    when: str
    does: str
    path: str
    color: str
    is_planned: bool


@dataclass(frozen=True)
class Row:
    """One physical control."""

    name: str
    group: str
    message: str
    columns: int
    upwards: bool
    is_certain: bool
    source: str
    lines: tuple[Line, ...]


def rows(profile: Profile) -> list[Row]:
    """Return what each physical control of a profile does."""
    found = []
    assigned: dict[int, list[Assignment]] = {}
    for each in profile.assignments:
        if each.kind != "light":
            assigned.setdefault(each.physical, []).append(each)
    document = profile.document
    for place, physical in enumerate(profile.physicals):
        entry = document.control[physical.entry]
        lines = _lines(profile, assigned.get(place, []))
        is_certain = document.certain if entry.certain is None else entry.certain
        found.append(
            Row(
                physical.name,
                entry.group or _group(assigned.get(place, [])),
                _message(physical),
                entry.columns or 4,
                entry.upwards,
                is_certain,
                entry.source or document.source,
                lines,
            )
        )
    return found


def _group(assigned: list[Assignment]) -> str:
    return next((each.control.group for each in assigned if each.control), LAST_GROUP)


def _message(physical: Physical) -> str:
    if not physical.messages:
        return ""
    text = physical.messages[0].text()
    return re.sub(r" ch \d+$", "", text) if len(physical.messages) > 1 else text


def _lines(profile: Profile, assigned: list[Assignment]) -> tuple[Line, ...]:
    """Return what a control does, of both decks once where the focus selects it."""
    focus = profile.layers[FOCUS].mask
    found: dict[tuple[str, str], Line] = {}
    chords: dict[tuple[int, Force], list[Assignment]] = {}
    for each in assigned:
        chords.setdefault((each.chord, each.force), []).append(each)
    for (_, force), parts in chords.items():
        in_focus = bool(force.mask & focus) and len(DECK_NAMES) > 1
        paths = " & ".join(_path(part, in_focus=in_focus) for part in parts)
        does = " + ".join(
            _does(part, in_focus=in_focus or number > 0) for number, part in enumerate(parts)
        )
        when = _when(profile, force, is_alone=len(chords) == 1)
        control = parts[0].control
        line = Line(
            when,
            does,
            paths,
            control.color if control is not None else "neutral",
            all(part.is_planned for part in parts),
        )
        found.setdefault((when, paths), line)
    return tuple(found.values())


def _when(profile: Profile, force: Force, *, is_alone: bool) -> str:
    """Return the states of the layers in words; those at the start only where it matters."""
    states, held = [], []
    for layer in profile.layers.values():
        if layer.name == FOCUS or not layer.mask & force.mask:
            continue
        state = layer.states[(force.want & layer.mask) >> layer.shift]
        is_first = state == layer.states[0]
        if layer.states == ("off", "on"):
            held += [] if is_first else [layer.name]
        elif not (is_first and is_alone):
            states.append(state)
    return " + ".join([*states, *held])


_WITH_VALUE = frozenset({"press", "hold", "step"})


def _path(each: Assignment, *, in_focus: bool) -> str:
    path = _DECK.sub("deck{focus}.", each.path) if in_focus else each.path
    if each.kind in _WITH_VALUE and _has_value(each):
        return f"{path} = {_value(each)}"
    return path


def _has_value(each: Assignment) -> bool:
    control = each.control
    if control is None or each.velocity or each.value is None:
        return False
    if isinstance(control, Switch):
        return each.value == 0
    return control.settable or control.scale.high != 1


def _value(each: Assignment) -> str:
    control, value = each.control, each.value
    assert control is not None
    assert value is not None
    if hasattr(control, "options") or isinstance(control, Switch):
        return control.text(value)
    return f"{value:g}"


def _does(each: Assignment, *, in_focus: bool) -> str:
    if each.kind == "state":
        said = each.path.upper().replace(" = ON", "").replace(" = ", " ")
        return "OTHER DECK" if each.rule == "toggle" and said.startswith("FOCUS ") else said
    deck = _DECK.match(each.path)
    front = f"{deck[1]} " if deck and not in_focus else ""
    if each.control is None:
        return f"{front}LOAD"
    text = front + label(each.control)
    if each.kind in _WITH_VALUE and _has_value(each):
        value = _value(each)
        is_signed = (each.control.scale.low < 0 or each.kind == "step") and not value.startswith(
            "-"
        )
        text += f" {'+' if is_signed else ''}{value}"
    return text


def label(control: Control) -> str:
    """Return what a control is called on a picture: the desk's label, with what it belongs to."""
    words = _DECK.sub("", control.path).split(".")
    owner = words[-2] if len(words) > 1 else ""
    numbered = re.fullmatch(r"([a-z]+)(\d+)", owner)
    if numbered and numbered[1] == "hotcue":
        verb = "" if words[-1] == "press" else f" {control.label}"
        return f"CUE {numbered[2]}{verb}"
    if numbered:
        verb = "" if words[-1] == "hit" else f" {control.label}"
        return f"{numbered[1].upper()} {numbered[2]}{verb}"
    if words[0] == "stem":
        return f"{owner.upper()} {control.label}"
    if words[0] == "eq":
        return f"{owner.upper()} {'' if words[-1] == 'gain' else control.label}".strip()
    if words[-2:] == ["loop", "length"]:
        return "LOOP"
    if owner in {"loop", "master", "phones", "browse", "clock", "recorder"}:
        return f"{owner.upper()} {control.label}".replace("LOOP BEATLOOP", "BEATLOOP")
    return control.label
