"""`sfa bench separate`: the cost of each engine, and the quality of its stems.

Each engine runs as its worker program; CPU seconds and memory are those of that process. Quality is
the signal-to-distortion ratio of a stem, minus that of the mix in its place: the gain of the
separation. It needs true stems, a folder of them with `--set`.
"""

from __future__ import annotations

import json
import math
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import soundfile

from sfa_engine.bench.rig import Result, noise, result
from sfa_engine.cli import screen
from sfa_engine.cli.separate import WORKER
from sfa_engine.errors import Refused, WorkerError, did_you_mean
from sfa_engine.library.sources import stem_sources
from sfa_engine.prep.decode import decode
from sfa_engine.system.sound_files import SOUND_FILES
from sfa_engine.track.media import WHOLE

RATE = 48_000
ENGINES = ("embedded", "sketch", "demucs")
SILENT_DB = -60.0  # below the mix: a stem counts as silent
DEMUCS_SECONDS = 30.0  # separated several times by each way

Sound = np.ndarray[Any, np.dtype[np.float32]]


def run_bench(
    *, folder: Path | None, seconds: float, only: tuple[str, ...], quiet: bool
) -> list[Result]:
    """Measure the requested engines, or all; return the results.

    Parameters
    ----------
    folder : Path, optional
        Stems of one track, or folders of them.
    seconds : float
        Of noise, for the cost.
    only : tuple of str
        Engines; all if empty.
    quiet : bool
        No progress bar.
    """
    for name in only:
        if name not in ENGINES:
            raise Refused(f'no engine "{name}"', did_you_mean(name, ENGINES) or ", ".join(ENGINES))
    chosen = [name for name in ENGINES if not only or name in only]
    tracks = _tracks(folder) if folder else []
    results: list[Result] = []
    with (
        screen.progress_bar("bench", quiet=quiet) as bar,
        tempfile.TemporaryDirectory(prefix="sfa-bench-") as work,
    ):
        for done, name in enumerate(chosen):
            bar(done / len(chosen), f"bench: {name}")
            if name == "demucs":
                results += bench_demucs(Path(work), DEMUCS_SECONDS)
                continue
            results += bench_cost(name, Path(work), seconds)
            for track in tracks:
                results += bench_quality(name, Path(work), track)
        bar(1.0, "bench")
    return results


def bench_cost(engine: str, work: Path, seconds: float) -> list[Result]:
    """Measure CPU seconds and memory of an engine on noise, including the program's start."""
    path = work / "noise.wav"
    soundfile.write(path, noise(seconds, 1), RATE)
    request = {"path": str(path), "out": str(work / "out"), "engine": engine}
    measured = ask_measured(WORKER, request)
    answer = measured.answer
    frames = int(answer["frames"])
    return [
        result(f"{engine}_cpu", measured.cpu_s / seconds, "CPU-s/audio-s", frames),
        result(f"{engine}_peak_rss_mb", measured.rss_mb, "MB", 1),
        result(f"{engine}_null_db", answer["null_db"], "dBFS", frames),
    ]


def bench_demucs(work: Path, seconds: float) -> list[Result]:
    """Measure the product's engine on the real architecture beside Demucs's own class.

    The network is the same code in both and nearly all of the time; on a busy machine its time
    varies more than the two ways differ. Both figures are given: wall time, and ``network_alike``,
    each with its own time around the network plus the network's least.
    """
    path, folder = work / "noise.wav", work / "models"
    folder.mkdir()
    soundfile.write(path, noise(seconds, 2), RATE)
    answer = ask_measured(f"{WORKER}.trial", {"path": str(path), "folder": str(folder)}).answer
    ours, theirs, sound_s = answer["engine"], answer["separator"], answer["sound_s"]
    minute = 60.0 / sound_s
    # more calls cost more
    call_s = min(way["network_s"] / way["calls"] for way in (ours, theirs))
    alike = [way["around_s"] + way["calls"] * call_s for way in (ours, theirs)]
    return [
        result("demucs_wall_per_minute", ours["wall_s"] * minute, "s", answer["turns"],
               theirs["wall_s"] * minute),
        result("demucs_wall_network_alike", alike[0] * minute, "s", answer["turns"],
               alike[1] * minute),
        result("demucs_cpu", ours["cpu_s"] / sound_s, "CPU-s/audio-s", answer["turns"],
               theirs["cpu_s"] / sound_s),
    ]  # fmt: skip


