"""`sfa bench engine`: what the engine costs and how fast it is, beside a client that does nothing.

Every figure that depends on the machine has its baseline from the same run. The scenes are live:
the real host and stage in processes of their own, on a dummy JACK server that the bench starts
(or on a timer, if there is no ``jackd``), with the do-nothing client on the same server.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from sfa_engine.audio import build
from sfa_engine.audio.command import Op
from sfa_engine.audio.layout import BLOCKS, LATENCY
from sfa_engine.audio.memory import Memory
from sfa_engine.audio.offline import Offline
from sfa_engine.audio.ring import Command
from sfa_engine.cli import null_client, screen
from sfa_engine.errors import EngineError, Refused, SfaError, did_you_mean
from sfa_engine.library.bundle import write_bundle_arrays
from sfa_engine.surfaces.socket.client import SocketClient
from sfa_engine.surfaces.socket.server import NAME

RATE = 48_000
STEMS = ("vocals", "drums", "bass", "other")
SETTLE_S = 1.0
PATIENCE_S = 20.0
PRESSES = 400
LOADS = 5
LONG_TRACK_S = 300
Result = dict[str, Any]
Samples = npt.NDArray[np.int16]


def result(name: str, value: float, unit: str, n: int, baseline: float | None = None) -> Result:
    """Return a line of the bench."""
    ratio = value / baseline if baseline else None
    return {
        "name": name, "value": value, "unit": unit, "baseline": baseline, "ratio": ratio, "n": n,
    }  # fmt: skip


def run_bench(
    *, seconds: float, hog_seconds: float, only: tuple[str, ...], device: str | None, quiet: bool
) -> list[Result]:
    """Run the parts that are asked for, or all; return their results."""
    parts: dict[str, Callable[[], list[Result]]] = {
        "kernel": lambda: bench_kernel(seconds),
        "live": lambda: bench_live(seconds, device),
        "hogs": lambda: bench_hogs(hog_seconds, device),
        "latency": lambda: bench_latency(device),
        "start": lambda: bench_start(device),
        "load": lambda: bench_load(device),
    }
    for name in only:
        if name not in parts:
            raise Refused(f'no part "{name}"', did_you_mean(name, parts) or ", ".join(parts))
    chosen = [name for name in parts if not only or name in only]
    results = []
    with screen.progress_bar("bench", quiet=quiet) as bar:
        for done, name in enumerate(chosen):
            bar(done / len(chosen), f"bench: {name}")
            results += parts[name]()
        bar(1.0, "bench")
    return results


# ---------------------------------------------------------------------- scenes


def noise(seconds: float, seed: int = 1) -> Samples:
    """Return music's stand-in: it has no silence that a filter could profit from."""
    rng = np.random.default_rng(seed)
    return (rng.standard_normal((int(seconds * RATE), 2)) * 1500).astype(np.int16)


def busy_settings(deck: int) -> dict[str, float]:
    """Return what makes a deck work hardest: every filter, band and stem filter in use."""
    prefix = f"deck{deck}."
    return {
        prefix + "rate": 1.06,
        prefix + "eq.low.gain": 3.0,
        prefix + "eq.mid.gain": -2.0,
        prefix + "eq.high.gain": 1.0,
        prefix + "filter": 20.0,
    }


