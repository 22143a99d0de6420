"""`sfa bench engine`: cost and latency of the engine, beside the do-nothing client.

Every figure that depends on the machine has a baseline from the same run. The scenes are live: the
real host and stage in their own processes, on a dummy JACK server that the bench starts (or on a
timer, without ``jackd``), with the do-nothing client on the same server.
"""

from __future__ import annotations

import signal
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from sfa_engine.bench.lives import bench_lives
from sfa_engine.bench.rig import (
    RATE,
    SETTLE_S,
    STEMS,
    Result,
    Rig,
    Running,
    bundle_of,
    chosen_of,
    costs_of,
    noise,
    result,
    rss_mb,
)
from sfa_engine.bench.stage_paths import bench_stage
from sfa_engine.cli import screen
from sfa_engine.engine.command import Op
from sfa_engine.engine.layout import BLOCKS, LATENCY
from sfa_engine.engine.ring import Command
from sfa_engine.host import build
from sfa_engine.host.offline import Offline
from sfa_engine.system.child import wait_for

PRESSES = 400
LOADS = 5
LONG_TRACK_S = 300


def run_bench(
    *,
    seconds: float,
    hog_seconds: float,
    only: tuple[str, ...],
    device: str | None,
    quiet: bool,
    runs: int = 1,
) -> list[Result]:
    """Run parts, or all, and return their figures.

    Parameters
    ----------
    seconds, hog_seconds : float
        Length of each live scene, and of the one under hogged interpreters.
    only : tuple of str
        Parts; all if empty.
    device : str, optional
        Default a dummy JACK server.
    quiet : bool
        No progress bar.
    runs : int
        Of everything; each figure is the median of its runs.
    """
    parts: dict[str, Callable[[], list[Result]]] = {
        "kernel": lambda: bench_kernel(seconds),
        "live": lambda: bench_live(seconds, device),
        "hogs": lambda: bench_hogs(hog_seconds, device),
        "latency": lambda: bench_latency(device),
        "start": lambda: bench_start(device),
        "load": lambda: bench_load(device),
        "lives": lambda: bench_lives(device),
        "stage": bench_stage,
    }
    wanted = chosen_of(parts, only)
    # Run by run, not part by part: a machine that slows down does so for all parts.
    chosen = [(run, name) for run in range(runs) for name in wanted]
    results: list[list[Result]] = [[] for _ in range(runs)]
    with screen.progress_bar("bench", quiet=quiet) as bar:
        for done, (run, name) in enumerate(chosen):
            which = f" (run {run + 1} of {runs})" if runs > 1 else ""
            bar(done / len(chosen), f"bench: {name}{which}")
            results[run] += parts[name]()
        bar(1.0, "bench")
    return median_of(results)


def median_of(runs: list[list[Result]]) -> list[Result]:
    """Return the median of each figure over several runs, with its spread.

    Each figure gets ``runs``, ``min`` and ``max`` of its value; its baseline is the median of the
    runs' baselines.
    """
    if len(runs) == 1:
        return runs[0]
    merged = []
    for name in dict.fromkeys(figure["name"] for run in runs for figure in run):
        figures = [figure for run in runs for figure in run if figure["name"] == name]
        values = [figure["value"] for figure in figures]
        baselines = [figure["baseline"] for figure in figures if figure["baseline"] is not None]
        merged.append(
            result(
                name,
                float(np.median(values)),
                figures[0]["unit"],
                round(float(np.median([figure["n"] for figure in figures]))),
                float(np.median(baselines)) if baselines else None,
            )
            | {"runs": len(figures), "min": min(values), "max": max(values)}
        )
    return merged


# ---------------------------------------------------------------------- scenes


def bench_kernel(seconds: float) -> list[Result]:
    """Measure the kernel in a tight loop, without a device."""
    pcm = {name: noise(20.0, seed) for seed, name in enumerate(STEMS)}
    scenes: dict[str, tuple[int, dict[str, float]]] = {
        "kernel_idle": (0, {}),
        "kernel_1_deck_rate_1": (1, {}),
        "kernel_1_deck_varispeed": (1, {"rate": 1.06}),
        "kernel_2x4_varispeed": (2, {"rate": 1.06}),
        "kernel_2x4_keylock": (2, {"rate": 1.06, "keylock": 1.0}),
        "kernel_2x4_pitch": (2, {"pitch": 3.0}),
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
                engine.push(Command(Op["PLAY"], deck=deck, x=1.0))
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


# ---------------------------------------------------------------------- live parts


@dataclass(frozen=True)
class Cost:
    """Cost of an audio thread over some time."""

    cpu: float  # CPU-s per audio-s
    blocks: int
    worst_ns: int
    costs_ns: npt.NDArray[np.int64]


def measure(running: Running, seconds: float) -> Cost:
    """Measure an audio thread over some time."""
    engine = running.memory.engine
    cpu, frame, first = running.audio_cpu_s(), int(engine["emitted"]), int(engine["blocks"])
    (worst,) = _watch([running], seconds)
    audio_s = (int(engine["emitted"]) - frame) / RATE
    last = int(engine["blocks"])
    used = (running.audio_cpu_s() - cpu) / audio_s
    return Cost(used, last - first, worst, costs_of(running, first, last))


def bench_live(seconds: float, device: str | None) -> list[Result]:
    """Measure two decks of four stems, everything on; then the do-nothing client instead."""
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
    """Wait, and return the most expensive block of each, in ns."""
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
    """Count blocks while two threads keep the interpreter of every Python process busy."""
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
            sent_ns = time.monotonic_ns()
            frame = rig.client.call("set", path="crossfader", value=100.0 * (-1) ** k, wait=True)[
                "frame"
            ]
            round_trips.append((time.monotonic_ns() - sent_ns) / 1e6)
            times.append((time_of(engine, frame) - sent_ns) / 1e6)
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


def time_of(engine: np.void, frame: int) -> int:
    """Return when the block of a frame began."""
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
            loaded = rig.client.call("deck.load", deck=2, path=str(bundle))
            playable.append(loaded["playable_ms"])
            wait_for(
                lambda: rig.client.call("get", path="deck2.ready")["value"] >= 100.0, "whole track"
            )
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
