"""How a deck moves that does not just run: by hand, slowing down, thrown back, coming to speed.

========= =========================================== =======================================
`Move`    speed                                       ends
========= =========================================== =======================================
HAND      follows the hand on the platter             when it lets go: START, or a stop
BRAKE     falls in a straight line                    at rest: the deck stops
SPIN      thrown back, then falls as a square         at rest: the deck stops
START     goes in a straight line to the deck's own   there: the deck runs
========= =========================================== =======================================

The speed changes once a tick, on the raster, and within the tick in a straight line: what is heard
has no steps. The deck's timeline has the mean speed of the tick, so that both meet at its ends.
A deck that slips returns to its track at the end instead: see `slip`.
"""

from __future__ import annotations

import numpy as np

from sfa_engine.engine.layout import DECK_STRIDE, FASTEST, TICK, Move
from sfa_engine.host.kernel import slip, transport, voice
from sfa_engine.host.kernel.elementary import exp2
from sfa_engine.host.kernel.intrinsics import kernel
from sfa_engine.host.kernel.reports import change

LOG2_OF_E = 1.4426950408889634
LAG_S = 0.0025  # of the deck that follows the platter: it is 2 of these behind a steady turn
LONGEST_GAP_S = 0.04  # between two messages of a hand that turns; after a longer one it began anew
FIRST_GAP_S = 0.0025  # between the first two of them: 720 a turn, at 33 turns a minute
GAP_SHARE = 0.3  # that the last gap has in their mean
GAPS = 1.5  # over which the platter goes to where it was said to be
RELEASE_S = 0.02  # from rest to the own speed when a hand lets go: no motor is faster than that
THROW = 4.0  # times the track's own speed, backwards: a quick hand
THROW_S = 0.06  # that it takes a hand to get there
QUIET = 0.15  # of the track's own speed: slower, a platter is less loud, and at rest it is silent


@kernel
def own_rate(dsp, deck, engine):
    """Return the speed of an untouched track, in track frames per engine frame."""
    return dsp.media[engine.transport[deck].head.slot].rate / dsp.sample_rate


@kernel
def enter(engine, deck, kind, time):
    """Begin a motion at the speed that the deck has."""
    machine = engine.transport[deck]
    motion = machine.motion
    if motion.kind == Move.NONE:
        motion.speed = machine.head.speed
        motion.level = 1.0
    motion.kind = kind
    motion.time = time


@kernel
def brake(engine, dsp, deck, frame):
    """Let a deck slow down and stop; one that slips returns to its track instead."""
    machine = engine.transport[deck]
    motion = machine.motion
    slips = slip_away(engine, dsp, deck, frame)
    if not slips:
        change(engine, dsp, transport.AT_PLAY + deck * DECK_STRIDE, 0.0, frame)
    if machine.playing != 0 and motion.kind != Move.HAND:
        enter(engine, deck, Move.BRAKE, engine.values.deck[deck].brake_time)


@kernel
def spin_back(engine, dsp, deck, frame):
    """Throw a deck back; it slows down and stops, and one that slips returns to its track."""
    machine = engine.transport[deck]
    motion = machine.motion
    if machine.playing == 0 or motion.kind == Move.HAND:
        return
    slips = slip_away(engine, dsp, deck, frame)
    if not slips:
        change(engine, dsp, transport.AT_PLAY + deck * DECK_STRIDE, 0.0, frame)
    enter(engine, deck, Move.SPIN, engine.values.deck[deck].spinback_time)
    motion.began_frame = frame
    motion.began_speed = motion.speed


@kernel
def slip_away(engine, dsp, deck, frame):
    """Let the track go on underneath a motion, if `slip` is on; return whether it does."""
    if engine.values.deck[deck].slip == 0.0:
        return False
    return slip.begin(engine, dsp, deck, frame, slip.MOTION)


@kernel
def halt(engine, dsp, deck, frame):
    """Take the motor from a deck: it stops, in `stop_time`, unless a hand holds it."""
    motion = engine.transport[deck].motion
    time = engine.values.deck[deck].stop_time
    if motion.kind == Move.HAND:
        return
    if time > 0.0 and motion.kind != Move.BRAKE and motion.kind != Move.SPIN:
        slip.drop(engine, deck, -1)
        enter(engine, deck, Move.BRAKE, time)
    else:
        transport.stop(engine, dsp, deck, frame)


