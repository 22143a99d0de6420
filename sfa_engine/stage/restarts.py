"""The supervisor's record of restarts, read when its file has changed."""

from __future__ import annotations

import json
from pathlib import Path

MAX_BYTES = 65_536


class Restarts:
    """The recorded restarts.

    Parameters
    ----------
    path : pathlib.Path
        Of the file, which is in memory: its status needs no disk.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._version: tuple[int, int] = (0, 0)
        self.all: dict[str, tuple[str, float]] = {}  # process: reason, and seconds since 1970

    def poll(self) -> None:
        """Read the file if it has changed."""
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
                found = json.loads(file.read(MAX_BYTES))
            return {name: (str(entry["why"]), float(entry["at"])) for name, entry in found.items()}
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            return {}
