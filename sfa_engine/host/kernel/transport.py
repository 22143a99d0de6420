"""Where a deck is in its track, and what moves it.

A position is never added up: it is an anchor plus the frames since then times the speed, and
it is re-anchored at each change. Two decks on one grid stay in phase for hours.

What is heard of it is read by the deck's voices, which follow: see `voice`.
"""

from __future__ import annotations

import math

import numpy as np

from sfa_engine.desk.deck import PRE_ROLL_S
from sfa_engine.desk.scale import NOT_SET
from sfa_engine.engine.command import ReportKind
from sfa_engine.engine.layout import (
    DECK_STRIDE,
    FASTEST,
    STRIPS,
    VALUE_INDEX,
    Move,
    Slip,
)
from sfa_engine.host.kernel import grid, voice
from sfa_engine.host.kernel.intrinsics import kernel
from sfa_engine.host.kernel.reports import change, event

AT_PLAY = VALUE_INDEX["deck1.play"]
AT_CUE_POINT = VALUE_INDEX["deck1.cue_point"]
AT_HOTCUE = VALUE_INDEX["deck1.hotcue1.position"]
HOTCUE_STRIDE = VALUE_INDEX["deck1.hotcue2.position"] - AT_HOTCUE
AT_LOOP_ACTIVE = VALUE_INDEX["deck1.loop.active"]
AT_LOOP_START = VALUE_INDEX["deck1.loop.start"]
AT_LOOP_END = VALUE_INDEX["deck1.loop.end"]
AT_LOOP_LENGTH = VALUE_INDEX["deck1.loop.length"]
SHORTEST_LOOP = 256.0  # track frames, 5 ms: twice the fade, and a pitch of 190 Hz
CENSOR = int(Slip.CENSOR)
STILL = 1e-9  # track frames per engine frame: slower, nothing comes within a set
NEVER = np.int64(1) << 40  # frames
JUST_OVER = 1e-3  # track frames: more than rounding moves a place, and less than a place matters


@kernel
def place(head, frame):
    """Return where a head is at an engine frame, in track frames."""
    return head.anchor_position + (frame - head.anchor_frame) * head.speed


@kernel
def anchor(head, frame, position, speed):
    """Re-anchor a head."""
    head.anchor_frame = frame
    head.anchor_position = position
    head.speed = speed


@kernel
def inside(media, position):
    """Return the position nearest to one that a deck may stand at, in track frames."""
    return min(np.float64(media.frames), max(-PRE_ROLL_S * media.rate, position))


@kernel
def locate(engine, dsp, deck, frame, position):
    """Move the deck to a position, in track frames, without a click, and keep it in range."""
    transport = engine.transport[deck]
    main = transport.head
    position = inside(dsp.media[main.slot], position)
    if transport.playing != 0:
        voice.cut(dsp, deck)
        # A hand on the platter goes on from there.
        transport.motion.origin += position - place(main, frame)
    else:
        voice.end_fade_in(dsp, deck)
    anchor(main, frame, position, main.speed)
    transport.position = position
    transport.rolled = 0.0


@kernel
def shift(engine, dsp, deck, frame, position):
    """Move the deck because of its loop: a roll goes on under it where the deck would be."""
    transport = engine.transport[deck]
    rolled = transport.rolled + position_now(engine, deck, frame)
    locate(engine, dsp, deck, frame, position)
    transport.rolled = rolled - transport.position


@kernel
def go_round_seam(engine, dsp, deck, frame, position):
    """Put the deck back to its loop's start, with equal power."""
    shift(engine, dsp, deck, frame, position)
    line = engine.transport[deck].head
    all_stems = dsp.channel[deck].voice[0]
    for s in range(STRIPS):
        voice.match(dsp, all_stems, np.int64(s), dsp.media[line.slot], line.anchor_position, frame)


@kernel
def stop(engine, dsp, deck, frame):
    """Halt the deck where it is."""
    transport = engine.transport[deck]
    if transport.playing != 0:
        main = transport.head
        # The last frame falls between two of the device: the deck may be a part of one beyond it.
        transport.position = inside(dsp.media[main.slot], place(main, frame))
        voice.end(dsp, deck)
        transport.playing = 0
        transport.motion.kind = Move.NONE
        transport.slip.reasons = 0
        transport.bar_due = 0
        anchor(main, frame, transport.position, 0.0)
    change(engine, dsp, AT_PLAY + deck * DECK_STRIDE, 0.0, frame)


