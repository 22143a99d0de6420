"""Pads: each hit is a sound, which reads its pad's sample until that ends, is let go, or is cut.

::

    hit ─► at once, or kept until its beat ─► strike ─┬─ sounds of its key and choke group are cut
                                                      └─ a sound begins at this very frame

    sample ─► loop or end (`gather`) ─► interpolator ─► envelope ─► volume, pan ─► mix, headphones

Of the settings, a sound keeps those of its hit where a change would click: stretch and output.
More than `POLYPHONY` sounds are none: the oldest fades out, in 2 ms, for the newest. One that was
struck in the same frame has not been heard, and goes at once: of a thousand hits in one block the
last 64 are heard.
"""

from __future__ import annotations

import math
from enum import IntEnum

import numpy as np
from numba import carray

from sfa_engine.desk.desk import PAD_MODES, PAD_OUTPUTS, PADS_IN_BANK
from sfa_engine.engine.command import Reason, When
from sfa_engine.engine.layout import (
    FADE,
    FASTEST,
    FEW_VOICES,
    PADS,
    POLYPHONY,
    SAMPLES,
    SEAM,
    SOUNDS,
)
from sfa_engine.host.kernel import deck as strip
from sfa_engine.host.kernel import transport
from sfa_engine.host.kernel.elementary import exp2
from sfa_engine.host.kernel.interpolate import LOUDEST, add_span, read, weigh
from sfa_engine.host.kernel.intrinsics import float32_at, int16_at, kernel
from sfa_engine.host.kernel.lead import beat_length
from sfa_engine.host.kernel.meter import FALL_DB, measure
from sfa_engine.host.kernel.sync import can_lead, fold
from sfa_engine.host.kernel.verbs import verb
from sfa_engine.host.kernel.waiting import NEVER, frames_to_time

F = np.float32
GATE, LOOP = PAD_MODES.index("gate"), PAD_MODES.index("loop")
MAIN, PHONES = PAD_OUTPUTS.index("main"), PAD_OUTPUTS.index("phones")
HARDEST = 127.0
FALL = FALL_DB * 0.115129
SILENT = 1e-6
SAME_TEMPO = 1e-9  # a loop whose tempo differs by less, 0.2 frames an hour, plays bit for bit
LADDER_VOICES = 3  # step of the overload ladder from which there are fewer


class State(IntEnum):
    """What a sound does."""

    PLAYING = 0
    RELEASED = 1
    CUT = 2  # fades out, and counts no more


# ---------------------------------------------------------------------- hits


@kernel
def pad_of(engine, key):
    """Return the pad that a key plays: itself, or the one that its bank is the keyboard of."""
    played = np.int64(engine.values.sampler.keys) - 1
    if played >= 0 and played // PADS_IN_BANK == key // PADS_IN_BANK:
        return played
    return key


@kernel
def semitones_of(engine, key):
    """Return by how many semitones a key of the keyboard is transposed."""
    played = np.int64(engine.values.sampler.keys) - 1
    if played >= 0 and played // PADS_IN_BANK == key // PADS_IN_BANK:
        return key % PADS_IN_BANK + engine.values.sampler.transpose
    return 0.0


@kernel
def forget(dsp, sound):
    """End a sound; its sample may be freed."""
    dsp.sample[sound.slot].heads -= 1
    sound.slot = -1


@kernel
def leave(dsp, sound):
    """Count a sound no more among those of its key."""
    if sound.state != State.CUT:
        dsp.pad[sound.key].sounds -= 1


@kernel
def cut(dsp, sound, frame):
    """Let a sound fade out in 2 ms; one that was struck in this frame was never heard."""
    leave(dsp, sound)
    sound.state = State.CUT
    sound.slope = min(sound.slope, -1.0 / FADE)
    if sound.struck_frame == frame:
        forget(dsp, sound)


@kernel
def release(engine, dsp, sound):
    """Let a sound fall, for as long as its pad says."""
    if sound.state != State.PLAYING:
        return
    sound.state = State.RELEASED
    frames = engine.values.pad[sound.pad].release * dsp.sample_rate / 1000.0
    sound.slope = -1.0 / max(np.float64(FADE), frames)


@kernel
def silence(engine, dsp, key, frame):
    """Cut what a hit of a key ends: sounds of the key itself, and of its choke group."""
    group = engine.values.pad[pad_of(engine, key)].choke
    for k in range(SOUNDS):
        sound = dsp.sound[k]
        if sound.slot < 0 or sound.state == State.CUT:
            continue
        if sound.key == key or (group > 0.0 and engine.values.pad[sound.pad].choke == group):
            cut(dsp, sound, frame)


