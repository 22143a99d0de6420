"""Lamps: the messages that light them and put them out, and what they show. Pure.

A lamp shows a value or reading of the engine, or a state of the slot. One that has neither is
lit as long as its binding is in force: on a pad in colour it says that the pad does something.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache

from sfa_engine.desk import CONTROLS, Choice, Control, Fader, Meter, Switch, Text
from sfa_engine.desk.control import COLORS, ON_OFF
from sfa_engine.desk.desk import nearest
from sfa_engine.engine.intents import family
from sfa_engine.engine.layout import READING_INDEX, VALUE_INDEX
from sfa_engine.engine.midi import SHORT, Kind, LightKind, LightSource
from sfa_engine.errors import Refused, did_you_mean
from sfa_engine.surfaces.midi.assignment import Assignment, Physical
from sfa_engine.surfaces.midi.document import Light

BLACK = "#000000"
DIM = 6  # part of a colour that a lamp shows whose control is off but does something
_HEX = re.compile(r"#[0-9A-Fa-f]{6}")
_HOLE = re.compile(r"\{(\w+)([+-]\d{1,3})?\}")
_BYTE = re.compile(r"[0-9A-Fa-f]{2}")
_NAMES = ("number", "status", "i", "n", "level", "value", "r", "g", "b", "model")  # of a template
_SHORT_FORMS = {"note": "{status} {number} {level}", "cc": "{status} {number} {level}"}
_DATA_BYTES = {0x8: 2, 0x9: 2, 0xA: 2, 0xB: 2, 0xC: 1, 0xD: 1, 0xE: 2}  # by the status' upper half
_ANYTHING = 1e300
# Buttons whose lamp has the colour of what they are about; by family.
COLOURED = frozenset(
    {"deck.hotcue.press", "deck.hotcue.store", "deck.hotcue.clear", "pad.hit", "pad.stop"}
)
# What the lamp of a button shows that holds no value itself; by family.
SHOWN_BY_BUTTONS = {
    "deck.hotcue.press": "position",
    "deck.hotcue.store": "position",
    "deck.hotcue.clear": "position",
    "deck.loop.beatloop": "active",
    "deck.loop.reloop": "active",
    "deck.loop.set_in": "start",
    "deck.loop.set_out": "end",
    "deck.cue": "loaded",
    "pad.hit": "playing",
}


@dataclass(frozen=True)
class Shown:
    """What a lamp shows: a number of the engine between `low` and `high`, or a state."""

    kind: LightKind
    source: LightSource
    index: int
    low: float
    high: float
    control: Control | None


def shown(each: Assignment, meter: bool) -> Shown | None:
    """Return what the lamp of an assignment shows; None if the engine does not hold it."""
    if each.kind == "state" and not each.shows:
        return Shown(LightKind.STATE, LightSource.VALUE, 0, 0.0, 0.0, None)
    path = each.shows or _shown_path(each)
    if not path:
        return _constant(each.control)
    control = CONTROLS[path]
    if control.planned:
        return None
    if path in VALUE_INDEX:
        source, index = LightSource.VALUE, VALUE_INDEX[path]
    elif path in READING_INDEX:
        source, index = LightSource.READING, READING_INDEX[path]
    else:
        return None if each.shows else _constant(control)
    kind, low, high = lit_range(each, control, meter)
    return Shown(kind, source, index, low, high, control)


def hue_of(each: Assignment, hues: Mapping[str, str]) -> str:
    """Return the colour of the hot cue or pad of a lamp; `hues` has them by their sections."""
    return hues.get(each.path.rpartition(".")[0], "") if family(each.path) in COLOURED else ""


def _shown_path(each: Assignment) -> str:
    """Return the path of what a control's lamp shows by itself."""
    if each.control is None:
        return f"{each.path.partition('.')[0]}.loaded" if each.kind == "load" else ""
    name = SHOWN_BY_BUTTONS.get(family(each.path))
    if name:
        return f"{each.path.rpartition('.')[0]}.{name}"
    return each.path if each.control.settable and each.kind != "step" else ""


def has_state(control: Control) -> bool:
    """Return whether a lamp of a control has anything to show."""
    return control.settable or family(control.path) in SHOWN_BY_BUTTONS


def _constant(control: Control | None) -> Shown:
    """Return what is never lit: its lamp always has its `off` colour."""
    return Shown(LightKind.SWITCH, LightSource.VALUE, 0, _ANYTHING, _ANYTHING, control)


