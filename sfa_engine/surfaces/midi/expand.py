"""From a profile as it is written to what each control does in each state. Pure.

Rows become single controls, templates names of the desk, conditions masks. What the desk plans
and has not built yet stays, marked, so that it works by itself once it is built.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from msgspec.structs import replace

from sfa_engine.desk import CONTROLS, DECK_NAMES, Button, Choice, Control, Fader, Switch, Text
from sfa_engine.desk.control import PRESSED
from sfa_engine.desk.desk import nearest
from sfa_engine.engine.midi import BINDINGS, INPUTS, Kind
from sfa_engine.errors import Refused, did_you_mean
from sfa_engine.surfaces.midi.assignment import Assignment, Expansion, Message, Physical
from sfa_engine.surfaces.midi.conflicts import check, fill_in
from sfa_engine.surfaces.midi.document import Binding, Document, Entry, Light
from sfa_engine.surfaces.midi.faults import Fault, Lines
from sfa_engine.surfaces.midi.layers import (
    FOCUS,
    Force,
    allocate,
    forces,
    layer_of,
)

LOAD = re.compile(r"deck[1-9]\d*\.load")  # not a control: the stage's verb, as a name
MAX_PARTS = 4  # things that one press does
_HOLE = re.compile(r"\{(\w+)([+-]\d{1,3})?\}")
_RELATIVE = ("twos", "offset64", "sign")
OFF = "off"  # first option of a choice that can be off
_PRESSES = ("toggle", "hold", "cycle", "step", "press", "state", "load")
MAX_STEP = 1000
RECORD_TURN_S = 1.8  # of a record at 33 1/3 turns a minute
DEFAULT_TICKS = 720  # of a jog wheel's turn; those that are known send 248 to 1024
MESSAGES = {
    "note": Kind.NOTE,
    "cc": Kind.CONTROL,
    "cc14": Kind.CONTROL,
    "nrpn": Kind.NRPN,
    "program": Kind.PROGRAM,
    "poly": Kind.POLY_PRESSURE,
    "pitch": Kind.PITCH_BEND,
    "pressure": Kind.CHANNEL_PRESSURE,
}


def expand(document: Document, lines: Lines) -> Expansion:
    """Return what a profile's controls do, and all faults."""
    found = Expansion()
    try:
        found.layers = allocate(document.layers)
    except Refused as error:
        found.faults.append(Fault(lines.top("layers"), error.message, error.hint))
        return found
    names: dict[str, int] = {}
    for number, entry in enumerate(document.control):
        try:
            _Row(document, number, entry, found, lines).expand()
        except Refused as error:
            found.faults.append(Fault(lines.entry(number), error.message, error.hint))
    for physical in found.physicals:
        if names.setdefault(physical.name, physical.entry) != physical.entry:
            message = f'two controls are called "{physical.name}"'
            line = lines.entry(physical.entry, "name")
            found.faults.append(Fault(line, message, "name each control once"))
    fill_in(found)
    check(found, lines)
    return found


def fill(template: str, words: dict[str, Any]) -> str:
    """Return a template with its holes filled; ``{n+8}`` adds.

    Raises
    ------
    Refused
        A hole has no such word.
    """

    def word(hole: re.Match[str]) -> str:
        name, offset = hole[1], hole[2]
        if name not in words or (offset and not isinstance(words[name], int)):
            known = ", ".join(f"{{{known}}}" for known in words)
            raise Refused(f"{hole[0]} in {template!r:.60} is unknown", f"there are {known}")
        return str(words[name] + int(offset)) if offset else str(words[name])

    return _HOLE.sub(word, template)


