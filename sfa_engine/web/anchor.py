"""Where a deck is, so that a page can reckon it: position, rate and time, on change. Pure.

::

    position at t  =  position_s + rate * (t - time_s)

with ``time_s`` on the clock of the channel's ``pong``. A new anchor is due when that is wrong.

A reading arrives after the moment it is of, never before. So one that is ahead of the line was less
late than all before it, and makes a better line at once; one that is behind is taken for late until
it is `TOLERANCE_S` behind, and an anchor that is only old is sent again from its own line.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

TOLERANCE_S = 0.03  # a frame of a picture is 0.017 s; readings arrive up to 0.03 s late
AHEAD_S = 0.003  # a fifth of a picture's frame
MAX_AGE_S = 5.0  # of a deck that plays
EASE_S = 0.001  # of each renewal: 200 parts in a million, more than clocks drift apart
NAMES = ("position", "play", "rate", "reverse", "loaded")


@dataclass(frozen=True)
class Anchor:
    """One deck at one time."""

    deck: str
    position_s: float
    rate: float
    playing: bool
    loaded: bool
    time_s: float

    def at(self, time_s: float) -> float:
        """Return the position at a time."""
        return self.position_s + self.rate * (time_s - self.time_s)


def paths_of(deck: str) -> tuple[str, ...]:
    """Return the readings and controls that an anchor is made of."""
    return tuple(f"{deck}.{name}" for name in NAMES)


def anchor_of(deck: str, values: Mapping[str, Any], time_s: float) -> Anchor:
    """Return the anchor that a deck's values mean."""
    position, play, rate, reverse, loaded = (values.get(path) for path in paths_of(deck))
    speed = float(rate or 0.0) * (-1.0 if reverse else 1.0)
    is_playing = bool(play) and bool(loaded)
    return Anchor(
        *(deck, float(position or 0.0), speed if is_playing else 0.0),
        *(is_playing, bool(loaded), time_s),
    )


def next_anchor(last: Anchor | None, now: Anchor) -> Anchor | None:
    """Return the anchor that is due after the last one, or None while that is right.

    Parameters
    ----------
    last : Anchor or None
    now : Anchor
        Of a reading that has just arrived.
    """
    if last is None or (last.rate, last.playing, last.loaded) != (
        now.rate,
        now.playing,
        now.loaded,
    ):
        return now
    expected_s = last.at(now.time_s)
    if not now.playing or now.rate == 0.0:
        return now if abs(expected_s - now.position_s) > TOLERANCE_S else None
    late_s = (expected_s - now.position_s) / now.rate
    if not -AHEAD_S <= late_s <= TOLERANCE_S:
        return now
    if now.time_s - last.time_s > MAX_AGE_S:
        return replace(now, position_s=expected_s - EASE_S * now.rate)
    return None
