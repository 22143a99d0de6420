"""What a deck may follow: another deck, or the session's clock, whose number is `CLOCK`."""

from __future__ import annotations

import math

import numpy as np

from sfa_engine.engine.layout import DECKS
from sfa_engine.host.kernel import grid, transport
from sfa_engine.host.kernel.intrinsics import kernel

CLOCK = DECKS
AROUND = 2.0  # beats before and after over which a tempo is taken
ROUNDING = 1e-9
NEAR = 4  # beats before and after one whose median is its length
STEP = 0.06  # of a beat's length: more is another tempo, less may be jitter
SHORT = 0.9  # of a beat's length: a seam cut a beat that is shorter; one that is not changes the
# tempo over `AROUND` by (1 - SHORT) / 4, 2.5 %, at most


@kernel
def session_beat(engine, frame):
    """Return the session's beat number at a frame."""
    return engine.clock_beat + (frame - engine.clock_frame) * engine.clock_speed


@kernel
def beat_length(engine, dsp, deck, frame):
    """Return how many frames of its track a deck's beat has, over some beats around it.

    Detected beats jitter by some milliseconds each; a tempo that followed each one would be
    heard to flutter. A step of the tempo is none of that, and is followed at once. A seam, where
    the beat number jumps and a beat is cut short, is neither: the median of some beats passes it,
    from the moment that a beat cut short is among those that are looked at.
    """
    beat, length = transport.paced_beat(engine, dsp, deck, frame)
    media = dsp.media[engine.transport[deck].head.slot]
    first = grid.position_of(media, beat - AROUND)
    around = (grid.position_of(media, beat + AROUND) - first) / (2.0 * AROUND)
    change = abs(around / length - 1.0)
    if change < ROUNDING:
        return length
    if change > STEP or is_near_seam(media, beat, length):
        return median_length(media, math.floor(beat))
    return around


@kernel
def is_near_seam(media, beat, length):
    """Return whether one of the beats over which a tempo is taken is cut short."""
    first = np.int64(math.floor(beat - AROUND)) - media.first_beat
    last = np.int64(math.floor(beat + AROUND)) - media.first_beat
    for k in range(max(np.int64(0), first), min(media.beats - 2, last) + 1):
        if grid.frames_per_beat(media, k) < SHORT * length:
            return True
    return False


@kernel
def median_length(media, beat):
    """Return the median length of the beats around one, in track frames.

    Of nine, for a seam makes up to four too short: the one that it cuts and three that it jumps.
    """
    count = min(np.int64(2 * NEAR + 1), media.beats - 1)
    first = np.int64(beat) - media.first_beat - count // 2
    first = min(max(np.int64(0), first), media.beats - 1 - count)
    median = grid.frames_per_beat(media, first)
    for i in range(first, first + count):
        length = grid.frames_per_beat(media, i)
        shorter = 0
        alike = 0
        for k in range(first, first + count):
            other = grid.frames_per_beat(media, k)
            if other < length:
                shorter += 1
            elif other == length:
                alike += 1
        if shorter <= count // 2 < shorter + alike:
            median = length
    return median


@kernel
def tempo(engine, dsp, lead, frame):
    """Return the tempo of what leads, without its bend, in beats a frame."""
    if lead == CLOCK:
        return engine.values.clock.tempo / (60.0 * dsp.sample_rate)
    return transport.base_speed(dsp, engine, lead) / beat_length(engine, dsp, lead, frame)


@kernel
def rate(dsp, lead):
    """Return the rate that a hand may move, of what leads."""
    return 1.0 if lead == CLOCK else dsp.to.deck[lead].rate


@kernel
def bend(engine, dsp, lead):
    """Return by which share what leads runs faster for a while."""
    if lead == CLOCK:
        return engine.clock_speed * 60.0 * dsp.sample_rate / engine.values.clock.tempo - 1.0
    return dsp.to.deck[lead].bend / 100.0


@kernel
def running_beat(engine, dsp, lead, frame):
    """Return the beat of what leads, as it counts on through a loop."""
    if lead == CLOCK:
        return session_beat(engine, frame)
    beat, _ = transport.running_beat(engine, dsp, lead, frame)
    return beat


@kernel
def downbeat(engine, lead):
    """Return a beat of what leads that begins a bar."""
    return 1.0 * engine.clock_downbeat if lead == CLOCK else 0.0


@kernel
def beats_per_bar(engine, dsp, lead):
    """Return how many beats a bar of what leads has."""
    if lead == CLOCK:
        return np.int64(engine.values.clock.beats_per_bar)
    return dsp.media[engine.transport[lead].head.slot].beats_per_bar


@kernel
def is_playing(engine, lead):
    """Return whether what leads goes on; not before a new host has read its track."""
    if lead == CLOCK:
        return True
    return engine.transport[lead].head.slot >= 0 and transport.runs(engine, lead)


@kernel
def is_reversed(engine, lead):
    """Return whether what leads runs backwards."""
    return lead != CLOCK and transport.is_reversed(engine, lead)
