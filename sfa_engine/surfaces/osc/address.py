"""Map OSC addresses to controls. Pure.

=================================== =======================================================
address                             argument
=================================== =======================================================
``/deck1/stem/vocals/volume``       value in the control's unit, or a word; none queries it
``/n/deck1/stem/vocals/volume``     0 to 1: travel of a fader, by its scale
``/deck1/hotcue1/press``            none, or not 0: pressed; 0 releases a button that is held
``/stem/1/volume``, ``/bpm`` …      the same on the deck that `session.focus` names
=================================== =======================================================

Numbers travel as 32-bit floats; a value that this rounds past the end of a range is the end.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from sfa_engine.desk import CONTROLS, DECK_NAMES, Button, Control, Fader, Meter, Text, Value, find
from sfa_engine.desk.control import ENDLESS
from sfa_engine.desk.deck import MOVING
from sfa_engine.desk.scale import NOT_SET
from sfa_engine.errors import Refused

Kind = Literal["value", "button", "reading"]

TRAVEL = "/n"
MAX_TEXT = 200  # characters of a text sent: six of them fit a datagram
STEMS = ("vocals", "drums", "bass", "other", "guitar", "piano")  # of /stem/1 to /stem/6
FLOAT32_STEP = 2.0**-22  # relative: two roundings of a 24-bit mantissa


@dataclass(frozen=True, slots=True)
class Target:
    """The control that an address names.

    Attributes
    ----------
    is_travel : bool
        Whether the argument is the travel of a fader.
    is_continuous : bool
        Whether only the last of several consecutive values matters.
    low, high : float
        Range in which an argument may be set unchecked; reversed where none may.
    """

    address: str
    path: str
    control: Control
    kind: Kind
    is_travel: bool
    is_continuous: bool
    low: float
    high: float


def address_of(path: str, *, travel: bool = False) -> str:
    """Return a control's address."""
    return (TRAVEL if travel else "") + "/" + path.replace(".", "/")


def path_of(address: str) -> str:
    """Return the control path that an address would have."""
    return address.removeprefix(TRAVEL + "/").strip("/").replace("/", ".")


def has_travel(control: Control) -> bool:
    """Return whether a control has a travel address: whether its range has two ends."""
    is_endless = isinstance(control, Meter) and control.scale.high >= ENDLESS
    return not isinstance(control, Button | Text) and not is_endless


def _target(address: str, control: Control, *, travel: bool) -> Target:
    kind: Kind = (
        "button"
        if isinstance(control, Button)
        else "value"
        if control.settable
        else "reading"
    )  # fmt: skip
    scale = control.scale
    low, high = (0.0, 1.0) if travel else (scale.low, scale.high)
    if not travel and (scale.whole or scale.optional):
        low, high = math.inf, -math.inf
    is_fader = isinstance(control, Fader)
    return Target(address, control.path, control, kind, travel, is_fader, low, high)


def _targets() -> Iterator[Target]:
    for path, control in CONTROLS.items():
        if not control.planned:
            yield _target(address_of(path), control, travel=False)
            if has_travel(control):
                yield _target(address_of(path, travel=True), control, travel=True)


def _aliases(deck: str) -> Iterator[Target]:
    for number, stem in enumerate(STEMS, 1):
        for name in ("volume", "mute", "solo"):
            control = CONTROLS[f"{deck}.stem.{stem}.{name}"]
            yield _target(f"/stem/{number}/{name}", control, travel=name == "volume")
    yield _target("/bpm", CONTROLS[f"{deck}.bpm"], travel=False)
    yield _target("/track/title", CONTROLS[f"{deck}.title"], travel=False)


TARGETS: dict[bytes, Target] = {target.address.encode(): target for target in _targets()}
# By the index of `session.focus`.
ALIASES: tuple[dict[bytes, Target], ...] = tuple(
    {target.address.encode(): target for target in _aliases(deck)} for deck in DECK_NAMES
)
CONTINUOUS = frozenset(
    address
    for table in (TARGETS, ALIASES[0])
    for address, target in table.items()
    if target.is_continuous
)
assert not set(TARGETS) & set(ALIASES[0])


def refusal(address: str) -> Refused:
    """Return the error for an unknown address."""
    first, _, rest = address.lstrip("/").partition("/")
    if first == "stem":
        return Refused(
            f'no stem "{rest.partition("/")[0]:.20}"', f"stems 1 to 6 are {', '.join(STEMS)}"
        )
    try:
        control = find(path_of(address))
    except Refused as error:
        return error
    return Refused(f"{control.path} has no travel", f"use {address_of(control.path)}")


