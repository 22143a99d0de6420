"""Standard output for the protocol alone."""

from __future__ import annotations

import os
from typing import TextIO

STDOUT, STDERR = 1, 2


def take_output() -> TextIO:
    """Return standard output; what the process prints from now on goes to standard error."""
    own = os.dup(STDOUT)
    os.dup2(STDERR, STDOUT)
    return os.fdopen(own, "w", encoding="utf-8")
