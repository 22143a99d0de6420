"""What reads the stems of a deck: a head that plays, and others that fade out behind it.

The deck's timeline says where the deck is; a voice has a line of its own, which follows it, and the
playing head runs along that line: see `stretch`. A jump leaves a copy of the playing head behind,
which fades out while the head fades in at its new place: no jump clicks.

Voice 0 is of all stems of a deck. A stem that is elsewhere has a voice of its own (1 + stem, see
`stem_line`), and its strip's `share` of voice 0 goes to nothing while the own voice fades in.
"""

from __future__ import annotations

from enum import IntEnum

import numpy as np

from sfa_engine.engine.layout import FADE, HEADS, STRIPS, TICK, VOICES, Move
from sfa_engine.host.kernel.intrinsics import kernel
from sfa_engine.host.kernel.seam import STRAIGHT, likeness


class Course(IntEnum):
    """How a playing head follows the line of its voice."""

    NEW = 0  # it begins, and is put there
    ALONG = 1  # it is a copy of the line
    STRETCHED = 2  # it runs at its own speed, and is spliced towards the line


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
    voice.newest = 0
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
    tail.gain = main.gain * voice.level
    tail.slope = -1.0 / frames
    for s in range(STRIPS):
        tail.alike[s] = main.alike[s]
    voice.newest = at


@kernel
def enter(voice):
    """Fade a voice in, from silence."""
    voice.course = Course.NEW
    voice.entered += 1
    main = voice.head[0]
    main.gain = 0.0
    main.slope = 1.0 / FADE
    for s in range(STRIPS):
        main.alike[s] = STRAIGHT


@kernel
def begin(dsp, deck):
    """Fade the voices of a deck in, from silence."""
    for v in range(VOICES):
        enter(dsp.channel[deck].voice[v])


@kernel
def cut(dsp, deck):
    """Let a deck's voice of all stems fade over to where it will be: it jumps.

    The voices of single stems see for themselves whether they jump with it.
    """
    voice = dsp.channel[deck].voice[0]
    leave(dsp, voice, FADE)
    enter(voice)


@kernel
def match(dsp, voice, stem, media, place, frame):
    """Fade a stem with equal power whose voice has just left one place for `place`."""
    if voice.newest == 0:
        return
    tail = voice.head[voice.newest]
    left = tail.anchor_position + (frame - tail.anchor_frame) * tail.speed
    alike = likeness(dsp, dsp.media[tail.slot], left, media, place, stem, tail.speed < 0.0)
    voice.head[0].alike[stem] = alike
    if tail.gain == 1.0:  # else a fade is interrupted, which goes on from the level that it has
        tail.alike[stem] = alike


@kernel
def end(dsp, deck):
    """Fade the voices of a deck out."""
    for v in range(VOICES):
        voice = dsp.channel[deck].voice[v]
        leave(dsp, voice, FADE)
        voice.course = Course.NEW
        voice.head[0].gain = 0.0
        voice.head[0].slope = 0.0


@kernel
def fade_in(dsp, deck, frames):
    """Let what a deck plays from now on rise from silence in so many frames."""
    for v in range(VOICES):
        voice = dsp.channel[deck].voice[v]
        voice.level = 0.0
        voice.rise = 1.0 / frames


@kernel
def end_fade_in(dsp, deck):
    """Play a deck at its level at once: it was sent elsewhere."""
    for v in range(VOICES):
        dsp.channel[deck].voice[v].level = 1.0


@kernel
def follow(engine, dsp, deck, frame):
    """Bring a deck's voice of all stems up to date with its timeline, and its motion in a tick."""
    voice = dsp.channel[deck].voice[0]
    for k in range(1, HEADS):
        straighten(voice.head[k], frame)
    transport = engine.transport[deck]
    timeline = transport.head
    line = voice.line
    line.slot = timeline.slot
    line.anchor_frame = timeline.anchor_frame
    line.anchor_position = timeline.anchor_position
    line.speed = timeline.speed
    line.curve = 0.0
    line.level = 1.0
    line.level_slope = 0.0
    line.moving = 0
    motion = transport.motion
    if motion.kind == Move.NONE:
        return
    line.moving = 1
    line.level = motion.level
    if timeline.anchor_frame == motion.frame:
        line.speed = motion.first
        line.curve = motion.curve
        line.level = motion.level_first
        line.level_slope = (motion.level - motion.level_first) / TICK


@kernel
def finish_fades(dsp, deck, frames):
    """Take every head's fade across a segment, and rest those that have gone."""
    together = dsp.channel[deck].together != 0
    for v in range(1 if together else VOICES):
        voice = dsp.channel[deck].voice[v]
        if voice.level < 1.0 and is_heard(voice.head[0]):
            voice.level = min(1.0, voice.level + voice.rise * frames)
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
    if together:
        return
    for s in range(STRIPS):
        strip = dsp.channel[deck].strip[s]
        if strip.share_slope == 0.0:
            continue
        strip.share = min(1.0, max(0.0, strip.share + strip.share_slope * frames))
        if strip.share == 0.0 or strip.share == 1.0:
            strip.share_slope = 0.0
