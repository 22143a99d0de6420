"""Where other programs have zero in an MP3: what is added to our positions.

An MP3 encoder puts a delay before the sound, and states it in a *tag frame* that holds no sound.
Our decoder removes the delay where it is stated. Traktor and Serato count every frame, rekordbox
all but a tag frame that it does not trust, Mixxx (libmad) all but the first; VirtualDJ and djay
remove what we remove. At 44.1 kHz, in frames::

    case  the first frame                        removed  Traktor  rekordbox  Mixxx
                                                          Serato
    A     has sound                                    0        0          0  -1152
    B1    is a tag frame without an encoder's delay    0    +1152          0      0
    B2    by Lavc or Lavf (FFmpeg)                  1105    +2257      +1105  +1105
    C     by LAME, its CRC wrong                    1105    +2257      +1105  +1105
    D     by LAME, its CRC right: 94 % of MP3s      1105    +2257      +2257  +1105

Least sure are rekordbox in B2 and C, and the AAC of an M4A, where rekordbox does not remove the
priming that the file states. All other kinds of files have the same zero everywhere. Reads the
beginning of a file; decodes nothing.

References
----------
.. [1] Mixxx, pull request 2119, "Serato and rekordbox timing offsets", 2019.
.. [2] LAME, "Xing VBR and LAME tag", revision 1.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from sfa_engine.interchange.mp4_boxes import MAX_MOOV_BYTES, Box, boxes, find, integer

PROGRAMS = ("traktor", "serato", "rekordbox", "mixxx", "virtualdj", "djay", "engine")
DECODER_DELAY = 529  # samples that a decoder adds to the encoder's delay
HEAD_BYTES = 1 << 17  # in which the first frame is looked for
MAX_TAGS = 16  # ID3 tags in a row
MAX_PRIMING = 16_384  # samples; iTunes has 2112, FFmpeg 1024
_BIT_RATES = {  # kbit/s of Layer III, by whether it is MPEG-1
    True: (0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320),
    False: (0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
}
_RATES = {3: (44_100, 48_000, 32_000), 2: (22_050, 24_000, 16_000), 0: (11_025, 12_000, 8_000)}
_MONO = 3  # channel mode
_CRC_AT = 34  # bytes after the encoder's name


@dataclass(frozen=True, slots=True)
class Shift:
    """What is added to our positions in a file for another program.

    Parameters
    ----------
    case : str
        ``A``, ``B1``, ``B2``, ``C``, ``D`` of an MP3, ``AAC`` in an M4A; empty for what has no
        shift.
    seconds : float
        Positive if the other program counts more before the sound.
    is_sure : bool
        False where no measurement is known.
    """

    case: str
    seconds: float
    is_sure: bool = True


NONE = Shift("", 0.0)


@dataclass(frozen=True, slots=True)
class Start:
    """How a file begins, in frames at its own rate.

    Parameters
    ----------
    case : str
        As of `Shift`.
    rate : int
        Hz.
    removed : int
        Frames that our decoder removes, because the file states them.
    frame : int
        Length of an MP3 frame.
    """

    case: str
    rate: int
    removed: int = 0
    frame: int = 0

    def shift(self, program: str) -> Shift:
        """Return what is added to our positions for a program."""
        if self.case == "AAC":
            frames = self.removed if program == "rekordbox" else 0
            return Shift("AAC", frames / self.rate, is_sure=False)
        counted = self.removed + (self.frame if self.case != "A" else 0)  # of every frame
        if program in {"traktor", "serato"}:
            return Shift(self.case, counted / self.rate)
        if program == "rekordbox":
            skipped = self.frame if self.case in {"B1", "B2", "C"} else 0
            sure = self.case not in {"B2", "C"}
            return Shift(self.case, (counted - skipped) / self.rate, sure)
        if program == "mixxx":
            return Shift(self.case, (counted - self.frame) / self.rate)
        return Shift(self.case, 0.0, is_sure=program == "virtualdj" and self.case in {"C", "D"})


def shift_of(path: Path, program: str) -> Shift:
    """Return the shift of a sound file for a program; `NONE` if there is none.

    Parameters
    ----------
    path : pathlib.Path
        Of any kind; an odd or damaged file has no shift.
    program : str
        One of `PROGRAMS`; any other counts as we do.

    Raises
    ------
    OSError
        The file cannot be read.
    """
    if program not in PROGRAMS:
        return NONE
    start = start_of(path)
    return start.shift(program) if start else NONE


def start_of(path: Path) -> Start | None:
    """Return how an MP3 or an M4A begins; None for other files. Raises OSError."""
    with path.open("rb") as file:
        head = file.read(12)
        if head[4:8] == b"ftyp":
            return _of_mp4(file)
        file.seek(_after_tags(file))
        return mp3_start(file.read(HEAD_BYTES))


def mp3_start(data: bytes) -> Start | None:
    """Classify an MP3 by its beginning after the ID3 tags; None if it is not one."""
    at = 0
    while (at := data.find(b"\xff", at)) >= 0:
        header = _header(data, at)
        if header and _header(data, at + header.length):  # one alone may be by chance
            return _classified(data[at : at + header.length], header)
        at += 1
    return None


@dataclass(frozen=True, slots=True)
class _Header:
    rate: int
    length: int
    is_mpeg1: bool
    is_mono: bool


def _header(data: bytes, at: int) -> _Header | None:
    """Parse the header of a Layer III frame."""
    head = data[at : at + 4]
    if len(head) < 4 or head[0] != 0xFF or head[1] & 0xE6 != 0xE2:
        return None
    version, bits, hertz = head[1] >> 3 & 3, head[2] >> 4, head[2] >> 2 & 3
    if version == 1 or bits in {0, 15} or hertz == 3:
        return None
    is_mpeg1 = version == 3
    rate = _RATES[version][hertz]
    words = 144 if is_mpeg1 else 72
    length = words * 1000 * _BIT_RATES[is_mpeg1][bits] // rate + (head[2] >> 1 & 1)
    return _Header(rate, length, is_mpeg1, head[3] >> 6 == _MONO)


def _classified(frame: bytes, header: _Header) -> Start:
    samples = 1152 if header.is_mpeg1 else 576
    side = (17 if header.is_mono else 32) if header.is_mpeg1 else (9 if header.is_mono else 17)
    at = 4 + side
    if frame[at : at + 4] not in {b"Xing", b"Info"}:
        if frame[36:40] == b"VBRI":  # Fraunhofer's tag frame, of no delay that we remove
            return Start("B1", header.rate, frame=samples)
        return Start("A", header.rate, frame=samples)
    flags = integer(frame, at + 4, 4)
    at += 8 + sum(count for bit, count in ((1, 4), (2, 4), (4, 100), (8, 4)) if flags & bit)
    if frame[at : at + 4] not in {b"LAME", b"Lavc", b"Lavf"}:
        return Start("B1", header.rate, frame=samples)
    removed = (integer(frame, at + 21, 3) >> 12) + DECODER_DELAY
    case = "B2"
    if frame[at : at + 4] == b"LAME":
        crc = frame[at + _CRC_AT : at + _CRC_AT + 2]
        right = len(crc) == 2 and int.from_bytes(crc, "big") == crc16(frame[: at + _CRC_AT])
        case = "D" if right else "C"
    return Start(case, header.rate, removed, samples)


def crc16(data: bytes) -> int:
    """Return the CRC of a LAME tag: CRC-16 with the reflected polynomial 0xA001 from 0."""
    crc = 0
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ (0xA001 if crc & 1 else 0)
    return crc


def _after_tags(file: BinaryIO) -> int:
    """Return the position after the ID3v2 tags."""
    at = 0
    for _ in range(MAX_TAGS):
        file.seek(at)
        head = file.read(10)
        if len(head) < 10 or head[:3] != b"ID3" or max(head[6:]) > 0x7F:
            break
        size = 0
        for byte in head[6:]:
            size = size << 7 | byte
        at += 10 + size + (10 if head[5] & 0x10 else 0)  # with a footer
    return at


def _of_mp4(file: BinaryIO) -> Start | None:
    """Return how the AAC of an M4A begins, by its edit list or iTunes' note."""
    moov = _moov(file)
    for track in find(moov, "moov/trak"):
        handler = find(moov, "mdia/hdlr", track)
        if not handler or moov[handler[0].body + 8 : handler[0].body + 12] != b"soun":
            continue
        kind = find(moov, "mdia/minf/stbl/stsd", track)
        if not kind or moov[kind[0].body + 12 : kind[0].body + 16] != b"mp4a":
            return None  # ALAC has no priming
        rate = _timescale(moov, track)
        removed = _edited(moov, track) or _itunes_priming(moov)
        return Start("AAC", rate, removed) if rate and 0 < removed <= MAX_PRIMING else None
    return None


