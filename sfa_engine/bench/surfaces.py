"""`sfa bench surfaces`: latency and losses of controllers.

Every part runs the real processes on a dummy JACK server, with the do-nothing client beside them:
the lateness of that client's blocks is the machine's own.
"""

from __future__ import annotations

import json
import shutil
import signal
import tempfile
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

import numpy as np

from sfa_engine.bench import clock_parts, midi_peer, osc_parts
from sfa_engine.bench.rig import RATE, SETTLE_S, Result, Rig, chosen_of, result
from sfa_engine.cli import screen
from sfa_engine.engine.intents import OPERATIONS
from sfa_engine.engine.layout import BLOCKS
from sfa_engine.engine.memory import Memory
from sfa_engine.engine.midi import BINDING, LIGHT, Action, Encoding, Kind, key
from sfa_engine.engine.midi_rings import TableWriter
from sfa_engine.errors import EngineError
from sfa_engine.library.bundle import write_bundle_arrays
from sfa_engine.system.child import wait_for
from sfa_engine.system.runtime_files import HOST_SOCKET
from sfa_engine.wire.blocking import SocketClient

BLOCK = 128
PRESSES = 500
TRACK_S = 180.0
LEVEL = 0.2  # of the track, which is constant: any change of the sound is a press
SWITCH = "deck1.stem.vocals.mute"
PEER_TIMEOUT_S = 170.0
NO_SURFACE = "[midi]\nenabled = false\n"  # the stage's own table would replace the bench's
OSC_S = 30.0  # of 15,000 messages a second


def run_bench(*, only: tuple[str, ...], presses: int, quiet: bool) -> list[Result]:
    """Run parts, or all, and return their figures.

    Parameters
    ----------
    only : tuple of str
        Parts; all if empty.
    presses : int
        Of each part that presses.
    quiet : bool
        No progress bar.
    """
    parts: dict[str, Callable[[], list[Result]]] = {
        "midi": lambda: bench_midi("midi_hot", presses),
        "midi-hogs": lambda: bench_midi("midi_hot_hogs", presses, hogs=3),
        "clock-in": clock_parts.clock_in,
        "clock-out": clock_parts.clock_out,
        "link": lambda: clock_parts.link_phase("none", BLOCK),
        "midi-no-stage": lambda: bench_midi("midi_hot_no_stage", presses, with_stage=False),
        "osc": lambda: osc_parts.bench_osc(OSC_S, None),
    }
    chosen = chosen_of(parts, only)
    results = []
    with screen.progress_bar("bench", quiet=quiet) as bar:
        for done, name in enumerate(chosen):
            bar(done / len(chosen), f"bench: {name}")
            results += parts[name]()
        bar(1.0, "bench")
    return results


def bench_midi(name: str, presses: int, *, hogs: int = 0, with_stage: bool = True) -> list[Result]:
    """Measure from a note on a real port to the first sample that it changes."""
    if not shutil.which("jackd"):
        raise EngineError("jackd is not installed", "apt-get install jackd2")
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="sfa-b-")))
        stems = {"vocals": np.full((int(TRACK_S * RATE), 2), LEVEL, np.float32)}
        bundle = write_bundle_arrays(folder / "dc.sfa", stems, title="dc", artist="", bpm=120.0)
        rig = Rig(stack, None, BLOCK, hogs=hogs, config=NO_SURFACE)
        rig.client.call("deck.load", deck=1, path=str(bundle))
        rig.client.call("set", path="deck1.play", value=True)
        write_table(rig.host.memory)
        if not with_stage:
            rig.stage.kill()
            rig.stage.wait()
        file = folder / "frames.json"
        peer = stack.enter_context(
            rig.beside("sfa_engine.bench.midi_peer", str(presses), str(file))
        )
        with SocketClient(rig.runtime / HOST_SOCKET, timeout_s=60.0) as host:
            port = f"{midi_peer.KEYS}:out"
            wait_for(
                lambda: port in {p["id"] for p in host.call("midi.ports")["ports"]}, "the peer"
            )
            if hogs:
                for process in (rig.host.process, rig.null.process, rig.stage):
                    process.send_signal(signal.SIGUSR1)
                time.sleep(SETTLE_S)
            null = rig.null.memory.engine
            first, missed = int(null["blocks"]), int(null["device_misses"])
            mine = int(rig.host.memory.engine["device_misses"])
            host.call("midi.open", slot=0, name="bench", source=port)
        peer.wait(PEER_TIMEOUT_S)
        if not file.exists():
            raise EngineError("nothing received from the bench's controller")
        found = json.loads(file.read_text())
        late_ms = lateness_ms(rig.null.memory, first)
        times = np.array(found["frames"]) / RATE * 1e3
        n = len(times)
        return [
            result(f"{name}_p50_ms", float(np.median(times)), "ms", n, BLOCK / RATE * 1e3),
            result(p99_name(name), float(np.percentile(times, 99)), "ms", n, late_ms),
            result(f"{name}_max_ms", float(times.max()), "ms", n, late_ms),
            result(f"{name}_lost", found["lost"], "presses", presses),
            result(f"{name}_device_misses",
                   int(rig.host.memory.engine["device_misses"]) - mine, "blocks", n,
                   float(int(null["device_misses"]) - missed)),
        ]  # fmt: skip


def p99_name(name: str) -> str:
    """Return the name of a part's 99th percentile: ``midi_hot_p99_ms_hogs``."""
    return "midi_hot_p99_ms" + name.removeprefix("midi_hot")


def write_table(memory: Memory) -> None:
    """Bind the peer's note to an audible switch."""
    made = OPERATIONS[SWITCH]
    rows = np.zeros(1, BINDING)
    rows["key"] = key(0, Kind.NOTE, 0, midi_peer.NOTE)
    rows["encoding"], rows["action"], rows["x"] = Encoding.BUTTON, Action.TOGGLE, 1.0
    rows["op"], rows["deck"], rows["target"], rows["index"] = (
        made.op,
        made.deck,
        made.target,
        made.index,
    )
    TableWriter(memory).write(rows, np.zeros(0, LIGHT))


def lateness_ms(memory: Memory, first: int) -> float:
    """Return the 99th percentile of the do-nothing client's block lateness, by its own pace."""
    engine = memory.engine
    last = int(engine["blocks"])
    first = max(first, last - BLOCKS + 16)
    starts = engine["block_start_ns"][np.arange(first, last) % BLOCKS].astype(float)
    gaps_ms = np.diff(starts) / 1e6 - BLOCK / RATE * 1e3
    return float(np.percentile(gaps_ms, 99)) if len(gaps_ms) else 0.0
