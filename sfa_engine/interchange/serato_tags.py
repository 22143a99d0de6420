"""What Serato writes into a sound file: cues, loops, colours and the beat grid, as bytes.

::

    BeatGrid   01 00, count, {f32 seconds, u32 beats to the next} …, {f32 seconds, f32 BPM}, a byte
    Markers2   01 01, base64 in lines of 72, zeros up to 470 bytes; in it
               01 01, {name 0, u32 length, data} …, 0        COLOR CUE LOOP BPMLOCK FLIP …
    Markers_   02 05, u32 14, five cues and nine loops of 22 bytes, the track's colour
               24 bits stand in four bytes of seven; in an MP4 they stand as they are
    Autotags   01 01, BPM 0, gain 0, gain 0, as text

Big-endian. Cues are in whole milliseconds. Where both are there, Serato believes ``Markers_``,
which has no names. A cue's colour is stored as one of 18 and shown as another; a track's colour is
stored brighter than shown. Files are untrusted: anything wrong is a MediaError. Pure.

References
----------
.. [1] J. Holthuis, "Serato tags", https://github.com/Holzhaus/serato-tags
"""

from __future__ import annotations

import base64
import binascii
import math
import struct
from dataclasses import dataclass, field, replace

from sfa_engine.errors import MediaError
from sfa_engine.interchange.beat_markers import grid_of, markers_of
from sfa_engine.track.grid import Grid

MAX_BYTES = 16 << 20  # of one tag; a set of flips has some hundred kB
MAX_ENTRIES = 10_000
MAX_MARKERS = 200_000  # of a grid: one a beat of a day
MARKERS2_BYTES = 470  # at least
LINE = 72  # characters of base64
CUES, LOOPS = 5, 9  # that Markers_ has
UNSET = 0x7F7F7F7F
UNSET_MP4 = 0xFFFFFFFF
MAX_MS = (1 << 24) - 1  # in Markers_: 4.6 hours
NO_COLOR = 0xFFFFFF  # of a track
LOOP_COLOR = 0x27AAE1
_HINT = "analyse the file again in Serato"

# Stored and shown by Serato DJ Pro.
_PALETTE = {
    0xCC0000: 0xC02626, 0xCC4400: 0xDB4E27, 0xCC8800: 0xF8821A, 0xCCCC00: 0xFAC313,
    0x88CC00: 0x4EB648, 0x44CC00: 0x006838, 0x00CC00: 0x1FAD26, 0x00CC44: 0x8DC63F,
    0x00CC88: 0x2B3673, 0x00CCCC: 0x1DBEBD, 0x0088CC: 0x0F88CA, 0x0044CC: 0x16308B,
    0x0000CC: 0x173BA2, 0x4400CC: 0x5C3F97, 0x8800CC: 0x6823B6, 0xCC00CC: 0xCE359E,
    0xCC0088: 0xDC1D49, 0xCC0044: 0xC71136,
}  # fmt: skip
_STORED = {shown: stored for stored, shown in _PALETTE.items()}
# Of cues 1 to 8, unless the user chooses another.
DEFAULTS = (0xCC0000, 0xCC8800, 0x0000CC, 0xCCCC00, 0x00CC00, 0xCC00CC, 0x00CCCC, 0x8800CC)


@dataclass(frozen=True, slots=True)
class Mark:
    """A cue or a loop as it is stored.

    Parameters
    ----------
    start_ms : int
    end_ms : int, optional
        Of a loop.
    color : int
        0xrrggbb, as stored.
    label : str
    is_locked : bool
        Of a loop.
    """

    start_ms: int
    end_ms: int | None = None
    color: int = 0
    label: str = ""
    is_locked: bool = False


@dataclass(frozen=True, slots=True)
class Marks:
    """The markers of a file.

    Parameters
    ----------
    cues, loops : dict of int to Mark
        By number from 0.
    color : int, optional
        Of the track, as stored.
    is_locked : bool
        Whether the grid is locked against an analysis.
    others : tuple of (str, bytes)
        Entries that we do not read, such as flips; they are written again.
    damaged : int
        Number of entries that could not be read.
    """

    cues: dict[int, Mark] = field(default_factory=dict)
    loops: dict[int, Mark] = field(default_factory=dict)
    color: int | None = None
    is_locked: bool = False
    others: tuple[tuple[str, bytes], ...] = ()
    damaged: int = 0


def shown_cue(stored: int) -> int:
    """Return how Serato shows the colour of a cue."""
    return _PALETTE.get(stored, stored)


def stored_cue(shown: int) -> int:
    """Return what is stored for a shown colour of a cue."""
    return _STORED.get(shown, shown)