@kernel
def run(engine, deck, frame):
    """Give a deck its motor that moves already: it comes to its own speed."""
    motion = engine.transport[deck].motion
    if motion.kind == Move.BRAKE or motion.kind == Move.SPIN:
        enter(engine, deck, Move.START, engine.values.deck[deck].start_time)


@kernel
def start_up(engine, deck, frame):
    """Let a deck that was just started come to its speed from rest, in `start_time`."""
    time = engine.values.deck[deck].start_time
    machine = engine.transport[deck]
    if time <= 0.0 or machine.playing == 0:
        return
    main = machine.head
    transport.anchor(main, frame, transport.place(main, frame), 0.0)
    enter(engine, deck, Move.START, time)
    machine.motion.level = 0.0


@kernel
def take(engine, dsp, deck, frame):
    """Put a hand on the platter; a deck that stood can be moved from now on."""
    machine = engine.transport[deck]
    motion = machine.motion
    if machine.playing != 0:
        slip_away(engine, dsp, deck, frame)
        enter(engine, deck, Move.HAND, 0.0)
    else:
        machine.playing = 1
        machine.nudge = 0.0
        voice.begin(dsp, deck)
        transport.anchor(machine.head, frame, machine.position, 0.0)
        enter(engine, deck, Move.HAND, 0.0)
        motion.level = 0.0
    motion.by_speed = 1


@kernel
def let_go(engine, dsp, deck, frame):
    """Take the hand off: back to the track, to the own speed, or to rest if play is off."""
    machine = engine.transport[deck]
    values = engine.values.deck[deck]
    if machine.slip.reasons & slip.MOTION != 0:
        slip.end(engine, dsp, deck, frame, slip.MOTION)
        if machine.slip.reasons == 0:
            return
    if values.play != 0.0:
        enter(engine, deck, Move.START, values.start_time)
    else:
        enter(engine, deck, Move.BRAKE, values.stop_time)


@kernel
def platter_at(motion, frame):
    """Return where the platter is at a frame, in seconds: it turns steadily between messages."""
    gone = (frame - motion.goal_frame) / max(1.0, motion.goal_frames)
    return motion.goal_before + (motion.goal - motion.goal_before) * min(1.0, max(0.0, gone))


@kernel
def turn(engine, dsp, deck, frame):
    """Take in where the platter is now, at the frame that a message says so.

    It goes there in twice the time between messages, of which the mean is kept: a hand that turns
    steadily turns the deck steadily, though devices send in steps and half a millisecond early or
    late.
    """
    motion = engine.transport[deck].motion
    values = engine.values.deck[deck]
    if values.platter == motion.goal:
        return
    before = platter_at(motion, frame)
    gap = 1.0 * (frame - motion.goal_frame)
    if gap > LONGEST_GAP_S * dsp.sample_rate:
        motion.gap = FIRST_GAP_S * dsp.sample_rate
    else:
        motion.gap += GAP_SHARE * (gap - motion.gap)
    motion.goal_before = before
    motion.goal = values.platter
    motion.goal_frame = frame
    motion.goal_frames = np.int64(max(1.0 * TICK, GAPS * motion.gap))
    if motion.kind == Move.HAND and motion.by_speed != 0 and values.scratch == 0.0:
        motion.by_speed = 0
        motion.origin = transport.place(engine.transport[deck].head, frame)
        motion.rest = before


@kernel
def hand_speed(engine, dsp, deck, frame, here, tick_s):
    """Return the speed at the end of a tick of a deck that a hand moves.

    By speed it is approached as by a low-pass of first order; by place, as by one of second order
    that does not overshoot.
    """
    motion = engine.transport[deck].motion
    values = engine.values.deck[deck]
    first = motion.speed
    share = tick_s / LAG_S
    keep = exp2(-share * LOG2_OF_E)
    if values.scratch != 0.0:
        motion.by_speed = 1
    if motion.by_speed != 0:
        wanted = values.scratch / 100.0 * own_rate(dsp, deck, engine)
        speed = wanted + (first - wanted) * keep
        return 0.0 if abs(speed) < 1e-4 and wanted == 0.0 else speed
    rate = dsp.media[engine.transport[deck].head.slot].rate
    off = here - motion.origin - (platter_at(motion, frame + TICK) - motion.rest) * rate
    speed = keep * ((1.0 - share) * first - share * share * off / TICK)
    return 0.0 if abs(speed) < 1e-4 and abs(off) < 1e-2 else speed


