"""Time-stretch of a tonal stem by its spectra: keeps sustained sounds whole where splices cannot.

The source is in memory, so a frame is taken where it is needed: nothing is fed, nothing is late.
Frame m is centred at stretched sample m H. Its spectrum X is of the source at the timeline's place
there, and a second one, X', of the source exactly H samples before. What is turned in phase from X'
to X in a hop of the source, the output must turn in a hop of the output: Y is X times the unit of
(last Y times conjugate X') [1]_. There is no unwrapping and no arc tangent. The turn is found at
the peaks, and given to every bin of a peak's region [2]_. Left and right are one complex signal:
both get one turn, so that the phase between them stays.

No frame sees across an onset of the stem: the source is cut there, so that there is no pre-echo.
Around an onset a plain copy of the source is heard, then the spectra fade in at the centre of a
frame that *is* that copy, hence in phase. A seek is the same without the cut: the copy is heard
from its first sample on.

Work is done in units of like cost, as many as are due: 28 (31 of 8192 points) a frame, 1 to 5 us.

References
----------
.. [1] M. Puckette, "Phase-locked vocoder", IEEE WASPAA, 1995.
.. [2] J. Laroche and M. Dolson, "Improved phase vocoder time-scale modification of audio",
   IEEE Trans. Speech and Audio Processing 7, 1999.
"""

from __future__ import annotations

import math

import numpy as np
from numba import carray

from sfa_engine.engine.layout import FADE, SPECTRAL_OUTPUT, SPECTRAL_TAIL, TAPS, TICK
from sfa_engine.host.kernel import fft, formant
from sfa_engine.host.kernel.intrinsics import (
    float32_at,
    floats,
    int16_at,
    int64_at,
    kernel,
    load_acquire,
)
from sfa_engine.host.kernel.stretch import first_beyond

F = np.float32
FAR = np.int64(1) << 60
HALF = TAPS // 2
MASK = SPECTRAL_OUTPUT - 1
HOLD = 384  # samples that the copy lasts after an onset, at least
INTO = 192  # samples of fade into the copy, before an onset
BLEND = 256  # half the fade from the copy back to the spectra
BEFORE = 8  # samples before an onset at which the fade into its copy has ended
CUT_FADE = 64  # samples over which a source is faded out before the next onset
AFTER = 96  # samples from an onset from which on the second spectrum sees the source
CATCH_UP = 7  # units a step at most: after a seek three frames are owed
STEP = TICK  # stretched samples that are made at a time
assert SPECTRAL_OUTPUT & MASK == 0


@kernel
def row(spectrum, k):
    """Return the address of one of the eight rows of a spectrum's work."""
    return spectrum.rows.ctypes.data + 4 * k * spectrum.rows.shape[1]


@kernel
def onset(spectrum, k):
    """Return an onset of the stem by its number, in source samples; far away beyond the last."""
    if k >= spectrum.onsets:
        return FAR
    return carray(int64_at(spectrum.onsets_address), (spectrum.onsets,))[k]


@kernel
def seek(spectrum, place):
    """Be at a place of the source: its copy is heard from the first sample on.

    Parameters
    ----------
    place : float64
        In source samples, of the next sample that is made.
    """
    s = spectrum
    here = np.int64(math.floor(place + 0.5))
    s.base = s.made
    s.frame = 0
    s.unit = 0
    s.place = place
    ring = floats(s.ring.ctypes.data, 3 * 2 * s.size)
    for k in range(3 * 2 * s.size):
        ring[k] = F(0)
    onsets = carray(int64_at(s.onsets_address), (s.onsets,))
    s.next_onset = first_beyond(onsets, np.int64(0), here)
    s.source_start = here
    s.sample_start = s.made
    s.is_cut = 0
    s.next_heard = s.next_onset
    s.is_copy = 1
    s.offset = here - s.made
    s.take_over = s.made + s.hop
    s.fade_start = FAR
    s.is_first = 1


