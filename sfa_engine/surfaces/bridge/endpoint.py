"""Parse the ends of a route. Pure.

::

    midi:DEVICE cc 7 ch 1        cc, cc14, note, bend, pressure, program; without ch: any, or 1
    midi:DEVICE all              every message as it is, to another `all`
    osc:/fader/1 0..127          every peer; the first argument, 0..1 by default
    osc:192.168.1.5:9000/x       one peer
    control:deck1.eq.low.gain    travel of a control; with `unit` after it, its value
    control:focus.stem.bass.mute of the deck that `session.focus` names
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass

from sfa_engine.desk import DECK_NUMBERS, Text, find
from sfa_engine.errors import Refused

MAX_TEXT = 400  # characters of an end
KINDS = ("all", "bend", "cc", "cc14", "note", "pressure", "program")
NUMBERED = {"cc": 127, "cc14": 31, "note": 127}  # kind -> highest number
FOCUS = "focus."
ANY_CHANNEL = 0
_MIDI = re.compile(r"(?P<device>.+?) +(?P<kind>[a-z0-9]+)(?: +(?P<number>\d{1,3}))?"
                   r"(?: +ch +(?P<channel>\d{1,2}))?", re.ASCII)  # fmt: skip
_OSC = re.compile(r"(?P<peer>[^/\s]*)(?P<address>/[!-~]*)(?: +(?P<range>\S+))?")
_CONTROL = re.compile(r"(?P<path>[a-z0-9_.]+)(?P<unit> +unit)?", re.ASCII)
_RESERVED = set("#*,?[]{}")  # of OSC's patterns
_RANGE = re.compile(r"(-?\d{1,9}(?:\.\d{1,9})?)\.\.(-?\d{1,9}(?:\.\d{1,9})?)", re.ASCII)


@dataclass(frozen=True)
class Midi:
    """A message of a device. `channel` counts from 1; 0: any."""

    device: str
    kind: str
    number: int = 0
    channel: int = ANY_CHANNEL

    @property
    def step(self) -> float:
        """Smallest change of travel."""
        return 1 / (16383 if self.kind in {"bend", "cc14"} else 127)

    def __str__(self) -> str:
        number = f" {self.number}" if self.kind in NUMBERED else ""
        channel = f" ch {self.channel}" if self.channel else ""
        return f"midi:{self.device} {self.kind}{number}{channel}"


@dataclass(frozen=True)
class Osc:
    """The first argument of a message, `low` to `high`."""

    peer: str
    address: str
    low: float = 0.0
    high: float = 1.0
    step = 1e-6

    def __str__(self) -> str:
        peer = "" if self.peer == "*" else self.peer
        low, high = (f"{each:.9f}".rstrip("0").rstrip(".") for each in (self.low, self.high))
        span = "" if (self.low, self.high) == (0.0, 1.0) else f" {low}..{high}"
        return f"osc:{peer}{self.address}{span}"


@dataclass(frozen=True)
class Desk:
    """A control, by its travel or by its value."""

    path: str
    in_unit: bool = False
    step = 1e-6

    def __str__(self) -> str:
        return f"control:{self.path}{' unit' if self.in_unit else ''}"


End = Midi | Osc | Desk


def parse_end(text: str) -> End:
    """Parse an end of a route.

    Raises
    ------
    Refused
        The syntax is invalid, or a control is unknown.
    """
    if len(text) > MAX_TEXT or not text.isprintable():
        raise Refused(f"route: {text!r:.80} is too long, or has characters that do not print")
    kind, _, rest = text.strip().partition(":")
    if kind == "midi":
        return _parse_midi(text, rest.strip())
    if kind == "osc":
        return _parse_osc(text, rest.strip())
    if kind == "control":
        return _parse_control(text, rest.strip())
    raise Refused(f'route: "{text:.80}"', "begin it with midi:, osc: or control:")


def _parse_midi(text: str, rest: str) -> Midi:
    found = _MIDI.fullmatch(rest)
    if found is None:
        raise Refused(f'route: "{text:.80}"', "write midi:DEVICE cc 7 ch 1")
    kind = found["kind"]
    if kind not in KINDS:
        raise Refused(f'route: "{kind:.20}" is not a MIDI message', f"give {', '.join(KINDS)}")
    if (found["number"] is None) is (kind in NUMBERED):
        remedy = f"a number from 0 to {NUMBERED[kind]}" if kind in NUMBERED else "no number"
        raise Refused(f'route: "{text:.80}"', f"{kind} has {remedy}")
    number = int(found["number"] or 0)
    if number > NUMBERED.get(kind, 0):
        raise Refused(f"route: {kind} {number}", f"give one from 0 to {NUMBERED[kind]}")
    channel = ANY_CHANNEL if found["channel"] is None else int(found["channel"])
    if found["channel"] is not None and not 1 <= channel <= 16:
        raise Refused(f"route: channel {channel}", "give one from 1 to 16")
    return Midi(found["device"], kind, number, channel)


def _parse_osc(text: str, rest: str) -> Osc:
    found = _OSC.fullmatch(rest)
    if found is None or len(found["address"]) < 2 or _RESERVED & set(found["address"]):
        raise Refused(f'route: "{text:.80}"', "write osc:/address, or osc:HOST:PORT/address")
    peer, address = found["peer"] or "*", found["address"]
    if found["range"] is None:
        return Osc(peer, address)
    ends = _RANGE.fullmatch(found["range"])
    low, high = (float(ends[1]), float(ends[2])) if ends else (0.0, 0.0)
    if low == high:
        raise Refused(f"route: {found['range']!r:.40} is not a range", "write 0..127")
    return Osc(peer, address, low, high)


def _parse_control(text: str, rest: str) -> Desk:
    found = _CONTROL.fullmatch(rest)
    if found is None:
        raise Refused(f'route: "{text:.80}"', "write control:deck1.fader")
    path = found["path"]
    for each in paths_of(path):
        control = find(each)  # its error suggests a name
        if isinstance(control, Text) or not control.settable:
            raise Refused(f"route: {each} has no value to set", "name a fader, switch or choice")
    return Desk(path, found["unit"] is not None)


def paths_of(path: str) -> list[str]:
    """Return the controls that an end names: of every deck if it names the focused one."""
    if path.startswith(FOCUS):
        return [f"deck{number}.{path.removeprefix(FOCUS)}" for number in DECK_NUMBERS]
    return [path]


def number_of(argument: object) -> float | None:
    """Return an OSC argument as a finite number; None for any other."""
    if not isinstance(argument, int | float):
        return None
    try:
        number = float(argument)
    except OverflowError:
        return None
    return number if math.isfinite(number) else None


def travel_of(end: Osc, number: float) -> float:
    """Return the position of a number in an end's range, 0..1."""
    return min(1.0, max(0.0, (number - end.low) / (end.high - end.low)))
