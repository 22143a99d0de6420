"""Reading PCM between its frames: a windowed sinc, for any speed and both directions.

All stems of a deck stand at one place, so the weights of a frame are worked out once and
used for every stem.

References
----------
.. [1] J. O. Smith, "Digital Audio Resampling", CCRMA, Stanford, 2002.
"""

from __future__ import annotations

import math

import numpy as np
from numba import carray

from sfa_engine.audio.kernel.lanes import weigh_pairs
from sfa_engine.audio.kernel.machine import float32_at, int16_at, kernel, load_acquire, part
from sfa_engine.audio.layout import CUTOFFS, PHASES, TAPS

F = np.float32
LOUDEST = F(1e6)  # no sound; NaN and infinity are not below it
HALF = TAPS // 2
assert TAPS % 8 == 0


@kernel
def blend_eight(a, b, t, out, k):
    """Write eight weights between two rows; read before written, so that it is one vector."""
    x0 = a[k] + t * (b[k] - a[k])
    x1 = a[k + 1] + t * (b[k + 1] - a[k + 1])
    x2 = a[k + 2] + t * (b[k + 2] - a[k + 2])
    x3 = a[k + 3] + t * (b[k + 3] - a[k + 3])
    x4 = a[k + 4] + t * (b[k + 4] - a[k + 4])
    x5 = a[k + 5] + t * (b[k + 5] - a[k + 5])
    x6 = a[k + 6] + t * (b[k + 6] - a[k + 6])
    x7 = a[k + 7] + t * (b[k + 7] - a[k + 7])
    out[k] = x0
    out[k + 1] = x1
    out[k + 2] = x2
    out[k + 3] = x3
    out[k + 4] = x4
    out[k + 5] = x5
    out[k + 6] = x6
    out[k + 7] = x7


@kernel
def weigh(rack, position, speed, frames, known):
    """Work out where `frames` output frames lie, and the weights around each.

    Parameters
    ----------
    position : float64
        Of the first output frame, in track frames.
    speed : float64
        Track frames per output frame; negative runs backwards.
    known : bool
        Whether the weights of this very place stand in the rack already.

    Returns
    -------
    low : int64
        First track frame that is needed.
    count : int64
        How many are needed from there.
    exact : bool
        Whether every output frame is a track frame, so that nothing need be weighed.
    """
    last = position + speed * (frames - 1)
    low = np.int64(math.floor(min(position, last)))
    high = np.int64(math.floor(max(position, last)))
    if speed == 1.0 and position == math.floor(position):
        return low, high - low + 1, True
    low -= HALF - 1
    if known:
        return low, high - low + 1 + HALF, False
    band = 0
    fast = abs(speed)
    while band < len(CUTOFFS) - 1 and rack.cutoffs[band] * fast > 1.0001:
        band += 1
    table = rack.sinc[band]
    for i in range(frames):
        place = position + speed * i
        whole = math.floor(place)
        phase = (place - whole) * PHASES
        row = np.int64(phase)
        between = F(phase - row)
        rack.offsets[i] = np.int64(whole) - low - (HALF - 1)
        lower = part(table, row, 0)
        upper = part(table, row, TAPS)
        weights = part(rack.weights, np.int64(i), 0)
        for k in range(0, TAPS, 8):
            blend_eight(lower, upper, between, weights, k)
    return low, high - low + 1 + HALF, False


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
    pairs = part(span, 0, 2 * first)
    address = media.address[stem]
    many = 2 * (last - first)
    if media.float32 != 0:
        loud = carray(float32_at(address + 8 * (low + first)), (media.frames * 2,))
        for i in range(many):
            # What is no number would live in the filters for ever.
            x = loud[i]
            pairs[i] = x if abs(x) < LOUDEST else F(0)
    else:
        short = carray(int16_at(address + 4 * (low + first)), (media.frames * 2,))
        scale = F(1.0 / 32768.0)
        for i in range(many):
            pairs[i] = F(short[i]) * scale
    inside = min(media.frames, low + count) - max(np.int64(0), low)
    return max(np.int64(0), inside - (last - first))


@kernel
def add_span(rack, bus, start, frames, exact):
    """Add the span, weighed, times the ramp, onto a bus from a frame on."""
    out_left = part(bus, 0, start)
    out_right = part(bus, 1, start)
    ramp = rack.ramp
    if exact:
        pairs = part(rack.span, 0, 0)
        for i in range(frames):
            out_left[i] += ramp[i] * pairs[2 * i]
            out_right[i] += ramp[i] * pairs[2 * i + 1]
        return
    pairs = np.int64(rack.span.ctypes.data)
    weights = np.int64(rack.weights.ctypes.data)
    for i in range(frames):
        at = pairs + 8 * rack.offsets[i]
        a, b = weigh_pairs(weights + 4 * TAPS * i, at, TAPS)
        out_left[i] += ramp[i] * a
        out_right[i] += ramp[i] * b
