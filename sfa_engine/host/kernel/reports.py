"""What the kernel reports: the command that was done, and every value that it changed."""

from __future__ import annotations

from sfa_engine.engine.command import NO_OP, Reason, ReportKind
from sfa_engine.engine.layout import REPORTS
from sfa_engine.host.kernel.glide import set_goal
from sfa_engine.host.kernel.intrinsics import kernel, store_release


@kernel
def report(engine, kind, command, seq, frame, reason, index, value):
    """Write a report of a command; if the ring is full it is dropped and counted."""
    head = engine.report_head
    if head - engine.report_tail >= REPORTS:
        engine.reports_lost += 1
        return
    record = engine.reports[head % REPORTS]
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
    value = engine.flat[index]
    report(engine, ReportKind.CHANGED, dsp.command, seq, frame, Reason.NONE, index, value)


@kernel
def event(engine, dsp, kind, deck, frame, value):
    """Report what no command caused."""
    dsp.command.deck = deck
    report(engine, kind, dsp.command, 0, frame, Reason.NONE, -1, value)
    dsp.command.deck = 0
