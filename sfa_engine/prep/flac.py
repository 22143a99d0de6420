"""A worker program: a WAV file on standard input becomes FLAC on standard output.

``python -m sfa_engine.prep.flac < stem.wav > stem.flac``. It is written as it is made, so
that the first bytes are there at once, to a pipe too, in which nothing can be written again: the
number of frames is put into the head when that is written, and the checksum of the sound stays 0,
"not known". Samples of 16 and 24 bits are kept bit for bit; floats become 24 bits.

References
----------
.. [1] RFC 9639, "Free Lossless Audio Codec (FLAC)", 2024, section 8.2.
"""

from __future__ import annotations

import os
import signal
import sys
from typing import BinaryIO

import soundfile

BLOCK_FRAMES = 65_536
NICE = 10  # beside a set that plays
_INFO_AT = 8  # of the block STREAMINFO, behind "fLaC" and its own header
_SIZES = slice(_INFO_AT + 10, _INFO_AT + 18)  # rate, channels, bits, and in 36 bits the frames
_FRAMES_MASK = (1 << 36) - 1
# By the subtype of the source: that of the result, and the type of the samples in between.
_KINDS = {"PCM_16": ("PCM_16", "int16"), "PCM_24": ("PCM_24", "int32")}
_OTHER = ("PCM_24", "float32")


class Sink:
    """What an encoder writes to that expects a file: it is passed on, and never written again.

    Parameters
    ----------
    out : binary file
    frames : int
        Of the sound.
    """

    def __init__(self, out: BinaryIO, frames: int) -> None:
        self._out = out
        self._frames = frames
        self._head = bytearray()  # until it is long enough to be completed
        self._at = 0
        self._end = 0

    def write(self, data: bytes) -> int:
        """Pass on what is written at the end; leave out a change of what was written before."""
        if self._at == self._end:
            self._end += len(data)
            self._pass(bytes(data))
        self._at += len(data)
        return len(data)

    def _pass(self, data: bytes) -> None:
        if self._end - len(data) < _SIZES.stop:
            self._head += data
            if self._end < _SIZES.stop:
                return
            sizes = int.from_bytes(self._head[_SIZES], "big")
            if self._frames <= _FRAMES_MASK:
                sizes = sizes & ~_FRAMES_MASK | self._frames
            self._head[_SIZES] = sizes.to_bytes(8, "big")
            data = bytes(self._head)
        self._out.write(data)

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        """Note where the encoder is."""
        self._at = offset + {os.SEEK_SET: 0, os.SEEK_CUR: self._at, os.SEEK_END: self._end}[whence]
        return self._at

    def tell(self) -> int:
        """Return where the encoder is."""
        return self._at

    def read(self, _count: int) -> bytes:
        """Return nothing: what was passed on is gone."""
        return b""


def encode(source: int, out: BinaryIO) -> None:
    """Encode a WAV file.

    Parameters
    ----------
    source : int
        Descriptor of the file.
    out : binary file
    """
    with soundfile.SoundFile(source, closefd=False) as wav:
        subtype, kind = _KINDS.get(wav.subtype, _OTHER)
        with soundfile.SoundFile(
            Sink(out, wav.frames), "w", wav.samplerate, wav.channels, subtype, format="FLAC"
        ) as flac:
            while block := bytes(wav.buffer_read(BLOCK_FRAMES, kind)):
                flac.buffer_write(block, kind)


def main() -> None:
    """Encode standard input."""
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)  # whom it is for is gone
    os.nice(NICE)
    with open(sys.stdout.fileno(), "wb", closefd=False) as out:
        encode(sys.stdin.fileno(), out)


if __name__ == "__main__":
    main()
