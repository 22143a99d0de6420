"""A separate engine for the bench: its processes, a sound device, and the do-nothing client."""

from __future__ import annotations

import itertools
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from sfa_engine.bench import null_client
from sfa_engine.engine.layout import BLOCKS
from sfa_engine.engine.memory import Memory
from sfa_engine.errors import EngineError, Refused, SfaError, did_you_mean
from sfa_engine.library.bundle import write_bundle_arrays
from sfa_engine.run.folders import memory_path
from sfa_engine.system.child import START_TIMEOUT_S, spawned, wait_for
from sfa_engine.system.runtime_files import ENGINE_MEMORY, ENGINE_SOCKET
from sfa_engine.wire.blocking import SocketClient

RATE = 48_000
STEMS = ("vocals", "drums", "bass", "other")
SETTLE_S = 1.0
SERVERS = itertools.count(1)  # several of a process may run at once
BUSY_DECKS = (1, 2)  # however many there are: the figures say "2x4"
Samples = npt.NDArray[np.int16]
Result = dict[str, Any]


def chosen_of(parts: Iterable[str], only: Collection[str]) -> list[str]:
    """Return the parts of a bench that are wanted, in their order; all if none is named.

    Raises
    ------
    Refused
        There is no such part.
    """
    names = list(parts)
    for name in only:
        if name not in names:
            raise Refused(f'no part "{name}"', did_you_mean(name, names) or ", ".join(names))
    return [name for name in names if not only or name in only]


def result(name: str, value: float, unit: str, n: int, baseline: float | None = None) -> Result:
    """Return one figure of a bench."""
    ratio = value / baseline if baseline else None
    return {
        "name": name, "value": value, "unit": unit, "baseline": baseline, "ratio": ratio, "n": n,
    }  # fmt: skip


def noise(seconds: float, seed: int = 1) -> Samples:
    """Return noise instead of music: it has no silence, which would make filters cheaper."""
    rng = np.random.default_rng(seed)
    return (rng.standard_normal((int(seconds * RATE), 2)) * 1500).astype(np.int16)


def busy_settings(deck: int) -> dict[str, float]:
    """Return settings with every band, filter and stem filter of a deck in use."""
    prefix = f"deck{deck}."
    return {
        prefix + "rate": 1.06,
        prefix + "eq.low.gain": 3.0,
        prefix + "eq.mid.gain": -2.0,
        prefix + "eq.high.gain": 1.0,
        prefix + "filter": 20.0,
    } | {f"{prefix}stem.{name}.filter": -20.0 for name in STEMS}


@dataclass
class Running:
    """A process of the bench and its memory."""

    process: subprocess.Popen[bytes]
    memory: Memory

    @property
    def thread(self) -> int:
        """The audio thread's id."""
        return int(self.memory.engine["thread"])

    def audio_cpu_s(self) -> float:
        """Return the CPU time of the audio thread."""
        task = Path(f"/proc/{self.process.pid}/task/{self.thread}")
        try:
            return int((task / "schedstat").read_text().split()[0]) / 1e9
        except (OSError, IndexError, ValueError):
            words = (task / "stat").read_text().rpartition(")")[2].split()
            return (int(words[11]) + int(words[12])) / os.sysconf("SC_CLK_TCK")

    def other_cpu_s(self) -> float:
        """Return the CPU time of all threads but the audio thread."""
        tasks = Path(f"/proc/{self.process.pid}/task").iterdir()
        others = [task for task in tasks if int(task.name) != self.thread]
        return sum(int((task / "schedstat").read_text().split()[0]) for task in others) / 1e9

    def rss_mb(self) -> float:
        """Return the resident memory."""
        return rss_mb(self.process.pid)


def process_cpu_s(pid: int) -> float:
    """Return the CPU time of a process, in steps of 10 ms."""
    words = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(words[11]) + int(words[12])) / os.sysconf("SC_CLK_TCK")


def pss_mb(pid: int) -> float:
    """Return the memory of a process, with its share of what others map too."""
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("Pss:")) / 1024


