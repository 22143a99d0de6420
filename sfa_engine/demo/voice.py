"""Pitched instruments: bass, stab, organ, pluck, pad; and the noises that announce a phrase.

Notes are MIDI numbers (69 is A4, 440 Hz). Every function returns a sound that begins and ends
in silence, so that notes may be laid anywhere without a click. Knows nothing of patterns.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from sfa_engine.demo.effect import colour, drive, fade, without_dc
from sfa_engine.demo.oscillator import (
    HOP,
    below_half_rate,
    harmonics,
    ladder,
    moving_noise,
    noise_hz,
    padsynth,
    partials,
    tick_times,
    ticks,
)
from sfa_engine.demo.score import Curve, Signal


def hertz(note: float | Curve) -> Curve:
    """Return the frequency of a MIDI note; fractions are cents."""
    pitch: Curve = np.asarray(440.0 * 2.0 ** ((np.asarray(note) - 69.0) / 12.0))
    return pitch


def _saw(
    pitch_hz: Curve,
    cutoff_hz: Curve | float,
    resonance: float,
    frames: int,
    rate: int,
    start: float = 0.0,
) -> Signal:
    """Return a band-limited saw through a ladder: float32[frames], a peak of about 1."""
    frequency = harmonics(pitch_hz, rate)
    number = np.arange(1, len(frequency) + 1)[:, None]
    level = ladder(frequency, cutoff_hz, resonance) * below_half_rate(frequency, rate)
    return partials(pitch_hz, level * (2.0 / np.pi) / number, frames, rate, start=start)


def _gate(frames: int, rate: int, attack_s: float, release_s: float) -> Signal:
    return fade(np.ones(frames, np.float32), rate, attack_s, release_s)


def round_bass(note: float, seconds: float, rate: int, bright: float = 1.0) -> Signal:
    """Return a house bass note: a sine below, a plucked saw above it, both driven a little.

    Parameters
    ----------
    note : float
        MIDI number.
    seconds : float
        Length with its release of 30 ms.
    rate : int
        Frames in a second.
    bright : float
        How far the filter opens, 0 to about 2.

    Returns
    -------
    float32[frames]
        Mono; a peak of about 1.
    """
    frames = round(seconds * rate)
    t = tick_times(frames, rate)
    pitch = np.full(len(t), float(hertz(note)))
    cutoff = 150.0 + bright * (220.0 + 1500.0 * np.exp(-t / 0.075))
    saw = _saw(pitch, cutoff, 1.4, frames, rate)
    sub = partials(pitch, np.ones((1, len(t))), frames, rate)
    body = drive(sub * np.float32(0.65) + saw * np.float32(0.40), 1.1)
    fall = np.exp(-np.arange(frames) / (1.1 * rate)).astype(np.float32)
    return without_dc(body * fall * _gate(frames, rate, 0.004, 0.030))


def warp_bass(
    note: float, before: float, seconds: float, rate: int, wobble_s: float, open_hz: float = 1400.0
) -> Signal:
    """Return a garage bass note: two saws that beat, a swept filter, a slide from a note before.

    Parameters
    ----------
    note, before : float
        MIDI numbers; the pitch glides from `before` in 70 ms.
    seconds : float
        Length with its release of 25 ms.
    rate : int
        Frames in a second.
    wobble_s : float
        Period of the filter's sweep.
    open_hz : float
        How far the filter opens.

    Returns
    -------
    float32[frames]
        Mono; a peak of about 1.
    """
    frames = round(seconds * rate)
    t = tick_times(frames, rate)
    glide = note + (before - note) * np.exp(-t / 0.025)
    sweep = 0.5 + 0.5 * np.cos(2.0 * np.pi * t / wobble_s)
    cutoff = 130.0 * (open_hz / 130.0) ** sweep
    left = _saw(hertz(glide + 0.09), cutoff, 1.8, frames, rate, 0.1)
    right = _saw(hertz(glide - 0.09), cutoff, 1.8, frames, rate, 0.6)
    growl = colour(left + right, rate, 90.0, 20000.0)
    sub = partials(hertz(glide), np.ones((1, len(t))), frames, rate)
    body = drive(sub * np.float32(0.75) + growl * np.float32(0.5), 1.2)
    return without_dc(body * _gate(frames, rate, 0.004, 0.025))


def stab(
    notes: Sequence[int],
    seconds: float,
    rate: int,
    open_hz: float,
    seed: int,
    fall_s: float = 0.10,
) -> Signal:
    """Return a chord of detuned saws behind a filter that snaps shut, wide.

    Parameters
    ----------
    notes : sequence of int
        MIDI numbers.
    seconds : float
        Length.
    rate : int
        Frames in a second.
    open_hz : float
        Where the filter starts; it ends at a fifth of that.
    seed : int
        Of the oscillators' phases.
    fall_s : float
        How fast the filter shuts.

    Returns
    -------
    float32[frames, 2]
        A peak of about 1.
    """
    rng = np.random.default_rng(seed)
    frames = round(seconds * rate)
    t = tick_times(frames, rate)
    cutoff = open_hz * (0.2 + 0.8 * np.exp(-t / fall_s))
    out = np.zeros((frames, 2), np.float32)
    for note in notes:
        # cents; the middle one on both sides, so that nothing is lost in mono
        for cents, sides in ((-9.0, (0,)), (0.0, (0, 1)), (9.0, (1,))):
            pitch = np.full(len(t), float(hertz(note + cents / 100.0)))
            wave = _saw(pitch, cutoff, 0.8, frames, rate, rng.random())
            for side in sides:
                out[:, side] += wave
    shape = np.exp(-np.arange(frames) / (0.30 * rate)).astype(np.float32)
    shape *= _gate(frames, rate, 0.0025, 0.4 * seconds)
    out = colour(out, rate, 150.0, 20000.0) * shape[:, None]
    return without_dc(out / np.abs(out).max())


def organ(notes: Sequence[int], seconds: float, rate: int) -> Signal:
    """Return a percussive organ chord: drawbars, a knock of the third one, a little width."""
    frames = round(seconds * rate)
    t = tick_times(frames, rate)
    level = np.zeros((8, len(t)))
    for bar, height, fall_s in (
        (1, 1.0, 0.30), (2, 0.7, 0.20), (3, 0.45, 0.06), (4, 0.35, 0.14), (6, 0.2, 0.05),
        (8, 0.18, 0.10),
    ):  # fmt: skip
        level[bar - 1] = height * np.exp(-t / fall_s)
    out = np.zeros((frames, 2), np.float32)
    for k, note in enumerate(notes):
        for side, cents in ((0, -3.0), (1, 3.0)):
            pitch = np.full(len(t), float(hertz(note + cents / 100.0)))
            out[:, side] += partials(pitch, level, frames, rate, start=0.17 * k + 0.1 * side)
    out *= _gate(frames, rate, 0.002, 0.3 * seconds)[:, None]
    return without_dc(out / np.abs(out).max())


def pluck(note: float, seconds: float, rate: int, open_hz: float) -> Signal:
    """Return a plucked note, slightly wide: float32[frames, 2], a peak of about 1."""
    frames = round(seconds * rate)
    t = tick_times(frames, rate)
    cutoff = float(hertz(note)) + open_hz * np.exp(-t / 0.055)
    out = np.zeros((frames, 2), np.float32)
    for side, cents in ((0, -4.0), (1, 4.0)):
        pitch = np.full(len(t), float(hertz(note + cents / 100.0)))
        out[:, side] = _saw(pitch, cutoff, 0.5, frames, rate, 0.25 * side)
    shape = np.exp(-np.arange(frames) / (0.16 * rate)).astype(np.float32)
    out *= (shape * _gate(frames, rate, 0.0015, 0.4 * seconds))[:, None]
    return without_dc(out / np.abs(out).max())


def pad(
    notes: Sequence[int], frames: int, rate: int, seed: int, slow_s: float, turn: float
) -> Signal:
    """Return a held chord whose brightness comes and goes.

    Parameters
    ----------
    notes : sequence of int
        MIDI numbers.
    frames : int
        Length, with a fade of a quarter of a second at both ends.
    rate : int
        Frames in a second.
    seed : int
        Of its phases.
    slow_s : float
        Period of the brightness.
    turn : float
        Where in that period the sound begins, 0 to 1.

    Returns
    -------
    float32[frames, 2]
        An RMS of about 1/4.
    """
    loop = 1 << int(np.ceil(np.log2(frames)))
    number: Curve = np.arange(1.0, 25.0)
    pitches = [float(hertz(n)) for n in notes]
    dark = padsynth(pitches, np.power(number, -1.6), loop, rate, seed)[:frames]
    bright = padsynth(pitches, np.power(number, -1.1) * (number > 2), loop, rate, seed + 1, 0.003)[
        :frames
    ]
    t = np.arange(frames) / rate
    swell = 0.5 - 0.5 * np.cos(2.0 * np.pi * (t / slow_s + turn))
    mixed = dark + bright * (0.10 + 0.35 * swell).astype(np.float32)[:, None]
    return fade(mixed * np.float32(0.25), rate, 0.25, 0.25)


def riser(seconds: float, rate: int, seed: int = 91) -> Signal:
    """Return noise that climbs to its end, with a whistle in it: float32[frames, 2]."""
    frames = round(seconds * rate)
    hops = frames // HOP + 2
    way = np.minimum(1.0, np.arange(hops) / (hops - 2))
    centre = 350.0 * (9000.0 / 350.0) ** way
    octaves = np.log2(np.maximum(noise_hz(rate), 20.0)[None, :] / centre[:, None])
    level = np.exp(-0.5 * (octaves / 0.7) ** 2)
    sides = [moving_noise(level, frames, seed + k) for k in (0, 1)]
    out = np.stack(sides, axis=1)
    climb = np.linspace(0.0, 1.0, ticks(frames))
    whistle = partials(hertz(57.0 + 24.0 * climb), np.ones((1, len(climb))), frames, rate)
    out += whistle[:, None] * np.float32(0.10)
    grow = (np.arange(frames) / frames) ** 2
    out *= grow.astype(np.float32)[:, None]
    return fade(out / np.abs(out).max(), rate, 0.01, 0.012)


def impact(rate: int, seed: int = 95, seconds: float = 2.2) -> Signal:
    """Return a boom: a falling sine below, a wash of dark noise above: float32[frames, 2]."""
    frames = round(seconds * rate)
    t = np.arange(frames) / rate
    turns = 34.0 * t + 60.0 * 0.16 * (1.0 - np.exp(-t / 0.16))
    boom = np.sin(2.0 * np.pi * turns) * np.exp(-t / 0.45)
    rng = np.random.default_rng(seed)
    wash = colour(rng.standard_normal((frames, 2), dtype=np.float32), rate, 250.0, 4200.0, 1)
    falling = (np.exp(-t / 0.5) * np.clip(t / 0.003, 0.0, 1.0)).astype(np.float32)
    out = wash * falling[:, None] * np.float32(0.22) + boom.astype(np.float32)[:, None]
    return without_dc(fade(out / np.abs(out).max(), rate, 0.002, 0.5 * seconds))
