"""The choice of a separation engine: by name, by model, or the best available."""

from __future__ import annotations

import importlib.util
from dataclasses import dataclass, field
from pathlib import Path

from sfa_engine.errors import Refused, WorkerError, did_you_mean
from sfa_engine.prep.options import DEVICES, ENGINES
from sfa_engine.prep.separate import models
from sfa_engine.prep.separate.chunks import Progress
from sfa_engine.prep.separate.engine import Engine

STANDARD = "htdemucs"  # of Demucs's models


class EngineMissingError(WorkerError):
    """An engine's packages are not installed; a retry would fail alike."""

    code = "engine-missing"


@dataclass(frozen=True)
class EngineChoice:
    """The requested engine and model.

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
    licence, licence_folder : str
        Name and folder of the secret that is an account's key of LALAL.AI; empty for the machine's.
    """

    engine: str = "auto"
    model: str = ""
    models_folder: Path = field(default_factory=models.default_folder)
    device: str = "auto"
    fetch: bool = False
    url: str = ""
    licence: str = ""
    licence_folder: str = ""


def resolve(choice: EngineChoice) -> tuple[str, str]:
    """Return the names of the engine and the model of a choice.

    Raises
    ------
    Refused
        There is no such engine.
    """
    engine, model = choice.engine, choice.model
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
        return _best(choice.models_folder)
    if engine == "demucs":
        return engine, model or STANDARD
    if model and engine != "lalalai":
        raise Refused(f'engine {engine} has no model "{model:.40}"', "leave the model out")
    return engine, model


def make_engine(choice: EngineChoice, work: Path, progress: Progress) -> Engine:
    """Return the engine of a choice, ready to separate.

    Parameters
    ----------
    choice : EngineChoice
    work : Path
        A folder for temporary files.
    progress : callable
        Called with the part of downloads done, 0..1.

    Raises
    ------
    Refused
        There is no such engine, model or device.
    WorkerError
        Something that it needs is missing.
    """
    engine, model = resolve(choice)
    _check_device(engine, choice.device)
    if engine == "sketch":
        from sfa_engine.prep.separate.sketch import Sketch

        return Sketch()
    if engine == "lalalai":
        from sfa_engine.prep.separate.lalalai import Lalalai

        return Lalalai(model, work, choice.url, (choice.licence, choice.licence_folder))
    if not importlib.util.find_spec("torch"):
        raise EngineMissingError(
            f'engine "{engine}" needs torch, which is not installed',
            "`pip install 'sfa-engine[prep]'`, or take the engine sketch",
        )
    if engine == "embedded":
        from sfa_engine.prep.separate.embedded import Embedded

        return Embedded()
    from sfa_engine.prep.separate.hybrid import Demucs

    return Demucs(model, choice.models_folder, choice.device, fetch=choice.fetch, progress=progress)


def _check_device(engine: str, device: str) -> None:
    """Refuse a device that an engine does not support; Demucs checks availability itself."""
    if device not in DEVICES:
        hint = did_you_mean(device, DEVICES) or f"give one of {', '.join(DEVICES)}"
        raise Refused(f'no device "{device:.40}"', hint)
    if engine in {"sketch", "embedded"} and device not in {"auto", "cpu"}:
        raise Refused(
            f'engine {engine} computes on the cpu only, not on "{device}"',
            "use the device auto or cpu; the models of Demucs support others",
        )


def _best(folder: Path) -> tuple[str, str]:
    """Return the best engine and model that are installed."""
    if not importlib.util.find_spec("torch"):
        return "sketch", ""
    from sfa_engine.prep.separate.bag import at_hand
    from sfa_engine.prep.separate.unet import checkpoint_folder

    if at_hand(STANDARD, folder):
        return "demucs", STANDARD
    return ("embedded", "") if checkpoint_folder() else ("sketch", "")
