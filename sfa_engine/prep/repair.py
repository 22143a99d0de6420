"""Repairs of sound files that FFmpeg would misread, applied while it reads them.

::

    WAV, W64, CAF with fewer bits than their container has    the header states the container's bits
    WAV with 24 bits at the lower end of 32 (arecord)         one byte before its samples
    WAV with big-endian samples (RIFX)                        the header of an AIFF
    MP3, ADTS with damage between their frames                silent frames, as many as were lost

The first three would be decoded to noise. In the fourth FFmpeg continues with the next frame, so
that everything after the damage would be early.

FFmpeg reads a `SplicedFile`; the file itself is not changed. Decodes nothing.
"""

from __future__ import annotations

import io
import os
import struct
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import BinaryIO, Literal

from sfa_engine.library.payload import Chunk, chunks, find_payload
from sfa_engine.prep.frames import (
    ADTS_SYNC,
    MP3_SYNC,
    Frame,
    adts_frame,
    mp3_frame,
    xing_counts,
)

MAX_SPLICES = 10_000  # damaged ranges in a file; one with more is left to FFmpeg
MAX_SILENT_BYTES = 1 << 26  # in memory; at 320 kbit/s half an hour
MAX_TRIES = 100_000  # sync words that are not frames; 100 MB of noise have 5000
MAX_STARVED = 64  # frames without their reservoir; at 8 kbit/s 511 bytes are 22 frames
MIN_CHAIN = 3  # frames in a row that are not a coincidence

LOOKS, LOOK_BYTES = 64, 4096  # places of a file at which its samples are looked at

_PCM, _FLOAT = 1, 3
_EXPONENTS = range(0x2F, 0x4C)  # high bytes of floats from 2^-33 to 2^24
_EXTENSIBLE = 0xFFFE
_GUID_TAIL = bytes.fromhex("1000800000aa00389b71").rjust(12, b"\0")


@dataclass(frozen=True, slots=True)
class Splice:
    """Bytes that replace those from `begin` to before `end`."""

    begin: int
    end: int
    content: bytes


class SplicedFile(io.RawIOBase):
    """A readable file with some bytes of another replaced.

    Parameters
    ----------
    file : binary file
        Seekable; not closed with this one.
    splices : sequence of Splice
        Ascending, not overlapping, within the file.
    """

    def __init__(self, file: BinaryIO, splices: Sequence[Splice]) -> None:
        super().__init__()
        self._file = file
        self._at = 0
        self._pieces: list[
            tuple[int, bytes | tuple[int, int]]
        ] = []  # offset here, and content or range of the file
        offset = at = 0
        size = file.seek(0, os.SEEK_END)
        for splice in [*splices, Splice(size, size, b"")]:
            for length, piece in (
                (splice.begin - at, (at, splice.begin)),
                (len(splice.content), splice.content),
            ):
                if length:
                    self._pieces.append((offset, piece))
                    offset += length
            at = splice.end
        self._size = offset

    def readable(self) -> bool:
        """Return True."""
        return True

    def seekable(self) -> bool:
        """Return True."""
        return True

    def tell(self) -> int:
        """Return the position."""
        return self._at

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        """Set the position."""
        base = {os.SEEK_SET: 0, os.SEEK_CUR: self._at, os.SEEK_END: self._size}[whence]
        self._at = max(0, base + offset)
        return self._at

    def read(self, size: int = -1) -> bytes:
        """Return bytes from the position on; fewer at the end."""
        end = self._size if size is None or size < 0 else min(self._at + size, self._size)
        found = []
        for offset, piece in self._pieces[self._first() :]:
            if offset >= end:
                break
            length = len(piece) if isinstance(piece, bytes) else piece[1] - piece[0]
            begin, stop = max(0, self._at - offset), min(length, end - offset)
            if begin >= stop:
                continue
            if isinstance(piece, bytes):
                data = piece[begin:stop]
            else:
                self._file.seek(piece[0] + begin)
                data = self._file.read(stop - begin)
            found.append(data)
            self._at += len(data)
            if len(data) < stop - begin:
                break
        return b"".join(found)

    def _first(self) -> int:
        """Return the index of the piece at the position."""
        low, high = 0, len(self._pieces)
        while high - low > 1:
            middle = (low + high) // 2
            low, high = (middle, high) if self._pieces[middle][0] <= self._at else (low, middle)
        return low


