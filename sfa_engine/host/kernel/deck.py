"""A deck's sound: heads read the stems, strips shape them, the channel shapes their sum."""

from __future__ import annotations

import numpy as np

from sfa_engine.desk.deck import STEMS
from sfa_engine.engine.layout import HEADS, STRIPS, VALUE_INDEX, VOICES
from sfa_engine.host.kernel import effects, equaliser, filters, finer, meter, stem_line, tap
from sfa_engine.host.kernel.glide import ramp
from sfa_engine.host.kernel.interpolate import add_span, fetch, weigh
from sfa_engine.host.kernel.intrinsics import kernel, part
from sfa_engine.host.kernel.seam import STRAIGHT, shape
from sfa_engine.host.kernel.side import stem_fader_gain, step_to
from sfa_engine.host.kernel.stretch import guide
from sfa_engine.host.kernel.voice import (
    finish_fades,
    follow,
    heads_heard,
    is_heard,
    level_at,
    reach,
)

F = np.float32
RESONANCE = 25.0  # %, of a stem's filter
VOCALS = STEMS.index("vocals")
AT_STEM_FADER = VALUE_INDEX["stem_fader.vocals"]  # and so on, in the order of the stems


@kernel
def blank(bus, start, frames):
    """Silence part of a bus."""
    for c in range(2):
        row = part(bus, c, start)
        for i in range(frames):
            row[i] = F(0)


@kernel
def add(onto, bus, start, frames):
    """Add part of a bus onto another."""
    for c in range(2):
        row = part(bus, c, start)
        sums = part(onto, c, start)
        for i in range(frames):
            sums[i] += row[i]


@kernel
def fade(dsp, head, stem, frames, frame, share, share_slope):
    """Fill the ramp with a head's fade, times the gain that its own track is to have.

    `share` is the part of the voice that is heard, which goes on by `share_slope` a frame.
    """
    loudness = dsp.media[head.slot].gain
    gain = head.gain
    slope = head.slope
    alike = head.alike[stem]
    turns = head.level != 1.0 or head.level_slope != 0.0
    if slope == 0.0 and share_slope == 0.0 and not turns:
        for i in range(frames):
            dsp.ramp[i] = F(gain * share * loudness)
        return
    level = level_at(head, frame)
    turn = head.level_slope
    for i in range(frames):
        now = min(1.0, max(0.0, gain + slope * (i + 1)))
        if alike != STRAIGHT:
            now = shape(now, alike)
        now *= min(1.0, max(0.0, share + share_slope * (i + 1)))
        if turns:
            now *= min(1.0, max(0.0, level + turn * (i + 1)))
        dsp.ramp[i] = F(now * loudness)


@kernel
def rise(dsp, voice, frames):
    """Scale the ramp of the head that plays by a cue's fade-in."""
    level = voice.level
    step = voice.rise
    for i in range(frames):
        dsp.ramp[i] = F(dsp.ramp[i] * min(1.0, level + step * (i + 1)))


@kernel
def read_stem(dsp, voice, stem, bus, start, frames, frame, share, share_slope):
    """Add what every head of a voice reads of a stem onto a bus.

    The weights of a place are worked out once for all that are read there one after another.

    Returns
    -------
    missing : int64
        Frames that were not in memory.
    """
    missing = np.int64(0)
    for k in range(HEADS):
        head = voice.head[k]
        if not is_heard(head):
            continue
        media = dsp.media[head.slot]
        if media.address[stem] == 0:
            continue
        at = reach(head, frame)
        curve = head.curve
        speed = head.speed + curve * (frame - head.anchor_frame)
        known = dsp.weighed_at == at and dsp.weighed_speed == speed
        known = known and dsp.weighed_curve == curve and dsp.weighed_frames == frames
        low, count, exact = weigh(dsp, at, speed, curve, frames, known)
        if not exact:
            dsp.weighed_at = at
            dsp.weighed_speed = speed
            dsp.weighed_curve = curve
            dsp.weighed_frames = frames
        missing += fetch(media, stem, low, count, dsp.span)
        fade(dsp, head, stem, frames, frame, share, share_slope)
        if k == 0 and voice.level < 1.0:
            rise(dsp, voice, frames)
        add_span(dsp, bus, start, frames, exact)
    return missing


