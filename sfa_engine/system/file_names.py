"""Names of files that are safe on every system. Pure."""

from __future__ import annotations

import re
import unicodedata

MAX_BYTES = 180  # of 255, so that a prefix and a number fit
_SEPARATORS = re.compile(r'[/\\:*?"<>|]')
_SPACES = re.compile(r"\s+")
_RESERVED = re.compile(r"(con|prn|aux|nul|com[0-9¹²³]|lpt[0-9¹²³])(?=$|\.)", re.IGNORECASE)
_OTHER = frozenset({"Cc", "Cf", "Cs", "Co", "Cn"})  # control, direction, half and unknown letters


def safe_name(text: str, default: str = "file") -> str:
    """Return a text as the name of a file or a folder.

    Separators become ``_``, control characters and those that turn the direction of writing go;
    names that Windows reserves get a ``_`` before, the length is limited, and letters are composed
    (NFC). An ending stays.
    """
    composed = unicodedata.normalize("NFC", text)
    kept = "".join(
        letter
        for letter in composed
        if unicodedata.category(letter) not in _OTHER or letter.isspace()
    )
    name = _SPACES.sub(" ", _SEPARATORS.sub("_", kept)).strip(" .")
    if not name.strip("_ ."):
        return default
    if _RESERVED.match(name):
        name = f"_{name}"
    stem, dot, ending = name.rpartition(".")
    if not dot or len(ending) > 8:
        return _cut(name, MAX_BYTES)
    tail = f".{ending}"
    return _cut(stem, MAX_BYTES - len(tail.encode())).rstrip(" .") + tail


def _cut(text: str, size: int) -> str:
    return text.encode()[:size].decode(errors="ignore").rstrip(" .")