def shown_track(stored: int) -> int | None:
    """Return how Serato shows the colour of a track; None: without one."""
    special = {NO_COLOR: None, 0x999999: 0x090909, 0x000000: 0x333333}
    return special[stored] if stored in special else (stored - 0x666666) % 0x1000000


def stored_track(shown: int | None) -> int:
    """Return what is stored for the colour of a track."""
    if shown is None:
        return NO_COLOR
    if shown in {0x999999, 0x99999A}:  # would be none, or another
        shown += 1 if shown == 0x99999A else -1
    special = {0x090909: 0x999999, 0x333333: 0x000000}
    return special.get(shown, (shown + 0x666666) % 0x1000000)


def parse_markers2(data: bytes) -> Marks:
    """Parse ``Serato Markers2``; a damaged entry is counted and left out."""
    if data[:2] != b"\1\1":
        raise MediaError("Markers2 is of an unknown version", _HINT)
    return parse_entries(from_base64(data[2:].split(b"\0")[0]))


def parse_entries(content: bytes) -> Marks:
    """Parse the entries of ``Serato Markers2``."""
    if content[:2] != b"\1\1":
        raise MediaError("Markers2 is of an unknown version", _HINT)
    marks = Marks()
    at = 2
    for _ in range(MAX_ENTRIES):
        end = content.find(b"\0", at)
        if end <= at:  # the end, or its zero is cut
            return marks
        name = content[at:end].decode("latin-1")
        length = int.from_bytes(content[end + 1 : end + 5], "big")
        at = end + 5 + length
        if at > len(content):
            return replace(marks, damaged=marks.damaged + 1)
        marks = _with_entry(marks, name, content[end + 5 : at])
    raise MediaError(f"Markers2 has more than {MAX_ENTRIES} entries", _HINT)


def _with_entry(marks: Marks, name: str, data: bytes) -> Marks:
    if name == "COLOR" and len(data) >= 4:
        return replace(marks, color=int.from_bytes(data[1:4], "big"))
    if name == "BPMLOCK" and data:
        return replace(marks, is_locked=data[0] != 0)
    if name == "CUE" and len(data) >= 12:
        start = int.from_bytes(data[2:6], "big")
        mark = Mark(start, None, int.from_bytes(data[7:10], "big"), _text(data[12:]))
        return replace(marks, cues={**marks.cues, data[1]: mark})
    if name == "LOOP" and len(data) >= 20:
        start, end = struct.unpack_from(">II", data, 2)
        color = int.from_bytes(data[15:18], "big")
        mark = Mark(start, end, color, _text(data[20:]), data[19] != 0)
        return replace(marks, loops={**marks.loops, data[1]: mark})
    if name in {"COLOR", "BPMLOCK", "CUE", "LOOP"}:
        return replace(marks, damaged=marks.damaged + 1)
    return replace(marks, others=(*marks.others, (name, data)))


def markers2(marks: Marks) -> bytes:
    """Return ``Serato Markers2``."""
    data = b"\1\1" + in_lines(entries(marks))
    return data.ljust(max(MARKERS2_BYTES, len(data) + 1), b"\0")


def entries(marks: Marks) -> bytes:
    """Return the entries of ``Serato Markers2``."""
    color = NO_COLOR if marks.color is None else marks.color
    made = [("COLOR", b"\0" + color.to_bytes(3, "big"))]
    for index, mark in sorted(marks.cues.items()):
        body = struct.pack(">BBIB3s2x", 0, index, mark.start_ms, 0, mark.color.to_bytes(3, "big"))
        made.append(("CUE", body + _bytes(mark.label)))
    for index, mark in sorted(marks.loops.items()):
        body = struct.pack(
            ">BBIIIB3sBB",
            *(0, index, mark.start_ms, mark.end_ms or 0, 0xFFFFFFFF, 0),
            mark.color.to_bytes(3, "big"),
            *(0, mark.is_locked),
        )
        made.append(("LOOP", body + _bytes(mark.label)))
    made += marks.others
    made.append(("BPMLOCK", bytes([marks.is_locked])))
    return b"\1\1" + b"".join(map(_entry, made)) + b"\0"


def _entry(entry: tuple[str, bytes]) -> bytes:
    name, data = entry
    return name.encode("latin-1") + b"\0" + len(data).to_bytes(4, "big") + data


