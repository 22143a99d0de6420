"""A recording whose process is killed at any moment opens, with all but its last batch."""

import itertools
import random
import shutil
import subprocess
import sys
import time

import numpy as np
import pytest

from sfa_engine.engine.layout import LATENCY
from sfa_engine.host.recorder import COMMIT_S, STEP_S
from sfa_engine.prep.decode import decode

RATE = 48_000
FORMS = {"flac": ".flac", "wav": ".wav", "float": ".wav"}
BATCH_S = COMMIT_S + STEP_S + 0.5  # half a second: of a disk, and of a processor, that are busy
FLAC_BLOCK = 4096
# As the host does: a second of sound a second. It prints the frames that were rendered.
PROGRAM = """
import sys, time
from pathlib import Path
import numpy as np
from sfa_engine.engine.command import Op
from sfa_engine.engine.ring import Command
from sfa_engine.host.offline import Offline
from sfa_engine.host.recorder import Recorder, RecordSettings
from sfa_engine.host.taps import Taps

path = Path(sys.argv[1])
engine = Offline(48_000, 2, 128)
sound = (np.random.default_rng(1).standard_normal((30 * 48_000, 2)) * 0.1).astype(np.float32)
engine.load(0, {"mix": sound}, rate=48_000)
engine.push(Command(Op["PLAY"], deck=0, x=1.0))
recorder = Recorder(engine.memory, Taps(engine.dsp), RecordSettings(path.parent), lambda _: {})
recorder.start(path=str(path), form=sys.argv[2])
began, rendered = time.monotonic(), 0
while True:
    print(rendered, flush=True)
    engine.render(2400)
    rendered += 2400
    time.sleep(max(0.0, began + rendered / 48_000 - time.monotonic()))
"""


def killed(path, form, after_s):
    """Record until a moment after the first sound; return the frames that were rendered."""
    words = [sys.executable, "-c", PROGRAM, str(path), form]
    with subprocess.Popen(words, stdout=subprocess.PIPE, text=True) as process:
        process.stdout.readline()
        time.sleep(after_s)
        process.kill()
        lines = process.stdout.read().split()
    return int(lines[-1]) if lines else 0


def opened(path):
    """Return the frames that sox reads, after ffprobe has read all packets."""
    probe = ["ffprobe", "-v", "error", "-count_packets", "-show_entries", "stream=channels"]
    said = subprocess.run(
        [*probe, "-of", "csv=p=0", str(path)], capture_output=True, text=True, check=True
    )
    assert said.stdout.startswith("2"), said
    raw = ["sox", "-V1", str(path), "-t", "raw", "-e", "signed", "-b", "24", "-"]
    said = subprocess.run(raw, capture_output=True, check=True)
    return len(said.stdout) // 6


def check(folder, kills, seed):
    draw = random.Random(seed)
    whole = None
    for number, form in zip(range(kills), itertools.cycle(FORMS), strict=False):
        path = folder / f"{number}{FORMS[form]}"
        rendered = killed(path, form, draw.uniform(0.0, 4.0))
        least = rendered - LATENCY - round(BATCH_S * RATE) - FLAC_BLOCK
        sound = decode(path).sound if least > 0 else np.zeros((0, 2), np.float32)
        assert len(sound) >= least, (form, rendered)
        if least > 0:
            assert opened(path) >= least, (form, rendered)
        if form == "float" and (whole is None or len(sound) > len(whole)):
            whole = sound
        elif whole is not None:
            n = min(len(whole), len(sound))
            assert np.abs(sound[:n] - whole[:n]).max(initial=0.0) <= 2.0**-22, form
        path.unlink()


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("sox") is None, reason="sox is not installed")
def test_a_recording_that_is_killed_opens_with_all_but_its_last_batch(tmp_path):
    check(tmp_path, kills=3, seed=1)


@pytest.mark.nightly
@pytest.mark.timeout(3600)
def test_two_hundred_kills(tmp_path):
    check(tmp_path, kills=200, seed=2)
