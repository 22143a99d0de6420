"""Which process the supervisor had to start again: read when the file has changed, not before."""

from __future__ import annotations

import json
from pathlib import Path

MAX_BYTES = 65_536


class Restarts:
    """What the supervisor's note says.

    Parameters
    ----------
    path : pathlib.Path
        Of the note, which lies in memory: looking at its time waits for no disk.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._version: tuple[int, int] = (0, 0)
        self.all: dict[str, tuple[str, float]] = {}  # process: why, and when since 1970

    def look(self) -> None:
        """Read the note if it is another than before."""
        try:
            status = self._path.stat()
        except OSError:
            self._version, self.all = (0, 0), {}
            return
        version = status.st_ino, status.st_mtime_ns
        if version != self._version:
            self._version, self.all = version, self._read()

    def _read(self) -> dict[str, tuple[str, float]]:
        try:
            with self._path.open("rb") as file:
                said = json.loads(file.read(MAX_BYTES))
            return {name: (str(entry["why"]), float(entry["at"])) for name, entry in said.items()}
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            return {}
