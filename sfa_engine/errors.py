"""Every error of the project, by who must act on it.

A sentence says what, which value, and what to do: ``hint`` is the last part, so that a
program can show it apart. An error is raised to the caller and logged once, at the edge.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable

LONGEST_WORD = 100  # that is looked for among others: a megabyte would hold the stage for 0.1 s


class SfaError(Exception):
    """The root. `code` is stable and meant for programs; it travels over the socket.

    Parameters
    ----------
    message : str
        One line: what is wrong, and with which value.
    hint : str, optional
        What to do about it.
    """

    code = "error"

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        return f"{self.message}; {self.hint}" if self.hint else self.message


class Refused(SfaError):  # noqa: N818 - a refusal is an answer, not a fault
    """The request is wrong: it is answered, not logged."""

    code = "refused"


class Planned(Refused):
    """The control is declared, but its sound comes with a later release."""

    code = "planned"


class DeviceError(SfaError):
    """The sound device, or the right to use it properly, is missing."""

    code = "device"


class EngineError(SfaError):
    """A process of the engine is not there, or does not answer."""

    code = "engine"


class MediaError(SfaError):
    """A file or a bundle cannot be read, or is not what it says."""

    code = "media"


class LibraryError(SfaError):
    """The library's database or its folders cannot be used as they are."""

    code = "library"


class WorkerError(SfaError):
    """A worker program failed, or had to be ended."""

    code = "worker"


def did_you_mean(word: str, words: Iterable[str]) -> str:
    """Return ``did you mean "…"?`` for the nearest of some words, or an empty string."""
    if len(word) > LONGEST_WORD:
        return ""
    near = difflib.get_close_matches(word, list(words), n=1, cutoff=0.6)
    return f'did you mean "{near[0]}"?' if near else ""
