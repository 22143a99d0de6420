"""Where a deck is in its track, and what moves it.

A position is never added up: it is an anchor plus the frames since then times the speed, and
the anchor is laid anew at each change. Two decks on one grid stay in phase for hours.

A jump leaves a copy of the playing head behind, which fades out while the head fades in at
its new place: no jump clicks.
"""

from __future__ import annotations

import math

import numpy as np

from sfa_engine.audio.command import Tell
from sfa_engine.audio.kernel import grid
from sfa_engine.audio.kernel.glide import set_goal
from sfa_engine.audio.kernel.machine import kernel, store_release
from sfa_engine.audio.layout import (
    DECK_STRIDE,
    FADE,
    FASTEST,
    HEADS,
    REPORTS,
    VALUE_INDEX,
)
from sfa_engine.desk.deck import PRE_ROLL_S
from sfa_engine.desk.scale import NOT_SET

AT_PLAY = VALUE_INDEX["deck1.play"]
AT_POSITION = VALUE_INDEX["deck1.position"]
AT_CUE_POINT = VALUE_INDEX["deck1.cue_point"]
AT_HOTCUE = VALUE_INDEX["deck1.hotcue1.position"]
HOTCUE_STRIDE = VALUE_INDEX["deck1.hotcue2.position"] - AT_HOTCUE
AT_LOOP_ACTIVE = VALUE_INDEX["deck1.loop.active"]
AT_LOOP_START = VALUE_INDEX["deck1.loop.start"]
AT_LOOP_END = VALUE_INDEX["deck1.loop.end"]
AT_LOOP_LENGTH = VALUE_INDEX["deck1.loop.length"]
CHANGED = int(Tell.CHANGED)
SHORTEST_LOOP = 256.0  # track frames, 5 ms: twice the fade, and a pitch of 190 Hz
JUST_OVER = 1e-3  # track frames: more than rounding moves a place, and less than a place matters


@kernel
def tell(engine, kind, op, whom, what, source, seq, frame, x):
    """Write a report; when nobody fetches them it is counted and dropped."""
    head = engine.report_head
    if head - engine.report_tail >= REPORTS:
        engine.reports_lost += 1
        return
    report = engine.reports[head % REPORTS]
    report.kind = kind
    report.op = op
    report.whom = whom
    report.what = what
    report.source = source
    report.seq = seq
    report.frame = frame
    report.x = x
    store_release(engine.report_head_address, head + 1)


@kernel
def change(engine, rack, index, value, frame):
    """Change a value as a consequence of something, and say so."""
    change_for(engine, rack, index, value, frame, 0)


@kernel
def change_for(engine, rack, index, value, frame, source):
    """Change a value as a consequence of what a source asked for."""
    if engine.flat[index] == value:
        return
    set_goal(engine, rack, index, value)
    tell(engine, CHANGED, 0, 0, index, source, np.int64(0), frame, value)


@kernel
def place(head, frame):
    """Return where a head is at an engine frame, in track frames."""
    return head.anchor_position + (frame - head.anchor_frame) * head.speed


@kernel
def anchor(head, frame, position, speed):
    """Lay a head's anchor anew."""
    head.anchor_frame = frame
    head.anchor_position = position
    head.speed = speed


@kernel
def leave(rack, transport):
    """Copy the playing head to one that fades out behind it."""
    main = transport.head[0]
    if main.slot < 0 or main.gain == 0.0:
        return
    at = np.int64(1)
    for k in range(1, HEADS):
        if transport.head[k].slot < 0:
            at = np.int64(k)
            break
        if transport.head[k].gain < transport.head[at].gain:
            at = np.int64(k)
    tail = transport.head[at]
    if tail.slot >= 0:
        rack.media[tail.slot].heads -= 1
    tail.slot = main.slot
    tail.anchor_frame = main.anchor_frame
    tail.anchor_position = main.anchor_position
    tail.speed = main.speed
    tail.gain = main.gain
    tail.slope = -1.0 / FADE
    rack.media[tail.slot].heads += 1


@kernel
def inside(media, position):
    """Return the position nearest to one that a deck may stand at, in track frames."""
    return min(np.float64(media.frames), max(-PRE_ROLL_S * media.rate, position))


@kernel
def locate(rack, transport, frame, position):
    """Move the deck to a position, in track frames, without a click, and keep it in range."""
    main = transport.head[0]
    position = inside(rack.media[main.slot], position)
    if transport.playing != 0:
        leave(rack, transport)
        main.gain = 0.0
        main.slope = 1.0 / FADE
    anchor(main, frame, position, main.speed)
    transport.position = position


@kernel
def stop(engine, rack, deck, frame):
    """Halt the deck where it is."""
    transport = engine.transport[deck]
    if transport.playing != 0:
        main = transport.head[0]
        # The last frame falls between two of the device: the deck may be a part of one beyond it.
        transport.position = inside(rack.media[main.slot], place(main, frame))
        leave(rack, transport)
        main.gain = 0.0
        main.slope = 0.0
        transport.playing = 0
        anchor(main, frame, transport.position, 0.0)
    change(engine, rack, AT_PLAY + deck * DECK_STRIDE, 0.0, frame)


