"""Locates the sound in a file, without its metadata.

A tagger rewrites tags and padding and leaves the sound; `find_payload` locates those bytes by the
container's structure, without decoding::

    WAV RF64 BW64 W64 AIFF CAF   format chunk, sound chunk
    FLAC                         STREAMINFO, frames
    Ogg (Vorbis, Opus, FLAC …)   pages' packets, without the comments
    MP4 M4A                      mdat
    Matroska WebM                clusters
    MP3 AAC                      what is left without ID3, APE and Lyrics3 tags

Files are untrusted: for any content the result is ranges within the file, or None. Memory is
bounded, time is that of reading the headers. Decodes nothing, knows no database.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import BinaryIO

MAX_CHUNKS = 100_000  # of a file; a fragmented MP4 of two hours has some thousands
MAX_RANGES = 2_000_000  # of an Ogg file: two hours have some 20,000 pages
MAX_PACKETS = 200_000  # of Ogg's headers that are parsed one by one
MAX_TAGS = 16  # in a row at the end of an MP3

Range = tuple[int, int]  # offset and length in bytes


@dataclass(frozen=True, slots=True)
class Payload:
    """The sound of a file.

    Parameters
    ----------
    ranges : tuple of (int, int)
        Offset and length in bytes; ascending, within the file.
    missing_bytes : int, optional
        Number of stated bytes that the file lacks; None: the format does not state it.
    """

    ranges: tuple[Range, ...]
    missing_bytes: int | None


@dataclass(frozen=True, slots=True)
class Chunk:
    """A chunk of a RIFF, W64, AIFF or CAF file: its name and the stated range of its body."""

    name: bytes
    offset: int
    length: int


def find_payload(file: BinaryIO) -> Payload | None:
    """Locate the sound of a file.

    Parameters
    ----------
    file : binary file
        Opened for reading, seekable.

    Returns
    -------
    Payload or None
        None if the format is unknown, or has no sound.
    """
    size = file.seek(0, os.SEEK_END)
    start = _skip_id3(file, size)
    head = _read(file, start, 64)
    found: Payload | None = None
    if head[:4] in _CHUNKED or head[:16] == _W64_RIFF:
        found = _of_chunks(file, size)
    elif head[:4] == b"fLaC":
        found = _flac(file, start, size)
    elif head[:4] == b"OggS":
        found = _ogg(file, start, size)
    elif head[4:8] in _MP4_FIRST:
        found = _mp4(file, size)
    elif head[:4] == b"\x1a\x45\xdf\xa3":
        found = _matroska(file, size)
    elif _is_sync(head) or start:
        end = _without_end_tags(file, start, size)
        found = Payload(((start, end - start),), None)
    if found is None:
        return None
    ranges = tuple(
        (at, min(length, size - at)) for at, length in found.ranges if 0 <= at < size and length > 0
    )
    return Payload(ranges, found.missing_bytes) if ranges else None


def chunks(file: BinaryIO) -> Iterator[Chunk]:
    """Yield the chunks of a RIFF, RF64, W64, AIFF or CAF file.

    The last one may end after the end of a truncated file.
    """
    size = file.seek(0, os.SEEK_END)
    head = _read(file, 0, 16)
    if head == _W64_RIFF:
        yield from _w64_chunks(file)
    elif head[:4] == b"caff":
        yield from _plain_chunks(file, size, at=8, length_bytes=8, order="big", align=1)
    elif head[:4] in {b"FORM", b"RIFX"}:
        yield from _plain_chunks(file, size, at=12, length_bytes=4, order="big", align=2)
    elif head[:4] in {b"RIFF", b"RF64", b"BW64"}:
        yield from _riff_chunks(file, size)


_CHUNKED = {b"RIFF", b"RIFX", b"RF64", b"BW64", b"FORM", b"caff"}
_W64_RIFF = bytes.fromhex("726966662e91cf11a5d628db04c10000")
_W64_TAIL = bytes.fromhex("f3acd3118cd100c04f8edb8a")
_MP4_FIRST = {b"ftyp", b"moov", b"mdat", b"free", b"skip", b"wide", b"pnot"}
_UNSTATED = {0xFFFFFFFF, 0xFFFFFFFFFFFFFFFF, 0x7FFFFFFFFFFFFFFF}
_FORMAT = {b"fmt ", b"COMM", b"desc"}
_SOUND = {b"data", b"SSND"}


def _read(file: BinaryIO, at: int, count: int) -> bytes:
    try:
        file.seek(at)
    except (OSError, OverflowError, ValueError):  # beyond any file, by a damaged length
        return b""
    return file.read(count)


def _riff_chunks(file: BinaryIO, size: int) -> Iterator[Chunk]:
    """Yield chunks; those of RF64 have their lengths in the first, ``ds64``."""
    long: dict[bytes, int] = {}
    for chunk in _plain_chunks(
        file, size, at=12, length_bytes=4, order="little", align=2, long=long
    ):
        if chunk.name == b"ds64":
            long[b"data"] = int.from_bytes(_read(file, chunk.offset + 8, 8), "little")
        yield chunk


def _plain_chunks(
    file: BinaryIO,
    size: int,
    *,
    at: int,
    length_bytes: int,
    order: str,
    align: int,
    long: dict[bytes, int] | None = None,
) -> Iterator[Chunk]:
    for _ in range(MAX_CHUNKS):
        head = _read(file, at, 4 + length_bytes)
        if len(head) < 4 + length_bytes:
            return
        name = head[:4]
        at += len(head)
        length = int.from_bytes(head[4:], "little" if order == "little" else "big")
        if long and length == 0xFFFFFFFF:
            length = long.get(name, length)
        if length in _UNSTATED or (name == b"data" and not length):  # recorded, or still written
            length = size - at
        yield Chunk(name, at, length)
        at += length + (-length) % align


def _w64_chunks(file: BinaryIO) -> Iterator[Chunk]:
    at = 40
    for _ in range(MAX_CHUNKS):
        head = _read(file, at, 24)
        length = int.from_bytes(head[16:], "little") - 24
        if len(head) < 24 or length < 0:
            return
        name = head[:4] if head[4:16] == _W64_TAIL else b"?"
        yield Chunk(name, at + 24, length)
        at += 24 + length + (-length) % 8


def _of_chunks(file: BinaryIO, size: int) -> Payload | None:
    kinds: dict[bool, Range] = {}
    missing = 0
    for chunk in chunks(file):
        missing = max(missing, chunk.offset + chunk.length - size)
        if chunk.name in _SOUND:
            kinds.setdefault(True, (chunk.offset, chunk.length))
        elif chunk.name in _FORMAT:
            kinds.setdefault(False, (chunk.offset, chunk.length))
    if True not in kinds:
        return None
    return Payload(tuple(sorted(kinds.values())), missing)


def _flac(file: BinaryIO, start: int, size: int) -> Payload | None:
    at = start + 4
    info: Range | None = None
    for _ in range(MAX_CHUNKS):
        head = _read(file, at, 4)
        if len(head) < 4:
            return None
        length = int.from_bytes(head[1:], "big")
        if head[0] & 0x7F == 0:
            info = (at + 4, length)
        at += 4 + length
        if head[0] & 0x80:
            break
    else:
        return None
    end = _without_end_tags(file, at, size)
    return Payload((*([info] if info else []), (at, end - at)), None)


def _ogg(file: BinaryIO, start: int, size: int) -> Payload | None:
    """Locate the packets of each logical stream without its comments, the second packet.

    In FLAC streams every packet before the first with a frame's sync is metadata.
    """
    looked = 0
    packets: dict[bytes, int] = {}  # how many packets of a stream have ended
    is_flac: dict[bytes, bool] = {}
    kept: dict[bytes, bool] = {}  # whether a packet that continues on the next page is sound
    ranges: list[Range] = []
    at, is_last = start, False
    while len(ranges) < MAX_RANGES:
        head = _read(file, at, 27 + 255)
        if len(head) < 27 or head[:4] != b"OggS":
            following = _find(file, at + 1, b"OggS")  # damage, or a foreign tag
            if following is None:
                break
            at = following
            continue
        serial, laces = head[14:18], head[27 : 27 + head[26]]
        is_last = bool(head[5] & 4)
        if head[5] & 2:
            packets[serial], kept[serial] = 0, True
            is_flac[serial] = False
        at += 27 + head[26]
        if (packets.get(serial, 2) > 1 and not is_flac.get(serial)) or looked > MAX_PACKETS:
            _add(ranges, at, sum(laces))  # sound only
            at += sum(laces)
            laces = b""
        is_start = not head[5] & 1
        for length, ends in _packets(laces):
            looked += 1
            number = packets.get(serial, 2)
            if is_start:
                first = _read(file, at, 5) if number < 2 or is_flac.get(serial) else b""
                if number == 0:
                    is_flac[serial] = first == b"\x7fFLAC"
                is_comment = number == 1
                if is_flac.get(serial) and number:
                    is_comment = first[:1] != b"\xff"
                    is_flac[serial] = is_comment
                kept[serial] = not is_comment
            if kept.get(serial, True) and length:
                _add(ranges, at, length)
            at += length
            is_start = ends
            if ends:
                packets[serial] = number + 1
        if at > size:
            return Payload(tuple(ranges), at - size)
    return Payload(tuple(ranges), 0 if is_last else 1)


def _add(ranges: list[Range], at: int, length: int) -> None:
    """Add a range, or extend the last one if they are adjacent."""
    if ranges and sum(ranges[-1]) == at:
        ranges[-1] = (ranges[-1][0], ranges[-1][1] + length)
    elif length:
        ranges.append((at, length))


def _packets(laces: bytes) -> Iterator[tuple[int, bool]]:
    """Yield the length of each packet on a page, and whether it ends there."""
    length = 0
    open_ = False
    for lace in laces:
        length += lace
        open_ = lace == 255
        if not open_:
            yield length, True
            length = 0
    if open_:
        yield length, False


def _find(file: BinaryIO, at: int, what: bytes) -> int | None:
    """Return the next position of some bytes, or None."""
    file.seek(at)
    held = b""
    count = 1 << 9  # usually near
    while piece := file.read(count):
        count = min(2 * count, 1 << 16)
        index = (held + piece).find(what)
        if index >= 0:
            return at - len(held) + index
        at += len(piece)
        held = (held + piece)[-len(what) + 1 :]
    return None


def _mp4(file: BinaryIO, size: int) -> Payload | None:
    ranges: list[Range] = []
    at, end, described = 0, 0, False
    for _ in range(MAX_CHUNKS):
        head = _read(file, at, 16)
        if len(head) < 8:
            break
        length, header = int.from_bytes(head[:4], "big"), 8
        if length == 1 and len(head) == 16:
            length, header = int.from_bytes(head[8:], "big"), 16
        elif length == 0:
            length = size - at
        if length < header:
            break
        end = at + length
        described |= head[4:8] in {b"moov", b"moof"}
        if head[4:8] == b"mdat":
            ranges.append((at + header, length - header))
        at = end
    return Payload(tuple(ranges), max(0, end - size) or (0 if described else 1))


def _matroska(file: BinaryIO, size: int) -> Payload | None:
    ranges: list[Range] = []
    at, end = 0, 0
    for _ in range(MAX_CHUNKS):
        head = _read(file, at, 12)
        name = _ebml(head, keep_marker=True)
        length = _ebml(head[name[1] :], keep_marker=False) if name else None
        if not name or not length:
            break
        body = at + name[1] + length[1]
        if name[0] == 0x18538067:  # Segment: parse its children
            at = body
            if not length[2]:
                end = body + length[0]
            continue
        reach = size if length[2] else body + length[0]
        if name[0] == 0x1F43B675:  # Cluster
            ranges.append((body, reach - body))
        at = reach
    missing = max(0, max(at, end) - size)
    return Payload(tuple(ranges), missing)


def _ebml(data: bytes, *, keep_marker: bool) -> tuple[int, int, bool] | None:
    """Return a number, its size in bytes, and whether it means unknown."""
    if not data or not data[0]:
        return None
    count = 9 - data[0].bit_length()
    if len(data) < count:
        return None
    value = int.from_bytes(data[:count], "big")
    if keep_marker:
        return value, count, False
    most = (1 << (7 * count)) - 1
    return value & most, count, value & most == most


def _is_sync(head: bytes) -> bool:
    """Return whether a header is an MPEG frame's."""
    return len(head) > 1 and head[0] == 0xFF and head[1] & 0xE0 == 0xE0