def parse_markers(data: bytes, *, is_mp4: bool = False) -> Marks:
    """Parse ``Serato Markers_``: the first cues and loops; those that are not set are left out."""
    size = 19 if is_mp4 else 22
    if data[:2] != b"\2\5" or int.from_bytes(data[2:6], "big") != CUES + LOOPS:
        raise MediaError("Markers_ is of an unknown version", _HINT)
    end = 6 + (CUES + LOOPS) * size
    if len(data) < end + 4:
        raise MediaError(f"Markers_ has {len(data)} bytes", _HINT)
    cues: dict[int, Mark] = {}
    loops: dict[int, Mark] = {}
    for index in range(CUES + LOOPS):
        entry = data[6 + index * size : 6 + (index + 1) * size]
        mark, kind = _mp4_entry(entry) if is_mp4 else _id3_entry(entry)
        if mark is None:
            continue
        if kind == 1 and index < CUES:
            cues[index] = replace(mark, end_ms=None)
        elif kind == 3 and index >= CUES and mark.end_ms is not None:
            loops[index - CUES] = mark
    color = int.from_bytes(data[end + 1 : end + 4], "big") if is_mp4 else _from7(data[end:])
    return Marks(cues, loops, color)


def _id3_entry(entry: bytes) -> tuple[Mark | None, int]:
    if entry[0] == 0x7F:
        return None, 0
    end = None if entry[5] == 0x7F else _from7(entry[6:10])
    return Mark(_from7(entry[1:5]), end, _from7(entry[16:20]), "", entry[21] != 0), entry[20]


def _mp4_entry(entry: bytes) -> tuple[Mark | None, int]:
    start, end = struct.unpack_from(">II", entry)
    kind = entry[17]
    if start in {UNSET_MP4, UNSET} or (kind == 3 and end <= start):
        return None, 0
    color = int.from_bytes(entry[14:17], "big")
    return Mark(start, end if kind == 3 else None, color, "", entry[18] != 0), kind


def markers(marks: Marks, *, is_mp4: bool = False) -> bytes:
    """Return ``Serato Markers_`` of the first cues and loops.

    Raises
    ------
    MediaError
        A position needs more than 24 bits.
    """
    parts = [b"\2\5", (CUES + LOOPS).to_bytes(4, "big")]
    for index in range(CUES + LOOPS):
        is_loop = index >= CUES
        mark = marks.loops.get(index - CUES) if is_loop else marks.cues.get(index)
        kind = 3 if is_loop else int(mark is not None)  # 0 is a cue that is not set
        parts.append((_mp4_bytes if is_mp4 else _id3_bytes)(mark, kind))
    color = NO_COLOR if marks.color is None else marks.color
    parts.append(b"\0" + color.to_bytes(3, "big") if is_mp4 else _to7(color))
    return b"".join(parts)


def _id3_bytes(mark: Mark | None, kind: int) -> bytes:
    unset = b"\x7f" * 5
    if mark is None:
        return unset + unset + b"\0" + unset + bytes(4) + bytes([kind, 0])
    end = unset if mark.end_ms is None else b"\0" + _to7(mark.end_ms)
    start = b"\0" + _to7(mark.start_ms)
    return start + end + b"\0" + unset + _to7(mark.color) + bytes([kind, mark.is_locked])


def _mp4_bytes(mark: Mark | None, kind: int) -> bytes:
    if mark is None:
        mark = Mark(UNSET_MP4, UNSET_MP4)
    end = UNSET_MP4 if mark.end_ms is None else mark.end_ms
    color = mark.color.to_bytes(3, "big")
    head = struct.pack(">II", mark.start_ms, end)
    return head + b"\0\xff\xff\xff\xff\0" + color + bytes([kind, mark.is_locked])


def merged(new: Marks, old: Marks | None) -> Marks:
    """Return what Serato makes of ``Markers2`` and ``Markers_``, which it believes.

    A cue that the older tag has not is deleted; of its loops only those that are there count.
    """
    if old is None:
        return new
    cues = {index: mark for index, mark in new.cues.items() if index >= CUES or index in old.cues}
    loops = dict(new.loops)
    for place, known in ((cues, old.cues), (loops, old.loops)):
        for index, mark in known.items():
            name = place[index].label if index in place else ""
            place[index] = replace(mark, label=name)
    color = old.color if new.color is None else new.color
    return replace(new, cues=cues, loops=loops, color=color)