def bench_kernel(seconds: float) -> list[Result]:
    """Measure the kernel in a tight loop, without any device."""
    pcm = {name: noise(20.0, seed) for seed, name in enumerate(STEMS)}
    scenes: dict[str, tuple[int, dict[str, float]]] = {
        "kernel_idle": (0, {}),
        "kernel_1_deck_rate_1": (1, {}),
        "kernel_1_deck_varispeed": (1, {"rate": 1.06}),
        "kernel_2x4_varispeed": (2, {"rate": 1.06}),
        "kernel_2x4_eq_filter": (2, {"rate": 1.06, "eq.low.gain": 3.0, "filter": 20.0}),
        "kernel_2x4_all_filters": (
            2,
            {"rate": 1.06, "eq.low.gain": 3.0, "filter": 20.0}
            | {f"stem.{name}.filter": -20.0 for name in STEMS},
        ),
    }
    results = []
    idle: dict[int, float] = {}
    for name, (decks, settings) in scenes.items():
        for block in (64, 128, 256):
            engine = Offline(RATE, 2, block)
            for deck in range(decks):
                engine.load(deck, pcm, rate=RATE)
                for path, value in settings.items():
                    engine.set(f"deck{deck + 1}.{path}", value)
                engine.render(block)
                engine.push(Command(Op.PLAY, whom=deck, x=1.0))
            engine.render(block * 20)
            frames = int(seconds * RATE) // block * block
            before = int(engine.memory.engine["spent_ns"])
            engine.render(frames)
            spent = int(engine.memory.engine["spent_ns"]) - before
            per_frame = spent / frames
            if name == "kernel_idle":
                idle[block] = per_frame
            results.append(
                result(f"{name}_{block}_ns_per_frame", per_frame, "ns", frames, idle[block])
            )
    return results


# ---------------------------------------------------------------------- processes


@dataclass
class Running:
    """A process of ours and its memory."""

    process: subprocess.Popen[bytes]
    memory: Memory

    @property
    def thread(self) -> int:
        """Return the audio thread's number."""
        return int(self.memory.engine["thread"])

    def audio_cpu_s(self) -> float:
        """Return the CPU time of the audio thread."""
        task = Path(f"/proc/{self.process.pid}/task/{self.thread}")
        try:
            return int((task / "schedstat").read_text().split()[0]) / 1e9
        except (OSError, IndexError, ValueError):
            words = (task / "stat").read_text().rpartition(")")[2].split()
            return (int(words[11]) + int(words[12])) / os.sysconf("SC_CLK_TCK")

    def rss_mb(self) -> float:
        """Return the memory that is in use."""
        return rss_mb(self.process.pid)


