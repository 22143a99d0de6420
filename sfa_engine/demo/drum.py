"""Drums and cymbals: one shot each, made once and laid many times.

Every function returns a sound that starts at its first frame, ends in silence, carries no
offset and has a peak of about 1. Knows nothing of patterns.
"""

from __future__ import annotations

import numpy as np

from sfa_engine.demo.effect import colour, drive, fade, without_dc
from sfa_engine.demo.score import Curve, Signal


def _time(seconds: float, rate: int) -> Curve:
    return np.arange(round(seconds * rate)) / rate


def _noise(frames: int, seed: int, channels: int = 2, shared: float = 0.5) -> Signal:
    """Return white noise; `shared` is the part of its power that both channels have."""
    rng = np.random.default_rng(seed)
    own = rng.standard_normal((frames, channels), dtype=np.float32)
    both = rng.standard_normal((frames, 1), dtype=np.float32)
    return own * np.float32((1.0 - shared) ** 0.5) + both * np.float32(shared**0.5)


def _shaped(sound: Signal, envelope: Curve) -> Signal:
    shape = envelope.astype(np.float32)
    return sound * (shape if sound.ndim == 1 else shape[:, None])


def _normal(sound: Signal, peak: float = 1.0) -> Signal:
    return sound * np.float32(peak / float(np.abs(sound).max()))


def _metal(seconds: float, rate: int, seed: int, low_hz: float, high_hz: float) -> Signal:
    """Return a cluster of inharmonic sines, different phases left and right: float32[frames, 2]."""
    rng = np.random.default_rng(seed)
    t = _time(seconds, rate)
    out = np.zeros((len(t), 2), np.float32)
    # 28 is dense enough to sound like metal rather than like a bell
    for _ in range(28):
        frequency = low_hz * (high_hz / low_hz) ** rng.random()
        height = rng.uniform(0.4, 1.0)
        for side in (0, 1):
            turn = frequency * t + rng.random()
            angle = (turn - np.floor(turn)).astype(np.float32) * np.float32(2.0 * np.pi)
            out[:, side] += np.sin(angle) * np.float32(height)
    return out / np.float32(28**0.5)


def kick(rate: int, end_hz: float, seconds: float = 0.40, punch: float = 1.0) -> Signal:
    """Return a bass drum: a sine that falls to `end_hz`, with a click on its first frame.

    Parameters
    ----------
    rate : int
        Frames in a second.
    end_hz : float
        Where the pitch settles; a note of the key.
    seconds : float
        Length; shorter than a beat.
    punch : float
        How far above its end the pitch starts.

    Returns
    -------
    float32[frames]
        The first frame already has a level of about a third: grids can be read off it.
    """
    t = _time(seconds, rate)
    # two falls, each with its integral: 1 kHz in 5 ms is the knock, 120 Hz in 40 ms the chest
    turns = end_hz * t
    for height_hz, fall_s in ((1000.0 * punch, 0.005), (120.0 * punch, 0.040)):
        turns += height_hz * fall_s * (1.0 - np.exp(-t / fall_s))
    body = np.sin(2.0 * np.pi * turns) * np.exp(-np.maximum(t - 0.03, 0.0) / 0.17)
    sound = drive(body.astype(np.float32), 1.7)
    n = len(t)
    tick = colour(_noise(n, 11, 1)[:, 0], rate, 2500.0, 9000.0)
    sound += _shaped(tick, 0.10 * np.exp(-t / 0.004))
    sound += (0.35 * np.exp(-t / 0.0006)).astype(np.float32)
    return _normal(without_dc(fade(sound, rate, 0.0, 0.12)))


def clap(rate: int, seed: int = 21, seconds: float = 0.32) -> Signal:
    """Return hands: three short bursts and a longer one, wide: float32[frames, 2]."""
    t = _time(seconds, rate)
    envelope = np.zeros(len(t))
    for start_s, fall_s, height in (
        (0.0, 0.004, 0.8), (0.0105, 0.004, 0.7), (0.021, 0.005, 0.85), (0.0305, 0.055, 1.0),
    ):  # fmt: skip
        since = t - start_s
        rise = np.clip(since / 0.0006, 0.0, 1.0)
        envelope = np.maximum(envelope, height * rise * np.exp(-np.maximum(since, 0.0) / fall_s))
    palm = colour(_noise(len(t), seed, shared=0.6), rate, 800.0, 2300.0)
    air = colour(_noise(len(t), seed + 1, shared=0.3), rate, 2500.0, 9500.0)
    sound = _shaped(palm + air * np.float32(0.35), envelope)
    return without_dc(fade(drive(_normal(sound, 1.4), 1.2), rate, 0.0, 0.08))


