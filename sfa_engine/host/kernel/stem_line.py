"""Where a stem is that goes its own way: in a loop of its own, or in the track of another deck.

Both are a function of where the deck is, and of nothing else: the deck's beat, folded into the
stem's loop if it has one, is a beat of the stem's source, whose grid says where that lies. So
nothing adds up, and a stem that comes back is where the others are, to the sample. The function is
straight between two beats; `frames_to_knot` cuts segments where it bends or goes round.

::

    place of the deck ─► its beat b ─► start + (b - start) mod length of the loop, if there is one
                      ─► times multiple, plus offset: a beat of the source ─► place in the source
"""

from __future__ import annotations

import math

import numpy as np

from sfa_engine.engine.layout import FADE, FASTEST, HEADS, LATCHED, NO_SOURCE, ROLLED, STRIPS
from sfa_engine.host.kernel import grid, transport, voice
from sfa_engine.host.kernel.intrinsics import kernel
from sfa_engine.host.kernel.transport import SHORTEST_LOOP

NEVER = np.int64(1) << 40
FAR = 1e12  # beats: no bend ahead
ROUNDING = 1e-9  # beats, a hundred-thousandth of a frame: as near to a loop's end, it is there
JUMP = 0.5  # track frames; a bend is overrun by less than a frame's difference of speed
MOST_DOUBLINGS = 8  # of a loop that is too short
# Steps a frame that places have, and paces: coarser than the rounding of a beat to a frame and
# back, so that a loop of whole frames reads whole frames; -144 dB of a tone at half the rate.
PLACES = 2.0**24
PACES = 2.0**36


@kernel
def rounded(number, steps):
    """Return the multiple of 1 / steps that is nearest to a number."""
    return math.floor(number * steps + 0.5) / steps


@kernel
def loop_of(engine, deck, stem):
    """Return which loop of a stem is on, `ROLLED` or `LATCHED`; or -1."""
    if engine.transport[deck].stem[stem].rolling != 0:
        return np.int64(ROLLED)
    if engine.values.deck[deck].stem[stem].loop != 0.0:
        return np.int64(LATCHED)
    return np.int64(-1)


@kernel
def is_flagged(engine, deck, stem):
    """Return whether a stem has a loop or a source of its own, by its controls."""
    return engine.transport[deck].stem[stem].now.source != 0 or loop_of(engine, deck, stem) >= 0


@kernel
def has_heads(own):
    """Return whether a stem's own voice has a track yet."""
    for k in range(HEADS):
        if own.head[k].slot >= 0:
            return True
    return False


@kernel
def is_apart(engine, dsp, deck, stem):
    """Return whether a stem is not where its deck is."""
    slot = engine.transport[deck].head.slot
    if slot < 0:
        return False
    if engine.transport[deck].stem[stem].now.source != 0:
        return True
    return loop_of(engine, deck, stem) >= 0 and grid.has_grid(dsp.media[slot])


@kernel
def loop_beats(length, beat_frames):
    """Return the length of a stem's loop in beats: doubled while it is too short to be played."""
    for _ in range(MOST_DOUBLINGS):
        if length * beat_frames >= SHORTEST_LOOP:
            break
        length *= 2.0
    return length


@kernel
def fold(engine, media, deck, stem, beat, beat_frames, backwards):
    """Fold a deck's beat into a stem's loop.

    Returns
    -------
    folded : float64
        Beat of the deck's track that is heard.
    left : float64
        Beats until the loop goes round; `FAR` without one.
    """
    which = loop_of(engine, deck, stem)
    if which < 0:
        return beat, FAR
    line = engine.transport[deck].stem[stem]
    length = loop_beats(engine.values.deck[deck].stem[stem].loop_length, beat_frames)
    start = line.loop_start[which]
    last = grid.beat_near(media, media.beats, np.float64(media.frames))
    if start + length > last + ROUNDING:
        start -= math.ceil(start + length - last - ROUNDING)  # the last one that fits
    lead = line.lead[which]
    if lead > 0.0 and start - lead <= beat < start:
        return beat, start - beat if not backwards else FAR
    if lead < 0.0 and start + length < beat <= start + length - lead:
        return beat, beat - start - length if backwards else FAR
    into = beat - start
    into -= math.floor(into / length) * length
    if backwards:
        return start + into, into
    if length - into < ROUNDING:
        into = 0.0
    return start + into, length - into


@kernel
def beats_to_bend(media, beat, backwards):
    """Return the beats from one to the next beat of a grid, where its tempo may change."""
    index = beat - media.first_beat
    k = math.floor(index)
    if backwards:
        if index <= 0.0:
            return FAR
        return index - min(k, np.float64(media.beats - 2))
    if index >= np.float64(media.beats - 2):
        return FAR
    return max(0.0, k + 1.0) - index


