"""Scales: what a number means, how it is written, and where it lies on a fader.

A scale turns a value into text and back, and into the travel of a fader (0 to 1) and back.
Both pairs invert each other; the tests prove it. Knows nothing of controls.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Literal

from sfa_engine.errors import Refused
from sfa_engine.system.timecode import seconds_of

Taper = Literal["linear", "log", "decibel", "centred"]
Law = Literal["plain", "gain"]

OFF = -60.0  # dB; the bottom of every level fader is silence, not a quiet sound
NOT_SET = -1e9  # stands for "no value" in engine memory; outside the range of every scale


@dataclass(frozen=True)
class Scale:
    """A range of numbers with a unit.

    Parameters
    ----------
    unit : str
        Written behind a number: ``dB``, ``%``, ``s``, ``BPM``, ``beats``, ``st``, ``Hz``, ``x``.
    low, high : float
        Both ends, inclusive, in the unit.
    rest : float
        Value of an untouched control.
    taper : {"linear", "log", "decibel", "centred"}
        How travel maps to values. ``decibel`` gives the upper half of the travel to the top
        fifth of the range, as a mixer's fader does. ``centred`` has 0 exactly in the middle, as a
        knob with a detent has: a fader's law below it, straight above.
    law : {"plain", "gain"}
        What the engine works with: the number itself, or the factor that its decibels mean.
    digits : int
        Decimals in text.
    whole : bool
        Whether only whole numbers are allowed.
    optional : bool
        Whether there may be no value: `NOT_SET` here, ``null`` on the wire. It is the rest then.
    """

    unit: str
    low: float
    high: float
    rest: float = 0.0
    taper: Taper = "linear"
    law: Law = "plain"
    digits: int = 2
    whole: bool = False
    optional: bool = False

    def __post_init__(self) -> None:
        in_range = self.low <= self.rest <= self.high
        if not self.low < self.high or in_range is (self.rest == NOT_SET):
            raise ValueError(
                f"scale {self.low}..{self.high} {self.unit} cannot rest at {self.rest}"
            )
        if self.taper == "log" and self.low <= 0:
            raise ValueError(f"a logarithmic scale cannot start at {self.low}")
        if self.taper == "centred" and not self.low < 0 < self.high:
            raise ValueError(f"scale {self.low}..{self.high} has no 0 to centre")

    @property
    def decimals(self) -> int:
        """Decimals in text."""
        return 0 if self.whole else self.digits

    def check(self, value: Any) -> float:
        """Return a value that may be set, or refuse it with the range in the sentence."""
        if self.optional and (value is None or value == NOT_SET):
            return NOT_SET
        fault = ""
        if isinstance(value, bool) or not isinstance(value, int | float):
            fault = "not a number"
        elif isinstance(value, float) and not math.isfinite(value):
            fault = "not a finite number"
        elif not self.low <= value <= self.high:
            fault = "out of range"
        elif self.whole and value != int(value):
            fault = "not a whole number"
        if fault:
            is_number = isinstance(value, float) and math.isfinite(value)
            said = f"{value:.10g}" if is_number else f"{value!r:.60}"
            raise Refused(f"{said} is {fault}", f"give one {self.range_text()}")
        return float(value)

    def range_text(self) -> str:
        """Return the range in words, for errors and documents."""
        return f"from {self.range_ends()[0]} to {self.range_ends()[1]}"

    def range_ends(self) -> tuple[str, str]:
        """Return both ends in words; one that means silence says so beside its number."""
        ends = [f"{end:z.{self.decimals}f} {self.unit}".rstrip() for end in (self.low, self.high)]
        return (f"{ends[0]} (off)" if self.law == "gain" else ends[0]), ends[1]

    def text(self, value: float) -> str:
        """Return a value as a person reads it; `parse` reads it back."""
        if self.law == "gain" and round(value, self.decimals) <= self.low:
            return "off"
        if self.optional and value == NOT_SET:
            return "not set"
        return f"{value:z.{self.decimals}f} {self.unit}".rstrip()

    def parse(self, text: str) -> float:
        """Return the value that a text means; the unit may be left out."""
        word = text.strip()
        if self.law == "gain" and word.lower() in {"off", "-inf"}:
            return self.low
        if self.optional and word.lower() in {"not set", "none"}:
            return NOT_SET
        if self.unit and word.lower().endswith(self.unit.lower()):
            word = word[: -len(self.unit)].strip()
        try:
            value = _seconds(word) if self.unit == "s" and ":" in word else float(word)
        except ValueError:
            raise Refused(
                f'"{text:.60}" is not a number', f"give one {self.range_text()}"
            ) from None
        # The ends as `text` writes them, 0.0312 for 1/32, are the ends.
        ends = (self.low, self.high)
        value = next((e for e in ends if value == round(e, self.decimals)), value)
        return self.check(value)

    def value(self, travel: float) -> float:
        """Return the value at a place of the fader's travel, 0 to 1."""
        t = min(1.0, max(0.0, travel))
        if self.taper == "log":
            v = self.low * (self.high / self.low) ** t
        elif self.taper == "decibel":
            v = self.low + (self.high - self.low) * t ** (1 / 3)
        elif self.taper == "centred":
            below = t < 0.5
            v = self.low * (1 - (2 * t) ** (1 / 3)) if below else self.high * (2 * t - 1)
        else:
            v = self.low + (self.high - self.low) * t
        v = min(self.high, max(self.low, v))
        return float(round(v)) if self.whole else v

    def travel(self, value: float) -> float:
        """Return the place on the fader's travel, 0 to 1, of a value."""
        v = min(self.high, max(self.low, value))
        if self.taper == "log":
            return math.log(v / self.low) / math.log(self.high / self.low)
        if self.taper == "centred":
            return float((1 - v / self.low) ** 3 / 2) if v < 0 else 0.5 + v / self.high / 2
        t = (v - self.low) / (self.high - self.low)
        return float(t**3) if self.taper == "decibel" else t

    def engine(self, value: float) -> float:
        """Return what the engine works with: a gain is a factor, and its bottom is silence."""
        if self.law == "gain":
            return 0.0 if value <= self.low else float(10.0 ** (value / 20.0))
        return value


