"""Music to separate, and a look at what came out."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import soundfile

RATE = 44_100
TINY = "tiny-model"


def music(seconds: float, rate: int = RATE, channels: int = 2) -> np.ndarray:
    """A beat, a bass, a chord and a gliding voice: float32[frames, channels]."""
    time = np.arange(round(seconds * rate)) / rate
    rng = np.random.default_rng(3)
    beat = rng.standard_normal(len(time)) * np.exp(-(time % 0.5) / 0.02) * 0.3
    tones = 0.2 * np.sin(2 * np.pi * 55 * time) + 0.1 * np.sin(2 * np.pi * 880 * time)
    voice = 0.2 * np.sin(2 * np.pi * 400 * time + 12 * np.sin(2 * np.pi * 5 * time))
    sound = np.repeat((beat + tones + voice)[:, None], channels, axis=1)
    sound *= np.linspace(0.8, 1.0, channels)
    return sound.astype(np.float32)


def read(paths: dict[str, str]) -> dict[str, np.ndarray]:
    """Return the sound of each stem's file, float64[frames, 2]."""
    return {name: soundfile.read(path)[0] for name, path in paths.items()}


def names_in(folder: Path) -> list[str]:
    """Return all that is in a folder, hidden or not."""
    return sorted(path.name for path in folder.iterdir())
