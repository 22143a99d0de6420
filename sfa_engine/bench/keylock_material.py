"""Synthetic stems that are rendered at any tempo: the true reference of a time stretch.

At a tempo ratio every time is divided by it; pitches, and how fast a drum dies away, stay.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

RATE = 48_000
BEAT_S = 0.5
FIRST_S = 0.1  # the first beat
PARTIALS = 5

Mono = npt.NDArray[np.float64]
Stereo = npt.NDArray[np.float32]  # [frames, 2]

# A major over two octaves: with the third once, as chords are voiced, and with the third doubled,
# whose partials beat more. In Hz, equal temperament.
TRIAD = (220.0, 277.18, 329.63, 440.0, 659.26)
DOUBLED_THIRD = (220.0, 277.18, 329.63, 440.0, 554.37)
CHORDS = (
    (220.0, 261.63, 329.63, 392.0),
    (174.61, 220.0, 261.63, 329.63),
    (261.63, 329.63, 392.0, 493.88),
    (196.0, 246.94, 293.66, 349.23),
)
BASS = (55.0, 43.65, 65.41, 49.0)
MELODY = (440.0, 493.88, 523.25, 392.0, 440.0, 349.23, 392.0, 329.63)
FORMANTS = ((650.0, 1.0), (1080.0, 0.6), (2650.0, 0.35), (3500.0, 0.2))  # of an open a
FORMANT_WIDTH = 150.0  # Hz


def times(seconds: float) -> Mono:
    """Return the time of each frame, in seconds."""
    return np.arange(round(seconds * RATE)) / RATE


def partials(notes: tuple[float, ...]) -> Mono:
    """Return the frequencies of a chord's partials, in Hz."""
    return np.array([note * h for note in notes for h in range(1, PARTIALS + 1)])


def chord(seconds: float, notes: tuple[float, ...], slope: float) -> Stereo:
    """Return a steady chord.

    Parameters
    ----------
    seconds : float
    notes : tuple of float
        In Hz.
    slope : float
        Partial h is as loud as ``1 / h ** slope``: 1 falls by 6 dB an octave, 2 by 12.
    """
    t, rng = times(seconds), np.random.default_rng(1)
    sides = np.zeros((2, len(t)))
    for note in notes:
        for h in range(1, PARTIALS + 1):
            pan = rng.uniform(0.3, 0.7)
            for side, gain in enumerate((1.0 - pan, pan)):
                turn = rng.uniform(0.0, 2 * np.pi)
                sides[side] += 0.12 * gain / h**slope * np.sin(2 * np.pi * note * h * t + turn)
    return sides.T.astype(np.float32)


def kick() -> Mono:
    """Return a bass drum, which falls from 170 to 50 Hz."""
    t = times(0.25)
    turns = 50.0 * t + 3.0 * (1.0 - np.exp(-40.0 * t))
    return 0.5 * np.exp(-14.0 * t) * np.sin(2 * np.pi * turns + 1.2)


def snare() -> Mono:
    """Return a snare drum."""
    t, rng = times(0.2), np.random.default_rng(0)
    rattle = 0.35 * rng.standard_normal(len(t)) * np.exp(-28.0 * t)
    return 0.6 * (rattle + 0.2 * np.exp(-20.0 * t) * np.sin(2 * np.pi * 190.0 * t + 1.0))


def hat(seed: int) -> Mono:
    """Return a closed hi-hat."""
    t = times(0.06)
    hiss = np.random.default_rng(seed).standard_normal(len(t) + 1)
    return 0.12 * np.diff(hiss) * np.exp(-70.0 * t)


def pluck(note: float) -> Mono:
    """Return a plucked string."""
    t = times(0.8)
    string = np.zeros(len(t))
    for h in range(1, 9):
        stretched = note * h * (1.0 + 2e-4 * h * h)
        string += np.sin(2 * np.pi * stretched * t + 0.7 * h) * np.exp(-(2.5 + 1.2 * h) * t) / h
    return 0.2 * string * np.minimum(1.0, t / 0.002)


def empty(seconds: float, ratio: float) -> Stereo:
    """Return silence of so much music at a tempo ratio."""
    return np.zeros((int(seconds / ratio * RATE), 2), np.float32)


def put(stem: Stereo, at_s: float, sound: Mono, pan: float = 0.5) -> None:
    """Add a sound to a stem, as far as there is room; a pan of 1 is right."""
    first = round(at_s * RATE)
    there = sound[: max(0, len(stem) - first)]
    stem[first : first + len(there), 0] += (2.0 * (1.0 - pan) * there).astype(np.float32)
    stem[first : first + len(there), 1] += (2.0 * pan * there).astype(np.float32)


