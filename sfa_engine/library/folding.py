"""Text normalised for the search index: one spelling of each word.

::

    Trentemøller   ->  trentemoller       letters that Unicode does not decompose, too
    Straße, STRASSE -> strasse
    夜に駆ける     ->  夜 に 駆 け る     no spaces between words: each character is a token,
                                          so that a phrase finds any substring

Index and query are folded alike. SQLite calls `fold` in the triggers of ``track_words``, under
the name `FUNCTION`: a connection that writes titles needs it. Pure.
"""

# ruff: noqa: RUF001 - letters that look alike are what this is about

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache

FUNCTION = "sfa_fold"

# What has no canonical decomposition, as people without that key type it. After case folding.
_LETTERS = str.maketrans(
    {
        "ø": "o", "ł": "l", "æ": "ae", "œ": "oe", "đ": "d", "ð": "d", "þ": "th", "ı": "i",
        "ħ": "h", "ŧ": "t", "ŋ": "n", "ɨ": "i", "ƶ": "z", "ɓ": "b", "ɗ": "d", "ɖ": "d",
        "ƙ": "k", "ƴ": "y", "ɔ": "o", "ɛ": "e", "ə": "e", "ǝ": "e", "ƒ": "f", "ĸ": "k",
        "є": "е", "ґ": "г", "ٱ": "ا", "ى": "ي", "ة": "ه", "ـ": "",
    }
)  # fmt: skip
# Up to here marks are accents and vowel points, which people leave out; from here on they are
# letters (Thai vowels, Devanagari) or tell sounds apart (the dots of Japanese).
_ACCENTED_BELOW = "\u0750"
_NO_WORD = re.compile(r"[^\w]|_")
# Thai, Lao, Tibetan, Myanmar, Khmer; Japanese and Chinese; Hangul; the rest of Chinese.
_UNSPACED = re.compile(
    "([\u0e00-\u0fff\u1000-\u109f\u1780-\u17ff\u2e80-\u2fff\u3005-\u3007\u3021-\u3029"
    "\u3031-\u3035\u3038-\u30fa\u30fc-\u318f\u31a0-\u31ff\u3400-\u4dbf\u4e00-\u9fff"
    "\ua960-\ua97f\uac00-\ud7ff\uf900-\ufaff\U0001b000-\U0001b16f\U00020000-\U0003ffff])"
)


def fold(text: str | None) -> str:
    """Return the tokens of a text, with a space between them.

    Parameters
    ----------
    text : str or None
        As it is in the library, or as it was typed; None is empty.

    Returns
    -------
    str
        Letters and digits alone; empty if the text has none.
    """
    if not text:
        return ""
    if text.isascii():
        spaced = _NO_WORD.sub(" ", text.lower())
    else:
        folded = unicodedata.normalize("NFKD", unicodedata.normalize("NFKD", text).casefold())
        plain = unicodedata.normalize("NFC", _without_accents(folded).translate(_LETTERS))
        spaced = _UNSPACED.sub(r" \1 ", "".join(c if _is_token(c) else " " for c in plain))
    return " ".join(spaced.split())


def _without_accents(text: str) -> str:
    """Return a decomposed text without the marks that stand on letters of alphabets."""
    if text.isalpha():  # a combining mark is not a letter
        return text
    kept: list[str] = []
    base = ""
    for character in text:
        if unicodedata.combining(character) or unicodedata.category(character) == "Mn":
            if base < _ACCENTED_BELOW:
                continue
        elif character.isalnum():
            base = character
        kept.append(character)
    return "".join(kept)


@lru_cache(maxsize=8192)
def _is_token(character: str) -> bool:
    return unicodedata.category(character)[0] in "LMN"
