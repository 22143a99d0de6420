"""Sound files that grow, and that open wherever they are cut.

Sound is appended first; then the header is made to say how much there is. A process or a machine
that dies in between leaves a file with all but its last part.

====== =================== ===========================================
format samples             header
====== =================== ===========================================
wav    24-bit              sizes; RF64 from 4 GB on, in the same place
float  32-bit float        likewise
flac   24-bit              number of samples, in whole FLAC frames
====== =================== ===========================================
"""

from __future__ import annotations

import errno
import os
import struct
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from sfa_engine.errors import MediaError
from sfa_engine.system.atomic import sync
from sfa_engine.track.wav import CHANNELS, OWN_HEADER_BYTES, SAMPLE_BYTES, wav_header

Audio = npt.NDArray[np.float32]
GONE = "the file was deleted, or its disk was removed"
SUFFIXES = {"flac": ".flac", "wav": ".wav", "float": ".wav"}
FULL_24 = float(1 << 23)
_STREAMINFO = 8  # where it begins in a FLAC file, after the mark and the head of the block
_SAMPLES = _STREAMINFO + 10  # rate, channels, bits and number of samples, in one word


def to_24(sound: Audio) -> npt.NDArray[np.int32]:
    """Return sound as whole numbers of 24 bits; what is over full scale is clipped."""
    scaled = np.rint(sound.astype(np.float64) * FULL_24)
    whole: npt.NDArray[np.int32] = np.clip(scaled, -FULL_24, FULL_24 - 1).astype(np.int32)
    return whole


class SoundFile(Protocol):
    """A file that sound is appended to.

    Attributes
    ----------
    path : pathlib.Path
    frames : int
        Appended so far.
    size_bytes : int
    """

    path: Path
    frames: int

    @property
    def size_bytes(self) -> int:
        """Size of the file."""

    def append(self, sound: Audio) -> None:
        """Append float32[frames, 2]."""

    def commit(self) -> None:
        """Let the header say what there is, and wait until the disk has it."""

    def close(self) -> None:
        """Commit and close."""


def open_sound(path: Path, form: str, rate: int) -> SoundFile:
    """Make a file of a format; it must not exist yet.

    Raises
    ------
    OSError
        It cannot be made.
    """
    return GrowingFlac(path, rate) if form == "flac" else GrowingWav(path, form, rate)


class _Growing:
    def __init__(self, path: Path) -> None:
        self.path = path
        self.frames = 0
        flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
        self._handle = os.open(path, flags, 0o666)
        sync(path.parent)

    def _check_name(self) -> None:
        """Raise an error if the file has lost its name: what is written would vanish with it."""
        there = os.fstat(self._handle)
        try:
            named = self.path.stat()
        except FileNotFoundError:
            named = None
        if named is None or (named.st_dev, named.st_ino) != (there.st_dev, there.st_ino):
            raise FileNotFoundError(errno.ENOENT, GONE)


class GrowingWav(_Growing):
    """A WAV of 24 bits, or of floats.

    Parameters
    ----------
    path : pathlib.Path
    form : str
        ``wav`` or ``float``.
    rate : int
        Hz.
    """

    def __init__(self, path: Path, form: str, rate: int) -> None:
        super().__init__(path)
        self._pcm = "f32" if form == "float" else "s24"
        self._rate = rate
        self._frame_bytes = CHANNELS * SAMPLE_BYTES[self._pcm]
        self.commit()

    @property
    def size_bytes(self) -> int:
        """Size of the file."""
        return OWN_HEADER_BYTES + self.frames * self._frame_bytes

    def append(self, sound: Audio) -> None:
        """Append float32[frames, 2]."""
        if self._pcm == "f32":
            data = np.ascontiguousarray(sound, "<f4").tobytes()
        else:
            words = to_24(sound).astype("<i4").reshape(-1, 1).view(np.uint8)
            data = words[:, :3].tobytes()
        done = 0
        while done < len(data):
            done += os.pwrite(self._handle, data[done:], self.size_bytes + done)
        self.frames += len(sound)

    def commit(self) -> None:
        """Let the header say what there is, and wait until the disk has it."""
        os.pwrite(self._handle, wav_header(self.frames, self._rate, self._pcm), 0)
        self._check_name()
        os.fsync(self._handle)

    def close(self) -> None:
        """Commit and close; a part of a frame at the end is cut off."""
        try:
            os.ftruncate(self._handle, self.size_bytes)
            self.commit()
        finally:
            os.close(self._handle)


class GrowingFlac(_Growing):
    """A FLAC of 24 bits.

    Its encoder writes whole FLAC frames; the rest waits for the next, or for the end.

    Parameters
    ----------
    path : pathlib.Path
    rate : int
        Hz.
    """

    def __init__(self, path: Path, rate: int) -> None:
        import soundfile

        self._fault: type[Exception] = soundfile.LibsndfileError
        super().__init__(path)
        try:
            self._encoder: Any = soundfile.SoundFile(
                str(path), "w", rate, CHANNELS, "PCM_24", format="FLAC"
            )
        except soundfile.LibsndfileError as error:
            os.close(self._handle)
            raise OSError(0, str(error)) from None
        self._block = 0

    @property
    def size_bytes(self) -> int:
        """Size of the file."""
        return os.fstat(self._handle).st_size

    def append(self, sound: Audio) -> None:
        """Append float32[frames, 2]."""
        words = to_24(sound) << 8
        try:
            self._encoder.write(words)
        except self._fault:
            self._raise_reason()
        self.frames += len(sound)

    def _raise_reason(self) -> None:
        """Raise why the file takes no more: the library says only that it does not."""
        end = self.size_bytes
        os.pwrite(self._handle, bytes(1 << 16), end)
        os.ftruncate(self._handle, end)
        raise OSError(5, "the disk takes no more")

    def commit(self) -> None:
        """Let the header say what there is, and wait until the disk has it."""
        if not self._block:
            head = os.pread(self._handle, 4, _STREAMINFO)
            self._block = struct.unpack(">HH", head)[1] if len(head) == 4 else 0
        if self._block and self.frames:
            # A block leaves the encoder with the first sample of the next.
            written = (self.frames - 1) // self._block * self._block
            (word,) = struct.unpack(">Q", os.pread(self._handle, 8, _SAMPLES))
            word = word >> 36 << 36 | written
            os.pwrite(self._handle, struct.pack(">Q", word), _SAMPLES)
        self._check_name()
        os.fsync(self._handle)

    def close(self) -> None:
        """Write the rest and close; the encoder says in the header what there is."""
        try:
            try:
                self._encoder.close()
            except self._fault:
                self._raise_reason()
            self._check_name()
            os.fsync(self._handle)
        finally:
            os.close(self._handle)


def form_of(path: Path, form: str) -> str:
    """Return the format that a file's name asks for; `form` if it can be either.

    Raises
    ------
    MediaError
        The name ends otherwise.
    """
    suffix = path.suffix.lower()
    if suffix == SUFFIXES[form]:
        return form
    for other, ending in SUFFIXES.items():
        if suffix == ending:
            return other
    raise MediaError(f'"{path}": unknown sound format "{path.suffix}"', "end it with .flac or .wav")
