"""The whole mix of a bundle: its stems, added up. A bundle is as good a source as the file was.

What was imported from a stick that is in another pocket by now can be separated and analysed
again: the stems sum to the original.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import numpy as np
import soxr
from numpy.typing import NDArray

from sfa_engine.errors import MediaError
from sfa_engine.library.bundle import SUFFIX
from sfa_engine.prep.decode import BLOCK_FRAMES, Decoding, decode_blocks
from sfa_engine.track.media import RATE, WHOLE, Bundle, StemFile, read_bundle
from sfa_engine.track.wav import CHANNELS

Block = NDArray[np.float32]
Progress = Callable[[float], None]


def source_blocks(
    path: str | Path, rate: int = RATE, progress: Progress | None = None
) -> Decoding | Mixdown:
    """Return the sound of a file, or of a bundle, in blocks of float32[frames, 2].

    Parameters
    ----------
    path : str or Path
        A sound file, or the folder of a bundle.
    rate : int
        Hz.
    progress : callable, optional
        Told the part that is done, 0..1.
    """
    if is_bundle(path):
        return Mixdown(read_bundle(path), rate, progress)
    return decode_blocks(path, rate, progress)


def stem_files(path: str | Path) -> dict[str, Path]:
    """Return the files of a bundle's separated stems; none for what is in one piece, or mostly."""
    if not is_bundle(path):
        return {}
    bundle = read_bundle(path)
    names = [stem.name for stem in bundle.track.stems]
    separation = bundle.track.separation
    if names == [WHOLE] or (separation is not None and separation.preview is not None):
        return {}
    return {name: stem.path for name, stem in zip(names, bundle.stems, strict=True)}


def is_bundle(path: str | Path) -> bool:
    """Return whether a path is the folder of a bundle, going by its name."""
    return Path(path).suffix == SUFFIX and Path(path).is_dir()


class Mixdown:
    """The sum of a bundle's stems, for one loop over it; a `library.bundle.StemSource`.

    Parameters
    ----------
    bundle : Bundle
    rate : int
        Hz, of the blocks.
    progress : callable, optional
        Told the part that is done, 0..1.
    """

    def __init__(self, bundle: Bundle, rate: int, progress: Progress | None = None) -> None:
        self.rate = rate
        self.title = bundle.track.title
        self.artist = bundle.track.artist
        self.frames = 0
        # What befell the sound when it came in is so of what is made of it, too.
        stems = bundle.track.stems
        self.repaired_samples = max(stem.repaired_samples for stem in stems)
        self.truncated = any(stem.truncated for stem in stems)
        self.silent_seconds = max(stem.silent_frames for stem in stems) / bundle.track.rate
        self._bundle = bundle
        self._progress = progress

    @property
    def decoder(self) -> Mapping[str, str]:
        """What made the PCM of the stems, if that is known."""
        made = self._bundle.track.decoder
        if made is None:
            return {}
        return {"name": made.name, "version": made.version, "delay": made.delay}

    def __iter__(self) -> Iterator[Block]:
        track = self._bundle.track
        resampler = None
        if track.rate != self.rate:
            resampler = soxr.ResampleStream(track.rate, self.rate, CHANNELS, quality="VHQ")
        for at in range(0, track.frames, BLOCK_FRAMES):
            count = min(BLOCK_FRAMES, track.frames - at)
            block = np.zeros((count, CHANNELS), np.float32)
            for stem in self._bundle.stems:
                block += _read(stem, at, count)
            if resampler is not None:
                block = resampler.resample_chunk(block, last=at + count == track.frames)
            if len(block):
                self.frames += len(block)
                yield block
            if self._progress:
                self._progress((at + count) / track.frames)


def _read(stem: StemFile, at: int, count: int) -> Block:
    """Return frames of a stem, full scale +-1."""
    wanted = count * CHANNELS
    with stem.path.open("rb") as file:
        file.seek(stem.offset_bytes + at * CHANNELS * stem.dtype.itemsize)
        samples = np.frombuffer(file.read(wanted * stem.dtype.itemsize), stem.dtype)
    if len(samples) != wanted:
        raise MediaError(f'"{stem.path}" ends early', "prepare the track again with `sfa prep`")
    scale = np.float32(1.0 / 32768.0) if stem.dtype.kind == "i" else np.float32(1.0)
    return (samples.astype(np.float32) * scale).reshape(-1, CHANNELS)
