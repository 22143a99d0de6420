"""The session's clock: a beat that runs on without a jump across changes of its source.

It follows a deck as a deck follows another: it takes over the tempo, keeps it when the deck
stops, and brings its phase in by running a little faster or slower. Its bars are the deck's
while it follows.
"""

from __future__ import annotations

import math

import numpy as np

from sfa_engine.audio.kernel import sync, transport
from sfa_engine.audio.kernel.glide import legal, put
from sfa_engine.audio.kernel.machine import kernel
from sfa_engine.audio.layout import VALUE_INDEX

AT_TEMPO = VALUE_INDEX["clock.tempo"]
AT_SOURCE = VALUE_INDEX["clock.source"]
PULL = 0.5  # of the phase error is made good a beat
MAX_PULL = 0.05  # of the tempo: half a beat is made good in ten


@kernel
def followed(engine, rack):
    """Return the deck that the clock follows at present, or -1."""
    deck = np.int64(engine.values.clock.source) - 1
    return deck if deck >= 0 and sync.can_lead(engine, rack, deck) else np.int64(-1)


@kernel
def beat_at(engine, frame):
    """Return the session's beat number at a frame."""
    return engine.clock_beat + (frame - engine.clock_frame) * engine.clock_speed


@kernel
def steer(engine, rack, frame):
    """Bring the clock's tempo up to date; its anchor is laid anew only if it changed."""
    per_minute = 60.0 * rack.sample_rate
    deck = followed(engine, rack)
    bent = 1.0
    if deck >= 0:
        beat, length = transport.running_beat(engine, rack, deck, frame)
        base = transport.base_speed(rack, engine, deck)
        if put(engine, rack, AT_TEMPO, legal(rack, AT_TEMPO, base / length * per_minute)):
            engine.clock_moved = 1
        speed = engine.transport[deck].head[0].speed
        bent = abs(speed) / base
        if speed > 0.0:
            here = beat_at(engine, frame)
            error = sync.phase_error(beat, here)
            if abs(error) > sync.DEAD_ZONE:
                bent *= 1.0 + min(MAX_PULL, max(-MAX_PULL, PULL * error))
            downbeat = np.int64(math.floor(here - beat + 0.5))
            engine.clock_downbeat = downbeat + engine.clock_shift
    speed = engine.values.clock.tempo / per_minute * bent
    if speed != engine.clock_speed:
        engine.clock_beat = beat_at(engine, frame)
        engine.clock_frame = frame
        engine.clock_speed = speed


@kernel
def align(engine, rack, frame):
    """Make a frame beat 0, the first of a bar; of a deck that is followed, its nearest beat."""
    if followed(engine, rack) >= 0:
        nearest = np.int64(math.floor(beat_at(engine, frame) + 0.5))
        engine.clock_shift += nearest - engine.clock_downbeat
        engine.clock_downbeat = nearest
        return
    engine.clock_beat = 0.0
    engine.clock_frame = frame
    engine.clock_downbeat = 0
