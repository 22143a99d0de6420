"""Text as tokens, and the phrases of word lists in it.

A token is a word, a number, a key, an operator, a quote or a stop. A list is a text with commas, as
in `sfa_engine.mix.vocabulary`; each is folded once. Pure.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache

from sfa_engine.library.folding import fold
from sfa_engine.mix import vocabulary as v

LONGEST = 4  # words of a phrase
_LEAST_STEM = 3  # letters

_TOKEN = re.compile(
    r"""
      (?P<quote>-?"[^"]*"?|[„“][^“”"]*[“”"]?)
    | (?P<operator>-?[A-Za-z_]+:(?:"[^"]*"?|[^\s,;]+))
    | (?P<hash>\#[0-9]{1,18})
    | (?P<key>(?:[A-Ha-h](?:\#|♯|♭|b|is|es|s)?-(?:[Mm]oll|[Dd]ur|minor|major))(?!\w))
    | (?P<exclude>(?<!\S)-[^\W\d_][^\s,;]*)
    | (?P<decade>'?(?:19|20)?[0-9]0(?:er[nsm]?|s)(?!\w))
    | (?P<clock>[0-9]{1,3}:[0-5][0-9](?!\w))
    | (?P<code>(?:0?[1-9]|1[0-2])[ABab](?!\w))
    | (?P<number>~?[0-9]{1,9}(?:[.,][0-9]{1,6})?)
    | (?P<span>\.\.\.?|[-\u2013\u2014](?=\s*[0-9]))
    | (?P<stop>[,;.!?:()/]+)
    | (?P<tonic>[A-H](?:\#|♯|♭|b)?m?(?![\w'\u2019]))
    | (?P<word>[^\W\d_][\w]*(?:['\u2019&+][^\W_]+)*\#?|[^\s\w])
    """,
    re.VERBOSE,
)  # fmt: skip
_JOINTS = frozenset("-'\u2019_")  # inside a word: hip-hop is hip hop
_AND = frozenset("&+")


@dataclass(frozen=True, slots=True)
class Token:
    """A piece of a text.

    Parameters
    ----------
    kind : str
        A name of a group of the expression above.
    text : str
        As it was typed.
    folded : str
        As `folding.fold` spells it; empty for signs.
    """

    kind: str
    text: str
    folded: str


class Tokens(Sequence[Token]):
    """The tokens of a text.

    Parameters
    ----------
    text : str
    """

    def __init__(self, text: str) -> None:
        made = (_token(found) for found in _TOKEN.finditer(text))
        self._all = [t for t in made if t.kind == "span" or t.text not in _JOINTS]

    def __len__(self) -> int:
        return len(self._all)

    def __getitem__(self, at):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN204
        return self._all[at]

    def kind(self, at: int) -> str:
        """Return the kind of a token; empty behind the last one."""
        return self._all[at].kind if at < len(self._all) else ""

    def folded(self, at: int) -> str:
        """Return a token folded; empty outside the text."""
        return self._all[at].folded if 0 <= at < len(self._all) else ""

    def text(self, at: int, end: int) -> str:
        """Return tokens as they were typed, with spaces between them."""
        return " ".join(token.text for token in self._all[at:end])

    def phrase(self, meanings: Mapping[str, str], at: int) -> tuple[str, int] | None:
        """Return the meaning of the longest phrase from a place on, and its number of tokens."""
        part = self._all[at : at + LONGEST]
        for length in range(len(part), 0, -1):
            if any(token.kind == "stop" for token in part[:length]):
                continue
            words = " ".join(token.folded for token in part[:length] if token.folded)
            if words in meanings:
                return meanings[words], length
        return None

    def matched(self, words: str, at: int) -> int:
        """Return how many tokens from a place on are a phrase of a list; 0 if none is."""
        found = self.phrase(listed(words), at)
        return found[1] if found else 0

    def skip(self, words: str, at: int) -> int:
        """Return the place after all phrases of a list from a place on."""
        while taken := self.matched(words, at):
            at += taken
        return at

    def number(self, at: int) -> float | None:
        """Return the number at a place: digits, a time as 3:30 in seconds, or a numeral."""
        kind = self.kind(at)
        if kind == "number":
            return float(self._all[at].text.lstrip("~").replace(",", "."))
        if kind == "clock":
            minutes, _, seconds = self._all[at].text.partition(":")
            return float(minutes) * 60.0 + float(seconds)
        return numerals().get(self._all[at].folded) if kind == "word" else None

    def feel(self, at: int) -> tuple[str, int] | None:
        """Return a word of feeling from a place on, and its length; endings are tried too."""
        if found := self.phrase(feels(), at):
            return found
        word = self.folded(at)
        if self.kind(at) != "word" or word in listed(v.FILLERS):
            return None
        stems = (stem for stem in without_ending(word) if stem in feels())
        return next(((feels()[stem], 1) for stem in stems), None)


def without_ending(word: str) -> Iterator[str]:
    """Yield what a folded word may be without its ending: "noisier" is noisi, then noisy."""
    for ending in v.ENDINGS:
        if not word.endswith(ending) or len(word) - len(ending) < _LEAST_STEM:
            continue
        stem = word[: -len(ending)]
        yield stem
        if stem[-1] == "i":
            yield f"{stem[:-1]}y"
        if len(stem) > _LEAST_STEM and stem[-1] == stem[-2]:  # sadder
            yield stem[:-1]


def _token(found: re.Match[str]) -> Token:
    kind, text = str(found.lastgroup), found[0]
    folded = fold(text)
    if kind == "word" and not folded and text not in _AND:
        kind = "stop"
    return Token(kind, text, folded)


# ---------------------------------------------------------------------- lists, folded once


def _spellings(words: str) -> Iterator[str]:
    """Yield the phrases of a list, folded; one with an umlaut also as ``ae``."""
    for word in words.split(","):
        typed = re.sub("[äöü]", lambda found: f"{'aou'['äöü'.index(found[0])]}e", word)
        for spelling in (word, typed):
            if folded := fold(spelling):
                yield folded


@cache
def listed(words: str) -> Mapping[str, str]:
    """Return the phrases of a list, each as its own meaning."""
    return {spelling: spelling for spelling in _spellings(words)}


def _meanings(words: Mapping[str, str], *, own: bool) -> dict[str, str]:
    return {
        spelling: name
        for name, others in words.items()
        for spelling in _spellings(f"{name},{others}" if own else others)
    }


@cache
def feels() -> Mapping[str, str]:
    """Return the words of feeling by their spellings."""
    return _meanings(v.FEEL_WORDS, own=True)


@cache
def genres() -> Mapping[str, str]:
    """Return the genres by their spellings."""
    return _meanings(v.GENRES, own=True)


@cache
def tags() -> Mapping[str, str]:
    """Return the tags by their spellings."""
    return _meanings(v.TAG_WORDS, own=True)


@cache
def conditions() -> Mapping[str, str]:
    """Return operators by what is said for them."""
    return _meanings(v.CONDITIONS, own=False)


@cache
def spans() -> Mapping[str, str]:
    """Return spans of time until now by their spellings, as ``7d``."""
    return _meanings(v.SPANS, own=False)


@cache
def ages() -> Mapping[str, str]:
    """Return units of ages by their spellings."""
    return _meanings(v.AGES, own=False)


@cache
def numerals() -> Mapping[str, float]:
    """Return numbers by their words."""
    return {each: float(n) for word, n in v.NUMERALS.items() for each in _spellings(word)}


@cache
def decades() -> Mapping[str, str]:
    """Return the first years of decades by their words."""
    return {each: str(n) for word, n in v.DECADES.items() for each in _spellings(word)}
