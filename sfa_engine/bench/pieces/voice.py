"""Instruments with a pitch: bass, pad, pluck, piano, guitar, a sung or spoken vowel.

Each note starts at its first frame. Knows nothing of chords in time.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy.signal import lfilter

from sfa_engine.bench.pieces.truth import RATE
from sfa_engine.demo.effect import colour, fade
from sfa_engine.demo.score import Curve, Signal

# formants of a, i, u, e, o in Hz (Peterson and Barney, 1952)
VOWELS = (
    (730, 1090, 2440),
    (270, 2290, 3010),
    (300, 870, 2240),
    (530, 1840, 2480),
    (570, 840, 2410),
)


def hertz(note: float) -> float:
    """Return the frequency of a MIDI note."""
    return float(440.0 * 2.0 ** ((note - 69.0) / 12.0))


def _time(seconds: float) -> Curve:
    return np.arange(max(64, round(seconds * RATE))) / RATE


def saw(frequency: float, t: Curve, phase: float = 0.0) -> Curve:
    """Return a saw tooth between -1 and 1."""
    turns = frequency * t + phase
    wave: Curve = 2.0 * (turns - np.floor(turns)) - 1.0
    return wave


def bass(note: int, seconds: float, sound: str, bright_hz: float) -> Signal:
    """Return a bass note; `sound` is saw, square, sub or string."""
    t = _time(seconds)
    f = hertz(note)
    if sound == "sub":
        out = np.sin(2 * np.pi * f * t) + 0.25 * np.sin(4 * np.pi * f * t)
    elif sound == "string":
        out = np.zeros_like(t)
        for k in range(1, 10):
            out += np.sin(2 * np.pi * k * f * t) / k * np.exp(-t * (1.0 + 0.8 * k))
    else:
        wave = saw(f, t) if sound == "saw" else np.sign(saw(f, t))
        out = colour(wave.astype(np.float32), RATE, 25.0, bright_hz).astype(np.float64)
        out += 0.5 * np.sin(2 * np.pi * f * t)
    return fade((0.6 * out).astype(np.float32), RATE, 0.003, 0.02)


def pad(notes: Sequence[int], seconds: float, bright_hz: float, rise_s: float) -> Signal:
    """Return a chord of detuned saws, wide: float32[frames, 2]."""
    t = _time(seconds)
    out = np.zeros((len(t), 2), np.float32)
    rng = np.random.default_rng(list(notes))
    for note in notes:
        for detune in (-0.004, 0.0, 0.004):
            for side in (0, 1):
                out[:, side] += saw(hertz(note) * (1 + detune), t, rng.random()).astype(np.float32)
    out = colour(out, RATE, 80.0, bright_hz)
    return fade(out * np.float32(0.25 / len(notes)), RATE, rise_s, min(0.2, seconds / 3))


def pluck(note: int, seconds: float, bright: float) -> Signal:
    """Return a short synthetic note; `bright` 0 to 1."""
    t = _time(seconds)
    out = np.zeros_like(t)
    for k in range(1, int(4 + 12 * bright)):
        if k * hertz(note) < 16000:
            out += np.sin(2 * np.pi * k * hertz(note) * t + k) / k * np.exp(-t * (4 + 2.5 * k))
    return fade((0.5 * out).astype(np.float32), RATE, 0.001, 0.02)


def piano(note: int, seconds: float, strength: float = 0.7) -> Signal:
    """Return a struck string with stretched partials and a hammer's knock."""
    t = _time(seconds)
    f = hertz(note)
    out = np.zeros_like(t)
    for k in range(1, 13):
        partial = k * f * np.sqrt(1.0 + 0.0004 * k * k)
        if partial < 12000:
            decay = (0.5 + 0.25 * k) * (note / 60.0) ** 2
            out += np.sin(2 * np.pi * partial * t + 2.1 * k) * strength**k * np.exp(-t * decay)
    rng = np.random.default_rng(note)
    out += 0.1 * strength * rng.standard_normal(len(t)) * np.exp(-t / 0.004)
    return fade((0.5 * strength * out).astype(np.float32), RATE, 0.0015, 0.06)


def string(note: int, seconds: float, damp: float = 0.996) -> Signal:
    """Return a plucked string (Karplus and Strong, 1983)."""
    frames = max(64, round(seconds * RATE))
    period = max(2, round(RATE / hertz(note)))
    burst = np.zeros(frames)
    rng = np.random.default_rng(1000 + note)
    burst[: min(period, frames)] = rng.uniform(-1, 1, min(period, frames))
    feedback = np.zeros(period + 2)
    feedback[0], feedback[period], feedback[period + 1] = 1.0, -0.5 * damp, -0.5 * damp
    out: Curve = lfilter([1.0], feedback, burst)
    return fade((0.5 * out).astype(np.float32), RATE, 0.0005, 0.04)


def strum(notes: Sequence[int], seconds: float, spread_s: float = 0.006) -> Signal:
    """Return a guitar chord, its strings one after another."""
    out = np.zeros(max(64, round(seconds * RATE)), np.float32)
    for number, note in enumerate(notes):
        first = round(number * spread_s * RATE)
        out[first:] += string(note, seconds)[: len(out) - first]
    return out / np.float32(len(notes) ** 0.5)


def vowel(note: float, seconds: float, which: int, glide: float = 0.0) -> Signal:
    """Return a sung vowel; `glide` is how far its pitch moves, in semitones."""
    t = _time(seconds)
    vibrato = 0.25 * np.sin(2 * np.pi * 5.3 * t) * np.clip(t / 0.3 - 0.5, 0, 1)
    pitch = hertz(note) * 2 ** ((glide * t / t[-1] + vibrato) / 12)
    turns = np.cumsum(pitch) / RATE
    formants = VOWELS[which % len(VOWELS)]
    out = np.zeros_like(t)
    for k in range(1, int(4000 / hertz(note)) + 1):
        f = k * hertz(note)
        gain = sum(1.0 / (1.0 + ((f - formant) / 90.0) ** 2) for formant in formants)
        out += (0.02 + gain) / k**0.5 * np.sin(2 * np.pi * k * turns)
    return fade(
        (0.25 * out).astype(np.float32), RATE, min(0.05, seconds / 4), min(0.08, seconds / 3)
    )