class _Row:
    """Expands one entry: a control, or a row of them."""

    def __init__(
        self, document: Document, number: int, entry: Entry, found: Expansion, lines: Lines
    ) -> None:
        self._document = document
        self._number = number
        self._entry = entry
        self._found = found
        self._lines = lines

    def expand(self) -> None:
        """Add the controls and what they do."""
        entry = self._entry
        sent = [
            n for n in MESSAGES if (given := getattr(entry, n)) is not None and given is not False
        ]
        bindings = [entry, *entry.bindings]
        if len(sent) > 1:
            raise Refused(f'"{entry.name}" sends {" and ".join(sent)}', "write two entries")
        if not sent and not any(isinstance(b.light, Light) for b in bindings):
            raise Refused(f'"{entry.name}" sends no message', f"give one of {', '.join(MESSAGES)}")
        count = self._count(sent, bindings)
        for item in range(count):
            self._control(sent[0] if sent else "", item, count, bindings)

    def _count(self, sent: list[str], bindings: Sequence[Binding]) -> int:
        """Return how many controls the row has; all its lists have one item for each."""
        entry = self._entry
        lists: dict[str, Any] = {n: getattr(entry, n) for n in (*sent, "lsb", "channel", "each")}
        for number, binding in enumerate(bindings):
            lists[f"do.{number}"] = binding.do
            if isinstance(binding.light, Light):
                lists[f"number.{number}"] = binding.light.number
                lists[f"shows.{number}"] = binding.light.shows
        counts = {name: len(each) for name, each in lists.items() if isinstance(each, list)}
        if len(set(counts.values())) > 1:
            said = ", ".join(f"{name.partition('.')[0]} {n}" for name, n in counts.items())
            raise Refused(
                f'the lists of "{entry.name}" are not of one length: {said}',
                "give each list one item a control",
            )
        return next(iter(counts.values()), 1)

    def _control(self, sent: str, item: int, count: int, bindings: Sequence[Binding]) -> None:
        entry = self._entry
        words: dict[str, Any] = {"n": item + 1, "i": item}
        if entry.each:
            words["each"] = _at(entry.each, item)
        is_plain = count > 1 and not _HOLE.search(entry.name)
        name = fill(f"{entry.name} {{n}}" if is_plain else entry.name, words)
        messages = tuple(self._messages(sent, item)) if sent else ()
        if len(self._found.physicals) >= INPUTS:
            raise Refused(f"more than {INPUTS} controls", "split the profile")
        self._found.physicals.append(Physical(name, self._number, item, messages))
        for binding in bindings:
            if binding.do or binding.state or isinstance(binding.light, Light):
                self._binding(binding, item, words, sent)

    def _messages(self, sent: str, item: int) -> Iterator[Message]:
        entry = self._entry
        channel = entry.channel if entry.channel is not None else self._document.channel
        channels = range(16) if channel == "any" else (_at(channel, item) - 1,)
        number = getattr(entry, sent)
        number = 0 if number is True else _at(number, item)
        lsb = None
        if sent == "cc14":
            lsb = number + 32 if entry.lsb is None else _at(entry.lsb, item)
            if lsb > 127 or lsb == number:
                raise Refused(
                    f'the lower half of "{entry.name}" is CC {lsb}', "give another with lsb"
                )
        elif entry.lsb is not None:
            raise Refused(f'"{entry.name}" has lsb without cc14', "write cc14 for its upper half")
        for one in channels:
            yield Message(MESSAGES[sent], one, number, lsb)

    def _binding(self, binding: Binding, item: int, words: dict[str, Any], sent: str) -> None:
        """Add what a binding does: for each deck that may be in focus, and each condition."""
        entry = self._entry
        merged = _inherit(entry, binding) if binding is not entry else binding
        do = _at(merged.do, item)
        light = self._light(merged)
        shows = _at(light.shows, item) if light else ""
        if not do and not merged.state and not shows:
            return  # a gap in a row
        decks = DECK_NAMES if "{focus}" in do + shows else ("",)
        parts = [part.strip() for part in do.split("&")]  # done one after another
        if len(parts) > MAX_PARTS or (len(parts) > 1 and not all(parts)):
            raise Refused(f"{do!r:.80} has {len(parts)} parts", f"write 1 to {MAX_PARTS} controls")
        chord = next(self._found.chords)
        for deck, (number, part) in itertools.product(decks, enumerate(parts)):
            filled = {**words, "focus": deck.removeprefix("deck")}
            path = part
            try:
                path = fill(part, filled)
                base = self._assignment(merged, path, filled, sent)
                lamp = light if number == 0 else None
                shown = fill(shows, filled) if lamp else ""
                self._add(replace(base, chord=chord, light=lamp, shows=shown), merged, deck)
            except Refused as error:
                known = path.partition("=")[0].strip(), part.partition("=")[0].strip()
                line = self._lines.entry(self._number, *known, "do", "state")
                self._found.faults.append(Fault(line, error.message, error.hint))

    def _add(self, base: Assignment, binding: Binding, deck: str) -> None:
        layers = self._found.layers
        focus = Force()
        if deck:
            focus = Force(layers[FOCUS].mask, layers[FOCUS].bits(deck))
        for force in forces(layers, binding.when):
            if force.meets(focus):
                if len(self._found.assignments) >= BINDINGS:
                    raise Refused(f"more than {BINDINGS} bindings", "leave some out")
                self._found.assignments.append(replace(base, force=force & focus))

    def _light(self, binding: Binding) -> Light | None:
        """Return the lamp of a binding: its own, or one of the profile by name."""
        light = binding.light
        if isinstance(light, Light):
            return light
        if light is True:
            return self._document.lights.get("default") or Light()
        if not light:
            return None
        if light not in self._document.lights:
            hint = did_you_mean(light, self._document.lights) or "declare it as [lights.NAME]"
            raise Refused(f'no light "{light:.60}"', hint)
        return self._document.lights[light]

    def _assignment(
        self, binding: Binding, do: str, words: dict[str, Any], sent: str
    ) -> Assignment:
        """Return what a binding does, in all states."""
        place = len(self._found.physicals) - 1
        base = Assignment(place, "light", "", None, "button", Force(), frozenset(binding.when))
        if binding.state:
            if do:
                raise Refused("a binding has both do and state", "write two bindings")
            return self._state(base, binding, words)
        if not do:
            return base
        path, _, text = (part.strip() for part in do.partition("="))
        if LOAD.fullmatch(path):
            if path.partition(".")[0] not in DECK_NAMES:
                raise Refused(f'no deck "{path:.60}"', f"there are {', '.join(DECK_NAMES)}")
            return replace(base, kind="load", path=path, value=1.0)
        control = CONTROLS.get(path)
        if control is None:
            raise Refused(f'no control "{path:.60}"', nearest(path) or "see `sfa describe` for all")
        if isinstance(control, Text) or not (control.settable or isinstance(control, Button)):
            raise Refused(f"{path} can only be read", "bind it as the `shows` of a light")
        value = text or binding.value
        return _bound(base, binding, control, None if value is None else value, self._entry, sent)

    def _state(self, base: Assignment, binding: Binding, words: dict[str, Any]) -> Assignment:
        change = Force()
        said = []
        on_off = True
        for name, template in binding.state.items():
            layer = layer_of(self._found.layers, name)
            state = fill(template, words)
            change &= Force(layer.mask, layer.bits(state))
            on_off &= layer.states == ("off", "on")
            said.append(f"{name} = {state}")
        rule = binding.kind or ("hold" if on_off else "set")
        if rule not in {"hold", "toggle", "set"}:
            raise Refused(f"a state of kind {rule}", "say hold, toggle or set")
        if rule == "hold" and set(binding.when) & set(binding.state):
            raise Refused(
                f"{', '.join(said)} is held while it is not in force", "leave its layer out of when"
            )
        return replace(base, kind="state", path=", ".join(said), change=change, rule=rule)


