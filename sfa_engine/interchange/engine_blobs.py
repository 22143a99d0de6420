"""What Engine DJ keeps of a track as bytes: grid, cues, loops, rate and key.

::

    trackData  f64 rate, i64 samples, i32 key, 3 f64 loudness                       zlib
    beatData   f64 rate, f64 samples, u8 set, two grids: as analysed, as adjusted   zlib
               {i64 count, {f64 sample, i64 beat, i32 beats to next, i32 0} little-endian}
    quickCues  i64 count, {u8 length, label, f64 sample, ARGB}                      zlib
               f64 main cue, u8 adjusted, f64 default
    loops      i64 count, {u8 length, label, f64 begin, f64 end, u8 set, u8 set, ARGB}
               little-endian

Zlib with its length before it as u32; big-endian where not noted; labels in Latin-1. A place that
is not set has -1. A grid goes from four beats before the first to the first beat after the end.
Blobs are untrusted: anything wrong is a MediaError. Pure.

References
----------
.. [1] libdjinterop, ``engine/v2``.
"""

from __future__ import annotations

import math
import struct
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from sfa_engine.errors import MediaError
from sfa_engine.interchange.beat_markers import grid_of, markers_of
from sfa_engine.interchange.pads import PADS
from sfa_engine.interchange.record import GRID_RATE
from sfa_engine.track.grid import Grid

MAX_BYTES = 16 << 20  # of a blob, decompressed
MAX_MARKERS = 200_000
LEAD = 4  # beats of a grid before the first downbeat
UNSET = -1.0
# Of the eight pads, unless the user chooses another.
COLORS = (0xEAC532, 0xEA8F32, 0xB855BF, 0xBA2A41, 0x86C64B, 0x20C67C, 0x00A8B1, 0x158EE2)
RATES = (4_000.0, 768_000.0)  # Hz
_HINT = "analyse the track again in Engine DJ"


@dataclass(frozen=True, slots=True)
class Pad:
    """A cue or a loop; positions in samples at the track's rate."""

    start: float
    end: float | None = None
    label: str = ""
    color: int = 0


def rate_of(data: bytes) -> float | None:
    """Return the rate in Hz that a ``trackData`` or ``beatData`` begins with; None if absent."""
    content = unpacked(data)
    if len(content) < 8:
        return None
    (rate,) = struct.unpack_from(">d", content)
    return float(rate) if RATES[0] <= rate <= RATES[1] else None


def track_data(rate: float, samples: int, key: int | None) -> bytes:
    """Return ``trackData``; the loudness stays unknown."""
    return packed(struct.pack(">dqi3d", rate, samples, key or 0, 0.0, 0.0, 0.0))


def parse_beat_data(data: bytes) -> Grid | None:
    """Return the grid of ``beatData``, as adjusted; None if there is none."""
    content = unpacked(data)
    if not content:
        return None
    if len(content) < 33:
        raise MediaError(f"beatData has {len(content)} bytes", _HINT)
    rate, _, _ = struct.unpack_from(">ddB", content)
    if not RATES[0] <= rate <= RATES[1]:
        raise MediaError(f"beatData is at {rate:g} Hz", _HINT)
    default, at = _markers(content, 17)
    adjusted, _ = _markers(content, at) if at + 8 <= len(content) else ([], at)
    markers = adjusted or default
    if len(markers) < 2:
        return None
    places = [sample / rate for sample, _ in markers]
    beats = [beat for _, beat in markers]
    if not places[-2] < places[-1]:
        raise MediaError("beatData has two markers at one place", _HINT)
    return grid_of(places, beats, 60 * (beats[-1] - beats[-2]) / (places[-1] - places[-2]))


def _markers(content: bytes, at: int) -> tuple[list[tuple[float, int]], int]:
    (count,) = struct.unpack_from(">q", content, at)
    at += 8
    if not 0 <= count <= MAX_MARKERS or at + 24 * count > len(content):
        raise MediaError(f"beatData says {count} markers", _HINT)
    found = [struct.unpack_from("<dq", content, at + 24 * index) for index in range(count)]
    return found, at + 24 * count


def beat_data(grid: Grid, rate: float, seconds: float) -> tuple[bytes, bool]:
    """Return ``beatData`` of a track, and whether every beat is where it was.

    Parameters
    ----------
    grid : Grid
        In frames at `GRID_RATE`.
    rate : float
        Hz, of the file.
    seconds : float
        Length of the track.
    """
    found, exact = markers_of(grid)
    zero = found[0].beat
    spacing = grid.frame_of([zero, zero + 1], GRID_RATE) / GRID_RATE
    lead = found[0].position_s - LEAD * float(spacing[1] - spacing[0])
    numbers, places = [-LEAD], [lead]
    number = 0
    for marker in found:
        numbers.append(number)
        places.append(marker.position_s)
        number += marker.beats
    beat_s = 60 / grid.bpm
    more = max(1, math.ceil((seconds - places[-1]) / beat_s + 1e-9))
    numbers.append(numbers[-1] + more)
    places.append(places[-1] + more * beat_s)
    del numbers[1], places[1]  # on the line through the one before: Engine has none there
    steps = [after - before for before, after in pairwise(numbers)]
    body = b"".join(
        struct.pack("<dqii", place * rate, beat, step, 0)
        for place, beat, step in zip(places, numbers, [*steps, 0], strict=True)
    )
    grid_bytes = struct.pack(">q", len(places)) + body
    head = struct.pack(">ddB", rate, float(round(seconds * rate)), 1)
    return packed(head + grid_bytes + grid_bytes), exact


