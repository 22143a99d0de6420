"""Colours of tracks: as ``#rrggbb``, or by the names that DJ programs give them. Pure."""

from __future__ import annotations

import re

from sfa_engine.errors import Refused, did_you_mean

# The eight that rekordbox has for tracks; other programs' palettes contain them.
NAMES = {
    "pink": "#ff69b4",
    "red": "#e62828",
    "orange": "#ff8c00",
    "yellow": "#ffd700",
    "green": "#28b428",
    "aqua": "#25fde9",
    "blue": "#3064ff",
    "purple": "#9b30ff",
}
_CODE = re.compile("#[0-9a-f]{6}")


def color_of(text: str) -> str:
    """Return a colour, given by name or code, as ``#rrggbb``."""
    word = text.strip().lower()
    if word in NAMES:
        return NAMES[word]
    if not _CODE.fullmatch(word):
        raise Refused(
            f'invalid colour "{text:.40}"',
            did_you_mean(word, NAMES) or f"give it like #ff8800, or {', '.join(NAMES)}",
        )
    return word


def is_color(text: str) -> bool:
    """Return whether a text is a colour as `color_of` returns it."""
    return _CODE.fullmatch(text) is not None


def color_name(code: str) -> str:
    """Return the name of a colour, or its code if it has none."""
    return next((name for name, known in NAMES.items() if known == code), code)