@kernel
def has_stem(dsp, voice, stem):
    """Return whether any head of a voice that is to be heard has a stem."""
    for k in range(HEADS):
        head = voice.head[k]
        if is_heard(head) and dsp.media[head.slot].address[stem] != 0:
            return True
    return False


@kernel
def is_there(dsp, channel, stem):
    """Return whether a strip has something to be heard, of its own voice or of the deck's."""
    if channel.together != 0:
        return has_stem(dsp, channel.voice[0], stem)
    if has_stem(dsp, channel.voice[1 + stem], stem):
        return True
    strip = channel.strip[stem]
    shared = strip.share != 0.0 or strip.share_slope != 0.0
    return shared and has_stem(dsp, channel.voice[0], stem)


@kernel
def rings(channel):
    """Return whether a filter of a deck still has something to give after the heads have gone."""
    for s in range(STRIPS):
        if filters.rings(channel.strip[s].filter):
            return True
    return filters.rings(channel.filter) or equaliser.rings(channel.eq)


@kernel
def apply_gain(dsp, bus, start, frames, left0, left1, right0, right1):
    """Scale part of a bus by two straight lines."""
    if left0 == 1.0 and left1 == 1.0 and right0 == 1.0 and right1 == 1.0:
        return
    for c in range(2):
        a = left0 if c == 0 else right0
        b = left1 if c == 0 else right1
        row = part(bus, c, start)
        ramp(dsp, a, b, frames)
        for i in range(frames):
            row[i] *= dsp.ramp[i]


@kernel
def chosen(stem, acapella, instrumental):
    """Return the gain that a stem has by the switches for vocals alone, and for all the others."""
    return 1.0 - instrumental if stem == VOCALS else 1.0 - acapella


@kernel
def turn_stem_faders(engine, dsp, deck, frames):
    """Take the gains of a deck's strips at the stems' crossfaders across a segment."""
    channel = dsp.channel[deck]
    rest = True
    for s in range(STRIPS):
        rest = rest and dsp.to_flat[AT_STEM_FADER + s] == 0.0
    if rest and channel.sides_rest != 0:
        return
    curve = np.int64(engine.values.stem_fader.curve)
    for s in range(STRIPS):
        strip = channel.strip[s]
        strip.side_from = strip.side_to
        place = dsp.to_flat[AT_STEM_FADER + s]
        gain = stem_fader_gain(engine.values, deck, curve, place)
        strip.side_to = step_to(strip.side_from, gain, frames)
        rest = rest and strip.side_from == 1.0 and strip.side_to == 1.0
    channel.sides_rest = 1 if rest else 0