# ---------------------------------------------------------------------- in


def value_of(target: Target, arguments: Sequence[Any]) -> Any:
    """Return the value that a message sets, as the conductor expects it.

    Raises
    ------
    Refused
        Not exactly one argument, or neither a finite number in range nor a known word.
    """
    control, scale = target.control, target.control.scale
    if len(arguments) != 1:
        raise Refused(f"{len(arguments)} arguments", "send one")
    value = arguments[0]
    if target.is_travel:
        travel = _number(value)
        if not -FLOAT32_STEP <= travel <= 1 + FLOAT32_STEP:
            raise Refused(f"{travel:.10g} is out of range", "send the travel, from 0 to 1")
        return scale.value(travel)
    if value is None and scale.optional:
        return NOT_SET
    if isinstance(value, str):
        return control.check(value)
    number = _number(value)
    if not scale.low <= number <= scale.high:
        for end in (scale.low, scale.high):
            if math.isclose(number, end, rel_tol=FLOAT32_STEP):
                return end
    return control.check(number)


def press_of(target: Target, arguments: Sequence[Any]) -> float | None:
    """Return the number that a message presses a button with; None for a release.

    A button without a number of its own is pressed by any number but 0.

    Raises
    ------
    Refused
        The argument is not a number in the button's range.
    """
    control = target.control
    if not arguments:
        return control.scale.rest
    number = _number(arguments[0]) if not isinstance(arguments[0], str) else None
    if number is None:
        return control.check(arguments[0])
    if number == 0:
        return 0.0 if control.held else None
    if not control.range_text():
        return 1.0
    return control.check(number)


def _number(value: Any) -> float:
    """Return an argument as a finite number."""
    if isinstance(value, bool | int | float):
        number = float(value) if abs(value) < 1e300 else math.inf
        if math.isfinite(number):
            return number
        raise Refused("not a finite number")
    raise Refused(f"{type(value).__name__} is not a number", "send one")


# ---------------------------------------------------------------------- out


def _padded(text: str) -> bytes:
    data = text.encode("utf-8", "replace").replace(b"\0", b"")
    return data + b"\0" * (4 - len(data) % 4)


def message(address: str, *arguments: float | str | None) -> bytes:
    """Return an OSC message: whole numbers as int32 where they fit, others as float32."""
    tags, data = ",", b""
    for value in arguments:
        if isinstance(value, str):
            tags, data = tags + "s", data + _padded(value)
        elif value is None:
            tags += "N"
        elif isinstance(value, bool):
            tags += "T" if value else "F"
        elif isinstance(value, int):
            wide = not -(1 << 31) <= value < 1 << 31
            tags += "h" if wide else "i"
            data += struct.pack(">q" if wide else ">i", value)
        else:
            tags, data = tags + "f", data + struct.pack(">f", value)
    return _padded(address) + _padded(tags) + data


class Sender:
    """Builds the messages with a control's value; most are a header and four bytes.

    Parameters
    ----------
    address : str
    control : Control
    travel : bool
        Whether to send the travel.
    """

    __slots__ = ("_control", "_head", "address", "travel")

    def __init__(self, address: str, control: Control, *, travel: bool) -> None:
        self.address = address
        self.travel = travel
        self._control = control
        self._head = _padded(address) + b",f\0\0"

    def message(self, value: Value) -> bytes:
        """Return the message for a value; empty for the travel of an unset control."""
        scale = self._control.scale
        if isinstance(value, str):
            return message(self.address, value[:MAX_TEXT])
        if scale.optional and value == NOT_SET:
            return b"" if self.travel else message(self.address, None)
        if self.travel:
            return self._head + struct.pack(">f", scale.travel(value))
        if scale.whole:
            return message(self.address, int(value))
        return self._head + struct.pack(">f", value)


UNIT_SENDERS = {
    t.path: Sender(t.address, t.control, travel=False)
    for t in TARGETS.values()
    if t.kind != "button" and not t.is_travel
}
TRAVEL_SENDERS = {
    t.path: Sender(t.address, t.control, travel=True) for t in TARGETS.values() if t.is_travel
}
ALIAS_SENDERS = tuple(
    {t.path: Sender(t.address, t.control, travel=t.is_travel) for t in table.values()}
    for table in ALIASES
)
# Readings change without a notification and have to be polled.
READINGS = tuple(
    path
    for path in UNIT_SENDERS
    if isinstance(CONTROLS[path], Meter) and CONTROLS[path].owner == "engine"
)
POSITIONS = tuple(f"{deck}.{name}" for deck in DECK_NAMES for name in MOVING)
