"""The process of a user effect: runs a patch on quanta of sound that the audio thread hands over.

A patch is a Python file. It has one of two functions:

============================================ ===================================================
``effect(source, a, b, c)``                  with pyo: returns the object to be heard; `a`, `b`
                                             and `c` are pyo signals of the knobs, 0 to 1
``process(samples, knobs, beat, tempo)``     without: returns float32[frames, 2] of as many frames
============================================ ===================================================

Started by `host.user_effects`, which ends it when it misbehaves. Its limits are set before the
patch is read: memory, size of files, processor time without a wait, further processes.
"""

from __future__ import annotations

import contextlib
import ctypes
import json
import mmap
import os
import resource
import runpy
import struct
import sys
import traceback
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from sfa_engine.engine.atomic import store_release
from sfa_engine.engine.effect_ring import EFFECT_RING, MAGIC, QUANTA

MEMORY_BYTES = 768 << 20  # of addresses; pyo takes 160 MB of memory
WITHOUT_WAIT_US = 400_000  # that a real-time thread may compute at a stretch
BROKEN_S = 1.0  # of sound that is not finite, before the patch is ended
PRIORITY = 50  # below the audio thread's
FORKS = frozenset(
    {"os.fork", "os.forkpty", "os.exec", "os.posix_spawn", "os.spawn", "os.system",
     "subprocess.Popen", "pty.spawn"}
)  # fmt: skip
PR_SET_PDEATHSIG, SIGKILL = 1, 9
PR_SET_NO_NEW_PRIVS, PR_SET_SECCOMP, FILTER_MODE = 38, 22, 2
CLONE_THREAD = 0x10000
# Numbers of system calls, by machine: the architecture's own, clone, and those that only make
# processes or replace this one.
CALLS = {
    "x86_64": (0xC000003E, 56, (57, 58, 59, 322)),  # fork, vfork, execve, execveat
    "aarch64": (0xC00000B7, 220, (221, 281)),
}
CLONE3 = 435  # libc falls back to clone, whose flags can be looked at
ALLOW, REFUSE, NOT_THERE = 0x7FFF0000, 0x00050001, 0x00050026  # EPERM, ENOSYS


def report(event: str, text: str = "") -> None:
    """Write a line to the host, on the file descriptor that it gave."""
    line = json.dumps({"event": event, "text": text[:500]})
    os.write(int(sys.argv[5]), line.encode() + b"\n")


def limit() -> None:
    """Set the limits of this process."""
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0)
    for kind, value in (
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_FSIZE, 0),
        (resource.RLIMIT_AS, MEMORY_BYTES),
    ):
        resource.setrlimit(kind, (value, value))
    with contextlib.suppress(OSError, ValueError):
        resource.setrlimit(resource.RLIMIT_RTTIME, (WITHOUT_WAIT_US, WITHOUT_WAIT_US))
    with contextlib.suppress(OSError):
        os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(PRIORITY))

    def audit(event: str, _arguments: Any) -> None:
        if event in FORKS:
            raise PermissionError("an effect starts no other process")

    sys.addaudithook(audit)
    forbid_processes()


def forbid_processes() -> None:
    """Have the system refuse new processes and programs, of C code too; threads are allowed.

    A kernel without seccomp leaves that to the host, which looks for them ten times a second.
    """
    calls = CALLS.get(os.uname().machine)
    if calls is None:
        return
    machine, clone, others = calls
    load_word, if_equal, if_set, answer = 0x20, 0x15, 0x45, 0x06
    # Each: code, skip if true, skip if not, number. Numbers of the call, its machine and the low
    # word of its first argument are at 0, 4 and 16.
    rows = [
        (load_word, 0, 0, 4),
        (if_equal, 1, 0, machine),
        (answer, 0, 0, ALLOW),
        (load_word, 0, 0, 0),
        *((if_equal, 0, 1, call) if k == 0 else (answer, 0, 0, REFUSE)
          for call in others for k in (0, 1)),
        (if_equal, 0, 1, CLONE3),
        (answer, 0, 0, NOT_THERE),
        (if_equal, 0, 3, clone),
        (load_word, 0, 0, 16),
        (if_set, 1, 0, CLONE_THREAD),
        (answer, 0, 0, REFUSE),
        (answer, 0, 0, ALLOW),
    ]  # fmt: skip
    code = b"".join(struct.pack("<HBBI", *row) for row in rows)
    buffer = ctypes.create_string_buffer(code, len(code))
    program = struct.pack("<HxxxxxxQ", len(rows), ctypes.addressof(buffer))
    prctl = ctypes.CDLL(None, use_errno=True).prctl
    prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
    prctl(PR_SET_SECCOMP, FILTER_MODE, ctypes.create_string_buffer(program, len(program)), 0, 0)


class NumpyPatch:
    """A patch that is a function of samples."""

    def __init__(self, process: Any, frames: int) -> None:
        self._process = process
        self.frames = frames

    def run(
        self, samples: npt.NDArray[np.float32], knobs: list[float], beat: float, tempo: float
    ) -> npt.NDArray[np.float32]:
        """Return float32[frames, 2] for as many frames."""
        made = np.asarray(self._process(samples, knobs, beat, tempo), np.float32)
        if made.shape != samples.shape:
            raise ValueError(f"process returned shape {made.shape}, not {samples.shape}")
        return made