def parse_quick_cues(data: bytes) -> tuple[dict[int, Pad], float | None]:
    """Return the cues of ``quickCues`` by number from 0, and the main cue if it was moved."""
    content = unpacked(data)
    if not content:
        return {}, None
    reader = _Reader(content)
    pads: dict[int, Pad] = {}
    for index in range(reader.count(">q", 13)):
        label = reader.label()
        start, color = reader.values(">dI")
        if start >= 0 and math.isfinite(start):
            pads[index] = Pad(start, None, label, color & 0xFFFFFF)
    main, is_adjusted, _ = reader.values(">dBd")
    return pads, main if is_adjusted and main >= 0 and math.isfinite(main) else None


def quick_cues(pads: Mapping[int, Pad], main: float | None) -> bytes:
    """Return ``quickCues``; `main` is where a deck stands when the track is loaded."""
    parts = [struct.pack(">q", PADS)]
    for index in range(PADS):
        pad = pads.get(index)
        if pad is None:
            parts.append(struct.pack(">BdI", 0, UNSET, 0))
        else:
            parts += [_label(pad.label), struct.pack(">dI", pad.start, 0xFF000000 | pad.color)]
    place = 0.0 if main is None else main
    parts.append(struct.pack(">dBd", place, main is not None, place))
    return packed(b"".join(parts))


def parse_loops(data: bytes) -> dict[int, Pad]:
    """Return the loops of ``loops`` by number from 0."""
    if not data:
        return {}
    reader = _Reader(data)
    pads: dict[int, Pad] = {}
    for index in range(reader.count("<q", 23)):
        label = reader.label()
        start, end, has_start, has_end = reader.values("<ddBB")
        (color,) = reader.values(">I")
        if has_start and has_end and start >= 0 and math.isfinite(start) and math.isfinite(end):
            pads[index] = Pad(start, end, label, color & 0xFFFFFF)
    return pads


def loops(pads: Mapping[int, Pad]) -> bytes:
    """Return ``loops``."""
    parts = [struct.pack("<q", PADS)]
    for index in range(PADS):
        pad = pads.get(index)
        if pad is None or pad.end is None:
            parts.append(struct.pack("<BddBB", 0, UNSET, UNSET, 0, 0) + bytes(4))
        else:
            parts.append(_label(pad.label) + struct.pack("<ddBB", pad.start, pad.end, 1, 1))
            parts.append(struct.pack(">I", 0xFF000000 | pad.color))
    return b"".join(parts)


def packed(content: bytes) -> bytes:
    """Compress a blob."""
    return len(content).to_bytes(4, "big") + zlib.compress(content)


def unpacked(data: bytes) -> bytes:
    """Decompress a blob; empty if it is."""
    if len(data) <= 4:
        return b""
    try:
        content = zlib.decompressobj().decompress(data[4:], MAX_BYTES)
    except zlib.error as problem:
        raise MediaError("a blob is damaged", _HINT) from problem
    if len(content) != int.from_bytes(data[:4], "big"):
        raise MediaError("a blob is cut", _HINT)
    return content


def fits_label(text: str) -> bool:
    """Return whether a label can be stored."""
    return _label(text)[1:].decode("latin-1") == text


def _label(text: str) -> bytes:
    data = text.encode("latin-1", "replace")[:255]
    return bytes([len(data)]) + data


class _Reader:
    """Reads values one after another; MediaError beyond the end."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0

    def values(self, form: str) -> tuple[Any, ...]:
        end = self._at + struct.calcsize(form)
        if end > len(self._data):
            raise MediaError("a blob is cut", _HINT)
        found = struct.unpack_from(form, self._data, self._at)
        self._at = end
        return found

    def count(self, form: str, least_bytes: int) -> int:
        (count,) = self.values(form)
        if not 0 <= count <= len(self._data) // least_bytes:
            raise MediaError(f"a blob says {count} places", _HINT)
        return int(count)

    def label(self) -> str:
        (length,) = self.values("B")
        end = self._at + int(length)
        if end > len(self._data):
            raise MediaError("a blob is cut", _HINT)
        found = self._data[self._at : end].decode("latin-1")
        self._at = end
        return found