@kernel
def to_sample(spectrum, place, ratio):
    """Return the stretched sample of a source place."""
    return spectrum.made + np.int64(math.floor((place - spectrum.place) / ratio + 0.5))


@kernel
def plan(spectrum, ratio):
    """Work out where the frame that begins takes its spectra from, and where it may be heard."""
    s = spectrum
    place = s.place + ratio * (s.centre - s.made)
    while onset(s, s.next_onset) <= place:
        s.source_start = onset(s, s.next_onset)
        s.sample_start = to_sample(s, s.source_start, ratio)
        s.is_cut = 1
        s.next_onset += 1
    since = s.centre - s.sample_start
    is_copied = since < HOLD + s.hop
    s.is_plain = 1 if is_copied or s.is_first == 1 else 0
    s.is_first = 0
    s.source_centre = s.source_start + since if is_copied else np.int64(math.floor(place + 0.5))
    s.heard_from = s.sample_start if s.is_cut == 1 else s.base
    s.source_end = onset(s, s.next_onset)
    s.heard_to = FAR if s.source_end == FAR else to_sample(s, s.source_end, ratio)


@kernel
def window(spectrum, media, stem, start, first, last, re, im):
    """Write source samples from `start`, windowed: left to the real row, right to the imaginary.

    Nothing from before `first` and nothing from `last` on, with a short fade, is in it, nor what is
    not in memory.
    """
    n = spectrum.size
    ready = load_acquire(media.ready_start_address)
    end = load_acquire(media.ready_end_address)
    low = min(n, max(np.int64(0), max(ready, first, np.int64(0)) - start))
    high = max(low, min(n, min(end, last, media.frames) - start))
    left = floats(re, n)
    right = floats(im, n)
    for k in range(low):
        left[k] = F(0)
        right[k] = F(0)
    for k in range(high, n):
        left[k] = F(0)
        right[k] = F(0)
    count = high - low
    shape = floats(spectrum.shape_address + 4 * low, n)
    left = floats(re + 4 * low, n)
    right = floats(im + 4 * low, n)
    at = media.address[stem] + (8 if media.float32 != 0 else 4) * (start + low)
    if count > 0 and media.float32 != 0:
        loud = carray(float32_at(at), (2 * n,))
        for k in range(count):
            left[k] = shape[k] * loud[2 * k]
            right[k] = shape[k] * loud[2 * k + 1]
    elif count > 0:
        short = carray(int16_at(at), (2 * n,))
        scale = F(1.0 / 32768.0)
        for k in range(count):
            weight = shape[k] * scale
            left[k] = weight * F(short[2 * k])
            right[k] = weight * F(short[2 * k + 1])
    if last - start < n:
        for k in range(max(np.int64(0), count - CUT_FADE), count):
            share = F(count - k) / F(CUT_FADE)
            left[k] *= share
            right[k] *= share


@kernel
def weigh(spectrum):
    """Work out the energy of each bin, of both channels."""
    n = spectrum.size
    half = n // 2
    energy = floats(spectrum.energy.ctypes.data, half + 1)
    re = floats(row(spectrum, 0), n)
    im = floats(row(spectrum, 1), n)
    for k in range(1, half):
        j = n - k
        energy[k] = re[k] * re[k] + im[k] * im[k] + (re[j] * re[j] + im[j] * im[j])
    energy[0] = F(0)
    energy[half] = F(0)


