"""The master's limiter: looks ahead, measures true peaks, and lets itself down in time.

::

    in ─┬─ oversample 4x ─ peak ─ gain it allows ─ least of 20 ─ release ─ mean of 20 ─┐
        └─ delay of 31 frames ──────────────────────────────────────────── times ◄─────┴─ out

The mean of 20 least values is a straight way down that arrives just when the peak does.

References
----------
.. [1] ITU-R BS.1770-5, annex 2: the true-peak meter.
.. [2] S. J. Orfanidis, "Introduction to Signal Processing", 1996, section 12.3: oversampling.
"""

from __future__ import annotations

import numpy as np

from sfa_engine.engine.layout import HISTORY, LATENCY, LOOKAHEAD, OVERSAMPLE_TAPS, TICK
from sfa_engine.host.kernel.elementary import exp2
from sfa_engine.host.kernel.intrinsics import kernel, part
from sfa_engine.host.kernel.simd import peaks_between

F = np.float32
# -0.1 dB: what the detector may read too low, and the gain's own movement between two frames.
MARGIN = 0.9885530946569389
LOG2_E = 1.4426950408889634
# What a short detector misses is near the Nyquist frequency: so much of the second difference,
# which is all of a sample there and nothing of it in the bass, is added to the peak. White noise
# at +20 dB came out at -0.7 dBTP without it and at -1.2 with it; music loses nothing.
BRIGHT = 0.15
KEPT = HISTORY - TICK
SEEN = OVERSAMPLE_TAPS


@kernel
def detect(dsp, frames):
    """Write the true peak around each frame of the input, half the detector's length late.

    The input's history stands at the front of `limiter_input`, the new frames behind it.
    """
    peak = dsp.limiter_peak
    table = np.int64(dsp.detector.ctypes.data)
    for i in range(frames):
        peak[i] = F(0)
    for c in range(2):
        # What is between frame i - 1 and i stands at i, what comes after it at i + 1. The first
        # is known from the segment before.
        between = part(dsp.limiter_between, c, 0)
        row = np.int64(part(dsp.limiter_input, c, 1).ctypes.data)
        out = np.int64(part(dsp.limiter_between, c, 1).ctypes.data)
        for i in range(0, frames, 8):  # beyond the last frame it is done in vain
            peaks_between(row + 4 * i, table, out + 4 * i, OVERSAMPLE_TAPS)
        for i in range(frames):
            peak[i] = max(peak[i], between[i], between[i + 1])
        between[0] = between[frames]
        row = part(dsp.limiter_input, c, SEEN // 2 - 2)
        for i in range(frames):
            a = abs(row[i] - F(2) * row[i + 1] + row[i + 2])
            b = abs(row[i + 1] - F(2) * row[i + 2] + row[i + 3])
            d = abs(row[i + 2] - F(2) * row[i + 3] + row[i + 4])
            bright = F(0.25 * BRIGHT) * max(a, b, d)
            peak[i] = max(peak[i], abs(row[i + 2])) + bright


@kernel
def hold(dsp, wanted):
    """Return the least gain wanted by the last `LOOKAHEAD` frames, this one included."""
    size = len(dsp.limiter_queue)
    time = dsp.limiter_time
    dsp.limiter_time = time + 1
    first = dsp.limiter_first
    count = dsp.limiter_count
    if count > 0 and dsp.limiter_when[first] <= time - LOOKAHEAD:
        first = (first + 1) % size
        count -= 1
    while count > 0 and dsp.limiter_queue[(first + count - 1) % size] >= wanted:
        count -= 1
    at = (first + count) % size
    dsp.limiter_queue[at] = wanted
    dsp.limiter_when[at] = time
    dsp.limiter_first = first
    dsp.limiter_count = count + 1
    return dsp.limiter_queue[first]


@kernel
def limit(dsp, bus, start, frames, ceiling, release_ms, on):
    """Limit part of a bus in place; what comes out is `LATENCY` frames old.

    Parameters
    ----------
    bus : float32[2, TICK]
    ceiling : float64
        Highest true peak, as a factor of full scale.
    release_ms : float64
        Time in which it lets go of 63 % of its reduction.
    on : bool
    """
    delay = dsp.limiter_delay
    seen = dsp.limiter_input
    for c in range(2):
        row = part(bus, c, start)
        late = part(delay, c, KEPT)
        new = part(seen, c, SEEN)
        for i in range(frames):
            x = row[i]
            if not (abs(x) < F(1e6)):  # also true of NaN: silence is better than a broken filter
                x = F(0)
            late[i] = x
            new[i] = x
    detect(dsp, frames)
    allowed = ceiling * MARGIN
    release = 0.0
    window = dsp.limiter_window
    least = dsp.limiter_least
    for i in range(frames):
        peak = np.float64(dsp.limiter_peak[i])
        wanted = 1.0
        if on and peak > allowed:
            wanted = allowed / peak
        gain = 1.0
        if wanted == 1.0 and dsp.limiter_calm >= 2 * LOOKAHEAD:
            dsp.limiter_calm += 1
        else:
            if dsp.limiter_calm >= 2 * LOOKAHEAD:
                for k in range(LOOKAHEAD):
                    window[k] = 1.0
                dsp.limiter_sum = np.float64(LOOKAHEAD)
                dsp.limiter_count = 0
                dsp.limiter_hold = 1.0
            if release == 0.0:
                release = 1.0 - exp2(-1000.0 * LOG2_E / (release_ms * dsp.sample_rate))
            target = hold(dsp, wanted)
            held = dsp.limiter_hold
            held += (1.0 - held) * release
            if held > 0.999_999:
                held = 1.0
            if target < held:
                held = target
            dsp.limiter_hold = held
            at = dsp.limiter_time % LOOKAHEAD
            dsp.limiter_sum += held - window[at]
            window[at] = held
            gain = min(1.0, dsp.limiter_sum * (1.0 / LOOKAHEAD))
            if wanted == 1.0 and held == 1.0:
                dsp.limiter_calm += 1
            else:
                dsp.limiter_calm = 0
            least = min(least, gain)
        at = KEPT + i - LATENCY
        bus[0, start + i] = delay[0, at] * F(gain)
        bus[1, start + i] = delay[1, at] * F(gain)
    dsp.limiter_least = least
    for c in range(2):
        old = part(delay, c, 0)
        new = part(delay, c, frames)
        for i in range(KEPT):
            old[i] = new[i]
        old = part(seen, c, 0)
        new = part(seen, c, frames)
        for i in range(SEEN):
            old[i] = new[i]
