"""`demucs`: the hybrid transformer models of Demucs and all that its packages can load.

Through ``demucs`` or ``demucs-infer``, whichever is installed. The whole track sets the level that
the model is given, then chunks of a minute pass one after another: memory does not grow with
length, and nothing differs from one pass over the track but the fades between chunks. No random
shift: the same track gives the same stems. Imports torch; asks no hub.
"""

from __future__ import annotations

import importlib
import importlib.metadata
import importlib.util
import os
import pickle
from collections.abc import Mapping, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import torch

from sfa_engine.errors import Refused, WorkerError, did_you_mean
from sfa_engine.library.sources import STEM_WORDS
from sfa_engine.prep.options import DEVICES
from sfa_engine.prep.separate import models
from sfa_engine.prep.separate.bag import PACKAGES, description, package, package_folder, read_bag
from sfa_engine.prep.separate.chunks import Chunking, Progress, Sound, forget, in_chunks

_SAFETENSORS = {"demucs": "demucs.hf", "demucs_infer": "demucs_infer.safetensors"}
CLASSES = ("demucs.htdemucs.HTDemucs", "demucs.hdemucs.HDemucs", "demucs.demucs.Demucs")
OVERLAP = 0.25  # of one segment with the next, as Demucs has it
CHUNK_S = 60.0  # at least; 5 MB of buffers a second
FADE_S = 1.0
BLOCK_FRAMES = 1 << 20


