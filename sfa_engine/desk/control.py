"""Controls, and the sections that declare them.

A control is a frozen record. A section is a class whose attributes are controls and further
sections; an *instance* of it gives each its path, label, group, order and colour. That is one
loop, in `Section.__init__`: no metaclass, no registry.

======== ===================================== ==================
control  what a hand does                      engine
======== ===================================== ==================
Fader    moves it; it stays, and glides        value
Switch   turns it on or off                    value 0 or 1
Choice   selects one of its options            value, the index
Button   presses it, perhaps with a number     command
Meter    reads it                              reading
Text     reads it, in words                    none
Name     writes it, in words                   none
Color    writes it, as #rrggbb                 none
======== ===================================== ==================

A control is owned by the engine, whose memory keeps it when the stage dies, or by the
stage, which keeps it in no file.
"""

from __future__ import annotations

import re
from collections.abc import Hashable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar, Generic, Literal, TypeVar

from sfa_engine.desk.scale import NOT_SET, Scale, count
from sfa_engine.errors import Refused, did_you_mean

Owner = Literal["engine", "stage"]
Value = float | str  # of a control in its unit; of a text

MAX_NAME = 200  # characters of a text that may be set: as many as the library keeps
_COLOR = re.compile("#[0-9a-f]{6}")
_SURROGATE = re.compile("[\ud800-\udfff]")
MAX_LABEL = 8  # characters: what a pad, a strip's display or a phone's button has room for
GROUPS = (
    "transport", "tempo", "loop", "hotcue", "stems", "eq", "mixer", "effects", "sampler",
    "recorder", "clock", "browse", "session", "engine",
)  # fmt: skip
# Hue means stem, red means harm or recording; everything else is neutral. The stems' hues stay
# apart for every kind of colour blindness.
COLORS = {
    "neutral": "#f3f5f7",
    "alert": "#ff5478",
    "vocals": "#ffd91f",
    "drums": "#ff5a2e",
    "bass": "#2f86ff",
    "other": "#2bf0cf",
    "guitar": "#b07cb8",
    "piano": "#7cc4ff",
    "mix": "#a8ada3",
}
CENTRE = 0.5  # of a control's travel
GLIDE_S = 0.005  # 5 ms: the shortest fade of a full-scale tone without an audible click
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
    verb : str
        Kernel function that does what the control asks for; empty where its value is just stored.
    refusable : bool
        Whether the kernel may refuse the verb, so that its answer is worth waiting for.
    held : bool
        Whether a button also acts on its release: pressed with 1, released with 0.
    momentary : bool
        Whether it springs back when it is let go, as a button does.
    label : str
        At most 8 characters, unique within its section; of the name if left out.
    group : str
        Page of a surface, one of `GROUPS`; of the section if left out.
    order : int
        Place among the controls of its section.
    color : str
        One of `COLORS`; of the stem if left out.
    owner : {"engine", "stage"}
        Who holds it; of the section if left out.
    path : str
        Full name, as in the protocol and the journal: ``deck1.stem.vocals.volume``.
    """

    kind: ClassVar[str] = "control"

    sentence: str
    scale: Scale = ON_OFF
    planned: bool = field(default=False, kw_only=True)
    glide: float = field(default=0.0, kw_only=True)
    verb: str = field(default="", kw_only=True)
    refusable: bool = field(default=True, kw_only=True)
    held: bool = field(default=False, kw_only=True)
    momentary: bool = field(default=False, kw_only=True)
    label: str = field(default="", kw_only=True)
    group: str = field(default="", kw_only=True)
    order: int = field(default=0, kw_only=True)
    color: str = field(default="", kw_only=True)
    owner: Owner | None = field(default=None, kw_only=True)
    path: str = field(default="", kw_only=True)

    @property
    def settable(self) -> bool:
        """Whether it holds a value that may be set."""
        return False

    @property
    def springs_back(self) -> bool:
        """Whether it is held: who moves or presses it also lets it go."""
        return self.held or (self.momentary and self.settable)

    @property
    def detent(self) -> float | None:
        """Travel at which a hand should feel its rest: 0.5 where it rests in the middle."""
        return None

    def to_dict(self) -> dict[str, Any]:
        """Return all that a client needs to show it, and to format, map and set its value."""
        scale = self.scale
        return {
            "path": self.path,
            "kind": self.kind,
            "sentence": self.sentence,
            "label": self.label,
            "group": self.group,
            "order": self.order,
            "color": self.color,
            "unit": scale.unit,
            "low": scale.low,
            "high": scale.high,
            "rest": self.wire(scale.rest),
            "optional": scale.optional,
            "whole": scale.whole,
            "digits": scale.decimals,
            "law": scale.law,
            "taper": scale.taper,
            "detent": self.detent,
            "glide": self.glide,
            "held": self.held,
            "momentary": self.momentary,
            "settable": self.settable,
            "options": [],
            "owner": self.owner,
            "verb": self.verb,
            "refusable": self.refusable,
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

    def text(self, value: Any) -> str:
        """Return a value as a person reads it."""
        return self.scale.text(value)

    def wire(self, value: Any) -> Any:
        """Return a value as it goes to clients: None where it is not set."""
        return None if self.scale.optional and value == NOT_SET else value

    def parse(self, text: str) -> float:
        """Return the value of a text, or refuse it."""
        return self.scale.parse(text)

    def check(self, value: Any) -> float:
        """Return the number of a value from outside, or refuse it by name."""
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

    @property
    def detent(self) -> float | None:
        scale = self.scale
        rests_in_the_middle = not scale.optional and scale.travel(scale.rest) == CENTRE
        return CENTRE if rests_in_the_middle else None


@dataclass(frozen=True)
class Switch(Control):
    """On or off."""

    kind = "switch"

    @property
    def settable(self) -> bool:
        return True

    def range_text(self) -> str:
        return "on, off"

    def text(self, value: Any) -> str:
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
    """One of its options; the value is the option's index."""

    kind = "choice"
    options: tuple[str, ...] = field(default=(), kw_only=True)
    rest: str = field(default="", kw_only=True)

    def __post_init__(self) -> None:
        rest = self.options.index(self.rest) if self.rest else 0
        object.__setattr__(self, "scale", count(0, len(self.options) - 1, rest))

    @property
    def settable(self) -> bool:
        return True

    def to_dict(self) -> dict[str, Any]:
        return {**super().to_dict(), "options": list(self.options)}

    def range_text(self) -> str:
        return ", ".join(self.options)

    def text(self, value: Any) -> str:
        return self.options[int(value)]

    def parse(self, text: str) -> float:
        word = text.strip().lower()
        for index, option in enumerate(self.options):
            if word in {option, option.removesuffix("%")}:
                return float(index)
        raise Refused(
            f'"{text:.60}" is not one of {", ".join(self.options)}',
            did_you_mean(word, self.options),
        )