@kernel
def voices(engine):
    """Return how many sounds there may be."""
    return FEW_VOICES if engine.ladder >= LADDER_VOICES else POLYPHONY


@kernel
def thin(engine, dsp, frame):
    """Cut the oldest sounds where there are more than there may be."""
    for _ in range(SOUNDS):
        count = 0
        oldest = np.int64(-1)
        for k in range(SOUNDS):
            sound = dsp.sound[k]
            if sound.slot >= 0 and sound.state != State.CUT:
                count += 1
                if oldest < 0 or sound.serial < dsp.sound[oldest].serial:
                    oldest = np.int64(k)
        if count <= voices(engine):
            return
        cut(dsp, dsp.sound[oldest], frame)


@kernel
def free_sound(engine, dsp, frame):
    """Return the place of a new sound: one that is free, or of the sound that is heard least."""
    count = 0
    oldest = np.int64(-1)
    free = np.int64(-1)
    least = np.int64(0)
    for k in range(SOUNDS):
        sound = dsp.sound[k]
        if sound.slot < 0:
            free = np.int64(k)
        elif sound.state != State.CUT:
            count += 1
            if oldest < 0 or sound.serial < dsp.sound[oldest].serial:
                oldest = np.int64(k)
    if count >= voices(engine):
        cut(dsp, dsp.sound[oldest], frame)
        if dsp.sound[oldest].slot < 0:
            free = oldest
    if free >= 0:
        return free
    level = 2.0
    for k in range(SOUNDS):
        sound = dsp.sound[k]
        if sound.state == State.CUT and sound.level < level:
            level = sound.level
            least = np.int64(k)
    forget(dsp, dsp.sound[least])
    return least


@kernel
def strike(engine, dsp, key, force, frame):
    """Begin the sound of a key at this frame, or let its loop go."""
    pad = pad_of(engine, key)
    slot = dsp.pad[pad].slot
    if slot < 0:
        return
    values = engine.values.pad[pad]
    loops = False
    if values.mode == LOOP:
        for k in range(SOUNDS):
            sound = dsp.sound[k]
            if sound.slot >= 0 and sound.key == key and sound.state == State.PLAYING:
                release(engine, dsp, sound)
                loops = True
    if loops:
        return
    silence(engine, dsp, key, frame)
    sound = dsp.sound[free_sound(engine, dsp, frame)]
    sample = dsp.sample[slot]
    one = math.floor(sample.first + sample.length * values.start / 100.0 + 0.5)
    other = math.floor(sample.first + sample.length * values.end / 100.0 + 0.5)
    last = sample.first + sample.length - 1
    sound.low = min(last, np.int64(min(one, other)))
    sound.high = max(sound.low + 1, np.int64(max(one, other)))
    sample.heads += 1
    dsp.hits += 1
    sound.slot = slot
    sound.pad = pad
    sound.key = key
    sound.serial = dsp.hits
    sound.struck_frame = frame
    sound.state = State.PLAYING
    sound.output = np.int64(values.output)
    sound.position = np.float64(sound.high - 1 if values.reverse != 0.0 else sound.low)
    sound.semitones = semitones_of(engine, key)
    share = engine.values.sampler.velocity / 100.0
    hard = force / HARDEST
    sound.gain = sample.gain * (1.0 - share + share * hard * hard)
    attack = values.attack * dsp.sample_rate / 1000.0
    sound.level = 1.0 if attack < 1.0 else 0.0
    sound.slope = 0.0 if attack < 1.0 else 1.0 / attack
    sound.hold = np.int64(values.hold * dsp.sample_rate / 1000.0)
    dsp.pad[key].sounds += 1
    dsp.pads_rest = 0


@kernel
def take_back(dsp, key):
    """Forget a hit that waits for its beat."""
    if dsp.pad[key].force > 0.0:
        dsp.pad[key].force = 0.0
        dsp.pads_waiting -= 1


@kernel
def frames_to_moment(engine, dsp, key, frame):
    """Return the frames until a key that waits may sound."""
    quantise = engine.values.pad[pad_of(engine, key)].quantise
    if quantise == 0.0:
        return np.int64(0)
    moment = dsp.moment
    moment.when = When.BEAT if quantise == 1.0 else When.BAR
    moment.clock = np.int32(engine.values.sampler.clock)
    return frames_to_time(engine, dsp, moment, frame)


