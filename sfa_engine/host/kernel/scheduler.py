"""Commands: taken from the rings, kept until their time, done at their exact frame.

::

    ring HOST ────┐
    ring STAGE ───┤ drain ─► waiting ─► run_due ─► SET, LOAD, CANCEL, … or a verb ─► report
    ring MIDI ────┤          (engine memory)
    ring EFFECTS ─┘
"""

from __future__ import annotations

import numpy as np

from sfa_engine.engine.command import NO_OP, Op, Reason, ReportKind, Ring, Source
from sfa_engine.engine.layout import (
    COMMANDS,
    DECK_STRIDE,
    DECKS,
    MAX_WAITING,
    OPS,
    RINGS,
    VALUES,
)
from sfa_engine.host.kernel import clock, ladder, sampler
from sfa_engine.host.kernel.dispatch import dispatch
from sfa_engine.host.kernel.intrinsics import kernel, load_acquire, store_release
from sfa_engine.host.kernel.reports import note, report
from sfa_engine.host.kernel.transport_verbs import load
from sfa_engine.host.kernel.values import put_value
from sfa_engine.host.kernel.waiting import (
    cancel,
    clear,
    compact,
    copy,
    frames_to_time,
    keep,
    refuse,
    take_out,
)


@kernel
def drain(engine):
    """Move what has arrived on the rings to the commands that wait, ring after ring.

    What finds no room stays on its ring until the next tick.
    """
    for r in range(RINGS):
        ring = engine.rings[r]
        tail = ring.tail
        # A head that is wrong must not keep the audio thread busy.
        head = min(load_acquire(ring.head_address), tail + COMMANDS)
        while tail < head and engine.waiting_count < MAX_WAITING:
            command = ring.commands[tail % COMMANDS]
            command.ring = r  # whatever its writer says
            note(engine, ReportKind.TAKEN, command, 0, engine.frame, Reason.NONE, -1, 0.0)
            keep(engine, command)
            tail += 1
        store_release(ring.tail_address, tail)


@kernel
def mark_done(engine):
    """Tell the writers that what was taken from their rings was done, or is seen to wait."""
    for r in range(RINGS):
        ring = engine.rings[r]
        if ring.done != ring.tail:
            store_release(ring.done_address, ring.tail)


@kernel
def run_due(engine, dsp, frame):
    """Do every waiting command whose time has come, in the order of their coming."""
    is_changed = False
    for k in range(engine.waiting_count):
        waiting = engine.waiting[k]
        if waiting.op == NO_OP:  # it was cancelled
            is_changed = True
            continue
        if frames_to_time(engine, dsp, waiting, frame) > 0:
            continue
        command = dsp.command
        copy(command, waiting)
        take_out(engine, k)
        is_changed = True
        engine.seq += 1
        about = value_of(dsp, command)
        if command.source == Source.MIX and about >= 0 and engine.touched[about] > command.y:
            reason = np.int64(Reason.TAKEN_OVER)
        else:
            reason = apply(engine, dsp, command, frame)
        if reason == Reason.NONE:
            if command.source >= Source.MIDI and about >= 0:
                engine.touched[about] = engine.seq
            report(engine, ReportKind.APPLIED, command, engine.seq, frame, reason, -1, 0.0)
        else:
            refuse(engine, command, engine.seq, frame, reason)
        clear(command)
    if is_changed:
        compact(engine)


@kernel
def value_of(dsp, command):
    """Return the value that a command is about; -1: none."""
    if command.op == Op.SET:
        return np.int64(command.target) if 0 <= command.target < VALUES else np.int64(-1)
    if command.op <= NO_OP or command.op >= OPS or dsp.op_value[command.op] < 0:
        return np.int64(-1)
    index = dsp.op_value[command.op] + dsp.op_stride[command.op] * command.target
    index += DECK_STRIDE * max(0, command.deck)
    return index if 0 <= index < VALUES else np.int64(-1)


@kernel
def apply(engine, dsp, command, frame):
    """Do a command; return `Reason.NONE` or why it was not done."""
    if command.op == Op.SET:
        if command.target < 0 or command.target >= VALUES or dsp.by_verb[command.target] != 0:
            return Reason.UNKNOWN
        put_value(engine, dsp, np.int64(command.target), command, frame)
        return Reason.NONE
    if command.op == Op.CANCEL:
        return cancel(engine, command, frame)
    if command.op == Op.FOLLOW:
        return clock.hear(engine, dsp, command, frame)
    if command.op == Op.LADDER:
        return ladder.move(engine, dsp, command, frame)
    if command.op == Op.SAMPLE:
        if command.ring != Ring.HOST:
            return Reason.UNKNOWN
        return sampler.load(engine, dsp, command, frame)
    if command.op == Op.LOAD:
        # Only the host knows which slots have a track, and none that was freed.
        if command.ring != Ring.HOST or command.deck < 0 or command.deck >= DECKS:
            return Reason.UNKNOWN
        return load(engine, dsp, np.int64(command.deck), command, frame)
    return dispatch(engine, dsp, command, frame)
