"""``python -m sfa_engine.prep.analyse``: the worker program."""

from __future__ import annotations

import os
import sys

from sfa_engine.prep.analyse.worker import main

if __name__ == "__main__":
    status = main()
    try:
        sys.stdout.flush()
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    sys.exit(status)
