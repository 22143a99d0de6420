"""Commands: taken from the rings, kept until their time, done at their exact frame."""

from __future__ import annotations

import math

import numpy as np

from sfa_engine.audio.command import Handover, Op, Reason, Tell, When
from sfa_engine.audio.kernel import clock, grid, sync, transport
from sfa_engine.audio.kernel.glide import legal, set_goal
from sfa_engine.audio.kernel.machine import kernel, load_acquire, store_release
from sfa_engine.audio.kernel.transport import (
    AT_CUE_POINT,
    AT_HOTCUE,
    AT_LOOP_ACTIVE,
    AT_LOOP_END,
    AT_LOOP_LENGTH,
    AT_LOOP_START,
    HOTCUE_STRIDE,
)
from sfa_engine.audio.layout import (
    COMMANDS,
    DECK_STRIDE,
    DECKS,
    FADE,
    HOST_COMMANDS,
    PENDING,
    SLOTS,
    VALUE_INDEX,
    VALUES,
)
from sfa_engine.desk import DESK
from sfa_engine.desk.scale import NOT_SET

SET = int(Op.SET)
PLAY = int(Op.PLAY)
SEEK = int(Op.SEEK)
JUMP = int(Op.JUMP)
CUE = int(Op.CUE)
HOTCUE_PRESS = int(Op.HOTCUE_PRESS)
HOTCUE_STORE = int(Op.HOTCUE_STORE)
HOTCUE_CLEAR = int(Op.HOTCUE_CLEAR)
LOOP_ACTIVE = int(Op.LOOP_ACTIVE)
LOOP_ENTER = int(Op.LOOP_ENTER)
LOOP_LEAVE = int(Op.LOOP_LEAVE)
LOOP_AUTO = int(Op.LOOP_AUTO)
LOOP_AGAIN = int(Op.LOOP_AGAIN)
LOOP_HALVE = int(Op.LOOP_HALVE)
LOOP_DOUBLE = int(Op.LOOP_DOUBLE)
LOOP_MOVE = int(Op.LOOP_MOVE)
SYNC = int(Op.SYNC)
LEADER = int(Op.LEADER)
CLOCK_ALIGN = int(Op.CLOCK_ALIGN)
CLOCK_TEMPO = int(Op.CLOCK_TEMPO)
LOAD = int(Op.LOAD)
EJECT = int(Op.EJECT)
REVERSE = int(Op.REVERSE)

RESUMED = int(Handover.RESUMED)
SAME = int(Handover.SAME)

NOW = int(When.NOW)
FRAME = int(When.FRAME)
BEAT = int(When.BEAT)
BAR = int(When.BAR)

APPLIED = int(Tell.APPLIED)
REFUSED = int(Tell.REFUSED)
DONE = 0
NO_TRACK = int(Reason.NO_TRACK)
NO_GRID = int(Reason.NO_GRID)
NOT_THERE = int(Reason.NOT_SET)
OUTSIDE = int(Reason.OUTSIDE)
FULL = int(Reason.FULL)
UNKNOWN = int(Reason.UNKNOWN)

AT_SYNC = VALUE_INDEX["deck1.sync"]
AT_LEADER = VALUE_INDEX["deck1.leader"]
AT_REVERSE = VALUE_INDEX["deck1.reverse"]
NEVER = np.int64(1) << 40
MOST_TIMED = PENDING - 64  # the rest is for what is to be done now: it never waits for those
LARGEST = 1e12  # no number of a command is larger; NaN and infinity are not below it
HOTCUES = len(DESK.deck[1].hotcue)


