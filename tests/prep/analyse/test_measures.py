"""Loudness, true peak, key and spectral features against what others measure."""

from __future__ import annotations

import contextlib
from fractions import Fraction
from pathlib import Path

import av
import av.filter
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sfa_engine.prep.analyse import features, smooth
from sfa_engine.prep.analyse.key import find_key
from sfa_engine.prep.analyse.loudness import decibels, measure
from sfa_engine.prep.analyse.measurement import measure_track
from sfa_engine.track.key import KEYS

RATE = 48_000


def lively(seconds: float, seed: int = 1) -> np.ndarray:
    """Noise, tones and gaps of changing level: something every gate and band has to do with."""
    rng = np.random.default_rng(seed)
    n = round(seconds * RATE)
    t = np.arange(n) / RATE
    level = np.interp(
        t, np.arange(seconds + 1), rng.choice([0.001, 0.05, 0.2, 0.5], int(seconds) + 1)
    )
    tone = np.sin(2 * np.pi * 220 * t) + 0.5 * np.sin(2 * np.pi * 3111 * t)
    left = level * (0.5 * tone + 0.5 * rng.standard_normal(n))
    right = level * (0.3 * tone + 0.2 * rng.standard_normal(n))
    return np.stack([left, right], axis=1).astype(np.float32)


def test_a_full_scale_sine_of_997_hz_on_one_side_is_minus_3_01_lufs():
    t = np.arange(20 * RATE) / RATE
    sound = np.stack([np.sin(2 * np.pi * 997 * t), np.zeros_like(t)], axis=1)
    loud = measure(measure_track([sound.astype(np.float32)]).power)
    assert loud.integrated_lufs == pytest.approx(-3.01, abs=0.02)
    assert loud.range_lu == pytest.approx(0, abs=0.1)


def test_the_true_peak_between_the_samples_is_found():
    t = np.arange(RATE)
    sine = 0.5 * np.sin(2 * np.pi * t / 4 + np.pi / 4)  # its samples are 3 dB below its peak
    sound = np.stack([sine, 0.1 * sine], axis=1).astype(np.float32)
    assert decibels(measure_track([sound[2000:-2000]]).true_peak) == pytest.approx(-6.02, abs=0.3)


def ffmpegs(sound: np.ndarray) -> tuple[float, float]:
    """Loudness and true peak in LUFS and dBTP, by FFmpeg's filter ebur128."""
    graph = av.filter.Graph()
    source = graph.add_abuffer(
        sample_rate=RATE, format="flt", layout="stereo", time_base=Fraction(1, RATE)
    )
    meter = graph.add("ebur128", "peak=true:metadata=1")
    sink = graph.add("abuffersink")
    source.link_to(meter)
    meter.link_to(sink)
    graph.configure()
    told: dict[str, str] = {}
    for at in range(0, len(sound), 4800):
        piece = np.ascontiguousarray(sound[at : at + 4800]).reshape(1, -1)
        frame = av.AudioFrame.from_ndarray(piece, format="flt", layout="stereo")
        frame.sample_rate, frame.pts, frame.time_base = RATE, at, Fraction(1, RATE)
        graph.push(frame)
        with contextlib.suppress(BlockingIOError, EOFError):
            while True:
                told |= graph.pull().metadata
    peak = max(float(v) for k, v in told.items() if "true_peaks_ch" in k)
    return float(told["lavfi.r128.I"]), decibels(peak)


@pytest.mark.slow
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_loudness_and_true_peak_are_those_of_ffmpeg(seed):
    sound = lively(30, seed)
    lufs, peak = ffmpegs(sound)
    measured = measure_track([sound])
    assert measure(measured.power).integrated_lufs == pytest.approx(lufs, abs=0.05)
    assert decibels(measured.true_peak) == pytest.approx(peak, abs=0.2)


def test_features_are_librosas_of_the_same_frames():
    # made by librosa 0.11: librosa.feature.NAME(y=mono, sr=48000, n_fft=4096, hop_length=2400,
    # center=False), chroma_stft with tuning=0
    spectra = features.Spectra(RATE, 4096, 2400)
    for piece in np.array_split(lively(2).mean(axis=1), 7):
        spectra.take(piece)
    with np.load(Path(__file__).parent / "librosa_features.npz") as theirs:
        chosen = features.described(0, len(theirs["mel"]))
        for name in ("chroma", "centroid", "rolloff", "contrast", "crossings"):
            np.testing.assert_allclose(
                spectra.curve(name), theirs[name][chosen], rtol=2e-3, atol=2e-3, err_msg=name
            )
        mel = 10 ** (spectra.curve("mel") / 1000)
        np.testing.assert_allclose(mel, theirs["mel"][chosen], rtol=4e-3, atol=2e-3)
        np.testing.assert_allclose(spectra.mfcc(), theirs["mfcc"][chosen], atol=0.05)


@pytest.mark.slow
@pytest.mark.parametrize("cents", [0, 30])
@pytest.mark.parametrize("key", KEYS[::5])
def test_a_cadence_has_its_key_in_any_tuning(key, cents):
    tonic = {"C": 0, "D": 2, "E": 4, "F": 5, "G": 7, "A": 9, "B": 11}[key[0]]
    tonic += {"#": 1, "b": -1, " ": 0}[key[1]]
    third = 4 if key.endswith("major") else 3
    chords = [(0, third, 7), (5, 5 + third, 12), (7, 11, 14), (0, third, 7)]
    t = np.arange(RATE * 2) / RATE
    sound = np.concatenate(
        [
            sum(
                np.sin(2 * np.pi * 130.81 * 2 ** ((tonic + note + cents / 100) / 12) * k * t) / k
                for note in (*chord, chord[0] - 12)
                for k in (1, 2, 3)
            )
            for chord in chords * 2
        ]
    )
    stereo = np.repeat(0.05 * sound[:, None], 2, axis=1).astype(np.float32)
    found = find_key(measure_track([stereo]).pitches)
    assert found.name == key
    assert found.tuning_cents == pytest.approx(cents, abs=6)


@given(st.lists(st.floats(-10, 10, width=32), min_size=1, max_size=60), st.integers(1, 70))
def test_the_running_maximum_is_the_maximum_of_each_window(values, width):
    curve = np.array(values, np.float32)
    before = (width - 1) // 2
    expected = [curve[max(0, i - before) : i + width - before].max() for i in range(len(curve))]
    np.testing.assert_array_equal(smooth.highest(curve, width), expected)
    trailing = [curve[max(0, i - width + 1) : i + 1].max() for i in range(len(curve))]
    np.testing.assert_array_equal(smooth.highest(curve, width, trailing=True), trailing)


@given(st.integers(1, 10**7))
def test_a_fast_size_holds_what_it_must_and_wastes_little(n):
    assert n <= smooth.fast_size(n) <= max(1.34 * n, n + 1)
