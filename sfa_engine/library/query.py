"""What a person may ask the library, as text: words, phrases, and operators such as ``bpm:>124``.

::

    aphex "window licker" bpm:120-128 key:~8A -genre:ambient
      │          │             │         │          └─ not
      │          │             │         └─ goes well with 8A
      │          │             └─ operator:value
      │          └─ these words in this order
      └─ a word, or the beginning of one

`OPERATORS` declares them; the manual's table is made from it. Pure: text in, `Query` out, or
`Refused` with what was meant. Knows no database.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from sfa_engine.desk.deck import STEMS
from sfa_engine.errors import MediaError, Refused, did_you_mean
from sfa_engine.library.color import NAMES as COLORS
from sfa_engine.library.color import color_of
from sfa_engine.library.folding import fold
from sfa_engine.library.key import camelot
from sfa_engine.library.track import STATES

MOST_TEXT = 1000  # characters
SECONDS = {"h": 3600.0, "d": 86_400.0, "w": 604_800.0, "m": 2_629_800.0, "y": 31_557_600.0}

Kind = Literal["text", "number", "length", "age", "key", "color", "word"]


@dataclass(frozen=True, slots=True)
class Operator:
    """One operator.

    Parameters
    ----------
    kind : str
        How its value is read.
    sentence : str
        What it asks for.
    example : str
        To copy.
    tolerance : float
        How far from a plain number a value may be.
    words : tuple of str
        The values of a ``word``.
    """

    kind: Kind
    sentence: str
    example: str
    tolerance: float = 0.0
    words: tuple[str, ...] = ()


OPERATORS: Mapping[str, Operator] = {
    "artist": Operator("text", "Words of the artist's name.", 'artist:"boards of"'),
    "title": Operator("text", "Words of the title.", "title:roygbiv"),
    "album": Operator("text", "Words of the album's name.", "album:music"),
    "genre": Operator("text", "Words of the genre.", "genre:house"),
    "bpm": Operator("number", "Tempo; a plain number takes half a BPM to each side.",
                    "bpm:120-128", 0.5),
    "key": Operator("key", "Key, in any spelling or as Camelot code; several with commas between"
                    " them. `~` takes all that mix well with it.", "key:~8A"),
    "energy": Operator("number", "Energy from 0 to 1; a plain number takes 0.05 to each side.",
                       "energy:>0.6", 0.05),
    "year": Operator("number", "Year.", "year:1994-1999"),
    "duration": Operator("length", "Length, in seconds or as minutes:seconds.", "duration:<6:30",
                         1.0),
    "added": Operator("age", "How long ago it was added: hours, days, weeks, months, years as"
                      " `h d w m y`.", "added:<7d"),
    "stems": Operator("word", "Whether it was separated; or a stem that it has.", "stems:yes",
                      words=("yes", "no", *STEMS)),
    "cues": Operator("word", "Whether somebody has set cues.", "cues:no", words=("yes", "no")),
    "rating": Operator("number", "Stars from 1 to 5; 0 is not rated.", "rating:>=4"),
    "comment": Operator("text", "Words of the comment, which plain words do not find.",
                        'comment:"peak time"'),
    "colour": Operator("color", f"Colour of the track, as #rrggbb, or {', '.join(COLORS)}; yes or"
                       " no: whether it has one.", "colour:red"),
    "plays": Operator("number", "How often it was played.", "plays:0"),
    "played": Operator("age", "How long ago it was played last, as `added:`.", "played:<30d"),
    "state": Operator("word", "How far its preparation is.", "state:failed", words=STATES),
    "playlist": Operator("text", "The playlist that it is in, by its whole name.",
                         'playlist:"Friday night"'),
    "sort": Operator("word", "The order; the latest, the most and the best first, or with a `-`"
                     " before it last.", "sort:played",
                     words=("artist", "title", "album", "bpm", "key", "energy", "year", "duration",
                            "added", "rating", "plays", "played")),
}  # fmt: skip
ALIASES = {"color": "colour"}


@dataclass(frozen=True, slots=True)
class Words:
    """Words to find, in `field` or anywhere; the last may be a beginning unless a phrase."""

    text: str
    is_phrase: bool
    field: str | None
    negated: bool


@dataclass(frozen=True, slots=True)
class Span:
    """Numbers between two limits, or beyond one; a limit that is open is left out itself."""

    field: str
    low: float | None
    high: float | None
    low_open: bool
    high_open: bool
    negated: bool


@dataclass(frozen=True, slots=True)
class Keys:
    """Camelot codes, one of which is to be the track's."""

    codes: tuple[str, ...]
    negated: bool


@dataclass(frozen=True, slots=True)
class Choice:
    """A word out of those that an operator has, a colour, or the whole name of a playlist."""

    field: str
    word: str
    negated: bool


Term = Words | Span | Keys | Choice


@dataclass(frozen=True, slots=True)
class Sort:
    """What comes first, or with `reverse` last; where several are given, the first counts most."""

    field: str
    reverse: bool


@dataclass(frozen=True, slots=True)
class Query:
    """What was asked: all of these `terms` together, in the order that `sorts` say."""

    terms: tuple[Term, ...]
    sorts: tuple[Sort, ...] = ()


_TERM = re.compile(r'(-?)(?:([A-Za-z_]+):)?(?:"([^"]*)"?|(\S*))')
_NUMBER = r"[0-9]{1,9}(?:\.[0-9]{1,9})?"
_LENGTH = rf"(?:[0-9]{{1,6}}:)?{_NUMBER}"
_AGE = rf"{_NUMBER}[{''.join(SECONDS)}]"
_FORMS = {"number": _NUMBER, "length": _LENGTH, "age": _AGE}
_SIGNS = "<=|>=|<|>|="


