"""Music, models and a worker for the tests of separation."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
import soundfile
from separable import RATE, TINY, music


@pytest.fixture
def song(tmp_path: Path) -> Path:
    """A second of music in a file."""
    path = tmp_path / "song.wav"
    soundfile.write(path, music(1.0), RATE, subtype="FLOAT")
    return path


@pytest.fixture(scope="session")
def tiny_models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a small HTDemucs of random weights, in the files that Demucs writes."""
    torch = pytest.importorskip("torch")
    htdemucs = pytest.importorskip("demucs.htdemucs")
    from demucs.states import get_state, save_with_checksum

    folder = tmp_path_factory.mktemp("models")
    torch.manual_seed(0)
    model = htdemucs.HTDemucs(
        ["drums", "bass", "other", "vocals"],
        channels=4,
        depth=4,
        nfft=1024,
        bottom_channels=0,
        t_layers=1,
        t_heads=2,
        t_hidden_scale=1.0,
        segment=Fraction(2),
        dconv_depth=1,
        dconv_comp=2,
    )
    args, kwargs = model._init_args_kwargs
    package = {
        "klass": type(model),
        "args": args,
        "kwargs": kwargs,
        "state": get_state(model, None, half=False),
    }
    save_with_checksum(package, folder / "tiny.th")
    (folder / f"{TINY}.yaml").write_text("models: ['tiny']\n")
    return folder


Worker = Callable[..., list[dict[str, Any]]]


@pytest.fixture
def worker(tmp_path: Path) -> Worker:
    """Run the worker program on a request; return its messages."""

    def run(environment: dict[str, str] | None = None, **request: Any) -> list[dict[str, Any]]:
        done = subprocess.run(
            [sys.executable, "-m", "sfa_engine.prep.separate"],
            input=json.dumps(request).encode() + b"\n",
            capture_output=True,
            check=False,
            env={**os.environ, "XDG_DATA_HOME": str(tmp_path / "data"), **(environment or {})},
        )
        messages = [json.loads(line) for line in done.stdout.splitlines()]
        assert messages, done.stderr.decode()
        assert done.returncode == (0 if "result" in messages[-1] else 1)
        return messages

    return run
