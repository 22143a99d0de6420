"""`sfa bench perform`: what two decks cost that are performed on, and whether they stay exact.

======== ==================================================================================
part     what
======== ==================================================================================
varispeed cost of two decks of four stems at +6 %, with EQ, filters and limiter; beside the
         do-nothing client, and beside a host that leaves PCM cold
keylock  the same with `keylock`; finer the same with `keylock_mode` finer
full     the same with `keylock`, and each deck through an effect unit of three effects
effects  cost of each effect alone, in a tight loop
pads     cost of 64 voices of the sampler, and how soon a hit is heard
quality  sound of the stretchers, by the measures of `bench.keylock`
drift    two synced decks after hours of random gestures, offline
live     the same gestures on a sound server, beside the do-nothing client
replay   the same, recorded and killed at random; its journal rendered again
======== ==================================================================================
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any

import numpy as np

from sfa_engine.bench.drift import (
    SETTLE_S,
    TEMPOS_BPM,
    bench_drift,
    click_track,
    timeline_drift,
)
from sfa_engine.bench.engine import Cost, measure, median_of
from sfa_engine.bench.keylock import bench_quality
from sfa_engine.bench.pads import bench_pads
from sfa_engine.bench.random_set import RandomSet, request_of, timed
from sfa_engine.bench.replay import bench_replay
from sfa_engine.bench.rig import (
    BUSY_DECKS,
    RATE,
    Result,
    Rig,
    Running,
    bundle_of,
    chosen_of,
    noise,
    result,
)
from sfa_engine.bench.rig import SETTLE_S as START_S
from sfa_engine.cli import screen
from sfa_engine.desk.effects import KIND_NAMES
from sfa_engine.engine.command import Op
from sfa_engine.engine.memory import Memory
from sfa_engine.engine.ring import Command
from sfa_engine.errors import EngineError, Refused
from sfa_engine.host.offline import Offline
from sfa_engine.library.bundle import write_bundle_arrays

BLOCK = 128
UNIT = "CPU-s/audio-s"
LIVE_TRACK_S = 240.0  # two tracks of four stems take 370 MB
LIVE_GESTURES_A_MINUTE = 4  # each has to settle
LIVE_SEED = 12
REPLAY_GESTURES_A_MINUTE = 75
Progress = Callable[[float], None]
# Settings beside those of `rig.busy_settings`, by part.
SCENES: dict[str, dict[str, Any]] = {
    "varispeed": {},
    "keylock": {"keylock": True},
    "finer": {"keylock": True, "keylock_mode": "finer"},
    "full": {"keylock": True},
}
# Of each unit, in the part `full`: those that cost most, with a beat repeat that listens.
CHAINS = {1: ("reverb", "phaser", "echo"), 2: ("flanger", "reverb", "repeat")}


def run_bench(
    *,
    seconds: float,
    drift_seconds: float,
    gestures: int,
    minutes: float,
    only: tuple[str, ...],
    device: str | None,
    quiet: bool,
    runs: int = 1,
    kills: int = 6,
) -> list[Result]:
    """Run parts, or all, and return their figures.

    Parameters
    ----------
    seconds : float
        Length of each scene whose cost is measured.
    drift_seconds, gestures : float, int
        Of audio, and how many gestures are spread over it.
    minutes : float
        Of the live performance.
    only : tuple of str
        Parts; all if empty.
    device : str, optional
        Default a dummy JACK server.
    quiet : bool
        No progress bar.
    runs : int
        Of the parts that measure cost; each figure is the median of its runs. The others have
        the same result each time, or are long enough by themselves, and run once.
    kills : int
        Of stage, host and all in turn, while the set that is rendered again is played.
    """
    costly: dict[str, Callable[[Progress], list[Result]]] = {
        name: lambda _, name=name: bench_cost(name, seconds, device)  # type: ignore[misc]
        for name in SCENES
    }
    costly["pads"] = lambda _: bench_pads(seconds, device)
    costly["effects"] = lambda _: bench_effects(seconds)
    parts = costly | {
        "quality": lambda _: bench_quality(),
        "drift": lambda bar: bench_drift(drift_seconds, gestures, bar),
        "live": lambda bar: bench_live(minutes, device, bar),
        "replay": lambda bar: _replay(minutes, kills, device, bar),
    }
    wanted = chosen_of(parts, only)
    # Run by run, not part by part: a machine that slows down does so for all parts.
    chosen = [(run, name) for run in range(runs) for name in wanted if run == 0 or name in costly]
    results: list[list[Result]] = [[] for _ in range(runs)]
    with screen.progress_bar("bench", quiet=quiet) as bar:
        for done, (run, name) in enumerate(chosen):
            which = f" (run {run + 1} of {runs})" if runs > 1 and name in costly else ""

            def show(share: float, done: int = done, words: str = f"bench: {name}{which}") -> None:
                bar((done + share) / len(chosen), words)

            show(0.0)
            results[run] += parts[name](show)
        bar(1.0, "bench")
    return median_of(results)


# ---------------------------------------------------------------------- cost


def _play(rig: Rig, bundle: Path, part: str) -> None:
    rig.play_busy(bundle)
    for deck in BUSY_DECKS:
        for name, value in SCENES[part].items():
            rig.client.call("set", path=f"deck{deck}.{name}", value=value)
    if part == "full":
        for path, word in full_settings().items():
            rig.client.call("set", path=path, value=word)
    time.sleep(START_S)


def full_settings() -> dict[str, Any]:
    """Return settings that put each deck through an effect unit of its own."""
    settings: dict[str, Any] = {}
    for unit, kinds in CHAINS.items():
        settings |= {f"fx{unit}.slot{slot}.kind": kind for slot, kind in enumerate(kinds, 1)}
        settings |= {f"fx{unit}.on": True, f"deck{unit}.fx{unit}": True}
    return settings


def bench_effects(seconds: float) -> list[Result]:
    """Measure what each effect adds to a deck that plays, without a device."""
    pcm = {"mix": noise(seconds + 2.0)}
    results = []
    none = 0.0
    for number, name in enumerate(KIND_NAMES):
        if name == "user":
            continue
        engine = Offline(RATE, 2, BLOCK)
        engine.load(0, pcm, rate=RATE)
        engine.set("fx1.slot1.kind", float(number))
        for path in ("fx1.on", "deck1.fx1"):
            engine.set(path, 1.0)
        engine.push(Command(Op["PLAY"], deck=0, x=1.0))
        engine.render(BLOCK * 40)
        before = int(engine.memory.engine["spent_ns"])
        frames = int(seconds * RATE) // BLOCK * BLOCK
        engine.render(frames)
        spent = (int(engine.memory.engine["spent_ns"]) - before) * RATE / frames / 1e9
        if name == "none":
            none = spent
        else:
            results.append(result(f"effect_{name}_{BLOCK}", spent - none, UNIT, frames, none))
    return results


def _percentile_us(cost: Cost, share: float) -> float:
    return float(np.percentile(cost.costs_ns, share)) / 1e3


def bench_cost(part: str, seconds: float, device: str | None) -> list[Result]:
    """Measure two decks of four stems at +6 %, one after the other with cold and warm PCM.

    The do-nothing client comes last, alone on the device: the first client of a server pays for
    waking the processor.
    """
    with bundle_of(seconds * 1.1 + 20.0) as bundle:
        with ExitStack() as stack:
            rig = Rig(stack, device, BLOCK, alone=True, cold=True)
            _play(rig, bundle, part)
            others = rig.host.other_cpu_s()
            cold = measure(rig.host, seconds)
            cold_others = (rig.host.other_cpu_s() - others) / seconds
        with ExitStack() as stack:
            rig = Rig(stack, device, BLOCK, alone=True)
            _play(rig, bundle, part)
            others = rig.host.other_cpu_s()
            mine = measure(rig.host, seconds)
            mine_others = (rig.host.other_cpu_s() - others) / seconds
            rig.end_host()
            rig.start_null()
            time.sleep(START_S)
            null = measure(rig.null, seconds)
    name = f"callback_full_{BLOCK}" if part == "full" else f"callback_2x4_{part}_{BLOCK}"
    due_ns = BLOCK / RATE * 1e9
    n = len(mine.costs_ns)
    results = [
        result(name, mine.cpu, UNIT, mine.blocks, null.cpu),
        result(f"{name}_above_null", mine.cpu - null.cpu, UNIT, mine.blocks, cold.cpu - null.cpu),
        result(f"{part}_worst_block_pct", mine.worst_ns / due_ns * 100, "%", mine.blocks,
               null.worst_ns / due_ns * 100),
    ]  # fmt: skip
    for share in (50, 95, 99):
        here, there = _percentile_us(mine, share), _percentile_us(cold, share)
        results.append(result(f"{part}_block_p{share}_us", here, "us", n, there))
    results.append(result(f"{part}_block_p99_pct", _percentile_us(mine, 99) * 1e5 / due_ns, "%", n))
    if part == "varispeed":
        warm_pct = (mine_others - cold_others) * 100
        results.append(result("warm_thread_pct", warm_pct, "%", mine.blocks))
    return results


# ---------------------------------------------------------------------- live


def live_bundles(folder: Path) -> dict[int, Path]:
    """Write a bundle for each deck, with clicks in one stem and noise in three others."""
    rng = np.random.default_rng(LIVE_SEED)
    noise = (rng.standard_normal((round(LIVE_TRACK_S * RATE), 2)) * 0.03).astype(np.float32)
    made = {}
    for deck, bpm in TEMPOS_BPM.items():
        clicks = (click_track(bpm, LIVE_TRACK_S) / 32768).astype(np.float32)
        stems = {"drums": clicks, "vocals": noise, "bass": noise[::-1], "other": -noise}
        made[deck] = write_bundle_arrays(
            folder / f"{deck}.sfa", stems, title=f"drift {deck}", artist="", bpm=bpm, rate=RATE
        )
    return made


def bench_live(minutes: float, device: str | None, bar: Progress) -> list[Result]:
    """Perform at random on a sound server; count late blocks beside the do-nothing client's."""
    gestures = max(1, round(minutes * LIVE_GESTURES_A_MINUTE))
    hands = RandomSet(LIVE_SEED, LIVE_TRACK_S)
    drifts = []
    with tempfile.TemporaryDirectory(prefix="sfa-b-") as folder, ExitStack() as stack:
        bundles = live_bundles(Path(folder))
        rig = Rig(stack, device, BLOCK)
        for deck, bundle in bundles.items():
            rig.client.call("deck.load", deck=deck, path=str(bundle))
        _do(rig, hands.begin())
        time.sleep(START_S)
        watched = (rig.host, rig.null)
        before = [_counts(running) for running in watched]
        for number in range(gestures):
            bar(number / gestures)
            due_s = time.monotonic() + minutes * 60.0 / gestures
            positions = {deck: rig.host.memory.value(f"deck{deck}.position") for deck in TEMPOS_BPM}
            _do(rig, hands.draw(positions))
            time.sleep(max(0.0, due_s - time.monotonic()))
            if minutes * 60.0 / gestures > SETTLE_S:
                drifts.append(_live_drift(rig.host.memory))
        mine, null = (
            {word: _counts(running)[word] - was[word] for word in was}
            for running, was in zip(watched, before, strict=True)
        )
        underruns = sum(rig.host.memory.reading(f"deck{deck}.underruns") for deck in TEMPOS_BPM)
    n = mine["blocks"]
    return [
        result("live_own_late_blocks", mine["late"], "blocks", n, float(null["late"])),
        result("live_device_misses", mine["device_misses"], "blocks", n,
               float(null["device_misses"])),
        result("live_underrun_frames", underruns, "frames", n),
        result("live_sync_drift_samples", max(drifts, default=0.0), "samples", len(drifts)),
    ]  # fmt: skip


