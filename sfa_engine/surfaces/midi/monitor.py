"""Tells who listens what controllers send, and what that does."""

from __future__ import annotations

import time
from collections import defaultdict

from sfa_engine.engine.midi import Kind, key
from sfa_engine.surfaces.midi.controllers import Controller
from sfa_engine.surfaces.midi.message import Message, hex_text, parse, words
from sfa_engine.surfaces.midi.recognise import DATA, NRPN_LSB, NRPN_MSB
from sfa_engine.surfaces.midi.table import Compiled, StageAction
from sfa_engine.wire.push import Push

METHOD = "midi.message"


class Monitor:
    """Puts messages in words, for clients that listen.

    Attributes
    ----------
    listeners : dict of Push to set of int or None
        Slots that each wants to hear of; None: of all.
    """

    def __init__(self) -> None:
        self.listeners: dict[Push, frozenset[int] | None] = {}
        self._bound: dict[int, tuple[Compiled, dict[int, list[tuple[int, int, int]]]]] = {}
        self._nrpn: dict[tuple[int, int], dict[int, int]] = defaultdict(dict)

    def take(self, controller: Controller, data: bytes, frame: int, state: int) -> None:
        """Tell of a message.

        Parameters
        ----------
        controller : Controller
        data : bytes
            The whole message.
        frame : int
            Engine frame at which it came.
        state : int
            Of the slot, when the message is looked at: a layer may have been left since.
        """
        slot = controller.slot
        wants = [push for push, slots in self.listeners.items() if slots is None or slot in slots]
        if not wants:
            return
        item = {
            "slot": slot,
            "device": controller.title,
            "time": time.time(),
            "frame": frame,
            "hex": hex_text(data),
            "words": words(data),
            "did": self.effect(controller, data, state),
        }
        for push in wants:
            push.put(METHOD, item)

    def effect(self, controller: Controller, data: bytes, state: int) -> list[str]:
        """Return what a message did: ``pad 3 -> deck1.hotcue3.press``."""
        compiled, message = controller.compiled, parse(data)
        if compiled is None or message is None:
            return []
        found = []
        for kind, number in self._numbers(controller.slot, message):
            place = key(controller.slot, kind, message.channel, number)
            for mask, want, action in self._index(controller.slot, compiled).get(place, ()):
                if state & mask == want:
                    found.append(_words(compiled.actions[action], message))
        return [each for each in dict.fromkeys(found) if each]

    def _numbers(self, slot: int, message: Message) -> list[tuple[Kind, int]]:
        """Return what a message may be bound as: a data entry is its NRPN's."""
        seen = self._nrpn[slot, message.channel]
        if message.kind is Kind.CONTROL and message.number in {NRPN_LSB, NRPN_MSB}:
            seen[message.number] = message.value
        plain = (message.kind, message.number)
        if message.kind is Kind.CONTROL and message.number == DATA and len(seen) == 2:
            return [(Kind.NRPN, seen[NRPN_MSB] << 7 | seen[NRPN_LSB]), plain]
        return [plain]

    def _index(self, slot: int, compiled: Compiled) -> dict[int, list[tuple[int, int, int]]]:
        """Return mask, want and action of the bindings of each key."""
        known = self._bound.get(slot)
        if known is not None and known[0] is compiled:
            return known[1]
        index: dict[int, list[tuple[int, int, int]]] = defaultdict(list)
        fields = ("key", "mask", "want", "number")
        for place, mask, want, number in compiled.bindings[list(fields)].tolist():
            index[place].append((mask, want, number))
        self._bound[slot] = compiled, index
        return index


def _words(action: StageAction, message: Message) -> str:
    """Return what an action does, in words; nothing of the release of what only acts on press."""
    held = {"hold", "state", "set", "bend"}
    if not message.value and message.kind is Kind.NOTE and action.kind not in held:
        return ""
    does = "" if action.kind in {"set", "load"} else f" ({action.kind})"
    if action.kind == "press":
        does = ""
    return f"{action.input} -> {action.path}{does}"
