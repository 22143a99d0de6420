"""A worker program for `sfa bench separate`: Demucs by our engine, and by its own `Separator`.

``python -m sfa_engine.prep.separate.trial``, request ``{"path", "folder"}``: both separate the same
file with the same model, of the real htdemucs's architecture and random weights: weights do not
change what it costs. How long the network itself takes, and how often it is called, is measured
apart: it is the same code in both. Imports torch and demucs.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from fractions import Fraction
from functools import partial
from pathlib import Path
from typing import Any

import soundfile

from sfa_engine.errors import WorkerError
from sfa_engine.prep.separate.choice import EngineChoice
from sfa_engine.prep.separate.separation import SeparationRequest, separate
from sfa_engine.prep.worker import Progress, field, main

MODEL = "random"
TURNS = 4  # of each
SOURCES = ("drums", "bass", "other", "vocals")


def work(request: Mapping[str, Any], progress: Progress) -> Mapping[str, Any]:
    """Separate a file by each; return the least that each took, and seconds of sound.

    By turns: the first one pays for imports and for memory that is new, and a busy machine
    slows one down and not the other.

    Returns
    -------
    mapping
        ``engine`` and ``separator``, of each ``wall_s``, ``cpu_s``, ``network_s``, ``around_s``
        (what of the wall time is not the network's) and ``calls`` of the network; ``sound_s``,
        ``turns``.
    """
    path, folder = Path(field(request, "path", str)), Path(field(request, "folder", str))
    progress(0.0, "making a model")
    make_model(folder)
    network = Stopwatch()
    ways = {"separator": _by_separator, "engine": _by_engine}
    took: dict[str, list[dict[str, float]]] = {name: [] for name in ways}
    turns = [*ways, *reversed(ways)] * (TURNS // 2)
    with network.on_every_model():
        for done, name in enumerate(turns):
            progress(done / len(turns), name)
            took[name].append(timed(partial(ways[name], path, folder), network))
    least = {
        name: {what: min(each[what] for each in times) for what in times[0]}
        for name, times in took.items()
    }
    return {**least, "sound_s": soundfile.info(path).duration, "turns": TURNS}


def make_model(folder: Path) -> None:
    """Write a model of the real architecture into a folder, as Demucs writes its own."""
    try:
        import torch
        from demucs.htdemucs import HTDemucs
        from demucs.states import get_state, save_with_checksum
    except ImportError as problem:
        raise WorkerError(f"no Demucs to measure: {problem}", "`pip install demucs`") from problem
    torch.manual_seed(0)
    model = HTDemucs(
        list(SOURCES),
        channels=48,
        segment=Fraction(39, 5),
        bottom_channels=512,
        dconv_mode=3,
        dconv_comp=8,
        t_layers=5,
    )
    args, kwargs = model._init_args_kwargs  # noqa: SLF001 - what Demucs saves of a model
    state = get_state(model, None, half=True)
    package = {"klass": type(model), "args": args, "kwargs": kwargs, "state": state}
    save_with_checksum(package, folder / f"{MODEL}1.th")
    (folder / f"{MODEL}.yaml").write_text(f"models: ['{MODEL}1']\n")


class Stopwatch:
    """How often the network was called, and how long that took."""

    def __init__(self) -> None:
        self.calls = 0
        self.seconds = 0.0

    @contextmanager
    def on_every_model(self) -> Iterator[None]:
        """Run with each call of any model of that architecture."""
        from demucs.htdemucs import HTDemucs

        forward = HTDemucs.forward

        def measured(model: Any, mix: Any) -> Any:
            began = time.monotonic()
            try:
                return forward(model, mix)
            finally:
                self.calls += 1
                self.seconds += time.monotonic() - began

        HTDemucs.forward = measured
        try:
            yield
        finally:
            HTDemucs.forward = forward


def timed(work: Callable[[], object], network: Stopwatch) -> dict[str, float]:
    """Return what some work takes, and what of it the network."""
    calls, seconds = network.calls, network.seconds
    wall, cpu = time.monotonic(), time.process_time()
    work()
    wall_s, cpu_s = time.monotonic() - wall, time.process_time() - cpu
    network_s = network.seconds - seconds
    return {
        "wall_s": wall_s,
        "cpu_s": cpu_s,
        "network_s": network_s,
        "around_s": wall_s - network_s,
        "calls": network.calls - calls,
    }


def _by_engine(path: Path, folder: Path) -> None:
    """Separate as the product does, all in: files in, files out."""
    choice = EngineChoice(engine="demucs", model=MODEL, models_folder=folder, device="cpu")
    separate(SeparationRequest(path=path, out=folder / "engine", choice=choice), lambda *_: None)


def _by_separator(path: Path, folder: Path) -> None:
    """Separate as a script that uses Demucs would: files in, files out."""
    os.environ["HF_HUB_OFFLINE"] = "1"
    from demucs.api import Separator

    separator = Separator(MODEL, repo=folder, device="cpu", shifts=0, overlap=0.25)
    _, stems = separator.separate_audio_file(path)
    for name, stem in stems.items():
        file = folder / f"{name}.wav"
        soundfile.write(file, stem.numpy().T, separator.samplerate, subtype="FLOAT")


if __name__ == "__main__":
    sys.exit(main(work))