def _replay(minutes: float, kills: int, device: str | None, bar: Progress) -> list[Result]:
    """Render a set again that was killed again and again."""
    gestures = max(kills + 1, round(minutes * REPLAY_GESTURES_A_MINUTE))
    with tempfile.TemporaryDirectory(prefix="sfa-b-") as folder:
        bundles = live_bundles(Path(folder))
        return bench_replay(bundles, LIVE_TRACK_S, device, gestures, kills, bar)


def _counts(running: Running) -> dict[str, int]:
    engine = running.memory.engine
    return {word: int(engine[word]) for word in ("blocks", "late", "device_misses")}


def _do(rig: Rig, actions: list[Any]) -> None:
    """Do a gesture by the control socket."""
    began = time.monotonic()
    for at_s, action in timed(actions):
        time.sleep(max(0.0, began + at_s - time.monotonic()))
        method, value = request_of(action)
        with suppress(Refused):  # a stem that is not there to be taken back, for instance
            rig.client.call(method, path=action.path, value=value)


def _live_drift(memory: Memory) -> float:
    """Return how far the decks are apart, read while the kernel may change them."""
    for _ in range(100):
        frame = int(memory.engine["frame"])
        drift = timeline_drift(memory.engine)
        if int(memory.engine["frame"]) == frame:
            return drift
    raise EngineError(
        "the timelines changed whenever they were read", "measure on a calmer machine"
    )