@dataclass(frozen=True)
class Button(Control):
    """Something that happens when it is pressed."""

    kind = "button"
    scale: Scale = PRESSED
    momentary: bool = field(default=True, kw_only=True)

    def range_text(self) -> str:
        return "" if self.scale == PRESSED else super().range_text()


@dataclass(frozen=True)
class Meter(Control):
    """A read-only value; of the scale `ON_OFF` it answers a question."""

    kind = "meter"

    def range_text(self) -> str:
        return "yes, no" if self.scale == ON_OFF else super().range_text()

    def text(self, value: Any) -> str:
        if self.scale == ON_OFF:
            return "yes" if value >= 0.5 else "no"
        return super().text(value)

    def parse(self, text: str) -> float:
        words = {"yes": 1.0, "no": 0.0} if self.scale == ON_OFF else {}
        return words[text] if text in words else super().parse(text)


@dataclass(frozen=True)
class Text(Meter):
    """A read-only text, which the stage holds: a title, a row of a list."""

    kind = "text"
    owner: Owner | None = field(default="stage", kw_only=True)

    def to_dict(self) -> dict[str, Any]:
        return {**super().to_dict(), "low": None, "high": None, "rest": ""}

    def range_text(self) -> str:
        return ""

    def text(self, value: Any) -> str:
        return str(value)


