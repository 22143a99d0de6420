"""Parts of a file, and whether a client has it already: Range, If-Range, If-None-Match. Pure.

References
----------
.. [1] RFC 9110, "HTTP Semantics", sections 13 and 14.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from email.utils import formatdate, parsedate_to_datetime

_RANGE = re.compile(r"bytes=[ \t]*([0-9]{0,20})-([0-9]{0,20})[ \t]*", re.IGNORECASE)
_TAG = re.compile(r'(?:W/)?("[\x21\x23-\x7e\x80-\xff]*")')


@dataclass(frozen=True)
class State:
    """What a file is at the moment.

    Parameters
    ----------
    size : int
        In bytes.
    modified_s : float
        Since 1970.
    tag : str
        Another one for other content; strong, in quotes.
    """

    size: int
    modified_s: float
    tag: str

    @property
    def modified(self) -> str:
        """When it was modified, as HTTP writes it."""
        return formatdate(self.modified_s, usegmt=True)


@dataclass(frozen=True)
class Span:
    """The part of a file from `first` to before `end`."""

    first: int
    end: int

    @property
    def length(self) -> int:
        """Number of bytes."""
        return self.end - self.first


class UnsatisfiableError(Exception):
    """A range has nothing of the file: status 416."""


def is_unchanged(headers: Mapping[str, str], state: State) -> bool:
    """Return whether the client has the file as it is: status 304.

    Parameters
    ----------
    headers : mapping
        Of the request, with names in lower case.
    state : State
    """
    tags = headers.get("if-none-match")
    if tags is not None:
        return tags.strip() == "*" or state.tag in _TAG.findall(tags)
    since_s = _seconds(headers.get("if-modified-since"))
    return since_s is not None and int(state.modified_s) <= since_s


def span_of(headers: Mapping[str, str], state: State) -> Span | None:
    """Return the part of a file that a request names; None for all of it.

    Several parts, and what is no valid range, are ignored, as the standard allows.

    Raises
    ------
    UnsatisfiableError
        The file is shorter.
    """
    found = _RANGE.fullmatch(headers.get("range", ""))
    if found is None or not _is_current(headers.get("if-range"), state):
        return None
    first, last = found.groups()
    if not first and not last:
        return None
    if not first:
        start, end = max(0, state.size - int(last)), state.size
    else:
        start, end = int(first), min(state.size, int(last) + 1) if last else state.size
        if last and int(last) < start:
            return None
    if start >= end:
        raise UnsatisfiableError
    return Span(start, end)


def _is_current(condition: str | None, state: State) -> bool:
    """Return whether the rest of a file fits to the part that a client has."""
    return condition is None or condition.strip() in {state.tag, state.modified}


def _seconds(date: str | None) -> float | None:
    if date is None:
        return None
    try:
        return parsedate_to_datetime(date).timestamp()
    except (ValueError, OverflowError, OSError):
        return None
