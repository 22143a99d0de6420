"""Keys in a sentence: "in F# minor", "8A", "fis-Moll", "Es-Dur". Pure."""

from __future__ import annotations

import re

from sfa_engine.errors import MediaError
from sfa_engine.mix.phrases import Tokens
from sfa_engine.track.key import camelot

_TONIC = re.compile(r"[A-Ha-h](?:#|♯|♭|b|is|es|s|m|#m|bm)?")
_SURE = re.compile(r"[A-G](?:(?:#|♯|♭|b)?m|#|♯|♭)")  # of itself: Am, F#; but no A
_AFTER_IN = re.compile(r"[A-G]b?")
_MODES = frozenset({"minor", "major", "moll", "dur", "min", "maj"})
_GERMAN = {"h": "B", "b": "Bb", "as": "Ab", "es": "Eb"}


def key_at(tokens: Tokens, at: int) -> tuple[str, int] | None:
    """Return the key at a place as a Camelot code, and how many tokens it takes; None if none is.

    "a minor key" is none: any minor key is meant.
    """
    kind = tokens.kind(at)
    if kind == "code":
        return camelot(tokens[at].text), 1
    if kind == "key":
        tonic, _, mode = tokens[at].text.partition("-")
        return _found(code_of(tonic, mode), 1)
    text, end = tokens.text(at, at + 1), at + 1
    if not _TONIC.fullmatch(text):
        return None
    if tokens.folded(end) in {"sharp", "flat"}:
        sign = "#" if tokens.folded(end) == "sharp" else "b"
        text, end = text + sign, end + 1
    mode = tokens.folded(end)
    if mode in _MODES:
        if text == "a" and tokens.matched("key, tonart", end + 1):
            return None
        return _found(code_of(text, mode), end + 1 - at)
    is_key = _SURE.fullmatch(text) or (_AFTER_IN.fullmatch(text) and tokens.folded(at - 1) == "in")
    return _found(code_of(text, ""), end - at) if is_key else None


def code_of(tonic: str, mode: str) -> str | None:
    """Return the Camelot code of a key of an English or German spelling; None if it is none.

    A German b is B flat, h is B.
    """
    name = tonic.lower()
    if mode.lower() in {"moll", "dur"}:
        if name in _GERMAN:
            tonic = _GERMAN[name]
        elif name.endswith("is"):
            tonic = f"{name[0].upper()}#"
        elif name.endswith("s"):
            tonic = f"{name[0].upper()}b"
    try:
        return camelot(f"{tonic} {mode}".strip())
    except MediaError:
        return None


def _found(code: str | None, length: int) -> tuple[str, int] | None:
    return None if code is None else (code, length)