@kernel
def frames_to_time(engine, rack, command, frame):
    """Return the frames until a command's time; a musical time that cannot come is now."""
    when = command.when
    if when == NOW:
        return np.int64(0)
    if when == FRAME:
        return max(np.int64(0), command.frame - frame)
    if command.clock == 0:
        beat = clock.beat_at(engine, frame) - engine.clock_downbeat
        tempo = engine.clock_speed
        bar = np.int64(engine.values.clock.beats_per_bar)
    else:
        deck = command.clock - 1
        main = engine.transport[deck].head[0]
        if engine.transport[deck].playing == 0 or main.slot < 0:
            return np.int64(0)
        media = rack.media[main.slot]
        if not grid.has_grid(media):
            return np.int64(0)
        beat, length = transport.running_beat(engine, rack, deck, frame)
        tempo = main.speed / length
        bar = media.beats_per_bar
    step = np.int64(1)
    if when == BAR:
        step = bar
    elif when != BEAT:
        step = bar * np.int64(engine.values.clock.bars_per_phrase)
    if tempo == 0.0:
        return NEVER
    # A beat that lies within a frame or a ten-thousandth behind us is this one, not the next.
    just = max(1e-4, 1.001 * abs(tempo))
    if tempo > 0.0:
        target = math.ceil((beat - just) / step) * step
    else:
        target = math.floor((beat + just) / step) * step
    return np.int64(max(0.0, math.ceil((target - beat) / tempo)))


@kernel
def keep(engine, rack, command):
    """Put a command among those that wait; refuse one that makes no sense or may not wait."""
    if not (abs(command.x) < LARGEST) or command.clock < 0 or command.clock > DECKS:
        refuse(engine, command, UNKNOWN)
        return
    if command.when != NOW and rack.pendings >= MOST_TIMED:
        refuse(engine, command, FULL)
        return
    slot = rack.pending[rack.pendings]
    slot.op = command.op
    slot.source = command.source
    slot.whom = command.whom
    slot.what = command.what
    slot.when = command.when
    slot.clock = command.clock
    slot.frame = command.frame
    slot.seq = command.seq
    slot.x = command.x
    slot.y = command.y
    slot.z = command.z
    rack.pendings += 1


@kernel
def refuse(engine, command, reason):
    """Say that a command could not be done."""
    engine.commands_refused += 1
    transport.tell(
        engine,
        REFUSED,
        command.op,
        command.whom,
        command.what,
        command.source,
        command.seq,
        engine.frame,
        np.float64(reason),
    )


@kernel
def drain(engine, rack):
    """Move what has arrived on both rings to the commands that wait, in order.

    What finds no room stays on its ring until the next tick.
    """
    head = load_acquire(rack.command_head_address)
    tail = rack.command_tail
    while tail < head and rack.pendings < PENDING:
        keep(engine, rack, rack.commands[tail % HOST_COMMANDS])
        tail += 1
    store_release(rack.command_tail_address, tail)
    head = load_acquire(engine.command_head_address)
    tail = engine.command_tail
    while tail < head and rack.pendings < PENDING:
        keep(engine, rack, engine.commands[tail % COMMANDS])
        tail += 1
    store_release(engine.command_tail_address, tail)


@kernel
def frames_to_next(engine, rack, frame):
    """Return the frames until the next waiting command's time."""
    least = NEVER
    for k in range(rack.pendings):
        least = min(least, frames_to_time(engine, rack, rack.pending[k], frame))
    return least


@kernel
def run_due(engine, rack, frame):
    """Do every waiting command whose time has come, in the order of their coming."""
    k = 0
    while k < rack.pendings:
        command = rack.pending[k]
        if frames_to_time(engine, rack, command, frame) > 0:
            k += 1
            continue
        result = apply(engine, rack, command, frame)
        if result == DONE:
            transport.tell(
                engine,
                APPLIED,
                command.op,
                command.whom,
                command.what,
                command.source,
                command.seq,
                frame,
                command.x,
            )
        else:
            refuse(engine, command, result)
        rack.pendings -= 1
        for j in range(k, rack.pendings):
            rack.pending[j] = rack.pending[j + 1]


