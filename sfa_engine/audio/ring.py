"""Rings of fixed records between two sides: one writes, one reads, nobody waits.

A record is invisible until the head is stored: a writer that is killed in the middle of one
has written nothing.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from sfa_engine.audio.atomic import load_acquire, store_release
from sfa_engine.audio.command import Op, Source, Tell, When
from sfa_engine.audio.layout import COMMANDS, REPORTS
from sfa_engine.audio.memory import Memory


@dataclass(frozen=True)
class Command:
    """What is asked of the kernel.

    Parameters
    ----------
    op : Op
    whom : int
        Deck, from 0.
    what : int
        Index of a control, a cue or a media slot.
    x, y : float
        As the op says.
    when : When
    clock : int
        Whose beat: 0 the session's, 1 and 2 the decks'.
    frame : int
        Engine frame, for `When.FRAME`.
    source : int
        Who asked.
    """

    op: Op
    whom: int = 0
    what: int = 0
    x: float = 0.0
    y: float = 0.0
    when: When = When.NOW
    clock: int = 0
    frame: int = 0
    source: int = Source.ENGINE


@dataclass(frozen=True)
class Report:
    """What the kernel tells; fields as in `Command`."""

    kind: Tell
    op: int
    whom: int
    what: int
    source: int
    seq: int
    frame: int
    x: float


class CommandWriter:
    """The writing end of a command ring.

    Parameters
    ----------
    ring : numpy.ndarray of `COMMAND`
    head, tail : int
        Addresses of the two counters.
    """

    def __init__(self, ring: np.ndarray, head: int, tail: int, first_seq: int) -> None:
        self._ring = ring
        self._head_address = head
        self._tail_address = tail
        self._head = load_acquire(head)
        self.seq = first_seq

    @classmethod
    def of(cls, memory: Memory) -> CommandWriter:
        """Return the stage's end of the engine's ring."""
        head = memory.field_address("command_head")
        return cls(
            memory.engine["commands"],
            head,
            memory.field_address("command_tail"),
            load_acquire(head),
        )

    def push(self, command: Command) -> int:
        """Write a command; return its number, or 0 if the ring is full."""
        if self._head - load_acquire(self._tail_address) >= len(self._ring):
            return 0
        self.seq += 1
        self._ring[self._head % len(self._ring)] = (
            command.op,
            command.source,
            command.whom,
            command.what,
            command.when,
            command.clock,
            command.frame,
            self.seq,
            command.x,
            command.y,
            0.0,
        )
        self._head += 1
        store_release(self._head_address, self._head)
        return self.seq


class ReportReader:
    """The stage's end of the report ring."""

    def __init__(self, memory: Memory) -> None:
        self._ring = memory.engine["reports"]
        self._head_address = memory.field_address("report_head")
        self._tail_address = memory.field_address("report_tail")
        self._tail = load_acquire(self._tail_address)

    def skip(self) -> None:
        """Leave out what was told to somebody who is gone."""
        self._tail = load_acquire(self._head_address)
        store_release(self._tail_address, self._tail)

    def fetch(self) -> list[Report]:
        """Return all that has been told since."""
        head = load_acquire(self._head_address)
        if head == self._tail:
            return []
        reports = []
        while self._tail < head:
            r = self._ring[self._tail % REPORTS]
            reports.append(
                Report(
                    Tell(int(r["kind"])),
                    int(r["op"]),
                    int(r["whom"]),
                    int(r["what"]),
                    int(r["source"]),
                    int(r["seq"]),
                    int(r["frame"]),
                    float(r["x"]),
                )
            )
            self._tail += 1
        store_release(self._tail_address, self._tail)
        return reports


assert COMMANDS & (COMMANDS - 1) == 0
