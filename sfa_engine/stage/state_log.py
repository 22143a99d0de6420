"""Log changes of health, device and decks. Knows no surface."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from typing import Any

from sfa_engine.engine.command import Op, ReportKind
from sfa_engine.engine.ring import Report
from sfa_engine.stage.health import lowered_by

logger = logging.getLogger(__name__)
LEVELS = {"ok": logging.INFO, "degraded": logging.WARNING}  # others are errors


class StateLog:
    """Logs what has changed since the last call."""

    def __init__(self) -> None:
        self._health = ""
        self._device: tuple[Any, ...] = ()
        self._tracks: dict[int, Any] = {}
        self._misses = (0, 0, 0)

    def health(self, word: str, reasons: Sequence[str]) -> None:
        """Log a changed word with its reasons."""
        if word != self._health:
            self._health = word
            text = f"health {word}: {'; '.join(reasons)}" if reasons else f"health {word}"
            logger.log(LEVELS.get(word, logging.ERROR), "%s", text)

    def ladder(self, reports: Sequence[Report]) -> None:
        """Log each step of the overload ladder."""
        for report in reports:
            if report.op == Op.LADDER and report.kind is ReportKind.APPLIED:
                lowered = lowered_by(int(report.x))
                logger.warning("overload: %s", lowered or "full quality again")

    def misses(self, host: int, late: int, missed: int) -> None:
        """Log blocks that were late, or missed by the device, since the last call for this host."""
        before_host, before_late, before_missed = self._misses
        if host != before_host:
            before_late, before_missed = late, missed
        if late > before_late or missed > before_missed:
            logger.warning(
                "%d blocks late, %d missed by the device",
                late - before_late,
                missed - before_missed,
            )
        self._misses = (host, late, missed)

    def host(self, info: Mapping[str, Any]) -> None:
        """Log a changed device, or a changed track on a deck."""
        device = tuple(info.get(name) for name in ("driver", "device", "rate", "block", "error"))
        if device != self._device:
            self._device = device
            driver, name, rate, block, error = device
            words = f"device: {driver} {name}, {rate:g} Hz, blocks of {block}"
            logger.log(
                logging.WARNING if error else logging.INFO, "%s", f"{words}; {error or 'ok'}"
            )
        for number, deck in enumerate(info.get("decks", ()), 1):
            track = deck.get("path"), deck.get("error")
            if track != self._tracks.get(number, (None, "")):
                self._tracks[number] = track
                level = logging.WARNING if track[1] else logging.INFO
                words = f"{track[0] or 'no track'}{f': {track[1]}' if track[1] else ''}"
                logger.log(level, "deck %d: %s", number, words)