@kernel
def where(engine, dsp, deck, stem, position, backwards):
    """Return where a stem is while its deck is at a position.

    Returns
    -------
    slot : int64
        Of the track that it is from; -1: it is silent.
    place : float64
        In frames of that track.
    pace : float64
        Frames of that track per frame of the deck's.
    left : float64
        Frames of the deck's track for which `pace` holds.
    """
    machine = engine.transport[deck]
    guest = machine.stem[stem].now
    slot = machine.head.slot
    media = dsp.media[slot]
    if guest.source != 0:
        slot = guest.slot
    if guest.source == NO_SOURCE or slot < 0 or not grid.has_grid(media):
        return np.int64(-1), 0.0, 0.0, FAR
    source = dsp.media[slot]
    if not grid.has_grid(source):
        return np.int64(-1), 0.0, 0.0, FAR
    k = grid.interval_at(media, machine.beat_hint, position)
    beat = grid.beat_at(media, k, position)
    beat_frames = grid.frames_per_beat(media, k)
    folded, left = fold(engine, media, deck, stem, beat, beat_frames, backwards)
    left = min(left, beats_to_bend(media, beat, backwards))
    if folded != beat:
        left = min(left, beats_to_bend(media, folded, backwards))
    multiple = 1.0
    source_beat = folded
    if guest.source != 0:
        multiple = guest.multiple
        source_beat = folded * multiple + guest.offset
        left = min(left, beats_to_bend(source, source_beat, backwards) / multiple)
    index = source_beat - source.first_beat
    at = min(max(np.int64(math.floor(index)), np.int64(0)), source.beats - 2)
    pace = rounded(multiple * grid.frames_per_beat(source, at) / beat_frames, PACES)
    place = rounded(grid.position_of(source, source_beat), PLACES)
    return slot, place, pace, left * beat_frames


@kernel
def frames_to_knot(engine, dsp, deck, frame):
    """Return the frames until a stem's place bends or goes round: segments are cut there."""
    machine = engine.transport[deck]
    line = machine.head
    least = NEVER
    if machine.apart == 0 or machine.playing == 0 or line.slot < 0 or line.speed == 0.0:
        return least
    backwards = line.speed < 0.0
    for s in range(STRIPS):
        if not is_apart(engine, dsp, deck, s):
            continue
        here = transport.place(line, frame)
        slot, _, _, left = where(engine, dsp, deck, s, here, backwards)
        if slot >= 0 and left < FAR:
            least = min(least, np.int64(math.ceil(left / abs(line.speed))))
    return max(np.int64(1), least)


@kernel
def dismiss(dsp, own):
    """Fade a stem's own voice out and let go of its track."""
    own.line.slot = -1
    main = own.head[0]
    if main.slot < 0:
        return
    voice.leave(dsp, own, FADE)
    main.gain = 0.0
    main.slope = 0.0
    voice.set_slot(dsp, main, np.int64(-1))


@kernel
def follow(engine, dsp, deck, frame):
    """Bring the voices of single stems up to date with their deck."""
    machine = engine.transport[deck]
    line = machine.head
    channel = dsp.channel[deck]
    if machine.apart == 0 and channel.together != 0:
        return
    machine.apart = 0
    channel.together = 1
    for s in range(STRIPS):
        strip = channel.strip[s]
        if is_flagged(engine, deck, s):
            machine.apart = 1
        own = channel.voice[1 + s]
        apart = is_apart(engine, dsp, deck, s)
        share = 0.0 if apart else 1.0
        if strip.share != share:
            strip.share_slope = (2.0 * share - 1.0) / FADE
        if apart or strip.share != 1.0 or has_heads(own):
            channel.together = 0
        if not apart:
            dismiss(dsp, own)
            continue
        position = transport.position_now(engine, deck, frame)
        backwards = line.speed < 0.0
        slot, place, pace, _ = where(engine, dsp, deck, s, position, backwards)
        speed = line.speed * pace
        if slot < 0 or not abs(speed) <= FASTEST or not abs(place) < FAR:
            dismiss(dsp, own)
            continue
        own_line = own.line
        jumps = own_line.slot != slot or speed * own_line.speed < 0.0
        jumps = jumps or not abs(transport.place(own_line, frame) - place) <= JUMP
        if own_line.slot < 0:
            own.level = channel.voice[0].level
            own.rise = channel.voice[0].rise
        if jumps and machine.playing != 0:
            voice.leave(dsp, own, FADE)
            voice.enter(own)
            voice.match(dsp, own, s, dsp.media[slot], place, frame)
        own_line.slot = slot
        transport.anchor(own_line, frame, place, speed)
        whole = channel.voice[0].line
        own_line.level = voice.level_at(whole, frame)
        own_line.level_slope = whole.level_slope
        own_line.moving = whole.moving
