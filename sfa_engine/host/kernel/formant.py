"""Formants of a voice whose pitch is shifted: its spectral envelope stays where it was.

The envelope is the log spectrum, smoothed by its cepstrum: what is below a quefrency is the shape
of the mouth, what is above are the harmonics. What shifts the pitch afterwards moves the envelope
too, so each bin is given what the envelope has at the place where it will come to lie.

References
----------
.. [1] A. Robel and X. Rodet, "Efficient spectral envelope estimation and its application to pitch
   shifting and envelope preservation", DAFx, 2005.
"""

from __future__ import annotations

import math

import numpy as np

from sfa_engine.engine.layout import ENVELOPE, ENVELOPE_ROOT
from sfa_engine.host.kernel import fft
from sfa_engine.host.kernel.elementary import exp2, log2
from sfa_engine.host.kernel.intrinsics import floats, kernel

F = np.float32
LIFTER = 60  # quefrency in samples at 48 kHz: the period of 800 Hz, above any voice
QUIET = 1e-12  # added to an energy: silence has a logarithm too
MOST = 4.0  # log2 of the energy that a bin is given or loses at most: 12 dB


@kernel
def work_out(spectrum):
    """Work out the gain of each bin of the frame under way, from the energies of its bins."""
    s = spectrum
    half = s.size // 2
    group = half // ENVELOPE
    first = s.envelope.ctypes.data
    apart = 4 * 2 * ENVELOPE
    ar, ai, br, bi = first, first + apart, first + 2 * apart, first + 3 * apart
    points = np.int64(2 * ENVELOPE)
    energy = floats(s.energy.ctypes.data, half + 1)
    re = floats(ar, points)
    im = floats(ai, points)
    for k in range(ENVELOPE):
        x = 0.0
        for j in range(group):
            x += energy[group * k + j]
        re[k] = log2(QUIET + x)
    for k in range(1, ENVELOPE):
        re[points - k] = re[k]
    re[ENVELOPE] = re[ENVELOPE - 1]
    for k in range(points):
        im[k] = F(0)
    root = np.int64(ENVELOPE_ROOT)
    table = s.envelope_table_address
    fft.transform(root, root, ar, ai, br, bi, table)  # an odd number of steps: it ends in b
    cepstrum = floats(br, points)
    rest = floats(bi, points)
    for k in range(LIFTER, points - LIFTER + 1):
        cepstrum[k] = F(0)
    for k in range(points):
        rest[k] = F(0)
    fft.transform(root, root, br, bi, ar, ai, table)
    smooth = floats(ar, points)
    scale = F(1.0 / points)
    gains = floats(s.gains.ctypes.data, ENVELOPE)
    for k in range(ENVELOPE):
        place = (k + 0.5) * s.shift - 0.5
        low = min(np.int64(ENVELOPE - 2), max(np.int64(0), np.int64(math.floor(place))))
        share = F(min(1.0, max(0.0, place - low)))
        there = smooth[low] + share * (smooth[low + 1] - smooth[low])
        way = min(F(MOST), max(F(-MOST), (there - smooth[k]) * scale))
        gains[k] = F(exp2(0.5 * way))


@kernel
def give(spectrum, re_address, im_address):
    """Give each bin of a spectrum its gain."""
    n = spectrum.size
    half = n // 2
    group = half // ENVELOPE
    gains = floats(spectrum.gains.ctypes.data, ENVELOPE)
    re = floats(re_address, n)
    im = floats(im_address, n)
    for k in range(1, half):
        gain = gains[k // group]
        j = n - k
        re[k] *= gain
        im[k] *= gain
        re[j] *= gain
        im[j] *= gain
