"""Writes a master as WAV or FLAC: the same sound gives the same bytes.

A WAV of more than 4 GB is an RF64. In 16 bits there is dither, from numbers that are always the
same ones.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import soundfile
from numpy.typing import NDArray

from sfa_engine.errors import MediaError, Refused
from sfa_engine.system.atomic import atomic_file
from sfa_engine.system.write_error import write_error

Block = NDArray[np.float32]

FORMATS = (".wav", ".flac")
BITS = (16, 24)
MAX_WAV_BYTES = (1 << 32) - (1 << 16)
DITHER_SEED = 1


def check_target(target: Path, *sources: Path) -> None:
    """Refuse a file that cannot be written, or that is one of the sources.

    Raises
    ------
    Refused
        It is a source, which is never overwritten.
    MediaError
        Its ending is unknown, or its folder is missing or closed.
    """
    if target.suffix.lower() not in FORMATS:
        raise MediaError(
            f'"{target}": unknown sound format "{target.suffix}"',
            f"end it with {' or '.join(FORMATS)}",
        )
    if not target.parent.is_dir():
        raise MediaError(f'"{target.parent}" is not a folder', "make it first")
    if target.is_dir():
        raise MediaError(f'"{target}" is a folder', "name a file")
    for source in sources:
        if target.exists() and source.exists() and target.samefile(source):
            raise Refused(f'"{target}" is the source', "choose another name: it is not overwritten")
    if not os.access(target.parent, os.W_OK | os.X_OK):
        raise MediaError(
            f'"{target}" cannot be written: {os.strerror(errno.EACCES)}',
            "choose another folder, or mind its rights",
        )


class SoundOut:
    """A file that sound is written into.

    Parameters
    ----------
    path : Path
    rate : int
        Hz.
    channels : int
        1 for the left side alone.
    bits : int
        Of `BITS`.
    frames : int
        About how many there will be.
    tags : mapping of str to str
        ``title`` and ``artist``; empty ones are left out.
    """

    def __init__(
        self,
        path: Path,
        rate: int,
        *,
        channels: int,
        bits: int,
        frames: int,
        tags: dict[str, str],
    ) -> None:
        form = path.suffix.lower().lstrip(".").upper()
        if form == "WAV" and frames * channels * bits // 8 > MAX_WAV_BYTES:
            form = "RF64"
        self._path = path
        self._bits = bits
        self._channels = channels
        self._dither = np.random.Generator(np.random.PCG64(DITHER_SEED))
        self._file = soundfile.SoundFile(path, "w", rate, channels, f"PCM_{bits}", format=form)
        for name, value in tags.items():
            if value:
                setattr(self._file, name, value)

    def write(self, block: Block) -> None:
        """Write float32[n, 2]."""
        sound = block[:, : self._channels].astype(float) * 2.0 ** (self._bits - 1)
        if self._bits == 16:  # triangular, two steps wide
            sound += self._dither.random(sound.shape) - self._dither.random(sound.shape)
        full = 2 ** (self._bits - 1)
        whole = np.clip(np.rint(sound), -full, full - 1).astype(np.int32) << (32 - self._bits)
        self._file.write(whole)

    def close(self) -> None:
        """Close it, complete."""
        self._file.close()


@contextmanager
def written(target: Path) -> Iterator[Path]:
    """Yield a file beside a target, which it replaces unless the block raises.

    Raises
    ------
    MediaError
        It cannot be written; the reason is named.
    """
    try:
        with atomic_file(target, durable=False) as part:
            try:
                yield part
            except soundfile.LibsndfileError as error:
                raise write_error(part) or error from None
    except (OSError, soundfile.LibsndfileError) as why:
        hint = "choose another path"
        if isinstance(why, OSError) and why.errno in {errno.ENOSPC, errno.EDQUOT}:
            hint = "free some space, or choose another path"
        reason = why.strerror if isinstance(why, OSError) else str(why)
        raise MediaError(f'"{target}" cannot be written: {reason}', hint) from None


def write_all(target: Path, blocks: Iterable[Block], rate: int, channels: int) -> None:
    """Write blocks into a 24-bit file, atomically."""
    with written(target) as part:
        out = SoundOut(part, rate, channels=channels, bits=24, frames=0, tags={})
        try:
            for block in blocks:
                out.write(block)
        finally:
            out.close()
