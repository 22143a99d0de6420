"""What the kernel reports: the command that was done, and every value that it changed."""

from __future__ import annotations

from sfa_engine.engine.command import NO_OP, Reason, ReportKind, Source
from sfa_engine.engine.layout import REPORTS
from sfa_engine.host.kernel.glide import set_goal
from sfa_engine.host.kernel.intrinsics import kernel, store_release


@kernel
def fill(record, kind, command, seq, frame, reason, index, value):
    """Write a report into its place on a ring."""
    record.kind = kind
    record.reason = reason
    record.ring = command.ring
    record.op = command.op
    record.source = command.source
    record.deck = command.deck
    record.target = command.target
    record.when = command.when
    record.clock = command.clock
    record.value_index = index
    record.at = command.frame
    record.ticket = command.ticket
    record.seq = seq
    record.frame = frame
    record.x = command.x
    record.y = command.y
    record.value = value


@kernel
def note(engine, kind, command, seq, frame, reason, index, value):
    """Write a report for the journal, if there is one; what finds no room is counted."""
    if engine.journalled == 0:
        return
    head = engine.journal_head
    if head - engine.journal_tail >= REPORTS:
        engine.journal_lost += 1
        return
    fill(engine.journal[head % REPORTS], kind, command, seq, frame, reason, index, value)
    store_release(engine.journal_head_address, head + 1)


@kernel
def report(engine, kind, command, seq, frame, reason, index, value):
    """Write a report of a command; if the ring is full it is dropped and counted."""
    note(engine, kind, command, seq, frame, reason, index, value)
    head = engine.report_head
    if head - engine.report_tail >= REPORTS:
        engine.reports_lost += 1
        return
    fill(engine.reports[head % REPORTS], kind, command, seq, frame, reason, index, value)
    store_release(engine.report_head_address, head + 1)


@kernel
def change(engine, dsp, index, value, frame):
    """Change a value as a consequence of the command that is being done, if any, and report it."""
    if engine.flat[index] == value:
        return
    set_goal(engine, dsp, index, value)
    changed(engine, dsp, index, frame)


@kernel
def changed(engine, dsp, index, frame):
    """Report a value that was changed."""
    seq = engine.seq if dsp.command.op != NO_OP else 0
    if dsp.command.source >= Source.MIDI:
        engine.touched[index] = seq
    value = engine.flat[index]
    report(engine, ReportKind.CHANGED, dsp.command, seq, frame, Reason.NONE, index, value)


@kernel
def event(engine, dsp, kind, deck, frame, value):
    """Report what no command caused."""
    dsp.command.deck = deck
    report(engine, kind, dsp.command, 0, frame, Reason.NONE, -1, value)
    dsp.command.deck = 0


@kernel
def starved(engine, dsp, deck, frame, frames):
    """Note that frames of a deck were not in memory when they were due."""
    dsp.command.deck = deck
    note(engine, ReportKind.STARVED, dsp.command, 0, frame, Reason.NONE, -1, frames)
    dsp.command.deck = 0
