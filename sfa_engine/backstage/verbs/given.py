"""Checks of what a request gives: a wrong type or range is the request's mistake. Pure."""

from __future__ import annotations

from typing import Any

from sfa_engine.errors import Refused


def text(name: str, value: Any, *, most: int = 4096) -> str:
    """Return a text, or refuse it."""
    if not isinstance(value, str) or len(value) > most or "\0" in value:
        raise Refused(f"{name} is {value!r:.60}", f"give a text of at most {most} characters")
    return value


def texts(name: str, value: Any, *, most: int = 10_000) -> list[str]:
    """Return a list of texts, or refuse it."""
    if not isinstance(value, list | tuple) or len(value) > most:
        raise Refused(f"{name} is {value!r:.60}", f"give a list of at most {most} texts")
    return [text(name, each) for each in value]


def whole(name: str, value: Any, low: int = 0, high: int = 1 << 62) -> int:
    """Return a whole number within bounds, or refuse it."""
    if type(value) is not int or not low <= value <= high:
        raise Refused(f"{name} is {value!r:.60}", f"give a whole number from {low} to {high}")
    return value


def wholes(name: str, value: Any) -> list[int]:
    """Return a list of whole numbers, or refuse it."""
    if not isinstance(value, list | tuple):
        raise Refused(f"{name} is {value!r:.60}", "give a list of whole numbers")
    return [whole(name, each) for each in value]


def number(name: str, value: Any, low: float, high: float) -> float:
    """Return a number within bounds, or refuse it."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not low <= value <= high:
        raise Refused(f"{name} is {value!r:.60}", f"give a number from {low:g} to {high:g}")
    return float(value)


def switch(name: str, value: Any) -> bool:
    """Return true or false, or refuse it."""
    if not isinstance(value, bool):
        raise Refused(f"{name} is {value!r:.60}", "say true or false")
    return value