def _moov(file: BinaryIO) -> bytes:
    at, size = moov_range(file)
    file.seek(at)
    return file.read(size) if size <= MAX_MOOV_BYTES else b""


def moov_range(file: BinaryIO) -> tuple[int, int]:
    """Return position and size of the box that describes the streams; (0, 0) if there is none."""
    at = 0
    for _ in range(1000):
        file.seek(at)
        head = file.read(16)
        if len(head) < 8:
            break
        size, length = struct.unpack_from(">I", head)[0], 8
        if size == 1 and len(head) == 16:
            size, length = struct.unpack_from(">Q", head, 8)[0], 16
        if head[4:8] == b"moov":
            return (at, size) if size >= length else (0, 0)
        if size < length or at + size > 1 << 62:
            break
        at += size
    return 0, 0


def _timescale(moov: bytes, track: Box) -> int:
    header = find(moov, "mdia/mdhd", track)
    if not header:
        return 0
    at = header[0].body
    return integer(moov, at + (20 if moov[at : at + 1] == b"\1" else 12), 4)


def _edited(moov: bytes, track: Box) -> int:
    """Return where the first edit with sound begins."""
    lists = find(moov, "edts/elst", track)
    if not lists:
        return 0
    at = lists[0].body
    wide = moov[at : at + 1] == b"\1"
    count = min(integer(moov, at + 4, 4), 16)
    at += 8
    for _ in range(count):
        width = 8 if wide else 4
        begin = integer(moov, at + width, width, signed=True)
        if begin >= 0:  # an empty edit has -1
            return begin
        at += 2 * width + 4
    return 0


def _itunes_priming(moov: bytes) -> int:
    """Return the delay of iTunes' note ``iTunSMPB``: the second of its hexadecimal numbers."""
    for meta in find(moov, "moov/udta/meta"):
        for ilst in boxes(moov, meta.body + 4, meta.end):
            if ilst.name != b"ilst":
                continue
            for note in find(moov, "----", ilst):
                if b"iTunSMPB" not in moov[note.start : note.end]:
                    continue
                for data in find(moov, "data", note):
                    words = moov[data.body + 8 : data.end].split()
                    try:
                        return int(words[1], 16)
                    except (IndexError, ValueError):
                        return 0
    return 0
