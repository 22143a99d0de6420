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
    DECKS,
    FADE,
    FASTEST,
    HEADS,
    REPORTS,
    VALUE_INDEX,
)

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
UNSET = -60.0
SHORTEST_LOOP = 256.0  # track frames, 5 ms: twice the fade, and a pitch of 190 Hz
JUST_OVER = 1e-3  # track frames: more than rounding moves a place, and less than a place matters
DEAD_ZONE = 0.0005  # beats, 0.25 ms at 120 BPM: closer is in phase
PULL = 0.25  # of the phase error is made good a second
HARDEST_PULL = 0.01  # of the speed


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
def locate(rack, transport, frame, position):
    """Move the deck to a place, in track frames, without a click."""
    main = transport.head[0]
    if transport.playing != 0:
        leave(rack, transport)
        main.gain = 0.0
        main.slope = 1.0 / FADE
    anchor(main, frame, position, main.speed)
    transport.position = position


@kernel
def start(engine, rack, deck, frame):
    """Run the deck from where it stands."""
    transport = engine.transport[deck]
    main = transport.head[0]
    if main.slot < 0 or transport.playing != 0:
        return
    transport.playing = 1
    main.gain = 0.0
    main.slope = 1.0 / FADE
    anchor(main, frame, transport.position, speed_of(engine, rack, deck, frame))
    change(engine, rack, AT_PLAY + deck * DECK_STRIDE, 1.0, frame)
    if engine.values.deck[deck].sync == 2.0:
        align(engine, rack, deck, frame)


@kernel
def stop(engine, rack, deck, frame):
    """Halt the deck where it is."""
    transport = engine.transport[deck]
    if transport.playing != 0:
        main = transport.head[0]
        transport.position = place(main, frame)
        leave(rack, transport)
        main.gain = 0.0
        main.slope = 0.0
        transport.playing = 0
        anchor(main, frame, transport.position, 0.0)
    change(engine, rack, AT_PLAY + deck * DECK_STRIDE, 0.0, frame)


@kernel
def leader_of(engine, rack, deck):
    """Return the deck that another follows: the one marked, else any that plays; or -1."""
    for other in range(DECKS):
        if other != deck and engine.values.deck[other].leader != 0.0:
            slot = engine.transport[other].head[0].slot
            if slot >= 0 and grid.has_grid(rack.media[slot]):
                return np.int64(other)
    for other in range(DECKS):
        if other != deck and engine.transport[other].playing != 0:
            slot = engine.transport[other].head[0].slot
            if slot >= 0 and grid.has_grid(rack.media[slot]):
                return np.int64(other)
    return np.int64(-1)


@kernel
def own_speed(engine, rack, deck):
    """Return a deck's speed by its own fader, in track frames per engine frame."""
    values = engine.values.deck[deck]
    media = rack.media[engine.transport[deck].head[0].slot]
    speed = rack.to.deck[deck].rate * (1.0 + rack.to.deck[deck].bend / 100.0)
    speed = min(FASTEST, speed * media.rate / rack.sample_rate)
    if values.reverse != 0.0:
        speed = -speed
    return speed


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
def fold(ratio):
    """Return 0.5, 1 or 2: the multiple of a tempo that brings it nearest to another."""
    if ratio > 1.4142135:
        return 0.5
    if ratio < 0.7071068:
        return 2.0
    return 1.0


@kernel
def speed_of(engine, rack, deck, frame):
    """Return the speed that a deck should have now, in track frames per engine frame."""
    speed = own_speed(engine, rack, deck)
    mode = engine.values.deck[deck].sync
    if mode == 0.0:
        return speed
    slot = engine.transport[deck].head[0].slot
    if not grid.has_grid(rack.media[slot]):
        return speed
    leader = leader_of(engine, rack, deck)
    if leader < 0:
        return speed
    lead_beat, lead_length = beat_of(engine, rack, leader, frame)
    beat, length = beat_of(engine, rack, deck, frame)
    if engine.transport[leader].playing != 0:
        lead_speed = engine.transport[leader].head[0].speed
    else:
        lead_speed = own_speed(engine, rack, leader)
    rate = rack.media[slot].rate / rack.sample_rate
    # Beats of each per engine frame; a tempo half or double as fast is followed as such.
    followed = abs(lead_speed) / lead_length
    natural = rate / length
    multiple = fold(followed / natural)
    wanted = followed * multiple * length
    wanted *= 1.0 + rack.to.deck[deck].bend / 100.0
    if mode == 2.0 and engine.transport[deck].playing != 0 and rack.to.deck[deck].bend == 0.0:
        error = phase_error(lead_beat * multiple, beat)
        if engine.transport[leader].playing != 0 and abs(error) > DEAD_ZONE:
            seconds_per_beat = length / wanted / rack.sample_rate
            pull = error * seconds_per_beat * PULL
            wanted *= 1.0 + min(HARDEST_PULL, max(-HARDEST_PULL, pull))
    if engine.values.deck[deck].reverse != 0.0:
        wanted = -wanted
    return min(FASTEST, max(-FASTEST, wanted))