@kernel
def apply(engine, rack, command, frame):
    """Do a command; return 0 or the reason why not."""
    op = command.op
    if op == SET:
        if command.what < 0 or command.what >= VALUES or rack.by_verb[command.what] != 0:
            return UNKNOWN
        put_value(engine, rack, np.int64(command.what), command, frame)
        return DONE
    if op == CLOCK_ALIGN:
        clock.align(engine, rack, frame)
        return DONE
    if op == CLOCK_TEMPO:
        put_value(engine, rack, np.int64(clock.AT_TEMPO), command, frame)
        return DONE
    if command.whom < 0 or command.whom >= DECKS:
        return UNKNOWN
    deck = np.int64(command.whom)
    if op == LOAD:
        return load(engine, rack, command, frame)
    if op == SYNC or op == LEADER or op == REVERSE:
        at = AT_SYNC if op == SYNC else (AT_LEADER if op == LEADER else AT_REVERSE)
        at += deck * DECK_STRIDE
        before = engine.flat[at]
        command.x = legal(rack, at, command.x)
        set_goal(engine, rack, at, command.x)
        if op == SYNC:
            sync.engage(engine, rack, deck, frame, before)
        if op == LEADER and command.x != 0.0:
            for other in range(DECKS):
                if other != deck:
                    transport.change(engine, rack, AT_LEADER + other * DECK_STRIDE, 0.0, frame)
        return DONE
    at_play = transport.AT_PLAY + deck * DECK_STRIDE
    if op == PLAY and command.x == 0.0:
        transport.change_for(engine, rack, at_play, 0.0, frame, command.source)
        transport.stop(engine, rack, deck, frame)
        return DONE
    if engine.transport[deck].head[0].slot < 0:
        if op == PLAY:
            transport.change(engine, rack, at_play, 0.0, frame)
        return NO_TRACK
    return move(engine, rack, deck, command, frame)


@kernel
def put_value(engine, rack, index, command, frame):
    """Set a control to the nearest legal value; what a deck that is followed rules stays."""
    command.x = legal(rack, index, command.x)
    for d in range(DECKS):
        if index == sync.AT_RATE + d * DECK_STRIDE:
            if sync.follow(engine, rack, np.int64(d), frame) >= 0:
                command.x = engine.flat[index]
                return
    if index == clock.AT_TEMPO and clock.followed(engine, rack) >= 0:
        command.x = engine.flat[index]
        return
    if index == clock.AT_SOURCE and engine.flat[index] != command.x:
        engine.clock_shift = 0
    set_goal(engine, rack, index, command.x)
    for d in range(DECKS):
        first = d * DECK_STRIDE
        if index == AT_LOOP_START + first or index == AT_LOOP_END + first:
            check_loop(engine, rack, np.int64(d), frame)


@kernel
def check_loop(engine, rack, deck, frame):
    """Leave a loop whose ends came too close, or crossed: it is none any more."""
    slot = engine.transport[deck].head[0].slot
    values = engine.values.deck[deck]
    if values.loop.active != 0.0:
        if slot < 0 or not transport.has_loop(values, rack.media[slot]):
            transport.change(engine, rack, AT_LOOP_ACTIVE + deck * DECK_STRIDE, 0.0, frame)


@kernel
def load(engine, rack, command, frame):
    """Put a media slot on a deck, or take the deck's away (slot -1)."""
    deck = np.int64(command.whom)
    slot = np.int64(command.what)
    if slot >= SLOTS:
        return UNKNOWN
    machine = engine.transport[deck]
    main = machine.head[0]
    playing = machine.playing
    if command.y == SAME:
        if main.slot < 0 or main.slot != np.int64(command.x):
            return NO_TRACK
        rack.media[main.slot].heads -= 1
        main.slot = slot
        rack.media[slot].heads += 1
        sync.regrid(engine, deck)
        return DONE
    if command.y == RESUMED:
        # A new host: the head is where it was, it only has its track again.
        if main.slot >= 0:
            rack.media[main.slot].heads -= 1
        main.slot = slot
        main.gain = 0.0
        main.slope = 1.0 / FADE if playing != 0 else 0.0
        rack.media[slot].heads += 1
        if playing != 0:
            transport.go_round(engine, rack, deck, frame)
        return DONE
    if playing != 0:
        transport.stop(engine, rack, deck, frame)
    if main.slot >= 0:
        rack.media[main.slot].heads -= 1
    main.slot = slot
    main.gain = 0.0
    main.slope = 0.0
    sync.regrid(engine, deck)
    base = deck * DECK_STRIDE
    transport.change(engine, rack, AT_LEADER + base, 0.0, frame)
    transport.change(engine, rack, AT_LOOP_ACTIVE + base, 0.0, frame)
    machine.unrolled = 0.0
    if slot < 0:
        machine.position = 0.0
        engine.values.deck[deck].position = 0.0
        transport.anchor(main, frame, 0.0, 0.0)
        return DONE
    media = rack.media[slot]
    media.heads += 1
    machine.beat_hint = 0
    machine.starved = 0
    machine.position = transport.inside(media, command.x * media.rate)
    command.x = machine.position / media.rate
    transport.anchor(main, frame, machine.position, 0.0)
    transport.change(engine, rack, AT_LOOP_START + base, NOT_SET, frame)
    transport.change(engine, rack, AT_LOOP_END + base, NOT_SET, frame)
    transport.change(engine, rack, AT_CUE_POINT + base, command.x, frame)
    for k in range(HOTCUES):
        index = AT_HOTCUE + base + k * HOTCUE_STRIDE
        transport.change_for(engine, rack, index, NOT_SET, frame, command.source)
    return DONE


