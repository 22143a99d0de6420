"""Times as a person reads them. Pure."""

from __future__ import annotations


def clock(seconds: float) -> str:
    """Return minutes and seconds, with tenths."""
    sign = "-" if seconds < 0 else ""
    whole = abs(seconds)
    return f"{sign}{int(whole // 60)}:{whole % 60:04.1f}"


def ago(passed_s: float) -> str:
    """Return how long ago something was, in its largest unit."""
    for unit, length_s in (("d", 86_400.0), ("h", 3600.0), ("min", 60.0)):
        if passed_s >= length_s:
            return f"{passed_s / length_s:.0f} {unit}"
    return f"{max(0.0, passed_s):.0f} s"
