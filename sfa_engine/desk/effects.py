"""Effects: what a slot may be, its three parameters, and the two units that decks are put through.

The parameters of a slot are three knobs, 0 to 100 % of their travel; what that means depends on the
slot's kind. `KINDS` says it once: kernel, texts on surfaces, command line and `docs/effects.md`
read it from here.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

from sfa_engine.desk.control import Choice, Each, Fader, Name, Section, Switch, Text
from sfa_engine.desk.scale import Scale, count, percent

UNITS = (1, 2)
SLOTS = (1, 2, 3)
LETTERS = ("a", "b", "c")
# Lengths in beats that a knob steps through, of repeats and of slow movements.
LENGTHS = tuple(Fraction(n, 16) for n in (1, 2, 4, 8, 12, 16, 24, 32, 64))
CYCLES = tuple(Fraction(n, 4) for n in (1, 2, 4, 8, 16, 32, 64, 128, 256))


@dataclass(frozen=True)
class Parameter:
    """What a knob of a slot does.

    Parameters
    ----------
    label : str
        At most 8 characters.
    sentence : str
    scale : Scale
        Of its value; its rest is the value that a slot of this kind begins with.
    steps : tuple of Fraction
        Lengths in beats that it steps through; the scale is of their index then.
    """

    label: str
    sentence: str
    scale: Scale
    steps: tuple[Fraction, ...] = ()

    @property
    def rest(self) -> float:
        """Travel, in percent, that a slot of this kind begins with."""
        return 100.0 * self.scale.travel(self.scale.rest)

    def text(self, travel: float) -> str:
        """Return the value at a travel, in percent, as a person reads it."""
        value = self.scale.value(travel / 100.0)
        if not self.steps:
            return self.scale.text(value)
        beats = self.steps[int(value)]
        return f"{beats} beat" if beats <= 1 else f"{beats} beats"

    def range_text(self) -> str:
        """Return both ends in words."""
        if self.steps:
            return f"{self.text(0.0).split()[0]} to {self.text(100.0)}"
        low, high = self.scale.range_ends()
        return f"{low.removesuffix(self.scale.unit).strip()} to {high}"


@dataclass(frozen=True)
class Kind:
    """An effect that a slot may be.

    Parameters
    ----------
    name : str
        The option of ``fxN.slotN.kind``.
    sentence : str
    parameters : tuple of Parameter
        Three.
    macro : str
        Label of the parameter that the macro knob moves, from where it stands.
    macro_end : float
        Travel to which the macro moves it: 0 or 1.
    tail : bool
        Whether it rings on when it is switched off.
    """

    name: str
    sentence: str
    parameters: tuple[Parameter, Parameter, Parameter]
    macro: str
    macro_end: float = 1.0
    tail: bool = False

    @property
    def macro_index(self) -> int:
        """Place of the parameter that the macro moves."""
        return [parameter.label for parameter in self.parameters].index(self.macro)


def _steps(label: str, sentence: str, steps: tuple[Fraction, ...], rest: Fraction) -> Parameter:
    scale = count(0, len(steps) - 1, steps.index(rest), "beats")
    return Parameter(label, sentence, scale, steps)


def _length(label: str, sentence: str, rest: Fraction) -> Parameter:
    return _steps(label, sentence, LENGTHS, rest)


def _percent(
    label: str, sentence: str, rest: float, low: float = 0, high: float = 100
) -> Parameter:
    return Parameter(label, sentence, percent(low, high, rest))


def _log(
    label: str, sentence: str, unit: str, low: float, high: float, rest: float, digits: int = 1
) -> Parameter:
    return Parameter(label, sentence, Scale(unit, low, high, rest, taper="log", digits=digits))


_CYCLE = _steps("CYCLE", "Length of one movement up and down.", CYCLES, Fraction(4))
_ECHO = (
    _length("TIME", "Time between two repeats.", Fraction(3, 4)),
    _percent("FEEDBACK", "How much of each repeat is repeated.", 50, 0, 95),
    _percent("TONE", "Takes highs (left) or lows (right) from each repeat.", 0, -100, 100),
)
_NONE = _percent("-", "Nothing.", 0)

KINDS = (
    Kind("none", "Nothing: the slot is empty.", (_NONE, _NONE, _NONE), "-"),
    Kind("echo", "Repeats in time, which fade away.", _ECHO, "FEEDBACK", tail=True),
    Kind(
        "pingpong",
        "Repeats that go from one side to the other.",
        _ECHO,
        "FEEDBACK",
        tail=True,
    ),
    Kind(
        "reverb",
        "A room: eight delay lines that feed each other.",
        (
            _log("SIZE", "Time in which it fades by 60 dB.", "s", 0.3, 20, 2.0),
            _percent("DAMP", "How much faster its highs fade.", 40),
            Parameter("PREDELAY", "Time before it begins.", Scale("ms", 0, 250, 15, digits=0)),
        ),
        "SIZE",
        tail=True,
    ),
    Kind(
        "flanger",
        "A copy of the sound beside it, whose delay sweeps.",
        (
            _CYCLE,
            _percent("DEPTH", "How far the delay sweeps.", 70),
            _percent("FEEDBACK", "How sharp the notches are.", 60, 0, 90),
        ),
        "FEEDBACK",
    ),
    Kind(
        "phaser",
        "Six all-pass filters beside the sound, whose notches sweep.",
        (
            _CYCLE,
            _percent("DEPTH", "How far the notches sweep.", 80),
            _percent("FEEDBACK", "How sharp the notches are.", 40, 0, 90),
        ),
        "FEEDBACK",
    ),
    Kind(
        "crush",
        "Fewer bits and a lower sample rate.",
        (
            Parameter("BITS", "Bits of a sample.", Scale("bits", 1, 16, 8, digits=1)),
            _log("RATE", "Sample rate.", "Hz", 500, 48_000, 12_000, 0),
            Parameter("DRIVE", "Gain before it, clipped.", Scale("dB", 0, 24, 0, digits=1)),
        ),
        "BITS",
        macro_end=0.0,
    ),
    Kind(
        "repeat",
        "Repeats the beat, or a part of it, that plays when it is switched on.",
        (
            _length("LENGTH", "What is repeated, from a multiple of it on.", Fraction(1, 2)),
            _percent("GATE", "Share of each repeat that is heard.", 100, 10, 100),
            Parameter("DECAY", "How much each repeat is quieter.", Scale("dB", 0, 12, 0, digits=1)),
        ),
        "LENGTH",
        macro_end=0.0,
    ),
    Kind(
        "gate",
        "Opens and closes in time.",
        (
            _length("LENGTH", "From one opening to the next.", Fraction(1, 4)),
            _percent("WIDTH", "Share of it that is open.", 50, 5, 95),
            _percent("DEPTH", "How far it closes.", 100),
        ),
        "WIDTH",
        macro_end=0.0,
    ),
    Kind(
        "sweep",
        "A low-pass filter that opens and closes in time.",
        (
            _CYCLE,
            _percent("DEPTH", "How far it closes.", 70),
            _percent("RESO", "How much it rings at its edge.", 40),
        ),
        "DEPTH",
    ),
    Kind(
        "compress",
        "Turns down what is loud, and the whole up by half of what that takes.",
        (
            Parameter("THRESH", "Level above which it acts.", Scale("dB", -48, 0, -18, digits=1)),
            _log("RATIO", "How many dB above it become one.", ": 1", 1, 20, 4),
            _log("RELEASE", "How fast it lets go.", "ms", 20, 1000, 150, 0),
        ),
        "THRESH",
        macro_end=0.0,
    ),
    Kind(
        "tapestop",
        "Slows down like a tape that is stopped; switched off, it comes to speed again.",
        (
            _length("STOP", "Time in which it slows down.", Fraction(1)),
            _length("START", "Time in which it comes to speed again.", Fraction(1, 2)),
            _percent("FLOOR", "Speed that it keeps.", 0, 0, 90),
        ),
        "FLOOR",
    ),
    Kind(
        "user",
        "A patch of your own, in a process beside the engine.",
        tuple(_percent(f"KNOB {word.upper()}", "As the patch says.", 50) for word in LETTERS),  # type: ignore[arg-type]
        "KNOB A",
        tail=True,
    ),
)
KIND_NAMES = tuple(kind.name for kind in KINDS)


def parameter_of(kind: float, letter: str) -> Parameter:
    """Return what a knob of a slot is, by the value of the slot's kind."""
    return KINDS[int(kind)].parameters[LETTERS.index(letter)]


