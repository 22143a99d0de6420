"""Reading PCM between its frames: a windowed sinc, for any speed and both directions.

All stems of a deck stand at one place, so the weights of a frame are worked out once and
used for every stem. Up to a speed of `FAST_FROM` there are 24 taps; above it 24 times the speed,
so that what would come out above the device's half rate is gone, up to 16 times and both ways.

References
----------
.. [1] J. O. Smith, "Digital Audio Resampling", CCRMA, Stanford, 2002.
"""

from __future__ import annotations

import math

import numpy as np
from numba import carray

from sfa_engine.engine.layout import CUTOFFS, FAST_FROM, FAST_TAPS, PHASES, TAPS
from sfa_engine.host.kernel.intrinsics import float32_at, int16_at, kernel, load_acquire, part
from sfa_engine.host.kernel.simd import blend_many, blend_pairs, weigh_many, weigh_pairs

F = np.float32
LOUDEST = F(1e6)  # no sound; NaN and infinity are not below it
HALF = TAPS // 2
JUST_OVER = 1e-6  # track frames
assert TAPS % 8 == 0


@kernel
def band_of(dsp, fast):
    """Return which table of long rows a speed needs: the first whose taps cover it."""
    band = 0
    while band < len(FAST_TAPS) - 1 and dsp.fast_taps[band] < fast * TAPS:
        band += 1
    return band


@kernel
def weigh(dsp, position, speed, curve, frames, known):
    """Work out where `frames` output frames lie, and the weights around each.

    Parameters
    ----------
    position : float64
        Of the first output frame, in track frames.
    speed : float64
        Track frames per output frame, at the first of them; negative runs backwards.
    curve : float64
        Change of the speed per output frame; 0 of a deck that just runs.
    known : bool
        Whether the weights of this very place stand in the dsp already.

    Returns
    -------
    low : int64
        First track frame that is needed.
    count : int64
        How many are needed from there.
    exact : bool
        Whether every output frame is a track frame, so that nothing need be weighed.
    """
    steps = np.float64(frames - 1)
    last = position + (speed + 0.5 * curve * steps) * steps
    lowest = min(position, last)
    highest = max(position, last)
    final = speed + curve * steps
    if speed * final < 0.0:
        # It turns round on the way: there it is the furthest, but for rounding.
        turn = position - 0.5 * speed * speed / curve
        lowest = min(lowest, turn - JUST_OVER)
        highest = max(highest, turn + JUST_OVER)
    low = np.int64(math.floor(lowest))
    high = np.int64(math.floor(highest))
    if speed == 1.0 and curve == 0.0 and position == math.floor(position):
        return low, high - low + 1, True
    fast = max(abs(speed), abs(final))
    band = 0
    taps = np.int64(TAPS)
    if fast > FAST_FROM:
        band = band_of(dsp, fast)
        taps = dsp.fast_taps[band]
    half = taps // 2
    low -= half - 1
    if known:
        return low, high - low + 1 + half, False
    dsp.taps = taps
    weights = np.int64(dsp.weights.ctypes.data)
    if taps == TAPS:
        while band < len(CUTOFFS) - 1 and dsp.cutoffs[band] * fast > 1.0001:
            band += 1
        rows = np.int64(dsp.sinc[band].ctypes.data)
        for i in range(frames):
            place = position + (speed + 0.5 * curve * i) * i
            whole = math.floor(place)
            phase = (place - whole) * PHASES
            row = np.int64(phase)
            between = F(phase - row)
            dsp.offsets[i] = np.int64(whole) - low - (HALF - 1)
            lower = rows + 4 * TAPS * row
            blend_pairs(lower, lower + 4 * TAPS, between, weights + 8 * TAPS * i, TAPS)
        return low, high - low + 1 + half, False
    rows = np.int64(dsp.fast_sinc[band].ctypes.data)
    phases = dsp.fast_phases[band]
    for i in range(frames):
        place = position + (speed + 0.5 * curve * i) * i
        whole = math.floor(place)
        phase = (place - whole) * phases
        row = np.int64(phase)
        between = F(phase - row)
        dsp.offsets[i] = np.int64(whole) - low - (half - 1)
        lower = rows + 4 * taps * row
        blend_many(lower, lower + 4 * taps, between, weights + 8 * taps * i, taps)
    return low, high - low + 1 + half, False


@kernel
def read(address, is_float, low, count, span, at):
    """Convert PCM frames that are in memory to floats, into the span from frame `at` on.

    Parameters
    ----------
    address : int64
        Of frame 0: stereo, float32 if `is_float`, else 16-bit.
    low, count : int64
        First frame, and how many.
    """
    pairs = part(span, 0, 2 * at)
    many = 2 * count
    if is_float != 0:
        loud = carray(float32_at(address + 8 * low), (many,))
        for i in range(many):
            # What is no number would live in the filters for ever.
            x = loud[i]
            pairs[i] = x if abs(x) < LOUDEST else F(0)
    else:
        short = carray(int16_at(address + 4 * low), (many,))
        scale = F(1.0 / 32768.0)
        for i in range(many):
            pairs[i] = F(short[i]) * scale


@kernel
def fetch(media, stem, low, count, span):
    """Bring track frames into the span as floats; what is not in memory is silence.

    Returns
    -------
    missing : int64
        Frames inside the track that were not in memory.
    """
    start = load_acquire(media.ready_start_address)
    end = load_acquire(media.ready_end_address)
    first = min(count, max(0, start - low))
    last = max(first, min(count, end - low))
    if first > 0 or last < count:
        for i in range(2 * count):
            span[0, i] = F(0)
    read(media.address[stem], media.float32, low + first, last - first, span, first)
    inside = min(media.frames, low + count) - max(np.int64(0), low)
    return max(np.int64(0), inside - (last - first))


@kernel
def add_span(dsp, bus, start, frames, exact):
    """Add the span, weighed, times the ramp, onto a bus from a frame on."""
    out_left = part(bus, 0, start)
    out_right = part(bus, 1, start)
    ramp = dsp.ramp
    if exact:
        pairs = part(dsp.span, 0, 0)
        for i in range(frames):
            out_left[i] += ramp[i] * pairs[2 * i]
            out_right[i] += ramp[i] * pairs[2 * i + 1]
        return
    pairs = np.int64(dsp.span.ctypes.data)
    weights = np.int64(dsp.weights.ctypes.data)
    taps = dsp.taps
    if taps != TAPS:
        for i in range(frames):
            a, b = weigh_many(weights + 8 * taps * i, pairs + 8 * dsp.offsets[i], taps)
            out_left[i] += ramp[i] * a
            out_right[i] += ramp[i] * b
        return
    for i in range(frames):
        at = pairs + 8 * dsp.offsets[i]
        a, b = weigh_pairs(weights + 8 * TAPS * i, at, TAPS)
        out_left[i] += ramp[i] * a
        out_right[i] += ramp[i] * b