@kernel
def turn_at(spectrum, peak):
    """Return the turn from the second spectrum to the last output, over three bins of a peak."""
    n = spectrum.size
    br = floats(row(spectrum, 2), n)
    bi = floats(row(spectrum, 3), n)
    yr = floats(row(spectrum, 4), n)
    yi = floats(row(spectrum, 5), n)
    re = F(0)
    im = F(0)
    for k in range(max(np.int64(1), peak - 1), min(n // 2, peak + 2)):
        j = n - k
        re += yr[k] * br[k] + yi[k] * bi[k] + (yr[j] * br[j] + yi[j] * bi[j])
        im += yi[k] * br[k] - yr[k] * bi[k] - (yi[j] * br[j] - yr[j] * bi[j])
    power = re * re + im * im
    if not power > F(1e-30):  # silence: a turn of zero would be silence for ever
        return F(1), F(0)
    scale = F(1) / F(math.sqrt(power))
    return re * scale, im * scale


@kernel
def lock(spectrum):
    """Give each peak's turn to its region, which ends at the lowest bin before the next peak."""
    n = spectrum.size
    half = n // 2
    energy = floats(spectrum.energy.ctypes.data, half + 1)
    re = floats(spectrum.turn.ctypes.data, half + 1)
    im = floats(spectrum.turn.ctypes.data + 4 * n, half + 1)
    start = np.int64(0)
    low = np.int64(0)
    c = F(1)
    s = F(0)
    found = False
    for k in range(2, half - 2):
        x = energy[k]
        if found and x < energy[low]:
            low = k
        if x > energy[k - 1] and x >= energy[k + 1]:
            if found:
                for j in range(start, low):
                    re[j] = c
                    im[j] = s
                start = low
            c, s = turn_at(spectrum, k)
            found = True
            low = k
    for j in range(start, half):
        re[j] = c
        im[j] = s
    # The mean and the highest bin stay: turned, they would mix left and right.
    re[0] = F(1)
    im[0] = F(0)
    re[half] = F(1)
    im[half] = F(0)


@kernel
def apply(spectrum, to_re, to_im):
    """Write the output's spectrum; a copy with the parts changed over is what the inverse takes."""
    n = spectrum.size
    half = n // 2
    ar = floats(row(spectrum, 0), n)
    ai = floats(row(spectrum, 1), n)
    yr = floats(row(spectrum, 4), n)
    yi = floats(row(spectrum, 5), n)
    tr = floats(to_re, n)
    ti = floats(to_im, n)
    if spectrum.is_plain == 1:
        for k in range(n):
            yr[k] = ar[k]
            yi[k] = ai[k]
            tr[k] = ai[k]
            ti[k] = ar[k]
        return
    re = floats(spectrum.turn.ctypes.data, half + 1)
    im = floats(spectrum.turn.ctypes.data + 4 * n, half + 1)
    for k in range(half + 1):
        a = ar[k] * re[k] - ai[k] * im[k]
        b = ar[k] * im[k] + ai[k] * re[k]
        yr[k] = a
        yi[k] = b
        tr[k] = b
        ti[k] = a
    for k in range(1, half):
        j = n - k
        a = ar[j] * re[k] + ai[j] * im[k]
        b = ai[j] * re[k] - ar[j] * im[k]
        yr[j] = a
        yi[j] = b
        tr[j] = b
        ti[j] = a


@kernel
def overlap(spectrum, re, im):
    """Add the frame, windowed again, to the ring, within its limits and not before what is made."""
    s = spectrum
    n = s.size
    first = s.centre - n // 2
    low = min(n, max(np.int64(0), max(s.heard_from, s.made) - first))
    high = max(low, min(n, s.heard_to - first))
    scale = F(1.0 / n)
    ring = s.ring.ctypes.data
    at = low
    while at < high:
        place = (first - s.base + at) % (2 * n)
        count = min(high - at, 2 * n - place)
        shape = floats(s.shape_address + 4 * at, count)
        left = floats(ring + 4 * place, count)
        right = floats(ring + 4 * (2 * n + place), count)
        sums = floats(ring + 4 * (4 * n + place), count)
        x = floats(im + 4 * at, count)  # the parts come back changed over
        y = floats(re + 4 * at, count)
        for k in range(count):
            weight = shape[k] * scale
            left[k] += weight * x[k]
            right[k] += weight * y[k]
            sums[k] += shape[k] * shape[k]
        at += count


@kernel
def do_unit(spectrum, media, stem, ratio):
    """Do one unit of the frame under way."""
    s = spectrum
    n1 = s.n1
    n2 = s.n2
    count = fft.steps(n1, n2)
    is_even = count % 2 == 0
    forward = 2 * (count + 1)
    u = s.unit
    if u == 0:
        s.centre = s.base + s.frame * s.hop
        plan(s, ratio)
    # The result of an odd number of steps lies in the other pair: begin there.
    tr = row(s, 6)
    ti = row(s, 7)
    if u < forward:
        is_second = u > count
        if not (is_second and s.is_plain == 1):
            zr = row(s, 2 if is_second else 0)
            zi = row(s, 3 if is_second else 1)
            xr, xi, yr, yi = tr, ti, zr, zi
            if is_even:
                xr, xi, yr, yi = zr, zi, tr, ti
            v = u % (count + 1)
            if v == 0:
                first = -FAR
                if s.is_cut == 1:
                    first = s.source_start if s.is_plain == 1 else s.source_start + AFTER
                last = FAR if s.source_end == FAR else s.source_end - BEFORE
                start = s.source_centre - (s.hop if is_second else 0) - s.size // 2
                window(s, media, stem, start, first, last, xr, xi)
            else:
                fft.step(v - 1, n1, n2, xr, xi, yr, yi, s.table_address)
    else:
        v = u - forward
        ar = row(s, 0)
        ai = row(s, 1)
        is_shifted = s.shift != 1.0
        if v == 0:
            if s.is_plain == 0 or is_shifted:
                weigh(s)
        elif v == 1:
            if s.is_plain == 0:
                lock(s)
        elif v == 2:
            if is_shifted:
                formant.work_out(s)
        elif v == 3:
            to_re = ar if is_even else tr
            to_im = ai if is_even else ti
            apply(s, to_re, to_im)
            if is_shifted:
                formant.give(s, to_re, to_im)
        elif v < count + 4:
            if is_even:
                fft.step(v - 4, n1, n2, ar, ai, tr, ti, s.table_address)
            else:
                fft.step(v - 4, n1, n2, tr, ti, ar, ai, s.table_address)
        else:
            overlap(s, ar, ai)
    s.unit += 1
    if s.unit == units(s):
        s.unit = 0
        s.frame += 1


@kernel
def units(spectrum):
    """Return how many units a frame takes."""
    return 3 * fft.steps(spectrum.n1, spectrum.n2) + 7


@kernel
def work(spectrum, media, stem, ratio):
    """Do the units that are due by the end of the step that begins."""
    s = spectrum
    for _ in range(CATCH_UP):
        # A frame is worked on for the hop that ends half its length before its centre.
        began = s.base + s.frame * s.hop - s.size // 2 - s.hop
        if s.unit * s.hop >= (s.made + STEP - began) * units(s):
            break
        do_unit(s, media, stem, ratio)


@kernel
def decide(spectrum, ratio):
    """Decide what is heard in the step that begins: the copy, the spectra, or a fade."""
    s = spectrum
    if s.fade_start != FAR:
        if s.made < s.fade_end:
            return
        s.is_copy = s.to_copy
        s.offset = s.to_offset
        s.fade_start = FAR
    # A copy has the formants that the shift moves: it is heard after a seek only.
    following = onset(s, s.next_heard) if s.shift == 1.0 else FAR
    out = FAR
    if following == s.source_start:
        out = s.sample_start
    elif following != FAR:
        out = to_sample(s, following, ratio)
    begin = out - INTO - BEFORE
    if begin < s.made + STEP:
        s.fade_start = max(s.made, begin)
        s.fade_end = max(s.fade_start + 64, out - BEFORE)
        s.to_copy = 1
        s.to_offset = following - out
        s.take_over = s.base + (out + HOLD - s.base + s.hop - 1) // s.hop * s.hop
        s.next_heard += 1
    elif s.is_copy == 1 and s.take_over - BLEND < s.made + STEP and begin >= s.take_over + BLEND:
        s.fade_start = max(s.made, s.take_over - BLEND)
        s.fade_end = s.fade_start + 2 * BLEND
        s.to_copy = 0
        s.to_offset = 0


@kernel
def source_pair(media, stem, k, start, end):
    """Return a source sample of both channels; zero where it is not in memory."""
    if k < start or k >= end:
        return F(0), F(0)
    if media.float32 != 0:
        loud = carray(float32_at(media.address[stem] + 8 * k), (2,))
        return loud[0], loud[1]
    short = carray(int16_at(media.address[stem] + 4 * k), (2,))
    scale = F(1.0 / 32768.0)
    return F(short[0]) * scale, F(short[1]) * scale


@kernel
def emit(spectrum, media, stem):
    """Write the step's samples to the output, as they were decided on."""
    s = spectrum
    n = s.size
    ring = s.ring.ctypes.data
    place = (s.made - s.base) % (2 * n)
    left = floats(ring + 4 * place, STEP)
    right = floats(ring + 4 * (2 * n + place), STEP)
    sums = floats(ring + 4 * (4 * n + place), STEP)
    start = max(np.int64(0), load_acquire(media.ready_start_address))
    end = min(media.frames, load_acquire(media.ready_end_address))
    is_fading = s.fade_start != FAR and s.fade_start < s.made + STEP
    length = 1.0 / (s.fade_end - s.fade_start) if is_fading else 0.0
    for i in range(STEP):
        weight = F(1) / max(sums[i], F(0.1))
        a = left[i] * weight
        b = right[i] * weight
        if s.is_copy == 1:
            a, b = source_pair(media, stem, s.made + i + s.offset, start, end)
        if is_fading:
            x = min(1.0, max(0.0, (s.made + i - s.fade_start) * length))
            x = x * x * (3.0 - 2.0 * x)
            c = left[i] * weight
            d = right[i] * weight
            if s.to_copy == 1:
                # What is before an onset and what begins with it are strangers: equal power.
                c, d = source_pair(media, stem, s.made + i + s.to_offset, start, end)
                share = F(math.sqrt(1.0 - x))
                other = F(math.sqrt(x))
                a = a * share + c * other
                b = b * share + d * other
            else:
                a += F(x) * (c - a)
                b += F(x) * (d - b)
        at = 2 * ((s.made + i) & MASK)
        s.output[at] = a
        s.output[at + 1] = b
        left[i] = F(0)
        right[i] = F(0)
        sums[i] = F(0)
    s.made += STEP


@kernel
def make(spectrum, media, stem, ratio, until):
    """Make stretched samples up to one, not with it; `place` is of the first one that is missing.

    Parameters
    ----------
    ratio : float64
        Source samples a stretched sample; more than 0.
    until : int64
    """
    while spectrum.made < until:
        work(spectrum, media, stem, ratio)
        decide(spectrum, ratio)
        emit(spectrum, media, stem)
        spectrum.place += ratio * STEP


@kernel
def keep_tail(spectrum, media, stem, at):
    """Keep what comes next of what is heard, for a fade: a seek is about to take its place.

    Parameters
    ----------
    at : int64
        Stretched sample from which on it is kept, less what the interpolator sees before it.
    """
    s = spectrum
    ahead = at + SPECTRAL_TAIL
    while s.made < ahead:  # of what the frames so far add up to: they reach a quarter further
        emit(s, media, stem)
    for i in range(SPECTRAL_TAIL):
        k = 2 * ((at + i) & MASK)
        s.tail[2 * i] = s.output[k]
        s.tail[2 * i + 1] = s.output[k + 1]
    s.tail_start = at


assert SPECTRAL_TAIL >= 2 * FADE + TAPS