class Slot(Section):
    """One effect of a unit's chain."""

    group = "effects"

    kind = Choice("Which effect it is; its knobs go to where that begins.", options=KIND_NAMES)
    on = Switch("Puts it into the chain; off, its tail rings out.", count(0, 1, 1), glide=0.005)
    param_a = Fader("First parameter of the effect.", percent(0, 100, 50), label="KNOB A")
    param_b = Fader("Second parameter of the effect.", percent(0, 100, 50), label="KNOB B")
    param_c = Fader("Third parameter of the effect.", percent(0, 100, 50), label="KNOB C")
    mix = Fader("How much of its sound the effect replaces.", percent(0, 100, 100))
    patch = Name("Name of the patch, of a user effect.")
    label_a = Text("What the first parameter is.")
    label_b = Text("What the second parameter is.")
    label_c = Text("What the third parameter is.")
    value_a = Text("The first parameter, in its unit.")
    value_b = Text("The second parameter, in its unit.")
    value_c = Text("The third parameter, in its unit.")


class Unit(Section):
    """A chain of three effects that decks, stems or the master are put through."""

    group = "effects"

    on = Switch("Puts what is assigned through the chain; off, tails ring out.", glide=0.005)
    mix = Fader("How much of the effects is heard; 0 changes nothing.", percent(0, 100, 50))
    macro = Fader("Moves one parameter of each slot, from where it stands.", percent(0, 100))
    mode = Choice(
        "Whether the effects replace the sound that is assigned, or are added to it.",
        options=("insert", "send"),
    )
    timing = Choice(
        "Whose beats it goes by: those of the first deck assigned, or the session clock's.",
        options=("deck", "clock"),
    )
    slot = Each(SLOTS, Slot)
    chain = Text("Name of the chain that was loaded last.")