class Demucs:
    """An engine made of one model, or of a bag of them.

    Parameters
    ----------
    model : str
        ``htdemucs``, ``htdemucs_ft``, ``htdemucs_6s``, ``mdx_extra``, or any ``NAME.yaml`` in the
        folder.
    folder : Path
        Where the weights are.
    device : str
        One of `DEVICES`.
    fetch : bool
        Whether weights that are missing may be downloaded.
    progress : callable
        Told the part of the downloads that is done.

    Raises
    ------
    WorkerError
        If a package, a file or the device is missing, or a file is not what its name says.
    Refused
        If there is no such model or device.
    """

    name = "demucs"
    sketch = False

    def __init__(
        self, model: str, folder: Path, device: str, *, fetch: bool, progress: Progress
    ) -> None:
        os.environ["HF_HUB_OFFLINE"] = "1"  # else a missing file costs 24 s of asking
        self.model = model
        self._device = find_device(device)
        module = package()
        if module is None:
            raise WorkerError(
                "Demucs is not installed",
                "`pip install demucs` or `pip install demucs-infer`, or take the engine embedded",
            )
        self._package = module
        distribution = PACKAGES[module]
        self.version = f"{distribution} {importlib.metadata.version(distribution)}"
        self._bag = self._load(folder, fetch=fetch, progress=progress)
        if self._bag.audio_channels != 2:
            raise WorkerError(f'model "{model}" is not stereo', "take another model")
        self.rate = int(self._bag.samplerate)
        self.stems = stem_names(self._bag.sources)

    def separate(self, mix: Sound, stems: Mapping[str, Sound], progress: Progress) -> None:
        """Separate a mix; see `sfa_engine.prep.separate.engine.Engine`."""
        mean, deviation = _level(mix)
        segment = float(self._bag.models[0].segment)
        stride = int((1.0 - OVERLAP) * int(segment * self.rate))
        # whole strides: a segment that is begun costs as much as a full one
        chunk_frames = max(2, -(-int(CHUNK_S * self.rate) // stride)) * stride
        apply_model = importlib.import_module(f"{self._package}.apply").apply_model

        def separate(sound: Sound, report: Progress) -> dict[str, Sound]:
            def told(state: Mapping[str, Any]) -> None:
                if state.get("state") == "end":
                    offset = min(len(sound), state["segment_offset"] + stride)
                    whole = state["model_idx_in_bag"] + offset / len(sound)
                    report(whole / state["models"])

            levelled = (torch.from_numpy(sound.T.copy()) - mean) / deviation
            with torch.no_grad():
                out = apply_model(
                    self._bag,
                    levelled[None],
                    shifts=0,
                    overlap=OVERLAP,
                    device=self._device,
                    callback=told,
                )[0]
            out = out * deviation + mean
            return {
                name: np.ascontiguousarray(part.numpy().T)
                for name, part in zip(self.stems, out.cpu(), strict=True)
            }

        in_chunks(mix, stems, Chunking(chunk_frames, int(FADE_S * self.rate)), separate, progress)

    def _load(self, folder: Path, *, fetch: bool, progress: Progress) -> Any:
        """Return the bag of models."""
        described = description(self._package, self.model, folder)
        signatures, weights, segment = read_bag(described)
        parts = []
        for index, signature in enumerate(signatures):

            def report(part: float, index: int = index) -> None:
                progress((index + part) / len(signatures))

            parts.append(self._part(folder, signature, fetch=fetch, progress=report))
        states = importlib.import_module(f"{self._package}.states")
        loaded = [self._load_part(states, path) for path in parts]
        apply = importlib.import_module(f"{self._package}.apply")
        made = apply.BagOfModels(loaded, weights, segment)
        made.eval()
        return made

    def _part(self, folder: Path, signature: str, *, fetch: bool, progress: Progress) -> Path:
        """Return the checked file of one part of the model; download it if that is wanted."""
        path = models.find_part(folder, signature)
        source = _sources(self._package).get(signature)
        cure = f"remove it, and put the right one into {folder}"
        if path is None and source is None:
            raise WorkerError(
                f'model "{self.model}" needs {signature}-….th, which is not in "{folder}"',
                "put it there; its author says where to get it",
            )
        if path is None:
            assert source
            target = folder / source.rpartition("/")[2]
            if not fetch:
                raise WorkerError(
                    f'model "{self.model}" needs {target.name}, which is not in "{folder}"',
                    f"get it from {source} and put it there, or ask for that with --fetch; "
                    "its authors permit scientific use",
                )
            path = models.fetch(source, target, progress)
        return models.trusted(path, cure)

    def _load_part(self, states: Any, path: Path) -> Any:
        """Return one network; one that is not pinned may be made of Demucs's own classes only."""
        try:
            if path.suffix == ".safetensors":
                _check_classes(path)
                loader = importlib.import_module(_SAFETENSORS[self._package])
                return loader.load_safetensors_model(path)
            if models.is_pinned(path):
                return states.load_model(path)
            return states.load_model(_read_plainly(path, self._package))
        except WorkerError:
            raise
        except Exception as problem:  # what is in a pickle can raise anything
            raise WorkerError(
                f'"{path}" cannot be loaded: {type(problem).__name__}: {problem!s:.200}',
                "it is no model of Demucs, or of another version; fetch it again",
            ) from problem


def _read_plainly(path: Path, package: str) -> dict[str, Any]:
    """Return what is in a ``.th`` of any author, without running anything that is in it.

    Raises
    ------
    WorkerError
        If there is more in it than tensors, plain values and one of `CLASSES`.
    """
    classes = {}
    for name in CLASSES:
        _, module, kind = name.split(".")
        classes[name] = getattr(importlib.import_module(f"{package}.{module}"), kind)
    try:
        with torch.serialization.safe_globals(
            [Fraction, *((kind, name) for name, kind in classes.items())]
        ):
            found = torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as problem:
        raise WorkerError(
            f'"{path}" cannot be loaded: it is damaged, or there is more in it than weights',
            "it is none of the models that Demucs published, and might run a program",
        ) from problem
    if not isinstance(found, dict) or found.get("klass") not in classes.values():
        raise WorkerError(f'"{path}" is no model of Demucs', "fetch it again, or take another")
    return found


def _check_classes(path: Path) -> None:
    """Refuse a ``.safetensors`` whose metadata names a class that is not one of `CLASSES`.

    So is one with a ``structure``, of a quantized state: Demucs imports whatever name is in it.
    """
    from safetensors import safe_open

    with safe_open(str(path), framework="pt") as file:
        metadata = file.metadata() or {}
    name = metadata.get("klass", "")
    plain = name.replace("demucs_infer.", "demucs.", 1)
    if plain not in CLASSES:
        raise WorkerError(
            f'"{path}" names {name!r:.80}, which is no class of Demucs', "take another model"
        )
    if "structure" in metadata:
        raise WorkerError(
            f'"{path}" is quantized, and might run a program', "take one with plain weights"
        )


def stem_names(sources: Sequence[str]) -> tuple[str, ...]:
    """Return our names of a model's sources: ``vocal`` is ``vocals``; what is unknown stays."""
    names = [
        next((stem for stem, words in STEM_WORDS.items() if source in words.split()), source)
        for source in (source.lower() for source in sources)
    ]
    unique = len(set(names)) == len(names)
    return tuple(names if unique else sources)


def find_device(device: str) -> str:
    """Return where to compute: ``cpu``, ``cuda`` or ``mps``; "auto" is the fastest there is.

    Raises
    ------
    Refused
        If it is none of `DEVICES`.
    WorkerError
        If the machine has no such device.
    """
    has = {
        "cuda": torch.cuda.is_available(),
        "mps": torch.backends.mps.is_available(),
        "cpu": True,
    }
    if device == "auto":
        return next(name for name, there in has.items() if there)
    if device not in has:
        raise Refused(f'no device "{device:.40}"', did_you_mean(device, DEVICES) or "say cpu")
    if not has[device]:
        there = ", ".join(name for name, there in has.items() if there)
        raise WorkerError(f"this machine has no {device} that torch can use", f"take {there}")
    return device


def _sources(module: str) -> dict[str, str]:
    """Return the address of each published part of a model, by its signature.

    The package lists file names under ``root:`` lines; the host is that of its authors, or the
    one that the environment names.
    """
    host = os.environ.get("SFA_MODELS_URL") or "https://dl.fbaipublicfiles.com/demucs"
    root = ""
    sources = {}
    for line in (package_folder(module) / "remote" / "files.txt").read_text().splitlines():
        if line.startswith("root:"):
            root = line.removeprefix("root:").strip()
        elif line.strip() and not line.startswith("#"):
            sources[line.split("-")[0]] = f"{host.rstrip('/')}/{root}{line.strip()}"
    return sources


def _level(mix: Sound) -> tuple[float, float]:
    """Return mean and deviation of the middle of a track, as Demucs takes them."""
    total = squares = 0.0
    for begin in range(0, len(mix), BLOCK_FRAMES):
        middle = np.asarray(mix[begin : begin + BLOCK_FRAMES], np.float64).mean(axis=1)
        total += float(middle.sum())
        squares += float((middle**2).sum())
        forget([mix])
    mean = total / len(mix)
    variance = max(0.0, squares - len(mix) * mean**2) / max(1, len(mix) - 1)
    return mean, variance**0.5 + 1e-8
