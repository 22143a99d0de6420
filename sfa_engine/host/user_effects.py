"""User effects: a process for each slot that has a patch, watched, and ended when it misbehaves.

::

    file ─ process ─ "ready" ─► its memory is given to the kernel ─ watched ─► ended, with why
      ▲                                                                          │
      └──────────── the file has changed, or `reload` ◄──────────────────────────┘

The audio thread never waits for any of it: without a process, or with a late one, it plays dry.
One that ran and was ended is started again, `RESTARTS` times within `LATELY_S`; after these, and
when it did not come to run, it stays ended until its file changes. A new process takes over when
it is ready, so that a patch with a mistake in it leaves the one before playing.
"""

from __future__ import annotations

import json
import math
import mmap
import os
import select
import signal
import subprocess
import sys
import threading
import time
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from sfa_engine.engine.atomic import store_release
from sfa_engine.engine.effect_ring import EFFECT_RING, LEAST_FRAMES, MAGIC, MOST_FRAMES
from sfa_engine.engine.layout import FX_SLOTS, FX_UNITS, TICK
from sfa_engine.host.dsp_state import DspState
from sfa_engine.system import log

WATCH_S = 0.1
FILE_S = 0.5  # between two looks at the file
START_TIMEOUT_S = 15.0  # pyo takes half a second, on a small machine several
ANSWER_TIMEOUT_S = 1.0  # for a quantum; it takes milliseconds
LATE_S = 2.0  # of quanta of which most are late: it uses up its time
CPU_SHARE = 0.9  # of a core, over `LATE_S`
PRINTED_BYTES = 1 << 16  # a second: more is a loop
FORGET_S = 2.0  # after which the audio thread has let go of what it was given before
LINES = 200  # of the log, from a patch
FAULT_LENGTH = 200  # of why a patch failed: it is a line of the health
RESTARTS = 3  # of a patch that ran and was ended
RESTART_DELAY_S = 1.0  # before the first one, twice as long before each that follows
LATELY_S = 60.0  # for so long an end counts, and the health tells of it


@dataclass(eq=False)
class Process:
    """One process of a patch, and the memory that it shares with the kernel."""

    popen: subprocess.Popen[bytes]
    memory: mmap.mmap
    ring: Any  # numpy.void of `EFFECT_RING`
    address: int
    wake_fd: int
    reports: int
    frames: int
    stamp: tuple[int, int]  # of the file
    started_s: float
    is_ready: bool = False
    heard: bytes = b""
    printed: int = 0
    printed_s: float = 0.0
    lines: int = 0
    returned: int = 0
    returned_s: float = 0.0
    late: int = 0
    sent: int = 0
    late_s: float = 0.0
    cpu_s: float = 0.0
    over: bool = False
    ended_s: float = field(default=0.0)