def hits(seconds: float, ratio: float, sound: Callable[[], Mono]) -> tuple[Stereo, Mono]:
    """Return one drum on every second beat, and when it comes in seconds."""
    stem, drum = empty(seconds, ratio), sound()
    onsets = np.arange(FIRST_S, seconds - 0.3, 2 * BEAT_S) / ratio
    for onset in onsets:
        put(stem, onset, drum)
    return stem, onsets


def drums(seconds: float, ratio: float) -> tuple[Stereo, Mono]:
    """Return kick, snare and hi-hat, and their onsets in seconds."""
    stem, onsets = empty(seconds, ratio), []
    for beat in range(int(seconds / BEAT_S)):
        at = (FIRST_S + beat * BEAT_S) / ratio
        put(stem, at, snare() if beat % 2 else kick())
        put(stem, at + BEAT_S / 2 / ratio, hat(beat), 0.6)
        onsets += [at, at + BEAT_S / 2 / ratio]
    return stem, np.array(onsets)


def bass(seconds: float, ratio: float) -> tuple[Stereo, Mono]:
    """Return a bass line in quavers, and its onsets in seconds."""
    stem, onsets = empty(seconds, ratio), []
    for step in range(int(seconds / BEAT_S * 2)):
        if step % 8 in {1, 5}:
            continue
        t = times(BEAT_S * 0.45 / ratio)
        note = BASS[step // 8 % len(BASS)]
        tone = sum(np.sin(2 * np.pi * note * h * t) / h**1.3 for h in range(1, 7))
        edges = np.minimum(1.0, t / 0.003) * np.minimum(1.0, (t[-1] - t) / 0.01)
        at = (FIRST_S + step * BEAT_S / 2) / ratio
        put(stem, at, 0.2 * tone * edges)
        onsets.append(at)
    return stem, np.array(onsets)


def vocals(seconds: float, ratio: float) -> tuple[Stereo, Mono]:
    """Return a sung line with vibrato and slides; it has no sharp onset."""
    frames = int(seconds / ratio * RATE)
    music = np.arange(frames) / RATE * ratio - FIRST_S
    length = 2 * BEAT_S
    number = np.maximum(0, np.floor(music / length)).astype(int)
    into = music - number * length
    note, last = (np.array(MELODY)[(number - k) % len(MELODY)] / 2 for k in (0, 1))
    vibrato = np.sin(2 * np.pi * 5.5 * into) * np.clip(into / 0.3, 0.0, 1.0)
    pitch = (note + (last - note) * np.exp(-18.0 * np.abs(into))) * 2 ** (0.35 / 12 * vibrato)
    loud = np.clip(into / 0.03, 0.0, 1.0) * np.clip((0.86 * length - into) / 0.06, 0.0, 1.0)
    phase = 2 * np.pi * np.cumsum(pitch) / RATE
    voice = np.zeros(frames)
    for h in range(1, 24):
        near = sum(q / (1.0 + ((pitch * h - f) / FORMANT_WIDTH) ** 2) for f, q in FORMANTS)
        voice += near / h**0.35 * np.sin(phase * h + 0.3 * h * h)
    voice *= 0.16 * loud
    return np.stack([voice, 0.9 * voice], axis=1).astype(np.float32), np.zeros(0)


def other(seconds: float, ratio: float) -> tuple[Stereo, Mono]:
    """Return a detuned pad with plucked strings, and the strings' onsets in seconds."""
    stem, onsets = empty(seconds, ratio), []
    t = np.arange(len(stem)) / RATE
    bar = 4 * BEAT_S
    for number in range(int(np.ceil(seconds / bar))):
        into = t * ratio - number * bar
        swell = np.clip(into / 0.15, 0.0, 1.0) * np.clip((bar + 0.15 - into) / 0.15, 0.0, 1.0)
        for note in CHORDS[number % len(CHORDS)]:
            for side, detuned in enumerate((0.9985, 1.0017)):
                for h in range(1, 7):
                    tone = 0.02 / h * np.sin(2 * np.pi * note * h * detuned * t + h + number)
                    stem[:, side] += (swell * tone).astype(np.float32)
    for step in range(int(seconds / BEAT_S * 2)):
        at = (FIRST_S + step * BEAT_S / 2) / ratio
        notes = CHORDS[step // 8 % len(CHORDS)]
        put(stem, at, pluck(2 * notes[3 * step % len(notes)]), 0.3 + step % 7 / 17.0)
        onsets.append(at)
    return stem, np.array(onsets)


STEMS = {"drums": drums, "bass": bass, "vocals": vocals, "other": other}


def mix(seconds: float, ratio: float) -> tuple[dict[str, Stereo], dict[str, Mono]]:
    """Return four stems, and the onsets of each in seconds."""
    stems = {name: make(seconds, ratio) for name, make in STEMS.items()}
    return (
        {name: stem for name, (stem, _) in stems.items()},
        {name: np.asarray(onsets) for name, (_, onsets) in stems.items()},
    )
