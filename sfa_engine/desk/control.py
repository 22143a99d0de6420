"""Controls, and the sections they stand in.

A control is a frozen record. A section is a class whose attributes are controls and further
sections; an *instance* of it renames each with its own path. That is one loop, in
`Section.__init__`: no metaclass, no registry.

======== ===================================== ==================
control  what a hand does                      engine
======== ===================================== ==================
Fader    moves it; it stays, and glides        value
Switch   turns it on or off                    value 0 or 1
Choice   turns it to one of some words         value, the index
Button   presses it, perhaps with a number     command
Meter    looks at it                           reading
======== ===================================== ==================
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar, Generic, TypeVar

from sfa_engine.desk.scale import NOT_SET, Scale, count
from sfa_engine.errors import Refused, did_you_mean

GLIDE_S = 0.005  # 5 ms: the shortest fade of a full-scale tone that nobody hears as a click
ENDLESS = 1e6  # a range that ends here or later only says that numbers are finite
ON_OFF = Scale("", 0, 1, 0, whole=True)
PRESSED = count(0, 1, 1)


@dataclass(frozen=True)
class Control:
    """What every control has.

    Parameters
    ----------
    sentence : str
        What it does, in one sentence that stands in every document.
    scale : Scale
        Unit, range, rest and taper.
    planned : bool
        Declared so that its name is stable; refused until its sound is built.
    glide : float
        Seconds that a change takes. 0 is at once.
    path : str
        Full name, as in the protocol and the journal: ``deck1.stem.vocals.volume``.
    """

    kind: ClassVar[str] = "control"

    sentence: str
    scale: Scale = ON_OFF
    planned: bool = field(default=False, kw_only=True)
    glide: float = field(default=0.0, kw_only=True)
    path: str = field(default="", kw_only=True)

    @property
    def settable(self) -> bool:
        """Whether it holds a value that may be set."""
        return False

    def told(self) -> dict[str, Any]:
        """Return all that programs need to know of it, as plain values."""
        scale = self.scale
        return {
            "path": self.path,
            "kind": self.kind,
            "sentence": self.sentence,
            "unit": scale.unit,
            "low": scale.low,
            "high": scale.high,
            "rest": self.wire(scale.rest),
            "optional": scale.optional,
            "taper": scale.taper,
            "planned": self.planned,
        }

    def range_text(self) -> str:
        """Return what may be set, pressed or read, in words."""
        scale = self.scale
        low = "off" if scale.law == "gain" else f"{scale.low:.10g}"
        if scale.high >= ENDLESS and scale.low <= -ENDLESS:
            return f"any number of {scale.unit}"
        if scale.high >= ENDLESS:
            return f"{low} and more {scale.unit}".rstrip()
        return f"{low} to {scale.high:.10g} {scale.unit}".rstrip()

    def text(self, value: float) -> str:
        """Return a value as a person reads it."""
        return self.scale.text(value)

    def wire(self, value: float) -> float | None:
        """Return a value as it goes to clients: None where none is set."""
        return None if self.scale.optional and value == NOT_SET else value

    def parse(self, text: str) -> float:
        """Return the value that a text means, or refuse it."""
        return self.scale.parse(text)

    def check(self, value: Any) -> float:
        """Return the number for a value that came from outside, or refuse it by name."""
        try:
            return self.parse(value) if isinstance(value, str) else self.scale.check(value)
        except Refused as error:
            raise Refused(f"{self.path}: {error.message}", error.hint) from None


@dataclass(frozen=True)
class Fader(Control):
    """A value that stays where it is put."""

    kind = "fader"
    glide: float = field(default=GLIDE_S, kw_only=True)

    @property
    def settable(self) -> bool:
        return True


@dataclass(frozen=True)
class Switch(Control):
    """On or off."""

    kind = "switch"

    @property
    def settable(self) -> bool:
        return True

    def range_text(self) -> str:
        return "on, off"

    def text(self, value: float) -> str:
        return "on" if value >= 0.5 else "off"

    def parse(self, text: str) -> float:
        words = {"on": 1.0, "off": 0.0, "1": 1.0, "0": 0.0, "true": 1.0, "false": 0.0}
        try:
            return words[text.strip().lower()]
        except KeyError:
            raise Refused(f'"{text:.60}" is neither on nor off', "say on or off") from None

    def check(self, value: Any) -> float:
        return float(value) if isinstance(value, bool) else super().check(value)


@dataclass(frozen=True)
class Choice(Control):
    """One of some words; the value is the word's index."""

    kind = "choice"
    options: tuple[str, ...] = field(default=(), kw_only=True)
    rest: str = field(default="", kw_only=True)

    def __post_init__(self) -> None:
        rest = self.options.index(self.rest) if self.rest else 0
        object.__setattr__(self, "scale", count(0, len(self.options) - 1, rest))

    @property
    def settable(self) -> bool:
        return True

    def told(self) -> dict[str, Any]:
        return {**super().told(), "options": list(self.options)}

    def range_text(self) -> str:
        return ", ".join(self.options)

    def text(self, value: float) -> str:
        return self.options[int(value)]

    def parse(self, text: str) -> float:
        word = text.strip().lower()
        if word in self.options:
            return float(self.options.index(word))
        raise Refused(
            f'"{text:.60}" is not one of {", ".join(self.options)}',
            did_you_mean(word, self.options),
        )


