"""Which engine it is to be: by name, by model, or the best that is at hand."""

from __future__ import annotations

import importlib.util
from dataclasses import dataclass, field
from pathlib import Path

from sfa_engine.errors import Refused, WorkerError, did_you_mean
from sfa_engine.prep.separate import models
from sfa_engine.prep.separate.chunks import Progress
from sfa_engine.prep.separate.engine import DEVICES, Engine

ENGINES = ("auto", "demucs", "embedded", "sketch", "lalalai")
STANDARD = "htdemucs"  # of Demucs's models


class EngineMissingError(WorkerError):
    """An engine's packages are not installed: trying again would end alike."""

    code = "engine-missing"


@dataclass(frozen=True)
class Wish:
    """What is asked for.

    Parameters
    ----------
    engine : str
        One of `ENGINES`.
    model : str
        A model of Demucs, stems for LALAL.AI, or the name of an engine; empty for its standard.
    models_folder : Path
        Where Demucs's weights are.
    device : str
        ``auto``, ``cpu``, ``cuda`` or ``mps``.
    fetch : bool
        Whether missing weights may be downloaded.
    url : str
        Where LALAL.AI is; empty for its own address.
    """

    engine: str = "auto"
    model: str = ""
    models_folder: Path = field(default_factory=models.default_folder)
    device: str = "auto"
    fetch: bool = False
    url: str = ""


def resolve(wish: Wish) -> tuple[str, str]:
    """Return names of the engine and the model that a wish means.

    Raises
    ------
    Refused
        If there is no such engine.
    """
    engine, model = wish.engine, wish.model
    if engine not in ENGINES:
        raise Refused(
            f'no engine "{engine:.40}"', did_you_mean(engine, ENGINES) or ", ".join(ENGINES)
        )
    if engine == "auto":
        head, _, rest = model.partition(":")  # `-m embedded`, `-m lalalai:vocals,drums`
        if head in ENGINES[1:]:
            return head, rest or (STANDARD if head == "demucs" else "")
        if model:
            return "demucs", model
        return _best(wish.models_folder)
    if engine == "demucs":
        return engine, model or STANDARD
    if model and engine != "lalalai":
        raise Refused(f'engine {engine} has no model "{model:.40}"', "leave the model out")
    return engine, model


def make_engine(wish: Wish, work: Path, progress: Progress) -> Engine:
    """Make the engine that a wish means, ready to separate.

    Parameters
    ----------
    wish : Wish
    work : Path
        A folder for what it needs meanwhile.
    progress : callable
        Told the part of downloads that is done, 0..1.

    Raises
    ------
    Refused
        If there is no such engine, model or device.
    WorkerError
        If something that it needs is missing.
    """
    engine, model = resolve(wish)
    _check_device(engine, wish.device)
    if engine == "sketch":
        from sfa_engine.prep.separate.sketch import Sketch

        return Sketch()
    if engine == "lalalai":
        from sfa_engine.prep.separate.lalalai import Lalalai

        return Lalalai(model, work, wish.url)
    if not importlib.util.find_spec("torch"):
        raise EngineMissingError(
            f'engine "{engine}" needs torch, which is not installed',
            "`pip install 'sfa-engine[prep]'`, or take the engine sketch",
        )
    if engine == "embedded":
        from sfa_engine.prep.separate.embedded import Embedded

        return Embedded()
    from sfa_engine.prep.separate.hybrid import Demucs

    return Demucs(model, wish.models_folder, wish.device, fetch=wish.fetch, progress=progress)


def _check_device(engine: str, device: str) -> None:
    """Refuse a device that an engine cannot compute on; Demucs looks for itself what is there."""
    if device not in DEVICES:
        hint = did_you_mean(device, DEVICES) or f"say {', '.join(DEVICES)}"
        raise Refused(f'no device "{device:.40}"', hint)
    if engine in {"sketch", "embedded"} and device not in {"auto", "cpu"}:
        raise Refused(
            f'engine {engine} computes on the cpu only, not on "{device}"',
            "take the device auto or cpu; the models of Demucs can use others",
        )


def _best(folder: Path) -> tuple[str, str]:
    """Return engine and model of the best that could begin at once."""
    if not importlib.util.find_spec("torch"):
        return "sketch", ""
    from sfa_engine.prep.separate.hybrid import at_hand
    from sfa_engine.prep.separate.unet import checkpoint_folder

    if at_hand(STANDARD, folder):
        return "demucs", STANDARD
    return ("embedded", "") if checkpoint_folder() else ("sketch", "")