def rss_mb(pid: int) -> float:
    """Return the memory that a process has in use, without the server's that libjack maps."""
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
def spawned(command: list[str], environment: dict[str, str]) -> Iterator[subprocess.Popen[bytes]]:
    """Run a program, and end it."""
    process = subprocess.Popen(
        command,
        env={**os.environ, **environment},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        yield process
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(5.0)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def wait_for(condition: Callable[[], bool], what: str) -> None:
    """Look until something is so."""
    give_up = time.monotonic() + PATIENCE_S
    while not condition():
        if time.monotonic() > give_up:
            raise EngineError(f"the bench waited {PATIENCE_S:g} s for {what}")
        time.sleep(0.001)


@contextmanager
def sound(device: str | None, block: int) -> Iterator[tuple[str, dict[str, str]]]:
    """Give a device to measure on, and the environment in which it is found."""
    if device is not None or not shutil.which("jackd"):
        yield device or "none", {}
        return
    name = f"sfa-bench-{os.getpid()}-{block}"
    environment = {"JACK_DEFAULT_SERVER": name, "JACK_NO_START_SERVER": "1"}
    command = ["jackd", "-S", "-R", "-P", "60", "-n", name]
    command += ["-d", "dummy", "-r", str(RATE), "-p", str(block)]
    with spawned(command, environment) as server:
        time.sleep(SETTLE_S)
        if server.poll() is not None:
            raise EngineError("jackd did not start", "try `--device none`")
        yield "default", environment


class Rig:
    """An engine of the bench's own: host, stage, and the client that does nothing.

    Parameters
    ----------
    stack : contextlib.ExitStack
        Ends everything.
    hogs : int
        Threads in every Python process that hold its interpreter.
    alone : bool
        Whether the do-nothing client is left out, until `start_null`. The first client of a
        server pays for waking the processor, so two cannot be compared side by side.
    """

    def __init__(
        self,
        stack: ExitStack,
        device: str | None,
        block: int,
        *,
        hogs: int = 0,
        alone: bool = False,
    ) -> None:
        self.runtime = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="sfa-b-")))
        name, environment = stack.enter_context(sound(device, block))
        self._stack = stack
        self._device = name
        self._environment = environment
        self._hogs = hogs
        self.block = block
        began = time.monotonic()
        host = self._python(
            "sfa_engine.audio.host",
            *("--runtime", str(self.runtime), "--device", name, "--block", str(block)),
        )
        path = self.runtime / "engine.memory"
        wait_for(lambda: _blocks(path) > 0 or host.poll() is not None, "the first block")
        self.start_s = time.monotonic() - began
        if host.poll() is not None:
            raise EngineError("the host did not start", "see `sfa doctor`")
        self.host = Running(host, Memory.open(path))
        self.null_start_s = 0.0
        if not alone:
            self.start_null()
        stage = self._python("sfa_engine.cli.stage_process", "--runtime", str(self.runtime))
        wait_for(self._answers, "the stage")
        self.stage = stage
        self.client = stack.enter_context(self._connect())

    def start_null(self) -> None:
        """Start the client that does nothing."""
        began = time.monotonic()
        block = str(self.block)
        null = self._python("sfa_engine.cli.null_client", str(self.runtime), self._device, block)
        path = self.runtime / null_client.MEMORY
        wait_for(lambda: _blocks(path) > 0, "the do-nothing client")
        self.null_start_s = time.monotonic() - began
        self.null = Running(null, Memory.open(path))

    def end_host(self) -> None:
        """End the engine's audio process, and leave the device to the other client."""
        self.host.process.terminate()
        self.host.process.wait(10.0)

    def _python(self, module: str, *arguments: str) -> subprocess.Popen[bytes]:
        words = [module, *arguments]
        if self._hogs:
            words = ["sfa_engine.cli.hog", str(self._hogs), *words]
        return self._stack.enter_context(spawned([sys.executable, "-m", *words], self._environment))

    def _connect(self) -> SocketClient:
        return SocketClient(self.runtime / NAME, timeout_s=60.0)

    def _answers(self) -> bool:
        try:
            with self._connect() as client:
                return bool(client.call("status"))
        except SfaError:
            return False

    def play_busy(self, bundle: Path) -> None:
        """Let both decks play with everything switched on."""
        for deck in (1, 2):
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
    """Give a bundle of noise, and remove it."""
    with tempfile.TemporaryDirectory(prefix="sfa-b-") as folder:
        yield make_bundle(Path(folder), seconds)


def costs_of(running: Running, first: int, last: int) -> npt.NDArray[np.int64]:
    """Return what blocks from one number up to another cost, in ns; the newest kept."""
    first = max(first, last - BLOCKS + 16)
    costs: npt.NDArray[np.int64] = running.memory.engine["block_cost_ns"]
    return costs[np.arange(first, last) % BLOCKS]


# ---------------------------------------------------------------------- live parts


@dataclass(frozen=True)
class Cost:
    """What an audio thread cost over a while."""

    cpu: float  # CPU-s per audio-s
    blocks: int
    worst_ns: int
    costs_ns: npt.NDArray[np.int64]


def measure(running: Running, seconds: float) -> Cost:
    """Watch an audio thread for a while."""
    engine = running.memory.engine
    cpu, frame, first = running.audio_cpu_s(), int(engine["emitted"]), int(engine["blocks"])
    (worst,) = _watch([running], seconds)
    audio_s = (int(engine["emitted"]) - frame) / RATE
    last = int(engine["blocks"])
    used = (running.audio_cpu_s() - cpu) / audio_s
    return Cost(used, last - first, worst, costs_of(running, first, last))


