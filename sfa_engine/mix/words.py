"""Words to a search: ``dark rolling techno around 126 that goes with 12``.

::

    text ─► tokens ─► one rule after another at each place ─► Wanted, checked
                      quotes, operators │ tracks │ keys │ numbers │ ages │ words of the list
                      what none takes is text, to be found in names

A rule takes tokens from its place on and says how many; the longest phrase of the list wins. English
and German; the words are in `vocabulary`. Pure: no model, no database, the same answer each time.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cache

from sfa_engine.errors import MediaError, Refused
from sfa_engine.library.folding import fold
from sfa_engine.library.query import ALIASES, OPERATORS, parse_query
from sfa_engine.mix import vocabulary as v
from sfa_engine.mix.wanted import MAX_LIMIT, MAX_PARTS, THIS, Feel, Wanted, checked
from sfa_engine.track.key import camelot

MAX_WORDS_TEXT = 1000  # characters
AROUND = 0.025  # of a tempo, to each side
EXACT_BPM = 0.5
TEMPOS = (40.0, 400.0)  # what a bare number is a tempo in; below it is a number of tracks
YEARS = (1900, 2099)
LONGEST = 4  # words of a phrase

_CONTROL = re.compile(
    "[\x00-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff\ud800-\udfff]"
)
_TOKEN = re.compile(
    r"""
      (?P<quote>-?"[^"]*"?|[„“][^“”"]*[“”"]?)
    | (?P<operator>-?[A-Za-z_]+:(?:"[^"]*"?|[^\s,;]+))
    | (?P<hash>\#[0-9]+)
    | (?P<key>(?:[A-Ha-h](?:\#|♯|♭|b|is|es|s)?-(?:[Mm]oll|[Dd]ur|minor|major))(?!\w))
    | (?P<exclude>(?<!\S)-[^\W\d_][^\s,;]*)
    | (?P<decade>'?(?:19|20)?[0-9]0(?:er[nsm]?|s)(?!\w))
    | (?P<clock>[0-9]{1,3}:[0-5][0-9](?!\w))
    | (?P<code>(?:0?[1-9]|1[0-2])[ABab](?!\w))
    | (?P<number>~?[0-9]{1,9}(?:[.,][0-9]{1,6})?)
    | (?P<span>\.\.\.?|[-–—](?=\s*[0-9]))
    | (?P<stop>[,;.!?:()/]+)
    | (?P<key2>[A-H](?:\#|♯|♭|b)?m?(?![\w'’]))
    | (?P<word>[^\W\d_][\w]*(?:['’&+][^\W_]+)*\#?|[^\s\w])
    """,
    re.VERBOSE,
)  # fmt: skip
_JOINTS = frozenset("-'’_")  # inside a word: hip-hop is hip hop
_GERMAN_TONICS = {"h": "B", "b": "Bb", "as": "Ab", "es": "Eb"}


@dataclass(frozen=True, slots=True)
class Token:
    """A piece of the text: its kind, as it was typed, and folded."""

    kind: str
    text: str
    folded: str


@dataclass(frozen=True, slots=True)
class Reading:
    """What words were read as.

    Parameters
    ----------
    wanted : Wanted
    unknown : tuple of str
        Words that were not understood: they are in ``wanted.text``, to be found in names.
    """

    wanted: Wanted
    unknown: tuple[str, ...]


def read(text: str) -> Reading:
    """Read a search in words.

    Parameters
    ----------
    text : str
        Up to `MAX_WORDS_TEXT` characters. Control and invisible characters count as spaces.

    Returns
    -------
    Reading

    Raises
    ------
    Refused
        It is empty, too long, without a word that asks for something, or its parts exclude each other;
        or an operator in it is invalid.
    """
    if len(text) > MAX_WORDS_TEXT:
        raise Refused(f"the search is {len(text)} characters long", f"give up to {MAX_WORDS_TEXT}")
    cleaned = _CONTROL.sub(" ", text).strip()
    if not cleaned:
        raise Refused("the search is empty", 'write what you look for, as "dark techno around 126"')
    tokens = [_token(found) for found in _TOKEN.finditer(cleaned)]
    reader = _Reader([each for each in tokens if each.kind == "span" or each.text not in _JOINTS])
    reader.run()
    return reader.reading(cleaned)


def _token(found: re.Match[str]) -> Token:
    kind = str(found.lastgroup)
    text = found[0]
    if kind == "word" and not fold(text):
        kind = "stop" if text not in {"&", "+"} else "word"
    return Token(kind, text, fold(text))


@dataclass(slots=True)
class _Number:
    """A number, or two, before anything is known of what they count."""

    low: float | None
    high: float | None
    is_single: bool
    low_open: bool = False
    high_open: bool = False
    is_exact: bool = False
    is_around: bool = False


@dataclass(slots=True)
class _Reader:
    """Reads tokens from left to right."""

    tokens: list[Token]
    at: int = 0
    genres: list[str] = field(default_factory=list)
    feel: dict[str, Feel] = field(default_factory=dict)
    spans: dict[str, tuple[float | None, float | None, bool, bool]] = field(default_factory=dict)
    where: list[str] = field(default_factory=list)
    text: list[str] = field(default_factory=list)
    unknown: list[str] = field(default_factory=list)
    like: str | None = None
    goes_with: str | None = None
    limit: int | None = None
    negated: bool = False
    weight: float = 1.0
    about: str = ""  # what a number or an age after it is of

    # ------------------------------------------------------------------ tokens

    def run(self) -> None:
        """Read everything."""
        rules = (
            *(self._literal, self._condition, self._age, self._reference, self._key),
            *(self._comparison, self._counted, self._word),
        )
        while self.at < len(self.tokens):
            for rule in rules:
                taken = rule(self.at)
                if taken:
                    self.at += taken
                    break
            else:
                self._keep_text(self.tokens[self.at])
                self.at += 1

    def reading(self, text: str) -> Reading:
        """Return what was read."""
        bpm = self.spans.pop("bpm", None)
        for name, span in self.spans.items():
            self.where.append(_operator(name, *span))
        wanted = Wanted(
            genres=tuple(dict.fromkeys(self.genres)),
            feel=tuple(self.feel.values()),
            bpm=None if bpm is None else (bpm[0], bpm[1]),
            where=tuple(dict.fromkeys(self.where)),
            text=tuple(dict.fromkeys(self.text)),
            like=self.like,
            goes_with=self.goes_with,
            limit=self.limit,
        )
        if wanted == Wanted() or (self.limit and wanted == Wanted(limit=self.limit)):
            if all(token.kind == "stop" for token in self.tokens):
                raise Refused(f'"{text:.40}" has no word', "write what you look for")
            raise Refused(
                f'"{text:.40}" asks for nothing', "add a genre, a tempo, a feeling or a name"
            )
        return Reading(checked(wanted), tuple(dict.fromkeys(self.unknown)))

    def _phrase(self, words: Mapping[str, str], at: int) -> tuple[str, int] | None:
        """Return the meaning of the longest phrase of a list from a place on, and its length."""
        for length in range(LONGEST, 0, -1):
            part = self.tokens[at : at + length]
            if len(part) < length or any(token.kind == "stop" for token in part):
                continue
            joined = " ".join(" ".join(token.folded for token in part).split())
            if joined in words:
                return words[joined], length
        return None

    def _is(self, words: str, at: int) -> int:
        """Return how many tokens from a place on are a phrase of a list."""
        found = self._phrase(_listed(words), at)
        return found[1] if found else 0

    def _skip(self, words: str, at: int) -> int:
        """Return the place after all phrases of a list from a place on."""
        while taken := self._is(words, at):
            at += taken
        return at

    def _kind(self, at: int) -> str:
        return self.tokens[at].kind if at < len(self.tokens) else ""

    # ------------------------------------------------------------------ rules: how many tokens?

    def _literal(self, at: int) -> int:
        """Operators and quotes, as the language of operators has them."""
        token = self.tokens[at]
        if token.kind == "operator":
            name = token.text.lstrip("-").partition(":")[0].lower()
            if ALIASES.get(name, name) in OPERATORS:
                self.where.append(token.text)
            else:
                parse_query(token.text)  # one that is misspelt is refused
                self._keep_text(token)
            return 1
        if token.kind == "exclude":
            self.where.append(token.text)
            return 1
        if token.kind == "quote":
            inner = token.text.lstrip("-").strip('"„“”').strip()
            if fold(inner):
                if token.text.startswith("-"):
                    self.where.append(f'-"{inner}"')
                else:
                    self.text.append(f'"{inner}"')
            return 1
        if token.kind == "stop":
            self._forget()
            return 1
        return 0

    def _condition(self, at: int) -> int:
        """Words for an operator, as "with stems"; and minor or major alone."""
        if found := self._phrase(_conditions(), at):
            self._add_where(found[0])
            return found[1]
        for words, letter in ((v.MINOR, "A"), (v.MAJOR, "B")):
            if taken := self._is(words, at):
                codes = ",".join(f"{number}{letter}" for number in range(1, 13))
                self._add_where(f"key:{codes}")
                return taken
        return 0

    def _age(self, at: int) -> int:
        """Ages: "added this week", "in the last 7 days", "not played for 3 months"."""
        for words, name in ((v.PLAYED, "played"), (v.ADDED, "added")):
            if taken := self._is(words, at):
                self.about = name
                if name == "played" and not self._starts_age(at + taken):
                    self.where.append("plays:0" if self.negated else "plays:>0")
                    self._forget()
                return taken
        end, age = self._parse_age(at)
        if not age:
            return 0
        name = self.about if self.about in {"played", "added"} else ""
        if not name:
            for words, candidate in ((v.PLAYED, "played"), (v.ADDED, "added")):
                if taken := self._is(words, end):
                    name, end = candidate, end + taken
        negation, sign = ("-", "<") if self.negated else ("", "")
        self.where.append(f"{negation}{name or 'added'}:{sign}{age}")
        self._forget()
        return end - at

    def _starts_age(self, at: int) -> bool:
        at = self._skip("in, within, the, den, der, innerhalb", at)
        return bool(self._parse_age(at)[1])

    def _parse_age(self, at: int) -> tuple[int, str]:
        """Return where an age ends, and it as an operator has it; empty if there is none."""
        if found := self._phrase(_spans(), at):
            return at + found[1], found[0]
        start = at
        at = self._skip(v.LAST, at)
        number = self._value(at)
        if number is None:
            return start, ""
        unit = self._phrase(_ages(), at + 1)
        about = self.about in {"played", "added"}
        if unit is None or not (at > start or about or self._is(v.ADDED, at + 1 + unit[1])):
            return start, ""
        return at + 1 + unit[1], f"{number:g}{unit[0]}"

    def _reference(self, at: int) -> int:
        """Tracks: "goes with 12", "like this one", "das zu 12 passt"."""
        if taken := self._is("zu, to", at):
            end, named = self._track(at + taken)
            if named and (after := self._is(v.FITS_AFTER, end)):
                self._goes_with(named)
                return end + after - at
        for words, name in ((v.GOES_WITH, "goes_with"), (v.LIKE, "like")):
            taken = self._is(words, at)
            if not taken:
                continue
            if name == "like" and self.tokens[at].folded in {"wie", "like"} and taken == 1:
                before = self.tokens[at - 1].folded if at else ""
                if before in {"i", "would", "so"}:
                    return 0
            if self.tokens[at].folded in {"after", "nach"}:
                end, named = at + taken, THIS
            else:
                end, named = self._track(at + taken)
            if not named:
                if self._names_sound(at + taken):
                    return taken  # "matches deep house" asks for deep house
                shown = " ".join(token.text for token in self.tokens[at : at + taken])
                raise Refused(f'"{shown:.40}" names no track', "add its number, as in goes with 12")
            if name == "goes_with":
                self._goes_with(named)
            elif named.startswith("key:"):
                self.where.append(named)
            else:
                self.like = self._once(self.like, named)
            self._forget()
            return end - at
        return 0

    def _goes_with(self, named: str) -> None:
        if named.startswith("key:"):
            self.where.append(named.replace("key:", "key:~"))
        elif named.startswith("bpm:"):
            bpm = float(named[4:])
            self._limit_span("bpm", bpm / 1.06, bpm * 1.06)
        else:
            self.goes_with = self._once(self.goes_with, named)
        self._forget()

    @staticmethod
    def _once(there: str | None, named: str) -> str:
        if there is not None and there != named:
            raise Refused(f'two tracks are named: "{there:.40}" and "{named:.40}"', "keep one")
        return named

    def _track(self, at: int) -> tuple[int, str]:
        """Return where the name of a track ends, and it; empty if there is none."""
        if taken := self._is(v.THIS, at):
            return at + taken, THIS
        at = self._skip(v.REFERENCE_FILLERS, at)
        if taken := self._is(v.THIS, at):
            return at + taken, THIS
        if key := self._key_at(at):
            return at + key[1], f"key:{key[0]}"
        kind = self._kind(at)
        if kind in {"hash", "number"}:
            text = self.tokens[at].text.lstrip("#~")
            if taken := self._is(v.BPM, at + 1):
                return at + 1 + taken, f"bpm:{text.replace(',', '.')}"
            return (at + 1, text) if text.isdecimal() else (at, "")
        if kind == "quote":
            inner = self.tokens[at].text.strip('"„“”').strip()
            return at + 1, inner
        end = at
        while end < len(self.tokens) and self.tokens[end].kind in {"word", "key2", "number"}:
            ends = self._is("and, but, around, about, between, over, under, with, und, aber, um, mit,"
                            " zwischen, über, unter, from, aus, that, der, die, das", end)  # fmt: skip
            if end > at and ends:
                break
            end += 1
        if end == at or self._names_sound(at):
            return at, ""
        return end, " ".join(token.text for token in self.tokens[at:end])

    def _names_sound(self, at: int) -> bool:
        return self._phrase(_genres(), at) is not None or self._feel_at(at) is not None

    def _key(self, at: int) -> int:
        found = self._key_at(at)
        if found is None:
            return 0
        self._add_where(f"key:{found[0]}")
        return found[1]

    def _key_at(self, at: int) -> tuple[str, int] | None:
        """Return a key from a place on as a Camelot code, and its length."""
        if at >= len(self.tokens):
            return None
        token = self.tokens[at]
        if token.kind == "code":
            return camelot(token.text), 1
        if token.kind == "key":
            return _key_code(token.text)
        text, length = token.text, 1
        if not re.fullmatch(r"[A-Ha-h](?:#|♯|♭|b|is|es|s|m|#m|bm)?|[A-G](?:#|♯|♭|b)", text):
            return None
        after = self.tokens[at + 1].folded if at + 1 < len(self.tokens) else ""
        if after in {"sharp", "flat"} and at + 2 < len(self.tokens):
            text += "#" if after == "sharp" else "b"
            length, after = 2, self.tokens[at + 2].folded
        if after in {"minor", "major", "moll", "dur", "min", "maj"}:
            behind = at + length + 1
            is_article = token.text == "a" and self._is("key, tonart", behind)
            if is_article:
                return None
            found = _key_code(f"{text}-{after}")
            return found and (found[0], length + 1)
        if re.fullmatch(r"[A-G](?:#|♯|♭|b)?m", text) or re.fullmatch(r"[A-G](?:#|♯|♭)", text):
            return _key_code(text)
        before = self.tokens[at - 1].folded if at else ""
        if before == "in" and re.fullmatch(r"[A-G]b?", text):
            return _key_code(text)
        return None

    def _comparison(self, at: int) -> int:
        """Comparisons: "darker than 12", "longer than 7 minutes"."""
        found = self._feel_at(at)
        if found is None:
            return 0
        name, taken = found
        than = self._is(v.THAN, at + taken)
        if not than:
            return 0
        place = at + taken + than
        field_name = {"fast": "bpm", "slow": "bpm", "long": "duration", "short": "duration"}.get(
            name
        )
        field_name = field_name or {"old": "year", "new": "year"}.get(name)
        number = self._value(place) if self._kind(place) != "hash" else None
        if field_name and number is not None and (field_name != "bpm" or number >= TEMPOS[0]):
            end, value = self._measured(field_name, place)
            is_more = (name in {"fast", "long", "new"}) is not self.negated
            if is_more:
                self._limit_span(field_name, value, None, low_open=True)
            else:
                self._limit_span(field_name, None, value, high_open=True)
            self._forget()
            return end - at
        end, named = self._track(place)
        if not named or named.startswith(("key:", "bpm:")):
            return 0
        name = v.OPPOSITES[name] if self.negated else name
        self._add_feel(Feel(name, self.weight, named))
        return end - at

    def _measured(self, name: str, at: int) -> tuple[int, float]:
        """Return where a number with its unit ends, and its value."""
        value = self._value(at) or 0.0
        at += 1
        if name == "duration":
            if taken := self._is(v.SECONDS, at):
                return at + taken, value
            taken = self._is(v.MINUTES, at)
            is_clock = self._kind(at - 1) == "clock"
            return at + taken, value if is_clock else value * 60.0
        return at + self._is(v.BPM, at), value

    def _counted(self, at: int) -> int:
        """Numbers, with what stands before and behind them."""
        start = at
        if self._kind(at) == "decade" or self._phrase(_decades(), at):
            return self._decade(at)
        if taken := self._is(v.ENERGY, at):
            end = self._skip("of, is, von, at, bei", at + taken)
            number, end = self._number(end)
            if number is None:
                return 0
            self._take_energy(number)
            return end - start
        number, end = self._number(at)
        if number is None:
            return 0
        used = self._assign(number, at, end)
        return 0 if used is None else used - start

    def _decade(self, at: int) -> int:
        if found := self._phrase(_decades(), at):
            first, taken = int(found[0]), found[1]
        else:
            digits = re.sub(r"\D", "", self.tokens[at].text)
            short = int(digits[-2:])
            first = int(digits) if len(digits) == 4 else (1900 if short >= 30 else 2000) + short
            taken = 1
        if self.negated:
            self.where.append(f"-year:{first}-{first + 9}")
            self._forget()
        else:
            self._limit_span("year", first, first + 9)
        return taken

    def _number(self, at: int) -> tuple[_Number | None, int]:
        """Return a number or a range from a place on, and where it ends."""
        around = exact = between = over = least = under = most = 0
        if not (around := self._is(v.AROUND, at)):
            if not (exact := self._is(v.EXACTLY, at)):
                if not (least := self._is(v.AT_LEAST, at)):
                    if not (over := self._is(v.OVER, at)):
                        if not (most := self._is(v.AT_MOST, at)):
                            if not (under := self._is(v.UNDER, at)):
                                between = self._is(v.BETWEEN, at)
        place = at + around + exact + between + over + least + under + most
        if around:
            place = self._skip("the, die, der, den", place)
        first = self._value(place)
        if first is None:
            return None, at
        around = around or self.tokens[place].text.startswith("~")
        place += 1
        if not (over or least or under or most or exact or around):
            unit = self._is(v.BPM, place) or self._is(v.MINUTES, place)
            joint = place + unit
            gap = 1 if self._kind(joint) == "span" else self._is(v.UNTIL, joint)
            second = self._value(joint + gap) if gap else None
            is_joined = self._kind(joint) == "span" or between or self.tokens[joint].folded in {
                "to", "bis", "until", "till"} if gap else False  # fmt: skip
            if second is not None and is_joined:
                if self._kind(joint + gap) == "clock" or not self._is(v.STARS, joint + gap + 1):
                    low, high = sorted((first, second))
                    return _Number(low, high, is_single=False), joint + gap + 1
        if over or least:
            return _Number(first, None, is_single=False, low_open=bool(over)), place
        if under or most:
            return _Number(None, first, is_single=False, high_open=bool(under)), place
        number = _Number(first, first, is_single=True, is_exact=bool(exact))
        number.is_around = bool(around)
        return number, place

    def _value(self, at: int) -> float | None:
        """Return the number at a place."""
        if at >= len(self.tokens):
            return None
        token = self.tokens[at]
        if token.kind == "number":
            return float(token.text.lstrip("~").replace(",", "."))
        if token.kind == "clock":
            minutes, _, seconds = token.text.partition(":")
            return float(minutes) * 60.0 + float(seconds)
        numeral = _numerals().get(token.folded) if token.kind == "word" else None
        return None if numeral is None else float(numeral)

    def _assign(self, number: _Number, at: int, end: int) -> int | None:
        """Use a number as what its unit, its size or its neighbours say; return where it ends."""
        value = number.low if number.low is not None else number.high
        assert value is not None
        last = self.tokens[end - 1]
        if taken := self._is(v.STARS, end):
            end += taken
            if more := self._is(v.OR_MORE, end):
                number = _Number(number.low, None, is_single=False)
                end += more
            elif less := self._is(v.OR_LESS, end):
                number = _Number(None, number.high, is_single=False)
                end += less
            self._limit_span("rating", number.low, number.high,
                             low_open=number.low_open, high_open=number.high_open)  # fmt: skip
            return end
        minutes, seconds = self._is(v.MINUTES, end), self._is(v.SECONDS, end)
        if minutes or seconds or last.kind == "clock":
            factor = 60.0 if minutes and last.kind != "clock" else 1.0
            low, high = (None if x is None else x * factor for x in (number.low, number.high))
            if number.is_single:
                slack = 0.1 if not number.is_exact else 0.0
                low, high = value * factor * (1 - slack), value * factor * (1 + slack)
            end += minutes or seconds
            low, high, end = self._or_more(low, high, end)
            self._limit_span("duration", low, high,
                             low_open=number.low_open, high_open=number.high_open)  # fmt: skip
            return end
        tempo = self._is(v.BPM, end)
        if not tempo:
            if taken := self._is(v.TRACKS, end):
                if number.is_single and value.is_integer() and 1 <= value <= MAX_LIMIT:
                    self.limit = int(value)
                    return end + taken
            if last.kind == "word" and number.is_single:  # "ten", "fünf"
                self.limit = int(value)
                return end
            years = [x for x in (number.low, number.high) if x is not None]
            if all(x.is_integer() and YEARS[0] <= x <= YEARS[1] for x in years):
                self._limit_span("year", number.low, number.high,
                                 low_open=number.low_open, high_open=number.high_open)  # fmt: skip
                return end
            if value < TEMPOS[0] and number.is_single and not number.is_around:
                if value.is_integer() and value >= 1 and self._only_tracks_follow(end):
                    self.limit = int(value)
                    return end
                return None
            if value < TEMPOS[0] or value > TEMPOS[1]:
                return None
        end += tempo
        low, high = number.low, number.high
        more = self._is(v.OR_MORE, end)
        less = self._is(v.OR_LESS, end)
        if more or less:
            self._limit_span("bpm", value if more else None, value if less else None)
            return end + (more or less)
        if number.is_single and number.is_exact:
            low, high = value - EXACT_BPM, value + EXACT_BPM
        elif number.is_single:
            low, high = value * (1 - AROUND), value * (1 + AROUND)
        self._limit_span("bpm", low, high)
        return end

    def _only_tracks_follow(self, at: int) -> bool:
        """Return whether words for tracks come later: "20 dark tracks"."""
        listed = _listed(v.TRACKS)
        return any(token.folded in listed for token in self.tokens[at : at + 6])

    def _or_more(
        self, low: float | None, high: float | None, end: int
    ) -> tuple[float | None, float | None, int]:
        if more := self._is(v.OR_MORE, end):
            return low, None, end + more
        if less := self._is(v.OR_LESS, end):
            return None, high, end + less
        return low, high, end

    def _take_energy(self, number: _Number) -> None:
        low, high = number.low, number.high
        if number.is_single and low is not None and high is not None:
            low, high = max(0.0, low - 0.05), high + 0.05
        self._limit_span("energy", low, high, low_open=number.low_open, high_open=number.high_open)

    def _word(self, at: int) -> int:
        """Words of the list: not, very, feelings, genres, fillers."""
        if taken := self._is(v.STRONGER, at):
            self.weight = v.STRONG
            return taken
        if taken := self._is(v.WEAKER, at):
            if self._feel_at(at + taken) is not None:
                self.weight = v.WEAK
                return taken
        genre, feel = self._phrase(_genres(), at), self._feel_at(at)
        if genre and (feel is None or genre[1] >= feel[1]):
            if self.negated:
                words = genre[0] if " " not in genre[0] else f'"{genre[0]}"'
                self.where.append(f"-{words}")
            else:
                self.genres.append(genre[0])
            self._forget()
            return genre[1]
        if feel is not None:
            name = v.OPPOSITES[feel[0]] if self.negated else feel[0]
            weight = 1.0 if self.negated else self.weight
            self._add_feel(Feel(name, weight))
            return feel[1]
        if taken := self._is(v.NOT, at):
            self.negated = True
            return self._skip(v.SKIPPED_AFTER_NOT, at + taken) - at
        if taken := self._filler(at):
            if self.tokens[at].folded in {"and", "but", "und", "aber"}:
                self._forget()
            return taken
        return 0

    def _filler(self, at: int) -> int:
        connectors = (v.AROUND, v.OVER, v.UNDER, v.AT_LEAST, v.BETWEEN, v.LAST, v.THAN)
        return self._is(v.FILLERS, at) or next(
            (taken for words in connectors if (taken := self._is(words, at))), 0
        )

    # ------------------------------------------------------------------ parts

    def _feel_at(self, at: int) -> tuple[str, int] | None:
        """Return a word of feeling from a place on, and its length; endings are tried too."""
        if found := self._phrase(_feels(), at):
            return found
        if at >= len(self.tokens) or self.tokens[at].kind != "word":
            return None
        word = self.tokens[at].folded
        if word in _listed(v.FILLERS):
            return None
        return next(
            ((_feels()[stem], 1) for stem in _without_ending(word) if stem in _feels()), None
        )

    def _add_feel(self, feel: Feel) -> None:
        there = self.feel.get(feel.name)
        if there is None or (feel.than and not there.than):
            self.feel[feel.name] = feel
        self._forget()

    def _add_where(self, operator: str) -> None:
        opposite = {"stems:yes": "stems:no", "cues:yes": "cues:no", "plays:0": "plays:>0"}
        if self.negated:
            operator = opposite.get(operator, f"-{operator}")
        self.where.append(operator)
        self._forget()

    def _limit_span(
        self,
        name: str,
        low: float | None,
        high: float | None,
        *,
        low_open: bool = False,
        high_open: bool = False,
    ) -> None:
        """Narrow the range of a number; Refused if nothing is left."""
        known = self.spans.get(name, (None, None, False, False))
        if known[0] is not None and (low is None or known[0] > low):
            low, low_open = known[0], known[2]
        if known[1] is not None and (high is None or known[1] < high):
            high, high_open = known[1], known[3]
        empty = low is not None and high is not None and (
            low > high or (low == high and (low_open or high_open))
        )  # fmt: skip
        if empty:
            raise Refused(
                f"no {'tempo' if name == 'bpm' else name} is over {low:g} and under {high:g}",
                "keep one of them",
            )
        self.spans[name] = (low, high, low_open, high_open)
        self._forget()

    def _keep_text(self, token: Token) -> None:
        """Keep a token that no rule takes, to be found in names."""
        if token.folded:
            if self.negated:
                self.where.append(f"-{token.text}")
            else:
                self.text.append(token.text)
                self.unknown.append(token.text)
        self._forget()
        if len(self.text) > 5 * MAX_PARTS:
            raise Refused(f"the search has {len(self.text)} words", "give fewer")

    def _forget(self) -> None:
        self.negated, self.weight, self.about = False, 1.0, ""


def _operator(
    name: str, low: float | None, high: float | None, low_open: bool, high_open: bool
) -> str:
    """Return a range in the language of operators."""
    if low is not None and high is not None:
        if low == high:
            return f"{name}:{_plain(low)}"
        return f"{name}:{_plain(low)}-{_plain(high)}"
    if low is not None:
        return f"{name}:{'>' if low_open else '>='}{_plain(low)}"
    assert high is not None
    return f"{name}:{'<' if high_open else '<='}{_plain(high)}"


def _plain(number: float) -> str:
    return f"{number:.6f}".rstrip("0").rstrip(".")


def _key_code(text: str) -> tuple[str, int] | None:
    """Return a key in German or English spelling as a Camelot code."""
    tonic, _, mode = text.partition("-")
    if mode.lower() in {"moll", "dur"}:
        lower = tonic.lower()
        if lower in _GERMAN_TONICS:
            tonic = _GERMAN_TONICS[lower]
        elif lower.endswith("is"):
            tonic = f"{lower[0].upper()}#"
        elif lower.endswith("es") or (lower.endswith("s") and len(lower) == 2):
            tonic = f"{lower[0].upper()}b"
    try:
        return camelot(f"{tonic} {mode}".strip()), 1
    except MediaError:
        return None


def _without_ending(word: str) -> Iterable[str]:
    """Yield what a word may be without its ending, shortest ending first."""
    for ending in v.ENDINGS:
        if word.endswith(ending) and len(word) - len(ending) >= 3:
            stem = word[: -len(ending)]
            yield stem
            if stem[-1] == "i":
                yield f"{stem[:-1]}y"
            if len(stem) > 3 and stem[-1] == stem[-2]:  # sadder
                yield stem[:-1]


# ---------------------------------------------------------------------- lists, folded once


def _spellings(words: str) -> Iterable[str]:
    for word in words.split(","):
        for spelling in (
            word,
            re.sub("[äöü]", lambda found: f"{'aou'['äöü'.index(found[0])]}e", word),
        ):
            if folded := fold(spelling):
                yield folded


@cache
def _listed(words: str) -> dict[str, str]:
    return {word: word for word in _spellings(words)}


def _meanings(words: Mapping[str, str], *, own: bool = True) -> dict[str, str]:
    return {
        spelling: name
        for name, others in words.items()
        for spelling in _spellings(f"{name},{others}" if own else others)
    }


@cache
def _feels() -> dict[str, str]:
    return _meanings(v.FEEL_WORDS)


@cache
def _genres() -> dict[str, str]:
    return _meanings(v.GENRES)


@cache
def _conditions() -> dict[str, str]:
    return _meanings(v.CONDITIONS, own=False)


@cache
def _spans() -> dict[str, str]:
    return _meanings(v.SPANS, own=False)


@cache
def _ages() -> dict[str, str]:
    return _meanings(v.AGES, own=False)


@cache
def _numerals() -> dict[str, int]:
    return {spelling: n for word, n in v.NUMERALS.items() for spelling in _spellings(word)}


@cache
def _decades() -> dict[str, str]:
    found = {word: str(year) for word, year in v.DECADES.items()}
    return {s: year for word, year in found.items() for s in _spellings(word)}


def count_words() -> int:
    """Return how many spellings the lists of feelings and genres have."""
    return len(_feels()) + len(_genres())