@dataclass(frozen=True, slots=True)
class Repairs:
    """The replacements that make FFmpeg read a file correctly.

    Parameters
    ----------
    splices : tuple of Splice
        For `SplicedFile`.
    silent_seconds : Fraction
        Length of the silence in place of damaged frames.
    """

    splices: tuple[Splice, ...] = ()
    silent_seconds: Fraction = Fraction(0)

    def applied(self, file: BinaryIO) -> BinaryIO | SplicedFile:
        """Return the file for FFmpeg to read, which is the file itself without repairs."""
        return SplicedFile(file, self.splices) if self.splices else file


def find_repairs(file: BinaryIO) -> Repairs:
    """Find the repairs of a sound file.

    Parameters
    ----------
    file : binary file
        Opened for reading, seekable; rewound afterwards.
    """
    file.seek(0)
    head = file.read(16)
    found = Repairs()
    if head[:4] == b"RIFX":
        found = Repairs(tuple(_as_aiff(file)))
    elif head[:4] in {b"RIFF", b"RF64", b"BW64", b"riff"}:
        found = Repairs(tuple(_container_bits(file)))
    elif head[:4] == b"caff":
        found = Repairs(tuple(_caf_bits(file)))
    elif head[:3] == b"ID3" or head[:1] == b"\xff":
        found = _fill_holes(file)
    file.seek(0)
    return found


@dataclass(frozen=True, slots=True)
class _Form:
    """The format chunk of a WAV: floats or integers, with `bits` of the container."""

    at: int
    is_float: bool
    is_extensible: bool
    channels: int
    rate: int
    bits: int
    stated: tuple[int, int]  # bits of the container and valid ones


def _form(file: BinaryIO, endian: Literal["little", "big"]) -> _Form | None:
    """Parse the format of a WAV of plain samples; None for others."""
    chunk = next((chunk for chunk in chunks(file) if chunk.name == b"fmt "), None)
    if chunk is None or chunk.length < 16:
        return None
    file.seek(chunk.offset)
    body = file.read(min(chunk.length, 40)).ljust(40, b"\0")

    def word(at: int, size: int = 2) -> int:
        return int.from_bytes(body[at : at + size], endian)

    kind, channels, align, bits = word(0), word(2), word(12), word(14)
    is_extensible = kind == _EXTENSIBLE and chunk.length >= 40
    if is_extensible:
        # as bytes: in a big-endian file only the first word is swapped
        kind = word(24) if body[28:40] == _GUID_TAIL else 0
    if kind not in {_PCM, _FLOAT} or not channels or not bits:
        return None
    container = align * 8 // channels
    if align % channels or container not in {8, 16, 24, 32, 64} or bits > container:
        container = bits
    stated = bits, word(18) if is_extensible else bits
    return _Form(
        chunk.offset, kind == _FLOAT, is_extensible, channels, word(4, 4), container, stated
    )


def _container_bits(file: BinaryIO) -> list[Splice]:
    """Let the header of a WAV state the bits of its container.

    The valid bits are the upper ones of the container: read whole, the level is right. Of 24 bits
    in 32 without an extensible header there are two other kinds, told by their samples.
    """
    form = _form(file, "little")
    if form is None or form.stated == (form.bits, form.bits):
        return []
    data = next((chunk for chunk in chunks(file) if chunk.name == b"data"), None)
    bits = form.bits.to_bytes(2, "little")
    header = [Splice(form.at + 14, form.at + 16, bits)]
    if form.is_extensible:
        header.append(Splice(form.at + 18, form.at + 20, bits))
    elif not form.is_float and form.stated[0] == 24 and form.bits == 32 and data is not None:
        kind = _kind_of_24_in_32(file, data)
        if kind == "float":
            return []
        if kind == "low":  # a byte later they are the upper bits
            header.append(Splice(data.offset, data.offset, b"\0"))
    return header