def bench_live(seconds: float, device: str | None) -> list[Result]:
    """Measure two decks of four stems, everything on; then the do-nothing client in their place."""
    results = []
    with bundle_of(seconds * 1.1 + 20.0) as bundle:
        for block in (64, 128, 256):
            with ExitStack() as stack:
                rig = Rig(stack, device, block, alone=True)
                idle_host, idle_stage = rig.host.rss_mb(), rss_mb(rig.stage.pid)
                rig.play_busy(bundle)
                time.sleep(SETTLE_S)
                mine = measure(rig.host, seconds)
                full_host = rig.host.rss_mb()
                rig.end_host()
                rig.start_null()
                time.sleep(SETTLE_S)
                null = measure(rig.null, seconds)
                name = f"callback_2x4_varispeed_{block}"
                above = mine.cpu - null.cpu
                unit = "CPU-s/audio-s"
                results.append(result(name, mine.cpu, unit, mine.blocks, null.cpu))
                results.append(result(f"{name}_above_null", above, unit, mine.blocks))
                if block != 128:
                    continue
                due_ns = block / RATE * 1e9
                n = len(mine.costs_ns)
                results += [
                    result("callback_per_stem_128", above / 8, unit, mine.blocks),
                    result("callback_worst_block_pct", mine.worst_ns / due_ns * 100, "%",
                           mine.blocks, null.worst_ns / due_ns * 100),
                    result("callback_p50_us", float(np.median(mine.costs_ns)) / 1e3, "us", n),
                    result("callback_p99_us", float(np.percentile(mine.costs_ns, 99)) / 1e3,
                           "us", n),
                    result("host_rss_mb", idle_host, "MB", 1),
                    result("stage_rss_mb", idle_stage, "MB", 1),
                    result("host_rss_2_tracks_mb", full_host, "MB", 1),
                ]  # fmt: skip
    return results


def _watch(watched: list[Running], seconds: float) -> list[int]:
    """Wait, and return the dearest block of each, in ns."""
    worst = [0] * len(watched)
    seen = [int(running.memory.engine["blocks"]) for running in watched]
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        time.sleep(min(0.5, seconds))
        for k, running in enumerate(watched):
            now = int(running.memory.engine["blocks"])
            if now > seen[k]:
                worst[k] = max(worst[k], int(costs_of(running, seen[k], now).max()))
            seen[k] = now
    return worst


def bench_hogs(seconds: float, device: str | None) -> list[Result]:
    """Count blocks while two threads hold the interpreter of every Python process."""
    with bundle_of(seconds * 1.1 + 60.0) as bundle, ExitStack() as stack:
        rig = Rig(stack, device, 128, hogs=2)
        rig.play_busy(bundle)
        for process in (rig.host.process, rig.null.process, rig.stage):
            process.send_signal(signal.SIGUSR1)
        time.sleep(SETTLE_S)
        engine, null = rig.host.memory.engine, rig.null.memory.engine
        began = time.monotonic()
        mine0, null0 = int(engine["blocks"]), int(null["blocks"])
        late0, missed0 = int(engine["late"]), int(engine["device_misses"])
        null_missed0 = int(null["device_misses"])
        histogram0 = engine["histogram"].copy()
        worst, worst_null = _watch([rig.host, rig.null], seconds)
        took_s = time.monotonic() - began
        mine, nulls = int(engine["blocks"]) - mine0, int(null["blocks"]) - null0
        expected = took_s * RATE / rig.block
        due_ns = rig.block / RATE * 1e9
        histogram = engine["histogram"] - histogram0
        heavy = int(histogram[_bin(0.25) :].sum())
        return [
            result("hog_blocks_kept_pct", 100 * mine / expected, "%", mine, 100 * nulls / expected),
            result("null_client_blocks_kept_pct", 100 * nulls / expected, "%", nulls),
            result("hog_blocks_to_null_pct", 100 * mine / nulls, "%", mine),
            result("own_late_blocks", int(engine["late"]) - late0, "blocks", mine),
            result("hog_device_misses", int(engine["device_misses"]) - missed0, "blocks", mine,
                   float(int(null["device_misses"]) - null_missed0)),
            result("hog_blocks_over_quarter", heavy, "blocks", mine),
            result("hog_worst_block_pct", worst / due_ns * 100, "%", mine,
                   worst_null / due_ns * 100),
        ]  # fmt: skip


def _bin(share: float) -> int:
    """Return the histogram's bin of a share of a block's time."""
    return int((np.log2(share) + 12.0) * 4.0)


