"""Rings of fixed records between two sides: one writes, one reads, neither waits.

A record is invisible until the head is stored: a writer that is killed in the middle of one
has written nothing. Records are packed and unpacked as bytes: 2 µs a command, where a NumPy
record takes 4.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from sfa_engine.engine.atomic import load_acquire, store_release
from sfa_engine.engine.command import NO_OP, ReportKind, Ring, Source, When
from sfa_engine.engine.layout import COMMAND, COMMANDS, MAX_WAITING, REPORT, REPORTS
from sfa_engine.engine.memory import Memory

_COMMAND = struct.Struct("<8i2q2d")
_REPORT = struct.Struct("<10i4q3d")
_ENDS = frozenset({ReportKind.APPLIED, ReportKind.REFUSED, ReportKind.CANCELLED})
_KINDS = {kind.value: kind for kind in ReportKind}
MAX_LOOKS = 1000  # at the waiting commands, before a list that was torn is taken as it is


@dataclass(frozen=True, slots=True)
class Command:
    """What is asked of the kernel.

    Parameters
    ----------
    op : int
        See `Op`.
    deck : int
        From 0; `NO_DECK` if it is about none.
    target : int
        Index of a value, a hot cue or a media slot.
    x, y : float
        As the operation says.
    when : int
        See `When`.
    clock : int
        Whose beat: 0 the session's, 1 and 2 the decks'.
    frame : int
        Engine frame, for `When.FRAME`.
    source : int
        Who asked.
    ticket : int
        The writer's number of it, unique on its ring; 0: the next.
    ring : int
        On which it came.
    """

    op: int
    deck: int = 0
    target: int = 0
    x: float = 0.0
    y: float = 0.0
    when: int = When.NOW
    clock: int = 0
    frame: int = 0
    source: int = Source.ENGINE
    ticket: int = 0
    ring: int = Ring.STAGE


class Report(NamedTuple):
    """What the kernel reports: the whole command, and what became of it.

    `at` is the command's `frame`, for which it was meant; `frame` is where it was done, and `seq`
    counts what was applied, whichever ring it came from.
    """

    kind: ReportKind
    reason: int
    ring: int
    op: int
    source: int
    deck: int
    target: int
    when: int
    clock: int
    value_index: int
    at: int
    ticket: int
    seq: int
    frame: int
    x: float
    y: float
    value: float

    @property
    def is_end(self) -> bool:
        """Whether this is the last report of its command."""
        return self.kind in _ENDS


class CommandWriter:
    """The writing end of a command ring.

    A ticket is the number of a command on its ring. It is seeded from the ring's head, which no
    restart resets, and pushed again with the command if that has to be repeated.
    """

    def __init__(self, memory: Memory, ring: Ring) -> None:
        self._buffer = memory.buffer
        self._first = memory.ring_offset(ring, "commands")
        self._head_address = memory.address + memory.ring_offset(ring, "head")
        self._tail_address = memory.address + memory.ring_offset(ring, "tail")
        self._done_address = memory.address + memory.ring_offset(ring, "done")
        self._ring = int(ring)
        self.head = load_acquire(self._head_address)
        self.ticket = self.head

    def write(
        self,
        op: int,
        deck: int,
        target: int,
        x: float,
        source: int,
        *,
        y: float = 0.0,
        when: int = 0,
        clock: int = 0,
        frame: int = 0,
        ticket: int = 0,
    ) -> int:
        """Write a command; return its ticket, or 0 if the ring is full."""
        if self.room < 1:
            return 0
        ticket = self._put(
            op, deck, target, x, source, y=y, when=when, clock=clock, frame=frame, ticket=ticket
        )
        store_release(self._head_address, self.head)
        return ticket

    @property
    def room(self) -> int:
        """How many commands the ring takes at present."""
        return COMMANDS - (self.head - load_acquire(self._tail_address))

    def _put(
        self,
        op: int,
        deck: int,
        target: int,
        x: float,
        source: int,
        *,
        y: float,
        when: int,
        clock: int,
        frame: int,
        ticket: int,
    ) -> int:
        """Write a command that is not visible yet; return its ticket."""
        if not ticket:
            ticket = self.ticket = self.ticket + 1
        _COMMAND.pack_into(
            self._buffer,
            self._first + self.head % COMMANDS * _COMMAND.size,
            *(op, source, deck, target, when, clock, self._ring, 0, frame, ticket, x, y),
        )
        self.head += 1
        return ticket

    def push_all(self, commands: Sequence[Command]) -> list[int]:
        """Write commands that the kernel sees all at once; none if there is no room for all."""
        if len(commands) > self.room:
            return []
        tickets = [
            self._put(
                *(each.op, each.deck, each.target, each.x, each.source),
                y=each.y,
                when=each.when,
                clock=each.clock,
                frame=each.frame,
                ticket=each.ticket,
            )
            for each in commands
        ]
        store_release(self._head_address, self.head)
        return tickets

    def push(self, command: Command) -> int:
        """Write a command; return its ticket, or 0 if the ring is full."""
        return next(iter(self.push_all((command,))), 0)

    @property
    def done(self) -> int:
        """How many commands of the ring have been done, refused, or put among those that wait."""
        return load_acquire(self._done_address)

    def unread(self) -> list[Command]:
        """Return what is on the ring and was not taken yet."""
        places = range(load_acquire(self._tail_address), self.head)
        return [
            _command(self._buffer, self._first + place % COMMANDS * _COMMAND.size)
            for place in places
        ]


def _command(buffer: memoryview, offset: int) -> Command:
    op, source, deck, target, when, clock, ring, _, frame, ticket, x, y = _COMMAND.unpack_from(
        buffer, offset
    )
    return Command(op, deck, target, x, y, when, clock, frame, source, ticket, ring)


def waiting_commands(memory: Memory) -> list[Command]:
    """Return the commands of every ring that wait for their time, in the order they came."""
    serial = memory.field_address("waiting_serial")
    offset = memory.offset("waiting")
    for _ in range(MAX_LOOKS):
        before = load_acquire(serial)
        count = min(MAX_WAITING, int(memory.engine["waiting_count"]))
        copy = memoryview(memory.buffer[offset : offset + count * _COMMAND.size].tobytes())
        if before % 2 == 0 and load_acquire(serial) == before:
            break
    found = (_command(copy, k * _COMMAND.size) for k in range(count))
    return [command for command in found if command.when != When.NOW and command.op != NO_OP]


class ReportReader:
    """The stage's end of the report ring; with `journal`, the journal's of its own."""

    def __init__(self, memory: Memory, *, journal: bool = False) -> None:
        self._buffer = memory.buffer
        ring, ends = ("journal", "journal") if journal else ("reports", "report")
        self._first = memory.offset(ring)
        self._head_address = memory.field_address(f"{ends}_head")
        self._tail_address = memory.field_address(f"{ends}_tail")
        self._tail = self._released = load_acquire(self._tail_address)

    def fetch(self) -> list[Report]:
        """Return all reports since the last call, and make room for others."""
        reports = self.read()
        self.release()
        return reports

    def read(self) -> list[Report]:
        """Return all reports since the last call; the next reader has them too, until `release`."""
        head = load_acquire(self._head_address)
        reports = []
        for place in range(self._tail, head):
            fields = _REPORT.unpack_from(self._buffer, self._first + place % REPORTS * _REPORT.size)
            reports.append(Report(_KINDS[fields[0]], *fields[1:]))
        self._tail = head
        return reports

    @property
    def held(self) -> int:
        """Number of reports that were read and not released."""
        return self._tail - self._released

    def release(self) -> None:
        """Make room in the ring for as many reports as were read."""
        if self._released != self._tail:
            self._released = self._tail
            store_release(self._tail_address, self._tail)


assert COMMANDS & (COMMANDS - 1) == 0
assert (_COMMAND.size, _REPORT.size) == (COMMAND.itemsize, REPORT.itemsize)