@kernel
def base_speed(rack, engine, deck):
    """Return a deck's speed by its rate alone, in track frames per engine frame."""
    media = rack.media[engine.transport[deck].head[0].slot]
    return min(FASTEST, rack.to.deck[deck].rate * media.rate / rack.sample_rate)


@kernel
def speed_of(engine, rack, deck):
    """Return the speed that a deck should have now, in track frames per engine frame."""
    speed = base_speed(rack, engine, deck)
    speed *= (1.0 + rack.to.deck[deck].bend / 100.0) * (1.0 + engine.transport[deck].nudge)
    speed = min(FASTEST, speed)
    return -speed if engine.values.deck[deck].reverse != 0.0 else speed


@kernel
def beat_of(engine, rack, deck, frame):
    """Return a deck's beat number, and how many frames of its track a beat has there."""
    transport = engine.transport[deck]
    main = transport.head[0]
    media = rack.media[main.slot]
    position = place(main, frame) if transport.playing != 0 else transport.position
    k = grid.interval_at(media, transport.beat_hint, position)
    transport.beat_hint = k
    return grid.beat_at(media, k, position), grid.frames_per_beat(media, k)


@kernel
def running_beat(engine, rack, deck, frame):
    """Return a deck's beat as it counts on through a loop, which takes the beat back again.

    That is the beat to be in time with: with a quarter of a beat that repeats, no deck could be.
    """
    beat, length = beat_of(engine, rack, deck, frame)
    return beat + engine.transport[deck].unrolled, length


@kernel
def snap(engine, rack, deck, position):
    """Return a place on the nearest beat where the deck quantises, else the place itself."""
    transport = engine.transport[deck]
    slot = transport.head[0].slot
    if engine.values.deck[deck].quantise == 0.0 or not grid.has_grid(rack.media[slot]):
        return position
    return inside(
        rack.media[slot], grid.nearest_beat(rack.media[slot], transport.beat_hint, position)
    )


@kernel
def position_now(engine, deck, frame):
    """Return where a deck is, in track frames, whether it plays or not."""
    transport = engine.transport[deck]
    if transport.playing != 0:
        return place(transport.head[0], frame)
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
def go_round(engine, rack, deck, frame):
    """Put a deck that nobody rendered for a while where its loop would have taken it."""
    main = engine.transport[deck].head[0]
    media = rack.media[main.slot]
    values = engine.values.deck[deck]
    before = values.position * media.rate
    position = place(main, frame)
    if not in_loop(values, media, main.speed, before):
        return
    if in_loop(values, media, main.speed, position):
        return
    begin = values.loop.start * media.rate
    length = loop_end(values, media) - begin
    anchor(main, frame, begin + (position - begin) % length, main.speed)


@kernel
def frames_to_event(engine, rack, deck, frame):
    """Return the frames until the deck goes round its loop or comes to its end.

    Returns
    -------
    frames : int64
        0 or more; a large number when nothing comes.
    """
    never = np.int64(1) << 40
    transport = engine.transport[deck]
    main = transport.head[0]
    if transport.playing == 0 or main.slot < 0 or main.speed == 0.0:
        return never
    media = rack.media[main.slot]
    position = place(main, frame)
    values = engine.values.deck[deck]
    if in_loop(values, media, main.speed, position):
        begin = values.loop.start * media.rate
        edge = loop_end(values, media) if main.speed > 0.0 else begin
        return max(np.int64(0), np.int64(math.ceil((edge - position) / main.speed)))
    if main.speed > 0.0:
        if position < media.frames:
            return np.int64(math.ceil((media.frames - position) / main.speed))
        return np.int64(0)
    first = min(np.float64(0.0), transport.position)
    if position > first:
        return np.int64(math.ceil((first - position) / main.speed))
    return np.int64(0)


@kernel
def happen(engine, rack, deck, frame, wrapped, ended):
    """Do what `frames_to_event` foresaw for this very frame."""
    transport = engine.transport[deck]
    main = transport.head[0]
    media = rack.media[main.slot]
    position = place(main, frame)
    values = engine.values.deck[deck]
    if in_loop(values, media, main.speed, position):
        length = loop_end(values, media) - values.loop.start * media.rate
        back = -length if main.speed > 0.0 else length
        if grid.has_grid(media):
            hint = transport.beat_hint
            beat = grid.beat_near(media, hint, position)
            transport.unrolled += beat - grid.beat_near(media, hint, position + back)
        locate(rack, transport, frame, position + back)
        tell(engine, wrapped, 0, deck, 0, 0, np.int64(0), frame, position / media.rate)
        return
    stop(engine, rack, deck, frame)
    tell(engine, ended, 0, deck, 0, 0, np.int64(0), frame, position / media.rate)