class PyoPatch:
    """A patch of pyo objects, which render a quantum at a time."""

    def __init__(self, effect: Any, frames: int, rate: float) -> None:
        with contextlib.redirect_stdout(None):
            import pyo
        self.frames = frames
        self._server = pyo.Server(sr=rate, nchnls=2, buffersize=frames, duplex=1, audio="manual")
        self._server.deactivateMidi()
        self._server.setVerbosity(1)
        self._server.boot()
        self._server.start()
        self._knobs = [pyo.SigTo(0.5, time=0.02) for _ in range(3)]
        self._source = pyo.Input(chnl=[0, 1])
        self._made = effect(self._source, *self._knobs)
        if not isinstance(self._made, pyo.PyoObject):
            raise TypeError(f"effect returned {type(self._made).__name__}, not an object of pyo")
        if len(self._made) == 1:
            self._made = self._made.mix(2)
        self._made.out()
        self._input = self._view(self._server.getInputAddr())
        self._output = self._view(self._server.getOutputAddr())

    def _view(self, address: str) -> npt.NDArray[np.float32]:
        pointer = ctypes.cast(int(address, 16), ctypes.POINTER(ctypes.c_float))
        return np.ctypeslib.as_array(pointer, (self.frames, 2))

    def run(
        self, samples: npt.NDArray[np.float32], knobs: list[float], beat: float, tempo: float
    ) -> npt.NDArray[np.float32]:
        """Return float32[frames, 2] for as many frames."""
        del beat, tempo
        for signal, knob in zip(self._knobs, knobs, strict=True):
            if signal.value != knob:
                signal.value = knob
        self._input[:] = samples
        self._server.process()
        return self._output


def load(path: Path, frames: int, rate: float) -> NumpyPatch | PyoPatch:
    """Read a patch."""
    names = runpy.run_path(str(path), run_name="patch")
    if callable(names.get("process")):
        return NumpyPatch(names["process"], frames)
    if callable(names.get("effect")):
        return PyoPatch(names["effect"], frames, rate)
    raise ValueError("it has neither a function `effect` nor a function `process`")


def serve(ring: Any, wake_fd: int, patch: NumpyPatch | PyoPatch) -> None:
    """Work on quanta until the host ends us, or asks for another length of them."""
    fields = EFFECT_RING.fields
    assert fields is not None
    returned = int(ring.ctypes.data) + int(fields["returned"][1])
    record = ring[0]
    silent = np.zeros((patch.frames, 2), np.float32)
    patch.run(silent, [0.5] * 3, 0.0, 2.0)  # what is slow the first time is not so in the set
    report("ready")
    done = broken = 0
    while True:
        os.read(wake_fd, 8)
        number = int(record["sent"])
        if number == done:
            continue
        done = number
        frames = int(record["frames"])
        if frames != patch.frames:
            report("frames", str(frames))
            return
        at = number & (QUANTA - 1)
        samples = record["input"][at, :, :frames].T
        knobs = [float(knob) for knob in record["knobs"]]
        made = patch.run(samples, knobs, float(record["beat"]), float(record["tempo"]))
        # Of silence a patch may make none, as one that divides by the level.
        is_broken = bool(samples.any()) and not np.isfinite(made).all()
        broken = broken + frames if is_broken else 0
        if broken > BROKEN_S * float(record["sample_rate"]):
            raise ValueError(f"it has made no finite samples for {BROKEN_S:.0f} s")
        record["output"][at, :, :frames] = made.T
        store_release(returned, number)


def main() -> int:
    """Run a patch; the host gives its file, and numbers of file descriptors."""
    path, ring_fd, wake_fd, frames = Path(sys.argv[1]), *map(int, sys.argv[2:5])
    memory = mmap.mmap(ring_fd, EFFECT_RING.itemsize)
    ring = np.frombuffer(memory, EFFECT_RING, 1)
    assert int(ring[0]["magic"]) == MAGIC
    try:
        limit()
        serve(ring, wake_fd, load(path, frames, float(ring[0]["sample_rate"])))
    except MemoryError:
        report("error", f"it needs more than {MEMORY_BYTES >> 20} MB")
    except ModuleNotFoundError as error:
        hint = "; install it with `pip install sfa-engine[fx]`" if error.name == "pyo" else ""
        report("error", f"no module {error.name}{hint}")
    except BaseException as error:  # noqa: BLE001 - whatever the patch does is to be told
        frame = traceback.extract_tb(error.__traceback__)
        line = next((f.lineno for f in reversed(frame) if f.filename == str(path)), None)
        if isinstance(error, SyntaxError):
            line = error.lineno
        where = f"line {line}: " if line else ""
        report("error", f"{where}{type(error).__name__}: {error}")
    os._exit(0)


if __name__ == "__main__":
    sys.exit(main())