def _seconds(word: str) -> float:
    """Return the seconds of ``1:01.5`` or ``-0:10``."""
    seconds = seconds_of(word.removeprefix("-"))
    return -seconds if word.startswith("-") else seconds


def decibels(low: float, high: float, rest: float = 0.0) -> Scale:
    """A level; its lowest value is silence."""
    return Scale("dB", low, high, rest, taper="decibel", law="gain", digits=1)


def centred_decibels(low: float, high: float) -> Scale:
    """A level on a knob whose middle is 0 dB; its lowest value is silence."""
    return Scale("dB", low, high, 0.0, taper="centred", law="gain", digits=1)


def threshold(low: float, high: float, rest: float) -> Scale:
    """A level that something is held to; its lowest value is just low."""
    return Scale("dB", low, high, rest, digits=1)


def percent(low: float, high: float, rest: float = 0.0) -> Scale:
    """A share, or a place between two ends."""
    return Scale("%", low, high, rest, digits=1)


def share(rest: float) -> Scale:
    """A place in a sound, as a share of it, written to a thousandth of a percent."""
    return Scale("%", 0, 100, rest, digits=3)


def ratio(low: float, high: float, rest: float = 1.0) -> Scale:
    """A factor, with as many fine steps below one as above it."""
    return Scale("x", low, high, rest, taper="log", digits=5)


def seconds(low: float, high: float, rest: float = 0.0) -> Scale:
    """A place in a track, or a length of time."""
    return Scale("s", low, high, rest, digits=3)


def optional_seconds(low: float, high: float) -> Scale:
    """A position in a track that may be not set."""
    return Scale("s", low, high, NOT_SET, digits=3, optional=True)


def milliseconds(low: float, high: float, rest: float) -> Scale:
    """A short time."""
    return Scale("ms", low, high, rest, taper="log", digits=1)


def fine_milliseconds(low: float, high: float, rest: float) -> Scale:
    """A short step in time, either way."""
    return Scale("ms", low, high, rest, digits=1)


def beats(low: float, high: float, rest: float, *, log: bool = True) -> Scale:
    """A length counted in beats, or a place in them."""
    return Scale("beats", low, high, rest, taper="log" if log else "linear", digits=4)


def bpm(low: float, high: float, rest: float) -> Scale:
    """Beats in a minute."""
    return Scale("BPM", low, high, rest, digits=2)


def optional_bpm(low: float, high: float) -> Scale:
    """Beats in a minute, of a track that may have no beat grid."""
    return Scale("BPM", low, high, NOT_SET, digits=2, optional=True)


def semitones(low: float, high: float) -> Scale:
    """A shift of pitch."""
    return Scale("st", low, high, 0.0, digits=2)


def count(low: int, high: int, rest: int = 0, unit: str = "") -> Scale:
    """A whole number."""
    return Scale(unit, low, high, rest, whole=True)
