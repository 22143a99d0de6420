"""Which engines of separation are installed, and with which models. Imports no torch."""

from __future__ import annotations

import importlib.util
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from sfa_engine.errors import SfaError
from sfa_engine.prep.options import ENGINES
from sfa_engine.prep.separate.bag import at_hand, listed, package
from sfa_engine.prep.separate.licence import licence
from sfa_engine.prep.separate.models import EMBEDDED_PACKAGE


@dataclass(frozen=True)
class Model:
    """A model of Demucs.

    Parameters
    ----------
    name : str
    ready : bool
        Whether its weights are there.
    """

    name: str
    ready: bool


@dataclass(frozen=True)
class Found:
    """An engine.

    Parameters
    ----------
    name : str
    ready : bool
        Whether it can be used now.
    missing : str
        What it needs; empty if it is ready.
    models : sequence of Model
        Those that can be chosen.
    """

    name: str
    ready: bool
    missing: str = ""
    models: Sequence[Model] = ()


def engines(models_folder: Path) -> list[Found]:
    """Return all engines; reads folders only, and blocks.

    Parameters
    ----------
    models_folder : pathlib.Path
        Where the weights of Demucs are.
    """
    surveys = {"demucs": lambda: _demucs(models_folder), "embedded": _embedded, "lalalai": _lalalai}
    return [
        surveys[name]() if name in surveys else Found(name, ready=True)
        for name in ENGINES
        if name != "auto"
    ]


def _demucs(folder: Path) -> Found:
    models = tuple(Model(name, at_hand(name, folder)) for name in listed(folder))
    if not importlib.util.find_spec("torch") or package() is None:
        return Found("demucs", ready=False, missing="pip install 'sfa-engine[prep]'", models=models)
    if not any(model.ready for model in models):
        missing = "the weights of a model: `sfa separate --fetch`"
        return Found("demucs", ready=False, missing=missing, models=models)
    return Found("demucs", ready=True, models=models)


def _embedded() -> Found:
    if all(importlib.util.find_spec(name) for name in ("torch", EMBEDDED_PACKAGE)):
        return Found("embedded", ready=True)
    return Found("embedded", ready=False, missing="pip install 'sfa-engine[prep]'")


def _lalalai() -> Found:
    try:
        licence()
    except SfaError as error:
        return Found("lalalai", ready=False, missing=str(error))
    return Found("lalalai", ready=True)