@dataclass(frozen=True)
class Name(Text):
    """A text that may be set, of one line."""

    @property
    def settable(self) -> bool:
        return True

    def range_text(self) -> str:
        return f"a text of up to {MAX_NAME} characters"

    def check(self, value: Any) -> Any:
        """Return a text from outside without control characters, or refuse it by name."""
        if not isinstance(value, str) or len(value) > MAX_NAME or _SURROGATE.search(value):
            raise Refused(f"{self.path}: {value!r:.60} is not one", f"give {self.range_text()}")
        return " ".join(value.split())


@dataclass(frozen=True)
class Color(Name):
    """A colour that may be set."""

    def range_text(self) -> str:
        return "#rrggbb, or empty"

    def check(self, value: Any) -> Any:
        """Return a colour in lower case, or refuse it by name."""
        word = value.strip().lower() if isinstance(value, str) else ""
        if not isinstance(value, str) or (word and not _COLOR.fullmatch(word)):
            raise Refused(
                f"{self.path}: {value!r:.60} is not a colour", 'write it like "#ff8800", or empty'
            )
        return word


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
    path : str, optional
        Of all of them; a declaration has none, and no sections yet.
    """

    def __init__(self, keys: Iterable[Key], section: type[Part], path: str | None = None) -> None:
        self.section = section
        self._keys = tuple(keys)
        self._parts: dict[Key, Part] = {}
        if path is not None:
            for key in self._keys:
                below = f"{path}{key}" if isinstance(key, int) else f"{path}.{key}"
                self._parts[key] = section(below)

    def at(self, path: str) -> Each[Key, Part]:
        """Return the same, under a path."""
        return Each(self._keys, self.section, path)

    def __getitem__(self, key: Key) -> Part:
        return self._parts[key]

    def __iter__(self) -> Iterator[Key]:
        return iter(self._keys)

    def __len__(self) -> int:
        return len(self._keys)


class Section:
    """A part of the desk. Its class declares; an instance carries the paths.

    Attributes
    ----------
    group, owner : str
        Of its controls, where they declare none.
    """

    group: ClassVar[str] = ""
    owner: ClassVar[Owner] = "engine"

    def __init__(self, path: str = "") -> None:
        self.path = path
        color = next((word for word in path.split(".") if word in COLORS), "neutral")
        for order, (name, part) in enumerate(self.declared()):
            section: Any = next(base for base in type(self).__mro__ if name in vars(base))
            below = f"{path}.{name}" if path else name
            bound: Any
            if isinstance(part, Control):
                bound = replace(
                    part,
                    path=below,
                    label=part.label or _label(name),
                    group=part.group or section.group,
                    order=order,
                    color=part.color or color,
                    owner=part.owner or section.owner,
                )
            elif isinstance(part, Each):
                bound = part.at(below)
            else:
                bound = type(part)(below)
            setattr(self, name, bound)

    @classmethod
    def declared(cls) -> Iterator[tuple[str, Control | Section | Each[Any, Any]]]:
        """Yield each name and what it declares, in order; those of base classes come first."""
        for base in cls.__bases__:
            if issubclass(base, Section):
                yield from base.declared()
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


def _label(name: str) -> str:
    """Return the label of a control that declares none: ``SET IN``."""
    label = name.replace("_", " ").upper()
    if len(label) > MAX_LABEL:
        raise ValueError(f"{name} needs a label of at most {MAX_LABEL} characters")
    return label
