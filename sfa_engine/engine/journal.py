"""The journal of a set: what was done at which frame, to render the set again. The format; pure.

A file is appended to, batch by batch. Each batch has a sum over itself and the batch before, so
that one that was cut, altered, moved or left out ends what can be read; what lies before is whole::

    "SFAJ" version │ size number sum entries │ size number sum entries │ …

Entries are msgpack maps, compressed together:

======= =================================================================================
kind    what
======= =================================================================================
set     first of a file: names of controls and operations, by which numbers are read
host    a host began: kernel, processor, device, and the state of the engine before its first block
load    a track in a media slot: path, digest, grid; of the `Op.LOAD` with this ticket
pad     a sound of a pad: path, stretch, digest; of the `Op.SAMPLE` with this ticket
reports what the kernel reported, as `REPORT` records, and the frame that was played by then
======= =================================================================================

A report of kind `TAKEN` is a command as it was read from its ring, at a tick: these, in their
order, are all that the sound depends on beside state and tracks.
"""

from __future__ import annotations

import hashlib
import struct
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

import msgspec
import numpy as np
import numpy.typing as npt

from sfa_engine.engine.command import NO_OP, Op, ReportKind
from sfa_engine.engine.layout import LAYOUT, REPORT, VALUE_PATHS
from sfa_engine.engine.memory import Memory
from sfa_engine.errors import MediaError

VERSION = 1
SUFFIX = ".sfaj"
_HEAD = struct.Struct("<4sI")
_BATCH = struct.Struct("<II16s")  # bytes of the payload, number, sum
MAX_BATCH_BYTES = 64 << 20  # 30,000 tracks at once
MAX_ENTRIES_BYTES = 1 << 30  # uncompressed
Entry = dict[str, Any]
Reports = npt.NDArray[np.void]
HEAD = _HEAD.pack(b"SFAJ", VERSION)
# The kernel's state, between these two fields of the engine's record.
_STATE = ("fresh", "serial")


def pack_batch(entries: Iterable[Entry], number: int, before: bytes) -> tuple[bytes, bytes]:
    """Return a batch as bytes, and its sum.

    Parameters
    ----------
    entries : iterable of dict
    number : int
        Of the batch in its file, from 0.
    before : bytes
        Sum of the batch before; empty for the first.
    """
    payload = zlib.compress(msgspec.msgpack.encode(list(entries)), 1)
    total = _sum(payload, number, before)
    return _BATCH.pack(len(payload), number, total) + payload, total


def _sum(payload: bytes, number: int, before: bytes) -> bytes:
    words = struct.pack("<QQ", number, len(payload))
    return hashlib.blake2b(before + words + payload, digest_size=16).digest()


@dataclass
class Contents:
    """The whole batches of a file.

    Attributes
    ----------
    entries : list of dict
    batches : int
    size : int
        Bytes of the file up to the end of the last whole batch.
    total : bytes
        Sum of that batch.
    damage : str
        Why the file ends there; empty if that is its end.
    """

    entries: list[Entry] = field(default_factory=list)
    batches: int = 0
    size: int = 0
    total: bytes = b""
    damage: str = ""


def parse_batches(data: bytes) -> Contents:
    """Parse a file up to its last whole batch.

    Raises
    ------
    MediaError
        It is not a journal, or of another version.
    """
    if len(data) < _HEAD.size or data[:4] != HEAD[:4]:
        raise MediaError("is not a journal", "see `sfa journal list`")
    _, version = _HEAD.unpack_from(data)
    if version != VERSION:
        raise MediaError(
            f"is a journal of version {version}, not {VERSION}", "use the release that wrote it"
        )
    found = Contents(size=_HEAD.size)
    while found.size < len(data):
        at = found.size
        payload = b""
        if len(data) - at >= _BATCH.size:
            size, number, total = _BATCH.unpack_from(data, at)
            payload = data[at + _BATCH.size : at + _BATCH.size + min(size, MAX_BATCH_BYTES)]
            is_whole = len(payload) == size
        else:
            is_whole = False
        where = f"after batch {found.batches} at byte {at} of {len(data)}"
        if not is_whole:
            found.damage = f"it is cut {where}"
            break
        if number != found.batches or total != _sum(payload, number, found.total):
            found.damage = f"it is altered {where}"
            break
        try:
            entries = _unpack(payload)
        except (zlib.error, msgspec.DecodeError, ValueError):
            found.damage = f"it is altered {where}"
            break
        found.entries += entries
        found.batches += 1
        found.size = at + _BATCH.size + size
        found.total = total
    return found


def _unpack(payload: bytes) -> list[Entry]:
    inflater = zlib.decompressobj()
    body = inflater.decompress(payload, MAX_ENTRIES_BYTES)
    if inflater.unconsumed_tail:
        raise ValueError("too large")
    return msgspec.msgpack.decode(body, type=list[Entry])


# ---------------------------------------------------------------------- entries


