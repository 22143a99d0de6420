"""Drums whose sound differs from kit to kit; each starts at its first frame.

Knows nothing of patterns.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from sfa_engine.bench.pieces.truth import RATE
from sfa_engine.demo.effect import colour, drive, fade
from sfa_engine.demo.score import Curve, Signal

# lowest and highest: start and end of the pitch in Hz, its fall, the decay and the rise in seconds,
# and the level of the click
KICKS: dict[str, tuple[tuple[float, float], ...]] = {
    "club": ((160, 260), (44, 56), (0.015, 0.03), (0.11, 0.18), (0.0004, 0.001), (0.2, 0.5)),
    "deep": ((90, 140), (38, 48), (0.03, 0.05), (0.18, 0.35), (0.001, 0.003), (0.0, 0.15)),
    "hard": ((280, 420), (46, 62), (0.02, 0.035), (0.12, 0.2), (0.0003, 0.0006), (0.3, 0.6)),
    "boom": ((80, 110), (34, 44), (0.04, 0.07), (0.4, 0.7), (0.001, 0.002), (0.05, 0.2)),
    "wood": ((110, 160), (56, 75), (0.012, 0.025), (0.07, 0.12), (0.001, 0.002), (0.2, 0.5)),
}


def _time(seconds: float) -> Curve:
    return np.arange(round(seconds * RATE)) / RATE


def _peak(sound: Curve, level: float = 1.0) -> Signal:
    scaled: Signal = (sound * (level / np.abs(sound).max())).astype(np.float32)
    return scaled


def noise(rng: np.random.Generator, seconds: float, low_hz: float, high_hz: float) -> Curve:
    """Return a band of noise: float64[frames], rms 1."""
    white = rng.standard_normal(round(seconds * RATE)).astype(np.float32)
    sound = colour(white, RATE, low_hz, high_hz).astype(np.float64)
    banded: Curve = sound / sound.std()
    return banded


def kick(rng: np.random.Generator, style: str) -> Signal:
    """Return a bass drum of a style in `KICKS`."""
    start, end, fall, decay, rise, click = (rng.uniform(low, high) for low, high in KICKS[style])
    t = _time(max(0.35, 2.2 * decay))
    turns = end * t + (start - end) * fall * (1.0 - np.exp(-t / fall))
    sound = np.sin(2.0 * np.pi * turns) * np.exp(-t / decay) * np.minimum(1.0, t / rise)
    sound += click * 0.3 * noise(rng, t[-1] + 1 / RATE, 1800, 9000)[: len(t)] * np.exp(-t / 0.003)
    if style == "hard":
        sound = drive(sound.astype(np.float32), 3.0).astype(np.float64)
    return fade(_peak(sound), RATE, 0.0, 0.05)


def snare(rng: np.random.Generator) -> Signal:
    """Return a snare drum: a skin and wires."""
    t = _time(0.3)
    pitch = rng.uniform(165, 230)
    skin = np.sin(2.0 * np.pi * pitch * t) * np.exp(-t / rng.uniform(0.03, 0.07))
    wires = noise(rng, 0.3, rng.uniform(900, 2000), 11000) * np.exp(-t / rng.uniform(0.05, 0.11))
    sound = rng.uniform(0.4, 0.9) * skin + rng.uniform(0.25, 0.45) * wires
    return fade(_peak(sound * np.minimum(1.0, t / 0.0005)), RATE, 0.0, 0.05)


def clap(rng: np.random.Generator) -> Signal:
    """Return a clap: three bursts, the first at once, and a tail."""
    t = _time(0.28)
    apart = rng.uniform(0.008, 0.012)
    shape = np.exp(-np.maximum(t - 2 * apart, 0) / rng.uniform(0.04, 0.08)) * (t >= 2 * apart)
    for burst in (0.0, apart):
        shape += (t >= burst) * np.exp(-np.maximum(t - burst, 0) / 0.004)
    return fade(_peak(noise(rng, 0.28, 800, 5500) * shape), RATE, 0.0, 0.05)


def rim(rng: np.random.Generator) -> Signal:
    """Return a cross-stick: two short modes."""
    t = _time(0.08)
    sound = np.sin(2.0 * np.pi * rng.uniform(1500, 1900) * t) * np.exp(-t / 0.009)
    sound += 0.6 * np.sin(2.0 * np.pi * rng.uniform(420, 560) * t) * np.exp(-t / 0.012)
    sound += 0.2 * noise(rng, 0.08, 2000, 9000) * np.exp(-t / 0.002)
    return fade(_peak(sound), RATE, 0.0, 0.02)


def hat(rng: np.random.Generator, decay_s: float) -> Signal:
    """Return a hi-hat; a decay of 0.02 is closed, 0.1 open."""
    seconds = 4.0 * decay_s
    t = _time(seconds)
    sound = noise(rng, seconds, rng.uniform(5500, 8000), 16000) * np.exp(-t / decay_s)
    return fade(_peak(sound * np.minimum(1.0, t / 0.0004)), RATE, 0.0, decay_s)


def shaker(rng: np.random.Generator) -> Signal:
    """Return a stroke of a shaker: it swells for 12 ms."""
    t = _time(0.1)
    shape = np.clip(t / 0.012, 0, 1) ** 2 * np.exp(-np.maximum(t - 0.012, 0) / 0.025)
    return fade(_peak(noise(rng, 0.1, 3500, 11000) * shape), RATE, 0.0, 0.02)


def tom(rng: np.random.Generator, pitch_hz: float) -> Signal:
    """Return a tom or a conga."""
    t = _time(0.4)
    turns = pitch_hz * (t + 0.006 * (1.0 - np.exp(-t / 0.02)))
    sound = np.sin(2.0 * np.pi * turns) * np.exp(-t / rng.uniform(0.07, 0.12))
    sound += 0.15 * noise(rng, 0.4, 700, 4000) * np.exp(-t / 0.005)
    return fade(_peak(sound), RATE, 0.0, 0.05)


def cymbal(rng: np.random.Generator, decay_s: float) -> Signal:
    """Return a crash, or with a short decay a ride."""
    seconds = 3.0 * decay_s
    t = _time(seconds)
    sound = noise(rng, seconds, rng.uniform(2500, 4500), 15000) * np.exp(-t / decay_s)
    return fade(_peak(sound * np.minimum(1.0, t / 0.0008)), RATE, 0.0, decay_s)


@dataclass
class Kit:
    """A set of drums, by the letter that patterns write them with."""

    sounds: dict[str, Signal]
    gains: dict[str, float]


def make_kit(rng: np.random.Generator, kicks: str, backbeat: str) -> Kit:
    """Return a kit; the styles are words of `KICKS`, and snare, clap or both.

    Parameters
    ----------
    rng : numpy.random.Generator
        Chooses the sounds.
    kicks : str
        Styles separated by a bar, one of which is chosen.
    backbeat : str
        What the letter ``s`` is: snare, clap, rim, or two of them separated by a bar.
    """
    makers = {"snare": snare, "clap": clap, "rim": rim}
    sounds = {
        "k": kick(rng, str(rng.choice(kicks.split("|")))),
        "s": makers[str(rng.choice(backbeat.split("|")))](rng),
        "g": snare(rng),
        "r": rim(rng),
        "h": hat(rng, rng.uniform(0.012, 0.03)),
        "o": hat(rng, rng.uniform(0.07, 0.12)),
        "z": shaker(rng),
        "t": tom(rng, rng.uniform(90, 140)),
        "c": tom(rng, rng.uniform(220, 330)),
        "y": cymbal(rng, rng.uniform(0.2, 0.35)),
        "x": cymbal(rng, rng.uniform(0.6, 0.9)),
    }
    levels = {"k": 0.9, "s": 0.6, "g": 0.16, "r": 0.35, "h": 0.22, "o": 0.22, "z": 0.16,
              "t": 0.5, "c": 0.35, "y": 0.2, "x": 0.3}  # fmt: skip
    return Kit(sounds, {name: level * rng.uniform(0.8, 1.2) for name, level in levels.items()})
