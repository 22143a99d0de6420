"""Writes what was learned into the text of a profile, and leaves its comments. Pure.

A message does one thing: what the profile had it do is taken out, of a row only for that control.
A button gets a lamp, its own note or control change, if its control has a state to show.
"""

from __future__ import annotations

import re
from typing import Any

import tomlkit
from tomlkit.items import AoT, Table

from sfa_engine.desk import Button, Choice, Control, Fader, Switch
from sfa_engine.engine.midi import Encoding, Kind
from sfa_engine.errors import Refused
from sfa_engine.surfaces.midi.assignment import Physical
from sfa_engine.surfaces.midi.lights import has_state
from sfa_engine.surfaces.midi.profile import Profile, parse_profile
from sfa_engine.surfaces.midi.recognise import Learned

MAX_NAME = 40  # characters of a profile's name
MAX_TITLE = 60
ENCODINGS = {
    Encoding.TWOS_COMPLEMENT: "twos",
    Encoding.OFFSET_64: "offset64",
    Encoding.SIGN_BIT: "sign",
}
_KEYS = {
    Kind.NOTE: "note",
    Kind.CONTROL: "cc",
    Kind.PROGRAM: "program",
    Kind.POLY_PRESSURE: "poly",
    Kind.NRPN: "nrpn",
}
_HOLE = re.compile(r"\{(n|i|each)([+-]\d{1,3})?\}")
_PLACE = re.compile(r"\{[ni][+-]?\d*\}|'number'")  # in a lamp: of one place in a row
Entry = dict[str, Any]


def entry_for(control: Control, learned: Learned, value: str, *, light: bool = True) -> Entry:
    """Return the entry of a profile by which what was learned moves or presses a control.

    Parameters
    ----------
    control : Control
    learned : Learned
    value : str
        Where the control stands, in words: a button that is learned for a fader sets it to that.
    light : bool
        Whether a button gets a lamp.

    Raises
    ------
    Refused
        What was moved cannot do that.
    """
    entry: Entry = {"name": learned.words()} | _message(learned)
    entry["channel"] = learned.channel + 1
    has_sides = isinstance(control, Button) and control.scale.low < 0 < control.scale.high
    is_pressed = isinstance(control, Button | Switch)
    if is_pressed and learned.is_relative and not has_sides:  # a beat jump is turned both ways
        raise Refused(
            f"{learned.words()} turns without an end and cannot press {control.path}",
            "learn a button, a pad, or a fader",
        )
    if learned.is_relative:
        entry["encoding"] = ENCODINGS[learned.encoding]
    elif (learned.is_button or is_pressed) and learned.kind not in {Kind.NOTE, Kind.PROGRAM}:
        entry["encoding"] = "button"
        if learned.encoding is Encoding.MSB:  # a fader as a button: its upper half is enough
            entry["cc"] = entry.pop("cc14")
            entry.pop("lsb", None)
    elif isinstance(control, Choice) and not learned.is_button:
        entry["encoding"] = "absolute"
    entry["do"] = control.path
    if isinstance(control, Fader) and learned.is_button:
        entry["do"] = f"{control.path} = {value}"
    has_lamp = learned.is_button and learned.kind in {Kind.NOTE, Kind.CONTROL}
    if light and has_lamp and has_state(control):
        entry["light"] = True
    return entry


def _message(learned: Learned) -> Entry:
    if learned.encoding is Encoding.MSB:
        pair: Entry = {"cc14": learned.number}
        return pair if learned.lsb == learned.number + 32 else pair | {"lsb": learned.lsb}
    if learned.kind is Kind.PITCH_BEND:
        return {"pitch": True}
    if learned.kind is Kind.CHANNEL_PRESSURE:
        return {"pressure": True}
    return {_KEYS[learned.kind]: learned.number}


def new_profile(device: str, taken: set[str]) -> str:
    """Return the text of an empty profile for devices of a name.

    Parameters
    ----------
    device : str
    taken : set of str
        Names of profiles that there are.
    """
    word = re.sub(r"[^a-z0-9]+", "-", device.lower()).strip("-")[:MAX_NAME] or "controller"
    name, number = word, 1
    while name in taken:
        number += 1
        name = f"{word[: MAX_NAME - 4].rstrip('-')}-{number}"
    document = tomlkit.document()
    document["name"] = name
    document["title"] = "".join(c for c in device if c.isprintable())[:MAX_TITLE] or name
    document["source"] = "learned"
    document["certain"] = True
    document["match"] = {"port": f"^{re.escape(device[:100])}"}
    return tomlkit.dumps(document)


