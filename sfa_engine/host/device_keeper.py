"""The device, kept open: opened, watched, opened again when it stalls, changes or comes back.

Everything here runs on the main thread, but for the graph's watch, which has its own and says
what it found in `Watch.new_rate` and the engine's memory. A device that stalls is not closed:
PortAudio hangs on a sound server that died. The process replaces itself instead (`restart`).
"""

from __future__ import annotations

import contextlib
import os
import sys
import threading
import time
from pathlib import Path
from typing import NoReturn

import numpy as np

from sfa_engine.engine.memory import Memory
from sfa_engine.errors import DeviceError
from sfa_engine.host import device, jack, realtime
from sfa_engine.host.build import Kernel
from sfa_engine.host.device import DeviceRequest, Driver, Stream, Timer
from sfa_engine.host.dsp_state import DspState
from sfa_engine.host.graph import Watch
from sfa_engine.system import log

STALLED_S = 0.3  # without a block, and without four of them: the device is gone
GRAPH_STALLED_S = 1.0  # of JACK or PipeWire: the server may stand still for a moment
SERVER_GONE_S = 0.15  # without a block, if the server does not answer any more
MAX_STEP_S = 0.1  # that a check counts: if the whole machine stood still, we did too
DEVICE_RETRY_S = 1.0  # between two searches for the requested device
FIRST_BLOCK_TIMEOUT_S = 2.0


