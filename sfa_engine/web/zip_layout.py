"""A zip archive of stored files whose bytes are not known yet, written from first to last. Pure.

::

    for member: header(member), its bytes, descriptor(member, crc)
    directory(crcs)

Nothing is compressed, so the length of all is known before the first byte is read. Each checksum
follows its file, in a data descriptor. Files or archives of 4 GiB have the fields of zip64.

References
----------
.. [1] PKWARE, "APPNOTE.TXT, .ZIP File Format Specification", 6.3.10.
"""

from __future__ import annotations

import struct
import time
from collections.abc import Sequence
from dataclasses import dataclass

LIMIT = 0xFFFF_FFFF  # of the fields of 32 bits; this value means "see zip64"
_FLAGS = 0x0808  # the checksum follows; names are UTF-8
_UNIX = 3 << 8
_PLAIN, _ZIP64 = 20, 45  # version that is needed to read it
_MODE = 0o100644 << 16
_HEADER = struct.Struct("<4sHHHHHIIIHH")
_DESCRIPTOR, _DESCRIPTOR64 = struct.Struct("<4sIII"), struct.Struct("<4sIQQ")
_ENTRY = struct.Struct("<4sHHHHHHIIIHHHHHII")
_END = struct.Struct("<4sHHHHIIH")
_END64 = struct.Struct("<4sQHHIIQQQQ")
_LOCATOR = struct.Struct("<4sIQI")


@dataclass(frozen=True)
class Member:
    """A file of an archive.

    Parameters
    ----------
    name : str
        Its path in there.
    size : int
        In bytes.
    modified_s : float
        Since 1970.
    """

    name: str
    size: int
    modified_s: float


class Layout:
    """The bytes of an archive around its files.

    Parameters
    ----------
    members : sequence of Member
        In their order.
    limit : int
        From which on numbers have 64 bits.
    """

    def __init__(self, members: Sequence[Member], limit: int = LIMIT) -> None:
        self.members = tuple(members)
        self._limit = limit
        self._offsets: list[int] = []
        at = 0
        for one in members:
            self._offsets.append(at)
            at += len(self.header(one)) + one.size + len(self.descriptor(one, 0))
        self._files_size = at

    @property
    def size(self) -> int:
        """Length of the archive in bytes."""
        return self._files_size + len(self.directory([0] * len(self.members)))

    def header(self, member: Member) -> bytes:
        """Return what precedes a file."""
        name = member.name.encode()
        is_large = self._is_large(member)
        extra = struct.pack("<HHQQ", 1, 16, 0, 0) if is_large else b""
        size = LIMIT if is_large else 0
        version = _ZIP64 if is_large else _PLAIN
        stamp = _stamp(member.modified_s)
        fields = (version, _FLAGS, 0, *stamp, 0, size, size, len(name), len(extra))
        return _HEADER.pack(b"PK\3\4", *fields) + name + extra

    def descriptor(self, member: Member, crc: int) -> bytes:
        """Return what follows a file: its checksum, CRC-32, and its size."""
        kind = _DESCRIPTOR64 if self._is_large(member) else _DESCRIPTOR
        return kind.pack(b"PK\7\x08", crc, member.size, member.size)

    def directory(self, crcs: Sequence[int]) -> bytes:
        """Return the end of the archive, by the checksums of all files."""
        rows = [
            self._entry(member, offset, crc)
            for member, offset, crc in zip(self.members, self._offsets, crcs, strict=True)
        ]
        table = b"".join(rows)
        count, at = len(rows), self._files_size
        tail = b""
        if at >= self._limit or any(self._is_large(member) for member in self.members):
            tail = _END64.pack(
                *(b"PK\6\6", _END64.size - 12, _UNIX | _ZIP64, _ZIP64, 0, 0),
                *(count, count, len(table), at),
            ) + _LOCATOR.pack(b"PK\6\7", 0, at + len(table), 1)
        offset = LIMIT if at >= self._limit else at
        return table + tail + _END.pack(b"PK\5\6", 0, 0, count, count, len(table), offset, 0)

    def _entry(self, member: Member, offset: int, crc: int) -> bytes:
        name = member.name.encode()
        wide: list[int] = []
        size = at = LIMIT
        if self._is_large(member):
            wide += [member.size, member.size]
        else:
            size = member.size
        if offset >= self._limit:
            wide.append(offset)
        else:
            at = offset
        extra = struct.pack(f"<HH{len(wide)}Q", 1, 8 * len(wide), *wide) if wide else b""
        version = _ZIP64 if wide else _PLAIN
        stamp = _stamp(member.modified_s)
        fields = (_UNIX | _ZIP64, version, _FLAGS, 0, *stamp, crc, size, size)
        return (
            _ENTRY.pack(b"PK\1\2", *fields, len(name), len(extra), 0, 0, 0, _MODE, at)
            + name
            + extra
        )

    def _is_large(self, member: Member) -> bool:
        return member.size >= self._limit


def _stamp(modified_s: float) -> tuple[int, int]:
    """Return time and date as MS-DOS had them, from 1980 to 2107, in two-second steps."""
    year, month, day, hour, minute, second = time.localtime(modified_s)[:6]
    if not 1980 <= year <= 2107:
        year, month, day, hour, minute, second = (1980 if year < 1980 else 2107), 1, 1, 0, 0, 0
    clock = hour << 11 | minute << 5 | min(second, 59) // 2
    return clock, (year - 1980) << 9 | month << 5 | day
