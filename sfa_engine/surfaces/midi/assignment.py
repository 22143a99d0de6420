"""What a profile says, expanded: physical controls, and what each does in which states."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass, field

import msgspec

from sfa_engine.desk import Control
from sfa_engine.engine.midi import Kind
from sfa_engine.surfaces.midi.document import Light
from sfa_engine.surfaces.midi.faults import Fault
from sfa_engine.surfaces.midi.layers import ALWAYS, Force, Layer


@dataclass(frozen=True)
class Message:
    """What a control sends; `channel` counts from 0, `lsb` is the other half of a pair."""

    kind: Kind
    channel: int
    number: int
    lsb: int | None = None

    @property
    def keys(self) -> list[tuple[Kind, int, int]]:
        """Kind, channel and number of each half."""
        numbers = [self.number] if self.lsb is None else [self.number, self.lsb]
        return [(self.kind, self.channel, number) for number in numbers]

    def text(self) -> str:
        """Return the message as a person reads it: ``note 36 ch 10``."""
        words = {
            Kind.NOTE: f"note {self.number}",
            Kind.CONTROL: f"CC {self.number}" + (f"/{self.lsb}" if self.lsb is not None else ""),
            Kind.NRPN: f"NRPN {self.number}",
            Kind.PROGRAM: f"program {self.number}",
            Kind.POLY_PRESSURE: f"pressure {self.number}",
            Kind.PITCH_BEND: "pitch bend",
            Kind.CHANNEL_PRESSURE: "pressure",
        }
        return f"{words[self.kind]} ch {self.channel + 1}"


@dataclass(frozen=True)
class Physical:
    """One physical control: name, place in its entry, and its messages, one a channel."""

    name: str
    entry: int
    item: int
    messages: tuple[Message, ...]


class Assignment(msgspec.Struct, frozen=True):  # a profile replaces thousands; 5x as quick
    """What one physical control does while it is in force.

    Attributes
    ----------
    kind : str
        ``set toggle hold cycle step press bend``, ``state``, ``load``, or ``light``: only its lamp.
    path : str
        Of the control, or ``deck1.load``; ``bank = B`` of a state.
    control : Control or None
        Of the desk; it may be planned.
    value : float or None
        What a press or hold sets.
    change : Force
        State bits that it sets, of a state.
    shows : str
        What its lamp shows.
    chord : int
        Number of its binding, which may do several things at once.
    """

    physical: int
    kind: str
    path: str
    control: Control | None
    encoding: str
    force: Force
    layers: frozenset[str]
    value: float | None = None
    change: Force = ALWAYS
    start: float = 0.0
    end: float = 1.0
    pickup: bool = False
    step: float = 0.0
    velocity: bool = False
    rule: str = "set"
    light: Light | None = None
    shows: str = ""
    chord: int = 0

    @property
    def is_planned(self) -> bool:
        """Whether the desk has not built it yet."""
        return self.control is not None and self.control.planned


@dataclass
class Expansion:
    """All that a profile says."""

    layers: dict[str, Layer] = field(default_factory=dict)
    physicals: list[Physical] = field(default_factory=list)
    assignments: list[Assignment] = field(default_factory=list)
    faults: list[Fault] = field(default_factory=list)
    chords: Iterator[int] = field(default_factory=itertools.count)