@kernel
def base_speed(dsp, engine, deck):
    """Return a deck's speed by its rate alone, in track frames per engine frame."""
    media = dsp.media[engine.transport[deck].head.slot]
    return min(FASTEST, dsp.to.deck[deck].rate * media.rate / dsp.sample_rate)


@kernel
def speed_of(engine, dsp, deck):
    """Return the speed that a deck should have now, in track frames per engine frame."""
    speed = pace(engine, dsp, deck)
    backwards = engine.values.deck[deck].reverse != 0.0
    if engine.transport[deck].slip.reasons & CENSOR != 0:
        backwards = True
    return -speed if backwards else speed


@kernel
def pace(engine, dsp, deck):
    """Return the speed of a deck without its direction: of the track underneath, if it slips."""
    speed = base_speed(dsp, engine, deck)
    bend = dsp.to.deck[deck].bend
    if engine.transport[deck].motion.kind == Move.HAND:
        bend = 0.0  # the same wheel is turned: it moves the platter now
    speed *= (1.0 + bend / 100.0) * (1.0 + engine.transport[deck].nudge)
    return min(FASTEST, speed)


@kernel
def is_slipping(engine, deck):
    """Return whether a deck's track goes on underneath what is heard."""
    return engine.transport[deck].slip.reasons != 0


@kernel
def runs(engine, deck):
    """Return whether a deck's track goes on at its own speed, heard or underneath.

    A deck that a hand moves, that slows down or comes to speed, has no tempo to follow.
    """
    transport = engine.transport[deck]
    if transport.playing == 0:
        return False
    return transport.motion.kind == Move.NONE or transport.slip.reasons != 0


@kernel
def paced_speed(engine, deck):
    """Return the speed that others are in time with: of the track underneath, if it slips."""
    transport = engine.transport[deck]
    return transport.slip.line.speed if transport.slip.reasons != 0 else transport.head.speed


@kernel
def is_reversed(engine, deck):
    """Return whether a deck runs backwards, or would if it did not slip."""
    transport = engine.transport[deck]
    if transport.slip.reasons != 0:
        return transport.slip.line.speed < 0.0
    return engine.values.deck[deck].reverse != 0.0


@kernel
def beat_of(engine, dsp, deck, frame):
    """Return a deck's beat number, and how many frames of its track a beat has there."""
    return beat_there(engine, dsp, deck, position_now(engine, deck, frame))


@kernel
def beat_there(engine, dsp, deck, position):
    """Return the beat number of a place of a deck's track, and the length of a beat there."""
    transport = engine.transport[deck]
    media = dsp.media[transport.head.slot]
    k = grid.interval_at(media, transport.beat_hint, position)
    transport.beat_hint = k
    return grid.beat_at(media, k, position), grid.frames_per_beat(media, k)


@kernel
def paced_beat(engine, dsp, deck, frame):
    """Return a deck's beat and its length, of the track underneath if it slips."""
    slip = engine.transport[deck].slip
    if slip.reasons != 0:
        return beat_there(engine, dsp, deck, place(slip.line, frame))
    return beat_of(engine, dsp, deck, frame)


@kernel
def running_beat(engine, dsp, deck, frame):
    """Return a deck's beat as it counts on through a loop, which takes the beat back again.

    That is the beat to be in time with: with a quarter of a beat that repeats, no deck could be.
    """
    beat, length = paced_beat(engine, dsp, deck, frame)
    transport = engine.transport[deck]
    unrolled = transport.slip.unrolled if transport.slip.reasons != 0 else transport.unrolled
    return beat + unrolled, length


@kernel
def frames_to_beat(beat, tempo, step):
    """Return the frames until the next beat that is a multiple of `step`.

    Parameters
    ----------
    beat, tempo : float64
        Where it is, and beats a frame.
    step : int64
    """
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
def snap(engine, dsp, deck, position):
    """Return a place on the nearest beat where the deck quantises, else the place itself."""
    transport = engine.transport[deck]
    slot = transport.head.slot
    if engine.values.deck[deck].quantise == 0.0 or not grid.has_grid(dsp.media[slot]):
        return position
    return inside(
        dsp.media[slot], grid.nearest_beat(dsp.media[slot], transport.beat_hint, position)
    )