def _kind_of_24_in_32(file: BinaryIO, data: Chunk) -> Literal["high", "low", "float"]:
    """Tell at which end of 32 bits 24 are; or that they are floats up to 2^23, by Cool Edit."""
    length = min(data.length, file.seek(0, os.SEEK_END) - data.offset)
    step = max(LOOK_BYTES, length // LOOKS) & ~3
    lows, highs = set[int](), Counter[int]()
    for at in range(0, length, step):
        file.seek(data.offset + at)
        piece = file.read(LOOK_BYTES)
        piece = piece[: len(piece) & ~3]
        lows.update(piece[0::4])
        highs.update(piece[3::4])
    ends = highs.keys() <= {0, 0xFF}
    of_floats = sum(count for high, count in highs.items() if high & 0x7F in _EXPONENTS)
    # An integer a little below 0 is no float, or a very large one.
    is_float = not any(high & 0x7F >= _EXPONENTS.stop for high in highs)
    if is_float and of_floats * 2 > sum(highs.values()) - highs[0]:
        return "float"
    return "low" if ends and not lows <= {0} else "high"


def _caf_bits(file: BinaryIO) -> list[Splice]:
    """Let the description of a CAF state the bits of its container, as `_container_bits`."""
    chunk = next((chunk for chunk in chunks(file) if chunk.name == b"desc"), None)
    if chunk is None or chunk.length < 32:
        return []
    file.seek(chunk.offset + 8)
    body = file.read(24)
    if len(body) < 24 or body[:4] != b"lpcm":
        return []
    flags, packet, frames, channels, bits = struct.unpack(">5I", body[4:])
    is_float = flags & 1
    if is_float or frames != 1 or not channels or packet % channels:
        return []
    container = packet // channels * 8
    if not 0 < bits < container or container not in {16, 24, 32}:
        return []
    return [Splice(chunk.offset + 28, chunk.offset + 32, container.to_bytes(4, "big"))]


def _as_aiff(file: BinaryIO) -> list[Splice]:
    """Turn a big-endian WAV into an AIFF: FFmpeg takes its samples for little-endian."""
    form = _form(file, "big")
    data = next((chunk for chunk in chunks(file) if chunk.name == b"data"), None)
    if form is None or data is None:
        return []
    kinds = {8: b"raw ", 16: b"twos", 24: b"in24", 32: b"in32"}
    kind = {32: b"fl32", 64: b"fl64"}.get(form.bits) if form.is_float else kinds.get(form.bits)
    if kind is None or not form.rate or form.bits < 8:
        return []
    length = min(data.length, file.seek(0, os.SEEK_END) - data.offset)
    frames = length * 8 // (form.bits * form.channels)
    exponent = form.rate.bit_length() - 1
    rate = struct.pack(">HQ", 16383 + exponent, form.rate << (63 - exponent))
    comm = (
        struct.pack(">hIh", form.channels, frames & 0xFFFFFFFF, form.bits) + rate + kind + b"\0\0"
    )
    head = b"AIFC" + b"COMM" + struct.pack(">I", len(comm)) + comm
    head += b"SSND" + struct.pack(">III", (length + 8) & 0xFFFFFFFF, 0, 0)
    whole = b"FORM" + struct.pack(">I", (len(head) + length) & 0xFFFFFFFF) + head
    end = file.seek(0, os.SEEK_END)
    return [Splice(0, data.offset, whole), Splice(data.offset + length, end, b"")]


def _fill_holes(file: BinaryIO) -> Repairs:
    """Replace damage between the frames of an MP3 or ADTS file by silent frames."""
    payload = find_payload(file)
    if payload is None or len(payload.ranges) != 1:
        return Repairs()
    begin, length = payload.ranges[0]
    for parse in (mp3_frame, adts_frame):
        walk = _Walk(file, begin, begin + length, parse)
        if walk.first is not None:
            return _silence_for(walk)
    return Repairs()


def _silence_for(walk: _Walk) -> Repairs:
    frame = walk.first
    assert frame is not None
    try:
        holes = list(walk.holes())
    except _TooManyError:
        return Repairs()
    if not holes or not frame.silence:
        return Repairs()
    lost_frames = sum(share for _, _, share in holes)
    # If the first frame states the number of frames, and the end is not missing, the number of lost
    # ones follows, cut-out ones included. Else, or if that does not fit the damaged and missing
    # bytes, it follows from the average length of a frame.
    lost: float = walk.stated_frames - walk.frames if walk.is_whole else 0
    if not 0 < lost <= 2 * (lost_frames + walk.missing_frames) + 4 or not lost_frames:
        lost = lost_frames
    if lost * len(frame.silence) > MAX_SILENT_BYTES:
        return Repairs()
    splices = []
    passed = 0.0
    done = silent = 0
    limits = [begin for begin, _, _ in holes[1:]] + [walk.end]
    for (begin, end, share), limit in zip(holes, limits, strict=True):
        passed += share
        count = round(lost * passed / lost_frames) - done if share else 0
        done += count
        splices.append(Splice(begin, end, frame.silence * count))
        starved = walk.starved(end, limit)
        splices += starved
        silent += count + len(starved)
    return Repairs(tuple(splices), Fraction(silent * frame.samples, frame.rate))


class _TooManyError(Exception):
    """The file has too much damage."""


class _Walk:
    """Walks over the frames of a file and the holes between them."""

    def __init__(
        self, file: BinaryIO, begin: int, end: int, parse: Callable[[bytes], Frame | None]
    ) -> None:
        self._file = file
        self._begin, self.end = begin, end
        self._parse = parse
        self.frames = 0
        self.stated_frames = self._stated_bytes = 0
        self._tries = 0
        self.is_whole = False  # whether the last frame ends with the sound
        self.first: Frame | None = None
        frame = self._header(begin)
        if frame and self._is_chain(begin, frame.kind):
            self.first = frame
            self._file.seek(begin)
            self.stated_frames, self._stated_bytes = xing_counts(self._file.read(200))

    @property
    def missing_frames(self) -> float:
        """Number of frames in the bytes that the first frame states and the file lacks."""
        length = self.end - self._begin
        return max(0, self._stated_bytes - length) * self.frames / length

    def holes(self) -> Iterator[tuple[int, int, float]]:
        """Yield each hole between frames; count the frames.

        A hole is its begin and end and the estimated number of lost frames, from the length of
        those around it: none in a tag, which stands where files were joined.
        """
        assert self.first is not None
        kind = self.first.kind
        at = self._begin
        if self.stated_frames:
            at += self.first.length  # it has no sound
        previous = at
        typical = float(self.first.length)
        holes = 0
        while at < self.end:
            frame = self._header(at)
            if frame is not None and frame.kind == kind:
                previous = at
                at += frame.length
                self.frames += 1
                typical += 0.05 * (frame.length - typical)
                continue
            found = self._next(previous + 1 if previous != at else at, kind)
            if found is None:
                return
            holes += 1
            if holes > MAX_SPLICES:
                raise _TooManyError
            if found < at:  # the previous frame was cut: another begins within it
                self.frames -= 1
                at = previous
            yield at, found, 0.0 if self._is_tag(at) else (found - at) / typical
            previous = at = found
        self.is_whole = at == self.end

    def starved(self, at: int, limit: int) -> list[Splice]:
        """Silence the MP3 frames up to a limit whose data begins in lost frames.

        A frame's data may begin in earlier frames (the bit reservoir); without them it would be
        decoded to loud noise. The frame's own bytes stay, as the next may need them.
        """
        found: list[Splice] = []
        held = 0  # bytes in the reservoir
        while self._parse is mp3_frame and len(found) < MAX_STARVED:
            frame = self._header(at)
            if frame is None or at + frame.length > limit:
                break
            self._file.seek(at)
            head = self._file.read(8)
            begin = at + (4 if head[1] & 1 else 6)
            is_first, is_mono = frame.kind[0] == 3, frame.kind[2]
            bits = 9 if is_first else 8
            size = (17 if is_mono else 32) if is_first else (9 if is_mono else 17)
            self._file.seek(begin)
            back = int.from_bytes(self._file.read(2), "big") >> (16 - bits)
            if back <= held:
                break
            most = min(held, (1 << bits) - 1)
            side = (most << (16 - bits)).to_bytes(2, "big").ljust(size, b"\0")
            found.append(Splice(begin, begin + size, side))
            at += frame.length
            held += max(0, at - begin - size)
        return found

    def _is_tag(self, at: int) -> bool:
        self._file.seek(at)
        return self._file.read(8).startswith((b"ID3", b"TAG", b"APETAGEX"))

    def _header(self, at: int) -> Frame | None:
        self._file.seek(at)
        head = self._file.read(7)
        frame = self._parse(head)
        return None if frame is None or at + frame.length > self.end else frame

    def _is_chain(self, at: int, kind: tuple[int, ...]) -> bool:
        """Return whether several frames of a kind follow each other, up to the end at most."""
        for _ in range(MIN_CHAIN):
            frame = self._header(at)
            if frame is None or frame.kind != kind:
                return False
            at += frame.length
            if at == self.end:
                break
        return True

    def _next(self, at: int, kind: tuple[int, ...]) -> int | None:
        """Return the position of the next chain of frames."""
        sync = MP3_SYNC if self._parse is mp3_frame else ADTS_SYNC
        while at < self.end:
            self._file.seek(at)
            piece = self._file.read((1 << 16) + 1)  # a sync may begin with the last byte
            for found in sync.finditer(piece):
                position = at + found.start()
                if position >= self.end:
                    return None
                self._tries += 1
                if self._tries > MAX_TRIES:
                    raise _TooManyError
                if self._is_chain(position, kind):
                    return position
            at += 1 << 16
        return None
