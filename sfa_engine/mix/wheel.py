"""How well two keys mix, by their places on the Camelot wheel.

======================================  =====
same                                    1.0
neighbour (8A, 9A) or relative (8B)     0.9
two steps (8A, 10A)                     0.55
neighbour of the relative (8A, 9B)      0.45
further apart                           0.1
======================================  =====

The grades are those of the best open automatic mixer that was tested on listeners. What is below
`CLASH` is out of tune when tonal material of both sounds. Knows no track.
"""

from __future__ import annotations

SAME, NEAR, TWO_STEPS, DIAGONAL, FAR = 1.0, 0.9, 0.55, 0.45, 0.1
UNKNOWN = 0.75  # of a key that is not known: most pairs neither match nor clash
CLASH = 0.5
SEMITONE_STEPS = 7  # on the wheel


def grade(one: str | None, other: str | None) -> float:
    """Return how well two keys mix, 0.1..1, from their Camelot codes; None is not known."""
    if one is None or other is None:
        return UNKNOWN
    apart = abs(int(one[:-1]) - int(other[:-1]))
    steps = min(apart, 12 - apart)
    if one[-1] == other[-1]:
        return (SAME, NEAR, TWO_STEPS)[steps] if steps < 3 else FAR
    return (NEAR, DIAGONAL)[steps] if steps < 2 else FAR


def shifted(code: str, semitones: int) -> str:
    """Return the Camelot code of a key after a shift of its pitch."""
    return f"{(int(code[:-1]) - 1 + SEMITONE_STEPS * semitones) % 12 + 1}{code[-1]}"
