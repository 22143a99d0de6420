"""Feedback to one peer: changes, in bundles, at its rate. Pure.

A control that the peer is moving is held back until it rests, so that a fader is not pulled from
under a finger; it is sent then if another source has moved it meanwhile. Values are looked up when
they are sent, so that a slow peer gets the newest.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Literal

from sfa_engine.desk import CONTROLS, DESK, Value
from sfa_engine.surfaces.osc.address import (
    ALIAS_SENDERS,
    POSITIONS,
    READINGS,
    TRAVEL_SENDERS,
    UNIT_SENDERS,
    Sender,
)
from sfa_engine.surfaces.osc.packet import bundles

Form = Literal["unit", "travel", "both"]
FORMS: tuple[Form, ...] = ("unit", "travel", "both")

MIN_RATE_HZ, MAX_RATE_HZ = 1.0, 60.0  # 60: of a tablet's screen
TOUCH_GUARD_S = 0.25  # a hand on a fader sends more often than that
MIN_RESYNC_S = 1.0  # between two full dumps, of 50 kB
MAX_PATHS = 120  # a tick: 7 datagrams of 1400 bytes; all controls take five ticks
_FOCUS = DESK.session.focus.path
_LOOKED_AT = (*READINGS, *POSITIONS)
_STEPS = {path: CONTROLS[path].scale.decimals for path in _LOOKED_AT}


class Feedback:
    """What to send to a subscriber.

    Parameters
    ----------
    get : callable
        Returns a control's value.
    rate_hz : float
        At most.
    form : {"unit", "travel", "both"}
        Which addresses to send.

    Attributes
    ----------
    last_resync_s : float
        When the last full dump began.
    """

    def __init__(
        self, get: Callable[[str], Value], rate_hz: float = 30.0, form: Form = "both"
    ) -> None:
        self.rate_hz = min(MAX_RATE_HZ, max(MIN_RATE_HZ, rate_hz))
        self.form = form
        self.is_active = True
        self._get = get
        self._due_s = 0.0
        self._changed: dict[str, None] = {}
        self._rest: dict[str, None] = {}  # of a full dump; what changes has precedence
        self._sent: dict[str, float] = {}  # readings
        self._touched: dict[str, float] = {}
        self._has_aliases = False
        self._is_resync_due, self.last_resync_s = True, -MIN_RESYNC_S

    def resync(self) -> None:
        """Send all values again, over the next ticks."""
        self._is_resync_due = True

    def renew(self, rate_hz: float, form: Form) -> None:
        """Resubscribe, perhaps with another rate or form."""
        self.form = form
        self.rate_hz = min(MAX_RATE_HZ, max(MIN_RATE_HZ, rate_hz))
        self.is_active = True
        self.resync()

    def include_aliases(self) -> None:
        """Send the aliases of the focused deck too."""
        if not self._has_aliases:
            self._has_aliases = True
            self._refocus()

    def _refocus(self) -> None:
        self._changed.update(dict.fromkeys(ALIAS_SENDERS[int(float(self._get(_FOCUS)))]))

    def changed(self, path: str) -> None:
        """Queue a changed control."""
        if path in UNIT_SENDERS:
            self._changed[path] = None
        if path == _FOCUS and self._has_aliases:
            self._refocus()

    def touch(self, path: str, now_s: float) -> None:
        """Hold back a control that the peer moves."""
        self._touched[path] = now_s
        self.knows(path)

    def knows(self, path: str) -> None:
        """Drop a control from the queue: the peer has its value."""
        self._changed.pop(path, None)
        self._rest.pop(path, None)

    def take(self, now_s: float, readings: Mapping[str, float]) -> list[bytes]:
        """Return the datagrams that are due; none within a period of the last.

        Parameters
        ----------
        now_s : float
            Of the monotonic clock.
        readings : mapping of str to float
            Of the engine's last block.
        """
        if now_s < self._due_s:
            return []
        self._due_s = now_s + 1 / self.rate_hz
        if self._is_resync_due and now_s - self.last_resync_s >= MIN_RESYNC_S:
            self._is_resync_due, self.last_resync_s = False, now_s
            self._rest = dict.fromkeys(UNIT_SENDERS)
        self._look(readings)
        for path, touched_s in list(self._touched.items()):
            if now_s - touched_s >= TOUCH_GUARD_S:
                del self._touched[path]
        paths = self._next()
        return list(bundles(self._messages(paths, readings)))

    def _look(self, readings: Mapping[str, float]) -> None:
        """Queue the readings that have changed visibly."""
        for path, digits in _STEPS.items():
            value = readings.get(path)
            shown = round(self._number(path) if value is None else value, digits)
            if self._sent.get(path) != shown:
                self._sent[path] = shown
                self._changed[path] = None

    def _number(self, path: str) -> float:
        return float(self._get(path))

    def _next(self) -> list[str]:
        """Return the controls to send now."""
        paths: list[str] = []
        for waiting in (self._changed, self._rest):
            for path in waiting:
                if len(paths) == MAX_PATHS:
                    break
                if path not in self._touched:
                    paths.append(path)
        for path in paths:
            self.knows(path)
        return list(dict.fromkeys(paths))

    def _messages(self, paths: Iterable[str], readings: Mapping[str, float]) -> Iterator[bytes]:
        tables: list[Mapping[str, Sender]] = []
        if self.form != "travel":
            tables.append(UNIT_SENDERS)
        if self.form != "unit":
            tables.append(TRAVEL_SENDERS)
        if self._has_aliases:
            tables.append(ALIAS_SENDERS[int(float(self._get(_FOCUS)))])
        for path in paths:
            reading = readings.get(path)
            value = self._get(path) if reading is None else reading
            for table in tables:
                sender = table.get(path)
                if sender is not None and (message := sender.message(value)):
                    yield message
