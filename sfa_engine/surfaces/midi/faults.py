"""Faults of a profile, each with the line that it is in and its remedy."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from sfa_engine.errors import Refused

_ENTRY = re.compile(r"^[ \t]*\[\[[ \t]*control[ \t]*\]\]", re.MULTILINE)
MAX_FAULTS = 100  # that are told: a file that is no profile at all has no end of them


@dataclass(frozen=True, order=True)
class Fault:
    """What is wrong in a line of a file, from 1; 0 where it is about the whole file."""

    line: int
    message: str
    hint: str = ""

    def text(self, origin: str) -> str:
        """Return the fault as compilers write it: file, line, what, remedy."""
        place = f"{origin}:{self.line}" if self.line else origin
        return f"{place}: {self.message}" + (f"; {self.hint}" if self.hint else "")


class ProfileError(Refused):
    """A profile is invalid; it says the first fault, and `faults` has them all."""

    def __init__(self, origin: str, faults: Sequence[Fault]) -> None:
        first = min(faults)
        place = f"{origin}:{first.line}" if first.line else origin
        super().__init__(f"{place}: {first.message}", first.hint)
        self.faults = tuple(sorted(set(faults))[:MAX_FAULTS])


class Lines:
    """Finds the lines of a profile's entries: the TOML parser does not tell them.

    Parameters
    ----------
    text : str
        Of the file.
    """

    def __init__(self, text: str) -> None:
        self._text = text
        starts = [found.start() for found in _ENTRY.finditer(text)]
        self._top = starts[0] if starts else len(text)
        self._entries = list(zip(starts, [*starts[1:], len(text)], strict=False))

    def keep(self, numbers: Sequence[int]) -> None:
        """Count only these entries from now on: the others are not read further."""
        self._entries = [self._entries[n] for n in numbers if n < len(self._entries)]

    def top(self, word: str) -> int:
        """Return the line of a key or table before the first entry; 0 if it is not found."""
        return self._find(word, 0, self._top)

    def entry(self, number: int, *words: str) -> int:
        """Return the line of the first of some words that an entry has, else its first line."""
        if number >= len(self._entries):
            return 0
        start, end = self._entries[number]
        return next(
            (line for word in words if word and (line := self._find(word, start, end))),
            self._line(start),
        )

    def _find(self, word: str, start: int, end: int) -> int:
        pattern = rf"(?<![\w.-]){re.escape(word)}(?![\w-])"
        found = re.compile(pattern).search(self._text, start, end)
        return self._line(found.start()) if found else 0

    def _line(self, place: int) -> int:
        return self._text.count("\n", 0, place) + 1