@kernel
def move(engine, rack, deck, command, frame):
    """Do a command that needs a track."""
    op = command.op
    machine = engine.transport[deck]
    media = rack.media[machine.head[0].slot]
    base = deck * DECK_STRIDE
    here = transport.position_now(engine, deck, frame)
    if op == PLAY:
        machine.cue_held = 0  # playing on from a held cue
        at_play = transport.AT_PLAY + base
        transport.change_for(engine, rack, at_play, 1.0, frame, command.source)
        sync.start(engine, rack, deck, frame)
        return DONE
    if op == SEEK:
        sync.go(engine, rack, deck, frame, command.x * media.rate)
        command.x = machine.position / media.rate  # told as it was done
        return DONE
    if op == JUMP:
        if not grid.has_grid(media):
            return NO_GRID
        beat, _ = transport.beat_of(engine, rack, deck, frame)
        place = transport.inside(media, grid.position_of(media, beat + command.x))
        if sync.is_beat_synced(engine, deck, machine.following - 1):
            place = sync.land(engine, rack, deck, frame, place)
        transport.locate(rack, machine, frame, place)
        return DONE
    if op == CUE:
        cue(engine, rack, deck, frame, here, media.rate, command.x != 0.0)
        return DONE
    if op == HOTCUE_PRESS or op == HOTCUE_STORE or op == HOTCUE_CLEAR:
        if command.what < 0 or command.what >= HOTCUES:
            return UNKNOWN
        index = AT_HOTCUE + base + np.int64(command.what) * HOTCUE_STRIDE
        stored = engine.flat[index]
        if op == HOTCUE_CLEAR:
            transport.change(engine, rack, index, NOT_SET, frame)
        elif op == HOTCUE_PRESS and stored != NOT_SET:
            sync.go(engine, rack, deck, frame, stored * media.rate)
        else:
            place = transport.snap(engine, rack, deck, here)
            transport.change(engine, rack, index, place / media.rate, frame)
        return DONE
    return loop(engine, rack, deck, command, frame, here)


@kernel
def cue(engine, rack, deck, frame, here, rate, pressed):
    """The cue button of a CD player."""
    machine = engine.transport[deck]
    index = AT_CUE_POINT + deck * DECK_STRIDE
    point = transport.inside(rack.media[machine.head[0].slot], engine.flat[index] * rate)
    if not pressed:
        if machine.cue_held != 0:
            machine.cue_held = 0
            transport.stop(engine, rack, deck, frame)
            transport.locate(rack, machine, frame, point)
        return
    if machine.playing != 0:
        transport.stop(engine, rack, deck, frame)
        transport.locate(rack, machine, frame, point)
    elif abs(here - point) < 1.0:
        machine.cue_held = 1
        sync.start(engine, rack, deck, frame)
    else:
        place = transport.snap(engine, rack, deck, here)
        transport.change(engine, rack, index, place / rate, frame)
        transport.locate(rack, machine, frame, place)