@kernel
def phase_error(lead, beat):
    """Return how far a beat lags behind the leader's, -0.5 to 0.5 beats."""
    error = (lead - math.floor(lead)) - (beat - math.floor(beat))
    return error - math.floor(error + 0.5)


@kernel
def align(engine, rack, deck, frame):
    """Put a deck's beat on the leader's, by a jump of half a beat at most."""
    transport = engine.transport[deck]
    slot = transport.head[0].slot
    if slot < 0 or not grid.has_grid(rack.media[slot]):
        return
    leader = leader_of(engine, rack, deck)
    if leader < 0 or engine.transport[leader].playing == 0:
        return
    lead_beat, lead_length = beat_of(engine, rack, leader, frame)
    beat, length = beat_of(engine, rack, deck, frame)
    rate = rack.media[slot].rate / rack.sample_rate
    followed = abs(engine.transport[leader].head[0].speed) / lead_length
    multiple = fold(followed / (rate / length))
    error = phase_error(lead_beat * multiple, beat)
    if abs(error) > DEAD_ZONE:
        locate(rack, transport, frame, grid.position_of(rack.media[slot], beat + error))


@kernel
def steer(engine, rack, deck, frame):
    """Bring a playing deck's speed up to date; its anchor is laid anew only if it changed.

    A deck that turns round leaves a head behind, as in a jump: else the sound had a kink.
    """
    transport = engine.transport[deck]
    main = transport.head[0]
    if transport.playing == 0 or main.slot < 0:
        return
    speed = speed_of(engine, rack, deck, frame)
    if speed != main.speed:
        if speed * main.speed < 0.0:
            locate(rack, transport, frame, place(main, frame))
        anchor(main, frame, place(main, frame), speed)


@kernel
def snap(engine, rack, deck, position):
    """Return a place on the nearest beat where the deck quantises, else the place itself."""
    transport = engine.transport[deck]
    slot = transport.head[0].slot
    if engine.values.deck[deck].quantise == 0.0 or not grid.has_grid(rack.media[slot]):
        return position
    return grid.nearest_beat(rack.media[slot], transport.beat_hint, position)


@kernel
def position_now(engine, deck, frame):
    """Return where a deck is, in track frames, whether it plays or not."""
    transport = engine.transport[deck]
    if transport.playing != 0:
        return place(transport.head[0], frame)
    return transport.position


@kernel
def go(engine, rack, deck, frame, position):
    """Move a deck to a place; a deck that plays and syncs to beats keeps its phase."""
    transport = engine.transport[deck]
    locate(rack, transport, frame, position)
    if transport.playing != 0 and engine.values.deck[deck].sync == 2.0:
        align(engine, rack, deck, frame)


@kernel
def in_loop(values, media, speed, position):
    """Return whether a deck goes round its loop: ahead of the edge, or not a frame beyond it."""
    begin = values.loop.start * media.rate
    end = values.loop.end * media.rate
    if values.loop.active == 0.0 or end - begin < SHORTEST_LOOP:
        return False
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
    length = values.loop.end * media.rate - begin
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
        edge = (values.loop.end if main.speed > 0.0 else values.loop.start) * media.rate
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
        length = (values.loop.end - values.loop.start) * media.rate
        back = -length if main.speed > 0.0 else length
        locate(rack, transport, frame, position + back)
        tell(engine, wrapped, 0, deck, 0, 0, np.int64(0), frame, position / media.rate)
        return
    stop(engine, rack, deck, frame)
    tell(engine, ended, 0, deck, 0, 0, np.int64(0), frame, position / media.rate)
