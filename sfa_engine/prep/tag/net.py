"""musicnn's network in NumPy: three seconds of mel bands in, 50 probabilities and 200 units out.

::

    bands ─► norm ─┬─► 7x38, 7x67 convolutions, max over frequency (timbre) ─┐
                   └─► 128, 64, 32 x1 convolutions, max over bands (rhythm) ─┴─► 561 a frame
    561 ─► 64 ─► 64 (+) ─► 64 (+), each with 7 frames around
    all 753 ─► max and mean over time, interleaved ─► 200 units ─► 50 sigmoids

The weights are those that the authors published [1]_; see ``MUSICNN-LICENSE.md``.

References
----------
.. [1] J. Pons, X. Serra, "musicnn: pre-trained convolutional neural networks for music audio
   tagging", ISMIR late-breaking demo, 2019.
"""

from __future__ import annotations

import hashlib
import zipfile
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from sfa_engine.errors import WorkerError
from sfa_engine.prep.tag.mel import Curve

NETS = ("msd", "mtt")  # Million Song Dataset, MagnaTagATune
FRAMES = 187  # that a net sees at once, 3 s
WEIGHTS = Path(__file__).with_name("musicnn.npz")
# SHA-256 of the arrays, which is the same whatever has compressed the file.
DIGEST = "e3aa46b407a9a0dabfeed11070e0b29dca1732499af5965b4be61e0b90b592a8"
_CURE = (
    "install sfa-engine again, or make the file with `python -m sfa_engine.prep.tag.convert`;"
    " `[analysis] tags = false` does without"
)

# What NumPy raises for damaged files, and for one that is an array or a pickle.
_UNREADABLE = (
    *(OSError, ValueError, TypeError, EOFError, KeyError, NotImplementedError, RuntimeError),
    *(zipfile.BadZipFile, zlib.error),
)

Arrays = dict[str, NDArray[Any]]


class ModelMissingError(WorkerError):
    """Weights are missing or damaged: a retry would fail alike."""

    code = "model-missing"


def digest_of(arrays: Mapping[str, NDArray[Any]]) -> str:
    """Return the SHA-256 of named arrays."""
    digest = hashlib.sha256()
    for name in sorted(arrays):
        array = arrays[name]
        digest.update(f"{name} {array.dtype.str} {array.shape}\n".encode())
        digest.update(array.tobytes())
    return digest.hexdigest()


def load_nets(path: Path = WEIGHTS) -> list[Net]:
    """Return the nets of a file of weights, in the order of `NETS`.

    Raises
    ------
    WorkerError
        It is not there, or is not the file that it should be.
    """
    try:
        with path.open("rb") as opened, np.load(opened, allow_pickle=False) as file:
            arrays = {name: file[name] for name in file.files}
    except FileNotFoundError:
        raise ModelMissingError(f'no weights of the tags: "{path}" is missing', _CURE) from None
    except _UNREADABLE as problem:
        raise ModelMissingError(
            f'weights of the tags "{path}" cannot be read: {problem}', _CURE
        ) from problem
    if digest_of(arrays) != DIGEST:
        raise ModelMissingError(f'weights of the tags "{path}" are damaged', _CURE)
    return [Net(arrays, net) for net in NETS]


class Net:
    """One network.

    Parameters
    ----------
    weights : mapping of str to array
        As `convert` makes them, ``NET/conv2d_5/kernel`` …
    name : str
        The part of their names before the first stroke.
    """

    def __init__(self, weights: Mapping[str, NDArray[Any]], name: str) -> None:
        self._weights: Mapping[str, Curve] = {
            key.removeprefix(f"{name}/"): np.asarray(weights[key], np.float32)
            for key in weights
            if key.startswith(f"{name}/")
        }

    def __call__(self, bands: Curve) -> tuple[Curve, Curve]:
        """Return what the net makes of some seconds.

        Parameters
        ----------
        bands : float32[frames, 96]
            From `mel.mel_frames`; `FRAMES` of them, as trained.

        Returns
        -------
        float32[50], float32[200]
            Probabilities of the labels, and the units before them, normalised.
        """
        seen = self._normed(0, bands)
        front = np.concatenate(
            [
                *(self._timbre(seen, layer) for layer in (0, 1)),
                *(self._rhythm(seen, layer) for layer in (2, 3, 4)),
            ],
            axis=1,
        )
        first = self._around(front, 5)
        second = self._around(first, 6) + first
        third = self._around(second, 7) + second
        every = np.concatenate([front, first, second, third], axis=1)
        pooled = np.stack([every.max(axis=0), every.mean(axis=0)], axis=1).ravel()
        units = self._dense("dense", self._normed(9, pooled))
        units = self._normed(10, np.maximum(units, 0.0))
        odds: Curve = np.exp(-self._dense("dense_1", units))
        probabilities: Curve = np.reciprocal(1.0 + odds)
        return probabilities, units

    def _of(self, layer: str, part: str) -> Curve:
        return self._weights[f"{layer}/{part}"]

    def _conv(self, layer: int) -> tuple[Curve, Curve]:
        """Return the kernel and the bias of a convolution."""
        name = f"conv2d_{layer}" if layer else "conv2d"
        return self._of(name, "kernel"), self._of(name, "bias")

    def _normed(self, layer: int, values: Curve) -> Curve:
        name = f"norm_{layer}" if layer else "norm"
        return values * self._of(name, "scale") + self._of(name, "shift")

    def _dense(self, name: str, values: Curve) -> Curve:
        return values @ self._of(name, "kernel") + self._of(name, "bias")

    def _timbre(self, bands: Curve, layer: int) -> Curve:
        """Convolve over time and frequency; keep the highest of all frequencies."""
        kernel, bias = self._conv(layer)
        frames, height = kernel.shape[:2]
        flat = kernel.reshape(frames * height, -1)
        windows = sliding_window_view(_padded(bands, frames), (frames, height))
        shape = (len(bands), flat.shape[1])
        highest, lowest = np.full(shape, -np.inf, np.float32), np.full(shape, np.inf, np.float32)
        for place in range(windows.shape[1]):
            made = windows[:, place].reshape(len(bands), -1) @ flat
            np.maximum(highest, made, out=highest)
            np.minimum(lowest, made, out=lowest)
        # All grow with what is under them, but where the norm's factor is negative.
        raised = self._normed(layer + 1, np.maximum(highest + bias, 0.0))
        lowered = self._normed(layer + 1, np.maximum(lowest + bias, 0.0))
        return np.maximum(raised, lowered)

    def _rhythm(self, bands: Curve, layer: int) -> Curve:
        """Convolve each band over time; keep the highest of all bands."""
        kernel, bias = self._conv(layer)
        windows = sliding_window_view(_padded(bands, len(kernel)), len(kernel), axis=0)
        made = np.maximum(windows @ kernel[:, 0, 0, :] + bias, 0.0)
        highest: Curve = self._normed(layer + 1, made).max(axis=1)
        return highest

    def _around(self, frames: Curve, layer: int) -> Curve:
        """Convolve frames with those around them."""
        kernel, bias = self._conv(layer)
        count = len(kernel)
        windows = sliding_window_view(_padded(frames, count), count, axis=0).transpose(0, 2, 1)
        flat = windows.reshape(len(frames), -1)
        made = flat @ kernel.reshape(flat.shape[1], -1)
        return self._normed(layer + 1, np.maximum(made + bias, 0.0))


def _padded(frames: Curve, count: int) -> Curve:
    """Return frames with zeros before and behind them, so that each has `count` around it."""
    before = (count - 1) // 2
    return np.pad(frames, ((before, count - 1 - before), (0, 0)))