def _skip_id3(file: BinaryIO, size: int) -> int:
    """Return the position after the ID3v2 tags."""
    at = 0
    for _ in range(MAX_TAGS):
        head = _read(file, at, 10)
        if len(head) < 10 or head[:3] != b"ID3" or max(head[6:]) > 0x7F:
            break
        at += 10 + _synchsafe(head[6:]) + (10 if head[5] & 0x10 else 0)
    return at if at < size else 0


def _synchsafe(data: bytes) -> int:
    return sum((byte & 0x7F) << (7 * index) for index, byte in enumerate(reversed(data)))


def _without_end_tags(file: BinaryIO, start: int, size: int) -> int:
    """Return the end of the sound, before tags of any kind."""
    end = size
    for _ in range(MAX_TAGS):
        shorter = next(filter(None, (tag(file, end) for tag in _END_TAGS)), 0)
        if not start < shorter < end:
            break
        end = shorter
    return end


def _id3v1(file: BinaryIO, end: int) -> int:
    if end < 128 or _read(file, end - 128, 3) != b"TAG":
        return 0
    return end - 128 - (227 if end >= 355 and _read(file, end - 355, 4) == b"TAG+" else 0)


def _ape(file: BinaryIO, end: int) -> int:
    foot = _read(file, end - 32, 32) if end >= 32 else b""
    if foot[:8] != b"APETAGEX":
        return 0
    has_header = foot[23] & 0x80
    return end - int.from_bytes(foot[12:16], "little") - (32 if has_header else 0)


def _lyrics3(file: BinaryIO, end: int) -> int:
    foot = _read(file, end - 15, 15) if end >= 15 else b""
    if foot[6:] != b"LYRICS200" or not foot[:6].isdigit():
        return 0
    return end - 15 - int(foot[:6])


def _id3v2_foot(file: BinaryIO, end: int) -> int:
    foot = _read(file, end - 10, 10) if end >= 10 else b""
    if foot[:3] != b"3DI" or max(foot[6:]) > 0x7F:
        return 0
    return end - 20 - _synchsafe(foot[6:])


_END_TAGS: tuple[Callable[[BinaryIO, int], int], ...] = (_id3v1, _ape, _lyrics3, _id3v2_foot)