def lit_range(each: Assignment, control: Control, meter: bool) -> tuple[LightKind, float, float]:
    """Return between which values a lamp is lit, or that it shows a level."""
    scale = control.scale
    if meter:
        return LightKind.METER, scale.low, scale.high
    own_value = (
        each.value if each.path == control.path and each.kind in {"press", "toggle"} else None
    )
    if own_value is not None and not isinstance(control, Switch):
        width = 0.5 if scale.whole else 1e-6 * max(1.0, abs(own_value))
        return LightKind.SWITCH, own_value - width, own_value + width
    if own_value == 0:  # a button that switches off is lit when it is off
        return LightKind.SWITCH, -_ANYTHING, 0.5
    if scale.optional:
        return LightKind.IS_SET, scale.low, scale.high
    if isinstance(control, Choice | Switch) or scale == ON_OFF:
        return LightKind.SWITCH, 0.5, _ANYTHING
    if isinstance(control, Fader | Meter) and scale.low < scale.rest:
        return LightKind.SWITCH, scale.rest + 1e-6, _ANYTHING
    return LightKind.SWITCH, scale.low + 1e-6, _ANYTHING


@dataclass(frozen=True)
class Lamp:
    """A lamp's messages; `level_at` is the byte of `on` that a meter sets, or -1."""

    on: bytes
    off: bytes
    dark: bytes  # where the control does nothing
    level_at: int


def lamp(
    each: Assignment,
    physical: Physical,
    palette: Mapping[str, int],
    control: Control | None,
    model: int,
    hue: str = "",
) -> Lamp:
    """Return the messages of an assignment's lamp.

    Parameters
    ----------
    each : Assignment
        With a light.
    physical : Physical
        Its control.
    palette : mapping of str to int
        Numbers of the desk's colours.
    control : Control or None
        Whose colour it has.
    model : int
        Number of the device's model, 0 to 127.
    hue : str
        ``#rrggbb`` of what it shows, a hot cue's, instead of the desk's colour while it is lit.

    Raises
    ------
    Refused
        The template is no message, or longer than the table has room for.
    """
    light = each.light
    assert light is not None
    template = light.send_off or light.send
    black = 0 if isinstance(light.off, int) else BLACK
    lit = hue if hue and light.on == "desk" else light.on
    on, off, dark = (
        _message(light, send, value, physical, palette, control, model)
        for send, value in ((light.send, lit), (template, light.off), (template, black))
    )
    if len(on) != len(off):
        raise Refused("send and send_off are not of one length", "write messages of one length")
    return Lamp(on, off, dark, _level_at(light))


def check_light(each: Assignment, physical: Physical, palette: Mapping[str, int]) -> None:
    """Refuse a lamp that shows what is not there, or whose messages cannot be made."""
    if each.shows:
        control = CONTROLS.get(each.shows)
        if control is None:
            hint = nearest(each.shows) or "see `sfa describe`"
            raise Refused(f'no control "{each.shows:.60}"', hint)
        if isinstance(control, Text) or not (control.settable or isinstance(control, Meter)):
            raise Refused(f"{each.shows} has nothing to show", "name a control with a value")
    made = lamp(each, physical, palette, each.control, 0)
    if made.level_at >= 0 and each.kind == "state":
        raise Refused("a state has no level", "leave {value} out, or give `shows`")


def check_message(message: bytes) -> None:
    """Refuse bytes that are not one complete MIDI message."""
    remedy = "write a status, 80 to EF or F0 … F7, and its data"
    said = message.hex(" ").upper()[:60]
    if not message or message[0] < 0x80:
        raise Refused(f'"{said}" has no status', remedy)
    data = message[1:-1] if message[0] == 0xF0 else message[1:]
    if message[0] == 0xF0:
        is_whole = len(message) > 1 and message[-1] == 0xF7
    else:
        is_whole = len(data) == _DATA_BYTES.get(message[0] >> 4, -1)
    if not is_whole or any(byte > 0x7F for byte in data):
        raise Refused(f'"{said}" is not one MIDI message', remedy)


def is_meter(light: Light) -> bool:
    """Return whether the lamp shows a level: its template has ``{value}``."""
    return "{value}" in light.send


