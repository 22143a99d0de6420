"""A deck's sound: heads read the stems, strips shape them, the channel shapes their sum."""

from __future__ import annotations

import numpy as np

from sfa_engine.engine.layout import HEADS, STRIPS
from sfa_engine.host.kernel import equaliser, filters, meter
from sfa_engine.host.kernel.glide import ramp
from sfa_engine.host.kernel.interpolate import add_span, fetch, weigh
from sfa_engine.host.kernel.intrinsics import kernel, part
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
def fade(dsp, head, frames, frame):
    """Fill the ramp with a head's fade, times the gain that its own track is to have."""
    loudness = dsp.media[head.slot].gain
    gain = head.gain
    slope = head.slope
    if head.level != 1.0 or head.level_slope != 0.0:
        level = level_at(head, frame)
        turn = head.level_slope
        for i in range(frames):
            now = min(1.0, max(0.0, gain + slope * (i + 1)))
            dsp.ramp[i] = F(now * min(1.0, max(0.0, level + turn * (i + 1))) * loudness)
        return
    if slope == 0.0:
        for i in range(frames):
            dsp.ramp[i] = F(gain * loudness)
        return
    for i in range(frames):
        dsp.ramp[i] = F(min(1.0, max(0.0, gain + slope * (i + 1))) * loudness)


@kernel
def read_stem(dsp, voice, stem, bus, start, frames, frame, alone):
    """Add what every head of a voice reads of a stem onto a bus.

    When one head plays `alone` its weights stand in the dsp already.

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
        position = reach(head, frame)
        speed = head.speed + head.curve * (frame - head.anchor_frame)
        low, count, exact = weigh(dsp, position, speed, head.curve, frames, alone)
        missing += fetch(media, stem, low, count, dsp.span)
        fade(dsp, head, frames, frame)
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
    channel = dsp.channel[deck]
    voice = channel.voice[0]
    count = heads_heard(voice)
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
        return False
    solo0 = 0.0
    solo1 = 0.0
    for s in range(STRIPS):
        # A solo of a stem that the track has not must not silence those that it has.
        if has_stem(dsp, voice, s):
            solo0 = max(solo0, first.stem[s].solo)
            solo1 = max(solo1, to.stem[s].solo)
    strip_bus = dsp.strip_bus
    missing = np.int64(0)
    alone = False
    for s in range(STRIPS):
        strip = channel.strip[s]
        a = first.stem[s]
        b = to.stem[s]
        there = has_stem(dsp, voice, s)
        gain0 = a.volume * (1.0 - a.mute) * (1.0 - solo0 * (1.0 - a.solo))
        gain1 = b.volume * (1.0 - b.mute) * (1.0 - solo1 * (1.0 - b.solo))
        silent = gain0 == 0.0 and gain1 == 0.0
        if silent or not (there or filters.rings(strip.filter)):
            filters.settle(strip.filter, b.filter, RESONANCE, rate)
            meter.rest(strip, frames, rate)
            continue
        blank(strip_bus, start, frames)
        if there:
            lacking = read_stem(dsp, voice, s, strip_bus, start, frames, frame, alone)
            # Neighbouring segments need some of the same frames: none is to be counted twice.
            missing = max(missing, min(lacking, frames))
            alone = count == 1
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
        add(bus, strip_bus, start, frames)
    engine.transport[deck].underruns += missing
    finish_fades(dsp, deck, frames)
    apply_gain(dsp, bus, start, frames, first.trim, to.trim, first.trim, to.trim)
    equaliser.isolate(dsp, channel.eq, bus, start, frames, first.eq, to.eq)
    filters.bipolar(channel.filter, bus, start, frames, to.filter, to.resonance, rate)
    return True
