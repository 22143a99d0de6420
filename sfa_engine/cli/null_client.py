"""A client of the sound device that does nothing: what any stream costs on this machine.

Same driver, same language, same clock-keeping as the engine; its callback writes zeros.
"""

from __future__ import annotations

import signal
import sys
import threading
from pathlib import Path

from sfa_engine.audio import build, device, realtime
from sfa_engine.audio.device import Driver, Stream, Timer, Wish
from sfa_engine.audio.memory import Memory
from sfa_engine.audio.rack import Rack

MEMORY = "null.memory"


def main() -> None:
    """Run until told to end: ``RUNTIME DEVICE BLOCK``."""
    runtime, name, block = Path(sys.argv[1]), sys.argv[2], int(sys.argv[3])
    stop = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stop.set())
    kernel = build.load(build.ensure())
    realtime.lock_memory()
    memory = Memory.create(runtime / MEMORY)
    wish = Wish(name, block=block)
    driver: Driver
    if name == device.TIMER_NAME:
        rack = Rack(memory, 48_000.0, 2)
        driver = Timer(wish, 48_000.0, kernel, kernel.idle, rack.address)
    else:
        found = device.choose(wish)
        rack = Rack(memory, found.rate, 2)
        rack.record["in_graph"] = found.in_graph
        driver = Stream(wish, found, found.rate, kernel.idle, rack.address)
    driver.start()
    while not stop.wait(0.05):
        pass
    driver.close()


if __name__ == "__main__":
    main()
