"""`sfa bench surfaces`: the accuracy of clocks, followed and sent.

MIDI clock in is the estimator alone, on five jitter models of real senders. MIDI clock out is
recorded by a JACK client beside the engine. Link is two engines and Link's own library.
"""

from __future__ import annotations

import json
import signal
import tempfile
import time
from contextlib import ExitStack
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from sfa_engine.bench.rig import RATE, Result, Rig, result
from sfa_engine.engine.layout import LATENCY
from sfa_engine.engine.midi_clock import MIDI_CLOCK
from sfa_engine.surfaces.link.frame_time import FrameTime, link_ahead_ns
from sfa_engine.system.child import wait_for
from sfa_engine.system.runtime_files import HOST_SOCKET
from sfa_engine.wire.blocking import SocketClient

Floats = npt.NDArray[np.float64]
TICKS = 24  # a beat
# Kind, and standard deviation in ms. USB delivers every millisecond, JACK every block; a sender
# with a busy interpreter is sometimes late.
MODELS = {
    "gauss 0.3 ms": ("gauss", 0.3),
    "gauss 1 ms": ("gauss", 1.0),
    "USB 1 ms": ("usb", 0.5),
    "JACK 128 frames": ("jack", 0.3),
    "outliers 5-20 ms": ("outliers", 0.8),
}
GRIDS_S = {"usb": 0.001, "jack": 128 / RATE}
SETTLE_BEATS = 16
SEEDS = 10
CLOSE_BPM = 0.1  # to the new tempo: it counts as found
BLOCK = 128
OUT_S = 20.0
OUT_CONFIG = '[midi]\nclock_out = ["."]\n'  # else the stage switches it off
OUT_BPM = 127.0
LINK_SETTLE_S = 8.0
LINK_POLLS = 100


def true_times(*parts: tuple[float, float]) -> Floats:
    """Return the times of ticks, in seconds, for parts of (beats, BPM)."""
    gaps = [np.full(round(beats * TICKS), 60 / bpm / TICKS) for beats, bpm in parts]
    return 1.0 + np.concatenate([[0.0], np.cumsum(np.concatenate(gaps))])


def jittered(times: Floats, model: str, seed: int = 0) -> Floats:
    """Return the arrival times of ticks sent at some times, by a model of `MODELS`."""
    kind, sigma_ms = MODELS[model]
    rng = np.random.default_rng(seed)
    came: Floats = times + rng.normal(0.0, sigma_ms / 1000, len(times))
    if kind in GRIDS_S:
        came = np.ceil(came / GRIDS_S[kind]) * GRIDS_S[kind]
    if kind == "outliers":
        came += (rng.random(len(came)) < 0.02) * rng.uniform(0.005, 0.02, len(came))
    return np.sort(came)


@cache
def _feeder() -> Any:
    """Return a compiled function that feeds ticks to the estimator."""
    import numba

    from sfa_engine.host.kernel.midi_clock import hear_tick

    def feed(record: Any, times: Floats, rate: float, out: Floats) -> None:
        for k in range(len(times)):
            hear_tick(record[0], times[k], rate)
            out[k, 0] = record[0].period
            out[k, 1] = record[0].fit_time
            out[k, 2] = record[0].fit_index

    return numba.njit(feed)


def estimate(came: Floats) -> tuple[Floats, Floats, npt.NDArray[np.int64]]:
    """Return, after each tick, the tempo, and fitted time in seconds and number of the newest."""
    state, out = np.zeros(1, MIDI_CLOCK), np.zeros((len(came), 3))
    _feeder()(state, np.round(came * RATE), float(RATE), out)
    with np.errstate(divide="ignore"):
        tempi = np.where(out[:, 0] > 0, 60 * RATE / TICKS / out[:, 0], 0.0)
    return tempi, out[:, 1] / RATE, out[:, 2].astype(np.int64)


def clock_in() -> list[Result]:
    """Return deviation, phase and time to a new tempo, each the worst of five models."""
    deviations, phases_ms, relocks = [], [], []
    for model in MODELS:
        of_model = []
        for seed in range(SEEDS):
            times = true_times((64, 120.0))
            tempi, line, number = estimate(jittered(times, model, seed))
            steady = slice(SETTLE_BEATS * TICKS, -1)
            deviations.append(float(tempi[steady].std()))
            off = line[steady] - times[number[steady]]
            phases_ms.append(1000 * float(np.abs(off - off.mean()).max()))
            tempi, _, _ = estimate(jittered(true_times((32, 120.0), (16, 128.0)), model, seed))
            apart = np.flatnonzero(np.abs(tempi[32 * TICKS :] - 128.0) > CLOSE_BPM)
            of_model.append((int(apart.max()) + 1) / TICKS if len(apart) else 0.0)
        relocks.append(max(of_model))
    n = len(MODELS) * SEEDS
    return [
        result("clock_in_bpm_sd", max(deviations), "BPM", n),
        result("clock_in_phase_ms", max(phases_ms), "ms", n),
        result("clock_in_relock_beats", max(relocks), "beats", n),
    ]


