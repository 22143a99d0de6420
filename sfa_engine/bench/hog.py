"""A Python process with a busy interpreter: ``python -m sfa_engine.bench.hog 2 MODULE ARGUMENT…``.

Runs a module as its main program; SIGUSR1 starts the given number of threads that only keep the
interpreter busy. The bench runs every process of the engine this way.
"""

from __future__ import annotations

import gc
import runpy
import signal
import sys
import threading


def hog() -> None:
    """Keep the interpreter busy for ever."""
    while True:
        junk = [{"a": i, "b": [i] * 10} for i in range(50_000)]
        del junk
        gc.collect()


def main() -> None:
    """Run the module; start the hogs on SIGUSR1."""
    count = int(sys.argv[1])

    def start_hogs(*_: object) -> None:
        for _number in range(count):
            threading.Thread(target=hog, daemon=True).start()

    signal.signal(signal.SIGUSR1, start_hogs)
    module = sys.argv[2]
    sys.argv = sys.argv[2:]
    runpy.run_module(module, run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main()
