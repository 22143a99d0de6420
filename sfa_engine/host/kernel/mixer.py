"""Decks to master, headphones and booth.

::

    decks, pads, effects ─┬─► booth level ─────────────────────────────► booth (outputs 5, 6)
                          └─► volume ─┬─► balance, mono ─► limiter ────► master (1, 2)
    cued decks and pads ──────────────┴─► mix or split ─► level ───────► headphones (3, 4)
"""

from __future__ import annotations

import numpy as np

from sfa_engine.engine.layout import DECKS, LATENCY, STRIPS, TAP_DECK, TAP_MASTER
from sfa_engine.host.kernel import deck, effects, meter, sampler, tap, vu
from sfa_engine.host.kernel.elementary import factor_of
from sfa_engine.host.kernel.glide import ramp
from sfa_engine.host.kernel.intrinsics import kernel, part
from sfa_engine.host.kernel.limiter import limit
from sfa_engine.host.kernel.side import side_gain, stem_fader_gain, step_to

F = np.float32


@kernel
def crossfader_gain(values, rack_to, number):
    """Return a deck's gain at the crossfader.

    Parameters
    ----------
    values : record
        The desk as it is set: curve and sides.
    rack_to : record
        The desk as it sounds: position and reverse.
    number : int64
        Of the deck, from 0.
    """
    place = rack_to.crossfader * (1.0 - 2.0 * rack_to.crossfader_reverse)
    return side_gain(values, number, np.int64(values.crossfader_curve), place)


@kernel
def settle_sides(engine, dsp, number):
    """Put a deck's gains at the crossfaders where they belong, without a fade; for a new host."""
    values = engine.values
    channel = dsp.channel[number]
    channel.side_to = crossfader_gain(values, dsp.to, number)
    channel.side_from = channel.side_to
    curve = np.int64(values.stem_fader.curve)
    for s in range(STRIPS):
        strip = channel.strip[s]
        place = dsp.to_flat[deck.AT_STEM_FADER + s]
        strip.side_to = stem_fader_gain(values, number, curve, place)
        strip.side_from = strip.side_to


@kernel
def send(dsp, onto, bus, start, frames, gain0, gain1):
    """Add part of a bus onto another, along a straight line."""
    if gain0 == 0.0 and gain1 == 0.0:
        return
    ramp(dsp, gain0, gain1, frames)
    for c in range(2):
        row = part(bus, c, start)
        sums = part(onto, c, start)
        for i in range(frames):
            sums[i] += row[i] * dsp.ramp[i]


@kernel
def mix(engine, dsp, start, frames, frame):
    """Render a segment of everything into the dsp's output."""
    values = engine.values
    first = dsp.start
    to = dsp.to
    mix_bus = dsp.mix_bus
    cue_bus = dsp.cue_bus
    deck.blank(mix_bus, start, frames)
    deck.blank(cue_bus, start, frames)
    effects.prepare(engine, dsp, frames, frame)
    for d in range(DECKS):
        channel = dsp.channel[d]
        channel.side_from = channel.side_to
        gain = crossfader_gain(values, to, np.int64(d))
        channel.side_to = step_to(channel.side_from, gain, frames)
        gain0 = first.deck[d].fader * channel.side_from
        gain1 = to.deck[d].fader * channel.side_to
        dsp.tap_from, dsp.tap_to = first.deck[d].trim * gain0, to.deck[d].trim * gain1
        if not deck.render(engine, dsp, np.int64(d), start, frames, frame):
            meter.rest(channel, frames, dsp.sample_rate)
            vu.rest(channel.vu, frames, dsp.sample_rate)
            tap.write_silent_deck(dsp, np.int64(d), frames, frame)
            continue
        tap.write(dsp, TAP_DECK + np.int64(d), dsp.deck_bus, start, frames, frame)
        send(dsp, cue_bus, dsp.deck_bus, start, frames, first.deck[d].pfl, to.deck[d].pfl)
        deck.apply_gain(dsp, dsp.deck_bus, start, frames, gain0, gain1, gain0, gain1)
        meter.follow(channel, dsp.deck_bus, start, frames, dsp.sample_rate)
        vu.follow(channel.vu, dsp.deck_bus, start, frames, dsp.sample_rate)
        effects.take_deck(dsp, np.int64(d), start, frames)
        deck.add(mix_bus, dsp.deck_bus, start, frames)
    sampler.render(engine, dsp, start, frames)
    effects.render(engine, dsp, start, frames, frame)
    feed_booth(dsp, start, frames)
    volume0 = first.master.volume
    volume1 = to.master.volume
    deck.apply_gain(dsp, mix_bus, start, frames, volume0, volume1, volume0, volume1)
    listen(dsp, start, frames)
    place(dsp, start, frames)
    ceiling = factor_of(to.master.limiter.ceiling)
    on = values.master.limiter.on != 0.0
    limit(dsp, mix_bus, start, frames, ceiling, values.master.limiter.release, on)
    meter.follow_master(dsp, mix_bus, start, frames)
    vu.follow(dsp.master_vu, mix_bus, start, frames, dsp.sample_rate)
    tap.write(dsp, np.int64(TAP_MASTER), mix_bus, start, frames, frame)
    for c in range(2):
        row = part(mix_bus, c, start)
        out = part(dsp.output, c, start)
        for i in range(frames):
            out[i] = row[i]
    split(dsp, start, frames)


