"""A deck's sound: heads read the stems, strips shape them, the channel shapes their sum."""

from __future__ import annotations

import numpy as np

from sfa_engine.audio.kernel import meter
from sfa_engine.audio.kernel.equaliser import isolate
from sfa_engine.audio.kernel.filters import bipolar
from sfa_engine.audio.kernel.glide import ramp
from sfa_engine.audio.kernel.interpolate import add_span, fetch, weigh
from sfa_engine.audio.kernel.machine import kernel, part
from sfa_engine.audio.kernel.transport import place
from sfa_engine.audio.layout import HEADS, STRIPS

F = np.float32


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
def fade(rack, head, frames):
    """Fill the ramp with a head's fade, and take the head across the segment."""
    gain = head.gain
    slope = head.slope
    if slope == 0.0:
        for i in range(frames):
            rack.ramp[i] = F(gain)
        return
    for i in range(frames):
        rack.ramp[i] = F(min(1.0, max(0.0, gain + slope * (i + 1))))


@kernel
def finish_fades(rack, transport, frames):
    """Take every head's fade across a segment, and rest those that have gone."""
    for k in range(HEADS):
        head = transport.head[k]
        if head.slot < 0 or head.slope == 0.0:
            continue
        head.gain = min(1.0, max(0.0, head.gain + head.slope * frames))
        if head.gain == 1.0:
            head.slope = 0.0
        if k > 0 and head.gain == 0.0:
            rack.media[head.slot].heads -= 1
            head.slot = -1
            head.slope = 0.0


@kernel
def read_stem(rack, transport, stem, bus, start, frames, frame, alone):
    """Add what every head of the deck reads of a stem onto a bus.

    When one head plays `alone` its weights stand in the rack already.

    Returns
    -------
    missing : int64
        Frames that were not in memory.
    """
    missing = np.int64(0)
    for k in range(HEADS):
        head = transport.head[k]
        if head.slot < 0 or (head.gain == 0.0 and head.slope <= 0.0):
            continue
        media = rack.media[head.slot]
        if media.address[stem] == 0:
            continue
        low, count, exact = weigh(rack, place(head, frame), head.speed, frames, alone)
        missing += fetch(media, stem, low, count, rack.span)
        fade(rack, head, frames)
        add_span(rack, bus, start, frames, exact)
    return missing


@kernel
def has_stem(rack, transport, stem):
    """Return whether any head of the deck has a stem."""
    for k in range(HEADS):
        head = transport.head[k]
        if head.slot >= 0 and rack.media[head.slot].address[stem] != 0:
            return True
    return False


@kernel
def heads_heard(transport):
    """Return how many heads are to be heard."""
    count = 0
    for k in range(HEADS):
        head = transport.head[k]
        if head.slot >= 0 and (head.gain != 0.0 or head.slope > 0.0):
            count += 1
    return count


@kernel
def apply_gain(rack, bus, start, frames, left0, left1, right0, right1):
    """Scale part of a bus by two straight lines."""
    if left0 == 1.0 and left1 == 1.0 and right0 == 1.0 and right1 == 1.0:
        return
    for c in range(2):
        a = left0 if c == 0 else right0
        b = left1 if c == 0 else right1
        row = part(bus, c, start)
        ramp(rack, a, b, frames)
        for i in range(frames):
            row[i] *= rack.ramp[i]


@kernel
def render(engine, rack, deck, start, frames, frame):
    """Render a segment of a deck into the deck bus, before its fader.

    Returns
    -------
    heard : bool
        Whether there is anything; the bus is silent if not.
    """
    bus = rack.deck_bus
    blank(bus, start, frames)
    transport = engine.transport[deck]
    channel = rack.channel[deck]
    count = heads_heard(transport)
    if count == 0:
        for s in range(STRIPS):
            meter.rest(channel.strip[s], frames, rack.sample_rate)
        finish_fades(rack, transport, frames)
        return False
    first = rack.start.deck[deck]
    to = rack.to.deck[deck]
    solo0 = 0.0
    solo1 = 0.0
    for s in range(STRIPS):
        solo0 = max(solo0, first.stem[s].solo)
        solo1 = max(solo1, to.stem[s].solo)
    strip_bus = rack.strip_bus
    missing = np.int64(0)
    alone = False
    for s in range(STRIPS):
        strip = channel.strip[s]
        if not has_stem(rack, transport, s):
            meter.rest(strip, frames, rack.sample_rate)
            continue
        a = first.stem[s]
        b = to.stem[s]
        gain0 = a.volume * (1.0 - a.mute) * (1.0 - solo0 * (1.0 - a.solo))
        gain1 = b.volume * (1.0 - b.mute) * (1.0 - solo1 * (1.0 - b.solo))
        if gain0 == 0.0 and gain1 == 0.0:
            strip.filter.wet = 0.0
            meter.rest(strip, frames, rack.sample_rate)
            continue
        blank(strip_bus, start, frames)
        missing = max(
            missing, read_stem(rack, transport, s, strip_bus, start, frames, frame, alone)
        )
        alone = count == 1
        bipolar(strip.filter, strip_bus, start, frames, b.filter, 25.0, rack.sample_rate)
        apply_gain(
            rack,
            strip_bus,
            start,
            frames,
            gain0 * min(1.0, 1.0 - a.pan / 100.0),
            gain1 * min(1.0, 1.0 - b.pan / 100.0),
            gain0 * min(1.0, 1.0 + a.pan / 100.0),
            gain1 * min(1.0, 1.0 + b.pan / 100.0),
        )
        meter.follow(strip, strip_bus, start, frames, rack.sample_rate)
        add(bus, strip_bus, start, frames)
    transport.starved += missing
    finish_fades(rack, transport, frames)
    gain = 1.0
    if transport.head[0].slot >= 0:
        gain = rack.media[transport.head[0].slot].gain
    trim0 = first.trim * gain
    trim1 = to.trim * gain
    apply_gain(rack, bus, start, frames, trim0, trim1, trim0, trim1)
    isolate(rack, channel.eq, bus, start, frames, first.eq, to.eq)
    bipolar(channel.filter, bus, start, frames, to.filter, to.resonance, rack.sample_rate)
    return True
