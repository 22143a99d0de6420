"""Estimate a peer's clock from ``CK`` exchanges, to date its events. Pure."""

from __future__ import annotations

from collections import deque
from typing import NamedTuple

UNIT_NS = 100_000  # of AppleMIDI's clocks
SAMPLES = 16
DRIFT = 50e-6  # that two quartz clocks may differ by
MAX_ROUND_TRIP_S = 1.0
MAX_PAST_S = 1.0  # of an event before its arrival: an older one means that a clock was set


class _Sample(NamedTuple):
    """One exchange: the peer's clock minus ours, and the round-trip time."""

    at_ns: int
    offset_ns: int
    round_trip_ns: int


class PeerClock:
    """Estimates the offset of a peer's clock.

    Uses the exchange of the last `SAMPLES` with the smallest error bound: half its round trip plus
    what the clocks may have drifted since.
    """

    def __init__(self) -> None:
        self._samples: deque[_Sample] = deque(maxlen=SAMPLES)
        self._best: _Sample | None = None
        self.wrong = 0  # impossible times of events

    @property
    def round_trip_ns(self) -> int:
        """Of the exchange in use; 0 before the first."""
        return self._best.round_trip_ns if self._best else 0

    def learn(self, ours_ns: int, theirs: int, round_trip_ns: int, now_ns: int) -> None:
        """Add an exchange.

        Parameters
        ----------
        ours_ns : int
            Our clock when the peer's was `theirs`, in its units.
        theirs : int
        round_trip_ns, now_ns : int
        """
        if not 0 <= round_trip_ns <= MAX_ROUND_TRIP_S * 1e9:
            return
        sample = _Sample(now_ns, theirs * UNIT_NS - ours_ns, round_trip_ns)
        if self._best and abs(sample.offset_ns - self._best.offset_ns) > MAX_PAST_S * 1e9:
            self._samples.clear()  # the peer's clock was set
        self._samples.append(sample)
        self._best = min(
            self._samples, key=lambda each: each.round_trip_ns / 2 + DRIFT * (now_ns - each.at_ns)
        )

    def event_ns(self, timestamp: int, now_ns: int) -> int:
        """Return the time of an event by our clock, never after now.

        Parameters
        ----------
        timestamp : int
            Of the event, the last 32 bits of the peer's clock.
        now_ns : int
            When it arrived; returned while no exchange is known.
        """
        if self._best is None:
            return now_ns
        expected = (now_ns + self._best.offset_ns) // UNIT_NS
        ahead = ((timestamp - expected + (1 << 31)) & 0xFFFFFFFF) - (1 << 31)
        if abs(ahead) * UNIT_NS > MAX_PAST_S * 1e9:
            self.wrong += 1
            return now_ns
        return min(now_ns, now_ns + ahead * UNIT_NS)
