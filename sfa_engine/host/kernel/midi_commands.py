"""The resolver's commands: on the ring MIDI, due at the frame that a message is done at."""

from __future__ import annotations

from sfa_engine.engine.command import NO_OP, Op, Ring, Source, When
from sfa_engine.engine.layout import COMMANDS, MAX_TIMED, TICK, VALUES
from sfa_engine.engine.midi import SLOTS
from sfa_engine.host.kernel.intrinsics import kernel, load_acquire, store_release
from sfa_engine.host.kernel.waiting import LARGEST

UNREAD = 2 * TICK  # frames for which a command may not be read yet
CROWDED = MAX_TIMED - 64  # waiting commands; beyond these the kernel refuses those with a time


@kernel
def drop(engine, slot):
    """Count a message that could not be taken, sent or told."""
    if slot >= 0 and slot < SLOTS:
        engine.midi.slots[slot].dropped += 1


@kernel
def value_now(engine, state, index):
    """Return a value as it will be when the commands under way are done."""
    if engine.frame <= state.asked_frame[index]:
        return state.asked[index]
    return engine.flat[index]


@kernel
def ask(engine, state, slot, op, deck, target, index, x, frame):
    """Write a command; drop it and count if it makes no sense or the ring is full.

    Parameters
    ----------
    index : int64
        Of the value that becomes x by it; -1 if there is none.
    frame : int64
        Engine frame of the message.
    """
    ring = engine.rings[Ring.MIDI]
    head = ring.head
    unfit = op <= NO_OP or op == Op.LOAD or op == Op.CANCEL or not abs(x) < LARGEST
    unfit = unfit or op == Op.SAMPLE
    if unfit or head - load_acquire(ring.tail_address) >= COMMANDS:
        drop(engine, slot)
        return
    # Never before what was asked earlier, though clocks and devices are of two minds: the last
    # move of a fader is the last to be done, and no release comes before its press.
    due = max(min(frame, state.first + state.frames) + state.delay, state.latest)
    state.latest = due
    command = ring.commands[head % COMMANDS]
    command.op = op
    command.source = Source.MIDI + slot
    command.deck = deck
    command.target = target
    command.when = When.FRAME
    command.clock = 0
    command.ring = Ring.MIDI
    command.spare = 0
    command.frame = due
    command.ticket = head + 1
    command.x = x
    command.y = 0.0
    if due < engine.frame or engine.waiting_count > CROWDED:
        command.when = When.NOW
        due = engine.frame
    store_release(ring.head_address, head + 1)
    if index >= 0 and index < VALUES:
        state.asked[index] = x
        # The tick under way may have read the ring already, and the next one may begin before
        # the head is seen: what is due by then is done in the one after that. Without this, a
        # fader that moved on meanwhile was judged by the value before, and lost its take-over.
        state.asked_frame[index] = max(due, engine.frame + UNREAD)