@kernel
def frames_to_next(engine, dsp, frame):
    """Return the frames until the next hit that waits."""
    least = NEVER
    if dsp.pads_waiting > 0:
        for key in range(PADS):
            if dsp.pad[key].force > 0.0:
                least = min(least, frames_to_moment(engine, dsp, np.int64(key), frame))
    return least


@kernel
def run_due(engine, dsp, frame):
    """Strike the pads whose beat has come."""
    if dsp.pads_waiting == 0:
        return
    for k in range(PADS):
        key = np.int64(k)
        force = dsp.pad[key].force
        if force > 0.0 and frames_to_moment(engine, dsp, key, frame) <= 0:
            take_back(dsp, key)
            strike(engine, dsp, key, force, frame)


@verb(needs_deck=False)
def pad_hit(engine, dsp, deck, command, frame):
    """Play a pad, now or on its beat; 0 lets one go that plays while it is held."""
    key = np.int64(command.target)
    if key < 0 or key >= PADS:
        return Reason.UNKNOWN
    pad = pad_of(engine, key)
    if command.x <= 0.0:
        command.x = 0.0
        if engine.values.pad[pad].mode == GATE:
            take_back(dsp, key)
        for k in range(SOUNDS):
            sound = dsp.sound[k]
            if sound.slot >= 0 and sound.key == key:
                if engine.values.pad[sound.pad].mode == GATE:
                    release(engine, dsp, sound)
        return Reason.NONE
    if dsp.pad[pad].slot < 0:
        return Reason.NO_SAMPLE
    command.x = min(HARDEST, command.x)
    if engine.values.pad[pad].quantise == 0.0:
        strike(engine, dsp, key, command.x, frame)
        return Reason.NONE
    if dsp.pad[key].force == 0.0:
        dsp.pads_waiting += 1
    dsp.pad[key].force = command.x
    return Reason.NONE


@kernel
def stop(engine, dsp, key):
    """Let a pad go, and forget a hit of it that waits; every pad for key -1."""
    for k in range(PADS):
        if key < 0 or k == key:
            take_back(dsp, np.int64(k))
    for k in range(SOUNDS):
        sound = dsp.sound[k]
        if sound.slot >= 0 and (key < 0 or sound.key == key or sound.pad == key):
            release(engine, dsp, sound)


@verb(needs_deck=False)
def pad_stop(engine, dsp, deck, command, frame):
    """Let a pad fade out."""
    key = np.int64(command.target)
    if key < 0 or key >= PADS:
        return Reason.UNKNOWN
    stop(engine, dsp, key)
    return Reason.NONE


@verb(needs_deck=False)
def sampler_stop(engine, dsp, deck, command, frame):
    """Let every pad fade out."""
    stop(engine, dsp, np.int64(-1))
    return Reason.NONE


@kernel
def load(engine, dsp, command, frame):
    """Put a sample on a pad, or take the pad's away (slot -1); what sounds of it fades out."""
    slot = np.int64(command.target)
    pad = np.int64(command.x)
    if slot < -1 or slot >= SAMPLES or pad < 0 or pad >= PADS:
        return Reason.UNKNOWN
    for k in range(SOUNDS):
        sound = dsp.sound[k]
        if sound.slot >= 0 and sound.pad == pad and sound.state != State.CUT:
            cut(dsp, sound, frame)
    dsp.pad[pad].slot = slot
    return Reason.NONE


# ---------------------------------------------------------------------- sound


@kernel
def frame_of(sample, k):
    """Return both channels of a frame of a sample; outside it there is silence."""
    if k < 0 or k >= sample.frames:
        return F(0), F(0)
    if sample.float32 != 0:
        loud = carray(float32_at(sample.address + 8 * k), (2,))
        left = loud[0] if abs(loud[0]) < LOUDEST else F(0)
        right = loud[1] if abs(loud[1]) < LOUDEST else F(0)
        return left, right
    short = carray(int16_at(sample.address + 4 * k), (2,))
    scale = F(1.0 / 32768.0)
    return F(short[0]) * scale, F(short[1]) * scale


@kernel
def looped_frame(sample, low, high, seam, k):
    """Return a frame of what a loop repeats: its end fades over to what lies before its start."""
    length = high - low
    k -= low
    k -= length * np.int64(math.floor(k / length))
    k += low
    left, right = frame_of(sample, k)
    if k < high - seam:
        return left, right
    share = F((k - (high - seam) + 1) / (seam + 1))
    before_left, before_right = frame_of(sample, k - length)
    return left + (before_left - left) * share, right + (before_right - right) * share


