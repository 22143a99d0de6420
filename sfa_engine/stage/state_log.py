"""What happens to the sound, for the log: changes of health, device and decks. Knows no surface."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from typing import Any

logger = logging.getLogger(__name__)
LEVELS = {"ok": logging.INFO, "strained": logging.WARNING}  # what is worse is an error


class StateLog:
    """Logs what has changed since the last look."""

    def __init__(self) -> None:
        self._health = ""
        self._device: tuple[Any, ...] = ()
        self._tracks: dict[int, Any] = {}
        self._misses = (0, 0, 0)

    def health(self, word: str, reasons: Sequence[str]) -> None:
        """Log a word that is another than before, with its reasons."""
        if word != self._health:
            self._health = word
            logger.log(LEVELS.get(word, logging.ERROR), "health %s: %s", word, "; ".join(reasons))

    def misses(self, host: int, late: int, missed: int) -> None:
        """Log blocks that were late, or missed by the device, since the last look at this host."""
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

    def host(self, said: Mapping[str, Any]) -> None:
        """Log a device, or a track on a deck, that is another than before."""
        device = tuple(said.get(name) for name in ("driver", "device", "rate", "block", "trouble"))
        if device != self._device:
            self._device = device
            driver, name, rate, block, trouble = device
            words = f"device: {driver} {name}, {rate:g} Hz, blocks of {block}"
            logger.log(
                logging.WARNING if trouble else logging.INFO, "%s", f"{words}; {trouble or 'ok'}"
            )
        for number, deck in enumerate(said.get("decks", ()), 1):
            track = deck.get("path"), deck.get("trouble")
            if track != self._tracks.get(number, (None, "")):
                self._tracks[number] = track
                level = logging.WARNING if track[1] else logging.INFO
                words = f"{track[0] or 'no track'}{f': {track[1]}' if track[1] else ''}"
                logger.log(level, "deck %d: %s", number, words)