def parse_query(text: str) -> Query:
    """Read what somebody asks for.

    Parameters
    ----------
    text : str
        As in the picture above.

    Returns
    -------
    Query
        All that was asked, in order.

    Raises
    ------
    Refused
        An operator or its value cannot be; the hint says what would do.
    """
    if len(text) > MOST_TEXT:
        raise Refused(f"the search is {len(text)} characters long", f"give up to {MOST_TEXT}")
    terms: list[Term] = []
    sorts: list[Sort] = []
    at = 0
    while at < len(text):
        if text[at].isspace():
            at += 1
            continue
        found = _TERM.match(text, at)
        assert found is not None  # \S* fits anything
        at = max(found.end(), at + 1)
        term = _term(found[1] == "-", found[2], found[3], found[4])
        if isinstance(term, Choice) and term.field == "sort":
            sorts.append(Sort(term.word, term.negated))
        elif term is not None:
            terms.append(term)
    return Query(tuple(terms), tuple(sorts))


def compatible(key: str) -> tuple[str, ...]:
    """Return the Camelot codes that mix well with a key: itself, its neighbours, its relative."""
    code = camelot(key)
    number, letter = int(code[:-1]), code[-1]
    other = "B" if letter == "A" else "A"
    before, after = (number - 2) % 12 + 1, number % 12 + 1
    return (code, f"{before}{letter}", f"{after}{letter}", f"{number}{other}")


def has_letters(text: str) -> bool:
    """Return whether a full-text search sees anything in a text."""
    return bool(fold(text))


def _term(negated: bool, name: str | None, phrase: str | None, bare: str | None) -> Term | None:
    value = phrase if phrase is not None else bare or ""
    if re.search("[\ud800-\udfff]", value):
        raise Refused("the search has half a character in it", "type it again")
    value = value.replace("\0", " ").strip()
    if name is None:
        words = Words(value, phrase is not None, None, negated)
        return words if has_letters(value) else None  # "&" or "-" alone asks for nothing
    field = ALIASES.get(name.lower(), name.lower())
    operator = OPERATORS.get(field)
    if operator is None:
        meant = did_you_mean(field, OPERATORS)
        if meant and value:
            raise Refused(
                f'no search operator "{name:.40}:"',
                f'{meant} Put "quotes" around a text that has a colon',
            )
        # "Mission: Impossible Theme" has a colon, and so has "Re:Stacks".
        text = f"{name}:{value}" if phrase is None else f"{name} {value}"
        return Words(text, phrase is not None, None, negated)
    name = field
    if not value:
        raise Refused(f'"{name}:" has no value', f"write it like {operator.example}")
    if name == "playlist":
        return Choice(name, value, negated)
    if operator.kind == "text":
        if not has_letters(value):
            raise Refused(f'"{name}:{value:.40}" has no letter', f"as in {operator.example}")
        return Words(value, phrase is not None, name, negated)
    if operator.kind == "key":
        return _keys(value, negated)
    if operator.kind == "color":
        word = value.lower()
        return Choice(name, word if word in {"yes", "no"} else color_of(value), negated)
    if operator.kind == "word":
        if value.lower() not in operator.words:
            raise Refused(
                f'"{name}:{value:.40}" cannot be',
                did_you_mean(value.lower(), operator.words) or f"say {', '.join(operator.words)}",
            )
        return Choice(name, value.lower(), negated)
    return _span(name, operator, value, negated)


def _keys(value: str, negated: bool) -> Keys:
    codes: list[str] = []
    for text in value.split(","):
        key = text.strip()
        try:
            codes += compatible(key[1:]) if key.startswith("~") else (camelot(key),)
        except MediaError as problem:
            raise Refused(problem.message, problem.hint) from problem
    return Keys(tuple(dict.fromkeys(codes)), negated)


def _span(name: str, operator: Operator, value: str, negated: bool) -> Span:
    form = _FORMS[operator.kind]
    if found := re.fullmatch(rf"({_SIGNS})\s*({form})", value):
        sign, number = found[1], _number(found[2])
        if sign == "=":
            return Span(name, number, number, False, False, negated)
        if sign[0] == ">":
            return Span(name, number, None, sign == ">", False, negated)
        return Span(name, None, number, False, sign == "<", negated)
    if found := re.fullmatch(rf"({form})\s*(?:-|\.\.)\s*({form})", value):
        low, high = sorted((_number(found[1]), _number(found[2])))
        return Span(name, low, high, False, False, negated)
    if found := re.fullmatch(form, value):
        number = _number(found[0])
        if operator.kind == "age":  # "added:7d" is: within
            return Span(name, None, number, False, False, negated)
        wide = operator.tolerance
        return Span(name, number - wide, number + wide, False, False, negated)
    raise Refused(
        f'"{name}:{value:.40}" is no range of values',
        f"write it like {operator.example}; with < <= > >= = or a - between two",
    )


def age_of(text: str) -> float:
    """Return an age as ``7d`` in seconds."""
    if not re.fullmatch(_AGE, text):
        raise Refused(f'"{text:.40}" is no length of time', "write it like 12h, 7d, 4w, 6m or 1y")
    return _number(text)


def _number(text: str) -> float:
    """Return a number, a length as seconds, or an age as seconds."""
    if text[-1] in SECONDS:
        return float(text[:-1]) * SECONDS[text[-1]]
    minutes, _, seconds = text.rpartition(":")
    return float(minutes or 0) * 60.0 + float(seconds)
