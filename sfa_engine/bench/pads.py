"""The sampler of `sfa bench perform`: 64 voices at once, and how soon a hit is heard.

Every pad loops at another pitch, so that each voice has weights of its own; the loops are short,
so that seams are among what is measured.
"""

from __future__ import annotations

import time
from contextlib import ExitStack
from pathlib import Path

import numpy as np

from sfa_engine.bench.engine import Cost, measure
from sfa_engine.bench.rig import RATE, Result, Rig, noise, result
from sfa_engine.desk.desk import PADS
from sfa_engine.engine.command import Op
from sfa_engine.engine.layout import LATENCY, POLYPHONY
from sfa_engine.engine.ring import Command
from sfa_engine.host.offline import Offline
from sfa_engine.track.wav import wav_header

BLOCK = 128
UNIT = "CPU-s/audio-s"
LOOP_S = 0.37
START_S = 1.0
HITS = 200


def bench_pads(seconds: float, device: str | None) -> list[Result]:
    """Measure `POLYPHONY` voices on a sound server, and the do-nothing client alone after them."""
    with ExitStack() as stack:
        rig = Rig(stack, device, BLOCK, alone=True)
        load(rig)
        for number in range(1, PADS + 1):
            rig.client.call("press", path=f"pad{number}.hit")
        time.sleep(START_S)
        mine = measure(rig.host, seconds)
        voices = rig.host.memory.reading("sampler.voices")
        rig.client.call("press", path="sampler.stop")
        time.sleep(START_S)
        rest = measure(rig.host, seconds)
        rig.end_host()
        rig.start_null()
        time.sleep(START_S)
        null = measure(rig.null, seconds)
    due_ns = BLOCK / RATE * 1e9
    name = f"callback_{POLYPHONY}_voices_{BLOCK}"
    return [
        result("sampler_voices", voices, "voices", 1),
        result(name, mine.cpu, UNIT, mine.blocks, null.cpu),
        result(f"{name}_above_null", mine.cpu - null.cpu, UNIT, mine.blocks, rest.cpu - null.cpu),
        result("sampler_worst_block_pct", mine.worst_ns / due_ns * 100, "%", mine.blocks,
               null.worst_ns / due_ns * 100),
        result("sampler_block_p99_pct", _p99_pct(mine), "%", len(mine.costs_ns), _p99_pct(null)),
        result("pad_to_sound_blocks", blocks_to_sound(), "blocks", HITS),
    ]  # fmt: skip


def load(rig: Rig) -> None:
    """Put a loop of noise on every pad, each at another pitch and place."""
    folder = rig.runtime / "sounds"
    folder.mkdir()
    for number in range(1, PADS + 1):
        path = _write(folder / f"{number}.wav", number)
        rig.client.call("pad.load", pad=number, path=str(path))
        settings = {"mode": "loop", "end": 90.0, "pitch": (number % 25 - 12) / 2 + 0.07}
        for setting, value in settings.items():
            rig.client.call("set", path=f"pad{number}.{setting}", value=value)
        rig.client.call("set", path=f"pad{number}.volume", value=-30.0)


def _write(path: Path, seed: int) -> Path:
    pcm = noise(LOOP_S + seed / 1000, seed)
    path.write_bytes(wav_header(len(pcm), RATE, "s16") + pcm.tobytes())
    return path


def _p99_pct(cost: Cost) -> float:
    return float(np.percentile(cost.costs_ns, 99)) / (BLOCK / RATE * 1e9) * 100


def blocks_to_sound() -> int:
    """Return in how many blocks a hit is heard, at the most: one is the next block itself.

    Each comes between two blocks. The limiter's delay, which all sound has, is left out.
    """
    engine = Offline(RATE, block=BLOCK)
    engine.load_pad(0, np.full((BLOCK, 2), 8000, np.int16))
    engine.render(BLOCK)
    most = 0
    for _ in range(HITS):
        engine.push(Command(Op["PAD_HIT"], deck=-1, target=0, x=127.0))
        heard = np.flatnonzero(engine.render(8 * BLOCK)[:, 0])
        most = max(most, int(heard[0] - LATENCY) // BLOCK + 1 if len(heard) else HITS)
    return most
