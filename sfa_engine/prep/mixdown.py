"""The whole mix of a bundle: its stems, added up. A bundle is as good a source as the file was.

What was imported from a stick that is in another pocket by now can be separated and analysed
again: the stems sum to the original.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from sfa_engine.errors import MediaError
from sfa_engine.library.bundle import SUFFIX
from sfa_engine.track.media import RATE, WHOLE, Bundle, StemFile, read_bundle
from sfa_engine.track.wav import CHANNELS

if TYPE_CHECKING:
    from sfa_engine.prep.decode import Decoding

BLOCK_FRAMES = 1 << 16
_AGAIN = "prepare the track again with `sfa prep`"
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
    # PyAV takes a quarter of a second to import, and a bundle does without
    from sfa_engine.prep.decode import decode_blocks

    return decode_blocks(path, rate, progress)


def stem_names(path: str | Path) -> list[str]:
    """Return the separated stems of a bundle; none for what is in one piece, or mostly."""
    if not is_bundle(path):
        return []
    track = read_bundle(path).track
    names = [stem.name for stem in track.stems]
    is_preview = track.separation is not None and track.separation.preview is not None
    return [] if names == [WHOLE] or is_preview else names


def stem_blocks(
    path: str | Path, name: str, rate: int = RATE, progress: Progress | None = None
) -> Mixdown:
    """Return the sound of one stem of a bundle; see `source_blocks`."""
    return Mixdown(read_bundle(path), rate, progress, only=name)


def is_bundle(path: str | Path) -> bool:
    """Return whether a path is the folder of a bundle, going by its name."""
    return Path(path).suffix == SUFFIX and Path(path).is_dir()


class Mixdown:
    """The sum of a bundle's stems, or one of them, in a loop; a `library.bundle.StemSource`.

    Parameters
    ----------
    bundle : Bundle
    rate : int
        Hz, of the blocks.
    progress : callable, optional
        Told the part that is done, 0..1.
    only : str, optional
        Name of the stem; all if left out.
    """

    def __init__(
        self,
        bundle: Bundle,
        rate: int,
        progress: Progress | None = None,
        *,
        only: str | None = None,
    ) -> None:
        self.rate = rate
        self.title = bundle.track.title
        self.artist = bundle.track.artist
        self.frames = 0
        # What befell the sound when it came in is so of what is made of it, too.
        stems = bundle.track.stems
        self._stems: Sequence[StemFile] = [
            file
            for stem, file in zip(stems, bundle.stems, strict=True)
            if only is None or stem.name == only
        ]
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

    def read(self, at: int, count: int) -> Block:
        """Return frames from a place on, at the bundle's own rate: float32[count, 2]."""
        block = _read(self._stems[0], at, count)
        for stem in self._stems[1:]:
            block += _read(stem, at, count)
        return block

    def __iter__(self) -> Iterator[Block]:
        track = self._bundle.track
        resampler = None
        if track.rate != self.rate:
            import soxr

            resampler = soxr.ResampleStream(track.rate, self.rate, CHANNELS, quality="VHQ")
        for at in range(0, track.frames, BLOCK_FRAMES):
            count = min(BLOCK_FRAMES, track.frames - at)
            block = self.read(at, count)
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
    try:
        with stem.path.open("rb") as file:
            file.seek(stem.offset_bytes + at * CHANNELS * stem.dtype.itemsize)
            samples = np.frombuffer(file.read(wanted * stem.dtype.itemsize), stem.dtype)
    except OSError as problem:
        reason = problem.strerror or problem
        raise MediaError(f'cannot read "{stem.path}": {reason}', _AGAIN) from problem
    if len(samples) != wanted:
        raise MediaError(f'"{stem.path}" ends early', _AGAIN)
    scale = np.float32(1.0 / 32768.0) if stem.dtype.kind == "i" else np.float32(1.0)
    return (samples * scale).reshape(-1, CHANNELS)
