"""Finer keylock: tonal stems of a deck are stretched by their spectra, where splices are heard.

A stem's spectra make *stretched samples* at the track's own pitch, a few ahead of what is heard,
and the interpolator reads these as it reads a track: at the speed of the voice's head, which has
the pitch. So what is heard is where the timeline is, nothing is late, and drums and bass beside it
are spliced in the time domain, exact to the frame.

The strip's part of the voice fades out while the spectra fade in, and the other way round; a jump
leaves the next samples behind, which fade out.
"""

from __future__ import annotations

import math

import numpy as np

from sfa_engine.desk.deck import KEYLOCK_MODES
from sfa_engine.engine.layout import (
    FADE,
    SPECTRAL_OUTPUT,
    SPECTRAL_TAIL,
    TAPS,
    TONAL_STEMS,
    VOCALS,
)
from sfa_engine.host.kernel import spectral
from sfa_engine.host.kernel.interpolate import LOUDEST, add_span, weigh
from sfa_engine.host.kernel.intrinsics import kernel, part
from sfa_engine.host.kernel.transport import place
from sfa_engine.host.kernel.voice import Course

F = np.float32
HALF = TAPS // 2
FINER = KEYLOCK_MODES.index("finer")
TONALS = len(TONAL_STEMS)
BOTH = 2  # channels
LADDER_STRETCH = 1  # step of the overload ladder that leaves this out
MASK = SPECTRAL_OUTPUT - 1


@kernel
def sample_at(tonal, frame):
    """Return the stretched sample that is heard at an engine frame."""
    return tonal.anchor_sample + (frame - tonal.anchor_frame) * tonal.speed


@kernel
def is_on(engine, dsp, deck):
    """Return whether a deck's stems that are tonal are to be stretched by their spectra now."""
    voice = dsp.channel[deck].voice[0]
    return (
        np.int64(engine.values.deck[deck].keylock_mode) == FINER
        and engine.ladder < LADDER_STRETCH
        and voice.course == Course.STRETCHED
        and voice.share == 1.0
        and voice.line.speed > 0.0
    )


@kernel
def is_silent(dsp, deck, stem):
    """Return whether a stem's own mute or volume silences it for all of a segment."""
    first = dsp.start.deck[deck].stem[stem]
    last = dsp.to.deck[deck].stem[stem]
    is_muted = first.mute == 1.0 and last.mute == 1.0
    return is_muted or (first.volume == 0.0 and last.volume == 0.0)


@kernel
def leave(dsp, tonal, frame):
    """Let what is heard fade out, from samples that are kept for it."""
    at = np.int64(math.floor(sample_at(tonal, frame))) - HALF
    spectral.keep_tail(tonal.spectrum, dsp.media[tonal.slot], tonal.stem, at)
    tonal.tail_anchor = sample_at(tonal, frame) - at
    tonal.tail_frame = frame
    tonal.tail_speed = tonal.speed
    tonal.tail_gain = tonal.gain
    tonal.tail_slope = -1.0 / FADE
    tonal.tail_loudness = dsp.media[tonal.slot].gain
    tonal.gain = 0.0
    tonal.slope = 0.0
    tonal.on = 0


@kernel
def enter(dsp, tonal, voice, frame):
    """Begin where the timeline is, with a copy of the source."""
    spectrum = tonal.spectrum
    position = place(voice.line, frame)
    whole = math.floor(position)
    tonal.on = 1
    tonal.slot = voice.line.slot
    tonal.entered = voice.entered
    tonal.speed = voice.head[0].speed
    tonal.anchor_frame = frame
    tonal.anchor_sample = spectrum.made + HALF + (position - whole)
    tonal.gain = 0.0
    tonal.slope = 1.0 / FADE
    media = dsp.media[tonal.slot]
    spectrum.onsets_address = media.onsets_address[tonal.stem]
    spectrum.onsets = media.onsets[tonal.stem]
    spectral.seek(spectrum, whole - HALF)


@kernel
def follow(engine, dsp, deck, frame, frames):
    """Bring a deck's tonal stems up to date, and make the samples of a segment."""
    channel = dsp.channel[deck]
    voice = channel.voice[0]
    on = is_on(engine, dsp, deck)
    if not on and channel.tonal_rest != 0:
        return
    channel.tonal_rest = 0
    for k in range(TONALS):
        tonal = channel.tonal[k]
        wanted = on and dsp.media[voice.line.slot].address[tonal.stem] != 0
        wanted = wanted and not is_silent(dsp, deck, tonal.stem)
        stays = wanted and tonal.slot == voice.line.slot and tonal.entered == voice.entered
        if tonal.on == 1 and not stays:
            leave(dsp, tonal, frame)
        share = 1.0 if wanted else 0.0
        if tonal.share != share:
            tonal.share_slope = (2.0 * share - 1.0) / FADE
        if not wanted:
            continue
        if tonal.on == 0:
            enter(dsp, tonal, voice, frame)
        speed = voice.head[0].speed
        if speed != tonal.speed:
            tonal.anchor_sample = sample_at(tonal, frame)
            tonal.anchor_frame = frame
            tonal.speed = speed
        media = dsp.media[tonal.slot]
        spectrum = tonal.spectrum
        spectrum.shift = 1.0
        if tonal.stem == VOCALS and dsp.to.deck[deck].pitch != 0.0:
            spectrum.shift = speed * dsp.sample_rate / media.rate
        ratio = voice.line.speed / speed
        here = sample_at(tonal, frame)
        spectrum.place = place(voice.line, frame) + (spectrum.made - here) * ratio
        until = np.int64(math.floor(here + speed * (frames - 1))) + HALF + 2
        spectral.make(spectrum, media, tonal.stem, ratio, until)