class UserEffect:
    """The patch of a slot."""

    def __init__(self, dsp: DspState, unit: int, slot: int) -> None:
        self._dsp = dsp
        self._given = dsp.slot_address(unit, slot, "given_address")
        self.name = ""
        self.error = ""
        self._path: Path | None = None
        self._tried: tuple[int, int] | None = None  # stamp of the file that was started last
        self._next_look_s = 0.0
        self.ended_s: list[float] = []  # when it was ended lately, though it ran
        self._again_s = math.inf  # when it is started again
        self._why = ""  # it was ended last
        self.current: Process | None = None
        self.coming: Process | None = None
        self._old: list[Process] = []

    def choose(self, name: str, path: str) -> None:
        """Run another patch, or none."""
        self.name = name
        self.error = ""
        self._path = Path(path) if name else None
        self.reload()
        self._retire("current")
        self._retire("coming")

    def reload(self) -> None:
        """Start the process again."""
        self.ended_s.clear()
        self._tried = None
        self._next_look_s = 0.0

    def _retire(self, which: str) -> None:
        process: Process | None = getattr(self, which)
        if process is None:
            return
        if which == "current":
            store_release(self._given, 0)
        setattr(self, which, None)
        _end(process)
        self._old.append(process)

    def watch(self, now_s: float) -> None:
        """Start, take over, check and end processes; called ten times a second."""
        self._forget(now_s)
        if self._path is None:
            return
        if now_s >= self._next_look_s:
            self._next_look_s = now_s + FILE_S
            self._look(now_s)
        for which in ("coming", "current"):
            process: Process | None = getattr(self, which)
            if process is None:
                continue
            fault = self._check(process, now_s)
            if fault == "frames":
                self.reload()
                self._retire(which)
            elif fault:
                self._retire(which)
                self._fail(fault, now_s, ran=which == "current")
            elif which == "coming" and process.is_ready:
                self._retire("current")
                self.current, self.coming = process, None
                process.returned_s = process.late_s = now_s
                self.error = f"it was restarted: {self._why}" if self.ended_s else ""
                store_release(self._given, process.address)
        if self.ended_s and now_s - self.ended_s[-1] > LATELY_S:
            self.ended_s.clear()
            if self.current is not None and self.coming is None:
                self.error = ""

    def _fail(self, fault: str, now_s: float, *, ran: bool) -> None:
        """Note why a process was ended; have one that ran started again, a few times."""
        self._why = self.error = fault
        if ran and len(self.ended_s) < RESTARTS:
            self._again_s = now_s + RESTART_DELAY_S * 2 ** len(self.ended_s)
            self._next_look_s = min(self._next_look_s, self._again_s)
            self.ended_s.append(now_s)
            self.error = f"{fault}; it is restarted"
        elif ran:
            self.error = f"{fault}; it was restarted {RESTARTS} times: save it, or `sfa fx reload`"
        log.write("warning", f"effect {self.name}: {self.error}")

    def _forget(self, now_s: float) -> None:
        for process in list(self._old):
            if now_s - process.ended_s > FORGET_S:
                self._old.remove(process)
                os.close(process.wake_fd)
                process.ring = None
                with suppress(BufferError):
                    process.memory.close()

    def _look(self, now_s: float) -> None:
        assert self._path is not None
        try:
            status = self._path.stat()
        except OSError as error:
            if self._tried != (0, 0):
                self._tried = (0, 0)
                self.error = f"{self._path}: {error.strerror}; see `sfa fx patches`"
            return
        stamp = (status.st_mtime_ns, status.st_size)
        frames = quantum(self._dsp)
        moved = self.current is not None and self.current.frames != frames
        again = now_s >= self._again_s
        if (stamp != self._tried or moved or again) and self.coming is None:
            if not again:
                self.ended_s.clear()
            self._again_s = math.inf
            self._tried = stamp
            try:
                self.coming = start(self._path, frames, self._dsp, stamp, now_s)
            except OSError as error:
                self.error = f"its process was not started: {error.strerror}"

    def _check(self, process: Process, now_s: float) -> str:
        """Return why a process is to be ended; empty if it is not."""
        fault = self._read(process, now_s)
        if fault:
            return fault
        status = process.popen.poll()
        if status is not None:
            return ended_by(status)
        if not process.is_ready:
            slow = now_s - process.started_s > START_TIMEOUT_S
            return f"it was not ready after {START_TIMEOUT_S:.0f} s" if slow else ""
        if children_of(process.popen.pid):
            return "it started other processes"
        return self._check_pace(process, now_s)

    def _check_pace(self, process: Process, now_s: float) -> str:
        """Return why a process that runs is too slow; empty if it is not."""
        sent, returned = int(process.ring["sent"]), int(process.ring["returned"])
        if returned != process.returned or returned >= sent:
            process.returned, process.returned_s = returned, now_s
        elif now_s - process.returned_s > ANSWER_TIMEOUT_S:
            return f"it has not answered for {ANSWER_TIMEOUT_S:.0f} s"
        if now_s - process.late_s > LATE_S:
            late, cpu_s = int(process.ring["late"]), cpu_time_s(process.popen.pid)
            share = (cpu_s - process.cpu_s) / (now_s - process.late_s)
            count, missed = sent - process.sent, late - process.late
            process.late_s, process.late, process.sent = now_s, late, sent
            known, process.cpu_s = process.cpu_s > 0.0, cpu_s
            if known and share > CPU_SHARE:
                return f"it used {100 * share:.0f} % of a core"
            if known and count > 0 and missed > count // 2:
                return f"it was late for {missed} of {count} blocks"
        return ""

    def _read(self, process: Process, now_s: float) -> str:
        """Read what a process reports, and what its patch prints; return an error."""
        fault = ""
        assert process.popen.stdout is not None
        while select.select([process.reports], [], [], 0)[0]:
            more = os.read(process.reports, 65_536)
            if not more:
                break
            process.heard += more
        *lines, process.heard = process.heard.split(b"\n")
        for line in lines:
            with suppress(ValueError, KeyError, TypeError):
                told = json.loads(line)
                if told["event"] == "ready":
                    process.is_ready = True
                elif told["event"] == "frames":
                    fault = "frames"
                elif told["event"] == "error":
                    fault = " ".join(str(told["text"]).split())[:FAULT_LENGTH] or "it failed"
        if now_s - process.printed_s > 1.0:
            process.printed, process.printed_s = 0, now_s
        out = process.popen.stdout.fileno()
        while process.printed <= PRINTED_BYTES and select.select([out], [], [], 0)[0]:
            text = os.read(out, 16_384)
            if not text:
                break
            process.printed += len(text)
            for word in text.decode(errors="replace").splitlines():
                if process.lines < LINES and word.strip():
                    process.lines += 1
                    log.write("info", f"effect {self.name}: {word.strip():.200}")
        if process.printed > PRINTED_BYTES:
            fault = fault or f"it printed more than {PRINTED_BYTES >> 10} kB in a second"
        return fault

    def end(self) -> None:
        """End all processes; the audio thread is about to stop."""
        self._retire("current")
        self._retire("coming")


