"""The do-nothing client of the sound device: the cost of any stream on this machine.

Same driver, language and clock as the engine; its callback writes zeros.
"""

from __future__ import annotations

import signal
import sys
import threading
from pathlib import Path

from sfa_engine.engine.memory import Memory
from sfa_engine.host import build, device, realtime
from sfa_engine.host.device import DeviceRequest, Driver, Stream, Timer
from sfa_engine.host.dsp_state import DspState

MEMORY = "null.memory"


def main() -> None:
    """Run until SIGTERM: ``RUNTIME DEVICE BLOCK``."""
    runtime, name, block = Path(sys.argv[1]), sys.argv[2], int(sys.argv[3])
    stop = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stop.set())
    kernel = build.load(build.ensure())
    realtime.lock_memory()
    memory = Memory.create(runtime / MEMORY)
    request = DeviceRequest(name, block=block)
    driver: Driver
    if name == device.TIMER_NAME:
        dsp = DspState(memory, 48_000.0, 2)
        driver = Timer(request, 48_000.0, kernel, kernel.idle, dsp.address)
    else:
        found = device.choose(request)
        dsp = DspState(memory, found.rate, 2)
        dsp.record["in_graph"] = found.in_graph
        driver = Stream(request, found, found.rate, kernel.idle, dsp.address)
    driver.start()
    while not stop.wait(0.05):
        pass
    driver.close()


if __name__ == "__main__":
    main()
