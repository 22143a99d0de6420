"""Sound in mapped files of a work folder, and on its way to another rate. Knows no formats."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import soxr

from sfa_engine.prep.separate.chunks import Progress, Sound, forget

BLOCK_FRAMES = 1 << 17
_FRAME_BYTES = 8


def write_blocks(path: Path, blocks: Iterable[Sound]) -> Sound:
    """Write blocks of float32[n, 2] one after another; return all of it as a mapped file."""
    with path.open("wb") as file:
        for block in blocks:
            file.write(np.ascontiguousarray(block, "<f4").data)
    return open_sound(path)


def open_sound(path: Path) -> Sound:
    """Map what `write_blocks` or `empty_sound` made."""
    frames = path.stat().st_size // _FRAME_BYTES
    return np.memmap(path, "<f4", "r+", shape=(frames, 2))


def empty_sound(path: Path, frames: int) -> Sound:
    """Make a mapped file of silence.

    Its space is taken now: a full disk would end the process when it is filled.
    """
    with path.open("wb") as file:
        os.posix_fallocate(file.fileno(), 0, frames * _FRAME_BYTES)
    return open_sound(path)


def resampled(
    path: Path, sound: Sound, rates: tuple[int, int], frames: int | None, progress: Progress
) -> Sound:
    """Write a sound at another rate.

    Parameters
    ----------
    path : Path
        The file to make.
    sound : float32[frames, 2]
        At the first rate.
    rates : tuple of int
        From and to, in Hz.
    frames : int, optional
        Length that the result is brought to; as it comes if left out.
    progress : callable
        Told the part that is done, 0..1.

    Returns
    -------
    float32[frames, 2]
        A mapped file, at the second rate.
    """
    stream = soxr.ResampleStream(*rates, 2, dtype="float32", quality="VHQ")
    most = len(sound) * 2 * rates[1] // rates[0] + 2 if frames is None else frames

    def blocks() -> Iterable[Sound]:
        left = most
        for begin in range(0, max(1, len(sound)), BLOCK_FRAMES):
            end = begin + BLOCK_FRAMES
            block = stream.resample_chunk(np.array(sound[begin:end]), last=end >= len(sound))
            yield block[:left]
            left = max(0, left - len(block))
            forget([sound])
            progress(min(1.0, end / max(1, len(sound))))
        if frames is not None and left:
            yield np.zeros((left, 2), np.float32)

    return write_blocks(path, blocks())
