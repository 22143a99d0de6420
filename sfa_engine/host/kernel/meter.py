"""Meters: a peak that falls 24 dB a second, and a mean over a third of a second."""

from __future__ import annotations

import numpy as np

from sfa_engine.host.kernel.intrinsics import greater, kernel, part

F = np.float32
FALL_DB = 24.0  # a second, as BBC and IEC 60268-10 meters about do
MEAN_S = 0.3


@kernel
def measure(bus, start, frames):
    """Return the peak and the sum of squares of part of a bus, both channels together."""
    peak = F(0)
    # Eight sums side by side: a single one would wait four cycles for each of its additions.
    p0 = p1 = p2 = p3 = p4 = p5 = p6 = p7 = F(0)
    whole = frames // 8 * 8
    for c in range(2):
        row = part(bus, c, start)
        for i in range(frames):
            peak = greater(peak, abs(row[i]))
        for i in range(0, whole, 8):
            p0 += row[i] * row[i]
            p1 += row[i + 1] * row[i + 1]
            p2 += row[i + 2] * row[i + 2]
            p3 += row[i + 3] * row[i + 3]
            p4 += row[i + 4] * row[i + 4]
            p5 += row[i + 5] * row[i + 5]
            p6 += row[i + 6] * row[i + 6]
            p7 += row[i + 7] * row[i + 7]
        for i in range(whole, frames):
            p0 += row[i] * row[i]
    return peak, ((p0 + p1) + (p2 + p3)) + ((p4 + p5) + (p6 + p7))


@kernel
def follow(meter, bus, start, frames, rate):
    """Feed part of a bus to a meter: a record with `peak` and `power`."""
    peak, power = measure(bus, start, frames)
    share = frames / rate
    meter.peak = max(np.float64(peak), meter.peak * (1.0 - share * FALL_DB * 0.115129))
    meter.power += (np.float64(power) / (2 * frames) - meter.power) * min(1.0, share / MEAN_S)


@kernel
def rest(meter, frames, rate):
    """Let a meter fall while nothing is fed to it."""
    share = frames / rate
    meter.peak *= 1.0 - share * FALL_DB * 0.115129
    meter.power *= 1.0 - min(1.0, share / MEAN_S)
    if meter.peak < 1e-6:
        meter.peak = 0.0
    if meter.power < 1e-12:
        meter.power = 0.0


@kernel
def follow_master(dsp, bus, start, frames):
    """Feed part of a bus to the master's meter."""
    peak, power = measure(bus, start, frames)
    share = frames / dsp.sample_rate
    dsp.master_peak = max(np.float64(peak), dsp.master_peak * (1.0 - share * FALL_DB * 0.115129))
    dsp.master_power += (np.float64(power) / (2 * frames) - dsp.master_power) * min(
        1.0, share / MEAN_S
    )