def snare(rate: int, pitch_hz: float = 190.0, seed: int = 31, seconds: float = 0.26) -> Signal:
    """Return a snare drum: two modes of a skin and the wires below it: float32[frames, 2]."""
    t = _time(seconds, rate)
    bend = 0.35 * 0.012 * (1.0 - np.exp(-t / 0.012))
    skin = np.sin(2.0 * np.pi * pitch_hz * (t + bend)) * np.exp(-t / 0.060)
    skin += 0.6 * np.sin(2.0 * np.pi * 1.73 * pitch_hz * (t + bend)) * np.exp(-t / 0.035)
    wires = colour(_noise(len(t), seed, shared=0.5), rate, 1500.0, 10000.0)
    snap = np.exp(-t / 0.045) + 0.8 * np.exp(-t / 0.008)
    sound = _shaped(wires, 0.55 * snap) + skin.astype(np.float32)[:, None] * np.float32(0.8)
    return without_dc(fade(drive(_normal(sound, 1.5), 1.2), rate, 0.0, 0.08))


def hat(rate: int, fall_s: float, seed: int, seconds: float) -> Signal:
    """Return a hi-hat; `fall_s` of 0.02 is closed, 0.12 open: float32[frames, 2]."""
    t = _time(seconds, rate)
    metal = _metal(seconds, rate, seed, 5200.0, 13500.0)
    air = colour(_noise(len(t), seed, shared=0.5), rate, 7500.0, 15000.0, order=3)
    sound = metal * np.float32(0.7) + air * np.float32(0.9)
    envelope = np.exp(-t / fall_s) + 0.5 * np.exp(-t / 0.004)
    return _normal(fade(_shaped(sound, envelope), rate, 0.0003, 0.3 * seconds))


def shaker(rate: int, seed: int, seconds: float = 0.09) -> Signal:
    """Return one stroke of a shaker: it swells before it falls: float32[frames, 2]."""
    t = _time(seconds, rate)
    envelope = np.clip(t / 0.014, 0.0, 1.0) ** 2 * np.exp(-np.maximum(t - 0.014, 0.0) / 0.022)
    grains = colour(_noise(len(t), seed, shared=0.4), rate, 4200.0, 11000.0)
    return _normal(fade(_shaped(grains, envelope), rate, 0.001, 0.03))


def ride(rate: int, seed: int = 51, seconds: float = 0.75) -> Signal:
    """Return a ride cymbal: a ping and a long shimmer: float32[frames, 2]."""
    t = _time(seconds, rate)
    shimmer = _metal(seconds, rate, seed, 3200.0, 12500.0)
    ping = _metal(seconds, rate, seed + 1, 2800.0, 5200.0)
    air = colour(_noise(len(t), seed, shared=0.3), rate, 6000.0, 14000.0)
    sound = _shaped(shimmer, 0.6 * np.exp(-t / 0.25)) + _shaped(ping, 0.5 * np.exp(-t / 0.05))
    sound += _shaped(air, 0.25 * np.exp(-t / 0.15))
    return _normal(fade(sound, rate, 0.0004, 0.3 * seconds))


def crash(rate: int, seed: int = 61, seconds: float = 2.6) -> Signal:
    """Return a crash cymbal: bright at once, dark later: float32[frames, 2]."""
    t = _time(seconds, rate)
    dark = colour(_noise(len(t), seed, shared=0.2), rate, 1800.0, 7000.0)
    bright = colour(_noise(len(t), seed + 1, shared=0.2), rate, 6000.0, 15000.0)
    metal = _metal(seconds, rate, seed, 2500.0, 12000.0)
    sound = _shaped(dark, 0.6 * np.exp(-t / 0.65)) + _shaped(bright, np.exp(-t / 0.35))
    sound += _shaped(metal, 0.7 * np.exp(-t / 0.8))
    return _normal(fade(sound, rate, 0.001, 0.5 * seconds))


def tom(rate: int, pitch_hz: float, fall_s: float = 0.09, seed: int = 71) -> Signal:
    """Return a tom or, higher and shorter, a conga: float32[frames]."""
    t = _time(5.0 * fall_s, rate)
    bend = 0.45 * 0.018 * (1.0 - np.exp(-t / 0.018))
    skin = np.sin(2.0 * np.pi * pitch_hz * (t + bend)) * np.exp(-t / fall_s)
    slap = colour(_noise(len(t), seed, 1)[:, 0], rate, 700.0, 4500.0)
    sound = skin.astype(np.float32) + _shaped(slap, 0.35 * np.exp(-t / 0.006))
    return _normal(without_dc(fade(sound, rate, 0.0005, 0.3 * 5.0 * fall_s)))


def rim(rate: int, seed: int = 81, seconds: float = 0.07) -> Signal:
    """Return a stick on the rim: two short modes and a click: float32[frames]."""
    t = _time(seconds, rate)
    wood = np.sin(2.0 * np.pi * 1720.0 * t) * np.exp(-t / 0.008)
    wood += 0.6 * np.sin(2.0 * np.pi * 505.0 * t) * np.exp(-t / 0.011)
    click = colour(_noise(len(t), seed, 1)[:, 0], rate, 2000.0, 9000.0)
    sound = wood.astype(np.float32) + _shaped(click, 0.5 * np.exp(-t / 0.003))
    return _normal(without_dc(fade(sound, rate, 0.0002, 0.02)))