@kernel
def loop(engine, rack, deck, command, frame, here):
    """Do a command that is about the loop."""
    op = command.op
    machine = engine.transport[deck]
    media = rack.media[machine.head[0].slot]
    values = engine.values.deck[deck]
    rate = media.rate
    base = deck * DECK_STRIDE
    begin = values.loop.start * rate
    end = transport.loop_end(values, media)
    active = values.loop.active != 0.0
    whole = transport.has_loop(values, media)
    last = np.float64(media.frames)
    if op == LOOP_ENTER:
        place = transport.snap(engine, rack, deck, here)
        transport.change(engine, rack, AT_LOOP_START + base, place / rate, frame)
        check_loop(engine, rack, deck, frame)
        return DONE
    if op == LOOP_LEAVE:
        place = transport.snap(engine, rack, deck, here)
        if values.loop.start == NOT_SET or place <= begin:
            return NOT_THERE
        place = max(place, begin + transport.SHORTEST_LOOP)
        if place > last:
            return OUTSIDE
        transport.change(engine, rack, AT_LOOP_END + base, place / rate, frame)
        transport.change(engine, rack, AT_LOOP_ACTIVE + base, 1.0, frame)
        # Leaving late must still go round: what ran over is played from the start again.
        if machine.playing != 0 and here > place:
            transport.locate(rack, machine, frame, here - (place - begin))
        return DONE
    if op == LOOP_AUTO and not active:
        if not grid.has_grid(media):
            return NO_GRID
        beat = grid.beat_near(media, machine.beat_hint, here)
        if engine.values.deck[deck].quantise != 0.0:
            step = min(1.0, values.loop.length)
            beat = math.floor(beat / step + 0.5) * step
        place = grid.position_of(media, beat)
        end = grid.position_of(media, beat + values.loop.length)
        if end > last:
            # The last one that fits, so many whole beats earlier.
            room = grid.beat_near(media, machine.beat_hint, last)
            beat -= math.ceil(beat + values.loop.length - room - 1e-6)
            place = grid.position_of(media, beat)
            end = min(last, grid.position_of(media, beat + values.loop.length))
        end = max(end, place + transport.SHORTEST_LOOP)
        if place != transport.inside(media, place) or end > last:
            return OUTSIDE
        transport.change(engine, rack, AT_LOOP_START + base, place / rate, frame)
        transport.change(engine, rack, AT_LOOP_END + base, end / rate, frame)
        transport.change(engine, rack, AT_LOOP_ACTIVE + base, 1.0, frame)
        # A start or an end that was put on a beat may have left the deck outside.
        if machine.playing != 0 and not transport.in_loop(
            values, media, machine.head[0].speed, here
        ):
            transport.locate(rack, machine, frame, place + (here - place) % (end - place))
        return DONE
    if op == LOOP_ACTIVE or op == LOOP_AUTO or op == LOOP_AGAIN:
        wanted = command.x != 0.0 if op == LOOP_ACTIVE else not active
        # Of a button's effect its sender is told, of the switch that it set it is not.
        source = command.source if op == LOOP_ACTIVE else 0
        if not wanted:
            transport.change_for(engine, rack, AT_LOOP_ACTIVE + base, 0.0, frame, source)
            return DONE
        if not whole:
            return NOT_THERE
        transport.change_for(engine, rack, AT_LOOP_ACTIVE + base, 1.0, frame, source)
        if op == LOOP_AGAIN:
            sync.go(engine, rack, deck, frame, begin)
        return DONE
    if not whole:
        return NOT_THERE
    if op == LOOP_HALVE or op == LOOP_DOUBLE:
        factor = 0.5 if op == LOOP_HALVE else 2.0
        length = (end - begin) * factor
        if length < transport.SHORTEST_LOOP:
            return DONE
        if begin + length > last + transport.JUST_OVER:
            return OUTSIDE
        beats = legal(rack, AT_LOOP_LENGTH, values.loop.length * factor)
        transport.change(engine, rack, AT_LOOP_LENGTH + base, beats, frame)
        transport.change(engine, rack, AT_LOOP_END + base, (begin + length) / rate, frame)
        if active and machine.playing != 0 and here > begin + length:
            transport.locate(rack, machine, frame, begin + (here - begin) % length)
        return DONE
    if op == LOOP_MOVE:
        if not grid.has_grid(media):
            return NO_GRID
        hint = machine.beat_hint
        first = grid.position_of(media, grid.beat_near(media, hint, begin) + command.x)
        end_moved = grid.position_of(media, grid.beat_near(media, hint, end) + command.x)
        if first != transport.inside(media, first) or end_moved > last + transport.JUST_OVER:
            return OUTSIDE
        if end_moved - first < transport.SHORTEST_LOOP:
            return OUTSIDE
        transport.change(engine, rack, AT_LOOP_START + base, first / rate, frame)
        transport.change(engine, rack, AT_LOOP_END + base, end_moved / rate, frame)
        if active and machine.playing != 0 and begin <= here < end:
            transport.locate(rack, machine, frame, here + first - begin)
        return DONE
    return UNKNOWN