@kernel
def single_frame(sample, low, high, seam, backwards, k):
    """Return a frame of what is played once: it fades out where there is more of the sample."""
    left, right = frame_of(sample, k)
    if backwards:
        gone = low + seam - k if low > 0 else np.int64(0)
    else:
        gone = k - (high - seam) + 1 if high < sample.frames else np.int64(0)
    if gone <= 0:
        return left, right
    share = F(max(0.0, 1.0 - gone / (seam + 1)))
    return left * share, right * share


@kernel
def gather(dsp, sound, sample, loops, backwards, low, count):
    """Bring the frames that a sound needs into the span, as it goes on at its ends."""
    span = dsp.span
    length = sound.high - sound.low
    end = low + count
    if loops:
        whole = sound.low == 0 and sound.high == sample.frames
        seam = np.int64(0) if whole else min(np.int64(SEAM), length // 2)
        if low >= sound.low and end <= sound.high - seam:
            read(sample.address, sample.float32, low, count, span, np.int64(0))
            return
        for i in range(count):
            left, right = looped_frame(sample, sound.low, sound.high, seam, low + i)
            span[0, 2 * i] = left
            span[0, 2 * i + 1] = right
        return
    seam = min(np.int64(SEAM), length)
    first = sound.low + seam if backwards and sound.low > 0 else np.int64(0)
    last = sound.high - seam if not backwards and sound.high < sample.frames else sample.frames
    if low >= first and end <= last:
        read(sample.address, sample.float32, low, count, span, np.int64(0))
        return
    for i in range(count):
        left, right = single_frame(sample, sound.low, sound.high, seam, backwards, low + i)
        span[0, 2 * i] = left
        span[0, 2 * i + 1] = right


@kernel
def envelope(engine, dsp, sound, frames):
    """Write the levels of a segment of a sound into the ramp, and take the sound on in them.

    A sound rises, holds, decays to its sustain level and stays there, until it is let go.
    """
    values = engine.values.pad[sound.pad]
    sustain = values.sustain / 100.0
    done = np.int64(0)
    while done < frames:
        count = frames - done
        slope = sound.slope
        low = 0.0
        if slope > 0.0:
            count = min(count, max(1, np.int64(math.ceil((1.0 - sound.level) / slope))))
        elif slope == 0.0 and sound.hold > 0:
            count = min(count, sound.hold)
            sound.hold -= count
        elif slope == 0.0 and sound.level > sustain:
            decay = values.decay * dsp.sample_rate / 1000.0
            slope = (sustain - 1.0) / max(np.float64(FADE), decay)
            low = sustain
            count = min(count, max(1, np.int64(math.ceil((sustain - sound.level) / slope))))
        for i in range(count):
            level = min(1.0, max(low, sound.level + slope * (i + 1)))
            dsp.ramp[done + i] = F(level * sound.gain)
        sound.level = min(1.0, max(low, sound.level + slope * count))
        if sound.level == 1.0:
            sound.slope = 0.0
        done += count


@kernel
def followed_tempo(engine, dsp, frame):
    """Return the tempo that loops follow, in beats a frame; 0: there has been none.

    A deck that stands still has none that is heard: the last one goes on, whatever is loaded.
    """
    deck = np.int64(engine.values.sampler.clock) - 1
    if deck < 0:
        tempo = engine.clock_speed
    elif can_lead(engine, dsp, deck):
        tempo = transport.pace(engine, dsp, deck) / beat_length(engine, dsp, deck, frame)
    else:
        return engine.loop_tempo / dsp.sample_rate
    engine.loop_tempo = tempo * dsp.sample_rate
    return tempo


@kernel
def follows_clock(engine, dsp):
    """Return whether a loop sounds that follows the session's clock."""
    if dsp.pads_rest != 0 or engine.values.sampler.clock != 0.0:
        return False
    for k in range(SOUNDS):
        sound = dsp.sound[k]
        if sound.slot >= 0:
            pad = engine.values.pad[sound.pad]
            if pad.mode == LOOP and pad.beats > 0.0:
                return True
    return False


@kernel
def following(engine, dsp, sound, sample, tempo):
    """Return how much faster a loop runs than it is, so that its beats keep to a tempo.

    As decks that are synced do, it keeps to half or twice of it where that is nearer.
    """
    beats = engine.values.pad[sound.pad].beats
    if beats <= 0.0 or tempo <= 0.0:
        return 1.0
    ratio = tempo * sample.length * dsp.sample_rate / (beats * sample.rate)
    ratio *= fold(ratio)
    return 1.0 if abs(ratio - 1.0) < SAME_TEMPO else ratio


@kernel
def render_sound(engine, dsp, sound, start, frames, tempo):
    """Render a segment of a sound into the strip bus, and take it on; it may end."""
    sample = dsp.sample[sound.slot]
    values = engine.values.pad[sound.pad]
    first = dsp.start.pad[sound.pad]
    to = dsp.to.pad[sound.pad]
    backwards = values.reverse != 0.0
    loops = values.mode == LOOP
    semitones = to.pitch + sound.semitones
    speed = sample.rate / dsp.sample_rate
    if semitones != 0.0:
        speed *= exp2(semitones / 12.0)
    if loops:
        speed *= following(engine, dsp, sound, sample, tempo)
    speed = min(FASTEST, speed)
    if backwards:
        speed = -speed
    low, count, exact = weigh(dsp, sound.position, speed, 0.0, frames, False)
    gather(dsp, sound, sample, loops, backwards, low, count)
    envelope(engine, dsp, sound, frames)
    strip.blank(dsp.strip_bus, start, frames)
    add_span(dsp, dsp.strip_bus, start, frames, exact)
    if not exact:
        dsp.weighed_frames = 0  # the weights that stand there are no deck's any more
    strip.apply_gain(
        dsp,
        dsp.strip_bus,
        start,
        frames,
        first.volume * min(1.0, 1.0 - first.pan / 100.0),
        to.volume * min(1.0, 1.0 - to.pan / 100.0),
        first.volume * min(1.0, 1.0 + first.pan / 100.0),
        to.volume * min(1.0, 1.0 + to.pan / 100.0),
    )
    peak, _ = measure(dsp.strip_bus, start, frames)
    state = dsp.pad[sound.key]
    state.peak = max(state.peak, np.float64(peak))
    sound.position += speed * frames
    ended = sound.slope <= 0.0 and sound.level == 0.0
    if loops:
        length = sound.high - sound.low
        rounds = math.floor((sound.position - sound.low) / length)
        sound.position -= length * rounds
    elif backwards:
        ended = ended or sound.position < sound.low
    else:
        ended = ended or sound.position >= sound.high
    return ended


@kernel
def render(engine, dsp, start, frames):
    """Add a segment of all sounds to mix and headphones."""
    tempo = followed_tempo(engine, dsp, engine.frame)
    if dsp.pads_rest != 0:
        return
    fall = 1.0 - frames / dsp.sample_rate * FALL
    rests = True
    for p in range(PADS):
        peak = dsp.pad[p].peak * fall
        dsp.pad[p].peak = peak if peak > SILENT else 0.0
        rests = rests and peak <= SILENT
    bus = dsp.deck_bus
    strip.blank(bus, start, frames)
    for k in range(SOUNDS):
        sound = dsp.sound[k]
        if sound.slot < 0:
            continue
        rests = False
        output = sound.output
        ended = render_sound(engine, dsp, sound, start, frames, tempo)
        if output != PHONES:
            strip.add(bus, dsp.strip_bus, start, frames)
        if output != MAIN:
            strip.add(dsp.cue_bus, dsp.strip_bus, start, frames)
        if ended:
            leave(dsp, sound)
            forget(dsp, sound)
    gain0 = dsp.start.sampler.volume
    gain1 = dsp.to.sampler.volume
    strip.apply_gain(dsp, bus, start, frames, gain0, gain1, gain0, gain1)
    peak, _ = measure(bus, start, frames)
    dsp.pads_peak = max(np.float64(peak), dsp.pads_peak * fall)
    if dsp.pads_peak > SILENT:
        rests = False
    else:
        dsp.pads_peak = 0.0
    strip.add(dsp.mix_bus, bus, start, frames)
    dsp.pads_rest = 1 if rests else 0


@kernel
def publish(dsp, values):
    """Write the readings of the pads."""
    voices = np.int64(0)
    for p in range(PADS):
        reading = values.pad[p]
        state = dsp.pad[p]
        reading.level = state.peak
        reading.playing = np.float64(state.sounds > 0)
        reading.waiting = np.float64(state.force > 0.0)
        voices += state.sounds
        reading.duration = 0.0
        if state.slot >= 0:
            sample = dsp.sample[state.slot]
            reading.duration = sample.length / sample.rate
    values.sampler.voices = np.float64(voices)
    values.sampler.level = dsp.pads_peak
