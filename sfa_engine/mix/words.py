"""Words to a search: ``dark rolling techno around 126 that goes with 12``.

::

    text ─► tokens ─► one rule after another at each place ─► Wanted, checked
                      quotes, operators │ conditions │ ages │ tracks │ keys │ comparisons
                      numbers │ words of the list;  what none takes is text, to be found in names

A rule takes tokens from its place on and says how many; of a list the longest phrase wins. English
and German; the words are in `vocabulary`. Pure: no model, no database, the same answer each time.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from sfa_engine.errors import Refused
from sfa_engine.library.folding import fold
from sfa_engine.library.query import ALIASES, OPERATORS, parse_query
from sfa_engine.mix import phrases, quantities
from sfa_engine.mix import vocabulary as v
from sfa_engine.mix.key_words import key_at
from sfa_engine.mix.phrases import Token, Tokens
from sfa_engine.mix.quantities import AROUND_ENERGY, TEMPOS, Number, Spans, measured, number_at
from sfa_engine.mix.wanted import MAX_LIMIT, MAX_TEXTS, RATE, THIS, Feel, Wanted, checked

MAX_WORDS_TEXT = 1000  # characters
MAX_TOKENS = 150  # words and signs; the worst of them take 40 ms
FIRST_DECADE = 30  # of the last century; the 20s are of this one

_CONTROL = re.compile(
    "[\x00-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff\ud800-\udfff]"
)
_QUOTES = '"„“”'
_OPPOSITES = {"stems:yes": "stems:no", "cues:yes": "cues:no", "plays:0": "plays:>0"}
# What a comparison with a number is of: "longer than 7 minutes".
_OF_NUMBERS = {
    "fast": "bpm", "slow": "bpm", "long": "duration", "short": "duration", "old": "year",
    "new": "year",
}  # fmt: skip
_MORE = {"fast", "long", "new"}


@dataclass(frozen=True, slots=True)
class Reading:
    """What words were read as.

    Parameters
    ----------
    wanted : Wanted
    unknown : tuple of str
        Words that were not understood: they are in ``wanted.text``, to be found in names.
    typed : tuple of str
        Operators that were typed, of those in ``wanted.where``.
    """

    wanted: Wanted
    unknown: tuple[str, ...] = ()
    typed: tuple[str, ...] = ()

    @property
    def is_plain(self) -> bool:
        """Whether it is names and operators alone, without a word that has a meaning."""
        return self.wanted.is_plain and set(self.wanted.where) <= set(self.typed)


def printable(text: str) -> str:
    """Return a text with spaces in place of control and invisible characters."""
    return _CONTROL.sub(" ", text).strip()


def tokens_of(text: str, name: str) -> Tokens:
    """Return the tokens of a request.

    Parameters
    ----------
    text : str
    name : str
        What the request is called: ``recipe``.

    Raises
    ------
    Refused
        It has more than `MAX_WORDS_TEXT` characters or `MAX_TOKENS` words.
    """
    if len(text) > MAX_WORDS_TEXT:
        raise Refused(f"the {name} is {len(text)} characters long", f"give up to {MAX_WORDS_TEXT}")
    tokens = Tokens(printable(text))
    if len(tokens) > MAX_TOKENS:
        raise Refused(f"the {name} has {len(tokens)} words", f"give up to {MAX_TOKENS}")
    return tokens


def read(text: str) -> Reading:
    """Read a search in words.

    Parameters
    ----------
    text : str
        Up to `MAX_WORDS_TEXT` characters. Control and invisible characters count as spaces.

    Returns
    -------
    Reading
        The search, and the words that were not understood.

    Raises
    ------
    Refused
        It is empty, too long, without a word that asks for something, or its parts exclude each
        other; or an operator in it is invalid.
    """
    if len(text) > MAX_WORDS_TEXT:
        raise Refused(f"the search is {len(text)} characters long", f"give up to {MAX_WORDS_TEXT}")
    cleaned = printable(text)
    if not cleaned:
        raise Refused("the search is empty", 'write what you look for, as "dark techno around 126"')
    tokens = Tokens(cleaned)
    if all(token.kind == "stop" for token in tokens):
        raise Refused(f'"{cleaned:.40}" has no word', "write what you look for")
    if len(tokens) > MAX_TOKENS:
        raise Refused(f"the search has {len(tokens)} words", f"give up to {MAX_TOKENS}")
    reading = _Reader(tokens).read()
    if reading.wanted in {Wanted(), Wanted(limit=reading.wanted.limit)}:
        raise Refused(
            f'"{cleaned:.40}" asks for nothing', "add a genre, a tempo, a feeling or a name"
        )
    return reading


def read_any(text: str) -> Reading | None:
    """Read a search; None if it asks for nothing, as what other words have left may.

    Raises
    ------
    Refused
        Its parts exclude each other, or an operator in it is invalid.
    """
    if not re.search(r"\w", text):
        return None
    try:
        return read(text)
    except Refused as error:
        if "asks for nothing" in error.message:
            return None
        raise


@dataclass
class _Reader:
    """Reads tokens from left to right."""

    tokens: Tokens
    genres: list[str] = field(default_factory=list)
    tags: list[str] = field(default_factory=list)
    feel: dict[str, Feel] = field(default_factory=dict)
    spans: Spans = field(default_factory=Spans)
    where: list[str] = field(default_factory=list)
    typed: list[str] = field(default_factory=list)
    text: list[str] = field(default_factory=list)
    unknown: list[str] = field(default_factory=list)
    like: str | None = None
    goes_with: str | None = None
    limit: int | None = None
    # Said of what comes next: "not", "very", and whether an age is of plays.
    negated: bool = False
    weight: float = 1.0
    about: str = ""

    def read(self) -> Reading:
        """Read everything."""
        rules = (
            *(self._literal, self._condition, self._age, self._reference, self._key),
            *(self._comparison, self._decade, self._energy, self._quantity, self._word),
        )
        at = 0
        while at < len(self.tokens):
            taken = next((taken for rule in rules if (taken := rule(at))), 0)
            if not taken:
                self._keep_text(self.tokens[at])
            at += taken or 1
        bpm = self.spans.of.get("bpm")
        wanted = Wanted(
            genres=tuple(dict.fromkeys(self.genres)),
            tags=tuple(dict.fromkeys(self.tags)),
            feel=tuple(self.feel.values()),
            bpm=None if bpm is None else (bpm.low, bpm.high),
            where=tuple(dict.fromkeys([*self.typed, *self.where, *self.spans.operators()])),
            text=tuple(dict.fromkeys(self.text)),
            like=self.like,
            goes_with=self.goes_with,
            limit=self.limit,
        )
        return Reading(checked(wanted), tuple(dict.fromkeys(self.unknown)), tuple(self.typed))

    # ------------------------------------------------------------------ rules: how many tokens?

    def _literal(self, at: int) -> int:
        """Take operators and quotes, as the language of operators has them, and stops."""
        token = self.tokens[at]
        if token.kind == "stop":
            self._forget()
        elif token.kind == "exclude":
            self.typed.append(token.text)
        elif token.kind == "quote":
            inner = token.text.removeprefix("-").strip(_QUOTES).strip()
            if not fold(inner):
                pass
            elif token.text[0] == "-" or self.negated:
                self.typed.append(f'-"{inner}"')
            else:
                self.text.append(f'"{inner}"')
            self._forget()
        elif token.kind == "operator":
            parse_query(token.text)  # one that is misspelt is refused
            name = token.text.removeprefix("-").partition(":")[0].lower()
            if ALIASES.get(name, name) in OPERATORS:
                self.typed.append(token.text)
            else:
                self._keep_text(token)
        else:
            return 0
        return 1

    def _condition(self, at: int) -> int:
        """Take words for an operator, as "with stems"; and minor or major alone."""
        if found := self.tokens.phrase(phrases.conditions(), at):
            self._add_where(found[0])
            return found[1]
        for words, letter in ((v.MINOR, "A"), (v.MAJOR, "B")):
            if taken := self.tokens.matched(words, at):
                codes = ",".join(f"{number}{letter}" for number in range(1, 13))
                self._add_where(f"key:{codes}")
                return taken
        return 0

    def _age(self, at: int) -> int:
        """Take ages: "added this week", "in the last 7 days", "not played for 3 months"."""
        for words, name in ((v.PLAYED, "played"), (v.ADDED, "added")):
            if taken := self.tokens.matched(words, at):
                self.about = name
                start = self.tokens.skip("in, within, the, den, der, innerhalb", at + taken)
                if name == "played" and not self._parse_age(start)[1]:
                    self.where.append("plays:0" if self.negated else "plays:>0")
                    self._forget()
                return taken
        end, age = self._parse_age(at)
        if not age:
            return 0
        name = self.about
        for words, after in ((v.PLAYED, "played"), (v.ADDED, "added")):
            if not name and (taken := self.tokens.matched(words, end)):
                name, end = after, end + taken
        negation, sign = ("-", "<") if self.negated else ("", "")
        self.where.append(f"{negation}{name or 'added'}:{sign}{age}")
        self._forget()
        return end - at

    def _parse_age(self, at: int) -> tuple[int, str]:
        """Return where an age ends, and it as an operator has it; empty if there is none."""
        if found := self.tokens.phrase(phrases.spans(), at):
            return at + found[1], found[0]
        place = self.tokens.skip(v.LAST, at)
        number = self.tokens.number(place)
        unit = self.tokens.phrase(phrases.ages(), place + 1)
        if number is None or unit is None:
            return at, ""
        end = place + 1 + unit[1]
        is_age = place > at or self.about or self.tokens.matched(v.ADDED, end)
        return (end, f"{number:g}{unit[0]}") if is_age else (at, "")

    def _reference(self, at: int) -> int:
        """Take tracks: "goes with 12", "like this one", "das zu 12 passt"."""
        if taken := self.tokens.matched(v.BEFORE_TRACK, at):
            end, named = self._track(at + taken)
            if named and (after := self.tokens.matched(v.FITS_AFTER, end)):
                self._add_track("goes_with", named)
                return end + after - at
        for words, kind in ((v.GOES_WITH, "goes_with"), (v.LIKE, "like")):
            taken = self.tokens.matched(words, at)
            if not taken or (kind == "like" and self.tokens.folded(at - 1) in {"i", "would"}):
                continue
            said = self.tokens.text(at, at + taken)
            end, named = self._track(at + taken)
            if fold(said) in {"after this", "nach diesem"}:
                end, named = at + taken, THIS
            if named:
                self._add_track(kind, named)
                return end - at
            if self._names_sound(at + taken):
                return taken  # "matches deep house" asks for deep house
            raise Refused(f'"{said:.40}" names no track', "add its number, as in goes with 12")
        return 0

    def _track(self, at: int) -> tuple[int, str]:
        """Return where the name of a track ends, and it; empty if there is none.

        A key is ``key:8A``, a tempo ``bpm:126``.
        """
        tokens = self.tokens
        if taken := tokens.matched(v.THIS, at):
            return at + taken, THIS
        at = tokens.skip(v.REFERENCE_FILLERS, at)
        if taken := tokens.matched(v.THIS, at):
            return at + taken, THIS
        if key := key_at(tokens, at):
            return at + key[1], f"key:{key[0]}"
        kind = tokens.kind(at)
        if kind in {"hash", "number"}:
            text = tokens[at].text.lstrip("#~")
            if taken := tokens.matched(v.BPM, at + 1):
                return at + 1 + taken, f"bpm:{text.replace(',', '.')}"
            return at + 1, text if text.isdecimal() else ""
        if kind == "quote":
            return at + 1, tokens[at].text.removeprefix("-").strip(_QUOTES).strip()
        end = at
        while tokens.kind(end) in {"word", "tonic", "number"}:
            if end > at and tokens.matched(v.REFERENCE_ENDS, end):
                break
            end += 1
        return (end, "") if self._names_sound(at) else (end, tokens.text(at, end))

    def _names_sound(self, at: int) -> bool:
        """Return whether a genre or a word of feeling begins at a place."""
        lists = (phrases.genres(), phrases.tags())
        is_named = any(self.tokens.phrase(words, at) for words in lists)
        return is_named or self.tokens.feel(at) is not None

    def _key(self, at: int) -> int:
        """Take keys: "in A minor", "8A"."""
        found = key_at(self.tokens, at)
        if found is None:
            return 0
        self._add_where(f"key:{found[0]}")
        return found[1]

    def _comparison(self, at: int) -> int:
        """Take comparisons: "darker than 12", "longer than 7 minutes"."""
        found = self.tokens.feel(at)
        if found is None:
            return 0
        name, length = found
        than = self.tokens.matched(v.THAN, at + length)
        if not than:
            return 0
        place = at + length + than
        if end := self._compared_with_number(name, place):
            return end - at
        end, named = self._track(place)
        if not named or named.startswith(("key:", "bpm:")):
            return 0
        self._add_feel(name, named)
        return end - at

    def _compared_with_number(self, name: str, at: int) -> int:
        """Take the number of a comparison; return where it ends, 0 if there is none."""
        measure, number = _OF_NUMBERS.get(name), number_at(self.tokens, at)
        if measure is None or number is None or not number.is_single:
            return 0
        if measure == "bpm" and number.value < TEMPOS[0]:
            return 0  # "faster than 12" is faster than track 12
        unit = v.BPM if measure == "bpm" else v.MINUTES
        taken = self.tokens.matched(unit, number.end)
        in_seconds = measure == "duration" and taken and not number.is_clock
        value = number.value * (60.0 if in_seconds else 1.0)
        if (name in _MORE) is not self.negated:
            limit = Number(value, None, number.end, low_open=True)
        else:
            limit = Number(None, value, number.end, high_open=True)
        self._narrow(measure, limit)
        return number.end + taken

    def _decade(self, at: int) -> int:
        """Take decades: "90s", "aus den Achtzigern"."""
        if self.tokens.kind(at) == "decade":
            digits, taken = re.sub(r"\D", "", self.tokens[at].text), 1
            century = 1900 if int(digits) >= FIRST_DECADE else 2000
            first = int(digits) if len(digits) > len("90") else century + int(digits)
        elif found := self.tokens.phrase(phrases.decades(), at):
            first, taken = int(found[0]), found[1]
        else:
            return 0
        if self.negated:
            self._add_where(f"year:{first}-{first + 9}")
        else:
            self._narrow("year", Number(first, first + 9, at))
        return taken

    def _energy(self, at: int) -> int:
        """Take a number that energy has: "energy above 0.6"."""
        taken = self.tokens.matched(v.ENERGY, at)
        place = self.tokens.skip("of, is, von", at + taken)
        number = number_at(self.tokens, place) if taken else None
        if number is None:
            return 0
        if number.is_single:
            low, high = max(0.0, number.value - AROUND_ENERGY), number.value + AROUND_ENERGY
            self._narrow("energy", Number(low, high, number.end))
        else:
            self._narrow("energy", number)
        return number.end - at

    def _quantity(self, at: int) -> int:
        """Take numbers, with what stands before and behind them."""
        number = number_at(self.tokens, at)
        found = None if number is None else measured(self.tokens, number)
        if found is None:
            return 0
        name, number = found
        if name == "limit":
            if not 1 <= number.value <= MAX_LIMIT:
                return 0
            self.limit = int(number.value)
            self._forget()
        elif self.negated and number.is_bounded:
            self._add_where(quantities.operator(name, number))
        else:
            self._narrow(name, number.flipped() if self.negated else number)
        return number.end - at

    def _word(self, at: int) -> int:
        """Take words of the list: not, very, feelings, genres, tags, fillers."""
        tokens = self.tokens
        genre, feel = tokens.phrase(phrases.genres(), at), tokens.feel(at)
        tag = tokens.phrase(phrases.tags(), at)
        if taken := tokens.matched(v.STRONGER, at):
            self.weight = v.STRONG
        elif (taken := tokens.matched(v.WEAKER, at)) and tokens.feel(at + taken):
            self.weight = v.WEAK
        elif tag and all(other is None or tag[1] > other[1] for other in (genre, feel)):
            taken = tag[1]
            self._add_named(self.tags, tag[0])
        elif genre and (feel is None or genre[1] >= feel[1]):
            taken = genre[1]
            self._add_named(self.genres, genre[0])
        elif feel:
            name, taken = feel
            self._add_feel(name)
        elif taken := tokens.matched(v.NOT, at):
            self.negated = True
            taken = tokens.skip(v.SKIPPED_AFTER_NOT, at + taken) - at
        else:
            taken = next((n for words in _FILLERS if (n := tokens.matched(words, at))), 0)
            if tokens.matched("and, but, und, aber", at):
                self._forget()
        return taken

    # ------------------------------------------------------------------ parts

    def _add_named(self, parts: list[str], name: str) -> None:
        """Add a genre or a tag; after "not" no name may have it."""
        if self.negated:
            self.where.append(f'-"{name}"' if " " in name else f"-{name}")
        else:
            parts.append(name)
        self._forget()

    def _add_track(self, kind: str, named: str) -> None:
        """Add a track that hits are like, or go with; or the key or the tempo in its place."""
        if named.startswith("key:"):
            self.where.append(named.replace(":", ":~") if kind == "goes_with" else named)
        elif named.startswith("bpm:"):
            bpm = float(named.removeprefix("bpm:"))
            share = RATE if kind == "goes_with" else quantities.AROUND
            self._narrow("bpm", Number(bpm, bpm, 0).within(share))
        else:
            known = self.goes_with if kind == "goes_with" else self.like
            if known not in {None, named}:
                raise Refused(f'two tracks are named: "{known:.40}", "{named:.40}"', "keep one")
            if kind == "goes_with":
                self.goes_with = named
            else:
                self.like = named
        self._forget()

    def _add_feel(self, name: str, than: str | None = None) -> None:
        """Add a word of feeling, or its opposite after "not"; more than another track perhaps."""
        weight = 1.0 if self.negated else self.weight
        name = v.OPPOSITES[name] if self.negated else name
        there = self.feel.get(name)
        if there is None or (than and not there.than):
            self.feel[name] = Feel(name, weight, than)
        self._forget()

    def _add_where(self, operator: str) -> None:
        if self.negated:
            operator = _OPPOSITES.get(operator, f"-{operator}")
        self.where.append(operator)
        self._forget()

    def _narrow(self, name: str, number: Number) -> None:
        self.spans.narrow(name, number)
        self._forget()

    def _keep_text(self, token: Token) -> None:
        """Keep a token that no rule takes, to be found in names."""
        if token.folded and self.negated:
            self.where.append(f"-{token.text}")
        elif token.folded:
            self.text.append(token.text)
            self.unknown.append(token.text)
        self._forget()
        if len(self.text) > MAX_TEXTS:
            raise Refused(f"over {MAX_TEXTS} words were not understood", "give fewer")

    def _forget(self) -> None:
        self.negated, self.weight, self.about = False, 1.0, ""


_FILLERS = (*(v.FILLERS, v.AROUND, v.OVER, v.UNDER, v.AT_LEAST, v.BETWEEN, v.LAST, v.THAN),)


def count_words() -> int:
    """Return how many spellings the lists of feelings, genres and tags have."""
    return len(phrases.feels()) + len(phrases.genres()) + len(phrases.tags())
