"""What reads the stems of a deck: a head that plays, and others that fade out behind it.

The deck's timeline says where the deck is; a voice follows it. A jump leaves a copy of the playing
head behind, which fades out while the head fades in at its new place: no jump clicks.
"""

from __future__ import annotations

import numpy as np

from sfa_engine.engine.layout import FADE, HEADS, TICK, VOICES, Move
from sfa_engine.host.kernel.intrinsics import kernel


@kernel
def set_slot(dsp, head, slot):
    """Give a head a media slot, or none (-1); a slot that has heads is not freed."""
    if head.slot == slot:
        return
    if head.slot >= 0:
        dsp.media[head.slot].heads -= 1
    if slot >= 0:
        dsp.media[slot].heads += 1
    head.slot = slot


@kernel
def reach(head, frame):
    """Return where a head reads at an engine frame, in track frames."""
    gone = frame - head.anchor_frame
    return head.anchor_position + gone * (head.speed + 0.5 * head.curve * gone)


@kernel
def level_at(head, frame):
    """Return the gain that a head's platter has at an engine frame, 0 to 1."""
    return min(1.0, max(0.0, head.level + head.level_slope * (frame - head.anchor_frame)))


@kernel
def straighten(head, frame):
    """Let a head go on as fast as it is, and no longer faster or slower."""
    if head.curve == 0.0 and head.level_slope == 0.0:
        return
    position = reach(head, frame)
    head.level = level_at(head, frame)
    head.speed += head.curve * (frame - head.anchor_frame)
    head.anchor_frame = frame
    head.anchor_position = position
    head.curve = 0.0
    head.level_slope = 0.0


@kernel
def is_heard(head):
    """Return whether a head is there and not faded out."""
    return head.slot >= 0 and (head.gain != 0.0 or head.slope > 0.0)


@kernel
def heads_heard(voice):
    """Return how many heads of a voice are to be heard."""
    count = 0
    for k in range(HEADS):
        if is_heard(voice.head[k]):
            count += 1
    return count


@kernel
def leave(dsp, voice, frames):
    """Copy a voice's playing head to one that fades out in so many frames."""
    main = voice.head[0]
    if main.slot < 0 or main.gain == 0.0:
        return
    at = np.int64(1)
    for k in range(1, HEADS):
        if voice.head[k].slot < 0:
            at = np.int64(k)
            break
        if voice.head[k].gain < voice.head[at].gain:
            at = np.int64(k)
    tail = voice.head[at]
    set_slot(dsp, tail, main.slot)
    tail.anchor_frame = main.anchor_frame
    tail.anchor_position = main.anchor_position
    tail.speed = main.speed
    tail.curve = main.curve
    tail.level = main.level
    tail.level_slope = main.level_slope
    tail.gain = main.gain
    tail.slope = -1.0 / frames


@kernel
def begin(dsp, deck):
    """Fade the voices of a deck in, from silence."""
    for v in range(VOICES):
        main = dsp.channel[deck].voice[v].head[0]
        main.gain = 0.0
        main.slope = 1.0 / FADE


@kernel
def cut(dsp, deck):
    """Let the voices of a deck fade over to where it will be: it jumps."""
    for v in range(VOICES):
        leave(dsp, dsp.channel[deck].voice[v], FADE)
    begin(dsp, deck)


@kernel
def end(dsp, deck):
    """Fade the voices of a deck out."""
    for v in range(VOICES):
        voice = dsp.channel[deck].voice[v]
        leave(dsp, voice, FADE)
        voice.head[0].gain = 0.0
        voice.head[0].slope = 0.0


@kernel
def follow(engine, dsp, deck, frame):
    """Bring a deck's voices up to date with its timeline, and within a tick with its motion."""
    for v in range(VOICES):
        for k in range(1, HEADS):
            straighten(dsp.channel[deck].voice[v].head[k], frame)
    transport = engine.transport[deck]
    line = transport.head
    main = dsp.channel[deck].voice[0].head[0]
    set_slot(dsp, main, line.slot)
    main.anchor_frame = line.anchor_frame
    main.anchor_position = line.anchor_position
    main.speed = line.speed
    main.curve = 0.0
    main.level = 1.0
    main.level_slope = 0.0
    motion = transport.motion
    if motion.kind == Move.NONE:
        return
    main.level = motion.level
    if line.anchor_frame == motion.frame:
        main.speed = motion.first
        main.curve = motion.curve
        main.level = motion.level_first
        main.level_slope = (motion.level - motion.level_first) / TICK


@kernel
def finish_fades(dsp, deck, frames):
    """Take every head's fade across a segment, and rest those that have gone."""
    for v in range(VOICES):
        voice = dsp.channel[deck].voice[v]
        for k in range(HEADS):
            head = voice.head[k]
            if head.slot < 0 or head.slope == 0.0:
                continue
            head.gain = min(1.0, max(0.0, head.gain + head.slope * frames))
            if head.gain == 1.0:
                head.slope = 0.0
            if k > 0 and head.gain == 0.0:
                set_slot(dsp, head, np.int64(-1))
                head.slope = 0.0
