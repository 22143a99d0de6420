"""A file of what the library has not taken yet: survives the stage and a power cut."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import trio

from sfa_engine.durable import write_durably

logger = logging.getLogger(__name__)


class Outbox:
    """A JSON file that is written when its content has changed, and is not there when empty.

    Parameters
    ----------
    path : pathlib.Path
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._saved = "{}"

    def read(self, is_valid: Callable[[Any], bool]) -> dict[str, Any]:
        """Return what the last stage left; a damaged file is put aside, and nothing is left."""
        try:
            said = json.loads(self._path.read_text())
            if isinstance(said, dict) and is_valid(said):
                self._saved = json.dumps(said)
                return said
            why: object = "not what a stage writes"
        except FileNotFoundError:
            return {}
        except (OSError, ValueError) as error:
            why = error
        logger.warning("%s cannot be read: %s", self._path, why)
        with suppress(OSError):
            self._path.rename(self._path.with_suffix(".damaged"))
        return {}

    async def save(self, content: dict[str, Any]) -> None:
        """Write the content to the disk, if it is not what is there."""
        text = json.dumps(content)
        if text == self._saved:
            return
        try:
            await trio.to_thread.run_sync(self._write, text)
            self._saved = text
        except OSError as error:
            logger.warning("%s: %s", self._path, error)

    def _write(self, text: str) -> None:
        if text == "{}":
            self._path.unlink(missing_ok=True)
            return
        self._path.parent.mkdir(parents=True, exist_ok=True)
        write_durably(self._path, text)
