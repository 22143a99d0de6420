"""Bindings of one message: which gives way to which, and what cannot stand together. Pure."""

from __future__ import annotations

import itertools
from collections import defaultdict
from typing import Any

from msgspec.structs import replace

from sfa_engine.engine.midi import BINDINGS, LIGHTS
from sfa_engine.surfaces.midi.assignment import Assignment, Expansion
from sfa_engine.surfaces.midi.faults import Fault, Lines
from sfa_engine.surfaces.midi.layers import FOCUS, Force, cycle

MAX_ON_ONE_MESSAGE = 256  # bindings, in different states


def _by_key(found: Expansion) -> dict[Any, list[int]]:
    """Return the places of the assignments of each message."""
    places: dict[Any, list[int]] = defaultdict(list)
    for place, each in enumerate(found.assignments):
        for message in found.physicals[each.physical].messages:
            for key in message.keys:
                places[key].append(place)
    return places


def fill_in(found: Expansion) -> None:
    """Put what names no state of a layer into its first, where another of its message names one.

    The other must be in force in some state with it: what is bound in bank B is not limited by
    what SHIFT does in bank A. The focus is never filled in: what names no deck is of both.
    """
    more: dict[int, set[str]] = defaultdict(set)
    every = found.assignments
    for same in _by_key(found).values():
        if len(same) > MAX_ON_ONE_MESSAGE or not any(every[place].layers for place in same):
            continue
        for one, other in itertools.permutations(same, 2):
            if every[other].layers and every[one].force.meets(every[other].force):
                more[one] |= every[other].layers
    for place, names in more.items():
        each = every[place]
        force = each.force
        for name in names - each.layers - {FOCUS}:
            layer = found.layers[name]
            force &= Force(layer.mask, layer.bits(layer.states[0]))
        every[place] = replace(each, force=force)


def check(found: Expansion, lines: Lines) -> None:
    """Find bindings of one message that meet, layers in a cycle, and too many of anything."""
    by_key = _by_key(found)
    for places in by_key.values():
        same = [each for p in places if (each := found.assignments[p]).kind != "light"]
        _check_message(found, lines, same)
    if sum(map(len, by_key.values())) > BINDINGS:
        found.faults.append(Fault(0, f"more than {BINDINGS} bindings", "name channels, not any"))
    if sum(each.light is not None for each in found.assignments) > LIGHTS:
        found.faults.append(Fault(0, f"more than {LIGHTS} lights", "leave some out"))
    edges: dict[str, set[str]] = defaultdict(set)
    for each in found.assignments:
        if each.kind == "state":
            changed = {name for name, la in found.layers.items() if la.mask & each.change.mask}
            for name in changed:
                edges[name] |= each.layers - changed - {FOCUS}
    around = cycle(edges)
    if around:
        found.faults.append(
            Fault(
                lines.top("layers"),
                f"layers in a cycle: {' needs '.join(around)}",
                "let one of them be entered from every state",
            )
        )


def _check_message(found: Expansion, lines: Lines, same: list[Assignment]) -> None:
    if len(same) > MAX_ON_ONE_MESSAGE:
        name = found.physicals[same[0].physical].name
        message = f'"{name}" has more than {MAX_ON_ONE_MESSAGE} bindings'
        found.faults.append(Fault(0, message, "leave some out"))
        return
    for number, one in enumerate(same):
        for other in same[:number]:
            if one.chord != other.chord and one.force.meets(other.force):
                mine, theirs = (found.physicals[a.physical] for a in (one, other))
                message = mine.messages[0].text()
                words = f"{message} does two things in one state: {other.path} and {one.path}"
                if mine.name != theirs.name:
                    words = f'"{theirs.name}" and "{mine.name}" are both {message}'
                line = lines.entry(mine.entry, one.path, "do")
                found.faults.append(Fault(line, words, "give one of them another `when`"))
                return
