"""The query language of the library: words, phrases, and operators such as ``bpm:>124``.

::

    aphex "window licker" bpm:120-128 key:~8A -genre:ambient
      │          │             │         │          └─ not
      │          │             │         └─ compatible with 8A
      │          │             └─ operator:value
      │          └─ these words in this order
      └─ a word, or its beginning

`OPERATORS` declares them; the manual's table is generated from it. Pure: text in, `Query` out, or
`Refused` with a hint. Knows no database.
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
from sfa_engine.library.track import STATES
from sfa_engine.track.key import camelot

MAX_TEXT = 1000  # characters
SECONDS = {"h": 3600.0, "d": 86_400.0, "w": 604_800.0, "m": 2_629_800.0, "y": 31_557_600.0}

Kind = Literal["text", "number", "length", "age", "key", "color", "word"]


@dataclass(frozen=True, slots=True)
class Operator:
    """One operator.

    Parameters
    ----------
    kind : str
        How its value is parsed.
    sentence : str
        For the manual.
    example : str
        For the manual and errors.
    tolerance : float
        Half width of a plain number's range.
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
                    " them. `~` matches all compatible keys.", "key:~8A"),
    "energy": Operator("number", "Energy from 0 to 1; a plain number takes 0.05 to each side.",
                       "energy:>0.6", 0.05),
    "year": Operator("number", "Year.", "year:1994-1999"),
    "duration": Operator("length", "Length, in seconds or as minutes:seconds.", "duration:<6:30",
                         1.0),
    "added": Operator("age", "How long ago it was added: hours, days, weeks, months, years as"
                      " `h d w m y`.", "added:<7d"),
    "stems": Operator("word", "Whether it was separated, or a preview of it was; or a stem of it.",
                      "stems:yes", words=("yes", "no", "preview", *STEMS)),
    "grid": Operator("word", "Whether the analysis is not sure of the grid, whether it is by hand,"
                     " or that there is none.", "grid:check", words=("check", "hand", "no")),
    "cues": Operator("word", "Whether it has cues set by hand.", "cues:no", words=("yes", "no")),
    "rating": Operator("number", "Stars from 1 to 5; 0 is not rated.", "rating:>=4"),
    "comment": Operator("text", "Words of the comment, which plain words do not find.",
                        'comment:"peak time"'),
    "color": Operator("color", f"Colour of the track, as #rrggbb, or {', '.join(COLORS)}; yes or"
                       " no: whether it has one.", "color:red"),
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
ALIASES = {"colour": "color"}


@dataclass(frozen=True, slots=True)
class Words:
    """Words to find, in `field` or anywhere; a prefix unless a phrase."""

    text: str
    is_phrase: bool
    field: str | None
    negated: bool


@dataclass(frozen=True, slots=True)
class Span:
    """A range of numbers; an open limit is excluded."""

    field: str
    low: float | None
    high: float | None
    low_open: bool
    high_open: bool
    negated: bool


@dataclass(frozen=True, slots=True)
class Keys:
    """Camelot codes, one of which the track must have."""

    codes: tuple[str, ...]
    negated: bool


@dataclass(frozen=True, slots=True)
class Choice:
    """One of an operator's words, a colour, or the name of a playlist."""

    field: str
    word: str
    negated: bool


@dataclass(frozen=True, slots=True)
class Symbols:
    """A text without letters and digits, such as ``!!!``, to find as it is."""

    text: str


Term = Words | Span | Keys | Choice | Symbols


@dataclass(frozen=True, slots=True)
class Sort:
    """A sort key; of several, the first has precedence."""

    field: str
    reverse: bool


@dataclass(frozen=True, slots=True)
class Query:
    """A parsed query: all `terms` must match."""

    terms: tuple[Term, ...]
    sorts: tuple[Sort, ...] = ()


_TERM = re.compile(r'(-?)(?:([A-Za-z_]+):)?(?:"([^"]*)"?|(\S*))')
_NUMBER = r"[0-9]{1,9}(?:\.[0-9]{1,9})?"
_LENGTH = rf"(?:[0-9]{{1,6}}:)?{_NUMBER}"
_AGE = rf"{_NUMBER}[{''.join(SECONDS)}]"
_FORMS = {"number": _NUMBER, "length": _LENGTH, "age": _AGE}
_SIGNS = "<=|>=|<|>|="


def parse_query(text: str) -> Query:
    """Parse a query.

    Parameters
    ----------
    text : str
        As above.

    Returns
    -------
    Query
        Its terms, in order.

    Raises
    ------
    Refused
        An operator or its value is invalid.
    """
    if len(text) > MAX_TEXT:
        raise Refused(f"the search is {len(text)} characters long", f"give up to {MAX_TEXT}")
    terms: list[Term] = []
    sorts: list[Sort] = []
    symbols: list[str] = []
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
        else:
            symbols.append(found[0])
    if symbols and not terms:  # else a deletion by "!!!" would be one of all tracks
        terms.append(Symbols(" ".join(symbols)))
    return Query(tuple(terms), tuple(sorts))


def compatible(key: str) -> tuple[str, ...]:
    """Return the Camelot codes compatible with a key: itself, its neighbours, its relative."""
    code = camelot(key)
    number, letter = int(code[:-1]), code[-1]
    other = "B" if letter == "A" else "A"
    before, after = (number - 2) % 12 + 1, number % 12 + 1
    return (code, f"{before}{letter}", f"{after}{letter}", f"{number}{other}")


def has_letters(text: str) -> bool:
    """Return whether a text has tokens for a full-text search."""
    return bool(fold(text))


def _term(negated: bool, name: str | None, phrase: str | None, bare: str | None) -> Term | None:
    value = phrase if phrase is not None else bare or ""
    if re.search("[\ud800-\udfff]", value):
        raise Refused("the search has an invalid character", "type it again")
    value = value.replace("\0", " ").strip()
    if name is None:
        words = Words(value, phrase is not None, None, negated)
        return words if has_letters(value) else None  # "&" or "-" beside words has no effect
    field = ALIASES.get(name.lower(), name.lower())
    operator = OPERATORS.get(field)
    if operator is None:
        hint = did_you_mean(field, OPERATORS)
        if hint and value:
            raise Refused(
                f'no search operator "{name:.40}:"',
                f'{hint} Put "quotes" around a text that has a colon',
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
                f'invalid value "{name}:{value:.40}"',
                did_you_mean(value.lower(), operator.words)
                or f"give one of {', '.join(operator.words)}",
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
        if operator.kind == "age":  # "added:7d" means within 7 days
            return Span(name, None, number, False, False, negated)
        tolerance = operator.tolerance
        return Span(name, number - tolerance, number + tolerance, False, False, negated)
    raise Refused(
        f'"{name}:{value:.40}" is not a valid range',
        f"write it like {operator.example}; with < <= > >= = or a - between two",
    )


def age_of(text: str) -> float:
    """Parse an age such as ``7d`` to seconds."""
    if not re.fullmatch(_AGE, text):
        raise Refused(f'"{text:.40}" is not a valid age', "write it like 12h, 7d, 4w, 6m or 1y")
    return _number(text)


def _number(text: str) -> float:
    """Parse a number, or a length or age to seconds."""
    if text[-1] in SECONDS:
        return float(text[:-1]) * SECONDS[text[-1]]
    minutes, _, seconds = text.rpartition(":")
    return float(minutes or 0) * 60.0 + float(seconds)