def _at(value: Any, item: int) -> Any:
    return value[item] if isinstance(value, list) else value


def _inherit(entry: Entry, binding: Binding) -> Binding:
    """Return a binding with what its entry says of all: the lamp, take-over and step."""
    kept = {
        name: getattr(entry, name)
        for name in ("light", "takeover", "step", "ticks", "velocity")
        if getattr(binding, name) is None
    }
    values = {name: getattr(binding, name) for name in Binding.__struct_fields__}
    return Binding(**{**values, **kept, "invert": binding.invert or entry.invert})


def default_kind(control: Control, value: object, encoding: str | None, sent: str) -> str:
    """Return what a press or move does to a control, if the profile does not say it."""
    is_button = encoding == "button" or (encoding is None and sent in {"note", "program"})
    if isinstance(control, Button):
        return "hold" if control.held else "press"
    if value is not None:
        if control.momentary:
            return "hold"
        return "toggle" if _has_off(control) and value != OFF else "press"
    if isinstance(control, Switch):
        return "hold" if control.momentary else "toggle"
    if isinstance(control, Choice):
        return "cycle" if is_button or (encoding is None and sent == "cc") else "set"
    if isinstance(control, Fader) and control.momentary and encoding in _RELATIVE:
        return "bend"
    return "set"


