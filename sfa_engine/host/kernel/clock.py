"""The session's clock: a beat that runs on without a jump across changes of its source.

It follows a deck as a deck follows another: it takes over the tempo, keeps it when the deck
stops, and brings its phase in by running a little faster or slower. Its bars are the deck's
while it follows. A clock from outside, MIDI or Link, comes as `Op.FOLLOW` and is followed in the
same way; synced decks follow the session's clock then: see `lead`.
"""

from __future__ import annotations

import math

import numpy as np

from sfa_engine.engine.command import ClockSource, Reason, Ring
from sfa_engine.engine.layout import DECKS, TEMPO_TAPS, VALUE_INDEX
from sfa_engine.engine.midi import SLOTS
from sfa_engine.host.kernel import sampler, sync, transport
from sfa_engine.host.kernel.glide import legal, put
from sfa_engine.host.kernel.intrinsics import kernel
from sfa_engine.host.kernel.lead import CLOCK, session_beat
from sfa_engine.host.kernel.reports import change

AT_TEMPO = VALUE_INDEX["clock.tempo"]
INTERNAL, LEADER = int(ClockSource.INTERNAL), int(ClockSource.LEADER)
MIDI, LINK = int(ClockSource.MIDI), int(ClockSource.LINK)
DEAD_ZONE = 0.0005  # beats, 0.25 ms at 120 BPM: closer is in phase; an outer clock jitters more
PULL = 0.5  # of the phase error is made good a beat
MAX_PULL = 0.05  # of the tempo of a deck: half a beat is made good in ten
MAX_BEND = 0.01  # of an outer tempo, while somebody is in time with the clock
MAX_BEND_ALONE = 0.25  # while nobody is: what `PULL` asks for at half a beat
SILENCE_S = 2.0  # without word from an outer clock: it is lost
MAX_AGE_S = 60.0  # between a frame that is named and now
MAX_BEATS = 1e9  # the scale of `clock.beat`
SHORTEST_TAP_S = 0.1  # a shorter one is the switch that bounces: 600 BPM
LONGEST_TAP_S = 2.0  # after a longer pause tapping begins again


@kernel
def followed(engine, dsp, frame):
    """Return the `ClockSource` of what the clock follows at present, a deck or an outer clock.

    0 if nothing: it goes on at its tempo.
    """
    source = np.int64(engine.values.clock.source)
    if source == INTERNAL:
        return np.int64(0)
    if source >= MIDI:
        outside = engine.outside[source - MIDI]
        is_silent = frame - outside.heard_frame > SILENCE_S * dsp.sample_rate
        return np.int64(0) if outside.speed <= 0.0 or is_silent else source
    deck = source - 1
    if source == LEADER:
        sync.settle_lead(engine, dsp)
        deck = engine.lead - 1
    return deck + 1 if deck >= 0 and sync.can_lead(engine, dsp, deck) else np.int64(0)


@kernel
def is_heard(engine, dsp):
    """Return whether a deck or a loop that is heard follows the clock, or a MIDI device may.

    Which devices are open is not asked: what a journal does not have must not move the clock.
    """
    for d in range(DECKS):
        if engine.transport[d].following == CLOCK + 1 and sync.is_heard(engine, dsp, np.int64(d)):
            return True
    return engine.values.clock.midi_out != 0.0 or sampler.follows_clock(engine, dsp)


@kernel
def outer_beat(engine, source, frame):
    """Return the beat of an outer clock at a frame."""
    outside = engine.outside[source - MIDI]
    return outside.beat + (frame - outside.frame) * outside.speed


@kernel
def steer(engine, dsp, frame):
    """Bring the clock's tempo up to date; re-anchor only if it changed."""
    per_minute = 60.0 * dsp.sample_rate
    source = followed(engine, dsp, frame)
    if source != engine.clock_followed:
        if source != 0 and engine.clock_followed != 0:
            engine.clock_shift = 0  # it was of the bars of another deck
        engine.clock_followed = source
    bent = 1.0
    here = session_beat(engine, frame)
    if source >= MIDI:
        outside = engine.outside[source - MIDI]
        engine.clock_leads = 1
        if put(engine, dsp, AT_TEMPO, legal(dsp, AT_TEMPO, outside.speed * per_minute)):
            engine.clock_moved = 1
        beat = outer_beat(engine, source, frame)
        most = MAX_BEND if is_heard(engine, dsp) else MAX_BEND_ALONE
        error = sync.phase_error(beat, here)
        if abs(error) > DEAD_ZONE:
            bent += min(most, max(-most, PULL * error))
        downbeat = np.int64(math.floor(here - beat + 0.5))
        engine.clock_downbeat = downbeat + engine.clock_shift
    elif source > 0:
        deck = source - 1
        beat, length = transport.running_beat(engine, dsp, deck, frame)
        base = transport.base_speed(dsp, engine, deck)
        if put(engine, dsp, AT_TEMPO, legal(dsp, AT_TEMPO, base / length * per_minute)):
            engine.clock_moved = 1
        speed = transport.paced_speed(engine, deck)
        bent = abs(speed) / base
        if speed > 0.0:
            error = sync.phase_error(beat, here)
            if abs(error) > DEAD_ZONE:
                bent *= 1.0 + min(MAX_PULL, max(-MAX_PULL, PULL * error))
            downbeat = np.int64(math.floor(here - beat + 0.5))
            engine.clock_downbeat = downbeat + engine.clock_shift
    speed = engine.values.clock.tempo / per_minute * bent
    if speed != engine.clock_speed:
        engine.clock_beat = here
        engine.clock_frame = frame
        engine.clock_speed = speed


