"""Musical keys: one spelling, and the position of each on the Camelot wheel.

The spelling is the usual one, with the fewest signs in the signature; ``F#`` for six::

    minor  A E B F# C# G# Eb Bb F C G D        major  C G D A E B F# Db Ab Eb Bb F
           8 9 10 11 12 1  2  3 4 5 6 7  A            8 9 10 11 12 1  2  3  4  5  6 7  B

Neighbours on the wheel mix well: they share six of seven notes. A semitone up is seven steps on the
wheel. Knows no track and no file.
"""

from __future__ import annotations

import math
import re

from sfa_engine.errors import MediaError

DIAGONAL_ST = 1.5  # what a neighbour of the relative key has to save
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


def shifted(key: str, semitones: int) -> str:
    """Return the key that a key is after a shift of its pitch; any spelling is read."""
    tonic, mode = parse_key(key).split()
    tonics = _FIFTHS[mode]
    return f"{tonics[(tonics.index(tonic) + 7 * semitones) % 12]} {mode}"


def signature(key: str | None) -> int:
    """Return the tonic, from C, of the major key that has a key's notes; -1 if it is not known."""
    if not key:
        return -1
    tonic, mode = parse_key(key).split()
    return _pitch(_FIFTHS["major"][_FIFTHS[mode].index(tonic)])


def distance(one: str, other: str) -> int:
    """Return the steps between two keys on the Camelot wheel; from A to B is one too.

    0 is the same key, 1 a neighbour or the relative key; what is further apart clashes.
    """
    codes = camelot(one), camelot(other)
    apart = abs(int(codes[0][:-1]) - int(codes[1][:-1]))
    return min(apart, 12 - apart) + (codes[0][-1] != codes[1][-1])


def match(key: str, other: str, above: float = 0.0, natural: float = 0.0) -> float:
    """Return the nearest pitch at which a key fits another, in semitones above its name.

    A key fits the same one, its relative and its neighbours on the wheel; a neighbour of the
    relative, which shares as many notes, only if that saves `DIAGONAL_ST` semitones.

    Parameters
    ----------
    key, other : str
        In any spelling.
    above : float
        By how many semitones the other one is heard above its name.
    natural : float
        The same of the first one without a shift: the result is as near to this as it can be.

    Returns
    -------
    float
        A whole number and `above`.
    """
    mode = parse_key(other).split()[1]
    middle = round(natural - above)
    best, least = middle, math.inf
    for shift in range(middle - 6, middle + 7):
        near = shifted(key, shift)
        apart = distance(near, other)
        if apart > 1 + (near.split()[1] != mode):
            continue
        # Of shifts as far, the one that comes closer on the wheel.
        cost = abs(shift + above - natural) + DIAGONAL_ST * (apart > 1) + 1e-6 * apart
        if cost < least:
            best, least = shift, cost
    return best + above


def _pitch(tonic: str) -> int:
    """Return the semitones of a tonic above C, 0..11."""
    return (_PITCHES[tonic[0]] + _SIGNS[tonic[1:]]) % 12
