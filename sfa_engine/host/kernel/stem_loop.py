"""Loops of single stems: one goes round while the others go on, and comes back in time."""

from __future__ import annotations

import math

import numpy as np

from sfa_engine.engine.command import Reason
from sfa_engine.engine.layout import DECK_STRIDE, LATCHED, ROLLED, STRIPS, VALUE_INDEX
from sfa_engine.host.kernel import grid, stem_line, transport
from sfa_engine.host.kernel.glide import set_goal
from sfa_engine.host.kernel.intrinsics import kernel
from sfa_engine.host.kernel.reports import change
from sfa_engine.host.kernel.verbs import verb

AT_STEM_LOOP = VALUE_INDEX["deck1.stem.vocals.loop"]
STEM_STRIDE = VALUE_INDEX["deck1.stem.drums.loop"] - AT_STEM_LOOP
TOUCHING = 1e-6  # beats: nearer to the loop's start than that is there


@kernel
def set_loop(engine, dsp, deck, stem, which, frame):
    """Set a stem's loop to go round from where the deck is; return a `Reason`."""
    machine = engine.transport[deck]
    media = dsp.media[machine.head.slot]
    if not grid.has_grid(media):
        return Reason.NO_GRID
    here = transport.position_now(engine, deck, frame)
    k = grid.interval_at(media, machine.beat_hint, here)
    beat = grid.beat_at(media, k, here)
    values = engine.values.deck[deck]
    length = values.stem[stem].loop_length
    length = stem_line.loop_beats(length, grid.frames_per_beat(media, k))
    last = grid.beat_near(media, media.beats, np.float64(media.frames))
    if length > last - grid.beat_near(media, np.int64(0), 0.0):
        return Reason.OUTSIDE
    start = beat
    if values.quantise != 0.0:
        step = min(1.0, length)
        start = math.floor(beat / step + 0.5) * step
    line = machine.stem[stem]
    line.lead[which] = 0.0
    if values.reverse == 0.0:
        # Pressed before the beat: the loop is taken from the beat on, and played up to it first.
        if beat < start:
            line.lead[which] = start - beat + TOUCHING
    else:
        if beat > start:
            line.lead[which] = start - beat - TOUCHING
        start -= length
    line.loop_start[which] = start
    return Reason.NONE


@verb(needs_track=True)
def stem_loop(engine, dsp, deck, command, frame):
    """Loop a stem from here, or let it go back to the others."""
    stem = np.int64(command.target)
    if stem < 0 or stem >= STRIPS:
        return Reason.UNKNOWN
    index = AT_STEM_LOOP + deck * DECK_STRIDE + stem * STEM_STRIDE
    if command.x != 0.0:
        command.x = 1.0
        if engine.flat[index] == 0.0:
            reason = set_loop(engine, dsp, deck, stem, LATCHED, frame)
            if reason != Reason.NONE:
                return reason
    set_goal(engine, dsp, index, command.x)
    engine.transport[deck].apart = 1
    return Reason.NONE


@verb(needs_track=True)
def stem_roll(engine, dsp, deck, command, frame):
    """Loop a stem from here while held; then it is where it would be without that."""
    stem = np.int64(command.target)
    if stem < 0 or stem >= STRIPS:
        return Reason.UNKNOWN
    line = engine.transport[deck].stem[stem]
    if command.x == 0.0:
        line.rolling = 0
        return Reason.NONE
    reason = set_loop(engine, dsp, deck, stem, ROLLED, frame)
    if reason == Reason.NONE:
        line.rolling = 1
        engine.transport[deck].apart = 1
    return reason


@kernel
def reset(engine, dsp, deck, frame):
    """Leave every stem's loop: another track comes."""
    for s in range(STRIPS):
        engine.transport[deck].stem[s].rolling = 0
        change(engine, dsp, AT_STEM_LOOP + deck * DECK_STRIDE + s * STEM_STRIDE, 0.0, frame)
