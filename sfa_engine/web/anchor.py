"""Where a deck is, so that a page can reckon it: position, rate and time, on change. Pure.

::

    position at t  =  position_s + rate * (t - time_s)

with ``time_s`` on the clock of the channel's ``pong``. A new anchor is due when that is wrong.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

TOLERANCE_S = 0.03  # a frame of a picture is 0.017 s; readings arrive up to 0.03 s late
MAX_AGE_S = 5.0  # of a deck that plays
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


def is_due(last: Anchor | None, now: Anchor) -> bool:
    """Return whether a page that knows the last anchor needs the new one."""
    if last is None or (last.rate, last.playing, last.loaded) != (
        now.rate,
        now.playing,
        now.loaded,
    ):
        return True
    is_old = now.playing and now.time_s - last.time_s > MAX_AGE_S
    return is_old or abs(last.at(now.time_s) - now.position_s) > TOLERANCE_S
