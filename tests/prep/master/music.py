"""Sound like music, made for the tests of mastering."""

from __future__ import annotations

import numpy as np
import soundfile
from numpy.typing import NDArray
from scipy.signal import lfilter

Floats = NDArray[np.float64]


def pink(seconds: float, rate: int = 48_000, peak: float = 0.5, seed: int = 3) -> Floats:
    """Return noise that falls by 3 dB an octave, unrelated left and right: float64[n, 2]."""
    white = np.random.default_rng(seed).standard_normal((round(seconds * rate), 2))
    noise = lfilter(
        [0.049922035, -0.095993537, 0.050612699, -0.004408786],
        [1.0, -2.494956002, 2.017265875, -0.522189400],
        white,
        axis=0,
    )
    noise -= noise.mean(axis=0)
    scaled: Floats = noise * (peak / np.abs(noise).max())
    return scaled


def song(seconds: float, rate: int = 48_000, peak: float = 0.5) -> Floats:
    """Return a beat of 120 BPM: kicks, a bass, noise around it; the middle is what is loud."""
    time = np.arange(round(seconds * rate)) / rate
    into = time % 0.5
    kick = np.sin(2 * np.pi * 55 * into) * np.exp(-into / 0.12)
    bass = 0.4 * np.sin(2 * np.pi * 82.4 * time) * (into > 0.15)
    chord = sum(np.sin(2 * np.pi * hz * time) for hz in (220.0, 261.63, 329.63)) * 0.12
    noise = pink(seconds, rate, 1.0)
    noise = noise.mean(axis=1, keepdims=True) + 0.3 * noise
    sound = (kick + bass + chord)[:, None] + 0.35 * noise * np.exp(-into / 0.2)[:, None]
    scaled: Floats = sound * (peak / np.abs(sound).max())
    return scaled


def write(path, sound, rate: int = 48_000, subtype: str = "PCM_24"):
    """Write sound as a file and return its path."""
    soundfile.write(path, sound, rate, subtype)
    return path
