"""Bags of Demucs's models: which there are, and of what parts each is made. Imports no torch.

A bag is a ``NAME.yaml``, of the folder of weights or of the package that loads them.
"""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any

from sfa_engine.errors import Refused, WorkerError, did_you_mean
from sfa_engine.prep.separate import models

PACKAGES = {"demucs": "demucs", "demucs_infer": "demucs-infer"}  # module: distribution


def package() -> str | None:
    """Return the module that is installed of those that can load Demucs models."""
    return next((name for name in PACKAGES if importlib.util.find_spec(name)), None)


def listed(folder: Path) -> list[str]:
    """Return the names of the models that the package or the folder of weights describes."""
    module = package()
    places = [folder] if module is None else [folder, package_folder(module) / "remote"]
    return sorted({path.stem for place in places for path in place.glob("*.yaml")})


def at_hand(model: str, folder: Path) -> bool:
    """Return whether a model could be used at once: its package and its weights are there."""
    module = package()
    if module is None:
        return False
    try:
        signatures, _, _ = read_bag(description(module, model, folder))
        return all(models.find_part(folder, signature) for signature in signatures)
    except (Refused, WorkerError):
        return False


def read_bag(described: Path) -> tuple[list[str], Any, Any]:
    """Return what a ``NAME.yaml`` says: signatures of parts, their weights, seconds of a segment.

    Raises
    ------
    WorkerError
        If it says something else.
    """
    import yaml

    try:
        bag = yaml.safe_load(described.read_text())
        signatures = [models.check_name(str(signature)) for signature in bag["models"]]
        return signatures, bag.get("weights"), bag.get("segment")
    except (OSError, UnicodeDecodeError, yaml.YAMLError, KeyError, TypeError) as problem:
        raise WorkerError(
            f'"{described}" is no description of a model: {problem!s:.200}',
            "it says `models: ['SIGNATURE']`",
        ) from problem


def description(module: str, model: str, folder: Path) -> Path:
    """Return the ``NAME.yaml`` of a model: the folder's, else the package's own."""
    models.check_name(model)
    own = package_folder(module) / "remote"
    for place in (folder, own):
        if (place / f"{model}.yaml").is_file():
            return place / f"{model}.yaml"
    known = sorted({path.stem for place in (folder, own) for path in place.glob("*.yaml")})
    raise Refused(
        f'no model "{model}"', did_you_mean(model, known) or f"there are {', '.join(known)}"
    )


def package_folder(module: str) -> Path:
    """Return where a package is, without importing it."""
    found = importlib.util.find_spec(module)
    assert found
    assert found.origin
    return Path(found.origin).parent