def rss_mb(pid: int) -> float:
    """Return the resident memory of a process, without the server's that libjack maps."""
    total = 0
    ours = True
    for line in Path(f"/proc/{pid}/smaps").read_text().splitlines():
        words = line.split()
        if "-" in words[0] and not words[0].endswith(":"):
            ours = len(words) < 6 or not words[5].startswith("/dev/shm/jack")  # noqa: S108
        elif ours and words[0] == "Rss:":
            total += int(words[1])
    return total / 1024


@contextmanager
def sound(device: str | None, block: int) -> Iterator[tuple[str, dict[str, str]]]:
    """Yield a device to measure on, and the environment that selects it."""
    if device is not None or not shutil.which("jackd"):
        yield device or "none", {}
        return
    name = f"sfa-bench-{os.getpid()}-{next(SERVERS)}"
    environment = {"JACK_DEFAULT_SERVER": name, "JACK_NO_START_SERVER": "1"}
    command = ["jackd", "-S", "-R", "-P", "60", "-n", name]
    command += ["-d", "dummy", "-r", str(RATE), "-p", str(block)]
    with spawned(command, environment) as server:
        time.sleep(SETTLE_S)
        if server.poll() is not None:
            raise EngineError("jackd did not start", "try `--device none`")
        yield "default", environment