@kernel
def position_now(engine, deck, frame):
    """Return where a deck is, in track frames, whether it plays or not."""
    transport = engine.transport[deck]
    if transport.playing != 0:
        return place(transport.head, frame)
    return transport.position


@kernel
def loop_end(values, media):
    """Return where a loop ends, in track frames: at the track's end at the latest."""
    return min(values.loop.end * media.rate, np.float64(media.frames))


@kernel
def has_loop(values, media):
    """Return whether both ends of a loop are set, and far enough apart to play it."""
    if values.loop.start == NOT_SET or values.loop.end == NOT_SET:
        return False
    length = loop_end(values, media) - values.loop.start * media.rate
    return length >= SHORTEST_LOOP - JUST_OVER


@kernel
def in_loop(values, media, speed, position):
    """Return whether a deck goes round its loop: ahead of the edge, or not a frame beyond it."""
    if values.loop.active == 0.0 or not has_loop(values, media):
        return False
    begin = values.loop.start * media.rate
    end = loop_end(values, media)
    # At most speeds no frame falls on the edge itself: the first one beyond it goes round.
    if speed > 0.0:
        return position < end + speed + JUST_OVER
    return position > begin + speed - JUST_OVER


@kernel
def go_round(engine, dsp, deck, frame):
    """Put a deck that was not rendered for a while where its loop would have taken it."""
    main = engine.transport[deck].head
    media = dsp.media[main.slot]
    values = engine.values.deck[deck]
    before = values.position * media.rate
    position = place(main, frame)
    if not in_loop(values, media, main.speed, before):
        return
    if in_loop(values, media, main.speed, position):
        return
    begin = values.loop.start * media.rate
    length = loop_end(values, media) - begin
    folded = begin + (position - begin) % length
    engine.transport[deck].rolled += position - folded
    anchor(main, frame, folded, main.speed)


@kernel
def frames_to_event(engine, dsp, deck, frame):
    """Return the frames until the deck goes round its loop or comes to its end.

    Returns
    -------
    frames : int64
        0 or more; a large number when nothing comes.
    """
    transport = engine.transport[deck]
    main = transport.head
    if transport.playing == 0 or main.slot < 0 or abs(main.speed) < STILL:
        return NEVER
    media = dsp.media[main.slot]
    position = place(main, frame)
    values = engine.values.deck[deck]
    if in_loop(values, media, main.speed, position):
        begin = values.loop.start * media.rate
        edge = loop_end(values, media) if main.speed > 0.0 else begin
        return max(np.int64(0), np.int64(math.ceil((edge - position) / main.speed)))
    if transport.motion.kind == Move.HAND:
        return NEVER  # the hand stays within the track
    if main.speed > 0.0:
        if position < media.frames:
            return np.int64(math.ceil((media.frames - position) / main.speed))
        return np.int64(0)
    first = min(np.float64(0.0), transport.position)
    if transport.motion.kind == Move.START:
        first = inside(media, -np.inf)  # it turns round as soon as it has its own speed
    if position > first:
        return np.int64(math.ceil((first - position) / main.speed))
    return np.int64(0)


@kernel
def happen(engine, dsp, deck, frame):
    """Do what `frames_to_event` foresaw for this very frame."""
    transport = engine.transport[deck]
    main = transport.head
    media = dsp.media[main.slot]
    position = place(main, frame)
    values = engine.values.deck[deck]
    if in_loop(values, media, main.speed, position):
        length = loop_end(values, media) - values.loop.start * media.rate
        back = -length if main.speed > 0.0 else length
        if grid.has_grid(media):
            hint = transport.beat_hint
            beat = grid.beat_near(media, hint, position)
            transport.unrolled += beat - grid.beat_near(media, hint, position + back)
        go_round_seam(engine, dsp, deck, frame, position + back)
        event(engine, dsp, ReportKind.WRAPPED, deck, frame, position / media.rate)
        return
    stop(engine, dsp, deck, frame)
    event(engine, dsp, ReportKind.ENDED, deck, frame, position / media.rate)