def set_entry(memory: Memory, began_s: float) -> Entry:
    """Return the first entry of a file: what its numbers mean, and whose set it is."""
    return {
        "kind": "set",
        "set_id": int(memory.engine["set_id"]),
        "began_s": began_s,
        "layout": LAYOUT,
        "values": list(VALUE_PATHS),
        "ops": {op.name: op.value for op in Op},
    }


def state_of(memory: Memory) -> bytes:
    """Return the kernel's state as bytes."""
    first, last = map(memory.offset, _STATE)
    return bytes(memory.buffer[first:last])


def put_state(memory: Memory, state: bytes) -> None:
    """Write the kernel's state back.

    Raises
    ------
    MediaError
        It is of another layout.
    """
    first, last = map(memory.offset, _STATE)
    if len(state) != last - first:
        raise MediaError(
            f"has a state of {len(state)} bytes, not {last - first}",
            "use the release that wrote it",
        )
    memory.buffer[first:last] = state


@dataclass
class Segment:
    """What one host played.

    Attributes
    ----------
    host : dict
        Its entry.
    reports : numpy.void of `REPORT`
        In their order.
    loads : dict of int to dict
        By ticket.
    pads : dict of int to dict
        Likewise.
    end_frame : int
        First frame of which it is not known that it was played.
    lost : int
        Reports that found no room: the set cannot be rendered exactly.
    """

    host: Entry
    reports: Reports = field(default_factory=lambda: np.zeros(0, REPORT))
    loads: dict[int, Entry] = field(default_factory=dict)
    pads: dict[int, Entry] = field(default_factory=dict)
    end_frame: int = 0
    lost: int = 0

    @property
    def rate(self) -> float:
        """Frames a second."""
        return float(self.host["rate"])

    @property
    def first_frame(self) -> int:
        """First frame that it played; 0 if it played none."""
        begun = self.reports[self.reports["kind"] == ReportKind.BEGUN]
        return int(begun["frame"][0]) if len(begun) else 0

    def of_kind(self, *kinds: ReportKind) -> Reports:
        """Return the reports of some kinds."""
        return self.reports[np.isin(self.reports["kind"], kinds)]


@dataclass
class Journal:
    """A file's contents, sorted by the hosts that played.

    Attributes
    ----------
    head : dict
        The entry of the set; empty if the file was cut before its end.
    segments : list of Segment
    damage : str
        Why it ends where it does; empty if that is its end.
    """

    head: Entry
    segments: list[Segment]
    damage: str

    @classmethod
    def of(cls, contents: Contents) -> Journal:
        """Return the contents of a file, sorted."""
        head: Entry = {}
        segments: list[Segment] = []
        parts: list[list[Reports]] = []
        next_report = 0
        for entry in contents.entries:
            kind = entry.get("kind")
            if kind == "set" and not head:
                head = entry
            elif kind == "host":
                segments.append(Segment(entry))
                parts.append([])
            elif not segments:
                continue
            elif kind == "load":
                segments[-1].loads[int(entry["ticket"])] = entry
            elif kind == "pad":
                segments[-1].pads[int(entry["ticket"])] = entry
            elif kind == "reports":
                new, next_report = _reports_of(entry, next_report)
                parts[-1].append(new)
                segments[-1].end_frame = max(segments[-1].end_frame, int(entry["frame"]))
                segments[-1].lost = max(segments[-1].lost, int(entry["lost"]))
        for segment, found in zip(segments, parts, strict=True):
            if found:
                segment.reports = np.concatenate(found)
        return cls(head, segments, contents.damage)

    @property
    def is_of_this_layout(self) -> bool:
        """Whether the set was played with the engine's memory laid out as it is here."""
        return bool(self.head) and self.head.get("layout") == LAYOUT

    def path_of_value(self, index: int) -> str:
        """Return the control of a value's index; empty if there was none."""
        paths = self.head.get("values", [])
        return str(paths[index]) if 0 <= index < len(paths) else ""

    def name_of_op(self, op: int) -> str:
        """Return an operation's name; empty for one that there was not."""
        return next((str(k) for k, v in self.head.get("ops", {}).items() if v == op), "")


def _reports_of(entry: Entry, next_report: int) -> tuple[Reports, int]:
    """Return the reports of an entry that are new: a host that died may have left some twice."""
    all_of = np.frombuffer(entry["data"], REPORT)
    first = int(entry["first"])
    known = min(len(all_of), max(0, next_report - first))
    return all_of[known:], max(next_report, first + len(all_of))


def parse(data: bytes) -> Journal:
    """Parse a journal; see `parse_batches`."""
    return Journal.of(parse_batches(data))


def commands_of(segment: Segment) -> Iterator[tuple[int, np.void]]:
    """Yield each command with the first frame of the tick at which it was read from its ring."""
    for report in segment.of_kind(ReportKind.TAKEN):
        if report["op"] != NO_OP:
            yield int(report["frame"]), report
