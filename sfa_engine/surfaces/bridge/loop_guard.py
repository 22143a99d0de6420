"""Keep routes from feeding each other: drop echoes, and limit rates. Pure."""

from __future__ import annotations

from collections import deque
from collections.abc import Hashable
from typing import NamedTuple

from sfa_engine.stage.raw_bus import fits

ECHO_S = 0.15  # within which a device or peer may echo a message: Wi-Fi and MIDI
MAX_AWAITED = 32  # echoes of one message
MAX_KEYS = 4096  # messages remembered; a route sends 300 in `ECHO_S`
MAX_PER_S = 2000  # messages of a route: a MIDI cable carries 1042 of three bytes


class _Sent(NamedTuple):
    """A message that a route sent."""

    at_s: float
    target: str
    value: float
    tolerance: float


class LoopGuard:
    """Recognises echoes of messages that routes sent.

    Each message sent cancels one echo: what is played there meanwhile passes.
    """

    def __init__(self) -> None:
        self._sent: dict[Hashable, deque[_Sent]] = {}
        self.echoes = 0

    def sent(self, key: Hashable, target: str, value: float, tolerance: float, at_s: float) -> None:
        """Note a message that a route sends.

        Parameters
        ----------
        key : hashable
            Address of the message, without its device or peer.
        target : str
            See `raw_bus.fits`.
        value, tolerance : float
            Travel, and the greatest difference of its echo.
        at_s : float
        """
        if len(self._sent) >= MAX_KEYS and key not in self._sent:
            self._sent = {k: v for k, v in self._sent.items() if v and at_s - v[-1].at_s <= ECHO_S}
        awaited = self._sent.setdefault(key, deque(maxlen=MAX_AWAITED))
        awaited.append(_Sent(at_s, target, value, tolerance))

    def is_echo(self, key: Hashable, origin: str, value: float, now_s: float) -> bool:
        """Return whether a message is the echo of one sent within `ECHO_S`."""
        awaited = self._sent.get(key)
        if not awaited:
            return False
        while awaited and now_s - awaited[0].at_s > ECHO_S:
            awaited.popleft()
        for each in awaited:
            if abs(each.value - value) <= each.tolerance and fits(origin, each.target):
                awaited.remove(each)
                self.echoes += 1
                return True
        return False


class Pace:
    """Counts the messages of a route in each second."""

    def __init__(self) -> None:
        self._second = -1
        self._count = 0
        self.dropped = 0

    def may_pass(self, now_s: float) -> bool:
        """Count a message; return whether it is within `MAX_PER_S`."""
        second = int(now_s)
        if second != self._second:
            self._second, self._count = second, 0
        self._count += 1
        if self._count > MAX_PER_S:
            self.dropped += 1
            return False
        return True