@dataclass(frozen=True)
class Button(Control):
    """Something that happens when it is pressed. A held button is pressed with 1, let go with 0."""

    kind = "button"
    scale: Scale = PRESSED

    def range_text(self) -> str:
        return "" if self.scale == PRESSED else super().range_text()


@dataclass(frozen=True)
class Meter(Control):
    """A reading that the engine gives; anybody may look, nobody may set it."""

    kind = "meter"


Key = TypeVar("Key", bound=Hashable)
Part = TypeVar("Part", bound="Section")


class Each(Mapping[Key, Part], Generic[Key, Part]):
    """The same section several times: ``deck1``, ``deck2``; ``stem.vocals``, ``stem.drums``.

    Parameters
    ----------
    keys : iterable of int or str
        Numbers are written onto the name, words behind a dot.
    section : type of Section
        What each of them is.
    """

    def __init__(self, keys: Iterable[Key], section: type[Part], path: str = "") -> None:
        self.section = section
        self._parts = {
            key: section(f"{path}{key}" if isinstance(key, int) else f"{path}.{key}")
            for key in keys
        }

    def at(self, path: str) -> Each[Key, Part]:
        """Return the same, under a path."""
        return Each(self._parts, self.section, path)

    def __getitem__(self, key: Key) -> Part:
        return self._parts[key]

    def __iter__(self) -> Iterator[Key]:
        return iter(self._parts)

    def __len__(self) -> int:
        return len(self._parts)


class Section:
    """A part of the desk. Its class declares; an instance carries the paths."""

    def __init__(self, path: str = "") -> None:
        self.path = path
        for name, part in self.declared():
            below = f"{path}.{name}" if path else name
            bound: Any
            if isinstance(part, Control):
                bound = replace(part, path=below)
            elif isinstance(part, Each):
                bound = part.at(below)
            else:
                bound = type(part)(below)
            setattr(self, name, bound)

    @classmethod
    def declared(cls) -> Iterator[tuple[str, Control | Section | Each[Any, Any]]]:
        """Yield each name and what stands there, in the order of the declaration."""
        for name, part in vars(cls).items():
            if isinstance(part, Control | Section | Each):
                yield name, part

    def controls(self) -> Iterator[Control]:
        """Yield every control of this section and below, in order."""
        for name, _ in self.declared():
            part = getattr(self, name)
            if isinstance(part, Control):
                yield part
            elif isinstance(part, Section):
                yield from part.controls()
            else:
                for section in part.values():
                    yield from section.controls()
