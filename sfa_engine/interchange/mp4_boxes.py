"""The boxes of MP4 files: where each is, without decoding.

A box is a length, four letters and a body; some hold boxes. Files are untrusted: lengths are kept
inside the parent, and a damaged box ends its list.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

MAX_BOXES = 10_000  # of one parent
MAX_MOOV_BYTES = 64 << 20  # of an hour of five streams it has 2 MB


@dataclass(frozen=True, slots=True)
class Box:
    """A box: its four letters, and the ranges of its header and body in the data."""

    name: bytes
    start: int
    body: int
    end: int


def boxes(data: bytes, start: int = 0, end: int | None = None) -> Iterator[Box]:
    """Yield the boxes in a range of data."""
    end = len(data) if end is None else end
    for _ in range(MAX_BOXES):
        if start + 8 > end:
            return
        size = int.from_bytes(data[start : start + 4], "big")
        body = start + 8
        if size == 1 and body + 8 <= end:
            size = int.from_bytes(data[body : body + 8], "big")
            body += 8
        elif size == 0:
            size = end - start
        if size < body - start or start + size > end:
            return
        yield Box(data[start + 4 : start + 8], start, body, start + size)
        start += size


def find(data: bytes, path: str, parent: Box | None = None) -> list[Box]:
    """Return all boxes of a path such as ``trak/mdia/hdlr``, in their order."""
    found = [parent or Box(b"", 0, 0, len(data))]
    for name in path.split("/"):
        found = [
            box
            for outer in found
            for box in boxes(data, outer.body, outer.end)
            if box.name == name.encode("latin-1")
        ]
    return found


def integer(data: bytes, at: int, count: int, *, signed: bool = False) -> int:
    """Return a big-endian number; 0 beyond the end of the data."""
    return int.from_bytes(data[at : at + count], "big", signed=signed)
