"""A Python process made slow on purpose: ``python -m sfa_engine.cli.hog 2 MODULE ARGUMENT…``.

Runs a module as if it had been started itself; on SIGUSR1 so many threads begin to do nothing
but hold its interpreter. The bench runs every process of the engine like that.
"""

from __future__ import annotations

import gc
import runpy
import signal
import sys
import threading


def hog() -> None:
    """Hold the interpreter for ever."""
    while True:
        junk = [{"a": i, "b": [i] * 10} for i in range(50_000)]
        del junk
        gc.collect()


def main() -> None:
    """Run the module; let the hogs loose when told to."""
    count = int(sys.argv[1])

    def let_loose(*_: object) -> None:
        for _number in range(count):
            threading.Thread(target=hog, daemon=True).start()

    signal.signal(signal.SIGUSR1, let_loose)
    module = sys.argv[2]
    sys.argv = sys.argv[2:]
    runpy.run_module(module, run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main()