def clock_out(hogs: int = 3) -> list[Result]:
    """Return the deviation of sent ticks from an even beat, on JACK, with busy interpreters."""
    from sfa_engine.bench import clock_ear  # compiles its callbacks

    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="sfa-b-")))
        rig = Rig(stack, None, BLOCK, hogs=hogs, alone=True, config=OUT_CONFIG)
        file = folder / "ticks.json"
        ear = stack.enter_context(rig.beside("sfa_engine.bench.clock_ear", str(OUT_S), str(file)))
        with SocketClient(rig.runtime / HOST_SOCKET, timeout_s=60.0) as host:
            port = f"{clock_ear.NAME}:in"
            wait_for(lambda: port in {p["id"] for p in host.call("midi.ports")["ports"]}, "the ear")
            rig.client.call("set", path="clock.tempo", value=OUT_BPM)
            rig.client.call("set", path="clock.midi_out", value=True)
            host.call("midi.open", slot=0, name="bench", sink=port)
            host.call("midi.settings", slot=0, clock_out=True)
            if hogs:
                for process in (rig.host.process, rig.stage):
                    process.send_signal(signal.SIGUSR1)
        ear.wait(OUT_S + 120.0)
        frames = np.unwrap(np.array(json.loads(file.read_text())["frames"], float), period=2.0**32)
    numbers = np.arange(len(frames))
    off = frames - np.polyval(np.polyfit(numbers, frames, 1), numbers)
    missing = round((frames[-1] - frames[0]) / (60 * RATE / OUT_BPM / TICKS)) + 1 - len(frames)
    suffix = "_hogs" if hogs else ""
    return [
        result(f"clock_out_dev_ms{suffix}", float(np.abs(off).max()) / RATE * 1e3, "ms", len(off)),
        result(f"clock_out_missing{suffix}", missing, "ticks", len(off)),
    ]


class _Ear:
    """The audible clock of an engine."""

    def __init__(self, rig: Rig) -> None:
        self._memory = rig.host.memory
        self._times = FrameTime(RATE, (rig.block + LATENCY) / RATE)

    def poll(self) -> None:
        snapshot = self._memory.snapshot()
        self._times.add(int(snapshot["frame"]), int(snapshot["monotonic_ns"]))

    def beat(self, micros: int) -> float:
        """Return the audible beat at a time of Link's clock."""
        clock = self._memory.snapshot()["clock"]
        first = self._times.micros(0, link_ahead_ns())
        frame = (micros - first) * RATE / 1e6
        return float(clock["beat"]) + (frame - int(clock["frame"])) * float(clock["speed"])


def link_phase(device: str | None, block: int) -> list[Result]:
    """Return the audible phase difference of two engines and Link's own library."""
    import link

    with ExitStack() as stack:
        rigs = [Rig(stack, device, block, alone=True) for _ in range(2)]
        peer = link.Link(100.0)
        peer.enabled = True
        try:
            leader, follower = rigs
            follower.client.call("set", path="clock.source", value="link")
            for path, value in (("clock.tempo", 126.5), ("clock.link", True)):
                leader.client.call("set", path=path, value=value)
            follower.client.call("set", path="clock.link", value=True)
            wait_for(lambda: peer.numPeers() == len(rigs), "the engines in the Link session")
            ears = [_Ear(rig) for rig in rigs]
            end = time.monotonic() + LINK_SETTLE_S
            while time.monotonic() < end:
                for ear in ears:
                    ear.poll()
                time.sleep(0.02)
            apart_ms = []
            for _ in range(LINK_POLLS):
                for ear in ears:
                    ear.poll()
                micros = time.clock_gettime_ns(time.CLOCK_MONOTONIC_RAW) // 1000
                state = peer.captureSessionState()
                beats = [state.beatAtTime(micros, 4), *(ear.beat(micros) for ear in ears)]
                off = [(beat - beats[0] + 0.5) % 1.0 - 0.5 for beat in beats]
                apart_ms.append((max(off) - min(off)) * 60_000 / state.tempo())
                time.sleep(0.02)
        finally:
            peer.enabled = False
    return [result("link_phase_ms", float(np.percentile(apart_ms, 99)), "ms", LINK_POLLS)]


def main() -> None:
    """Print the Link results; for a run in a separate network (``unshare -n``)."""
    for found in link_phase("none", 128):
        print(found["name"], found["value"])


if __name__ == "__main__":
    main()
