"""Kinds without a beat, and files that are odd as files."""

from __future__ import annotations

import numpy as np
from scipy.signal import sosfilt

from sfa_engine.bench.pieces import drum, voice
from sfa_engine.bench.pieces.club import BREAKS, FULL, HOUSE, TECHNO, club, finished
from sfa_engine.bench.pieces.edit import resampled
from sfa_engine.bench.pieces.kinds import kind
from sfa_engine.bench.pieces.song import NOTES, Song, part, steady
from sfa_engine.bench.pieces.style import MINOR, Player
from sfa_engine.bench.pieces.truth import RATE, Piece, Truth
from sfa_engine.demo.score import Signal

SURROUND_RATE = 48_000
# K-weighting at 48 kHz, ITU-R BS.1770-5, tables 1 and 2
K_WEIGHTING = np.array([
    [1.53512485958697, -2.69169618940638, 1.19839281085285, 1, -1.69065929318241, 0.73248077421585],
    [1, -2, 1, 1, -1.99004745483398, 0.99007225036621],
])  # fmt: skip


def _nothing(key: str | None = None) -> Truth:
    return Truth(constant=False, meter=None, key=key)


def _stereo(rng: np.random.Generator, seconds: float, low_hz: float, high_hz: float) -> Signal:
    sides = [drum.noise(rng, seconds, low_hz, high_hz) for _ in range(2)]
    return np.stack(sides, axis=1).astype(np.float32)


@kind("none")
def noise(rng: np.random.Generator) -> Piece:
    """A band of noise, steady or swelling like surf."""
    seconds = 45.0
    sound = _stereo(rng, seconds, rng.uniform(20, 400), rng.uniform(2000, 16000))
    if rng.random() < 0.5:
        # surf: swells of 4 to 11 s, none as long as the one before
        places = np.cumsum(rng.uniform(4, 11, 12))
        level = np.interp(np.arange(len(sound)) / RATE, places, rng.uniform(0.2, 1, 12))
        sound *= level[:, None].astype(np.float32)
    return Piece(0.15 * sound / np.float32(sound.std()), _nothing())