@kernel
def toward(speed, goal, step):
    """Return a speed that went a step toward a goal."""
    return min(speed + step, max(speed - step, goal))


@kernel
def spin_speed(motion, own, frame, sample_rate):
    """Return the speed of a platter that was thrown back, at a frame."""
    time = max(THROW_S * 2.0, motion.time)
    gone = (frame - motion.began_frame) / sample_rate
    if gone < THROW_S:
        return motion.began_speed + (-THROW * own - motion.began_speed) * gone / THROW_S
    left = max(0.0, 1.0 - (gone - THROW_S) / (time - THROW_S))
    return -THROW * own * left * left


@kernel
def come_to_rest(engine, dsp, deck, frame):
    """Stop a deck whose platter stands, or bring it back to its track."""
    machine = engine.transport[deck]
    if machine.slip.reasons & slip.MOTION != 0:
        machine.motion.kind = Move.NONE
        slip.end(engine, dsp, deck, frame, slip.MOTION)
    else:
        transport.stop(engine, dsp, deck, frame)


@kernel
def advance(engine, dsp, deck, frame):
    """Bring a deck's motion up to date, at the first frame of a tick."""
    machine = engine.transport[deck]
    motion = machine.motion
    main = machine.head
    values = engine.values.deck[deck]
    if main.slot < 0:
        return
    if values.touch != 0.0 and motion.kind != Move.HAND:
        take(engine, dsp, deck, frame)
    elif values.touch == 0.0 and motion.kind == Move.HAND:
        let_go(engine, dsp, deck, frame)
    if motion.kind == Move.NONE:
        return
    if machine.playing == 0:
        motion.kind = Move.NONE
        return
    own = own_rate(dsp, deck, engine)
    tick_s = TICK / dsp.sample_rate
    here = transport.place(main, frame)
    first = motion.speed
    speed = 0.0
    if motion.kind == Move.HAND:
        speed = hand_speed(engine, dsp, deck, frame, here, tick_s)
    elif motion.kind == Move.START:
        goal = transport.speed_of(engine, dsp, deck)
        step = own * tick_s / max(RELEASE_S, motion.time)
        if abs(goal - first) <= step:
            motion.kind = Move.NONE  # `sync.steer` gives it its speed
            return
        speed = toward(first, goal, step)
    else:
        thrown = motion.kind == Move.SPIN and frame - motion.began_frame < THROW_S * dsp.sample_rate
        if first == 0.0 and not thrown:
            come_to_rest(engine, dsp, deck, frame)
            return
        if motion.kind == Move.SPIN:
            speed = spin_speed(motion, own, frame + TICK, dsp.sample_rate)
        else:
            speed = toward(first, 0.0, own * tick_s / max(RELEASE_S, motion.time))
    speed = min(FASTEST, max(-FASTEST, speed))
    if abs(speed) < transport.STILL:
        speed = 0.0  # but for rounding
    mean = 0.5 * (first + speed)
    there = here + mean * TICK
    if motion.kind == Move.HAND:
        media = dsp.media[main.slot]
        edge = transport.inside(media, there)
        if edge != there:
            # A hand that pushes against the end of the track pushes the platter away beneath it.
            turned = (platter_at(motion, frame + TICK) - motion.rest) * media.rate
            motion.origin = edge - turned
            mean = (edge - here) / TICK
            first = mean
            speed = 0.0
    motion.frame = frame
    motion.first = first
    motion.curve = (speed - first) / TICK
    motion.level_first = motion.level
    motion.level = min(1.0, abs(speed) / (QUIET * own))
    motion.speed = speed
    transport.anchor(main, frame, here, mean)


@kernel
def resume(engine, deck, frame):
    """Let a deck that moved when its host died go on from where it was last seen."""
    machine = engine.transport[deck]
    if machine.motion.kind != Move.NONE:
        position = engine.values.deck[deck].position * machine.track_rate
        transport.anchor(machine.head, frame, position, 0.0)
