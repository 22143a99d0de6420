"""What has no key gets none; what has one keeps it."""

from __future__ import annotations

import numpy as np
import pytest

from sfa_engine.bench.pieces import make_piece
from sfa_engine.bench.pieces.edit import resampled
from sfa_engine.prep.analyse.analysis import analyse_blocks
from sfa_engine.prep.analyse.key import Key, find_key
from sfa_engine.prep.analyse.measurement import measure_track

pytestmark = pytest.mark.slow

RATE = 48_000
SECONDS = 8
TIME = np.arange(SECONDS * RATE) / RATE


def key_of(sound: np.ndarray, bars_s: np.ndarray | None = None) -> Key:
    stereo = np.repeat(np.asarray(sound, np.float32)[:, None], 2, axis=1)
    return find_key(measure_track([stereo]).pitches, bars_s)


def noise(seed: int, tilt: float) -> np.ndarray:
    """Return noise whose amplitude falls with this power of the frequency."""
    rng = np.random.default_rng(seed)
    hz = np.maximum(np.fft.rfftfreq(len(TIME), 1 / RATE), 20)
    spectrum = rng.standard_normal(len(hz)) + 1j * rng.standard_normal(len(hz))
    sound = np.fft.irfft(spectrum * hz**-tilt, len(TIME))
    return 0.2 * sound / np.std(sound)


def drums(seed: int, kick_hz: float, snare_hz: float) -> np.ndarray:
    rng = np.random.default_rng(seed)
    sound = np.zeros(len(TIME))
    t = np.arange(RATE // 3) / RATE
    kick = np.sin(2 * np.pi * (kick_hz * t - 2.5 * np.exp(-t * 40))) * np.exp(-t * 14)
    snare = (np.sin(2 * np.pi * snare_hz * t) + rng.standard_normal(len(t))) * np.exp(-t * 22)
    for number in range(SECONDS * 2 - 1):
        part = sound[number * RATE // 2 :][: len(t)]
        part += 0.8 * kick if number % 2 == 0 else 0.4 * snare
    return sound


def speech(seed: int, voice_hz: float) -> np.ndarray:
    """Return syllables of gliding pitch with two formants each."""
    rng = np.random.default_rng(seed)
    parts, frames = [], 0
    while frames < len(TIME):
        size = int(rng.uniform(0.1, 0.4) * RATE)
        phase = np.cumsum(np.linspace(*(voice_hz * rng.uniform(0.7, 1.4, 2)), size)) / RATE
        pulses = sum(np.sin(2 * np.pi * k * phase) / k for k in range(1, 25))
        hz = np.fft.rfftfreq(size, 1 / RATE)
        formants = rng.uniform(300, 800), rng.uniform(900, 2400)
        shape = sum(1 / (1 + ((hz - formant) / 90) ** 2) for formant in formants)
        syllable = np.fft.irfft(np.fft.rfft(pulses) * shape, size) * np.hanning(size)
        parts.append(0.2 * syllable / np.std(syllable))
        frames += size
    return np.concatenate(parts)[: len(TIME)]


@pytest.mark.parametrize("tilt", [0.0, 0.5, 1.0])
def test_noise_has_no_key(tilt):
    assert key_of(noise(31, tilt)).name is None


@pytest.mark.parametrize(("kick_hz", "snare_hz"), [(46.0, 170.0), (58.0, 205.0)])
def test_drums_alone_have_no_key(kick_hz, snare_hz):
    assert key_of(drums(32, kick_hz, snare_hz)).name is None


@pytest.mark.parametrize("voice_hz", [105.0, 180.0])
def test_speech_has_no_key(voice_hz):
    assert key_of(speech(33, voice_hz)).name is None


@pytest.mark.parametrize("harmonics", [1, 12])
@pytest.mark.parametrize("hz", [50.0, 261.6, 880.0])
def test_a_steady_tone_has_no_key(hz, harmonics):
    tone = sum(0.2 * np.sin(2 * np.pi * hz * k * TIME) / k for k in range(1, harmonics + 1))
    found = key_of(tone)
    assert found.name is None
    assert found.confidence == 0


@pytest.mark.parametrize("hz", [0.0, 22.0])
def test_what_is_below_all_pitches_has_no_key(hz):
    sound = 0.5 * np.cos(2 * np.pi * hz * np.arange(12 * RATE) / RATE)
    assert key_of(0.6 * sound).name is None
    assert key_of(np.round(sound * 2**15) / 2**15).name is None


def test_a_cadence_over_drums_and_noise_keeps_its_key():
    chords = ((57, 60, 64), (62, 65, 69), (64, 68, 71), (57, 60, 64))  # A minor
    sound = 0.5 * drums(34, 50.0, 190.0) + 0.1 * noise(34, 0.5)
    for number, chord in enumerate(chords * 2):
        t = TIME[:RATE]
        notes = (440 * 2 ** ((note - 69) / 12) for note in (*chord, chord[0] - 12))
        for hz in notes:
            for k in (1, 2, 3):
                sound[number * RATE :][:RATE] += 0.05 * np.sin(2 * np.pi * hz * k * t) / k
    assert key_of(sound).name == "A minor"


def ringing(notes: tuple[int, ...], seconds: int) -> np.ndarray:
    """Return notes that are struck one after another, the same in each second."""
    t = np.arange(RATE) / RATE
    bar = np.zeros(2 * RATE)
    for number, note in enumerate(notes):
        ring = np.sin(2 * np.pi * 440 * 2 ** ((note - 69) / 12) * t) * np.exp(-t * 3)
        bar[number * RATE // len(notes) :][:RATE] += 0.2 * ring
    bar[:RATE] += bar[RATE:]
    return np.tile(bar[:RATE], seconds)


def test_a_chord_that_never_changes_keeps_its_key():
    assert key_of(ringing((45, 52, 57, 60, 64), 12), np.arange(13.0)).name == "A minor"


@pytest.mark.parametrize(
    ("kind", "seed", "expected"),
    [
        ("drums_alone", 707, None),
        ("drums_alone", 1002, None),
        ("drums_alone", 8111, None),
        ("house", 1001, "B minor"),
    ],
    ids=["drums that ring", "like a minor key", "like a major key", "i-iv-i-v is not in iv"],
)
def test_a_made_piece_has_its_own_key_or_none(kind, seed, expected):
    sound = resampled(make_piece(kind, seed), RATE).sound
    assert analyse_blocks([sound])["key"] == expected
