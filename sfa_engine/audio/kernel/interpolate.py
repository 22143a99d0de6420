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

from sfa_engine.audio.kernel.machine import float32_at, int16_at, kernel, load_acquire
from sfa_engine.audio.layout import CUTOFFS, PHASES, TAPS

F = np.float32
HALF = TAPS // 2


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
    weights = rack.weights
    for i in range(frames):
        place = position + speed * i
        whole = math.floor(place)
        phase = (place - whole) * PHASES
        row = np.int64(phase)
        between = F(phase - row)
        rack.offsets[i] = np.int64(whole) - low - (HALF - 1)
        for k in range(TAPS):
            a = table[row, k]
            weights[i, k] = a + between * (table[row + 1, k] - a)
    return low, high - low + 1 + HALF, False


@kernel
def fetch(media, stem, low, count, span):
    """Bring track frames into the span as planar floats; what is not in memory is silence.

    Returns
    -------
    missing : int64
        Frames inside the track that were not in memory.
    """
    start = load_acquire(media.ready_start_address)
    end = load_acquire(media.ready_end_address)
    first = min(count, max(0, start - low))
    last = max(first, min(count, end - low))
    left = span[0]
    right = span[1]
    for i in range(first):
        left[i] = F(0)
        right[i] = F(0)
    address = media.address[stem]
    if media.float32 != 0:
        loud = carray(float32_at(address), (media.frames * 2,))
        for i in range(first, last):
            left[i] = loud[2 * (low + i)]
            right[i] = loud[2 * (low + i) + 1]
    else:
        short = carray(int16_at(address), (media.frames * 2,))
        scale = F(1.0 / 32768.0)
        for i in range(first, last):
            left[i] = F(short[2 * (low + i)]) * scale
            right[i] = F(short[2 * (low + i) + 1]) * scale
    for i in range(last, count):
        left[i] = F(0)
        right[i] = F(0)
    inside = min(media.frames, low + count) - max(np.int64(0), low)
    return max(np.int64(0), inside - (last - first))


@kernel
def add_span(rack, bus, start, frames, exact):
    """Add the span, weighed, times the ramp, onto a bus from a frame on."""
    left = rack.span[0]
    right = rack.span[1]
    out_left = bus[0]
    out_right = bus[1]
    ramp = rack.ramp
    if exact:
        for i in range(frames):
            out_left[start + i] += ramp[i] * left[i]
            out_right[start + i] += ramp[i] * right[i]
        return
    weights = rack.weights
    for i in range(frames):
        at = rack.offsets[i]
        a = F(0)
        b = F(0)
        for k in range(TAPS):
            w = weights[i, k]
            a += w * left[at + k]
            b += w * right[at + k]
        out_left[start + i] += ramp[i] * a
        out_right[start + i] += ramp[i] * b
