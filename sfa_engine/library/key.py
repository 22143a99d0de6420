"""Musical keys: one spelling, and the position of each on the Camelot wheel.

The spelling is the usual one, with the fewest signs in the signature; ``F#`` for six::

    minor  A E B F# C# G# Eb Bb F C G D        major  C G D A E B F# Db Ab Eb Bb F
           8 9 10 11 12 1  2  3 4 5 6 7  A            8 9 10 11 12 1  2  3  4  5  6 7  B

Neighbours on the wheel mix well. Knows no track and no file.
"""

from __future__ import annotations

import re

from sfa_engine.errors import MediaError

_FIRST = 8  # A minor and C major have the number 8; each fifth up is one more, modulo 12
_FIFTHS = {
    "minor": ("A", "E", "B", "F#", "C#", "G#", "Eb", "Bb", "F", "C", "G", "D"),
    "major": ("C", "G", "D", "A", "E", "B", "F#", "Db", "Ab", "Eb", "Bb", "F"),
}
_LETTERS = {"minor": "A", "major": "B"}
_MODES = {letter: mode for mode, letter in _LETTERS.items()}
_WORDS = {
    "minor": ("m", "min", "minor", "moll"),
    "major": ("", "M", "maj", "major", "dur"),
}
_PITCHES = {"C": 0, "D": 2, "E": 4, "F": 5, "G": 7, "A": 9, "B": 11}
_SIGNS = {"": 0, "#": 1, "♯": 1, "sharp": 1, "b": -1, "♭": -1, "flat": -1}
_NAME = re.compile(r"([A-Ga-g])[ -]?(#|♯|♭|b|sharp|flat|)[ -]?([A-Za-z]*)")
_CAMELOT = re.compile(r"0?([1-9]|1[0-2])([ABab])")
_OPEN_KEY = re.compile(r"0?([1-9]|1[0-2])([MDmd])")  # Traktor's: 1m is A minor, 1d is C major

KEYS = tuple(f"{tonic} {mode}" for mode, tonics in _FIFTHS.items() for tonic in tonics)


def parse_key(text: str) -> str:
    """Return the usual spelling of a key.

    Parameters
    ----------
    text : str
        ``A minor``, ``Am``, ``C``, ``Db maj``, ``F♯m``, ``B flat minor``, Camelot, ``8A``, or
        Open Key, ``1m``.

    Returns
    -------
    str
        One of `KEYS`, such as ``A minor``.

    Raises
    ------
    MediaError
        It is not a key.
    """
    text = text.strip()
    if code := _CAMELOT.fullmatch(text):
        fifths = (int(code[1]) - _FIRST) % 12
        mode = _MODES[code[2].upper()]
        return f"{_FIFTHS[mode][fifths]} {mode}"
    if code := _OPEN_KEY.fullmatch(text):
        mode = "minor" if code[2] in "Mm" else "major"
        return f"{_FIFTHS[mode][int(code[1]) - 1]} {mode}"
    if name := _NAME.fullmatch(text):
        pitch = (_PITCHES[name[1].upper()] + _SIGNS[name[2]]) % 12
        for mode, words in _WORDS.items():
            if name[3] in words or name[3].lower() in words[1:]:
                return next(f"{tonic} {mode}" for tonic in _FIFTHS[mode] if _pitch(tonic) == pitch)
    raise MediaError(
        f'"{text:.40}" is not a valid key',
        'write it like "A minor", "Am", "F# major" or "8A" (Camelot)',
    )


def camelot(key: str) -> str:
    """Return the Camelot code of a key: ``8A`` for ``A minor``; any spelling is read."""
    tonic, mode = parse_key(key).split()
    return f"{(_FIFTHS[mode].index(tonic) + _FIRST - 1) % 12 + 1}{_LETTERS[mode]}"


def _pitch(tonic: str) -> int:
    """Return the semitones of a tonic above C, 0..11."""
    return (_PITCHES[tonic[0]] + _SIGNS[tonic[1:]]) % 12
