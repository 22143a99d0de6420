"""Commands that wait: when each is due, and the table in which they lie.

The table is in engine memory, so that any process can list it; a serial that is odd during a
change tells a reader to look again.
"""

from __future__ import annotations

import numpy as np

from sfa_engine.engine.command import ANY, NO_OP, Reason, ReportKind, When
from sfa_engine.engine.layout import DECKS, MAX_TIMED
from sfa_engine.host.kernel import grid, transport
from sfa_engine.host.kernel.intrinsics import fence_release, kernel, store_release
from sfa_engine.host.kernel.lead import session_beat
from sfa_engine.host.kernel.reports import report
from sfa_engine.host.kernel.transport import NEVER

LARGEST = 1e12  # no number of a command is larger; NaN and infinity are not below it


@kernel
def frames_to_time(engine, dsp, command, frame):
    """Return the frames until a command's time; a musical time that cannot come is now."""
    when = command.when
    if when == When.NOW:
        return np.int64(0)
    if when == When.FRAME:
        return max(np.int64(0), command.frame - frame)
    if command.clock == 0:
        beat = session_beat(engine, frame) - engine.clock_downbeat
        tempo = engine.clock_speed
        bar = np.int64(engine.values.clock.beats_per_bar)
    else:
        deck = command.clock - 1
        main = engine.transport[deck].head
        if engine.transport[deck].playing == 0:
            return np.int64(0)
        if main.slot < 0:
            return NEVER  # a new host is still reading the track that plays
        media = dsp.media[main.slot]
        if not grid.has_grid(media):
            return np.int64(0)
        beat, length = transport.running_beat(engine, dsp, deck, frame)
        tempo = transport.paced_speed(engine, deck) / length
        bar = media.beats_per_bar
    step = np.int64(1)
    if when == When.BAR:
        step = bar
    elif when != When.BEAT:
        step = bar * np.int64(engine.values.clock.bars_per_phrase)
    return transport.frames_to_beat(beat, tempo, step)


@kernel
def frames_to_next(engine, dsp, frame):
    """Return the frames until the next waiting command's time."""
    least = NEVER
    for k in range(engine.waiting_count):
        least = min(least, frames_to_time(engine, dsp, engine.waiting[k], frame))
    return least


@kernel
def copy(to, command):
    """Copy a command."""
    to.op = command.op
    to.source = command.source
    to.deck = command.deck
    to.target = command.target
    to.when = command.when
    to.clock = command.clock
    to.ring = command.ring
    to.frame = command.frame
    to.ticket = command.ticket
    to.x = command.x
    to.y = command.y


@kernel
def clear(command):
    """Leave no trace of the command that was done: what is reported next has no cause."""
    command.op = NO_OP
    command.source = 0
    command.deck = 0
    command.target = 0
    command.when = 0
    command.clock = 0
    command.ring = 0
    command.frame = 0
    command.ticket = 0
    command.x = 0.0
    command.y = 0.0


@kernel
def begin_change(engine):
    """Mark the waiting commands as changing: readers retry until `end_change`."""
    engine.waiting_serial += 1
    fence_release()


@kernel
def end_change(engine):
    """End a change of the waiting commands."""
    store_release(engine.waiting_serial_address, engine.waiting_serial + 1)


@kernel
def is_valid(command):
    """Return whether a command's numbers are in range; its verb looks at deck and target."""
    return (
        command.op > NO_OP
        and abs(command.x) < LARGEST
        and abs(command.y) < LARGEST
        and command.when >= When.NOW
        and command.when <= When.PHRASE
        and (command.when != When.FRAME or command.frame >= 0)
        and command.clock >= 0
        and command.clock <= DECKS
    )


@kernel
def is_full(engine):
    """Return whether no other timed command may wait; those to be done now do not count.

    A new host finds up to `COMMANDS` of these on the ring, before the timed ones repeated for it.
    """
    if engine.waiting_count < MAX_TIMED:
        return False
    timed = 0
    for k in range(engine.waiting_count):
        if engine.waiting[k].when != When.NOW:
            timed += 1
    return timed >= MAX_TIMED


@kernel
def keep(engine, command):
    """Put a command among those that wait; refuse one that makes no sense or may not wait."""
    if not is_valid(command):
        refuse(engine, command, 0, engine.frame, Reason.UNKNOWN)
    elif command.when != When.NOW and is_full(engine):
        refuse(engine, command, 0, engine.frame, Reason.FULL)
    else:
        begin_change(engine)
        copy(engine.waiting[engine.waiting_count], command)
        engine.waiting_count += 1
        end_change(engine)


@kernel
def take_out(engine, k):
    """Mark a command as one that waits no more; `compact` takes it out."""
    begin_change(engine)
    engine.waiting[k].op = NO_OP
    end_change(engine)


@kernel
def compact(engine):
    """Take out the commands that wait no more, all at once; the others keep their order."""
    kept = 0
    count = engine.waiting_count
    begin_change(engine)
    for k in range(count):
        if engine.waiting[k].op != NO_OP:
            if kept != k:
                copy(engine.waiting[kept], engine.waiting[k])
            kept += 1
    engine.waiting_count = kept
    end_change(engine)


@kernel
def refuse(engine, command, seq, frame, reason):
    """Report that a command could not be done."""
    report(engine, ReportKind.REFUSED, command, seq, frame, reason, -1, 0.0)


@kernel
def cancel(engine, command, frame):
    """Cancel the waiting commands that an `Op.CANCEL` means; x becomes how many."""
    source = np.int64(command.x)
    command.x = 0.0
    for k in range(engine.waiting_count):
        waiting = engine.waiting[k]
        if waiting.op == NO_OP or waiting.when == When.NOW:
            continue
        if command.target != ANY and command.target != waiting.ring:
            continue
        if command.frame != ANY and command.frame != waiting.ticket:
            continue
        if command.deck != ANY and command.deck != waiting.deck:
            continue
        if source != 0 and source != waiting.source:
            continue
        report(engine, ReportKind.CANCELLED, waiting, 0, frame, Reason.NONE, -1, 0.0)
        take_out(engine, k)
        command.x += 1.0
    return Reason.NOT_WAITING if command.x == 0.0 and command.frame != ANY else Reason.NONE