@kernel
def render(engine, dsp, deck, start, frames, frame):
    """Render a segment of a deck into the deck bus, before its fader.

    Returns
    -------
    heard : bool
        Whether there is anything; the bus is silent if not.
    """
    bus = dsp.deck_bus
    blank(bus, start, frames)
    follow(engine, dsp, deck, frame)
    stem_line.follow(engine, dsp, deck, frame)
    guide(dsp, deck, frame)
    finer.follow(engine, dsp, deck, frame, frames)
    channel = dsp.channel[deck]
    together = channel.together != 0
    count = np.int64(0)
    for v in range(1 if together else VOICES):
        count += heads_heard(channel.voice[v])
    turn_stem_faders(engine, dsp, deck, frames)
    first = dsp.start.deck[deck]
    to = dsp.to.deck[deck]
    rate = dsp.sample_rate
    if count == 0 and not rings(channel):
        for s in range(STRIPS):
            filters.settle(channel.strip[s].filter, to.stem[s].filter, RESONANCE, rate)
            meter.rest(channel.strip[s], frames, rate)
        filters.settle(channel.filter, to.filter, to.resonance, rate)
        equaliser.settle(channel.eq, to.eq)
        finish_fades(dsp, deck, frames)
        finer.finish(dsp, deck, frames)
        return False
    solo0 = 0.0
    solo1 = 0.0
    for s in range(STRIPS):
        # A solo of a stem that the track has not must not silence those that it has.
        if is_there(dsp, channel, s):
            solo0 = max(solo0, first.stem[s].solo)
            solo1 = max(solo1, to.stem[s].solo)
    # Nor must an acapella of a track without vocals, which would be nothing.
    has_vocals = is_there(dsp, channel, VOCALS)
    acapella0 = first.acapella if has_vocals else 0.0
    acapella1 = to.acapella if has_vocals else 0.0
    strip_bus = dsp.strip_bus
    missing = np.int64(0)
    for s in range(STRIPS):
        strip = channel.strip[s]
        a = first.stem[s]
        b = to.stem[s]
        there = is_there(dsp, channel, s)
        gain0 = a.volume * (1.0 - a.mute) * (1.0 - solo0 * (1.0 - a.solo))
        gain1 = b.volume * (1.0 - b.mute) * (1.0 - solo1 * (1.0 - b.solo))
        gain0 *= strip.side_from * chosen(s, acapella0, first.instrumental)
        gain1 *= strip.side_to * chosen(s, acapella1, to.instrumental)
        silent = gain0 == 0.0 and gain1 == 0.0
        if silent or not (there or filters.rings(strip.filter)):
            filters.settle(strip.filter, b.filter, RESONANCE, rate)
            meter.rest(strip, frames, rate)
            tap.write_silence(dsp, tap.number_of(deck, np.int64(s)), frames, frame)
            continue
        blank(strip_bus, start, frames)
        if there:
            lacking = np.int64(0)
            share = strip.share
            slope = strip.share_slope
            voice = channel.voice[0]
            k = finer.number_of(s)
            if k >= 0 and finer.is_there(channel.tonal[k]):
                share, slope = finer.read(
                    dsp, channel.tonal[k], voice, strip_bus, start, frames, frame, share, slope
                )
            if share != 0.0 or slope != 0.0:
                lacking += read_stem(dsp, voice, s, strip_bus, start, frames, frame, share, slope)
            if not together:
                voice = channel.voice[1 + s]
                lacking += read_stem(dsp, voice, s, strip_bus, start, frames, frame, 1.0, 0.0)
            # Neighbouring segments need some of the same frames: none is to be counted twice.
            missing = max(missing, min(lacking, frames))
        filters.bipolar(strip.filter, strip_bus, start, frames, b.filter, RESONANCE, rate)
        apply_gain(
            dsp,
            strip_bus,
            start,
            frames,
            gain0 * min(1.0, 1.0 - a.pan / 100.0),
            gain1 * min(1.0, 1.0 - b.pan / 100.0),
            gain0 * min(1.0, 1.0 + a.pan / 100.0),
            gain1 * min(1.0, 1.0 + b.pan / 100.0),
        )
        meter.follow(strip, strip_bus, start, frames, rate)
        tap.write(dsp, tap.number_of(deck, np.int64(s)), strip_bus, start, frames, frame)
        effects.take_stem(dsp, deck, s, start, frames)
        add(bus, strip_bus, start, frames)
    engine.transport[deck].underruns += missing
    finish_fades(dsp, deck, frames)
    finer.finish(dsp, deck, frames)
    apply_gain(dsp, bus, start, frames, first.trim, to.trim, first.trim, to.trim)
    equaliser.isolate(dsp, channel.eq, bus, start, frames, first.eq, to.eq)
    filters.bipolar(channel.filter, bus, start, frames, to.filter, to.resonance, rate)
    return True
