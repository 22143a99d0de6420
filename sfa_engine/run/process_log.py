"""`logging` of stage and backstage, into the log of the process."""

from __future__ import annotations

import logging
from pathlib import Path

from sfa_engine.errors import SfaError
from sfa_engine.system import log

OURS = "sfa_engine"


class Handler(logging.Handler):
    """Writes log records with `sfa_engine.system.log`."""

    def emit(self, record: logging.LogRecord) -> None:
        try:
            text = self.format(record)
            if not record.name.startswith(OURS):
                text = f"{record.name}: {text}"
            level = record.levelname.lower()
            log.write(level if level in log.LEVELS else "info", text)
        except Exception:  # noqa: BLE001 - an invalid record does not end the process
            self.handleError(record)


def start(name: str, folder: Path) -> None:
    """Start the log of a process that uses `logging`.

    Libraries log warnings and above: below, httpx logs the URLs that it requests.
    """
    log.start(name, folder)
    logging.basicConfig(
        handlers=[Handler()], level=logging.WARNING, format="%(message)s", force=True
    )
    logging.getLogger(OURS).setLevel(logging.INFO)
    logging.captureWarnings(True)


def report(error: SfaError | OSError) -> int:
    """Log in one line what ended this process; return its exit status."""
    words = str(error)
    if not isinstance(error, SfaError):
        hint = "check its permissions and the free space"
        words = f"{error.filename}: {error.strerror}; {hint}"
    logging.getLogger(OURS).error("%s", words)
    return 1
