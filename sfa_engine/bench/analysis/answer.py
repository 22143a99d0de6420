"""What engines say of a piece: the product, and librosa's `beat_track` where it is installed.

The product runs as always, a worker program a file. librosa takes seconds to start, so one program
takes all files; it is a program because no plane but preparation may import librosa.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from sfa_engine.bench.separate import ask_measured
from sfa_engine.cli.analyze import WORKER
from sfa_engine.errors import SfaError

LIBROSA = """
import json, resource, sys, time
import librosa, numpy
librosa.beat.beat_track(y=librosa.clicks(times=[0.5, 1.0, 1.5], sr=22050), sr=22050)  # compile
for path in sys.stdin.read().splitlines():
    start = time.process_time()
    try:
        sound, rate = librosa.load(path, sr=22050)
        bpm, beats = librosa.beat.beat_track(y=sound, sr=rate, units="time")
        said = {"bpm": float(numpy.max(bpm)) or None, "beats": [float(beat) for beat in beats]}
    except Exception as error:
        said = {"error": str(error)}
    said["cpu_s"] = time.process_time() - start
    said["rss_mb"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(json.dumps(said), flush=True)
"""


def product(path: Path) -> dict[str, Any]:
    """Return the product's analysis of a file with its cost, or its error."""
    try:
        measured = ask_measured(WORKER, {"path": str(path)})
    except SfaError as error:
        return {"error": str(error)}
    return {**measured.answer, "cpu_s": measured.cpu_s, "rss_mb": measured.rss_mb}


def has_librosa() -> bool:
    """Return whether librosa can be imported by this Python."""
    test = "import importlib.util, sys; sys.exit(importlib.util.find_spec('librosa') is None)"
    return subprocess.run([sys.executable, "-c", test], check=False).returncode == 0


def librosa(paths: Sequence[Path]) -> Iterator[dict[str, Any]]:
    """Yield tempo and beats of each file by librosa's `beat_track` at its defaults."""
    with subprocess.Popen(
        [sys.executable, "-W", "ignore", "-c", LIBROSA],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
    ) as program:  # fmt: skip
        assert program.stdin is not None
        assert program.stdout is not None
        program.stdin.write("\n".join(str(path) for path in paths))
        program.stdin.close()
        for line in program.stdout:
            yield json.loads(line)