class DeviceKeeper:
    """Owns the driver.

    Parameters
    ----------
    memory : Memory
    request : DeviceRequest
    kernel : Kernel
    stop : threading.Event
        Set when the process ends.
    """

    def __init__(
        self, memory: Memory, request: DeviceRequest, kernel: Kernel, stop: threading.Event
    ) -> None:
        self.memory = memory
        self.request = request
        self._kernel = kernel
        self.driver: Driver | None = None
        self.dsp: DspState
        self.watched_at = time.monotonic()  # of the last check, by `time.monotonic`
        self._retry_at = 0.0
        self._silent_s, self._blocks = 0.0, 0
        self.priority = realtime.Priority(memory)
        self.graph = Watch(memory, request.name, request.channels, stop)

    # ------------------------------------------------------------------ open

    def find(self) -> tuple[device.Found | None, float, str]:
        """Return the device, the rate to open it at, and why there is none."""
        error = ""
        found = None
        if self.request.name != device.TIMER_NAME:
            try:
                found = device.choose(self.request)
            except DeviceError as missing:
                error = str(missing)
        rate = device.rate_for(self.request, found) if found else self.request.rate
        return found, rate or float(self.memory.engine["sample_rate"]) or 48_000.0, error

    def drive(self, dsp: DspState, found: device.Found | None, rate: float, error: str) -> None:
        """Start the device on a dsp, or the timer if there is none or it cannot be opened."""
        self.dsp = dsp
        engine = self.memory.engine
        engine["thread"] = 0  # until the first block says which it is
        stream = None
        dsp.record["in_graph"] = found is not None and found.in_graph
        if found is not None:
            try:
                stream = Stream(self.request, found, rate, self._kernel.stream, dsp.address)
                stream.start()
            except DeviceError as refused:
                error = str(refused)
                stream = None
                dsp.record["in_graph"] = 0
        driver: Driver = stream or Timer(
            self.request, rate, self._kernel, self._kernel.stream, dsp.address
        )
        if stream is None:
            driver.start()
        self._name_driver(driver, error)
        self._retry_at = time.monotonic() + DEVICE_RETRY_S
        self._wait_for_block()
        self._silent_s = 0.0
        self.priority.ask()

    def _name_driver(self, driver: Driver, error: str) -> None:
        engine = self.memory.engine
        self.driver = self.graph.driver = driver
        engine["driver"] = driver.name.encode()
        engine["device"] = device.cut(driver.device, 119)
        engine["device_latency"] = driver.latency_s
        engine["error"] = device.cut(error, 255)

    def _wait_for_block(self) -> None:
        engine = self.memory.engine
        give_up = time.monotonic() + FIRST_BLOCK_TIMEOUT_S
        while int(engine["fresh"]):
            if time.monotonic() > give_up:
                return  # `watch` takes it from here
            time.sleep(0.0005)

    def close(self) -> None:
        """Stop the driver."""
        assert self.driver is not None
        self.driver.close()

    # ------------------------------------------------------------------ watch

    def watch(self) -> None:
        """Check that blocks are still asked for, and retry a device that was unavailable."""
        before_s, self.watched_at = self.watched_at, time.monotonic()
        self._count_silence(self.watched_at - before_s)
        self.priority.look()
        engine = self.memory.engine
        assert self.driver is not None
        if self._is_stalled() and self.driver.name == Stream.name:
            log.write("warning", "the device asks for no more blocks, restarting")
            self.restart()
        if self.graph.new_rate:
            log.write("warning", f"{self.graph.new_rate}, reopening the device")
            engine["reopened_ns"] = time.monotonic_ns()
            self.restart()
        waiting = self.driver.name == Timer.name and engine["error"] != b""
        if waiting and time.monotonic() > self._retry_at:
            self._retry_at = time.monotonic() + DEVICE_RETRY_S
            self._retry_device()

    def _count_silence(self, step_s: float) -> None:
        """Add a step to the time without a block, or begin again after one."""
        blocks = int(self.memory.engine["blocks"])
        self._silent_s = self._silent_s + min(step_s, MAX_STEP_S) if blocks == self._blocks else 0.0
        self._blocks = blocks

    def _is_stalled(self) -> bool:
        """Return whether the time without a block is longer than that of any living device."""
        if self._silent_s > self._stall_timeout_s():
            return True
        in_graph = bool(self.dsp.record["in_graph"])
        return in_graph and self._silent_s > SERVER_GONE_S and jack.gone()

    def _stall_timeout_s(self) -> float:
        engine = self.memory.engine
        stalled_s = GRAPH_STALLED_S if self.dsp.record["in_graph"] else STALLED_S
        return max(stalled_s, 4.0 * int(engine["block"]) / float(engine["sample_rate"]))

    def _retry_device(self) -> None:
        if jack.outdated():
            log.write("info", "another sound server answers, restarting")
            self.restart()
        try:
            device.rescan(self.request.block)
            found = device.choose(self.request)
        except DeviceError as error:
            self.memory.engine["error"] = device.cut(str(error), 255)
            return
        rate = device.rate_for(self.request, found)
        if rate != float(self.dsp.record["sample_rate"]):
            self.restart()
        self.close()
        self.memory.engine["resuming"] = 1
        self.memory.engine["fresh"] = 1
        self.drive(self.dsp, found, rate, "")

    @staticmethod
    def restart() -> NoReturn:
        """Replace this process by a new host, which resumes where this one was.

        It keeps nothing open: a sound server that hangs, but lives, goes on waiting for a client
        whose sockets are there, and a new client then waits for the server.
        """
        for handle in Path("/proc/self/fd").iterdir():
            if int(handle.name) > sys.stderr.fileno():
                with contextlib.suppress(OSError):  # the listing's own
                    os.set_inheritable(int(handle.name), False)
        log.before_exec()
        os.execv(sys.executable, [sys.executable, *sys.orig_argv[1:]])  # noqa: S606


def rebase(engine: np.void, rate: float) -> None:
    """Convert positions to a device of another rate; times stay, frames do not."""
    before = float(engine["sample_rate"])
    if before in {0.0, rate}:
        return
    frame = int(engine["emitted"])
    for transport in engine["transport"]:
        head = transport["head"]
        if transport["playing"]:
            gone = frame - int(head["anchor_frame"])
            head["anchor_position"] += gone * float(head["speed"])
        head["anchor_frame"] = frame
        head["speed"] *= before / rate
        line, motion = transport["slip"]["line"], transport["motion"]
        line["anchor_position"] += (frame - int(line["anchor_frame"])) * float(line["speed"])
        line["anchor_frame"] = motion["began_frame"] = motion["goal_frame"] = frame
        line["speed"] *= before / rate
        for name in ("speed", "began_speed"):
            motion[name] *= before / rate
    engine["clock_beat"] += (frame - int(engine["clock_frame"])) * float(engine["clock_speed"])
    engine["clock_frame"] = frame
    engine["clock_speed"] *= before / rate