def bench_quality(engine: str, work: Path, folder: Path) -> list[Result]:
    """Measure the quality of an engine's stems from the mix of true stems."""
    truth = {name: decode(path, RATE).sound for name, path in stem_sources(folder).items()}
    mix = _mix(folder, truth)
    path = work / "mix.wav"
    soundfile.write(path, mix, RATE, subtype="FLOAT")
    request = {"path": str(path), "out": str(work / "out"), "engine": engine}
    answer = ask_measured(WORKER, request).answer
    found = {
        name: soundfile.read(file, dtype="float32")[0] for name, file in answer["stems"].items()
    }
    for name in truth.keys() - found.keys():  # an engine without guitars has them in "other"
        part = _fitted(truth.pop(name), len(mix))
        truth["other"] = truth["other"] + part if "other" in truth else part
    results = []
    for name, stem in truth.items():
        true = _fitted(stem, len(mix))
        if _power_db(true) < _power_db(mix) + SILENT_DB:
            continue
        gain = sdr_db(true, found[name]) - sdr_db(true, mix)
        title = f"{folder.name}_{engine}_{name}"
        results.append(result(f"{title}_sdr_db", sdr_db(true, found[name]), "dB", len(mix)))
        results.append(result(f"{title}_sdr_gain_db", gain, "dB", len(mix)))
    return results


def sdr_db(true: Sound, found: Sound) -> float:
    """Return the signal-to-distortion ratio of a stem over the whole track, in dB."""
    return _power_db(true) - _power_db(true - found)


def _power_db(sound: Sound) -> float:
    return 10.0 * math.log10(float(np.mean(np.square(sound, dtype=np.float64))) + 1e-20)


def _tracks(folder: Path) -> list[Path]:
    """Return the folders of stems of a path: itself, or those in it."""
    if not folder.is_dir():
        raise Refused(f'"{folder}" is not a folder', "name a folder of stems, or of such folders")
    inside = sorted(path for path in folder.iterdir() if path.is_dir())
    own = any(path.suffix in SOUND_FILES for path in folder.iterdir())
    return [folder] if own or not inside else inside


def _mix(folder: Path, truth: dict[str, Sound]) -> Sound:
    """Return the sum of stems; if they are incomplete, the mix beside them."""
    if "other" in truth:
        longest = max(map(len, truth.values()))
        total: Sound = np.sum([_fitted(stem, longest) for stem in truth.values()], axis=0)
        return total
    whole = [path for path in folder.iterdir() if path.stem == WHOLE]
    if not whole:
        raise Refused(f'"{folder}" has neither a stem "other" nor a mix', "put one there")
    return decode(whole[0], RATE).sound


def _fitted(sound: Sound, frames: int) -> Sound:
    """Return a sound cut, or padded with silence, to a length."""
    return np.pad(sound[:frames], ((0, max(0, frames - len(sound))), (0, 0)))


@dataclass(frozen=True)
class Measured:
    """A worker's answer, with CPU and wall seconds, and peak memory."""

    answer: dict[str, Any]
    cpu_s: float
    wall_s: float
    rss_mb: float


def ask_measured(module: str, request: dict[str, Any]) -> Measured:
    """Send a request to a worker, and measure the program from start to end."""
    # run by a separate parent, so that the peak is that of this one process
    program = (
        "import resource, subprocess, sys, time;"
        "began = time.monotonic();"
        "code = subprocess.call([sys.executable, '-m', sys.argv[1]]);"
        "wall = time.monotonic() - began;"
        "used = resource.getrusage(resource.RUSAGE_CHILDREN);"
        "print(used.ru_maxrss, used.ru_utime + used.ru_stime, wall, file=sys.stderr);"
        "sys.exit(code)"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, module],
        input=json.dumps(request).encode() + b"\n",
        capture_output=True,
        check=False,
    )
    lines = done.stdout.splitlines()
    answer = json.loads(lines[-1]) if lines else {}
    if "result" not in answer:
        error, hint = answer.get("error", "no answer"), str(answer.get("hint", ""))
        raise WorkerError(f"{module}: {error}", hint)
    rss_kb, cpu_s, wall_s = (float(word) for word in done.stderr.split()[-3:])
    return Measured(answer["result"], cpu_s, wall_s, rss_kb / 1024)
