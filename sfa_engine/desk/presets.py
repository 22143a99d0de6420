"""Presets: what a part of the desk is set to, under a name. Pure.

A preset is saved as a JSON object; values are in the units of the controls, true or false for
switches, words for choices. It may have the number of a MIDI program change that recalls it::

    {"version": 1, "program": 5, "values": {"deck1.trim": -3.0, "deck1.eq.low.kill": true,
                                            "crossfader_curve": "power"}}

A preset has settings alone: nothing that a track brings or that moves with it, nothing that is held
or that the engine may refuse, no names.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from fnmatch import fnmatchcase
from typing import Any, NamedTuple

from sfa_engine.desk.control import GROUPS, Choice, Control, Name, Switch, Value
from sfa_engine.desk.desk import CONTROLS, DESK, nearest
from sfa_engine.errors import Refused, did_you_mean

Preset = dict[str, Any]
VERSION = 1
MAX_PROGRAM = 127
MAX_VALUES = 4096  # of a preset
MAX_PATH = 200  # characters of a control's name
# Pages of surfaces that a preset without patterns is of: the mixing desk.
DESK_GROUPS = ("mixer", "eq", "stems", "effects")
_NEVER_GROUPS = frozenset({"recorder", "browse", "session", "hotcue"})
# A track's, or moved by it; `tempo_fader` and `bpm` are other names of `rate`.
_NEVER = frozenset(
    f"deck.{name}"
    for name in (
        *("cue_point", "reverse", "platter", "leader", "tempo_fader", "bpm"),
        *("loop.active", "loop.start", "loop.end"),
    )
)
_SYNC = "deck.sync"
_PATCHES = frozenset(slot.patch.path for unit in DESK.fx.values() for slot in unit.slot.values())
_NUMBER = re.compile(r"\d+")


class LeftOut(NamedTuple):
    """A value of a preset that is not recalled, and why."""

    path: str
    why: str


def _family(path: str) -> str:
    return _NUMBER.sub("", path)


def is_kept(control: Control) -> bool:
    """Return whether a preset may have a control."""
    if not control.settable or control.planned or control.springs_back:
        return False
    if control.group in _NEVER_GROUPS or _family(control.path) in _NEVER:
        return False
    if isinstance(control, Name):
        return control.path in _PATCHES
    return not (control.verb and control.refusable)


KEPT = tuple(path for path, control in CONTROLS.items() if is_kept(control))


def select(patterns: Iterable[str]) -> list[str]:
    """Return the controls of a preset, in the order of the desk.

    Parameters
    ----------
    patterns : iterable of str
        Names of controls, or of sections (``deck1.eq``; ``deck.eq`` of every deck) or pages
        (``effects``), with ``*`` and ``?``; none: the whole mixing desk.

    Raises
    ------
    Refused
        A pattern has no control, or none that a preset may have.
    """
    given = list(patterns)
    if not given:
        return [path for path in KEPT if CONTROLS[path].group in DESK_GROUPS]
    found: set[str] = set()
    for pattern in given:
        matching = [path for path in CONTROLS if _matches(path, pattern)]
        if not matching:
            sections = {part for path in CONTROLS for part in _sections(path)} | set(GROUPS)
            hint = nearest(pattern) or did_you_mean(pattern, sorted(sections))
            raise Refused(f'no control matches "{pattern:.60}"', hint or "see `sfa describe`")
        kept = set(KEPT).intersection(matching)
        if not kept:
            raise Refused(
                f'"{pattern:.60}" cannot be in a preset',
                "positions, loops, hot cues, the list and the recorder are not kept",
            )
        found |= kept
    return [path for path in KEPT if path in found]


def _sections(path: str) -> list[str]:
    words = path.split(".")
    return [".".join(words[:count]) for count in range(1, len(words))]


def _matches(path: str, pattern: str) -> bool:
    if pattern == CONTROLS[path].group:
        return True
    return any(
        name == pattern
        or name.startswith(f"{pattern}.")
        or fnmatchcase(name, pattern)
        or fnmatchcase(name, f"{pattern}.*")
        for name in (path, _family(path))
    )


def to_file(control: Control, value: Value) -> Any:
    """Return a control's value as a preset has it; `Control.check` is the inverse."""
    if isinstance(control, Switch):
        return value != 0.0
    return control.text(value) if isinstance(control, Choice) else control.wire(value)


def known(values: Mapping[str, Any]) -> tuple[dict[str, Value], list[LeftOut]]:
    """Return what can be recalled of a preset's values, and what cannot.

    What can is in the order of the desk, but each deck's `sync` comes first: a deck that follows
    another does not take a `rate`.
    """
    found: dict[str, Value] = {}
    left_out = []
    for path, given in values.items():
        control = CONTROLS.get(path)
        if control is None:
            left_out.append(LeftOut(path, "there is no such control any more"))
        elif not is_kept(control):
            left_out.append(LeftOut(path, "it cannot be in a preset"))
        else:
            try:
                found[path] = control.check(given)
            except Refused as error:
                left_out.append(LeftOut(path, error.message))
    in_order = sorted(filter(found.__contains__, KEPT), key=lambda path: _family(path) != _SYNC)
    return {path: found[path] for path in in_order}, left_out


def check_preset(given: Any) -> Preset:
    """Return a preset whose form is valid, or refuse it; controls that are unknown may stay.

    Raises
    ------
    Refused
        A key is unknown or missing, or a value of the wrong type.
    """
    if not isinstance(given, Mapping):
        raise Refused("a preset is not an object", "see docs/presets.md")
    for key in given:
        if key not in {"version", "program", "values"}:
            hint = did_you_mean(str(key), ("program", "values", "version"))
            raise Refused(f'a preset has no "{key!s:.40}"', hint or "see docs/presets.md")
    version = given.get("version", VERSION)
    if version != VERSION:
        raise Refused(f"a preset of version {version!r:.20}, not {VERSION}", "save it again")
    values = given.get("values")
    if not isinstance(values, Mapping) or not 1 <= len(values) <= MAX_VALUES:
        raise Refused(
            "values of a preset: not an object of controls", f"give 1 to {MAX_VALUES} of them"
        )
    for path, value in values.items():
        if not isinstance(path, str) or len(path) > MAX_PATH:
            raise Refused(f"{path!r:.60} is not a control's name", "see `sfa describe`")
        if value is not None and not isinstance(value, bool | int | float | str):
            raise Refused(f"{path}: {value!r:.60} is not a value", "give a number, a word or true")
    program = given.get("program")
    if program is not None and (type(program) is not int or not 0 <= program <= MAX_PROGRAM):
        raise Refused(
            f"program {program!r:.20} is not a program change", f"give 0 to {MAX_PROGRAM}"
        )
    return {"version": VERSION, "program": program, "values": dict(values)}
