"""How often a sender may ask: token buckets, and delays after wrong passwords. Pure."""

from __future__ import annotations

import math
from collections import OrderedDict
from dataclasses import dataclass
from enum import Enum

MAX_SENDERS = 10_000  # remembered; the one that was seen least recently is forgotten
FREE_TRIES = 5  # wrong passwords without a delay
FIRST_DELAY_S = 2.0
MAX_DELAY_S = 900.0


class Rate(Enum):
    """How many requests of a kind in how many seconds."""

    READ = (120, 60.0)
    CHANGE = (60, 60.0)
    HEAVY = (10, 60.0)  # work of seconds or minutes, and passwords
    PLAY = (200, 1.0)  # a fader, from a program
    PAGE = (1200, 60.0)  # files of the page: dozens of new tablets may have one address
    OPEN = (240, 60.0)  # channels: all pages of a network come back at once after a restart

    @property
    def most(self) -> int:
        """Requests at once."""
        return self.value[0]

    @property
    def each_s(self) -> float:
        """Seconds after which one more is allowed."""
        return self.value[1] / self.value[0]


@dataclass
class _Bucket:
    """What is left of a rate, and when that was."""

    left: float
    at_s: float


class Limits:
    """The buckets of all senders."""

    def __init__(self) -> None:
        self._buckets: OrderedDict[tuple[str, Rate], _Bucket] = OrderedDict()

    def take(self, sender: str, rate: Rate, now_s: float) -> int:
        """Count a request; return 0, or after how many seconds it may be repeated."""
        key = (sender, rate)
        bucket = self._buckets.pop(key, None) or _Bucket(rate.most, now_s)
        gained = max(0.0, now_s - bucket.at_s) / rate.each_s
        bucket.left = min(float(rate.most), bucket.left + gained)
        bucket.at_s = now_s
        self._buckets[key] = bucket
        if len(self._buckets) > MAX_SENDERS:
            self._buckets.popitem(last=False)
        if bucket.left < 1.0:
            return max(1, math.ceil((1.0 - bucket.left) * rate.each_s))
        bucket.left -= 1.0
        return 0


class Delays:
    """Wrong passwords by name and address: after five, each doubles the wait."""

    def __init__(self) -> None:
        self._wrong: OrderedDict[tuple[str, str], tuple[int, float]] = OrderedDict()

    def wait_s(self, name: str, address: str, now_s: float) -> int:
        """Return after how many seconds the next try is allowed."""
        return max(0, math.ceil(self._wrong.get((name, address), (0, 0.0))[1] - now_s))

    def fail(self, name: str, address: str, now_s: float) -> None:
        """Count a wrong password."""
        count = self._wrong.pop((name, address), (0, 0.0))[0] + 1
        delay_s = 0.0
        if count >= FREE_TRIES:
            exponent = min(count - FREE_TRIES, 20)
            delay_s = min(MAX_DELAY_S, FIRST_DELAY_S * 2.0**exponent)
        self._wrong[name, address] = (count, now_s + delay_s)
        if len(self._wrong) > MAX_SENDERS:
            self._wrong.popitem(last=False)

    def succeed(self, name: str, address: str) -> None:
        """Forget the wrong ones."""
        self._wrong.pop((name, address), None)