def _bound(
    base: Assignment,
    binding: Binding,
    control: Control,
    said: object,
    entry: Entry,
    sent: str,
) -> Assignment:
    """Return what a binding does to a control of the desk."""
    kind = binding.kind or default_kind(control, said, entry.encoding, sent)
    allowed = _KINDS[kind](control)
    if not allowed:
        raise Refused(f"{control.path} cannot be bound with kind {kind}", _kinds_of(control))
    value = _step(said) if kind == "step" else None if said is None else control.check(said)
    encoding = entry.encoding or _default_encoding(kind, sent)
    _check_encoding(entry, control, kind, encoding, sent, value)
    if kind in {"press", "hold"} and value is None:
        is_counted = isinstance(control, Button) and control.scale != PRESSED
        value = control.scale.rest if is_counted else 1.0
    if kind == "toggle" and (value is None or isinstance(control, Switch)):
        value = 1.0  # on; it goes to 0, off
    start, end = _travel(control, binding)
    step = binding.step or _default_step(control, kind)
    if control.path.endswith(".platter"):
        turn_s = RECORD_TURN_S / (binding.ticks or DEFAULT_TICKS)
        step = turn_s / (control.scale.high - control.scale.low)
    pickup = (
        binding.takeover == "pickup"
        if binding.takeover
        else (
            kind == "set"
            and encoding == "absolute"
            and isinstance(control, Fader)
            and not control.momentary
            and sent in {"cc", "cc14", "nrpn", "pitch"}
        )
    )
    is_hit = isinstance(control, Button) and control.scale.high == 127
    velocity = is_hit if binding.velocity is None else binding.velocity
    if velocity and kind not in {"press", "hold"}:
        raise Refused(f"{control.path} takes no velocity", "leave velocity out")
    return replace(
        base, kind=kind, path=control.path, control=control, encoding=encoding, value=value,
        start=start, end=end, pickup=pickup and encoding == "absolute",
        step=step if encoding in _RELATIVE else 0.0, velocity=velocity,
    )  # fmt: skip


def _step(said: object) -> float:
    """Return by how much a press steps a whole number."""
    try:
        step = int(str(said))
    except ValueError:
        step = 0
    if not 0 < abs(step) <= MAX_STEP:
        raise Refused(f"a step of {said!r:.20}", "write = 1, = -1, or another whole number")
    return float(step)


def _has_off(control: Control) -> bool:
    """Return whether a choice can be off, as `sync`: a button's next press puts it off."""
    return isinstance(control, Choice) and control.options[0] == OFF


_KINDS: dict[str, Callable[[Control], bool]] = {
    "set": lambda c: c.settable,
    "toggle": lambda c: isinstance(c, Switch) or _has_off(c),
    "hold": lambda c: c.settable or c.held,
    "cycle": lambda c: isinstance(c, Choice) or (isinstance(c, Fader) and c.scale.whole),
    "step": lambda c: isinstance(c, Fader) and c.scale.whole,
    "press": lambda _: True,
    "bend": lambda c: isinstance(c, Fader) and c.momentary,
}


def _kinds_of(control: Control) -> str:
    return "it can be " + ", ".join(kind for kind, fits in _KINDS.items() if fits(control))


def _default_encoding(kind: str, sent: str) -> str:
    if kind in _PRESSES:
        return "button"
    return "offset64" if kind == "bend" and sent == "cc" else "absolute"


def _check_encoding(
    entry: Entry, control: Control, kind: str, encoding: str, sent: str, value: float | None
) -> None:
    """Refuse what a message cannot do to a control."""
    # A knob presses once for each step: the value times the steps, the next option or the last.
    has_sides = isinstance(control, Button) and control.scale.low < 0 < control.scale.high
    by_steps = kind == "cycle" or (kind == "press" and has_sides)
    if by_steps and encoding in _RELATIVE and sent == "cc":
        return
    if kind in _PRESSES and encoding != "button":
        raise Refused(f"{control.path} of kind {kind} needs a button", "leave encoding out")
    if kind == "set" and value is not None:
        raise Refused(f"{control.path} is set by travel, not to a value", 'write kind = "press"')
    if kind in {"press", "hold"} and control.settable and value is None:
        is_switch = isinstance(control, Switch)
        if not is_switch:
            raise Refused(f"{control.path} is pressed without a value", f"write {control.path} = …")
    if kind in {"set", "bend"} and encoding == "button":
        raise Refused(f"a button cannot set {control.path}", f'write do = "{control.path} = …"')
    if kind == "set" and sent in {"note", "program"} and entry.encoding is None:
        raise Refused(f"a {sent} cannot set {control.path}", f'write do = "{control.path} = …"')
    if encoding in _RELATIVE and sent != "cc":
        raise Refused(f"{encoding} is for cc, not for {sent}", "leave encoding out")
    if kind == "bend" and encoding not in _RELATIVE:
        raise Refused(f"{control.path} is bent by a relative control", "write its encoding")


def _travel(control: Control, binding: Binding) -> tuple[float, float]:
    start, end = 0.0, 1.0
    if binding.range is not None:
        low, high = (control.check(value) for value in binding.range)
        start, end = control.scale.travel(low), control.scale.travel(high)
        if start == end:
            raise Refused(f"the range of {control.path} is empty", "give it two values")
    return (end, start) if binding.invert else (start, end)


def _default_step(control: Control, kind: str) -> float:
    scale = control.scale
    if kind == "bend":
        return 0.5  # %: half a turn of a jog with 128 ticks a turn pushes a deck by a third
    return 1 / (scale.high - scale.low) if scale.whole else 0.01