class Rig:
    """A separate engine: host, stage, and the do-nothing client.

    Parameters
    ----------
    stack : contextlib.ExitStack
        Ends everything.
    hogs : int
        Threads in each Python process that keep its interpreter busy.
    supervised : bool
        Run host and stage under `sfa start`, which restarts them.
    options : sequence of str
        Of `sfa start`.
    alone : bool
        Leave the do-nothing client out, until `start_null`. The first client of a
        server pays for waking the processor, so two cannot be compared side by side.
    config : str
        Configuration; default the user's.
    cold : bool
        Do not have the host keep PCM warm.
    start_timeout_s : float
        For host and stage, each.
    fill : callable, optional
        Called with the data folder before anything starts.
    """

    def __init__(
        self,
        stack: ExitStack,
        device: str | None,
        block: int,
        *,
        hogs: int = 0,
        alone: bool = False,
        supervised: bool = False,
        options: Sequence[str] = ("--no-backstage",),
        config: str = "",
        cold: bool = False,
        start_timeout_s: float = START_TIMEOUT_S,
        fill: Callable[[Path], object] = lambda _data: None,
    ) -> None:
        folder = tempfile.TemporaryDirectory(prefix="sfa-b-", dir=memory_path())
        self.runtime = Path(stack.enter_context(folder))
        fill(self.runtime / "data" / "sfa")
        name, environment = stack.enter_context(sound(device, block))
        self._stack = stack
        self._device = name
        apart = {
            "SFA_RUNTIME": str(self.runtime),
            "XDG_DATA_HOME": str(self.runtime / "data"),
            "XDG_STATE_HOME": str(self.runtime / "state"),
        }
        if config:
            apart["SFA_CONFIG"] = str(self.runtime / "config.toml")
            Path(apart["SFA_CONFIG"]).write_text(config)
        self._environment = environment | apart
        self._hogs = hogs
        self.block = block
        began = time.monotonic()
        where = ["--runtime", str(self.runtime)]
        on = ["--device", name, "--block", str(block)]
        if supervised:
            host = self._python("sfa_engine.cli.main", "start", *options, *on)
        else:
            cold_ = ["--cold"] if cold else []
            host = self._python("sfa_engine.host.process", *where, *on, *cold_)
        self._on = on
        path = self.runtime / ENGINE_MEMORY
        wait_for(
            lambda: _blocks(path) > 0 or host.poll() is not None,
            "the first block",
            start_timeout_s,
        )
        self.start_s = time.monotonic() - began
        if host.poll() is not None:
            raise EngineError("the host did not start", "see `sfa doctor`")
        self.host = Running(host, Memory.open(path))
        self.null_start_s = 0.0
        if not alone:
            self.start_null()
        self.stage = host if supervised else self._python("sfa_engine.run.stage_process", *where)
        wait_for(self.answers, "the stage", start_timeout_s)
        self.client = stack.enter_context(self.connect())

    def restart_supervised(self, *options: str) -> None:
        """Start the engine again that was killed with its supervisor."""
        host = self._python("sfa_engine.cli.main", "start", "--no-backstage", *self._on, *options)
        path = self.runtime / ENGINE_MEMORY
        wait_for(lambda: _blocks(path) > 0 or host.poll() is not None, "the first block")
        if host.poll() is not None:
            raise EngineError("the engine did not start again", "see `sfa log`")
        self.host = Running(host, Memory.open(path))
        wait_for(self.answers, "the stage")

    def end_supervised(self) -> None:
        """End the engine with its supervisor, so that all of it is written."""
        self.host.process.terminate()
        self.host.process.wait(20.0)

    def start_null(self) -> None:
        """Start the do-nothing client."""
        began = time.monotonic()
        block = str(self.block)
        null = self._python("sfa_engine.bench.null_client", str(self.runtime), self._device, block)
        path = self.runtime / null_client.MEMORY
        wait_for(lambda: _blocks(path) > 0, "the do-nothing client")
        self.null_start_s = time.monotonic() - began
        self.null = Running(null, Memory.open(path))

    def end_host(self) -> None:
        """End the engine's audio process, so that the other client is alone on the device."""
        self.host.process.terminate()
        self.host.process.wait(10.0)

    def _python(self, module: str, *arguments: str) -> subprocess.Popen[bytes]:
        words = [module, *arguments]
        if self._hogs:
            words = ["sfa_engine.bench.hog", str(self._hogs), *words]
        return self._stack.enter_context(spawned([sys.executable, "-m", *words], self._environment))

    def beside(
        self, module: str, *arguments: str
    ) -> AbstractContextManager[subprocess.Popen[bytes]]:
        """Run a program beside the engine, on the same device and without hogs."""
        return spawned([sys.executable, "-m", module, *arguments], self._environment)

    def connect(self) -> SocketClient:
        """Return a new client of its socket."""
        return SocketClient(self.runtime / ENGINE_SOCKET, timeout_s=60.0)

    def answers(self) -> bool:
        """Return whether the stage answers."""
        try:
            with self.connect() as client:
                return bool(client.call("status"))
        except SfaError:
            return False

    def play_busy(self, bundle: Path) -> None:
        """Play two decks with everything switched on."""
        for deck in BUSY_DECKS:
            self.client.call("deck.load", deck=deck, path=str(bundle))
            for path, value in busy_settings(deck).items():
                self.client.call("set", path=path, value=value)
            self.client.call("set", path=f"deck{deck}.play", value=True)


def _blocks(path: Path) -> int:
    try:
        return int(Memory.open(path).engine["blocks"])
    except SfaError:
        return 0


def make_bundle(folder: Path, seconds: float) -> Path:
    """Write a bundle of four stems of noise."""
    stems = {
        name: noise(seconds, seed).astype(np.float32) / 32768 for seed, name in enumerate(STEMS)
    }
    return write_bundle_arrays(
        folder / "bench.sfa", stems, title="bench", artist="", bpm=120.0, rate=RATE
    )


@contextmanager
def bundle_of(seconds: float) -> Iterator[Path]:
    """Yield a bundle of noise; delete it after the block."""
    with tempfile.TemporaryDirectory(prefix="sfa-b-") as folder:
        yield make_bundle(Path(folder), seconds)


def costs_of(running: Running, first: int, last: int) -> npt.NDArray[np.int64]:
    """Return the costs of blocks `first` to `last`, in ns; the newest of them if too many."""
    first = max(first, last - BLOCKS + 16)
    costs: npt.NDArray[np.int64] = running.memory.engine["block_cost_ns"]
    return costs[np.arange(first, last) % BLOCKS]
