"""Long tracks in chunks that fade into each other, so that memory does not grow with length.

::

    ├──────── chunk ────────┤
                       ├──────── chunk ────────┤
                       fade                ├──────── chunk …

Both sides of a fade sum to one, so stems that sum to their chunk sum to the track. Knows arrays
only; they may be mapped files, whose pages are let go after each piece of work.
"""

from __future__ import annotations

import mmap
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Sound = NDArray[np.float32]
Progress = Callable[[float], None]


@dataclass(frozen=True)
class Chunking:
    """How a track is cut: frames of a chunk, and of the fade that it shares with the next."""

    chunk_frames: int
    fade_frames: int

    def bounds(self, frames: int) -> list[tuple[int, int]]:
        """Return begin and end of each chunk of a track, in frames.

        The last chunk may be longer by a half: a short rest would be separated without context.
        """
        step = self.chunk_frames - self.fade_frames
        bounds = []
        begin = 0
        while frames - begin > self.chunk_frames * 3 // 2:
            bounds.append((begin, begin + self.chunk_frames))
            begin += step
        return [*bounds, (begin, frames)]


def forget(sounds: Iterable[Sound]) -> None:
    """Let go the pages of sounds that are mapped files; what was written there stays.

    Else all of ten minutes, of each stem at each rate, counts as memory of this process.
    """
    for sound in sounds:
        if isinstance(sound, np.memmap):  # a part of one knows the map of the whole
            sound._mmap.madvise(mmap.MADV_DONTNEED)  # type: ignore[attr-defined]  # noqa: SLF001


def in_chunks(
    mix: Sound,
    stems: Mapping[str, Sound],
    chunking: Chunking,
    separate: Callable[[Sound, Progress], Mapping[str, Sound]],
    progress: Progress,
) -> None:
    """Separate a track chunk by chunk.

    Parameters
    ----------
    mix : float32[frames, 2]
        The track.
    stems : mapping of str to float32[frames, 2]
        Where each stem is written to; zeros before.
    chunking : Chunking
    separate : callable
        Returns the stems of a chunk, of its length; is given a function for its own progress.
    progress : callable
        Told the part that is done, 0..1.
    """
    bounds = chunking.bounds(len(mix))
    fade = chunking.fade_frames
    rising = ((np.arange(fade, dtype=np.float32) + 0.5) / max(fade, 1))[:, None]
    for index, (begin, end) in enumerate(bounds):
        done, share = begin / len(mix), (end - begin) / len(mix)

        def report(part: float, done: float = done, share: float = share) -> None:
            progress(min(1.0, done + part * share))

        parts = separate(np.array(mix[begin:end]), report)
        for name, stem in stems.items():
            part = parts[name]
            if index > 0:
                part[:fade] *= rising
                part[:fade] += stem[begin : begin + fade]
            if index < len(bounds) - 1:
                part[len(part) - fade :] *= rising[::-1]
            stem[begin:end] = part
        forget([mix, *stems.values()])
    progress(1.0)