@kind("none")
def speech(rng: np.random.Generator) -> Piece:
    """Syllables of a formant synthesis without a beat: 60 to 380 ms, pauses, falling pitch."""
    sound = np.zeros((round(50 * RATE), 2), np.float32)
    register = rng.uniform(42, 56)
    t = 0.3
    while t < 48:
        for syllable in range(int(rng.integers(3, 12))):
            length = float(rng.uniform(0.08, 0.3))
            note = register + 3 - 0.4 * syllable + rng.normal(0, 1.2)
            spoken = voice.vowel(note, length, int(rng.integers(5)), float(rng.normal(0, 2)))
            consonant = drum.noise(rng, rng.uniform(0.02, 0.08), 1500, 9000) * 0.04
            consonant *= np.hanning(len(consonant))
            at = round(t * RATE)
            for part_, first in ((consonant, at), (0.6 * spoken, at + len(consonant) // 2)):
                room = sound[first : first + len(part_)]  # the last words may be cut off
                room += part_[: len(room), None].astype(np.float32)
            t += length + float(rng.uniform(0.02, 0.12))
        t += float(rng.uniform(0.25, 1.1))
    return Piece(0.5 * sound / np.float32(np.abs(sound).max()), _nothing())


@kind("none")
def tone(rng: np.random.Generator) -> Piece:
    """A steady tone: a sine, or an organ's with some partials."""
    t = np.arange(round(40 * RATE)) / RATE
    f = voice.hertz(rng.uniform(40, 80))
    partials = 1 if rng.random() < 0.5 else 6
    wave = sum(np.sin(2 * np.pi * k * f * t + k) / k for k in range(1, partials + 1))
    wave *= np.minimum(1, t / 0.05) * np.minimum(1, (t[-1] - t) / 0.05) * 0.3
    return Piece(np.repeat(wave[:, None], 2, axis=1).astype(np.float32), _nothing())


@kind("none")
def ambient(rng: np.random.Generator) -> Piece:
    """Chords that swell, each 4 to 11 s long; a key and no beat."""
    root = int(rng.integers(12))
    harmony = MINOR[int(rng.integers(len(MINOR)))]
    sound = np.zeros((round(75 * RATE), 2), np.float32)
    t, number = 0.2, 0
    while t < 66:
        length = float(rng.uniform(4, 11))
        notes = [54 + (root + 6) % 12 + n for n in harmony[number % 4]]
        for chord in (notes, [min(notes) - 12]):
            swell = voice.pad(chord, length + 2, rng.uniform(900, 2500), 1.6)
            swell[-2 * RATE :] *= np.linspace(1, 0, 2 * RATE, dtype=np.float32)[:, None]
            first = round(t * RATE)
            sound[first : first + len(swell)] += swell[: len(sound) - first]
        t += length
        number += 1
    sound += np.float32(0.003) * _stereo(rng, 75.0, 200, 6000)[: len(sound)]
    return Piece(0.6 * sound / np.float32(np.abs(sound).max()), _nothing(f"{NOTES[root]} minor"))


@kind("signal")
def antiphase(rng: np.random.Generator) -> Piece:
    """The right side is the left one upside down: their sum is silence."""
    piece = finished(club(rng, HOUSE if rng.random() < 0.5 else BREAKS))
    piece.sound[:, 1] = -piece.sound[:, 0]
    return piece


@kind("signal")
def surround(rng: np.random.Generator) -> Piece:
    """5.1 at 48 kHz: FL FR FC LFE BL BR; its downmix (-3 dB for FC, BL, BR) does not clip."""
    player = club(rng, HOUSE if rng.random() < 0.5 else TECHNO)
    truth = player.play()
    front = resampled(Piece(player.song.mixed(peak=0.5), truth), SURROUND_RATE)
    music = resampled(Piece(0.25 * player.song.music, truth), SURROUND_RATE).sound
    sound = np.zeros((len(front.sound), 6), np.float32)
    sound[:, :2] = front.sound
    sound[:, 2] = 0.3 * music.sum(axis=1)
    sound[:, 3] = 0.2 * front.sound.mean(axis=1)
    sound[960:, 4:] = 0.5 * music[:-960]  # 20 ms later, as from a room
    downmix = sound[:, :2] + 2**-0.5 * (sound[:, 2:3] + sound[:, 4:])
    sound *= np.float32(0.9 / max(0.9, np.abs(downmix).max()))
    downmix *= np.float32(0.9 / max(0.9, np.abs(downmix).max()))
    truth.lufs = round(loudness(downmix), 2)
    return Piece(sound, truth, SURROUND_RATE)


def _loop(rng: np.random.Generator, bars: int) -> Piece:
    """Return bars that continue at their end with their start."""
    style = (HOUSE, BREAKS, TECHNO)[int(rng.integers(3))]
    bpm = style.tempo(rng)
    song = Song(rng, [part("drop", bars, FULL)], steady(bpm, 4 * bars, 0.0))
    player = Player(song, style)
    truth = player.play()
    truth.sections = truth.drops = None
    if bars < len(player.harmony):
        truth.key = None  # two chords of four say little
    sound = song.mixed(duck=style.duck)
    frames = round(4 * bars * 60.0 / bpm * RATE)
    whole, tail = sound[:frames], sound[frames:]
    whole[: len(tail)] += tail
    return Piece(whole * np.float32(0.9 / np.abs(whole).max()), truth)


@kind("signal")
def loop_2_bars(rng: np.random.Generator) -> Piece:
    """Two bars; the length holds eight beats."""
    return _loop(rng, 2)


@kind("signal")
def loop_4_bars(rng: np.random.Generator) -> Piece:
    """Four bars; the length holds sixteen beats."""
    return _loop(rng, 4)


def loudness(sound: Signal) -> float:
    """Return the integrated loudness of a stereo sound at 48 kHz, in LUFS.

    References
    ----------
    .. [1] ITU-R BS.1770-5, annex 1.
    """
    power = sosfilt(K_WEIGHTING, sound.astype(np.float64), axis=0) ** 2
    step = SURROUND_RATE // 10
    tenths = power.sum(axis=1)[: len(power) // step * step].reshape(-1, step).mean(axis=1)
    blocks = np.convolve(tenths, np.full(4, 0.25), "valid")
    for gate in (1e-7 * 10**0.0691, None):
        floor = gate if gate is not None else 0.1 * float(blocks.mean())
        blocks = blocks[blocks > floor]
    return float(-0.691 + 10 * np.log10(blocks.mean()))