def for_device(text: str, device: str, taken: set[str]) -> str:
    """Return a profile for every controller as one for devices of a name alone."""
    document, own = tomlkit.parse(text), tomlkit.parse(new_profile(device, taken))
    for key in ("name", "title", "match"):
        document[key] = own[key]
    return tomlkit.dumps(document)


def with_entry(text: str, entry: Entry, learned: Learned) -> str:
    """Return a profile's text with an entry more.

    Raises
    ------
    Refused
        The profile has that control switch a layer, or is invalid with the entry.
    """
    document = tomlkit.parse(text)
    controls = document.get("control")
    if controls is None:
        controls = document["control"] = tomlkit.aot()
    assert isinstance(controls, AoT)
    freed = _free(controls, parse_profile(text, "the profile"), learned)
    if freed and entry.get("light"):
        entry = entry | {"light": _lamp_of(freed, document.get("lights", {}))}
    names = {str(each["name"]) for each in controls}
    name, number = str(entry["name"])[:MAX_TITLE], 1
    while name in names:
        number += 1
        name = f"{str(entry['name'])[: MAX_TITLE - 4]} {number}"
    table = tomlkit.table()
    for key, value in (entry | {"name": name}).items():
        table[key] = value
    controls.append(table)
    return tomlkit.dumps(document)


def bound_to(profile: Profile, learned: Learned) -> list[str]:
    """Return the paths of the controls that a profile binds what was learned to."""
    found = [
        each.path
        for each in profile.assignments
        if each.kind != "light"
        and not each.is_planned
        and _is_sent(learned, profile.physicals[each.physical])
    ]
    return list(dict.fromkeys(found))


def _is_sent(learned: Learned, physical: Physical) -> bool:
    """Return whether a control of a profile sends what was learned."""
    numbers = {learned.number, learned.lsb} - {-1}
    return any(
        (kind, channel) == (learned.kind, learned.channel) and number in numbers
        for message in physical.messages
        for kind, channel, number in message.keys
    )


def _lamp_of(freed: list[Table], lights: dict[str, Any]) -> bool | str:
    """Return the lamp that a profile gave a control, if it does without its place in a row."""
    for table in freed:
        for each in (table, *table.get("bindings", ())):
            light = each.get("light", False)
            if light is True:
                return True
            if isinstance(light, str) and not _PLACE.search(str(lights.get(light, {}))):
                return str(light)
    return False


def _free(controls: AoT, profile: Profile, learned: Learned) -> list[Table]:
    """Take out what a profile has a message do; return the entries that had it."""
    doomed = set()
    freed = []
    for physical in profile.physicals:
        if not _is_sent(learned, physical):
            continue
        table = controls[physical.entry]
        if any("state" in each for each in (table, *table.get("bindings", ()))):
            raise Refused(
                f'"{physical.name}" switches a layer of the profile {profile.name}',
                "learn another control, or edit the profile",
            )
        freed.append(table)
        count = sum(each.entry == physical.entry for each in profile.physicals)
        if count == 1:
            doomed.add(physical.entry)
        else:
            for each in (table, *table.get("bindings", ())):
                _gap(each, physical.item, count, table.get("each"))
    for place in sorted(doomed, reverse=True):
        del controls[place]
    return freed


def _gap(table: Table, item: int, count: int, each: list[str] | None) -> None:
    """Have one control of a row do nothing."""
    do = table.get("do", "")
    if not do:
        return
    if isinstance(do, list):
        do[item] = ""
        return

    def filled(place: int) -> str:
        words = {"n": place + 1, "i": place, "each": each[place] if each else ""}

        def word(hole: re.Match[str]) -> str:
            value = words[hole[1]]
            return str(value + int(hole[2] or 0) if isinstance(value, int) else value)

        return _HOLE.sub(word, do)

    table["do"] = ["" if place == item else filled(place) for place in range(count)]