def bench_latency(device: str | None) -> list[Result]:
    """Measure from a message on the socket to the block in which the sound changes."""
    with bundle_of(60.0) as bundle, ExitStack() as stack:
        rig = Rig(stack, device, 128)
        rig.play_busy(bundle)
        time.sleep(SETTLE_S)
        engine = rig.host.memory.engine
        rng = np.random.default_rng(5)
        times, round_trips = [], []
        for k in range(PRESSES):
            time.sleep(float(rng.uniform(0.003, 0.012)))
            asked = time.monotonic_ns()
            frame = rig.client.call("set", path="crossfader", value=100.0 * (-1) ** k, wait=True)[
                "frame"
            ]
            round_trips.append((time.monotonic_ns() - asked) / 1e6)
            times.append((_time_of(engine, frame) - asked) / 1e6)
        delay_ms = LATENCY / RATE * 1e3
        block_ms = rig.block / RATE * 1e3
        p50, p99 = (float(np.percentile(times, p)) for p in (50, 99))
        return [
            result("socket_to_sound_p50_ms", p50, "ms", len(times), block_ms),
            result("socket_to_sound_p99_ms", p99, "ms", len(times), block_ms),
            result("socket_to_sound_p99_with_limiter_ms", p99 + delay_ms, "ms", len(times),
                   block_ms),
            result("socket_round_trip_p50_ms", float(np.median(round_trips)), "ms", len(times)),
        ]  # fmt: skip


def _time_of(engine: np.void, frame: int) -> int:
    """Return when the block began that made a frame."""
    last = int(engine["blocks"])
    numbers = np.arange(max(0, last - BLOCKS // 2), last) % BLOCKS
    frames = engine["block_frame"][numbers]
    at = int(np.searchsorted(frames, frame, side="right")) - 1
    return int(engine["block_start_ns"][numbers[at]])


def bench_start(device: str | None) -> list[Result]:
    """Measure from the start of the process to the first block, kernels built."""
    starts, nulls = [], []
    for _ in range(5):
        with ExitStack() as stack:
            rig = Rig(stack, device, 128)
            starts.append(rig.start_s)
            nulls.append(rig.null_start_s)
    began = time.monotonic()
    build.load(build.ensure())
    return [
        result("start_to_block_s", float(np.median(starts)), "s", len(starts),
               float(np.median(nulls))),
        result("start_to_block_worst_s", max(starts), "s", len(starts), max(nulls)),
        result("machine_code_load_s", time.monotonic() - began, "s", 1),
    ]  # fmt: skip


def bench_load(device: str | None) -> list[Result]:
    """Measure the load of a five-minute track of four stems while another plays."""
    with bundle_of(LONG_TRACK_S) as bundle, ExitStack() as stack:
        rig = Rig(stack, device, 128)
        rig.play_busy(bundle)
        rig.client.call("set", path="deck2.play", value=False)
        time.sleep(SETTLE_S)
        engine, null = rig.host.memory.engine, rig.null.memory.engine
        late0 = int(engine["late"])
        playable, whole = [], []
        for _ in range(LOADS):
            began = time.monotonic()
            said = rig.client.call("deck.load", deck=2, path=str(bundle))
            playable.append(said["playable_ms"])
            wait_for(lambda: rig.client.call("get", path="deck2.ready")["value"] >= 100.0, "it all")
            whole.append((time.monotonic() - began) * 1e3)
        began = time.monotonic()
        for file in bundle.glob("*.wav"):
            _read_through(file)
        plain_ms = (time.monotonic() - began) * 1e3
        del null
        return [
            result("load_playable_ms", float(np.median(playable)), "ms", LOADS, plain_ms),
            result("load_playable_worst_ms", max(playable), "ms", LOADS, plain_ms),
            result("load_whole_ms", float(np.median(whole)), "ms", LOADS, plain_ms),
            result("load_late_blocks", int(engine["late"]) - late0, "blocks", LOADS),
        ]


def _read_through(file: Path) -> None:
    buffer = bytearray(1 << 20)
    with file.open("rb", buffering=0) as handle:
        while handle.readinto(buffer):
            pass
