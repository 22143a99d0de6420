"""What makes tones and noise: sums of partials, a blurred spectrum, noise of a moving colour.

Every tone is a sum of sines below the half rate, so nothing can alias, and a filter is no
filter but the level of each partial: it may move as fast as it likes without a loop over
frames. Levels and pitches are given at *ticks* and go in straight lines between them::

    tick     0        1        2        3
    frame    0 ...... 64 ..... 128 .... 192      level[partial, tick], pitch_hz[tick]
"""

from __future__ import annotations

import numpy as np

from sfa_engine.demo.score import Curve, Signal

TICK = 64  # frames; 1.3 ms at 48 kHz, faster than any envelope here
CHUNK = 256  # ticks summed at once: 64 KiB of float32, which stays in the second cache
HOP = 128  # frames between two colours of noise
FAINT = 2e-5  # -94 dB: a partial below it is left out


def ticks(frames: int) -> int:
    """Return how many ticks carry so many frames."""
    return -(-frames // TICK) + 1


def tick_times(frames: int, rate: int) -> Curve:
    """Return the time of every tick, in seconds: float64[ticks]."""
    times: Curve = np.arange(ticks(frames), dtype=np.float64) * (TICK / rate)
    return times


def harmonics(pitch_hz: Curve, rate: int, top_hz: float = 16000.0) -> Curve:
    """Return the frequency of every harmonic at every tick.

    Parameters
    ----------
    pitch_hz : float64[ticks]
        The fundamental.
    rate : int
        Frames in a second.
    top_hz : float
        Harmonics that never come below it are left out.

    Returns
    -------
    float64[harmonics, ticks]
        In Hz.
    """
    count = max(1, int(min(top_hz, 0.46 * rate) / float(pitch_hz.min())))
    return np.arange(1, count + 1)[:, None] * pitch_hz


def below_half_rate(frequency: Curve, rate: int) -> Curve:
    """Return a level that fades from 1 to 0 between 0.42 and 0.46 of the rate."""
    fade: Curve = np.clip((0.46 * rate - frequency) / (0.04 * rate), 0.0, 1.0)
    return fade


def ladder(frequency: Curve, cutoff_hz: Curve | float, resonance: float = 0.0) -> Curve:
    """Return the gain of a four-pole low-pass with feedback, 1 at 0 Hz.

    Parameters
    ----------
    frequency : float64[..., ticks]
        In Hz.
    cutoff_hz : float64[ticks] or float
        In Hz.
    resonance : float
        The ladder's feedback, 0 to below 4.

    References
    ----------
    .. [1] T. Stilson and J. Smith, "Analyzing the Moog VCF", ICMC 1996.
    """
    x2 = (frequency / cutoff_hz) ** 2
    real = 1.0 - 6.0 * x2 + x2 * x2 + resonance
    imaginary2 = 16.0 * x2 * (1.0 - x2) ** 2
    gain: Curve = (1.0 + resonance) / np.sqrt(real * real + imaginary2)
    return gain


def partials(
    pitch_hz: Curve,
    level: Curve,
    frames: int,
    rate: int,
    phase: Curve | None = None,
    start: float = 0.0,
) -> Signal:
    """Add up sines at whole multiples of a moving pitch, each with a moving level.

    Parameters
    ----------
    pitch_hz : float64[ticks]
        The fundamental.
    level : float64[partials, ticks]
        Of harmonic 1, 2, 3 …
    frames : int
        Length.
    rate : int
        Frames in a second.
    phase : float64[partials], optional
        Of each partial, in radians; all sines start at 0 without it.
    start : float
        Where in its turn the fundamental begins, 0 to 1; harmonics follow.

    Returns
    -------
    float32[frames]
        The sum.
    """
    count, points = level.shape
    blocks = points - 1
    line = (np.arange(TICK) / TICK)[None, :]
    slope = np.diff(pitch_hz)[:, None]
    turn = np.cumsum((pitch_hz[:-1, None] + slope * line).ravel()) / rate + start
    theta = ((turn - np.floor(turn)) * (2.0 * np.pi)).astype(np.float32).reshape(blocks, TICK)
    rise = line.astype(np.float32)
    at = level.astype(np.float32)
    step = np.diff(at, axis=1)
    offset = np.zeros(count) if phase is None else phase
    out = np.zeros((blocks, TICK), np.float32)
    waves, heights = np.empty((2, CHUNK, TICK), np.float32)
    for first in range(0, blocks, CHUNK):
        part = slice(first, min(first + CHUNK, blocks))
        total, angle = out[part], theta[part]
        wave, height = waves[: len(total)], heights[: len(total)]
        loud = np.abs(at[:, part]).max(axis=1)
        for k in np.flatnonzero(loud > FAINT):
            np.multiply(angle, np.float32(k + 1), out=wave)
            if offset[k]:
                wave += np.float32(offset[k])
            np.sin(wave, out=wave)
            np.multiply(step[k, part][:, None], rise, out=height)
            height += at[k, part][:, None]
            wave *= height
            total += wave
    return out.ravel()[:frames]


def padsynth(
    pitches_hz: list[float], level: Curve, frames: int, rate: int, seed: int, spread: float = 0.006
) -> Signal:
    """Make a wide, endless chord: every partial is a narrow band of random phases.

    Parameters
    ----------
    pitches_hz : list of float
        Fundamentals of the chord.
    level : float64[partials]
        Of harmonic 1, 2, 3 …
    frames : int
        Length of the loop; a sum of small primes is fastest.
    rate : int
        Frames in a second.
    seed : int
        Of the phases.
    spread : float
        Bandwidth of a partial, as a part of its frequency; 0.006 is ten cents.

    Returns
    -------
    float32[frames, 2]
        A seamless loop with a level of 1 (RMS); left and right share two thirds of their power.

    References
    ----------
    .. [1] P. O. Nasca, "PADsynth algorithm", 2003, https://zynaddsubfx.sourceforge.io/doc/PADsynth.
    """
    rng = np.random.default_rng(seed)
    bins = frames // 2 + 1
    power = np.zeros(bins)
    for pitch in pitches_hz:
        for k, height in enumerate(level, start=1):
            centre = k * pitch * frames / rate
            width = max(1.5, spread * centre)
            low, high = int(centre - 4 * width), int(centre + 4 * width) + 1
            if low < 1 or high >= 0.45 * frames:
                continue
            x = (np.arange(low, high) - centre) / width
            power[low:high] += height**2 * np.exp(-x * x) / width
    heard = np.flatnonzero(power)
    height = np.sqrt(power[heard]).astype(np.float32)
    middle, left, right = (
        np.exp(np.complex64(2j * np.pi) * rng.random(len(heard), dtype=np.float32))
        for _ in range(3)
    )
    sound = np.zeros((frames, 2), np.float32)
    for k, side in enumerate((left, right)):
        spectrum = np.zeros(bins, np.complex64)
        spectrum[heard] = height * (np.float32(1.4) * middle + side)
        sound[:, k] = np.fft.irfft(spectrum, frames)
    return sound / np.float32(np.sqrt(np.mean(sound * sound)))


def moving_noise(level: Curve | Signal, frames: int, seed: int) -> Signal:
    """Make noise whose colour moves: windows of noise, each shaped in frequency.

    Parameters
    ----------
    level : float64[hops, HOP + 1] or float32[hops, HOP + 1]
        Gain from 0 Hz to the half rate at every `HOP` frames.
    frames : int
        Length; at most ``(hops - 1) * HOP``.
    seed : int
        Of the noise.

    Returns
    -------
    float32[frames]
        An RMS of about 1 where the gain is 1.
    """
    rng = np.random.default_rng(seed)
    window = (0.5 - 0.5 * np.cos(np.pi * np.arange(2 * HOP) / HOP)) * np.sqrt(4.0 / 3.0)
    heard = np.flatnonzero(level.max(axis=1) > FAINT)
    noise = rng.standard_normal((len(heard), 2 * HOP), dtype=np.float32)
    shaped = np.fft.irfft(np.fft.rfft(noise) * level[heard].astype(np.float32), 2 * HOP)
    shaped *= window.astype(np.float32)
    out = np.zeros((len(level) + 1, HOP), np.float32)
    out[heard] += shaped[:, :HOP]
    out[heard + 1] += shaped[:, HOP:]
    return out.ravel()[HOP : HOP + frames]


def noise_hz(rate: int) -> Curve:
    """Return the frequencies that a level of `moving_noise` is given at: float64[HOP + 1]."""
    frequency: Curve = np.arange(HOP + 1, dtype=np.float64) * (rate / (2.0 * HOP))
    return frequency