@kernel
def place(dsp, start, frames):
    """Give the master its balance, and one sound on both sides where it is mono."""
    first = dsp.start.master
    to = dsp.to.master
    bus = dsp.mix_bus
    left0 = min(1.0, 1.0 - first.balance / 100.0)
    left1 = min(1.0, 1.0 - to.balance / 100.0)
    right0 = min(1.0, 1.0 + first.balance / 100.0)
    right1 = min(1.0, 1.0 + to.balance / 100.0)
    deck.apply_gain(dsp, bus, start, frames, left0, left1, right0, right1)
    if first.mono == 0.0 and to.mono == 0.0:
        return
    ramp(dsp, first.mono, to.mono, frames)
    left = part(bus, 0, start)
    right = part(bus, 1, start)
    for i in range(frames):
        both = F(0.5) * (left[i] + right[i])
        left[i] += (both - left[i]) * dsp.ramp[i]
        right[i] += (both - right[i]) * dsp.ramp[i]


@kernel
def kept_in_range(x):
    """Return a sample for a converter: within full scale, and silence for what is no sound."""
    return min(F(1), max(F(-1), x)) if abs(x) < F(1e6) else F(0)


@kernel
def emit(dsp, delay, first_row, start, frames):
    """Put out a signal that waits in a delay, as late as the master, and take the delay on."""
    for c in range(2):
        row = part(delay, c, 0)
        out = part(dsp.output, first_row + c, start)
        for i in range(frames):
            out[i] = row[i]
        rest = part(delay, c, frames)
        for i in range(LATENCY):
            row[i] = rest[i]


@kernel
def feed_booth(dsp, start, frames):
    """Make the booth's signal: the mix before the master's volume."""
    if dsp.out_channels < 6:
        return
    ramp(dsp, dsp.start.master.booth, dsp.to.master.booth, frames)
    for c in range(2):
        row = part(dsp.mix_bus, c, start)
        late = part(dsp.booth_delay, c, LATENCY)
        for i in range(frames):
            late[i] = kept_in_range(row[i] * dsp.ramp[i])
    emit(dsp, dsp.booth_delay, 4, start, frames)


@kernel
def split(dsp, start, frames):
    """Put the cue on the left and the master on the right of a device with two channels."""
    if dsp.out_channels >= 4 or (dsp.start.phones.split == 0.0 and dsp.to.phones.split == 0.0):
        return
    ramp(dsp, dsp.start.phones.split, dsp.to.phones.split, frames)
    left = part(dsp.output, 0, start)
    right = part(dsp.output, 1, start)
    cue = part(dsp.output, 2, start)
    for i in range(frames):
        both = F(0.5) * (left[i] + right[i])
        left[i] += (cue[i] - left[i]) * dsp.ramp[i]
        right[i] += (both - right[i]) * dsp.ramp[i]


@kernel
def listen(dsp, start, frames):
    """Make the headphones' signal of the cued decks and the master before its limiter.

    It comes out as late as the master, which waits for its limiter: a recording of both, and a
    cue that is heard beside the speakers, stay aligned.
    """
    first = dsp.start.phones
    to = dsp.to.phones
    if dsp.out_channels < 4 and first.split == 0.0 and to.split == 0.0:
        for c in range(2):
            for i in range(LATENCY):
                dsp.phones_delay[c, i] = F(0)
        return
    late_left = part(dsp.phones_delay, 0, LATENCY)
    late_right = part(dsp.phones_delay, 1, LATENCY)
    share = 1.0 / frames
    for k in range(frames):
        i = start + k
        t = (k + 1) * share
        blend = (first.mix + (to.mix - first.mix) * t) * 0.01
        split = first.split + (to.split - first.split) * t
        volume = F(first.volume + (to.volume - first.volume) * t)
        cue_left = dsp.cue_bus[0, i]
        cue_right = dsp.cue_bus[1, i]
        left = dsp.mix_bus[0, i]
        right = dsp.mix_bus[1, i]
        both_left = F(cue_left * (1.0 - blend) + left * blend)
        both_right = F(cue_right * (1.0 - blend) + right * blend)
        one_left = F(0.5) * (cue_left + cue_right)
        one_right = F(0.5) * (left + right)
        a = volume * F(both_left + (one_left - both_left) * split)
        b = volume * F(both_right + (one_right - both_right) * split)
        late_left[k] = kept_in_range(a)
        late_right[k] = kept_in_range(b)
    emit(dsp, dsp.phones_delay, 2, start, frames)