@kernel
def hear(engine, dsp, command, frame):
    """Take in what an outer clock says; see `Op.FOLLOW`. Only its own ring may say it."""
    source = command.target
    is_midi = source == MIDI and command.ring == Ring.MIDI
    is_link = source == LINK and command.ring == Ring.STAGE
    if not (is_midi or is_link) or abs(command.x) > MAX_BEATS:
        return Reason.UNKNOWN
    outside = engine.outside[source - MIDI]
    if command.y == 0.0:
        outside.speed = 0.0
        outside.running = 0
        return Reason.NONE
    longest = np.int64(MAX_AGE_S * dsp.sample_rate)
    if command.frame < frame - longest or command.frame > frame + longest:
        return Reason.UNKNOWN
    if command.y < dsp.low_end[AT_TEMPO] or command.y > dsp.high_end[AT_TEMPO]:
        return Reason.UNKNOWN
    outside.frame = command.frame
    outside.beat = command.x
    outside.speed = command.y / (60.0 * dsp.sample_rate)
    outside.heard_frame = frame
    outside.running = np.int64(command.deck > 0)
    return Reason.NONE


@kernel
def align(engine, dsp, frame):
    """Make a frame beat 0, the first of a bar; of what is followed, its nearest beat."""
    engine.clock_aligned += 1
    if followed(engine, dsp, frame) != 0:
        nearest = np.int64(math.floor(session_beat(engine, frame) + 0.5))
        engine.clock_shift += nearest - engine.clock_downbeat
        engine.clock_downbeat = nearest
        return
    engine.clock_beat = 0.0
    engine.clock_frame = frame
    engine.clock_downbeat = 0


@kernel
def tap(engine, dsp, frame):
    """Take a tap, and from three on the tempo of the last ones.

    The median interval tells which taps were missed: an interval twice as long is two beats. The
    tempo is that of all the beats between the first tap and the last, so that a hand that is
    20 ms off each time is 0.6 % off after eight.
    """
    if followed(engine, dsp, frame) != 0:
        return Reason.FOLLOWING
    times = engine.tap_frame
    count = engine.taps
    if count > 0:
        gap = frame - times[count - 1]
        if 0 <= gap < SHORTEST_TAP_S * dsp.sample_rate:
            return Reason.NONE
        if gap < 0 or gap > LONGEST_TAP_S * dsp.sample_rate:
            count = 0
    if count == TEMPO_TAPS:
        for k in range(1, count):
            times[k - 1] = times[k]
        count -= 1
    times[count] = frame
    count += 1
    engine.taps = count
    if count < 3:
        return Reason.NONE
    # The lower median: of a pair, the interval in which no tap is missing.
    median = np.int64(0)
    for k in range(1, count):
        gap = times[k] - times[k - 1]
        shorter = 0
        same = 0
        for j in range(1, count):
            other = times[j] - times[j - 1]
            shorter += other < gap
            same += other == gap
        middle = (count - 2) // 2
        if shorter <= middle < shorter + same:
            median = gap
    beats = 0.0
    for k in range(1, count):
        beats += max(1.0, math.floor((times[k] - times[k - 1]) / median + 0.5))
    minutes = (times[count - 1] - times[0]) / dsp.sample_rate / 60.0
    change(engine, dsp, AT_TEMPO, legal(dsp, AT_TEMPO, beats / minutes), frame)
    return Reason.NONE


@kernel
def publish(engine, dsp, snapshot, frame):
    """Write what is read of the clock, and the copy that MIDI clock is sent by."""
    session = snapshot.clock
    session.frame = engine.clock_frame
    session.beat = engine.clock_beat
    session.speed = engine.clock_speed
    session.downbeat = engine.clock_downbeat
    session.beats_per_bar = np.int64(engine.values.clock.beats_per_bar)
    session.aligned = engine.clock_aligned
    reading = snapshot.values.clock
    source = engine.clock_followed
    here = session_beat(engine, frame)
    reading.locked = np.float64(source != 0)
    reading.running = 1.0
    reading.phase_error = 0.0
    if source >= MIDI:
        reading.running = np.float64(engine.outside[source - MIDI].running)
        reading.phase_error = sync.phase_error(outer_beat(engine, source, frame), here)
    elif source > 0:
        beat, _ = transport.running_beat(engine, dsp, source - 1, frame)
        reading.phase_error = sync.phase_error(beat, here)
    reading.midi_locked = 0.0
    reading.midi_tempo = 0.0
    reading.midi_jitter = 0.0
    for s in range(SLOTS):
        heard = engine.midi_clock[s]
        if engine.midi.slots[s].open != 0 and heard.elected != 0 and heard.period > 0.0:
            reading.midi_locked = np.float64(heard.locked)
            reading.midi_tempo = 60.0 * dsp.sample_rate / (24.0 * heard.period)
            reading.midi_jitter = heard.jitter / dsp.sample_rate * 1000.0
