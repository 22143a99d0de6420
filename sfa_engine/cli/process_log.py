"""`logging` of stage and backstage, into the log of the process."""

from __future__ import annotations

import logging
from pathlib import Path

from sfa_engine import log

OURS = "sfa_engine"


class Handler(logging.Handler):
    """Writes what is logged as records of `sfa_engine.log`."""

    def emit(self, record: logging.LogRecord) -> None:
        try:
            text = self.format(record)
            if not record.name.startswith(OURS):
                text = f"{record.name}: {text}"
            level = record.levelname.lower()
            log.write(level if level in log.LEVELS else "info", text)
        except Exception:  # noqa: BLE001 - a record that cannot be formatted ends nothing
            self.handleError(record)


def start(name: str, folder: Path) -> None:
    """Begin the log of a process that may use `logging`.

    Libraries are heard from warnings on: at a lower level httpx writes the URLs that it asks for.
    """
    log.start(name, folder)
    logging.basicConfig(
        handlers=[Handler()], level=logging.WARNING, format="%(message)s", force=True
    )
    logging.getLogger(OURS).setLevel(logging.INFO)
    logging.captureWarnings(True)
