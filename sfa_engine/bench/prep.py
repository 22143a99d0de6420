"""`sfa bench prep`: the cost of preparation, and its effect on two playing decks.

The crowd: two busy decks on a dummy JACK server, a separate backstage with many tracks in its
queue, and the do-nothing client on the same server under the same load.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import numpy as np
import soundfile

from sfa_engine.bench.rig import RATE, SETTLE_S, Result, Rig, bundle_of, chosen_of, result
from sfa_engine.bench.separate import ask_measured
from sfa_engine.cli import screen
from sfa_engine.cli.analyze import WORKER
from sfa_engine.cli.backstage import backstage
from sfa_engine.demo.groove import GROOVES, render_groove
from sfa_engine.desk import DECK_NUMBERS
from sfa_engine.errors import EngineError
from sfa_engine.wire.blocking import SocketClient

LONG_TRACK_S = 300.0
SHORT_TRACK_S = 60.0
TIMEOUT_S = 3600.0
POLL_S = 0.25


def run_bench(
    *, tracks: int, engine: str, only: tuple[str, ...], device: str | None, quiet: bool
) -> list[Result]:
    """Run the requested parts, or both; return their results.

    Parameters
    ----------
    tracks : int
        In the queue of the crowd.
    engine : str
        Of their separation.
    only : tuple of str
        Parts; all if empty.
    device : str, optional
        To play on; default a dummy JACK server.
    quiet : bool
        No progress bar.
    """
    with screen.progress_bar("bench", quiet=quiet) as bar:
        parts: dict[str, Callable[[], list[Result]]] = {
            "analysis": bench_analysis,
            "crowd": lambda: bench_crowd(tracks, engine, device, bar),
        }
        results = []
        for name in chosen_of(parts, only):
            bar(0.0, f"bench: {name}")
            results += parts[name]()
        bar(1.0, "bench")
    return results


def bench_analysis() -> list[Result]:
    """Measure the analysis of five minutes, in its worker program."""
    with tempfile.TemporaryDirectory(prefix="sfa-bench-") as folder:
        path = Path(folder) / "song.flac"
        soundfile.write(path, _song(LONG_TRACK_S, 0), RATE)
        song = ask_measured(WORKER, {"path": str(path)})
        short = Path(folder) / "short.wav"
        soundfile.write(short, np.zeros((RATE // 10, 2)), RATE)
        start = ask_measured(WORKER, {"path": str(short)})
    return [
        result("analysis_cpu_per_minute", song.cpu_s / LONG_TRACK_S * 60.0, "CPU-s/min", 1),
        result("analysis_five_minutes_s", song.wall_s, "s", 1),
        result("analysis_peak_rss_mb", song.rss_mb, "MB", 1),
        result("analysis_worker_start_s", start.wall_s, "s", 1),
    ]


def bench_crowd(
    tracks: int, engine: str, device: str | None, progress: Callable[[float], None]
) -> list[Result]:
    """Prepare many tracks while two decks play; count late blocks beside the client's."""
    with (
        tempfile.TemporaryDirectory(prefix="sfa-bench-") as folder,
        bundle_of(LONG_TRACK_S) as bundle,
        ExitStack() as stack,
    ):
        files = [Path(folder) / "music" / f"{number}.flac" for number in range(tracks)]
        files[0].parent.mkdir()
        for number, path in enumerate(files):
            soundfile.write(path, _song(SHORT_TRACK_S, number), RATE)
        rig = Rig(stack, device, 128)
        rig.play_busy(bundle)
        for deck in DECK_NUMBERS:
            rig.client.call("set", path=f"deck{deck}.loop.length", value=64)
            rig.client.call("press", path=f"deck{deck}.loop.beatloop")
        client = stack.enter_context(_backstage(Path(folder), rig.runtime))
        time.sleep(SETTLE_S)
        mine, null = rig.host.memory.engine, rig.null.memory.engine
        words = ("blocks", "late", "device_misses")
        before = {word: (int(mine[word]), int(null[word])) for word in words}
        began = time.monotonic()
        added = client.call("prep.add", sources=[str(path) for path in files], engine=engine)
        counts = _until_ended(client, added["batch"], 4 * tracks, progress)
        took_s = time.monotonic() - began
        blocks, late, misses = (
            (int(mine[word]) - before[word][0], int(null[word]) - before[word][1]) for word in words
        )
    expected = took_s * RATE / 128
    return [
        result("prep_tracks_per_minute", tracks / took_s * 60.0, "tracks/min", tracks),
        result("prep_jobs_failed", counts["failed"], "jobs", 4 * tracks),
        result("prep_blocks_kept_pct", 100 * blocks[0] / expected, "%", blocks[0],
               100 * blocks[1] / expected),
        result("prep_own_late_blocks", late[0], "blocks", blocks[0], float(late[1])),
        result("prep_device_misses", misses[0], "blocks", blocks[0], float(misses[1])),
    ]  # fmt: skip


def _song(seconds: float, number: int) -> np.ndarray:
    """Return part of a groove's sound, different for each number: float32[frames, 2]."""
    groove = render_groove(GROOVES[number % len(GROOVES)])
    mix = sum(groove.stems.values())
    mix = np.roll(mix, -number * RATE // 4, axis=0)
    frames = round(seconds * RATE)
    return np.resize(mix, (frames, 2))


@contextmanager
def _backstage(folder: Path, runtime: Path) -> Iterator[SocketClient]:
    """Run a separate backstage, which the rig's stage notifies of playing decks."""
    apart = {"XDG_DATA_HOME": str(folder / "data"), "XDG_CONFIG_HOME": str(folder / "config")}
    with backstage(runtime=runtime, environment=apart) as client:
        yield client


def _until_ended(
    client: SocketClient, batch: str, jobs: int, progress: Callable[[float], None]
) -> dict[str, int]:
    """Wait until all jobs of a batch have ended; return the number of jobs by state."""
    give_up = time.monotonic() + TIMEOUT_S
    while time.monotonic() < give_up:
        counts: dict[str, int] = client.call("prep.batch", batch=batch)["counts"]
        left = counts["waiting"] + counts["running"]
        if not left:
            return counts
        progress(1.0 - left / jobs)
        time.sleep(POLL_S)
    raise EngineError(f"{left} jobs were not done in {TIMEOUT_S:g} s", "see `sfa jobs`")