def parse_beat_grid(data: bytes) -> Grid | None:
    """Parse ``Serato BeatGrid``; None if it is empty."""
    if data[:2] != b"\1\0" or len(data) < 6:
        raise MediaError("BeatGrid is of an unknown version", _HINT)
    count = int.from_bytes(data[2:6], "big")
    if not count:
        return None
    if count > MAX_MARKERS or len(data) < 6 + 8 * count:
        raise MediaError(f"BeatGrid says {count} markers and has {len(data)} bytes", _HINT)
    positions: list[float] = []
    beats: list[float] = []
    beat = 0
    for index in range(count - 1):
        position, steps = struct.unpack_from(">fI", data, 6 + 8 * index)
        positions.append(position)
        beats.append(beat)
        beat += steps
    position, bpm = struct.unpack_from(">ff", data, 6 + 8 * (count - 1))
    return grid_of([*positions, position], [*beats, beat], bpm)


def beat_grid(grid: Grid) -> tuple[bytes, bool]:
    """Return ``Serato BeatGrid``, and whether every beat is where it was."""
    found, exact = markers_of(grid)
    parts = [b"\1\0", len(found).to_bytes(4, "big")]
    parts += [struct.pack(">fI", marker.position_s, marker.beats) for marker in found[:-1]]
    parts.append(struct.pack(">ff", found[-1].position_s, grid.bpm))
    return b"".join(parts) + b"\0", exact


def parse_text_grid(text: str) -> Grid | None:
    """Parse the grid of an Ogg file: a marker as text, after 24 hexadecimal digits."""
    body = text[24:].strip("()\0 \n")
    if not body:
        return None
    try:
        position, bpm = (float(word) for word in body.split(","))
    except ValueError as problem:
        raise MediaError(f'the grid "{text:.60}" has not one marker', _HINT) from problem
    return grid_of([position], [0], bpm)


def text_grid(grid: Grid) -> tuple[str, bool]:
    """Return the grid of an Ogg file, and whether every beat is where it was."""
    found, _ = markers_of(grid)
    text = f"{1:08X}{0:08X}{1:08X}({found[0].position_s:.6f},{grid.bpm:.6f})"
    return text, len(grid.anchors) == 1


def parse_autotags(data: bytes) -> float | None:
    """Return the tempo of ``Serato Autotags``, in BPM; None if it has none."""
    if data[:2] != b"\1\1":
        raise MediaError("Autotags is of an unknown version", _HINT)
    try:
        bpm = float(data[2:].split(b"\0")[0][:20])
    except ValueError:
        return None
    return bpm if math.isfinite(bpm) and bpm > 0 else None


def autotags(bpm: float, old: bytes) -> bytes:
    """Return ``Serato Autotags`` with another tempo, and the gains as they were."""
    gains = old[2:].split(b"\0")[1:3]
    return b"\1\1" + b"\0".join([f"{bpm:.2f}".encode(), *gains]) + b"\0"


def enveloped(name: str, data: bytes, *, lines: bool = True) -> bytes:
    """Return a tag as FLAC and MP4 files have it: with its kind and name, in base64."""
    whole = b"application/octet-stream\0\0" + name.encode() + b"\0" + data
    return in_lines(whole) if lines else base64.b64encode(whole).rstrip(b"=")


def from_envelope(name: str, data: bytes) -> bytes:
    """Return the tag in an envelope."""
    parts = from_base64(data).split(b"\0", 3)
    if len(parts) < 4 or parts[2] != name.encode():
        raise MediaError(f"{name} has no name in it", _HINT)
    return parts[3]


def in_lines(data: bytes) -> bytes:
    """Return base64 without padding, in lines."""
    text = base64.b64encode(data).rstrip(b"=")
    return b"\n".join(text[at : at + LINE] for at in range(0, len(text), LINE))


def from_base64(text: bytes) -> bytes:
    """Decode base64 with or without padding; Serato's may have a character too many."""
    if len(text) > 2 * MAX_BYTES:
        raise MediaError(f"a tag of Serato has {len(text)} bytes", _HINT)
    text = text.translate(None, b"\r\n\t =\0")
    text += b"A" if len(text) % 4 == 1 else b""
    try:
        return base64.b64decode(text + b"=" * (-len(text) % 4), validate=True)
    except binascii.Error as problem:
        raise MediaError("a tag of Serato is not base64", _HINT) from problem


def _to7(number: int) -> bytes:
    """Return 24 bits as four bytes of seven."""
    if not 0 <= number <= MAX_MS:
        raise MediaError(f"{number} needs more than 24 bits", _HINT)
    return bytes(number >> bits & 0x7F for bits in (21, 14, 7, 0))


def _from7(data: bytes) -> int:
    number = 0
    for byte in data[:4]:
        number = number << 7 | byte & 0x7F
    return number & MAX_MS


def _text(data: bytes) -> str:
    return data.split(b"\0")[0].decode("utf-8", "replace")


def _bytes(text: str) -> bytes:
    return text.replace("\0", " ").encode() + b"\0"