@lru_cache(256)
def _bytes_of(template: str) -> tuple[int | tuple[str, int], ...]:
    """Return a template's bytes: numbers, and names with what is added to them."""
    template = _SHORT_FORMS.get(template, template)
    found: list[int | tuple[str, int]] = []
    for word in template.split():
        hole = _HOLE.fullmatch(word)
        if hole and hole[1] in _NAMES:
            found.append((hole[1], int(hole[2] or 0)))
        elif _BYTE.fullmatch(word):
            found.append(int(word, 16))
        else:
            said = ", ".join(f"{{{name}}}" for name in _NAMES)
            raise Refused(f'"{word:.20}" in a light is not a byte', f"write hex, or {said}")
    if len(found) > SHORT:
        raise Refused(f"a light's message of {len(found)} bytes", f"there is room for {SHORT}")
    return tuple(found)


def _level_at(light: Light) -> int:
    """Return the place of ``{value}`` in the message that lights a lamp, or -1."""
    places = [at for at, byte in enumerate(_bytes_of(light.send)) if byte == ("value", 0)]
    return places[0] if places else -1


def _message(
    light: Light,
    template: str,
    value: int | str,
    physical: Physical,
    palette: Mapping[str, int],
    control: Control | None,
    model: int,
) -> bytes:
    message = physical.messages[0] if physical.messages else None
    number = light.number
    if isinstance(number, list):
        number = number[physical.item] if physical.item < len(number) else None
    if number is None and message:
        number = message.number
    channel = light.channel - 1 if light.channel is not None else message.channel if message else 0
    is_cc = template == "cc" or (template != "note" and message and message.kind is Kind.CONTROL)
    status = (0xB0 if is_cc else 0x90) | channel
    color = _color(light, value, control)
    level = int(value) if color is None else _nearest(color, value, palette, control)
    # Without its number where it has none: the cache then serves devices of all models.
    model = model if "{model" in template else 0
    return _made(template, physical.item, number, status, level, color, model)


@lru_cache(4096)  # lamps of all decks and states differ in little
def _made(
    template: str,
    item: int,
    number: int | None,
    status: int,
    level: int,
    color: tuple[int, ...] | None,
    model: int,
) -> bytes:
    """Return a template with its holes filled."""
    words = {"n": item + 1, "i": item, "value": 0, "status": status, "level": level}
    words["model"] = model
    if number is not None:
        words["number"] = number
    if color is not None:
        words |= {"r": color[0] >> 1, "g": color[1] >> 1, "b": color[2] >> 1}
    made = []
    for byte in _bytes_of(template):
        if isinstance(byte, int):
            made.append(byte)
        elif byte[0] in words:
            made.append(words[byte[0]] + byte[1])
        else:
            why = "a colour" if byte[0] in "rgb" else "a number"
            raise Refused(f"{{{byte[0]}}} in a light without {why}", "give it, or write a byte")
    if not all(0 <= byte <= 0xFF for byte in made):
        raise Refused(f'"{template:.60}" in a light is beyond a byte', "add less")
    data = bytes(made)
    check_message(data)
    return data


def _color(light: Light, value: int | str, control: Control | None) -> tuple[int, ...] | None:
    """Return red, green and blue, 0 to 255, of a lamp; None where it has a number."""
    if isinstance(value, int):
        return None
    part = 1
    if value == "dim":
        value, part = light.on if isinstance(light.on, str) else "desk", DIM
    if value == "desk":
        value = COLORS[control.color if control is not None and control.color else "neutral"]
    if not _HEX.fullmatch(value):
        hint = did_you_mean(value, ["desk", "dim"]) or "write #rrggbb, desk, dim or a number"
        raise Refused(f'"{value:.20}" is not a colour', hint)
    return tuple(int(value[at : at + 2], 16) // part for at in (1, 3, 5))


def _nearest(
    color: tuple[int, ...],
    value: int | str,
    palette: Mapping[str, int],
    control: Control | None,
) -> int:
    """Return the palette's number of a colour: by its name on the desk, else the nearest."""
    if not any(color):
        return 0
    if not palette:
        return 127
    name = control.color if control is not None and control.color else "neutral"
    if value in {"desk", "dim"} and name in palette:
        return palette[name]
    known = {key: number for key, number in palette.items() if key in COLORS}

    def distance(key: str) -> int:
        other = (int(COLORS[key][at : at + 2], 16) for at in (1, 3, 5))
        return sum((a - b) ** 2 for a, b in zip(color, other, strict=True))

    return known[min(known, key=distance)] if known else next(iter(palette.values()))
