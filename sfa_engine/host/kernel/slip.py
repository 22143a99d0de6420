"""Slip: the track goes on underneath what is heard, and the deck returns to it in time.

::

    heard        ──────┐ loop, reverse, scratch, brake, held hot cue, censor, roll ┌──────►
                       └────────────────────────────────────────────────────────┘
    underneath   ─────── slip.line, at the deck's own speed ─────────────────────────────►

`begin` is called with a reason before the deck is moved, and `end` with the same one; several may
hold at once, and the last that ends brings the deck back. Sync and clock are in time with what goes
on underneath. Loops and reverse are found by `update`, from the values alone.
"""

from __future__ import annotations

import math

from sfa_engine.engine.layout import Move, Slip
from sfa_engine.host.kernel import grid, transport
from sfa_engine.host.kernel.intrinsics import kernel

LOOP, REVERSE, MOTION = int(Slip.LOOP), int(Slip.REVERSE), int(Slip.MOTION)
HOTCUE, CENSOR, ROLL = int(Slip.HOTCUE), int(Slip.CENSOR), int(Slip.ROLL)
BY_SWITCH = LOOP | REVERSE | MOTION | HOTCUE  # slip only while `slip` is on
NEAR = 1e-3  # track frames: closer is the same place, and needs no fade


@kernel
def note(engine, deck):
    """Remember the timeline of a deck before commands move it; while it slips, that is kept."""
    machine = engine.transport[deck]
    slip = machine.slip
    if slip.reasons != 0:
        return
    main = machine.head
    line = slip.line
    line.slot = main.slot
    transport.anchor(line, main.anchor_frame, main.anchor_position, main.speed)
    slip.unrolled = machine.unrolled


@kernel
def begin(engine, dsp, deck, frame, reason):
    """Let the track go on underneath; call it before the deck is moved.

    Returns
    -------
    slips : bool
        Whether it does; not if the deck does not run at its own speed.
    """
    machine = engine.transport[deck]
    slip = machine.slip
    if slip.reasons == 0:
        if not transport.runs(engine, deck):
            return False
        note(engine, deck)
        slip.began = transport.place(slip.line, frame)
    slip.reasons |= reason
    return True


@kernel
def end(engine, dsp, deck, frame, reason):
    """Take a reason away; when it was the last one, return to where the track would be."""
    slip = engine.transport[deck].slip
    if slip.reasons & reason == 0:
        return
    slip.reasons &= ~reason
    if slip.reasons == 0:
        come_back(engine, dsp, deck, frame)


@kernel
def drop(engine, deck, reason):
    """Take a reason away and leave the deck where it is."""
    engine.transport[deck].slip.reasons &= ~reason


@kernel
def come_back(engine, dsp, deck, frame):
    """Put a deck on the timeline that went on underneath, with a fade and no rounding."""
    machine = engine.transport[deck]
    machine.motion.kind = Move.NONE
    if machine.playing == 0:
        return
    main = machine.head
    line = machine.slip.line
    media = dsp.media[main.slot]
    machine.unrolled = machine.slip.unrolled
    position = transport.place(line, frame)
    landing = round_loop(engine, dsp, deck, media, position)
    landing = transport.inside(media, landing)
    here = transport.place(main, frame)
    if abs(landing - here) > NEAR or line.speed * main.speed < 0.0:
        transport.locate(engine, dsp, deck, frame, landing)
    if landing == position:
        transport.anchor(main, line.anchor_frame, line.anchor_position, line.speed)
    else:
        transport.anchor(main, frame, landing, line.speed)


@kernel
def round_loop(engine, dsp, deck, media, position):
    """Return where a loop would have taken the track that the deck was in when it began to slip."""
    machine = engine.transport[deck]
    values = engine.values.deck[deck]
    speed = machine.slip.line.speed
    if not transport.in_loop(values, media, speed, machine.slip.began):
        return position
    first = values.loop.start * media.rate
    last = transport.loop_end(values, media)
    if first <= position < last or (position < first) == (speed > 0.0):
        return position
    length = last - first
    landing = position - math.floor((position - first) / length) * length
    if grid.has_grid(media):
        hint = machine.beat_hint
        beat = grid.beat_near(media, hint, position)
        machine.unrolled += beat - grid.beat_near(media, hint, landing)
    return landing


@kernel
def update(engine, dsp, deck, frame):
    """Begin and end what slips by the values alone: loops and reverse, and the switch itself."""
    machine = engine.transport[deck]
    slip = machine.slip
    values = engine.values.deck[deck]
    if values.slip == 0.0:
        if slip.reasons & BY_SWITCH != 0:
            drop(engine, deck, BY_SWITCH)
        return
    if machine.playing == 0 or machine.head.slot < 0:
        return
    wanted = 0
    media = dsp.media[machine.head.slot]
    # A roll comes back by itself: see `loop`.
    if values.loop.active != 0.0 and machine.rolling == 0 and transport.has_loop(values, media):
        wanted |= LOOP
    if values.reverse != 0.0 and slip.line.speed >= 0.0:
        wanted |= REVERSE
    if wanted & ~slip.reasons != 0:
        if slip.reasons == 0 and transport.runs(engine, deck):
            # The line was noted before the command that began it.
            slip.began = transport.place(slip.line, frame)
            slip.reasons = wanted
        elif slip.reasons != 0:
            slip.reasons |= wanted
    gone = slip.reasons & (LOOP | REVERSE) & ~wanted
    if gone != 0:
        end(engine, dsp, deck, frame, gone)
