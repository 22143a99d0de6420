"""Format and parse times such as ``1:01.5``. Pure."""

from __future__ import annotations

import re

from sfa_engine.errors import Refused

_TIME = re.compile(r"(?:(?:([0-9]{1,3}):)?([0-9]{1,4}):)?([0-9]{1,9}(?:\.[0-9]{0,9})?)")


def clock(seconds: float, decimals: int = 1) -> str:
    """Return minutes and seconds, with tenths or a number of decimals; with none it is rounded."""
    rounded = round(abs(seconds), decimals)
    sign = "-" if seconds < 0 and rounded else ""
    minutes, rest = divmod(rounded, 60)
    width = 3 + decimals if decimals else 2
    return f"{sign}{int(minutes)}:{rest:0{width}.{decimals}f}"


def seconds_of(text: str) -> float:
    """Parse ``61.5``, ``1:01.5`` or ``0:01:01.5`` to seconds.

    Raises
    ------
    Refused
        The text is none of these.
    """
    found = _TIME.fullmatch(text.strip())
    if found:
        hours, minutes, seconds = int(found[1] or 0), int(found[2] or 0), float(found[3])
        if (seconds < 60 or not found[2]) and (minutes < 60 or not found[1]):
            return hours * 3600 + minutes * 60 + seconds
    raise Refused(f'invalid time "{text:.40}"', "give seconds, or 1:01.5")


def ago(passed_s: float) -> str:
    """Return a duration in its largest unit."""
    for unit, length_s in (("d", 86_400.0), ("h", 3600.0), ("min", 60.0)):
        if passed_s >= length_s:
            return f"{passed_s / length_s:.0f} {unit}"
    return f"{max(0.0, passed_s):.0f} s"
