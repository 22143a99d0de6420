"""Numbers in a sentence, and the ranges that they make: "between 120 and 128", "over 7 minutes".

What a number measures follows from the unit behind it, else from its size: 126 is a tempo, 1995 a
year, 4 stars a rating. Pure.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from sfa_engine.errors import Refused
from sfa_engine.mix import vocabulary as v
from sfa_engine.mix.phrases import Tokens, listed

AROUND = 0.025  # of a tempo, to each side
AROUND_LENGTH = 0.1
AROUND_ENERGY = 0.05
EXACT_BPM = 0.5
TEMPOS = (40.0, 400.0)  # where a bare number is a tempo; below it is a number of tracks
YEARS = (1900, 2099)
_FAR = 6  # tokens between a number and the tracks that it counts: "20 dark rolling tracks"


@dataclass(frozen=True, slots=True)
class Number:
    """A range, before anything is known of what it measures.

    Parameters
    ----------
    low, high : float, optional
        The same for a single number.
    low_open, high_open : bool
        Whether the limit itself is outside.
    is_exact : bool
        Whether a single number has no tolerance.
    is_around : bool
        Whether it was said to have one.
    is_word : bool
        Whether it is a numeral: "ten".
    is_clock : bool
        Whether it is a time in seconds: 3:30.
    end : int
        The place after it.
    """

    low: float | None
    high: float | None
    end: int
    low_open: bool = False
    high_open: bool = False
    is_exact: bool = False
    is_around: bool = False
    is_word: bool = False
    is_clock: bool = False

    @property
    def is_single(self) -> bool:
        """Whether it is one number."""
        return self.low == self.high

    @property
    def is_bounded(self) -> bool:
        """Whether it has both limits."""
        return self.low is not None and self.high is not None

    def flipped(self) -> Number:
        """Return what is beyond its one limit: of "over 130" up to 130."""
        return replace(
            self,
            low=self.high,
            high=self.low,
            low_open=self.high is not None and not self.high_open,
            high_open=self.low is not None and not self.low_open,
        )

    @property
    def value(self) -> float:
        """The number, or one of its limits."""
        value = self.low if self.low is not None else self.high
        assert value is not None
        return value

    def times(self, factor: float) -> Number:
        """Return it in another unit."""
        low, high = (None if x is None else x * factor for x in (self.low, self.high))
        return replace(self, low=low, high=high)

    def within(self, share: float) -> Number:
        """Return a range around a single number, that share to each side."""
        if not self.is_single or self.is_exact:
            return self
        return replace(self, low=self.value * (1 - share), high=self.value * (1 + share))

    def limited(self, tokens: Tokens) -> Number:
        """Return it with "or more" or "or less" behind it taken too."""
        if more := tokens.matched(v.OR_MORE, self.end):
            return replace(self, high=None, end=self.end + more)
        if less := tokens.matched(v.OR_LESS, self.end):
            return replace(self, low=None, end=self.end + less)
        return self


def number_at(tokens: Tokens, at: int) -> Number | None:
    """Return the number or range at a place, with the words before it; None if there is none."""
    word = next((w for w in _BEFORE if tokens.matched(w, at)), "")
    place = at + (tokens.matched(word, at) if word else 0)
    if word == v.AROUND:
        place = tokens.skip("the, die, der, den", place)
    first = tokens.number(place)
    if first is None:
        return None
    end = place + 1
    made = Number(
        first,
        first,
        end,
        is_exact=word == v.EXACTLY,
        is_around=word == v.AROUND or tokens[place].text.startswith("~"),
        is_word=tokens.kind(place) == "word",
        is_clock=tokens.kind(place) == "clock",
    )
    if word in {v.OVER, v.AT_LEAST}:
        return replace(made, high=None, low_open=word == v.OVER)
    if word in {v.UNDER, v.AT_MOST}:
        return replace(made, low=None, high_open=word == v.UNDER)
    if made.is_exact or made.is_around:
        return made
    return _range(tokens, made, is_between=word == v.BETWEEN)


# The first that is there counts: "bis zu 128" is not from "bis" on.
_BEFORE = (v.AROUND, v.EXACTLY, v.AT_LEAST, v.OVER, v.AT_MOST, v.UNDER, v.BETWEEN)


def _range(tokens: Tokens, first: Number, *, is_between: bool) -> Number:
    """Return the range that a number begins: "120 to 128", "between 5 and 6"; else the number."""
    joint = first.end + (tokens.matched(v.BPM, first.end) or tokens.matched(v.MINUTES, first.end))
    gap = 1 if tokens.kind(joint) == "span" else tokens.matched(v.UNTIL, joint)
    second = tokens.number(joint + gap) if gap else None
    is_joined = tokens.kind(joint) == "span" or is_between or tokens.matched(v.RANGE, joint)
    if second is None or not is_joined:
        return first
    low, high = sorted((first.value, second))
    return replace(first, low=low, high=high, end=joint + gap + 1, is_word=False)


@dataclass
class Spans:
    """The ranges of a search by what they measure, each narrowed by the next one of its name."""

    of: dict[str, Number] = field(default_factory=dict)

    def narrow(self, name: str, number: Number) -> None:
        """Narrow a range.

        Raises
        ------
        Refused
            Nothing is left of it.
        """
        known = self.of.get(name)
        if known is not None:
            if known.low is not None and (number.low is None or known.low > number.low):
                number = replace(number, low=known.low, low_open=known.low_open)
            if known.high is not None and (number.high is None or known.high < number.high):
                number = replace(number, high=known.high, high_open=known.high_open)
        low, high = number.low, number.high
        is_open = number.low_open or number.high_open
        if low is not None and high is not None and (low > high or (low == high and is_open)):
            what = "tempo" if name == "bpm" else name
            raise Refused(f"no {what} is over {low:g} and under {high:g}", "keep one of them")
        self.of[name] = number

    def operators(self) -> list[str]:
        """Return all in the language of operators but the tempo."""
        return [operator(name, number) for name, number in self.of.items() if name != "bpm"]


def operator(name: str, number: Number) -> str:
    """Return a range in the language of operators."""
    low, high = number.low, number.high
    if low is None:
        assert high is not None
        return f"{name}:{'<' if number.high_open else '<='}{_plain(high)}"
    if high is None:
        return f"{name}:{'>' if number.low_open else '>='}{_plain(low)}"
    return f"{name}:{_plain(low)}" + ("" if low == high else f"-{_plain(high)}")


def _plain(number: float) -> str:
    return f"{number:.6f}".rstrip("0").rstrip(".")


def measured(tokens: Tokens, number: Number) -> tuple[str, Number] | None:
    """Return what a number measures, and it in the unit of that; None if nothing is known.

    The names are those of operators, and ``limit`` for a number of tracks.
    """
    return _by_unit(tokens, number) or _by_size(tokens, number)


def _by_unit(tokens: Tokens, number: Number) -> tuple[str, Number] | None:
    end = number.end
    if taken := tokens.matched(v.STARS, end):
        return "rating", replace(number, end=end + taken).limited(tokens)
    minutes, seconds = tokens.matched(v.MINUTES, end), tokens.matched(v.SECONDS, end)
    if minutes or seconds or number.is_clock:
        in_seconds = number.times(60.0 if minutes and not number.is_clock else 1.0)
        counted = replace(in_seconds, end=end + (minutes or seconds)).limited(tokens)
        return "duration", counted.within(AROUND_LENGTH)
    if taken := tokens.matched(v.BPM, end):
        return "bpm", _tempo(replace(number, end=end + taken).limited(tokens))
    taken = tokens.matched(v.TRACKS, end)
    if taken and number.is_single and number.value.is_integer():
        return "limit", replace(number, end=end + taken)
    return None


def _by_size(tokens: Tokens, number: Number) -> tuple[str, Number] | None:
    limits = [each for each in (number.low, number.high) if each is not None]
    if number.is_word and number.is_single:
        return "limit", number
    if all(each.is_integer() and YEARS[0] <= each <= YEARS[1] for each in limits):
        return "year", number
    if all(TEMPOS[0] <= each <= TEMPOS[1] for each in limits):
        return "bpm", _tempo(number.limited(tokens))
    is_count = number.is_single and not number.is_around and number.value.is_integer()
    later = tokens[number.end : number.end + _FAR]
    if is_count and number.value >= 1 and any(t.folded in listed(v.TRACKS) for t in later):
        return "limit", number
    return None


def _tempo(number: Number) -> Number:
    if number.is_single and number.is_exact:
        value = number.value
        return replace(number, low=value - EXACT_BPM, high=value + EXACT_BPM)
    return number.within(AROUND)
