"""Text that comes from files and from strangers, made harmless and short. Pure.

Titles, artists, comments and names of playlists and files can hold anything: an instruction to a
model, a line that erases what is before it in a terminal, letters that run backwards. They enter
an answer of a tool through `clean` alone, as JSON strings.
"""

from __future__ import annotations

import unicodedata
from typing import Any

MAX_CHARACTERS = 120
_ELLIPSIS = "…"
# Cc control, Cf format (bidirectional, zero width, tags), Cs surrogates, Co private use, Cn none,
# Zl and Zp line ends.
_REMOVED = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})
# Invisible, though Unicode counts them as letters or marks: Hangul fillers, Braille blank, the
# combining grapheme joiner, vowel separators and variation selectors.
_BLANK = frozenset(
    [
        0x034F,
        0x115F,
        0x1160,
        0x17B4,
        0x17B5,
        0x180B,
        0x180C,
        0x180D,
        0x2800,
        0x3164,
        0xFFA0,
        *range(0xFE00, 0xFE10),
        *range(0xE0100, 0xE01F0),
    ]
)


def clean(text: Any, most: int = MAX_CHARACTERS) -> str:
    """Return a text without invisible characters, on one line, cut to a length.

    Parameters
    ----------
    text : str or None
        None is empty.
    most : int
        Characters.
    """
    if not text:
        return ""
    # What is far beyond the end is not looked at: a comment may have a megabyte.
    kept = (_kept(each) for each in str(text)[: 8 * most])
    line = " ".join("".join(kept).split())
    return line if len(line) <= most else line[: most - 1].rstrip() + _ELLIPSIS


def _kept(each: str) -> str:
    if each.isspace():
        return " "
    if ord(each) in _BLANK or unicodedata.category(each) in _REMOVED:
        return ""
    return each