@kernel
def number_of(stem):
    """Return the number of a tonal stem among them, or -1."""
    for k in range(TONALS):
        if TONAL_STEMS[k] == stem:
            return np.int64(k)
    return np.int64(-1)


@kernel
def is_there(tonal):
    """Return whether a stem's spectra have any part in what is heard."""
    return tonal.on == 1 or tonal.share != 0.0 or tonal.tail_gain > 0.0


@kernel
def fill(dsp, voice, gain, slope, loudness, frames, share, share_slope):
    """Fill the ramp with a fade, times the strip's share and a cue's fade-in."""
    for i in range(frames):
        now = min(1.0, max(0.0, gain + slope * (i + 1)))
        now *= min(1.0, max(0.0, share + share_slope * (i + 1)))
        if voice.level < 1.0:
            now *= min(1.0, voice.level + voice.rise * (i + 1))
        dsp.ramp[i] = F(now * loudness)


@kernel
def read(dsp, tonal, voice, bus, start, frames, frame, share, share_slope):
    """Add what is heard of a stem's spectra onto a bus.

    Parameters
    ----------
    share, share_slope : float64
        The strip's share of the deck's voice, and its change per frame.

    Returns
    -------
    share, share_slope : float64
        What is left for the heads of the voice.
    """
    span = part(dsp.span, 0, 0)
    dsp.weighed_frames = 0  # the weights are of another place from here on
    if tonal.on == 1:
        here = sample_at(tonal, frame)
        low, count, exact = weigh(dsp, here, tonal.speed, 0.0, frames, False)
        output = tonal.spectrum.output
        for i in range(count):
            at = BOTH * ((low + i) & MASK)
            for c in range(BOTH):
                # What is no number would live in the filters for ever.
                x = output[at + c]
                span[BOTH * i + c] = x if abs(x) < LOUDEST else F(0)
        loudness = dsp.media[tonal.slot].gain
        fill(dsp, voice, tonal.gain, tonal.slope, loudness, frames, share, share_slope)
        add_span(dsp, bus, start, frames, exact)
    if tonal.tail_gain > 0.0:
        here = tonal.tail_anchor + (frame - tonal.tail_frame) * tonal.tail_speed
        low, count, exact = weigh(dsp, here, tonal.tail_speed, 0.0, frames, False)
        tail = tonal.spectrum.tail
        for i in range(count):
            at = BOTH * min(np.int64(SPECTRAL_TAIL - 1), max(np.int64(0), low + i))
            for c in range(BOTH):
                x = tail[at + c]
                span[BOTH * i + c] = x if abs(x) < LOUDEST else F(0)
        loudness = tonal.tail_loudness
        fill(dsp, voice, tonal.tail_gain, tonal.tail_slope, loudness, frames, share, share_slope)
        add_span(dsp, bus, start, frames, exact)
    end = min(1.0, max(0.0, tonal.share + tonal.share_slope * frames))
    first = share * (1.0 - tonal.share)
    last = min(1.0, max(0.0, share + share_slope * frames)) * (1.0 - end)
    return first, (last - first) / frames


@kernel
def finish(dsp, deck, frames):
    """Take the fades of a deck's tonal stems across a segment."""
    channel = dsp.channel[deck]
    if channel.tonal_rest != 0:
        return
    channel.tonal_rest = 1
    for k in range(TONALS):
        tonal = channel.tonal[k]
        tonal.gain = min(1.0, max(0.0, tonal.gain + tonal.slope * frames))
        if tonal.gain == 1.0:
            tonal.slope = 0.0
        tonal.tail_gain = min(1.0, max(0.0, tonal.tail_gain + tonal.tail_slope * frames))
        tonal.share = min(1.0, max(0.0, tonal.share + tonal.share_slope * frames))
        if tonal.share == 0.0 or tonal.share == 1.0:
            tonal.share_slope = 0.0
        if is_there(tonal) or tonal.share_slope != 0.0:
            channel.tonal_rest = 0
