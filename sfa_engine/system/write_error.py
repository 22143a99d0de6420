"""Why a file cannot be extended, which a library that writes it does not say."""

from __future__ import annotations

import os
from pathlib import Path

PROBE_BYTES = 1 << 16  # more than may be free in the last block of a full disk


def write_error(path: Path) -> OSError | None:
    """Return why a file cannot be extended: libsndfile reports only "System error"."""
    try:
        with path.open("ab", buffering=0) as file:
            file.write(bytes(PROBE_BYTES))
            os.fsync(file.fileno())
    except OSError as error:
        return error
    return None