def quantum(dsp: DspState) -> int:
    """Return how many frames the kernel hands over at a time."""
    block = -(-int(dsp.memory.engine["block"]) // TICK) * TICK
    return min(MOST_FRAMES, max(LEAST_FRAMES, block))


def start(path: Path, frames: int, dsp: DspState, stamp: tuple[int, int], now_s: float) -> Process:
    """Start the process of a patch."""
    size = -(-EFFECT_RING.itemsize // mmap.PAGESIZE) * mmap.PAGESIZE
    ring_fd = os.memfd_create("sfa-effect", os.MFD_CLOEXEC)
    wake_fd = os.eventfd(0, os.EFD_CLOEXEC)
    readable, writable = os.pipe()
    try:
        os.ftruncate(ring_fd, size)
        memory = mmap.mmap(ring_fd, size)
        array = np.frombuffer(memory, EFFECT_RING, 1)
        array.view("u1")[:] = 0
        ring = array[0]
        ring["magic"] = MAGIC
        ring["sample_rate"] = dsp.record["sample_rate"]
        ring["wake_fd"] = wake_fd
        popen = subprocess.Popen(
            [
                *(sys.executable, "-m", "sfa_engine.host.effect_process", str(path)),
                *map(str, (ring_fd, wake_fd, frames, writable)),
            ],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            pass_fds=(ring_fd, wake_fd, writable),
            start_new_session=True,
            cwd=path.parent,
            env={
                **{k: v for k, v in os.environ.items() if k in {"PATH", "HOME", "LANG"}},
                "PYTHONPATH": str(Path(__file__).parents[2]),
                "PYTHONDONTWRITEBYTECODE": "1",
                "OPENBLAS_NUM_THREADS": "1",
            },
        )
    except BaseException:
        os.close(readable)
        os.close(wake_fd)
        raise
    finally:
        os.close(ring_fd)
        os.close(writable)
    address = int(array.ctypes.data)
    return Process(popen, memory, ring, address, wake_fd, readable, frames, stamp, now_s)


def _end(process: Process) -> None:
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(process.popen.pid, signal.SIGKILL)
    process.popen.wait()
    assert process.popen.stdout is not None
    process.popen.stdout.close()
    os.close(process.reports)
    process.ended_s = time.monotonic()


def ended_by(status: int) -> str:
    """Return in words how a process ended."""
    if status in {-signal.SIGXCPU, -signal.SIGKILL}:
        return "it was killed, or computed without end"
    if status < 0:
        with suppress(ValueError):
            return f"it was ended by {signal.Signals(-status).name}"
    return f"it ended with status {status}"


def children_of(pid: int) -> list[str]:
    """Return the processes that a process has started and that are still there."""
    found: list[str] = []
    with suppress(OSError):
        for task in Path(f"/proc/{pid}/task").iterdir():
            found += (task / "children").read_text().split()
    return found


def cpu_time_s(pid: int) -> float:
    """Return the processor time that a process has used."""
    with suppress(OSError, ValueError, IndexError):
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
    return 0.0


class UserEffects:
    """The patches of all slots.

    Parameters
    ----------
    dsp : DspState
    stop : threading.Event
    """

    def __init__(self, dsp: DspState, stop: threading.Event) -> None:
        self._stop = stop
        self._mutex = threading.Lock()
        self._slots = {
            (unit + 1, slot + 1): UserEffect(dsp, unit, slot)
            for unit in range(FX_UNITS)
            for slot in range(FX_SLOTS)
        }

    def choose(self, unit: int, slot: int, name: str, path: str) -> None:
        """Let a slot have a patch, by its name and file; or none."""
        with self._mutex:
            self._slots[unit, slot].choose(name, path)

    def reload(self) -> int:
        """Start all processes again; return how many patches there are."""
        with self._mutex:
            named = [each for each in self._slots.values() if each.name]
            for each in named:
                each.reload()
        return len(named)

    def describe(self) -> list[dict[str, Any]]:
        """Return the slots that have a patch, each with its state and error."""
        with self._mutex:
            return [
                {
                    "unit": unit,
                    "slot": slot,
                    "patch": each.name,
                    "running": each.current is not None,
                    "restarts": len(each.ended_s),
                    "late": 0 if each.current is None else int(each.current.ring["late"]),
                    "error": each.error,
                }
                for (unit, slot), each in self._slots.items()
                if each.name
            ]

    def run(self) -> None:
        """Watch all processes until the host stops."""
        while not self._stop.wait(WATCH_S):
            with self._mutex:
                for each in self._slots.values():
                    each.watch(time.monotonic())

    def end(self) -> None:
        """End all processes; the audio thread plays no more."""
        with self._mutex:
            for each in self._slots.values():
                each.end()
